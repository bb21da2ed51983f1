"""What was measured of the losses, for the cards: from the home folder, or measured on a side worker at first need."""

import logging
from dataclasses import dataclass, field
from functools import partial

import streamlit as st

from app.background import questions
from models import facts
from models.catalogue import discover
from models.engine import comparisons
from models.settings import Settings
from models.step_cost import REFERENCE

_LOG = logging.getLogger("losslab")


@dataclass
class Known:
    """Facts by loss key, what is still being measured, and what could not be."""

    found: facts.Facts
    pending: bool = False
    problems: list[str] = field(default_factory=list)

    @property
    def reference_ms(self) -> float | None:
        """Cost of a step of infonce, with which the others are compared."""
        return self.found.get(REFERENCE, {}).get("ms")


@st.cache_resource
def _store() -> facts.Facts:
    """What this server knows so far."""
    return facts.load(Settings.from_environment())


def known() -> Known:
    """What is known now; what is not is asked for, our own losses before those of the library."""
    store = _store()
    keys = list(discover("losses"))
    state = Known(store)
    for part in ("losses", "library"):
        missing = tuple(key for key in keys if key not in store and (":" in key) == (part == "library"))
        if not missing:
            continue
        # A part is asked for as a whole: its question keeps its name while its answer is awaited.
        answer = questions().ask(("facts", part), comparisons.facts, partial(tuple, (missing,)))
        if answer.value:
            store.update(answer.value)
            _keep(answer.value)
        state.pending |= answer.pending
        if answer.problem:
            state.problems.append(answer.problem)
    return state


def _keep(found: facts.Facts) -> None:
    try:
        facts.save(Settings.from_environment(), found)
    except OSError as error:  # a full or read-only disk: they are measured anew at the next start
        _LOG.warning("what was measured of the losses could not be kept: %s", error)
