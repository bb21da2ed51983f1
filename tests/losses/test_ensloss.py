"""EnsLoss against loops with given draws, the stored oracle, a hand number, and what makes its slopes calibrated."""

import math
from pathlib import Path

import pytest
import torch

from models.losses import ensloss
from models.training.config import Part, RunConfig
from models.training.run import Run
from tests.losses.helpers import oracle_numbers
from tests.losses.tasks import logits_of, value_and_slope

NUMBERS = oracle_numbers("ensloss")
CONFIG = RunConfig(data=Part("faces"), loss=Part("ensloss"), sampler=Part("balanced", (("batch", 32),)))


def by_hand(margins: list[float], normal: list[float], lam: float) -> list[float]:
    drawn = []
    for xi in normal:
        base = max(0.0, 1 + lam * xi)
        grown = math.exp(xi) if lam == 0 else (base ** (1 / lam) if base > 0 or lam > 0 else math.inf)
        drawn.append(max(-grown, -1.0))
    drawn.sort()
    slopes = [0.0] * len(margins)
    for place, item in enumerate(sorted(range(len(margins)), key=lambda i: margins[i])):
        slopes[item] = drawn[place] / max(margins[item], 1.0) - 1e-6
    return slopes


def case_of(index: int) -> tuple[torch.Tensor, torch.Tensor, dict[str, list[float]]]:
    """Margins and signs of the stored scores, and one stored case."""
    scores = torch.tensor(NUMBERS["inputs"]["scores"], dtype=torch.float64)
    sign = 2.0 * torch.tensor(NUMBERS["inputs"]["targets01"], dtype=torch.float64) - 1.0
    return sign * scores, sign, NUMBERS["cases"][index]


@pytest.mark.parametrize("lam", [0.0, 0.5, -0.5, 1.0, -1.0, 1e-9])
def test_equals_the_loops(lam: float) -> None:
    margin, normal = logits_of(40, 1)[:, 0], logits_of(40, 1, seed=1, spread=1.0)[:, 0]
    expected = by_hand(margin.tolist(), normal.tolist(), lam)
    torch.testing.assert_close(
        ensloss.slopes(margin, normal, lam), torch.tensor(expected, dtype=torch.float64), rtol=1e-6, atol=1e-12
    )
    assert len(set(expected)) > 10


@pytest.mark.parametrize("index", range(len(NUMBERS["cases"])))
def test_equals_the_stored_numbers(index: int, monkeypatch: pytest.MonkeyPatch) -> None:
    margin, sign, case = case_of(index)
    normal = torch.tensor(case["gaussian_draws"], dtype=torch.float64)
    slopes = ensloss.slopes(margin, normal, case["lam"])
    stored = torch.tensor(case["loss_derivative_per_sample"], dtype=torch.float64)
    torch.testing.assert_close(slopes, stored, rtol=0, atol=1e-8)
    monkeypatch.setattr(ensloss, "draws", lambda margin, seed: normal)
    target = torch.tensor(NUMBERS["inputs"]["targets01"])
    value, slope = value_and_slope(ensloss.loss, sign * margin, target, lam=case["lam"])
    assert value == pytest.approx(case["loss"], abs=1e-8)
    torch.testing.assert_close(slope, torch.tensor(case["grad_wrt_scores"], dtype=torch.float64), rtol=0, atol=1e-8)


def test_the_stored_cases_have_three_exponents() -> None:
    assert {case["lam"] for case in NUMBERS["cases"]} == {0.0, 0.5, -0.5}


def test_a_number_checked_by_hand() -> None:
    """Draws log 1/2, log 1/4 and 3 are slopes -1/2, -1/4 and -1; margins 2, 0, -1 take -1/8, -1/2 and -1."""
    normal = torch.tensor([math.log(0.5), math.log(0.25), 3.0], dtype=torch.float64)
    slopes = ensloss.slopes(torch.tensor([2.0, 0.0, -1.0], dtype=torch.float64), normal, 0.0)
    assert slopes.tolist() == pytest.approx([-0.125 - 1e-6, -0.5 - 1e-6, -1.0 - 1e-6], rel=1e-12)


def test_slopes_are_those_of_a_convex_calibrated_loss() -> None:
    """All below zero, rising with the margin, and falling off as one over it."""
    margin = 3.0 * logits_of(200, 1)[:, 0]
    for lam in (-1.0, 0.0, 1.0):
        slopes = ensloss.slopes(margin, ensloss.draws(margin, 0), lam)
        rising = slopes[margin.argsort()]
        assert (rising < 0).all()
        assert (rising.diff() >= 0).all()
        assert (rising.diff() > 0).sum() > 40
        assert (slopes.abs() * margin <= 1.0 + 1e-4).all()


def test_draws_are_normal_and_half_of_the_slopes_are_at_the_cut() -> None:
    margin = logits_of(20_000, 1)[:, 0]
    normal = ensloss.draws(margin, 0)
    assert normal.mean().item() == pytest.approx(0.0, abs=0.03)
    assert normal.std().item() == pytest.approx(1.0, abs=0.03)
    share = (ensloss.slopes(-margin.abs(), normal, 0.0) <= -1.0).double().mean().item()
    assert share == pytest.approx(0.5, abs=0.02)


def test_draws_follow_from_the_batch_and_the_seed_alone() -> None:
    margin = logits_of(30, 1)[:, 0]
    first = ensloss.draws(margin, 0)
    state = torch.get_rng_state()
    assert torch.equal(first, ensloss.draws(margin.flip(0), 0))
    assert torch.equal(torch.get_rng_state(), state)
    for other in (ensloss.draws(margin, 1), ensloss.draws(margin + 1e-3, 0)):
        assert (first - other).abs().max().item() > 0.1


def test_a_cut_run_goes_on_as_a_whole_one(tmp_path: Path) -> None:
    run, cut = Run(CONFIG), Run(CONFIG)
    run.advance(12)
    cut.advance(5)
    cut.snapshot()
    cut.save(tmp_path)
    cut = Run.load(tmp_path)
    cut.advance(7)
    assert run.trace.loss == cut.trace.loss
    assert len(set(run.trace.loss)) == 12


def test_it_learns() -> None:
    run = Run(CONFIG)
    before = run.measures()["auc"]
    run.advance(60)
    assert run.measures()["auc"] > before + 0.1


RELATIONS = {
    "draws slopes that a convex calibrated loss could have": test_slopes_are_those_of_a_convex_calibrated_loss,
}
