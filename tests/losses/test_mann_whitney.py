"""Mann-Whitney loss against loops, the stored oracle and hand numbers; the summed kernel against one-by-one sums."""

import math

import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor

from models import contest
from models.geometry import Embeddings, Scores, score
from models.losses import mann_whitney
from models.sensitivity import pair_weights
from tests.losses.helpers import circle, gradient_is_numerical, oracle_numbers, random_batch


def by_hand(scores: Scores, temperature: float) -> float:
    """The paper's double sum, as the mean over all comparisons."""
    positives, negatives = scores.s[scores.pos].tolist(), scores.s[scores.neg].tolist()
    gaps = [(q - p) / temperature for p in positives for q in negatives]
    return math.fsum(max(g, 0.0) + math.log1p(math.exp(-abs(g))) for g in gaps) / len(gaps)


def closed_form(scores: Scores, temperature: float) -> tuple[Tensor, Tensor]:
    """Value and dL/ds from the whole matrix of comparisons, in float64."""
    p, q = (scores.s[mask].double() / temperature for mask in (scores.pos, scores.neg))
    gap = q[None, :] - p[:, None]
    share = torch.sigmoid(gap) / (temperature * gap.numel())
    weight = torch.zeros_like(scores.s, dtype=torch.float64)
    weight[scores.pos], weight[scores.neg] = -share.sum(1), share.sum(0)
    return torch.logaddexp(gap, torch.zeros(())).mean(), weight


@pytest.mark.parametrize("temperature", [0.01, 0.1, 1.0])
def test_equals_the_loops(temperature: float) -> None:
    scores = score(random_batch(12, 3))
    value = mann_whitney.loss(scores, temperature=temperature)
    assert value.item() == pytest.approx(by_hand(scores, temperature), rel=1e-12)


@pytest.mark.parametrize(
    ("key", "temperature", "hard"),
    [("tau1.0_nohn", 1.0, False), ("tau1.0_hn2", 1.0, True), ("tau0.01_nohn", 0.01, False)],
)
def test_equals_the_oracle_with_its_gradient(key: str, temperature: float, hard: bool) -> None:
    """Hard negatives are further candidates, of items that no query stands for."""
    stored = oracle_numbers("mw_loss")
    q = torch.tensor(stored["inputs"]["q"], dtype=torch.float64, requires_grad=True)
    p = torch.tensor(stored["inputs"]["p"], dtype=torch.float64, requires_grad=True)
    extra = torch.tensor(stored["inputs"]["hard_negatives"], dtype=torch.float64).flatten(0, 1)[: 8 * hard]
    instance = torch.arange(4 + len(extra))
    anchors = Embeddings(q, instance[:4], instance[:4])
    scores = score(anchors, Embeddings(torch.cat([p, extra]), instance, instance))
    assert int(scores.neg.sum()) == stored["loss"][key]["n_neg"]
    value = mann_whitney.loss(scores, temperature=temperature)
    assert value.item() == pytest.approx(stored["loss"][key]["mean"], rel=1e-10)
    printed = mann_whitney.loss(scores, temperature=temperature, divisor="positives")
    assert printed.item() == pytest.approx(stored["loss"][key]["paper_1_over_B"], rel=1e-10)
    for z, grad, name in zip((q, p), torch.autograd.grad(value, (q, p)), ("q", "p"), strict=True):
        raw = torch.tensor(stored["grad"][key][name], dtype=torch.float64)
        tangent = raw - (raw * z).sum(1, keepdim=True) * z  # the oracle does not normalise inside
        torch.testing.assert_close(grad, tangent.detach(), atol=1e-8, rtol=1e-8)


def test_a_number_checked_by_hand() -> None:
    """Two items of one class at 0 and 60 degrees, one of another at 180: p = 1/2 twice, q = -1 and -1/2 twice each."""
    scores = circle([0, 60, 180], [0, 0, 1])
    expected = (math.log1p(math.exp(-1.5)) + math.log1p(math.exp(-1.0))) / 2
    assert mann_whitney.loss(scores, temperature=1.0).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("temperature", [0.01, 0.03, 0.1, 1.0])
@pytest.mark.parametrize("classes", [2, 40])
def test_summed_kernel_equals_one_by_one(temperature: float, classes: int) -> None:
    scores = score(random_batch(100, classes, spread=0.5))
    assert int(scores.pos.sum()) * int(scores.neg.sum()) > contest._ONE_BY_ONE
    value, weight = closed_form(scores, temperature)
    assert mann_whitney.loss(scores, temperature=temperature).item() == pytest.approx(value.item(), rel=1e-12)
    largest = weight.abs().max().item()
    torch.testing.assert_close(
        pair_weights(mann_whitney, scores, temperature=temperature), weight, atol=1e-13 * largest, rtol=1e-12
    )


def test_summed_kernel_in_float32_and_with_all_scores_equal() -> None:
    batch = random_batch(100, 4, spread=0.5, dtype=torch.float32)
    scores = score(batch)
    value, weight = closed_form(scores, 0.05)
    assert mann_whitney.loss(scores, temperature=0.05).item() == pytest.approx(value.item(), rel=1e-6)
    ours = pair_weights(mann_whitney, scores, temperature=0.05)
    torch.testing.assert_close(ours.double(), weight, atol=1e-6 * weight.abs().max().item(), rtol=1e-5)
    flat = Scores(torch.ones_like(scores.s), scores.pos, scores.neg)
    assert mann_whitney.loss(flat, temperature=0.05).item() == pytest.approx(math.log(2), rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_summed_kernel_is_exact_for_tiny_slopes_too(dtype: torch.dtype) -> None:
    """Positives lead by 0.5 to 1.5 at T = 0.05, so slopes fall to e^-30 of the largest: each by its own size."""
    generator = torch.Generator().manual_seed(0)
    s = torch.rand(60, 80, generator=generator, dtype=dtype)
    pos = torch.arange(80).expand(60, 80) < 40
    scores = Scores(torch.where(pos, 0.5 * s + 1.0, 0.5 * s), pos, ~pos)
    value, weight = closed_form(scores, 0.05)
    exact = 1e-10 if dtype == torch.float64 else 1e-4  # T = 0.05 takes 1.3 digits of a float32 score's seven
    assert mann_whitney.loss(scores, temperature=0.05).item() == pytest.approx(value.item(), rel=exact)
    ours = pair_weights(mann_whitney, scores, temperature=0.05)
    torch.testing.assert_close(ours.double(), weight, rtol=exact, atol=0.0)


def test_summed_kernel_leaves_out_what_is_in_neither_mask() -> None:
    """A pair that does not count has no slope, whatever its score, and moves no other."""
    scores = score(random_batch(100, 4, spread=0.5))
    gone = torch.zeros_like(scores.pos)
    gone[3], gone[:, 60] = True, True
    fewer = Scores(scores.s, scores.pos & ~gone, scores.neg & ~gone)
    value, weight = closed_form(fewer, 0.1)
    assert mann_whitney.loss(fewer).item() == pytest.approx(value.item(), rel=1e-12)
    ours = pair_weights(mann_whitney, fewer)
    torch.testing.assert_close(ours, weight, rtol=1e-11, atol=1e-13 * weight.abs().max().item())
    assert (ours[gone] == 0).all()


@pytest.mark.parametrize("items", [6, 100])
def test_a_score_that_is_not_a_number_gives_none(items: int) -> None:
    scores = score(random_batch(items, 2))
    scores.s[0, 1] = torch.nan
    assert math.isnan(mann_whitney.loss(scores).item())
    assert pair_weights(mann_whitney, scores).isnan().any()


def test_summed_kernel_passes_scale_to_the_gradient() -> None:
    """Backward of a multiple of the loss: the saved slopes are scaled, not replaced."""
    scores = score(random_batch(100, 4))
    plain = pair_weights(mann_whitney, scores)
    tripled = pair_weights(lambda given: 3.0 * mann_whitney.loss(given), scores)
    torch.testing.assert_close(tripled, 3.0 * plain, rtol=1e-12, atol=0)


def test_gradient_at_the_hard_negatives_equals_the_oracle() -> None:
    stored = oracle_numbers("mw_loss")
    given = {name: torch.tensor(rows, dtype=torch.float64) for name, rows in stored["inputs"].items()}
    extra = given["hard_negatives"].flatten(0, 1).requires_grad_()
    instance = torch.arange(12)
    anchors = Embeddings(given["q"], instance[:4], instance[:4])
    scores = score(anchors, Embeddings(torch.cat([given["p"], extra]), instance, instance))
    (grad,) = torch.autograd.grad(mann_whitney.loss(scores, temperature=1.0), extra)
    raw = torch.tensor(stored["grad"]["tau1.0_hn2"]["hn"], dtype=torch.float64).flatten(0, 1)
    tangent = raw - (raw * extra).sum(1, keepdim=True) * extra  # the oracle does not normalise inside
    torch.testing.assert_close(grad, tangent.detach(), atol=1e-8, rtol=1e-8)


@pytest.mark.parametrize("divisor", ["comparisons", "positives"])
@pytest.mark.parametrize("hardest", [1, 3, 9, 500])
def test_hardest_and_divisor_equal_the_loops(hardest: int, divisor: str) -> None:
    scores = score(random_batch(14, 4, seed=1))
    kept = []
    for row, neg in zip(scores.s.tolist(), scores.neg.tolist(), strict=True):
        kept += sorted((s for s, counted in zip(row, neg, strict=True) if counted), reverse=True)[:hardest]
    positives = scores.s[scores.pos].tolist()
    total = math.fsum(math.log1p(math.exp((q - p) / 0.2)) for p in positives for q in kept)
    by = {"comparisons": len(positives) * len(kept), "positives": len(positives)}[divisor]
    value = mann_whitney.loss(scores, temperature=0.2, hardest=hardest, divisor=divisor)
    assert value.item() == pytest.approx(total / by, rel=1e-12)


def test_only_the_hardest_are_pushed() -> None:
    """Anchor at 0 with negatives at 90 and 180: one is kept, the nearer; the bound then is of the AUC against those."""
    scores = circle([0, 60, 90, 180], [0, 0, 1, 2])
    weight = pair_weights(mann_whitney, scores, hardest=1)
    assert (weight > 0).sum(1).tolist() == [1, 1, 1, 1]
    assert weight[0, 2].item() > 0.0 == weight[0, 3].item()


def test_summed_kernel_with_hardest_and_divisor() -> None:
    """More comparisons than the plain matrix takes: value and slopes of the kept ones, from all comparisons."""
    scores = score(random_batch(100, 4, spread=0.5))
    nearest = scores.s.masked_fill(~scores.neg, -torch.inf).topk(30, dim=1).indices
    kept = torch.zeros_like(scores.neg).scatter(1, nearest, value=True)
    assert int(scores.pos.sum()) * int(kept.sum()) > contest._ONE_BY_ONE
    value, weight = closed_form(Scores(scores.s, scores.pos, kept), 0.1)
    count = int(kept.sum())
    knobs = {"temperature": 0.1, "hardest": 30, "divisor": "positives"}
    assert mann_whitney.loss(scores, **knobs).item() == pytest.approx(count * value.item(), rel=1e-12)
    found = pair_weights(mann_whitney, scores, **knobs)
    torch.testing.assert_close(found, count * weight, rtol=1e-10, atol=1e-12 * count * weight.abs().max().item())


def test_bounds_one_minus_auc() -> None:
    scores = score(random_batch(40, 4))
    counted = scores.pos | scores.neg
    auc = roc_auc_score(scores.pos[counted].numpy(), scores.s[counted].numpy())
    bound = mann_whitney.loss(scores, temperature=0.2).item() / math.log(2)
    assert 0.5 < auc < 1.0
    assert 1.0 - auc <= bound


def test_a_shift_of_one_row_matters() -> None:
    """What InfoNCE cannot see (paper 12): one anchor's scores, all moved up by the same amount."""
    scores = score(random_batch(12, 3))
    shift = torch.zeros(12, 1, dtype=torch.float64)
    shift[0] = 0.5
    moved = Scores(scores.s + shift, scores.pos, scores.neg)
    assert abs(mann_whitney.loss(moved).item() - mann_whitney.loss(scores).item()) > 1e-3


def test_gradient_is_numerical() -> None:
    assert gradient_is_numerical(mann_whitney, score(random_batch(9, 3)), temperature=0.1)
