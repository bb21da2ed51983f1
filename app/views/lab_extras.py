"""What stands below a panel's picture: the shared threshold, its counts, AUC by class, and sentences on weights."""

import streamlit as st

from app import brushing, items, state
from app.live import Lab
from app.view import View
from app.views import lab_brush, lab_compare, lab_menus, lab_readings
from components import theme
from components.panels import (
    brush,
    class_matrix,
    class_roc,
    margin_axis,
    margin_histogram,
    pair_weights,
    roc_curve,
    sample_weights,
    two_lanes,
)

THRESHOLD = 0.5  # cosine
CURVE, HEAT = "Curve", "Heat map"
CLASSES_HEIGHT, ROW_HEIGHT = 150, 35  # pixels of the table of classes, at most, and of one of its rows


def threshold() -> float:
    """The one threshold handle that histogram and ROC share, a cosine."""
    return float(state.get("threshold", THRESHOLD))


def below_scores(lab: Lab, view: View) -> None:
    """What is decided, a line a lane; and the handle, as long as a panel shows cosines."""
    reading = lab_readings.chosen("scores", view.summaries)
    pairs_roc = lab_readings.chosen("roc", view.summaries) == lab_readings.COSINE
    if reading in (lab_readings.MARGIN, lab_readings.RESIDUAL):
        _margins(view, residual=reading == lab_readings.RESIDUAL)
    if reading == lab_readings.COSINE or (pairs_roc and "roc" in lab.page.setup.panels):
        _threshold_slider()
    if reading == lab_readings.COSINE:
        compared = lab_compare.shown(lab, view)
        if compared is not None:
            st.caption(two_lanes.numbers(view.summaries, compared.lanes, bool(state.choice("score-unseen", False))))
        _ticks(lab, view)


def _ticks(lab: Lab, view: View) -> None:
    """In words, a line a lane: how many of the brushed pairs have a tick, and what they carry there."""
    found = lab_brush.held(lab, view)
    for index, shown in enumerate(() if found is None else found.lanes):
        words = brush.rugs_said(shown) if lab_compare.shown(lab, view) is None else brush.counts_said(shown)
        if found is not None and words:
            parts = (brushing.share_words(found, index), brushing.went(found, index, view.lanes[index].kept))
            st.caption(f"{theme.badge(index)} {': '.join([words, '; '.join(part for part in parts if part)])}")


def _margins(view: View, *, residual: bool) -> None:
    told = lab_readings.telling(margin_histogram, lab_readings.options("scores", view))
    for index, summary in enumerate(view.summaries):
        st.caption(f"{theme.badge(index)} {margin_histogram.numbers(summary, **told)}")
    uneven = margin_axis.uneven([margin_axis.shown(summary, residual) for summary in view.summaries])
    if uneven and not state.choice("score-own", False):
        st.caption("These lanes have logits of very different sizes: ⋯ *Own axis for each lane* shows the small ones.")


def _threshold_slider() -> None:
    st.slider(
        "Threshold (cosine), shared with the ROC",
        -1.0,
        1.0,
        THRESHOLD,
        0.01,
        key="threshold",
        help="Pairs that score at or above it are accepted.",
    )


CONFUSION_HELP = """At the shared threshold: **TP** positive pairs accepted, **FP** negative pairs accepted,
**TN** negative pairs refused, **FN** positive pairs refused; **TPR** and **FPR** are TP and FP as shares of their kind.
Counts are exact at the threshold shown, the nearest one at which they are kept."""


def confusion(lab: Lab, view: View) -> None:
    """Counts at the threshold, a row a lane; of a ROC of classes, their AUC."""
    if lab_readings.chosen("roc", view.summaries) == lab_readings.MARGIN:
        _classes(view)
        return
    unseen = bool(state.choice("roc-unseen", False))
    head = "| lane | at | TP | FP | TN | FN | TPR | FPR |"
    rows = [head, "|" + "---|" * 8]
    for index, summary in enumerate(view.summaries):
        at = roc_curve.working_point(summary, threshold(), unseen)
        cells = ["–"] * 7
        if at is not None:
            counts = (at.tp, at.fp, at.negatives - at.fp, at.positives - at.tp)
            rates = (theme.percent(at.tpr, 1), theme.percent(at.fpr, 1))
            cells = [f"{at.threshold:.2f}", *(f"{count:,}" for count in counts), *rates]
        rows.append("| " + " | ".join([theme.badge(index), *cells]) + " |")
    with st.container(key="confusion"):
        st.markdown("\n".join(rows), help=CONFUSION_HELP)


def _classes(view: View) -> None:
    """AUC by class, unless the panel shows that table already."""
    if lab_menus.table_shown("roc") or not view.summaries:
        return
    told = lab_readings.telling(class_roc, lab_readings.options("roc", view))
    table = class_roc.by_class(view.summaries, **told)
    st.dataframe(table, height=min(CLASSES_HEIGHT, ROW_HEIGHT * (len(table) + 1) + 3), hide_index=True)


def heat_shown(view: View) -> bool:
    """True if the weights panel shows all pairs as a map."""
    pairs = lab_readings.chosen("weights", view.summaries) == lab_readings.COSINE
    return pairs and state.get("weights-mode") == HEAT


def weight_numbers(lab: Lab, view: View) -> None:
    """Curve or map, and who carries the gradient, a line a lane."""
    reading = lab_readings.chosen("weights", view.summaries)
    if reading != lab_readings.COSINE:
        for index, summary in enumerate(view.summaries):
            told = sample_weights.numbers(summary, residual=reading == lab_readings.RESIDUAL)
            st.caption(f"{theme.badge(index)} " + " ".join(told))
        return
    st.segmented_control(
        "Show", (CURVE, HEAT), default=CURVE, required=True, key="weights-mode", label_visibility="collapsed",
        help="The heat map has anchors in rows and candidates in columns, both sorted by class.",
    )  # fmt: skip
    for index, summary in enumerate(view.summaries):
        if summary.weights is None:
            st.caption(f"{theme.badge(index)} {summary.why_no_weight}")
        else:
            st.caption(f"{theme.badge(index)} " + " ".join(pair_weights.numbers(summary)))


def class_numbers(lab: Lab, view: View) -> None:
    """Which two classes matter most, a line a lane."""
    told = {**lab_menus.chosen("classes"), "names": items.names(view.lanes[0].config.data)}
    for index, summary in enumerate(view.summaries):
        words = class_matrix.numbers(summary, **told)
        st.caption(f"{theme.badge(index)} {words[0].upper()}{words[1:]}")
