"""Counts, rates and costs at a threshold by plain loops; the best one against all others; two lanes together."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.diagnostics.histogram import histogram
from models.diagnostics.items import PairScores
from models.diagnostics.threshold import Costs, best_threshold, confusion, expected_cost, threshold_at, two_lanes

# Tenths, so that equal scores occur.
TENTHS = st.lists(st.integers(-10, 10).map(lambda k: k / 10), min_size=1, max_size=12)


def of(positive: list[float], negative: list[float], dtype: type = np.float64) -> PairScores:
    return PairScores(np.sort(np.array(positive, dtype)), np.sort(np.array(negative, dtype)))


def cost_by_loop(positive: list[float], negative: list[float], threshold: float, costs: Costs) -> float:
    prior = len(positive) / (len(positive) + len(negative)) if costs.prior is None else costs.prior
    missed = sum(score < threshold for score in positive) / len(positive)
    let_in = sum(score >= threshold for score in negative) / len(negative)
    return prior * costs.false_reject * missed + (1 - prior) * costs.false_accept * let_in


def test_counts_and_rates_by_hand() -> None:
    found = confusion(of([0.9, 0.5, 0.5, 0.1], [0.5, 0.3, 0.2, 0.0, -0.4]), 0.5)
    assert (found.true_accepts, found.false_accepts, found.false_rejects, found.true_rejects) == (3, 1, 1, 4)
    assert (found.tpr, found.fpr, found.fnr) == (0.75, 0.2, 0.25)
    assert (found.precision, found.f1) == (0.75, 0.75)
    assert found.accuracy == pytest.approx(7 / 9)


def test_rates_over_nothing_are_nan() -> None:
    found = confusion(of([], [0.1]), 0.5)
    assert np.isnan([found.tpr, found.fnr, found.precision, found.f1]).all()
    assert found.fpr == 0.0
    assert np.isnan(
        [*best_threshold(of([], [0.1]), Costs()), *expected_cost(of([0.3], []), np.zeros(2), Costs())]
    ).all()


@settings(max_examples=80)
@given(TENTHS, TENTHS, st.floats(0, 5), st.floats(0, 5), st.none() | st.floats(0, 1))
def test_no_threshold_is_better(
    positive: list[float], negative: list[float], accept: float, reject: float, prior: float | None
) -> None:
    costs = Costs(accept, reject, prior)
    pairs = of(positive, negative)
    threshold, cost = best_threshold(pairs, costs)
    every = [*positive, *negative, 2.0]
    assert cost == pytest.approx(min(cost_by_loop(positive, negative, t, costs) for t in every))
    assert cost_by_loop(positive, negative, threshold, costs) == pytest.approx(cost)
    np.testing.assert_allclose(
        expected_cost(pairs, np.array(every), costs), [cost_by_loop(positive, negative, t, costs) for t in every]
    )


def test_best_by_hand() -> None:
    pairs = of([0.8, 0.6, 0.2], [0.4, 0.1, 0.0])
    # Between .4 and .6 one positive is lost; between .1 and .2 one negative comes in: costs decide.
    assert best_threshold(pairs, Costs(false_accept=2, false_reject=1)) == pytest.approx((0.5, 1 / 6))
    assert best_threshold(pairs, Costs(false_accept=1, false_reject=2)) == pytest.approx((0.15, 1 / 6))
    # Anything up to .2 is free: the middle of the highest stretch.
    assert best_threshold(pairs, Costs(false_accept=0, false_reject=1)) == pytest.approx((0.15, 0.0))


def test_best_between_neighbouring_numbers_keeps_its_side() -> None:
    low = np.float32(0.5)
    high = np.nextafter(low, np.float32(1))
    threshold, _ = best_threshold(of([high], [low], np.float32), Costs())
    assert threshold == high
    above, _ = best_threshold(of([low], [high], np.float32), Costs(false_reject=0))
    assert np.float32(above) > high


@given(TENTHS, TENTHS, st.floats(0, 1))
def test_threshold_at_a_rate(positive: list[float], negative: list[float], rate: float) -> None:
    pairs = of(positive, negative)
    threshold = threshold_at(pairs, rate)
    allowed = int(rate * len(negative) + 1e-9)
    every = sorted({*positive, *negative, *np.nextafter(negative, 2).tolist()})
    fitting = [t for t in every if sum(score >= t for score in negative) <= allowed]
    expected = fitting[0] if allowed else float("nan")
    assert threshold == pytest.approx(expected, nan_ok=True, abs=1e-15)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"false_accept": -1.0}, "false_accept must be a cost of 0 or more, got -1.0"),
        ({"false_reject": float("inf")}, "false_reject must be a cost of 0 or more, got inf"),
        ({"prior": 1.5}, "prior must be a share from 0 to 1, got 1.5"),
    ],
)
def test_bad_costs_are_named(values: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Costs(**values)


def test_bad_rate_is_named() -> None:
    with pytest.raises(ValueError, match="from 0 to 1, got 2"):
        threshold_at(of([0.1], [0.2]), 2.0)


def sides(pairs: PairScores) -> tuple[np.ndarray, np.ndarray]:
    found = histogram(pairs)
    return found.positive, found.negative


def test_two_lanes() -> None:
    first, second = of([0.9, 0.9, 0.1], [0.5, 0.5, 0.5, -0.5]), of([0.9], [0.5, -0.5])
    counts = sides(first), sides(second)
    bins = [int((score + 1) * 32) for score in (0.9, 0.1, 0.5, -0.5)]
    overlay, mirror, gap = (two_lanes(counts, kind) for kind in ("overlay", "mirror", "difference"))
    assert overlay.positive[0][bins].tolist() == pytest.approx([2 / 3, 1 / 3, 0, 0])
    assert overlay.negative[1][bins].tolist() == pytest.approx([0, 0, 1 / 2, 1 / 2])
    np.testing.assert_array_equal(mirror.positive[0], overlay.positive[0])
    np.testing.assert_array_equal(mirror.negative[1], -overlay.negative[1])
    assert gap.positive[0][bins].tolist() == pytest.approx([1 / 3, -1 / 3, 0, 0])
    assert gap.negative[0][bins].tolist() == pytest.approx([0, 0, -1 / 4, 1 / 4])
    assert len(gap.positive) == len(gap.negative) == 1
    some = two_lanes((sides(of([0.9], [])), sides(of([], [0.5]))), "overlay", counts)
    assert some.positive[0][bins].tolist() == pytest.approx([1 / 3, 0, 0, 0])
    assert some.negative[1][bins].tolist() == pytest.approx([0, 0, 1 / 2, 0])
    empty = sides(of([], []))
    assert two_lanes((empty, empty), "difference").positive[0].sum() == 0
    with pytest.raises(ValueError, match="one of overlay, mirror, difference, got 'sum'"):
        two_lanes(counts, "sum")
