"""What every panel owes: a valid and constant spec, rows that JSON can carry, words and a table, whatever comes in."""

import json
import math
import re
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
import vl_convert

from components import theme
from models.diagnostics.summary import Summary
from tests.panels.every import CASES, NAMES
from tests.panels.made_up import four, start, summary, unknown

panels = pytest.mark.parametrize(("panel", "looks", "more"), CASES, ids=NAMES)


def lanes(kind: str) -> list[Summary]:
    return {
        "none": [],
        "one": [summary()],
        "four": four(),
        "nan": [unknown(), unknown()],
        "mixed": [summary(), unknown(), start(), summary(3)],
    }[kind]


def cells(frame: pd.DataFrame) -> list[Any]:
    return [value for column in frame.columns for value in frame[column].tolist()]


def layers(view: dict[str, Any]) -> list[dict[str, Any]]:
    return [view, *(found for child in view.get("layer", ()) for found in layers(child))]


def fields(view: dict[str, Any]) -> set[str]:
    found = {
        channel["field"]
        for layer in layers(view)
        for channel in layer.get("encoding", {}).values()
        if isinstance(channel, dict) and isinstance(channel.get("field"), str)
    }
    made = {step["as"] for layer in layers(view) for step in layer.get("transform", ()) if "as" in step}
    return found - made


@panels
@pytest.mark.parametrize("kind", ["none", "one", "four", "nan", "mixed"])
def test_cells_are_finite_or_none(panel: ModuleType, looks: dict[str, Any], more: dict[str, Any], kind: str) -> None:
    found = panel.rows(lanes(kind), **looks, **more)
    values = cells(found)
    assert len(found.columns) > 0
    assert all(value is None or isinstance(value, str) or math.isfinite(value) for value in values)
    json.dumps(found.to_dict(orient="records"), allow_nan=False)


@panels
def test_spec_is_the_same_at_every_tick(panel: ModuleType, looks: dict[str, Any], more: dict[str, Any]) -> None:
    before = json.dumps(panel.spec(**looks), sort_keys=True)
    columns = [list(panel.rows(lanes(kind), **looks, **more).columns) for kind in ("none", "one", "four", "nan")]
    panel.spec.cache_clear()
    assert json.dumps(panel.spec(**looks), sort_keys=True) == before
    assert panel.spec(**looks) is panel.spec(**looks)
    assert columns[1:] == columns[:-1]


@panels
def test_spec_has_no_data_and_fills_its_container(
    panel: ModuleType, looks: dict[str, Any], more: dict[str, Any]
) -> None:
    spec = panel.spec(**looks)
    assert spec["width"] == "container"
    assert spec["usermeta"] == {"embedOptions": {"renderer": "canvas"}}
    assert not any("data" in layer for layer in layers(spec))
    assert spec["config"] == {"aria": False}  # the theme is Streamlit's
    assert not {"datasets", "background", "hconcat", "vconcat", "facet"} & set(spec)


@panels
def test_spec_reads_columns_that_the_rows_have(panel: ModuleType, looks: dict[str, Any], more: dict[str, Any]) -> None:
    used = fields(panel.spec(**looks))
    assert used
    assert used <= set(panel.rows(four(), **looks, **more).columns)


@panels
def test_spec_options_are_keywords_of_the_spec(panel: ModuleType, looks: dict[str, Any], more: dict[str, Any]) -> None:
    assert set(looks) <= set(panel.SPEC_OPTIONS)
    assert not set(more) & set(panel.SPEC_OPTIONS)


@panels
@pytest.mark.parametrize("kind", ["none", "nan"])
def test_chart_is_valid_vega_lite_and_can_be_drawn(
    panel: ModuleType, looks: dict[str, Any], more: dict[str, Any], kind: str
) -> None:
    spec = {**panel.figure(lanes(kind), **looks, **more).to_dict(validate=True), "width": 420}
    assert "<svg" in vl_convert.vegalite_to_svg(json.dumps(spec))


@panels
def test_four_lanes_weigh_less_than_the_limit(panel: ModuleType, looks: dict[str, Any], more: dict[str, Any]) -> None:
    found = panel.rows(four(), **looks, **more)
    assert len(found) > 4
    assert theme.wire_bytes(found) < theme.LIMIT


@panels
def test_every_lane_is_drawn_in_its_own_colour(panel: ModuleType, looks: dict[str, Any], more: dict[str, Any]) -> None:
    found = panel.rows(four(), **looks, **more)
    assert set(found["lane"].dropna()) == set(theme.LETTERS)
    drawn = vl_convert.vegalite_to_svg(json.dumps({**panel.figure(four(), **looks, **more).to_dict(), "width": 420}))
    assert all(colour in drawn for colour in theme.LANES)


@panels
def test_words_name_every_lane(panel: ModuleType, looks: dict[str, Any], more: dict[str, Any]) -> None:
    told = panel.sentence(four())
    assert all(theme.name(index, lane.label) in told for index, lane in enumerate(four()))
    assert "nan" not in panel.sentence([unknown(), start()])
    assert panel.sentence([]).endswith("no lane yet.")


@panels
def test_table_is_readable_and_finite(panel: ModuleType, looks: dict[str, Any], more: dict[str, Any]) -> None:
    found = panel.table(four())
    assert len(found) >= 4
    assert not any("_" in str(column) for column in found.columns)
    for given in ([], [unknown()], [start()]):
        assert all(v is None or isinstance(v, str) or math.isfinite(v) for v in cells(panel.table(given)))


@panels
def test_help_is_one_or_two_ideas_in_plain_words(
    panel: ModuleType, looks: dict[str, Any], more: dict[str, Any]
) -> None:
    assert panel.TITLE
    assert "ood" in panel.HELP
    assert 60 < len(panel.HELP) < 420


def test_rows_round_to_five_digits_and_keep_whole_numbers() -> None:
    frame = theme.finite(pd.DataFrame({"a": [1.23456789, -0.000123456789], "b": [1, 2]}))
    np.testing.assert_allclose(frame["a"].to_numpy(float), [1.2346, -0.00012346], rtol=1e-12)
    assert frame["b"].tolist() == [1, 2]


@panels
def test_what_is_said_once_draws_what_is_said_in_every_layer(
    panel: ModuleType, looks: dict[str, Any], more: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    once = panel.spec(**looks)
    monkeypatch.setattr(theme, "_say_once", lambda spec, said: None)
    panel.spec.cache_clear()
    every = panel.spec(**looks)
    panel.spec.cache_clear()
    data = {"width": 420, "data": {"values": panel.rows(four(), **looks, **more).to_dict(orient="records")}}
    drawn = [vl_convert.vegalite_to_svg({**spec, **data}) for spec in (once, every)]
    assert re.sub(r"clip\d+", "", drawn[0]) == re.sub(r"clip\d+", "", drawn[1])  # clips are counted through
    assert len(json.dumps(once)) < len(json.dumps(every))


@panels
def test_numbers_travel_with_seven_digits(panel: ModuleType, looks: dict[str, Any], more: dict[str, Any]) -> None:
    rows = panel.rows(four(), **looks, **more)
    for name, column in zip(rows.columns, theme.wire(rows).columns, strict=True):
        found, given = column.to_pylist(), rows[name].tolist()
        assert all(a == b or a == pytest.approx(b, rel=1e-6, abs=1e-30) for a, b in zip(found, given, strict=True))
