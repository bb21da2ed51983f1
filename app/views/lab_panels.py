"""What ticks: the grid of panels."""

from collections.abc import Callable
from functools import partial
from html import escape
from typing import Any

import streamlit as st

from app import drawn, items
from app.address import DEFAULT_PANELS, MIXTURE
from app.live import Lab
from app.view import View, recording
from app.views import (
    lab_brush,
    lab_compare,
    lab_extras,
    lab_map,
    lab_menus,
    lab_mixtures,
    lab_numbers,
    lab_readings,
    lab_tradeoff,
)
from components import theme
from components.panels import (
    class_matrix,
    curves,
    embedding_map,
    mixture,
    pair_weights,
    roc_curve,
    score_histogram,
    score_statistics,
    spectrum,
    tradeoff,
    two_lanes,
)
from components.panels.brush import STRETCH, Lanes
from models.training.config import RunConfig

PANELS: dict[str, Any] = {
    "scores": score_histogram,
    "roc": roc_curve,
    "tradeoff": tradeoff,
    "map": embedding_map,
    "weights": pair_weights,
    "curves": curves,
    "statistics": score_statistics,
    "spectrum": spectrum,
    MIXTURE: mixture,
    "classes": class_matrix,
}
TITLES = {name: panel.TITLE for name, panel in PANELS.items()}
DRAGGED = (score_histogram, two_lanes, roc_curve)  # a stretch of their axis can be dragged out
HEIGHT = 300
# Panels of the first, second, third draw: a browser compiles a chart in a quarter of a second, and whoever opens the
# page shall see the first one move before the last one is ready.
REVEAL = (1, 3, 99)
SPOKEN_OPTIONS = ("unseen", "measure", "sweep")  # what changes the sentence of a panel, beside its look


def _level_captions(lab: Lab, view: View) -> None:
    for index, lane in enumerate(view.lanes):
        found = lab_numbers.level(lane)
        if found is not None:
            st.caption(f"{theme.badge(index)} {found[1]}")


def grid(lab: Lab, view: View) -> None:
    """The chosen panels; every part stays mounted and receives data only."""
    room = REVEAL[min(lab.page.draws, len(REVEAL) - 1)]
    lab.page.draws += 1
    with st.grid(3, min_column_width=360, border=True, key="grid"):
        for index, name in enumerate(lab.page.setup.panels):
            with st.container(key=f"panel-{name}"):
                _card(name, lab, view, ready=index < room)


def _card(name: str, lab: Lab, view: View, *, ready: bool) -> None:
    summaries, options = view.summaries, _shown(name, lab, view)
    panel = _picture(name, lab, view)
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.markdown(f"**{lab_readings.title(name, summaries, panel)}**", help=panel.HELP)
        lab_menus.menu(name, panel, lab, view, options)
    if not summaries or not ready:
        st.skeleton(height=HEIGHT)
        return
    if lab_menus.table_shown(name):
        st.dataframe(
            drawn.table(panel, summaries, lab_readings.telling(panel, options)), height=HEIGHT, hide_index=True
        )
    else:
        DRAW[name](lab, view, options)
    if name in EXTRAS:
        EXTRAS[name](lab, view)


def _picture(name: str, lab: Lab, view: View) -> Any:
    """The panel that draws what is asked for: another reading, or two lanes together."""
    return lab_compare.picture(lab_readings.picture(name, view.summaries, PANELS[name]), lab, view)


def rehearse() -> None:
    """Draw every panel of the recording's first moments once, outside any session: what is slow is remembered."""
    first = [frames[0] for frames in recording()]
    for summaries in (first, [frames[1] for frames in recording()]):
        for name in DEFAULT_PANELS:
            panel = PANELS[name]
            if name == "map":
                drawn.map_option(summaries, RunConfig.from_json(summaries[0].config).data)
                continue
            options: dict[str, Any] = {"threshold": lab_extras.THRESHOLD} if name in ("scores", "roc") else {}
            panel.spec()
            drawn.rows(panel, summaries, options)


def prepare(lab: Lab, view: View) -> None:
    """Make every picture before the first is sent.

    A browser lays the page out anew for whatever comes 10 ms later than the last: pictures that come together are drawn
    in half the time.
    """
    summaries = view.summaries
    if not summaries:
        return
    for name in lab.page.setup.panels[: REVEAL[min(lab.page.draws, len(REVEAL) - 1)]]:
        panel, options = _picture(name, lab, view), _shown(name, lab, view)
        if lab_menus.table_shown(name):
            drawn.table(panel, summaries, lab_readings.telling(panel, options))
        elif name == "map":
            lab_map.option(lab, view, options, _brushed(lab, view))
        else:
            _rows_and_words(panel, view, options)


def _rows_and_words(panel: Any, view: View, options: dict[str, Any]) -> tuple[Any, str]:
    """What a panel draws, and says to those who do not see it."""
    return (
        drawn.rows(panel, view.summaries, lab_readings.drawing(panel, options)),
        drawn.sentence(panel, view.summaries, lab_readings.telling(panel, options, SPOKEN_OPTIONS)),
    )


def _vega(name: str, lab: Lab, view: View, options: dict[str, Any]) -> None:
    panel = _picture(name, lab, view)
    rows, spoken = _rows_and_words(panel, view, options)
    st.vega_lite_chart(
        rows,
        spec_of(panel, options),
        key=_chart_key(name, panel, lab),
        # Streamlit makes the alt text part of the spec: one that changes at every tick would mount the chart anew. The
        # sentence with the numbers stands beside the chart, for screen readers.
        alt=lab_readings.title(name, view.summaries, panel),
        width="stretch",
        **_dragging(name, panel, lab, view),
    )
    st.html(f'<span class="spoken">{escape(spoken)}</span>')


def _chart_key(name: str, panel: Any, lab: Lab) -> str:
    return f"chart-{name}-{lab.page.brushes}" if panel in (*DRAGGED, class_matrix) else f"chart-{name}"


def _dragging(name: str, panel: Any, lab: Lab, view: View) -> dict[str, Any]:
    """What makes a stretch of the chart, or a cell of its matrix, a brush."""
    key = _chart_key(name, panel, lab)
    if panel is class_matrix:
        labels = [None if lane.classes is None else lane.classes.label for lane in view.summaries]
        return {"on_select": partial(lab_brush.cell, lab, key, labels), "selection_mode": [class_matrix.CELL]}
    if panel not in DRAGGED:
        return {}
    dragged = partial(lab_brush.drag, lab, name, key)
    return {"on_select": dragged, "selection_mode": [STRETCH]}


def spec_of(panel: Any, options: dict[str, Any]) -> dict[str, Any]:
    """A panel's chart without data, with those of the options that shape it."""
    spec: dict[str, Any] = panel.spec(**{key: options[key] for key in panel.SPEC_OPTIONS if key in options})
    return spec


def _draw_map(lab: Lab, view: View, options: dict[str, Any]) -> None:
    lab_map.draw(lab, view, options, HEIGHT, _brushed(lab, view))


def _brushed(lab: Lab, view: View) -> Lanes:
    """What every drawn lane shows of the brush; nothing without one."""
    found = lab_brush.held(lab, view)
    if found is None:
        return ()
    return tuple(part for part, lane in zip(found.lanes, view.lanes, strict=True) if lane.summary is not None)


def _shown(name: str, lab: Lab, view: View) -> dict[str, Any]:
    """What a panel is drawn with: the choices of its menu, and what several panels share."""
    options = lab_menus.chosen(name)
    if name in ("scores", "roc"):
        options["threshold"] = lab_extras.threshold()
    if name == "scores":
        options |= {"first": view.firsts, **lab_compare.options(lab, view)}
    if name == "tradeoff":
        options["sweep"] = lab_tradeoff.swept(view)
    if PANELS[name] in (*DRAGGED, pair_weights):
        options["brushed"] = _brushed(lab, view)
    if name == "classes":
        options["names"] = items.names(view.lanes[0].config.data)
    return options | lab_readings.options(name, view)


def _draw_tradeoff(lab: Lab, view: View, options: dict[str, Any]) -> None:
    if not lab_tradeoff.what_if_shown(lab, view):
        _vega("tradeoff", lab, view, options)


def _draw_weights(lab: Lab, view: View, options: dict[str, Any]) -> None:
    if lab_extras.heat_shown(view):
        _heat(lab, view)
    else:
        _vega("weights", lab, view, options)


def _draw_mixture(lab: Lab, view: View, options: dict[str, Any]) -> None:
    if not lab_mixtures.missing(view):
        _vega(MIXTURE, lab, view, options)


def _heat(lab: Lab, view: View) -> None:
    shown, key = view.summaries, f"chart-heat-{lab.page.brushes}"
    cells = [(len(s.points.item), s.weights.heat.shape if s.weights is not None else (0, 1)) for s in shown]
    st.plotly_chart(
        pair_weights.heat_map(shown).update_layout(dragmode="select"),
        key=key,
        config={"displaylogo": False},
        on_select=partial(lab_brush.box, lab, key, cells),
        selection_mode="box",
    )


DRAW: dict[str, Callable[[Lab, View, dict[str, Any]], None]] = {
    **{name: partial(_vega, name) for name in PANELS},
    "map": _draw_map,
    "tradeoff": _draw_tradeoff,
    "weights": _draw_weights,
    MIXTURE: _draw_mixture,
}
EXTRAS: dict[str, Callable[[Lab, View], None]] = {
    "scores": lab_extras.below_scores,
    "roc": lab_extras.confusion,
    "tradeoff": lab_tradeoff.laboratory,
    "map": lab_map.controls,
    "weights": lab_extras.weight_numbers,
    "curves": _level_captions,
    MIXTURE: lab_mixtures.numbers,
    "classes": lab_extras.class_numbers,
}
