import numpy as np
import pytest

from models.diagnostics.levels import sits_on
from models.diagnostics.summarise import thin
from models.diagnostics.summary import Curves
from models.training.config import Part, RunConfig
from models.training.run import Run
from models.training.trace import TraceView

LEVELS = {"chance": 5.0, "collapse": 5.0, "perfect": 1.0}  # span 4: near is 0.08


def curves(loss: np.ndarray) -> Curves:
    return thin(TraceView(loss, loss, np.empty(0, np.int64), {}))


def ending(level: float, steps: int, wobble: float = 0.0) -> Curves:
    """A loss that falls and then stays around a level."""
    stay = level + wobble * np.sin(np.arange(steps))
    return curves(np.concatenate([np.linspace(9, 6, 50), stay]))


def test_a_curve_that_stays_is_told() -> None:
    found = sits_on(ending(1.0, 40, wobble=0.07), LEVELS)
    assert found is not None
    assert found[0] == "perfect"
    assert found[1].startswith("For 40 steps the loss has stayed at its perfect level (1):")


def test_levels_of_one_value_are_told_together() -> None:
    found = sits_on(ending(5.0, 60), LEVELS)
    assert found is not None
    assert found[0] == "chance"
    assert "its chance and collapse level (5)" in found[1]
    assert "collapsed to a point" in found[1]


@pytest.mark.parametrize(
    "loss",
    [
        ending(1.0, 29),  # too short
        ending(1.0, 60, wobble=0.1),  # too restless
        ending(3.0, 200),  # between levels
        curves(np.concatenate([np.full(100, 1.0), [3.0]])),  # left just now
        curves(np.concatenate([np.full(100, 1.0), [np.nan]])),
        curves(np.empty(0)),
    ],
)
def test_other_curves_are_not(loss: Curves) -> None:
    assert sits_on(loss, LEVELS) is None


def test_just_long_enough() -> None:
    assert sits_on(ending(1.0, 30), LEVELS) is not None


def test_the_nearest_level_counts() -> None:
    close = {"chance": 1.05, "perfect": 1.0, "collapse": 9.0}  # span 8: both are near
    found = sits_on(ending(1.04, 60), close)
    assert found is not None
    assert found[0] == "chance"


def test_one_level_is_measured_by_its_own_size() -> None:
    assert sits_on(ending(2.03, 60), {"chance": 2.0}) is not None
    assert sits_on(ending(2.06, 60), {"chance": 2.0}) is None
    assert sits_on(ending(0.01, 60), {"inactive": 0.0}) is not None


def test_no_levels_no_sentence() -> None:
    assert sits_on(ending(1.0, 60), {}) is None
    assert sits_on(ending(1.0, 60), {"chance": float("nan")}) is None


def test_unknown_levels_are_told_by_name() -> None:
    found = sits_on(ending(1.0, 60), {"floor": 1.0, "chance": 5.0})
    assert found is not None
    assert found[1].endswith("its floor level.")


def test_steps_are_counted_in_a_thinned_curve() -> None:
    found = sits_on(curves(np.concatenate([np.linspace(9, 6, 2000), np.full(6000, 1.0)])), LEVELS)
    assert found is not None
    told = int(found[1].split()[1])
    assert told == pytest.approx(6000, abs=21)


def test_a_run_that_cannot_learn_sits_at_chance() -> None:
    # All scores equal from the first step on: rate so low that nothing moves, embeddings of one direction.
    run = Run(RunConfig(loss=Part("infonce", (("temperature", 1.0),)), optimiser=Part("sgd", (("rate", 1e-6),))))
    run.advance(40)
    snapshot = run.snapshot()
    found = sits_on(thin(snapshot.trace), {"chance": snapshot.levels["chance"], "far": 50.0})
    assert found is not None
    assert found[0] == "chance"
