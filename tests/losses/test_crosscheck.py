"""Ours beside the libraries': agreement under the stated convention, and that a disagreement would show."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from math import isnan, log
from typing import Any

import pytest
import torch
from torch import Tensor

from app import cli
from models import crosscheck
from models.catalogue import discover
from models.counterparts import COUNTERPARTS, Case, Counterpart
from models.crosscheck import CrossCheck, cross_check, sample_batch
from models.geometry import Embeddings
from models.spec import Value
from tests.losses.helpers import on_circle, random_batch, two_views

LOSSES = discover("losses")
PAIRED = [*COUNTERPARTS, *(key for key in LOSSES if key.startswith("pml:"))]
OF_ITEMS = [key for key in COUNTERPARTS if LOSSES[key].SPEC.reads == "scores"]
SAME = {"infonce", "cosface", "arcface", "cross_entropy", "comp_sum"}  # without any conversion
UNBALANCED = Embeddings(random_batch(13, 3, seed=1).z, torch.tensor([0] * 6 + [1] * 4 + [2, 2, 3]))
BATCHES = {"balanced": sample_batch(), "unbalanced": UNBALANCED, "easy": random_batch(14, 3, seed=2, spread=0.05)}


def found(key: str, batch: Embeddings, knobs: Mapping[str, Value] | None = None) -> CrossCheck:
    result = cross_check(key, batch, knobs)
    assert result is not None
    return result


def settings(key: str) -> list[dict[str, Any]]:
    """Defaults, then every knob at each end or choice; not of comp_sum, of which torch has one member.

    Nor of the adapters, which their own tests hold against the library at every knob.
    """
    knobs = LOSSES[key].SPEC.knobs if key != "comp_sum" and ":" not in key else ()
    return [{}] + [{knob.name: value} for knob in knobs for value in (knob.choices or (knob.low, knob.high))]


@pytest.mark.parametrize("key", PAIRED)
@pytest.mark.parametrize("name", BATCHES)
def test_agrees_at_every_knob(key: str, name: str) -> None:
    """One anchor of `unbalanced` has no positive: conventions differ most there."""
    checks = {str(knobs): found(key, BATCHES[name], knobs) for knobs in settings(key)}
    assert [knobs for knobs, check in checks.items() if not check.agrees] == []


@pytest.mark.parametrize("key", OF_ITEMS)
def test_agrees_on_two_views(key: str) -> None:
    assert found(key, two_views(7)).agrees


@pytest.mark.parametrize("key", COUNTERPARTS)
def test_says_whether_a_conversion_is_needed(key: str) -> None:
    """What is said to be the same function is; the others differ on a batch where an anchor lacks a positive."""
    check = found(key, UNBALANCED)
    same = abs(check.ours - check.theirs) < 1e-6 and check.gradient_cosine == pytest.approx(1.0, abs=1e-9)
    assert same == (key in SAME | {"supcon", "circle"})
    if key in SAME:
        assert (check.factor, check.offset, check.converted) == (1.0, 0.0, check.theirs)
        assert check.gradient_ratio == pytest.approx(1.0, rel=1e-9)
    else:
        assert COUNTERPARTS[key].same is not None
        assert check.call != check.library


@pytest.mark.parametrize("key", COUNTERPARTS)
def test_the_comparison_is_not_of_zeros(key: str) -> None:
    check = found(key, sample_batch())
    assert abs(check.ours) > 1e-3
    assert check.gradient_ratio > 0
    assert check.convention.endswith(".")


def test_contrastive_by_hand() -> None:
    """Two at 0 degrees and one at 90, threshold 0.5: no push, two positives of cosine 1 over three rows."""
    check = found("contrastive", on_circle([0, 0, 90], [0, 0, 1]), {"threshold": 0.5})
    assert check.ours == pytest.approx(-2 / 3)
    assert (check.factor, check.offset) == pytest.approx((1 / 3, -2 / 3))
    assert check.theirs == 0.0  # distance 0 costs nothing, and the negatives are farther than the margin
    assert isnan(check.gradient_ratio)
    assert check.agrees


def test_supcon_without_a_negative_is_reported_as_different() -> None:
    check = found("supcon", on_circle([0, 20, 50], [1, 1, 1]), {"temperature": 1.0})
    assert check.ours == pytest.approx(log(2.0), abs=0.1)
    assert (check.theirs, check.agrees) == (0.0, False)


@pytest.mark.parametrize(
    ("factor", "offset"),
    [(1.0 + 1e-4, 0.0), (1.0, 1e-4), (-1.0, 0.0)],
)
def test_a_wrong_conversion_shows(monkeypatch: pytest.MonkeyPatch, factor: float, offset: float) -> None:
    right = COUNTERPARTS["infonce"]
    wrong: Counterpart = replace(right, rescale=lambda case: (factor, offset))
    monkeypatch.setattr(crosscheck, "counterpart", lambda key, knobs: wrong)
    assert not found("infonce", sample_batch()).agrees


def test_a_wrong_gradient_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """The right value with twice the gradient."""
    right = COUNTERPARTS["infonce"].plain
    wrong = Counterpart("made up", lambda case: 2.0 * right(case) - right(case).detach())
    monkeypatch.setattr(crosscheck, "counterpart", lambda key, knobs: wrong)
    check = found("infonce", sample_batch())
    assert check.converted == pytest.approx(check.ours)
    assert check.gradient_ratio == pytest.approx(0.5)
    assert not check.agrees


def test_a_gradient_that_is_wrong_in_one_place_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """The right value, and one coordinate of one row pushed by 0.001."""
    right = COUNTERPARTS["infonce"].plain

    def call(case: Case) -> Tensor:
        one = case.batch.z[0, 0]
        return right(case) + 1e-3 * (one - one.detach())

    monkeypatch.setattr(crosscheck, "counterpart", lambda key, knobs: Counterpart("made up", call))
    check = found("infonce", sample_batch())
    assert check.gradient_error == pytest.approx(1e-3)
    assert not check.agrees


def test_none_where_no_library_has_it() -> None:
    assert cross_check("mann_whitney", sample_batch()) is None
    assert cross_check("comp_sum", sample_batch(), {"tau": 1.5}) is None


def test_refuses_what_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="no loss called 'nope'"):
        cross_check("nope", sample_batch())
    with pytest.raises(ValueError, match="has no knob 'heat'"):
        cross_check("infonce", sample_batch(), {"heat": 1.0})


def test_chance_and_the_batch_are_left_alone() -> None:
    batch = sample_batch()
    before, state = batch.z.clone(), torch.random.get_rng_state()
    first, second = found("arcface", batch), found("arcface", batch)
    assert first == second
    assert torch.equal(batch.z, before)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["losses", "--check", "triplet"]) == 0
    words = capsys.readouterr().out
    assert all(word in words for word in ("TripletMarginLoss", "reads cosines", "0.0416666667 x", "agrees with ours"))
    assert cli.main(["losses", "--check", "triplet", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["agrees"] is True
    assert told["ours"] == found("triplet", sample_batch()).ours
    assert cli.main(["losses", "--check", "icnn"]) == 0
    assert capsys.readouterr().out == "icnn: no counterpart in a library\n"


@pytest.mark.parametrize(
    ("argv", "words"),
    [(["nope"], "no loss called 'nope'"), (["infonce", "--markdown"], "--check and --markdown exclude each other")],
)
def test_command_refuses(capsys: pytest.CaptureFixture[str], argv: list[str], words: str) -> None:
    assert cli.main(["losses", "--check", *argv]) == 2
    assert words in capsys.readouterr().err


def test_the_library_is_not_loaded_before_it_is_used() -> None:
    code = "import sys, models.crosscheck; assert 'pytorch_metric_learning' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
