"""The panels of a diagnosis, which brush one another, and under them the cards of the brushed pairs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow as pa
import streamlit as st

from app import brushing, drawn, state
from app.background import questions
from app.diagnosing import Case
from app.report import MARKED, MODULES, options, shown_panels
from app.views import diagnose_brush, diagnose_more, diagnose_timeline
from components import pair_cards, theme
from components.panels import class_matrix, embedding_map, pair_weights, roc_curve
from components.panels.brush import STRETCH, Lanes
from models.checkpoint.result import Result
from models.checkpoint.view import View
from models.diagnostics.cards import cards, nearest
from models.diagnostics.summary import Summary
from models.engine import diagnosing

HEIGHT = 300
THRESHOLD, METHOD, HEAT, ORDER, NEAR = (f"diagnose-{name}" for name in ("threshold", "method", "heat", "order", "near"))
USUAL = 0.5  # threshold, a cosine
DRAGGED = {"score_histogram": "scores", "roc_curve": "roc"}
ORDERS = {"weight": "heaviest first", "score": "highest score first", "wrong": "most wrong first"}
MOST = 8  # cards of a checkpoint


@dataclass(frozen=True, eq=False)
class Scene:
    """What is on the page: the checkpoints that are shown, by place, and what each shows of the brush."""

    case: Case
    result: Result
    views: Sequence[View]
    places: tuple[int, ...]
    found: brushing.Shown | None
    brushed: Lanes

    @property
    def shown(self) -> list[Summary]:
        """What the panels draw."""
        return [view.summary for view in self.views]

    @property
    def brushable(self) -> bool:
        """Whether pairs are told by labels, which a brush needs."""
        return self.case.material is not None and self.case.material.labels is not None

    @property
    def cosines(self) -> bool:
        """Whether the scores are those of embeddings, and not of a table with an axis of its own."""
        return bool(self.result.told["door"] != "scores")


def show(case: Case, result: Result) -> None:
    """The step cursor, the brush, the panels, and cards of what is brushed."""
    views = diagnose_timeline.cursor(result)
    places = tuple(next(k for k, one in enumerate(result.views) if one is view) for view in views)
    scene = _scene(case, result, views, places)
    if scene.brushable:
        diagnose_brush.bar(case, result, scene.found)
    elif scene.brushed:
        own = scene.brushed[0]
        assert own is not None
        st.caption(f"Marked: {own.pairs:,} pairs, {own.share_of_pairs:.2%} of all that were looked at.")
    with st.grid(2, min_column_width=320, border=True, key="diagnose-grid"):
        for name in shown_panels(result):
            with st.container(key=f"panel-{name}"):
                st.markdown(f"**{MODULES[name].TITLE}**", help=MODULES[name].HELP)
                _DRAW.get(name, _vega)(name, scene)
                if name in _BELOW:
                    _BELOW[name](scene)
    for name, why in result.views[0].absent.items():
        st.caption(f"{MODULES[name].TITLE if name in MODULES else 'Curves over steps'}: {why}")
    if scene.brushable:
        _cards(scene)


def _scene(case: Case, result: Result, views: Sequence[View], places: tuple[int, ...]) -> Scene:
    """With labels any brush is shown in every checkpoint; without, a finding's marks in the one it is of."""
    if case.material is not None and case.material.labels is not None:
        found = diagnose_brush.found(case, places)
        return Scene(case, result, views, places, found, () if found is None else found.lanes)
    mark = result.marks.get(str(state.get(diagnose_brush.HELD)))
    own = None if mark is None or places[0] != 0 else mark.brushed
    return Scene(case, result, views, places, None, () if own is None else (own,))


def _vega(name: str, scene: Scene) -> None:
    panel, asked = MODULES[name], options(name, scene.result)
    if name in MARKED and scene.brushed:
        asked["brushed"] = scene.brushed
    if name in DRAGGED and scene.cosines:
        asked["threshold"] = _threshold()
    key = f"chart-{name}"
    if scene.brushable and (name in DRAGGED or panel is class_matrix):
        key = f"{key}-{diagnose_brush.mount(DRAGGED.get(name, 'classes'))}"
    st.vega_lite_chart(
        drawn.rows(panel, scene.shown, asked),
        panel.spec(),
        key=key,
        alt=panel.TITLE,
        width="stretch",
        **_dragging(name, key, scene),
    )
    st.caption(panel.sentence(scene.shown))


def _dragging(name: str, key: str, scene: Scene) -> dict[str, Any]:
    """What makes a stretch of the chart, or a cell of its matrix, a brush."""
    if not scene.brushable:
        return {}
    if name in DRAGGED:
        dragged = partial(diagnose_brush.drag, scene.case, DRAGGED[name], key)
        return {"on_select": dragged, "selection_mode": [STRETCH]}
    if MODULES[name] is class_matrix:
        labels = [None if lane.classes is None else lane.classes.label for lane in scene.shown]
        return {"on_select": partial(diagnose_brush.cell, scene.case, key, labels),
                "selection_mode": [class_matrix.CELL]}  # fmt: skip
    return {}


def _threshold() -> float:
    """The one handle that histogram and ROC share, a cosine."""
    return float(state.choice(THRESHOLD, USUAL))


def _handle(scene: Scene) -> None:
    if scene.cosines:
        st.slider("Threshold (cosine), shared with the ROC", -1.0, 1.0, USUAL, 0.01, key=THRESHOLD,
                  help="Pairs that score at or above it are accepted.")  # fmt: skip


def _confusion(scene: Scene) -> None:
    if scene.cosines:
        st.dataframe(roc_curve.confusion(scene.shown, _threshold()), hide_index=True, key="diagnose-confusion")


def _weights(name: str, scene: Scene) -> None:
    """The curve, or the heat map of all sampled pairs."""
    if not scene.brushable or not state.choice(HEAT, False):
        _vega(name, scene)
        return
    key = f"chart-heat-{diagnose_brush.mount('heat')}"
    cells = [(len(s.points.item), s.weights.heat.shape if s.weights is not None else (0, 1)) for s in scene.shown]
    st.plotly_chart(
        pair_weights.heat_map(scene.shown).update_layout(dragmode="select"),
        key=key,
        config={"displaylogo": False},
        on_select=partial(diagnose_brush.box, scene.case, key, cells),
        selection_mode="box",
    )


def _heat_switch(scene: Scene) -> None:
    if scene.brushable:
        st.toggle("Heat map", key=HEAT, help="All sampled pairs in blocks, items sorted by class; box some to brush.")


def _map(name: str, scene: Scene) -> None:
    """The lab's live map: brushed pairs as lines, items to draw around."""
    shown = _projected(scene)
    key = f"chart-map-{diagnose_brush.mount('map')}"
    option = embedding_map.option(
        shown, names=dict(enumerate(scene.result.classes)) or None, brushed=scene.brushed, lasso=scene.brushable
    )
    for dataset in option["dataset"]:
        dataset["source"] = pa.Table.from_pandas(dataset["source"], preserve_index=False)
    rows = [lane.points.item[lane.points.seen == seen] for lane in shown for seen in (True, False)]
    chosen = partial(diagnose_brush.lasso, scene.case, key, rows)
    st.echarts_chart(option, key=key, height=HEIGHT, alt=embedding_map.sentence(shown),
                     on_select=chosen if scene.brushable else "ignore")  # fmt: skip


def _projected(scene: Scene) -> list[Summary]:
    """The maps as asked for; PCA until a side worker has laid the others out."""
    if state.choice(METHOD, "PCA") == "PCA" or scene.case.material is None:
        return scene.shown
    return [
        one if answer.value is None else drawn.with_points(one, answer.value)
        for one, answer in zip(scene.shown, map(partial(_layout, scene), scene.places), strict=True)
    ]


def _layout(scene: Scene, place: int) -> Any:
    """UMAP of one checkpoint's sampled items, asked once."""
    case, points = scene.case, scene.result.views[place].summary.points
    return questions().ask(
        ("diagnose-umap", case.key, id(scene.result), place),
        diagnosing.layout,
        lambda: (case.kept if place == 0 else case.materials()[place], points),
    )


def _method(scene: Scene) -> None:
    """PCA or UMAP, of how many items, and how far it can be trusted."""
    st.segmented_control("Projection", ("PCA", "UMAP"), default="PCA", required=True, key=METHOD,
                         label_visibility="collapsed", help="A side worker lays UMAP out once asked.")  # fmt: skip
    shown, size = _projected(scene), scene.result.told["size"]
    for one in shown:
        many = f"{len(one.points.item):,} of {size:,} items, sampled" if len(one.points.item) < size else "all items"
        st.caption(f"{embedding_map.badge(one)}; {many}.")
    if state.choice(METHOD, "PCA") == "UMAP":
        answers = [_layout(scene, place) for place in scene.places]
        for problem in {answer.problem for answer in answers if answer.problem}:
            st.error(problem)
        if any(answer.pending for answer in answers):
            st.caption("A side worker lays UMAP out; PCA stands until then …")
            diagnose_more.wait()


def _cards(scene: Scene) -> None:
    """Cards of the brushed pairs, and of those that a little more or less threshold would flip."""
    st.html(f"<style>{pair_cards.STYLE}</style>")
    names = dict(enumerate(scene.result.classes))
    if scene.found is not None:
        with st.container(key="diagnose-cards"):
            st.segmented_control("Cards", tuple(ORDERS), default="weight", required=True, key=ORDER,
                                 format_func=ORDERS.__getitem__, label_visibility="collapsed")  # fmt: skip
            order = str(state.choice(ORDER, "weight"))
            for index, (look, pairs) in enumerate(zip(scene.found.looks, scene.found.pairs, strict=True)):
                if look is not None and pairs is not None:
                    made = cards(look, pairs, order, MOST)
                    st.markdown(f"{theme.badge(index)} {len(made)} of {len(pairs):,} marked pairs, {ORDERS[order]}")
                    st.html(pair_cards.grid(made, names, None))
    if st.toggle("Pairs at the threshold", key=NEAR, help="Those that a little more or less would flip."):
        look = scene.case.look(scene.places[0])
        for word, side in zip(("accepted", "rejected"), nearest(look, _threshold(), MOST, "all"), strict=True):
            made = cards(look, side, "given", MOST)
            st.markdown(f"{theme.badge(0)} Just {word}: {theme.many(len(made), 'pair')}, nearest first")
            st.html(pair_cards.grid(made, names, None))


_DRAW: dict[str, Callable[[str, Scene], None]] = {"embedding_map": _map, "pair_weights": _weights}
_BELOW: dict[str, Callable[[Scene], None]] = {
    "score_histogram": _handle,
    "roc_curve": _confusion,
    "pair_weights": _heat_switch,
    "embedding_map": _method,
}
