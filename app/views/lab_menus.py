"""The menu of a panel: how it is drawn, its table, its files. What is in a menu is drawn while it is open.

Twice a second for every panel and session, closed menus would cost more than the pictures.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st

from app import state
from app.address import MIXTURE
from app.live import Lab
from app.view import View
from app.views import lab_compare, lab_export, lab_readings
from components.panels import curves, score_histogram, two_lanes


@dataclass(frozen=True)
class Option:
    """One control of a menu and the panel's argument that it sets."""

    name: str  # the panel's argument
    key: str  # where the choice is kept
    label: str
    default: Any = False
    choices: tuple[Any, ...] = ()  # empty: a switch
    help: str | None = None
    words: Callable[[Any], str] = str  # a choice as the reader sees it
    blocked: Callable[[View], bool] = lambda view: False

    @property
    def value(self) -> Any:
        """What is chosen now, whether the menu is open or not."""
        return state.choice(self.key, self.default)

    def draw(self, view: View) -> None:
        """The control itself."""
        if not self.choices:
            st.toggle(self.label, value=self.value, key=self.key, help=self.help, disabled=self.blocked(view))
        elif len(self.choices) < 3:
            st.segmented_control(
                self.label, self.choices, default=self.value, required=True, key=self.key, help=self.help
            )
        else:
            at = self.choices.index(self.value)
            st.selectbox(self.label, self.choices, index=at, format_func=self.words, key=self.key, help=self.help)


def _still(view: View) -> bool:
    return view.live and not view.playing


_OWN = "Own axis for each lane"
_OWN_HELP = "Losses give logits of different sizes: each lane fills the axis, and its name says what 1 is."
OPTIONS: dict[str, tuple[Option, ...]] = {
    "scores": (
        Option("counts", "score-counts", "Counts instead of density"),
        Option("log", "score-log", "Logarithmic, for the negative tail"),
        Option(
            "ghost", "score-ghost", "Ghost", default=True,
            help="Thin outlines of an earlier step: of step 0, or of the one chosen under the toolbar.",
        ),
        Option("own", "score-own", _OWN, help=_OWN_HELP),
        Option("unseen", "score-unseen", "Unseen classes", help="Items of classes that are never trained on."),
    ),
    "roc": (
        Option("log", "roc-log", "Logarithmic false positive rate"),
        Option("unseen", "roc-unseen", "Unseen classes", help="Items of classes that are never trained on."),
    ),
    "weights": (Option("own", "weights-own", _OWN, help=_OWN_HELP),),
    "map": (
        Option(
            "method", "map-method", "Projection", default="PCA", choices=("PCA", "UMAP"),
            help="PCA moves with training in a fixed frame. UMAP, made beside the training, keeps neighbours.",
        ),
        Option(
            "every", "map-every", "New UMAP every 10 s",
            blocked=lambda view: bool(state.choice("map-method", "PCA") != "UMAP"),
        ),
        Option(
            "three", "map-three", "Three dimensions (while paused)", blocked=lambda view: not _still(view),
        ),
    ),
    "classes": (
        Option("gradient", "classes-gradient", "Gradient instead of similarity", help="Who pulls and pushes whom."),
    ),
    "curves": (
        Option(
            "measure", "curve-measure", "Curve", default=next(iter(curves.MEASURES)), choices=tuple(curves.MEASURES),
            words=curves.MEASURES.__getitem__,
        ),
        Option("log", "curve-log", "Logarithmic height"),
    ),
    MIXTURE: (Option("log", "mixture-log", "Logarithmic lengths"),),
}  # fmt: skip


def chosen(name: str) -> dict[str, Any]:
    """The options of a panel as they stand."""
    return {option.name: option.value for option in OPTIONS.get(name, ())}


def table_shown(name: str) -> bool:
    """True if the reader asked for numbers instead of the picture."""
    return bool(state.choice(f"table-{name}", False))


def _reading(name: str, view: View) -> tuple[Option, ...]:
    """The switch between cosine and what the losses read, where the lanes offer more than one."""
    readings, usual = lab_readings.offered(name, view.summaries), lab_readings.usual(name, view.summaries)
    key = lab_readings.key(name, readings)
    told = Option("reading", key, "What to show", default=usual, choices=readings, help=lab_readings.HELP)
    return (told,) if len(readings) > 1 else ()


def menu(name: str, panel: Any, lab: Lab, view: View, options: dict[str, Any]) -> None:
    """The button with three dots, and behind it the controls and the files of the panel as it stands."""
    popover = st.popover("⋯", key=f"menu-{name}", on_change="rerun")
    if not popover.open:
        return
    with popover:
        for option in _reading(name, view):
            option.draw(view)
        for option in OPTIONS.get(name, ()):
            if option.name in getattr(panel, "OPTIONS", (option.name,)):
                option.draw(view)
        if panel in (score_histogram, two_lanes):
            lab_compare.controls(lab, view)
        st.toggle("Show as a table", value=table_shown(name), key=f"table-{name}")
        lab_export.panel_files(name, panel, lab, view, {} if name == "map" else options)
