"""Single pairs at earlier moments: how their score went, and the look of a moment that only scores are kept of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from models.diagnostics.look import Look
from models.diagnostics.pairs import Pairs
from models.diagnostics.placed import Placed
from models.diagnostics.summary import Summary

NO_WEIGHT = "weights are of the latest step alone"


@dataclass(frozen=True, eq=False)
class ScoreTrail:
    """Sparklines: how the scores of some pairs went, a row a pair and a column a kept step."""

    step: Int[np.ndarray, " t"]  # rising
    score: Float[np.ndarray, "k t"]  # cosine, to `placed.ERROR`


def score_trail(kept: Sequence[Summary], pairs: Pairs) -> ScoreTrail:
    """The scores of pairs of the probe at every moment that keeps where items stood; others are left out."""
    known = [(summary.step, summary.placed) for summary in kept if summary.placed is not None]
    columns = [_scores(moment, pairs) for _, moment in known]
    score = np.array(columns, np.float64).reshape(len(known), len(pairs)).T
    return ScoreTrail(np.array([step for step, _ in known], np.int64), score)


def _scores(moment: Placed, pairs: Pairs) -> Float[np.ndarray, " k"]:
    other = moment.u if moment.v is None else moment.v
    found: np.ndarray = np.einsum("kd,kd->k", moment.u[pairs.i].astype(np.float64), other[pairs.j].astype(np.float64))
    return found


def look_then(look: Look, summary: Summary, loss: str, knobs: Mapping[str, float]) -> Look | None:
    """The look of the same items at an earlier moment, without weights; None where their places were not kept.

    loss, knobs: as they were in force at that step.
    """
    if summary.placed is None or len(summary.placed.u) != len(look.y):
        return None
    if summary.step == look.step:
        return look
    v = summary.placed.v
    return replace(
        look,
        z=summary.placed.u.astype(np.float32),
        other=None if v is None else v.astype(np.float32),
        step=summary.step,
        label=summary.label,
        loss=loss,
        knobs=dict(knobs),
        reads="",
        coded=None,
        view_rows=None,
        view_columns=None,
        left_out=np.empty(0, np.int32),
        why_no_weight=NO_WEIGHT,
    )
