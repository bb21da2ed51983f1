"""What ticks above the panels: the lanes' numbers, and what differs between them."""

from functools import partial
from math import isfinite

import streamlit as st

from app.live import Lab
from app.view import LaneView, View
from app.views import lab_tradeoff
from components import theme
from models.diagnostics import levels
from models.diagnostics.summary import Summary

NUMBERS_HELP = """**step** training steps done · **loss** of the last batch ·
**AUC** chance that a positive pair scores above a negative one (1 is perfect, 0.5 is guessing),
with its 95 % interval over items · **AUC unseen** the same on classes never trained on ·
**recall@1** share of items whose nearest neighbour has their class ·
**uniformity** how evenly the sphere is filled (larger is more even, about 4 at most) ·
**tolerance** mean cosine inside a class (larger keeps classes tighter) ·
**d′** gap between the two histograms in standard deviations · **rank** directions in use ·
**same start** checksums of initial weights / batches / views: equal in all lanes, so that only the loss differs."""


def numbers(lab: Lab, view: View) -> None:
    """One row a lane; the table's tooltip says what each number means and what is good."""
    head = "| lane | step | steps/s | loss | AUC | AUC unseen | recall@1 "
    head += "| uniformity | tolerance | d′ | rank | same start |"
    rows = [head, "|" + "---|" * 12]
    rows += [_row(index, lane) for index, lane in enumerate(view.lanes)]
    with st.container(key="numbers"):
        st.markdown("\n".join(rows), help=NUMBERS_HELP)
    for index, lane in enumerate(view.lanes):
        if lane.message:
            st.warning(f"Lane {theme.LETTERS[index]}: {lane.message}")
        if lane.status == "diverged":
            st.button(
                f"Resume lane {theme.LETTERS[index]} from its last sound step with a tenth of the rate",
                key=f"resume-{lane.id}",
                on_click=partial(lab.resume, lane),
            )
    if view.message:
        st.info(view.message)


def _row(index: int, lane: LaneView) -> str:
    name = f"{theme.badge(index)} {lane.status}"
    if lane.summary is None:
        return f"| {name} | {lane.step} |" + " |" * 10
    s: Summary = lane.summary
    loss = s.curves.loss[-1] if len(s.curves.loss) else float("nan")
    unseen = s.roc_unseen.auc if s.roc_unseen is not None else float("nan")
    start = " / ".join(lane.checksums.values()) if lane.checksums else "recorded"
    cells = [
        name,
        str(s.step),  # of all numbers of the row; training may be a little further
        f"{lane.rate:.0f}" if lane.rate else "–",
        theme.number(loss),
        f"{_number(s.roc.auc)} [{_number(s.roc.low)}, {_number(s.roc.high)}]",
        _number(unseen),
        _number(s.neighbours.recall_at_1),
        _number(s.plane.uniformity, 2),
        _number(s.plane.tolerance, 2),
        _number(s.scores.d_prime, 2),
        _number(s.spectrum.effective_rank, 1),
        start,
    ]
    return "| " + " | ".join(cells) + " |"


def _number(value: float, digits: int = 3) -> str:
    return f"{value:.{digits}f}" if isfinite(value) else "–"


def verdict(lab: Lab, view: View) -> None:
    """What differs between the lanes, whether it can be told apart, and the button that settles it."""
    for index, lane in enumerate(view.lanes):
        found = level(lane)
        if found is not None and found[0] != "perfect":
            st.warning(f"Lane {theme.letter(index)}: {found[1]}")
    lab_tradeoff.verdict(lab, view)


def level(lane: LaneView) -> tuple[str, str] | None:
    """The reference level that a lane's loss sits on, and the sentence; None where it sits on none."""
    return None if lane.summary is None else levels.sits_on(lane.summary.curves, lane.summary.levels)
