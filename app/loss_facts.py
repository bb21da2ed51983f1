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

AT_ONCE = 2  # losses of our own; one of the library alone may take seconds
BEHIND = -1  # priority: whatever a page waits for goes first
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
    state = Known(store)
    for part in _parts():
        if all(key in store for key in part):
            continue
        answer = questions().ask(("facts", part), comparisons.facts, partial(tuple, (part,)), priority=BEHIND)
        if answer.value:
            store.update(answer.value)
            _keep(answer.value)
        state.pending |= answer.pending
        if answer.problem and answer.problem not in state.problems:
            state.problems.append(answer.problem)
    return state


def _parts() -> list[tuple[str, ...]]:
    """What is asked for at once: few, so that cards fill up and nobody else waits long for the worker."""
    keys = list(discover("losses"))
    # What the others are compared with comes first: until it is known no card can tell its cost.
    ours = [REFERENCE, *(key for key in keys if ":" not in key and key != REFERENCE)]
    library = [(key,) for key in keys if ":" in key]
    return [*(tuple(ours[at : at + AT_ONCE]) for at in range(0, len(ours), AT_ONCE)), *library]


def _keep(found: facts.Facts) -> None:
    try:
        facts.save(Settings.from_environment(), found)
    except OSError as error:  # a full or read-only disk: they are measured anew at the next start
        _LOG.warning("what was measured of the losses could not be kept: %s", error)
