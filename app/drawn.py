"""What the panels draw of a moment, made once however many sessions and ticks show it.

Summaries never change, so a picture is known by the summaries it shows and the options it was asked with. All sessions
that watch the recording share its frames, and a paused board costs nothing to draw again.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import pandas as pd
import pyarrow as pa

from app import items
from components import theme
from components.panels import embedding_map
from components.panels.brush import Lanes
from models.diagnostics.summary import Points, Summary
from models.training.config import Part

KEPT = 512  # pictures in memory, some tens of kilobytes each
_LONG, _CODES = 800, 127  # bytes of a column of texts from which a list of them is shorter; texts that int8 can number
Options = tuple[tuple[str, Any], ...]


def rows(panel: Any, shown: Sequence[Summary], options: dict[str, Any]) -> pa.Table:
    """What a panel draws, as the browser gets it."""
    return _rows(panel, tuple(shown), _key(options))


def sentence(panel: Any, shown: Sequence[Summary], options: dict[str, Any]) -> str:
    """What a panel says to those who do not see it."""
    return _sentence(panel, tuple(shown), _key(options))


def table(panel: Any, shown: Sequence[Summary], options: dict[str, Any]) -> pd.DataFrame:
    """A panel's numbers; nobody changes the frame."""
    return _table(panel, tuple(shown), _key(options))


def map_option(shown: Sequence[Summary], data: Part, brushed: Lanes = (), lasso: bool = False) -> dict[str, Any]:
    """The live map's ECharts option; nobody changes it."""
    return _map_option(tuple(shown), data, tuple(brushed), lasso)


@lru_cache(maxsize=64)
def with_points(summary: Summary, points: Points) -> Summary:
    """The summary with another projection; the same two give the same object, so that its picture is known again."""
    return replace(summary, points=points)


def _key(options: dict[str, Any]) -> Options:
    return tuple((name, tuple(value) if isinstance(value, list) else value) for name, value in options.items())


@lru_cache(maxsize=KEPT)
def _rows(panel: Any, shown: tuple[Summary, ...], options: Options) -> pa.Table:
    return _named_once(theme.wire(panel.rows(shown, **dict(options))))


@lru_cache(maxsize=KEPT)
def _sentence(panel: Any, shown: tuple[Summary, ...], options: Options) -> str:
    told: str = panel.sentence(shown, **dict(options))
    return told


@lru_cache(maxsize=64)
def _table(panel: Any, shown: tuple[Summary, ...], options: Options) -> pd.DataFrame:
    told: pd.DataFrame = panel.table(shown, **dict(options))
    return told


@lru_cache(maxsize=KEPT // 4)
def _map_option(shown: tuple[Summary, ...], data: Part, brushed: Lanes, lasso: bool) -> dict[str, Any]:
    option = embedding_map.option(
        shown,
        names=items.class_names(data),
        image=items.picture_of(data, "{@item}"),
        brushed=brushed,
        lasso=lasso,
    )
    for dataset in option["dataset"]:
        dataset["source"] = _plain(pa.Table.from_pandas(dataset["source"], preserve_index=False))
    return option


def _plain(table: pa.Table) -> pa.Table:
    """Without what only pandas reads, and with texts of short offsets: fewer bytes at every tick."""
    short = [field.with_type(pa.string()) if pa.types.is_large_string(field.type) else field for field in table.schema]
    return table.cast(pa.schema(short))


def _named_once(table: pa.Table) -> pa.Table:
    """Long columns of few different texts as numbers and a list of the texts."""
    columns = {name: table.column(name) for name in table.column_names}
    for name, column in columns.items():
        if pa.types.is_string(column.type) and column.nbytes > _LONG:
            coded = column.combine_chunks().dictionary_encode()
            if len(coded.dictionary) <= _CODES:
                columns[name] = coded.cast(pa.dictionary(pa.int8(), pa.string()))
    return pa.table(columns)
