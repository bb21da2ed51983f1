"""The mixture panel: heights, names and bands against numbers worked out here, and what it says in words."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import vl_convert

from components import theme
from components.panels import mixture
from models.diagnostics.summary import MixtureProfile, Summary
from tests.panels.made_up import start, summary, unknown

STEP = np.array([0, 10, 20, 30])
NORM = {"infonce": [4.0, 2.0, 1.0, 1.0], "triplet": [1.0, 1.0, 0.0, 0.5]}
COSINE = [0.5, -0.2, -0.4, 0.25]


def mixed(norm: float = 3.0, cosine: float = -0.5, *, step: int = 40, triplet: float = 2.0) -> Summary:
    """A mixture of two at step 40: four logged rows, and the present given here."""
    nothing, none = np.empty((2, 0)), np.empty(0)
    angle = np.array([[1.0, cosine], [cosine, 1.0]])
    lengths = np.array([norm, triplet])
    profile = MixtureProfile(
        ("infonce", "triplet"), np.ones(2), lengths, angle, 0.25, lengths, angle, none, nothing, nothing,
        none, none, none, none,
    )  # fmt: skip
    plain = summary(label="InfoNCE + Triplet (infonce.weight 1, triplet.weight 1)")
    logged = {f"term_norm.{name}": np.array(column) for name, column in NORM.items()}
    logged |= {"term_cosine.infonce.triplet": np.array(COSINE), "terms_lost": np.full(4, 0.1)}
    return replace(plain, step=step, mixture=profile, curves=replace(plain.curves, measured_step=STEP, measured=logged))


def of(frame: pd.DataFrame, kind: str, text: str = "") -> pd.DataFrame:
    found = frame[(frame["kind"] == kind) & ((frame["text"] == text) | (text == ""))]
    assert len(found) > 0
    return found


def test_lengths_go_from_nothing_to_the_longest_of_all_lanes() -> None:
    found = mixture.rows([mixed(), mixed(norm=8.0)])
    assert of(found, "tick", "gradient norm 8")["y"].item() == pytest.approx(2.0)
    first = of(found, "curve", "1 infonce")
    first = first[first["lane"] == "A"]
    assert first["step"].tolist() == [0, 10, 20, 30, 40]
    assert first["value"].tolist() == [4.0, 2.0, 1.0, 1.0, 3.0]
    np.testing.assert_allclose(first["y"].astype(float), 1.14 + 0.86 * np.array([4, 2, 1, 1, 3]) / 8, rtol=1e-4)


def test_a_logarithm_leaves_a_length_of_nothing_out() -> None:
    found = mixture.rows([mixed()], log=True)
    assert of(found, "tick", "gradient norm 0.4")["y"].item() == pytest.approx(1.14)  # a decade at least
    second = of(found, "curve", "2 triplet")
    heights = 1.14 + 0.86 * np.log10(np.array([1.0, 1.0, np.nan, 0.5, 2.0]) / 0.4)
    np.testing.assert_allclose(second["y"].astype(float), heights, rtol=1e-4)
    assert second["value"].tolist() == [1.0, 1.0, 0.0, 0.5, 2.0]


def test_cosines_stand_in_the_lower_half_and_are_shaded_below_nothing() -> None:
    found = mixture.rows([mixed()])
    cosine = of(found, "curve", "1 with 2")
    np.testing.assert_allclose(cosine["y"].astype(float), 0.47 * (1 + np.array([*COSINE, -0.5])), rtol=1e-4)
    bands = of(found, "band")
    assert bands[["step", "until"]].values.tolist() == [[5, 25], [35, 40]]  # half way to the steps that agree
    assert set(bands["y"]) == {0.0}
    assert set(bands["roof"]) == {0.47}
    assert of(found, "tick", "cosine 0: below, they cancel")["y"].item() == pytest.approx(0.47)


def test_terms_that_agree_have_no_band() -> None:
    agreeing = mixed(cosine=0.5)
    logged = {**agreeing.curves.measured, "term_cosine.infonce.triplet": np.full(4, 0.0)}
    found = mixture.rows([replace(agreeing, curves=replace(agreeing.curves, measured=logged))])
    assert set(found["kind"]) == {"tick", "name", "room", "curve", "end"}


def test_names_at_the_curves_ends_keep_apart() -> None:
    found = mixture.rows([mixed(norm=3.0, triplet=3.0), mixed(norm=3.0, triplet=2.99)])
    names = of(found, "end")
    lengths = np.sort(names.loc[names["y"] > 1.1, "y"].astype(float))
    assert len(lengths) == 4
    assert np.diff(lengths).min() > 0.109
    assert lengths[-1] < 2.14
    assert set(names["text"]) == {"1 infonce", "2 triplet", "1 with 2"}


def test_long_runs_are_thinned_with_both_ends() -> None:
    one = mixed(step=5000)
    steps = np.arange(0, 5000, 10)
    logged = {name: np.resize(column, 500) for name, column in one.curves.measured.items()}
    long = replace(one, curves=replace(one.curves, measured_step=steps, measured=logged))
    assert len(of(mixture.rows([long]), "curve", "1 infonce")) == mixture.POINTS
    found = of(mixture.rows([long] * 4), "curve", "1 infonce")
    assert len(found) == mixture.ROWS / 3  # of each lane's three curves one
    assert (found["step"].min(), found["step"].max()) == (0, 5000)
    assert theme.wire_bytes(mixture.rows([long] * 4)) < theme.LIMIT


def test_one_sentence_of_numbers() -> None:
    assert mixture.numbers(mixed()) == (
        "at step 40 gradient norms infonce 3, triplet 2; cosine of infonce and triplet -0.50 (they cancel); "
        "25 % of the gradient lost. Below 0 at 3 of 5 measured steps."
    )
    assert "0.10 (they agree)" in mixture.numbers(mixed(cosine=0.1))
    assert "not defined (a weight is 0)" in mixture.numbers(mixed(cosine=float("nan")))
    assert mixture.numbers(summary()) == "no mixture."


def test_what_cannot_be_measured_is_said() -> None:
    blind = mixed(norm=float("nan"), triplet=float("nan"))
    blind = replace(blind, curves=replace(blind.curves, measured={}))
    assert mixture.numbers(blind) == f"{mixture.UNMEASURED}."
    rows = mixture.rows([blind])
    assert set(rows["kind"]) == {"name", "tick"}
    assert rows.loc[rows["kind"] == "name", "label"].item().endswith("not measured")
    assert mixture.table([blind])["term"].tolist() == ["not measured"]


def test_the_table_has_a_row_a_step_and_term() -> None:
    found = mixture.table([mixed(), summary()])
    assert list(found.columns) == ["lane", "step", "term", "gradient norm", "cosine"]
    assert len(found) == 3 * 5 + 1
    cosines = found.loc[found["term"] == "infonce and triplet", "cosine"].tolist()
    assert cosines == [*COSINE, -0.5]
    assert found["term"].iloc[-1] == "no mixture"


def test_it_is_a_mixture_or_not() -> None:
    assert mixture.mixed([summary(), mixed()])
    assert not mixture.mixed([summary(), start(), unknown()])
    assert not mixture.mixed([])


def test_the_picture_shows_lanes_terms_and_threshold() -> None:
    given = [summary(), mixed(), mixed(norm=1.0), mixed(cosine=0.3)]
    chart = {**mixture.figure(given).to_dict(validate=True), "width": 420}
    drawn = vl_convert.vegalite_to_svg(json.dumps(chart))
    assert all(colour in drawn for colour in theme.LANES)
    for words in ("A · InfoNCE", "no mixture", "1 infonce", "2 triplet", "cosine 0: below, they cancel"):
        assert words in drawn
    assert drawn.count("stroke-dasharray") >= 3  # the second term of each mixture
