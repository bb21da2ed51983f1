"""What leaves the page: the link, the config, the numbers, any panel as picture or table."""

import io
import json
from collections.abc import Callable
from html import escape
from typing import Any

import pandas as pd
import streamlit as st

from app import files, state
from app.live import Lab
from app.view import View
from app.views import lab_readings
from components.panels import export

Offered = tuple[str, str, str, Callable[[], bytes]]


def forms(lab: Lab, view: View) -> None:
    """Link, config and step table."""
    st.markdown("**Link** to this experiment: data, lanes, knobs and their changes, seed, panels")
    st.code(f"{st.context.url or ''}?{state.link(lab.setup())}".split("&live=")[0], language=None, wrap_lines=True)
    configs = [json.loads(lane.config.to_json()) for lane in view.lanes]
    links(
        lab,
        ("Configs (JSON)", "lanes.json", "application/json", lambda: json.dumps(configs, indent=1).encode()),
        ("Step table (csv)", "steps.csv", "text/csv", lambda: export.csv(_steps(view))),
        ("Step table (parquet)", "steps.parquet", "application/vnd.apache.parquet", lambda: _parquet(_steps(view))),
    )
    st.caption("A config runs without a page too: `python -m app train --config FILE`")


def _steps(view: View) -> pd.DataFrame:
    return export.steps_table(view.summaries)


def _parquet(table: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False)
    return buffer.getvalue()


def panel_files(name: str, panel: Any, lab: Lab, view: View, options: dict[str, Any]) -> None:
    """Links to one panel's files; a file is made when its link is pressed, from what stands on screen then."""
    if not view.summaries:
        return
    drawing, telling = lab_readings.drawing(panel, options), lab_readings.telling(panel, options)
    links(
        lab,
        ("PNG", f"{name}.png", "image/png", lambda: export.png(panel.figure(view.summaries, **drawing))),
        ("SVG", f"{name}.svg", "image/svg+xml", lambda: export.svg(panel.figure(view.summaries, **drawing))),
        ("csv", f"{name}.csv", "text/csv", lambda: export.csv(panel.table(view.summaries, **telling))),
    )


def links(lab: Lab, *offered: Offered) -> None:
    """A row of links: label, file name, media type, maker."""
    ticket_links(lab.page.ticket, *offered)


def ticket_links(ticket: str, *offered: Offered) -> None:
    """The same for a page that has no lab."""
    made = [(label, name, files.OFFERS.offer(ticket, name, media, make)) for label, name, media, make in offered]
    anchors = [f'<a class="file" href="{url}" download="{name}">{escape(label)}</a>' for label, name, url in made]
    st.html(f'<p class="files">{" ".join(anchors)}</p>')
