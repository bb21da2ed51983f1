"""Scores of single pairs at earlier steps are those of the snapshots that were taken then."""

from dataclasses import replace

import numpy as np
import pytest

from models.diagnostics.look import look_of
from models.diagnostics.pairs import Pairs
from models.diagnostics.placed import ERROR, LARGEST, placed
from models.diagnostics.summarise import summarise
from models.diagnostics.summary import Summary
from models.diagnostics.trails import NO_WEIGHT, look_then, score_trail
from models.snapshot import Snapshot
from models.training.run import Run
from tests.diagnostics.looks import SMALL

PAIRS = Pairs(np.array([0, 3, 7]), np.array([1, 9, 40]), "all")


def moments(reads: str) -> list[tuple[Snapshot, Summary]]:
    """Three moments of one run, each kept as a lane keeps it."""
    run, found = Run(SMALL[reads]), []
    for steps in (0, 2, 3):
        run.advance(steps)
        taken = run.snapshot()
        found.append((taken, replace(summarise(taken), placed=placed(taken.z, taken.other))))
    return found


def test_a_half_by_hand() -> None:
    found = placed(np.array([[3.0, 4.0], [0.0, 0.0]]), None)
    assert found is not None
    assert found.u.dtype == np.float16
    assert found.u.tolist() == [[float(np.float16(0.6)), float(np.float16(0.8))], [0.0, 0.0]]
    assert found.v is None


@pytest.mark.parametrize("d", [2, 32, 128])
def test_no_cosine_is_further_off_than_told(d: int) -> None:
    z = np.random.default_rng(d).normal(size=(300, d)) * np.logspace(-3, 3, 300)[:, None]
    found = placed(z, None)
    assert found is not None
    length = np.sqrt((z * z).sum(axis=1))
    exact = (z @ z.T) / length[:, None] / length[None, :]
    rows = found.u.astype(np.float64)
    worst = np.abs(rows @ rows.T - exact).max()
    assert 0 < worst <= ERROR


def test_what_is_too_large_is_not_kept() -> None:
    assert placed(np.ones((LARGEST // 8, 4)), None) is not None
    assert placed(np.ones((LARGEST // 8 + 1, 4)), None) is None
    assert placed(np.ones((LARGEST // 8, 4)), np.ones((LARGEST // 8, 4))) is None


@pytest.mark.parametrize("reads", ["items", "other sides"])
def test_a_trail_is_the_score_of_every_kept_moment(reads: str) -> None:
    taken = moments(reads)
    found = score_trail([summary for _, summary in taken], PAIRS)
    assert found.step.tolist() == [0, 2, 5]
    wanted = [[float(snapshot.s[i, j]) for snapshot, _ in taken] for i, j in zip(PAIRS.i, PAIRS.j, strict=True)]
    assert np.abs(found.score - wanted).max() <= ERROR
    assert np.ptp(found.score, axis=1).max() > 10 * ERROR  # they move


def test_moments_without_places_are_left_out() -> None:
    (_, first), (_, second), (_, third) = moments("items")
    assert score_trail([first, replace(second, placed=None), third], PAIRS).step.tolist() == [0, 5]
    assert score_trail([replace(first, placed=None)], PAIRS).score.shape == (3, 0)


@pytest.mark.parametrize("reads", ["items", "second views", "other sides"])
def test_the_look_of_then_has_its_scores_and_no_weights(reads: str) -> None:
    taken = moments(reads)
    now, (then, summary) = look_of(taken[-1][0]), taken[1]
    found = look_then(now, summary, "infonce", {"temperature": 0.3})
    assert found is not None
    assert (found.step, found.temperature, found.why_no_weight) == (2, 0.3, NO_WEIGHT)
    assert np.abs(found.s - then.s).max() <= ERROR
    assert (found.pos == now.pos).all()
    assert found.pair_weight is None
    assert np.isnan(found.pair_weight_at(PAIRS.i, PAIRS.j)).all()
    assert look_then(now, taken[-1][1], "infonce", {}) is now
    assert look_then(now, replace(summary, placed=None), "infonce", {}) is None
