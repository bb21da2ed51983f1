"""ALDR-KL against loops with a memory, the stored steps of the released code, and its memory in a run."""

import math
from pathlib import Path

import pytest
import torch

from models.losses import aldr_kl, ldr_kl
from models.spec import Context
from models.training.config import Part, RunConfig
from models.training.run import Run
from tests.losses.helpers import oracle_numbers
from tests.losses.tasks import logits_of, stored_logits, value_and_slope

NUMBERS = oracle_numbers("aldr_kl")
TARGET = torch.tensor([0, 3, 1, 1, 2, 0, 3])
CONFIG = RunConfig(loss=Part("aldr_kl"), sampler=Part("balanced", (("batch", 32),)))


def made(samples: int = 20, **knobs: float | str) -> aldr_kl.Loss:
    return aldr_kl.Loss(Context(6, 4, samples), **knobs).double()


def by_hand(
    row: list[float], y: int, old: float, temperature: float, alpha: float, margin: float
) -> tuple[float, float]:
    """One item: its term and its new temperature, in the order of the released code."""
    size = sum(abs(entry) for entry in row) / len(row)
    x = [entry / size for entry in row]
    p = [math.exp(entry / old) for entry in x]
    p = [entry / sum(p) + 1e-5 for entry in p]
    p = [entry / sum(p) for entry in p]
    divergence = sum(entry * math.log(entry * len(row)) for entry in p)
    curve = alpha * math.log(len(row)) / temperature
    new = temperature - divergence / curve
    terms = [math.exp((entry - x[y] + (margin if k != y else 0.0)) / new) for k, entry in enumerate(x)]
    return new * math.log(sum(terms) / len(row)) - curve / 2 * (new - temperature) ** 2, new


def test_equals_the_loops_over_three_calls() -> None:
    logits, sample = logits_of(7, 4), torch.tensor([4, 0, 11, 3, 9, 1, 7])
    loss, old = made(temperature=2.0, alpha=1.5, margin=0.3), [2.0] * 7
    for _ in range(3):
        terms = [
            by_hand(row, y, before, 2.0, 1.5, 0.3)
            for row, y, before in zip(logits.tolist(), TARGET.tolist(), old, strict=True)
        ]
        old = [new for _, new in terms]
        assert loss(logits, TARGET, sample).item() == pytest.approx(sum(term for term, _ in terms) / 7, rel=1e-12)
        torch.testing.assert_close(2.0 * loss.share[sample], torch.tensor(old).double())
    assert (loss.share != 1.0).sum().item() == 7


def test_equals_the_stored_steps() -> None:
    logits, target = stored_logits(NUMBERS)
    sample = torch.tensor(NUMBERS["inputs"]["sample_ids"])
    assert [len(case["steps"]) for case in NUMBERS["cases"]] == [3, 3]
    for case in NUMBERS["cases"]:
        loss = made(temperature=case["lam0"], alpha=case["alpha"], margin=case["margin"])
        for step in case["steps"]:
            value, slope = value_and_slope(loss, logits, target, sample)
            assert value == pytest.approx(step["loss_mean"], abs=1e-9)
            torch.testing.assert_close(
                slope, torch.tensor(step["grad_of_mean"], dtype=torch.float64), rtol=0, atol=1e-8
            )
            heat = case["lam0"] * loss.share[sample]
            torch.testing.assert_close(heat, torch.tensor(step["lam"], dtype=torch.float64), rtol=0, atol=1e-8)


def test_softplus_with_one_temperature_equals_the_released_ldr_kl() -> None:
    numbers = oracle_numbers("ldr_kl")
    assert len(numbers["cases_official_code"]) == 2
    for case in numbers["cases_official_code"]:
        loss = made(temperature=case["lam"], alpha=1e12, margin=case["margin"], normalise="softplus")
        value, slope = value_and_slope(loss, *stored_logits(numbers))
        assert value == pytest.approx(case["loss_mean"], abs=1e-6)
        torch.testing.assert_close(slope, torch.tensor(case["grad_of_mean"], dtype=torch.float64), rtol=0, atol=1e-6)


def test_without_size_and_adapting_it_is_ldr_kl() -> None:
    logits, knobs = logits_of(7, 4), {"temperature": 1.3, "margin": 0.4}
    left = value_and_slope(made(alpha=1e12, normalise="none", **knobs), logits, TARGET)
    right = value_and_slope(ldr_kl.loss, logits, TARGET, **knobs)
    assert left[0] == pytest.approx(right[0], rel=1e-9)
    torch.testing.assert_close(left[1], right[1], rtol=1e-9, atol=1e-12)


def test_a_number_checked_by_hand() -> None:
    """Logits 3 and -1 of mean size 2 are 1.5 and -0.5; at temperature 1 this is softplus(-2) - log 2."""
    loss = made(temperature=1.0, alpha=1e12, margin=0.0)
    value = loss(torch.tensor([[3.0, -1.0]], dtype=torch.float64), torch.tensor([0]))
    assert value.item() == pytest.approx(math.log1p(math.exp(-2.0)) - math.log(2.0), rel=1e-9)


def test_temperatures_stay_between_their_bounds_and_fall_for_the_sure() -> None:
    loss, sample = made(temperature=0.5, alpha=1.25), torch.arange(2)
    loss(torch.tensor([[9.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.01]]).double(), torch.tensor([0, 1]), sample)
    sure, unsure = loss.share[:2].tolist()
    assert 1 - 1 / 1.25 <= sure < 0.5
    assert 0.99 < unsure < 1.0


def test_holding_the_temperatures_constant_changes_the_slope_little() -> None:
    """Each nearly maximises its term: what is left out of the slope is some percent at a small alpha, less else."""
    logits, h = logits_of(1, 4), 1e-6
    missed = []
    for alpha in (1.1, 20.0):
        loss = made(temperature=1.0, alpha=alpha)
        _, slope = value_and_slope(loss, logits, TARGET[:1])
        step = h * torch.eye(4).double()
        numerical = torch.stack([loss(logits + d, TARGET[:1]) - loss(logits - d, TARGET[:1]) for d in step]) / (2 * h)
        missed.append(((slope[0] - numerical).norm() / numerical.norm()).item())
    assert 1e-3 < missed[0] < 0.2
    assert missed[1] < missed[0] / 10


def test_without_positions_nothing_is_remembered() -> None:
    loss, logits = made(), logits_of(7, 4)
    first = loss(logits, TARGET).item()
    assert torch.equal(loss.share, torch.ones(20).double())
    loss.share.fill_(0.7)
    assert loss(logits, TARGET).item() == first
    assert loss(logits, TARGET, torch.arange(7)).item() != first


def test_an_item_in_two_views_keeps_the_mean_whatever_their_order() -> None:
    logits, target = logits_of(2, 4), torch.tensor([1, 1])
    kept = []
    for order in ([0, 1], [1, 0]):
        loss = made(temperature=0.5)
        loss(logits[order], target, torch.tensor([5, 5]))
        kept.append(loss.share[5].item())
    alone = []
    for row in logits:
        loss = made(temperature=0.5)
        loss(row[None], target[:1], torch.tensor([5]))
        alone.append(loss.share[5].item())
    assert kept[0] == kept[1] == pytest.approx(sum(alone) / 2)
    assert alone[0] != pytest.approx(alone[1])


@pytest.mark.parametrize("normalise", ["mean_abs", "softplus"])
def test_logits_of_zero_have_a_finite_slope(normalise: str) -> None:
    value, slope = value_and_slope(made(normalise=normalise), torch.zeros(3, 4).double(), torch.tensor([0, 1, 3]))
    assert math.isfinite(value)
    assert torch.isfinite(slope).all()


def test_the_memory_of_a_run_grows_is_saved_and_is_not_touched_by_looking(tmp_path: Path) -> None:
    run, cut = Run(CONFIG), Run(CONFIG)
    run.advance(8)
    cut.advance(3)
    cut.snapshot()
    cut.save(tmp_path)
    cut = Run.load(tmp_path)
    cut.advance(5)
    left, right = (one.objective.state_dict()["own.share"] for one in (run, cut))
    assert torch.equal(left, right)
    assert len(left) == len(run.data.train)
    assert 100 < (left != 1.0).sum().item() <= 8 * 32
    assert run.trace.loss == cut.trace.loss


RELATIONS = {"with normalise none and a large alpha equals ldr_kl": test_without_size_and_adapting_it_is_ldr_kl}
