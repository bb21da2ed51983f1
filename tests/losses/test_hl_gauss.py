"""HL-Gauss against loops, SciPy's normal distribution, the stored oracle, a hand number, and what the bins do to it."""

import math

import pytest
import torch
from scipy.stats import norm

from models.losses import cross_entropy, hl_gauss
from models.objective import Objective
from models.spec import Context
from models.training.config import Part
from tests.losses.helpers import oracle_numbers
from tests.losses.tasks import logits_of, stored_logits, value_and_slope

NUMBERS = oracle_numbers("hl_gauss")
TARGET = torch.tensor([-9.0, 0.0, 3.3, 9.9, -0.4], dtype=torch.float64)


def by_hand(logits: list[list[float]], target: list[float], ends: tuple[float, float], ratio: float) -> float:
    """Masses with math.erf, then the cross-entropy."""
    total, (low, high), m = 0.0, ends, len(logits[0])
    width = (high - low) / m
    for row, y in zip(logits, target, strict=True):
        phi = [0.5 * (1 + math.erf((low + k * width - y) / (ratio * width * math.sqrt(2)))) for k in range(m + 1)]
        norm_ = math.log(sum(math.exp(entry) for entry in row))
        for k in range(m):
            total -= (phi[k + 1] - phi[k]) / (phi[m] - phi[0]) * (row[k] - norm_)
    return total / len(target)


@pytest.mark.parametrize(("bins", "ratio"), [(51, 0.75), (8, 2.0), (20, 0.3)])
def test_equals_the_loops(bins: int, ratio: float) -> None:
    logits = logits_of(5, bins)
    expected = by_hand(logits.tolist(), TARGET.tolist(), (-10.0, 10.0), ratio)
    assert hl_gauss.loss(logits, TARGET, ratio=ratio).item() == pytest.approx(expected, rel=1e-12)


def test_equals_the_stored_numbers() -> None:
    logits, target = stored_logits(NUMBERS, "target")
    knobs = {"v_min": -1.0, "v_max": 1.0, "ratio": 0.75}
    value, slope = value_and_slope(hl_gauss.loss, logits, target.double(), **knobs)
    assert value == pytest.approx(NUMBERS["independent_loss"], abs=1e-7)
    assert value == pytest.approx(NUMBERS["loss"], abs=1e-6)
    for name in ("grad", "independent_grad"):
        torch.testing.assert_close(slope, torch.tensor(NUMBERS[name], dtype=torch.float64), rtol=0, atol=1e-6)
    p = hl_gauss.smeared(torch.tensor(NUMBERS["inputs"]["target"], dtype=torch.float64), 6, -1.0, 1.0, 0.75)
    torch.testing.assert_close(p, torch.tensor(NUMBERS["target_probs"], dtype=torch.float64), rtol=1e-9, atol=1e-12)


def test_masses_are_those_of_a_truncated_normal() -> None:
    p = hl_gauss.smeared(TARGET, 40, -10.0, 10.0, 1.5)
    edges = torch.linspace(-10.0, 10.0, 41, dtype=torch.float64)
    for row, y in zip(p, TARGET.tolist(), strict=True):
        mass = torch.from_numpy(norm.cdf(edges.numpy(), loc=y, scale=0.75)).diff()
        torch.testing.assert_close(row, mass / mass.sum(), rtol=1e-9, atol=1e-14)
    torch.testing.assert_close(p.sum(1), torch.ones(5, dtype=torch.float64))


def test_a_number_checked_by_hand() -> None:
    """Two bins around 0 and a target of 0 with sigma of one bin: half in each; softmax 3/4 and 1/4."""
    logits = torch.tensor([[math.log(3.0), 0.0]], dtype=torch.float64)
    value = hl_gauss.loss(logits, torch.zeros(1).double(), v_min=-1.0, v_max=1.0, ratio=1.0)
    assert value.item() == pytest.approx(-0.5 * (math.log(0.75) + math.log(0.25)), rel=1e-12)


def test_gradient_is_softmax_less_target() -> None:
    logits = logits_of(5, 12)
    _, slope = value_and_slope(hl_gauss.loss, logits, TARGET)
    torch.testing.assert_close(slope, (logits.softmax(1) - hl_gauss.smeared(TARGET, 12, -10.0, 10.0, 0.75)) / 5)


@pytest.mark.parametrize("ratio", [0.05, 0.75, 5.0])
def test_targets_far_outside_count_as_the_end(ratio: float) -> None:
    outside = hl_gauss.smeared(torch.tensor([1e9, 10.0, -50.0, -10.0]).double(), 30, -10.0, 10.0, ratio)
    assert torch.isfinite(outside).all()
    assert torch.equal(outside[0], outside[1])
    assert torch.equal(outside[2], outside[3])
    assert outside[0].argmax().item() == 29


def test_decoding_the_smeared_target_gives_it_back_except_near_the_ends() -> None:
    """The stored means: -0.9 comes back as -0.738, 1 as 0.770."""
    target = torch.tensor(NUMBERS["inputs"]["target"], dtype=torch.float64)
    p = hl_gauss.smeared(target, 6, -1.0, 1.0, 0.75)
    back = hl_gauss.decode(p.log(), v_min=-1.0, v_max=1.0)
    torch.testing.assert_close(back, torch.tensor(NUMBERS["mean_of_target_dist"], dtype=torch.float64))
    wide = hl_gauss.decode(hl_gauss.smeared(target, 60, -10.0, 10.0, 0.75).log())
    torch.testing.assert_close(wide, target, rtol=0, atol=0.01)


def test_narrow_it_is_cross_entropy_on_the_bin() -> None:
    logits = logits_of(5, 20)
    bins = ((TARGET + 10.0) // 1.0).long()
    middle = bins - 9.5
    value = hl_gauss.loss(logits, middle.double(), ratio=0.05)
    assert value.item() == pytest.approx(cross_entropy.loss(logits, bins).item(), rel=1e-12)
    assert abs(hl_gauss.loss(logits, middle.double(), ratio=1.0) - value).item() > 0.05


def test_class_labels_are_refused() -> None:
    with pytest.raises(ValueError, match="HL-Gauss needs data with a number to predict"):
        Objective(Part("hl_gauss"), Context(6, 10, 100))


RELATIONS = {
    "equals cross_entropy on the bin of the target for a narrow Gaussian": test_narrow_it_is_cross_entropy_on_the_bin,
}
