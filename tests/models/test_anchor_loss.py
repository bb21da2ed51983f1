"""Loss against score: values by plain loops, slopes by differences, weights by the gradient of the whole loss."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from models.anchor_loss import POINTS, anchor_loss, usual_anchor
from models.catalogue import find
from models.diagnostics.anchor_symbols import FORMULAS, MOST, number
from models.diagnostics.anchor_terms import LOSSES, anchor_losses, anchor_share
from models.diagnostics.look import Look
from models.geometry import Scores
from models.sensitivity import value_and_weights
from models.spec import Value
from tests.diagnostics.looks import look_by_hand

TRIPLETS = ("sum", "mean", "mean_active")
CASES = [(key, {}) for key in LOSSES] + [("triplet", {"reduction": kind}) for kind in TRIPLETS[1:]]


def knobs_of(key: str, **given: Value) -> dict[str, Value]:
    return {knob.name: knob.default for knob in find("losses", key).SPEC.knobs} | given


def look_of_loss(key: str, n: int = 24) -> Look:
    return replace(look_by_hand(n=n, spread=0.8), loss=key)


def scores_of(look: Look) -> Scores:
    s, pos, neg = (torch.from_numpy(np.array(part)) for part in (look.read_s, look.read_pos, look.read_neg))
    return Scores(s.double(), pos, neg)


def looped(key: str, s: list[float], p: list[int], q: list[int], knobs: dict[str, Value]) -> float:
    """One anchor's term as the papers write it; p: its positives, q: its negatives."""
    k = {name: float(value) for name, value in knobs.items() if not isinstance(value, str)}
    if key == "infonce":
        e = [math.exp(v / k["temperature"]) for v in s]
        return sum(-math.log(e[j] / (e[j] + sum(e[i] for i in q))) for j in p) / len(p)
    if key == "supcon":
        e = [math.exp(v / k["temperature"]) for v in s]
        return sum(-math.log(e[j] / sum(e[i] for i in p + q)) for j in p) / len(p)
    if key == "triplet":
        return sum(max(s[i] - s[j] + k["margin"], 0.0) for j in p for i in q)
    if key == "contrastive":
        return sum(max(s[i] - k["threshold"], 0.0) for i in q) - sum(s[j] for j in p)
    if key == "multi_similarity":
        hard, easy = max(s[i] for i in q), min(s[j] for j in p)
        kept = [j for j in p if s[j] < hard + k["mining_margin"]], [i for i in q if s[i] > easy - k["mining_margin"]]
        pull = sum(math.exp(-k["alpha"] * (s[j] - k["threshold"])) for j in kept[0])
        push = sum(math.exp(k["beta"] * (s[i] - k["threshold"])) for i in kept[1])
        return math.log(1 + pull) / k["alpha"] + math.log(1 + push) / k["beta"]
    m, g = k["margin"], k["gamma"]
    push = sum(math.exp(g * max(s[i] + m, 0) * (s[i] - m)) for i in q)
    return math.log(1 + push * sum(math.exp(-g * max(1 + m - s[j], 0) * (s[j] - 1 + m)) for j in p))


@pytest.mark.parametrize("key", LOSSES)
def test_terms_are_those_of_the_papers(key: str) -> None:
    look, knobs = look_of_loss(key), knobs_of(key)
    found = anchor_losses(look, knobs)
    assert found is not None
    assert np.ptp(found) > 1e-3
    for i in (0, 7, 23):
        row = look.read_s[i].astype(np.float64).tolist()
        p, q = (np.flatnonzero(mask[i]).tolist() for mask in (look.read_pos, look.read_neg))
        assert found[i] == pytest.approx(looped(key, row, p, q, knobs), rel=1e-9)
        assert anchor_loss(look, i, knobs).value == pytest.approx(found[i], rel=1e-9)


@pytest.mark.parametrize(("key", "more"), CASES)
def test_weights_are_those_of_the_whole_loss(key: str, more: dict[str, Value]) -> None:
    look, knobs = look_of_loss(key), knobs_of(key, **more)
    _, weights = value_and_weights(find("losses", key), scores_of(look), **knobs)
    for i in (usual_anchor(look, knobs), 11):
        for curve in anchor_loss(look, i, knobs).curves:
            assert curve.weight == pytest.approx(float(weights[i, curve.column]), rel=1e-6, abs=1e-15)
            assert curve.weight == curve.slope * anchor_share(look, i, knobs)
    assert abs(float(weights[usual_anchor(look, knobs)].abs().max())) > 0


@pytest.mark.parametrize("key", sorted(set(LOSSES) - {"circle"}))
def test_the_slope_is_that_of_the_curve(key: str) -> None:
    look, knobs = look_of_loss(key), knobs_of(key)
    for curve in anchor_loss(look, usual_anchor(look, knobs), knobs).curves:
        at = int(np.searchsorted(curve.grid, curve.score))
        between = (curve.value[at] - curve.value[at - 1]) / (curve.grid[at] - curve.grid[at - 1])
        ends = sorted((curve.value[at - 1], curve.value[at]))
        assert len(curve.grid) == len(curve.value) == POINTS
        assert curve.slope == pytest.approx(between, rel=0.25, abs=0.05)
        assert ends[0] - 1e-9 <= anchor_loss(look, usual_anchor(look, knobs), knobs).value <= ends[1] + 1e-9


def test_circle_says_what_it_holds() -> None:
    look, knobs = look_of_loss("circle"), knobs_of("circle")
    assert "weights" in anchor_loss(look, 3, knobs).held
    assert anchor_loss(look_of_loss("infonce"), 3, knobs_of("infonce")).held == ""


def test_infonce_by_hand() -> None:
    # Angles 0, 60, 90 and labels 0, 0, 1, T = 1: of anchor 0 the scores are 1/2 and 0, so p = e^.5 / (e^.5 + 1).
    z = np.array([[1.0, 0.0], [0.5, math.sqrt(0.75)], [0.0, 1.0]])
    look = replace(look_by_hand(n=3), z=z, y=np.array([0, 0, 1]), group=np.array([0, 0, 1]), loss="infonce")
    found = anchor_loss(look, 0, {"temperature": 1.0})
    assert found.value == pytest.approx(0.474077, abs=1e-6)
    assert [curve.slope for curve in found.curves] == pytest.approx([-0.377541, 0.377541], abs=1e-6)
    assert found.share == 0.5
    assert found.formula is not None
    assert r"\frac{1.65}{1.65+1}=0.622" in found.formula.tex
    assert found.formula.tex.endswith("=0.474")
    assert found.formula.find("s_ij").value == pytest.approx(0.5)  # type: ignore[union-attr]


@pytest.mark.parametrize("key", FORMULAS)
def test_symbols_stand_in_the_formula_and_name_pairs_of_the_anchor(key: str) -> None:
    look, knobs = look_of_loss(key, n=120), knobs_of(key)
    anchor = usual_anchor(look, knobs)
    told = anchor_loss(look, anchor, knobs).formula
    assert told is not None
    assert len({symbol.key for symbol in told.symbols}) == len(told.symbols) >= 7
    assert {knob.name for knob in find("losses", key).SPEC.knobs} - {"reduction"} <= {s.key for s in told.symbols}
    counted = look.read_pos[anchor] | look.read_neg[anchor]
    for symbol in told.symbols:
        assert math.isfinite(symbol.value)
        assert all(counted[list(symbol.columns)])
        assert len(symbol.columns) == min(symbol.of, MOST)
    assert told.tex.count("{") == told.tex.count("}")
    assert told.find("N").of == np.count_nonzero(look.read_neg[anchor])  # type: ignore[union-attr]
    assert told.find("nothing") is None


def test_another_candidate_may_be_moved() -> None:
    look, knobs = look_of_loss("infonce"), knobs_of("infonce")
    pos, neg = np.flatnonzero(look.read_pos[4])[-1], np.flatnonzero(look.read_neg[4])[2]
    found = anchor_loss(look, 4, knobs, int(pos), int(neg))
    assert [(curve.column, curve.positive) for curve in found.curves] == [(pos, True), (neg, False)]
    usual = anchor_loss(look, 4, knobs, int(neg), int(pos))
    assert [curve.positive for curve in usual.curves] == [True, False]


def test_what_cannot_be_told_says_why() -> None:
    look = look_of_loss("infonce")
    lone = replace(look, group=np.arange(24))
    assert "no positive" in anchor_loss(lone, 0, knobs_of("infonce")).why_not
    assert usual_anchor(lone, knobs_of("infonce")) == -1
    other = replace(look, loss="cacr")
    assert "only the weights" in anchor_loss(other, 0, {}).why_not
    assert usual_anchor(other, {}) == -1
    blind = replace(look, coded=None, why_no_weight="it reads logits")
    assert anchor_loss(blind, 0, {}).why_not == "it reads logits"
    with pytest.raises(IndexError, match="from 0 to 23, got 24"):
        anchor_loss(look, 24, knobs_of("infonce"))


def test_numbers_as_tex() -> None:
    given = (0.5123, 12345.6, 2.13e43, -4e-7, 0.0, math.inf)
    told = ("0.512", "12346", r"2.1\times10^{43}", r"-4.0\times10^{-7}", "0", r"\infty")
    assert tuple(number(value) for value in given) == told
