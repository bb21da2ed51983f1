"""What leaves the page: the link, the config, the numbers, any panel as picture or table."""

import io
import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from app import state
from app.live import Lab
from app.view import View
from components.panels import export


def forms(lab: Lab, view: View) -> None:
    """Link, config and step table."""
    st.markdown("**Link** to this experiment: data, lanes, knobs and their changes, seed, panels")
    st.code(f"{st.context.url or ''}?{state.link(lab.setup())}".split("&live=")[0], language=None, wrap_lines=True)
    configs = [json.loads(lane.config.to_json()) for lane in view.lanes]
    st.download_button(
        "Configs (JSON)",
        json.dumps(configs, indent=1),
        "lanes.json",
        "application/json",
        key="save-config",
        on_click="ignore",
        help="Each runs without a page: python -m app train --config FILE",
    )
    st.download_button(
        "Step table (csv)", partial(_steps_csv, view), "steps.csv", "text/csv", key="save-csv", on_click="ignore"
    )
    st.download_button(
        "Step table (parquet)",
        partial(_steps_parquet, view),
        "steps.parquet",
        "application/vnd.apache.parquet",
        key="save-parquet",
        on_click="ignore",
    )


def _steps(view: View) -> pd.DataFrame:
    return export.steps_table(view.summaries)


def _steps_csv(view: View) -> bytes:
    return export.csv(_steps(view))


def _steps_parquet(view: View) -> bytes:
    buffer = io.BytesIO()
    _steps(view).to_parquet(buffer, index=False)
    return buffer.getvalue()


def panel_files(name: str, panel: Any, view: View, options: dict[str, Any]) -> None:
    """Download buttons of one panel; a file is made when its button is pressed, from what stands on screen then."""
    if not view.summaries:
        return
    kinds: tuple[tuple[str, str, Callable[[], bytes]], ...] = (
        ("PNG", "image/png", lambda: export.png(panel.figure(view.summaries, **options))),
        ("SVG", "image/svg+xml", lambda: export.svg(panel.figure(view.summaries, **options))),
        ("csv", "text/csv", lambda: export.csv(panel.table(view.summaries))),
    )
    with st.container(horizontal=True):
        for kind, mime, make in kinds:
            file_name = f"{name}.{kind.lower()}"
            st.download_button(kind, make, file_name, mime, key=f"save-{name}-{kind}", on_click="ignore")
