"""Colours by independent arithmetic (WCAG contrast, Machado et al. 2009 for colour blindness), numbers, rows."""

from itertools import combinations

import altair as alt
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import vl_convert
from skimage.color import deltaE_ciede2000, rgb2lab

from components import theme

WHITE, DARK = "#ffffff", "#0e1117"
# Severity 1.0, on linear RGB (Machado, Oliveira and Fernandes 2009, table 1).
VISION = {
    "full": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
}


def linear(colour: str) -> np.ndarray:
    srgb = np.array([int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)])
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def contrast(a: str, b: str) -> float:
    high, low = sorted((float(linear(c) @ [0.2126, 0.7152, 0.0722]) for c in (a, b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def apart(a: str, b: str, seen: np.ndarray) -> float:
    light = [np.clip(seen @ linear(c), 0, 1) for c in (a, b)]
    srgb = [np.where(v <= 0.0031308, v * 12.92, 1.055 * v ** (1 / 2.4) - 0.055) for v in light]
    return float(deltaE_ciede2000(*(rgb2lab(v[None, None]) for v in srgb))[0, 0])


@pytest.mark.parametrize("colour", [*theme.LANES, theme.POSITIVE, theme.NEGATIVE, theme.NEUTRAL])
@pytest.mark.parametrize("ground", [WHITE, DARK])
def test_colours_stand_out_on_both_grounds(colour: str, ground: str) -> None:
    assert contrast(colour, ground) >= 3.0


@pytest.mark.parametrize("vision", list(VISION))
@pytest.mark.parametrize(("a", "b"), [*combinations(theme.LANES, 2), (theme.POSITIVE, theme.NEGATIVE)])
def test_colours_can_be_told_apart(a: str, b: str, vision: str) -> None:
    assert apart(a, b, VISION[vision]) > 19


def test_contrast_by_hand() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.478, abs=2e-3)


def test_class_colours_are_many_and_distinct() -> None:
    assert len(set(theme.CLASSES)) == len(theme.CLASSES) == 20
    assert min(apart(a, b, VISION["full"]) for a, b in combinations(theme.CLASSES, 2)) > 9


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.12345, "0.123"), (0.0, "0"), (1.0, "1"), (-2.5, "-2.5"), (436.0, "436"), (12345.0, "12345"),
        (0.00001234, "1.23e-05"), (2.5e7, "2.50e+07"), (float("nan"), "–"), (float("inf"), "–"),
    ],
)  # fmt: skip
def test_number(value: float, text: str) -> None:
    assert theme.number(value) == text


def test_percent() -> None:
    assert theme.percent(0.434) == "43 %"
    assert theme.percent(float("nan")) == "–"


def test_short_keeps_whole_knobs() -> None:
    label = "Multi-Similarity (alpha 2, beta 50, base 0.5, epsilon 0.1)"
    assert theme.short(2, label, 38) == "C · Multi-Similarity (alpha 2, beta 50, …)"
    assert theme.short(0, "InfoNCE (temperature 0.1)") == "A · InfoNCE (temperature 0.1)"
    assert theme.short(1, "Multi-Similarity (alpha 2)", 20) == "B · Multi-Similarity…"


def test_lanes_and_badges_go_round() -> None:
    assert [theme.letter(k) for k in range(5)] == ["A", "B", "C", "D", "A"]
    assert theme.colour(4) == theme.LANES[0]
    assert theme.badge(1) == ":orange-badge[B]"


def test_finite_replaces_what_json_cannot_carry() -> None:
    given = pd.DataFrame({"x": [1.0, np.nan, np.inf], "t": ["a", None, "c"], "n": [1, 2, 3], "m": [1.5, "a", np.nan]})
    found = theme.finite(given)
    assert found["x"].tolist() == [1.0, None, None]
    assert found["t"].tolist() == ["a", None, "c"]
    assert found["n"].tolist() == [1, 2, 3]
    assert found["m"].tolist() == [1.5, "a", None]


def test_frame_repeats_scalars_and_fills_gaps() -> None:
    found = theme.frame(
        [{"a": 1.0, "b": np.array([2.0, 3.0])}, {"b": 4.0, "c": "t"}, {"b": np.empty(0)}], ("a", "b", "c")
    )
    assert found.to_dict(orient="list") == {"a": [1.0, 1.0, None], "b": [2.0, 3.0, 4.0], "c": [None, None, "t"]}


def test_axes_said_once_are_those_of_all_layers() -> None:
    x = alt.X("a:Q", axis=theme.axis(tickCount=3))
    y = alt.Y("b:Q", axis=theme.axis(grid=False))
    other = alt.Y("b:Q", axis=theme.axis(tickCount=2))
    layers = [alt.Chart().mark_line().encode(x=x, y=side) for side in (y, y, other)]
    inner = alt.layer(*layers[:2])
    chart = alt.layer(inner, layers[2])
    said = [layer["encoding"] for part in theme.freeze(chart)["layer"] for layer in part.get("layer", [part])]
    assert ["axis" in layer["x"] for layer in said] == [True, False, False]
    assert ["axis" in layer["y"] for layer in said] == [True, False, True]  # the third says something else
    once, every = theme.freeze(inner), {**theme.freeze(inner), "layer": [part.to_dict() for part in layers[:2]]}
    for part in every["layer"]:
        part.pop("data", None)
        part.pop("$schema", None)
        part.pop("config", None)
    assert once != every
    compiled = [vl_convert.vegalite_to_vega({**spec, "data": {"values": []}}) for spec in (once, every)]
    assert compiled[0] == compiled[1]


def test_texts_that_repeat_travel_once() -> None:
    parts = [{"kind": "bin", "name": [f"item {k}" for k in range(40)], "x": np.arange(40.0)}, {"x": 40.0}]
    rows = theme.frame(parts, ("kind", "name", "x"))
    sent = theme.wire(rows)
    assert sent.column("kind").to_pylist() == rows["kind"].tolist()
    assert sent.column("kind").nbytes < 41 * 4
    assert sent.column("name").type == pa.string()
    assert sent.column("x").to_pylist() == rows["x"].tolist()
