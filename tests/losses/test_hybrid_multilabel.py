"""The hybrid multi-label loss against loops, NumPy, the stored oracle, a hand number, and its empty cases."""

import math

import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from models.losses import hybrid_multilabel
from models.objective import Objective
from models.spec import Context
from models.training.config import Part
from tests.losses.helpers import oracle_numbers
from tests.losses.tasks import logits_of, value_and_slope

NUMBERS = oracle_numbers("hybrid_multilabel")
GIVEN = {name: torch.tensor(rows, dtype=torch.float64) for name, rows in NUMBERS["inputs"].items()}
Y = torch.tensor([[1, 0, 1], [0, 1, 0], [0, 0, 0], [1, 1, 1], [0, 0, 1], [0, 0, 0]])


def by_hand(logits: list[list[float]], y: list[list[int]], z: list[list[float]], margin: float) -> tuple[float, ...]:
    """The three parts as loops: over items and labels, over labels and labels, over pairs of items."""
    n, c = len(y), len(y[0])
    p = [[1 / (1 + math.exp(-entry)) for entry in row] for row in logits]
    bce = 0.0
    for k in range(c):
        weight = min(10.0, n / (c * sum(row[k] for row in y)))
        for i in range(n):
            bce -= weight * math.log(p[i][k] if y[i][k] else 1 - p[i][k])

    def r(columns: list[list[float]], k: int, m: int) -> float:
        means = [sum(row[q] for row in columns) / n for q in (k, m)]
        pairs = [(row[k] - means[0], row[m] - means[1]) for row in columns]
        return sum(a * b for a, b in pairs) / math.sqrt(sum(a * a for a, _ in pairs) * sum(b * b for _, b in pairs))

    gap = sum((r(p, k, m) - r(y, k, m)) ** 2 for k in range(c) for m in range(c))
    near, count = 0.0, 0
    for j in range(n):
        for i in range(j):
            sets = [{k for k in range(c) if y[q][k]} for q in (i, j)]
            union = sets[0] | sets[1]
            t = len(sets[0] & sets[1]) / len(union) if union else 1.0
            d = math.dist([v / math.hypot(*z[i]) for v in z[i]], [v / math.hypot(*z[j]) for v in z[j]])
            near += t * d * d + (1 - t) * max(0.0, margin - d) ** 2
            count += 1
    return bce / (n * c), gap / c**2, near / count


@pytest.mark.parametrize(("correlation", "contrast", "margin"), [(0.1, 0.1, 0.5), (1.0, 0.0, 0.5), (0.3, 1.0, 1.7)])
def test_equals_the_loops(correlation: float, contrast: float, margin: float) -> None:
    logits, z = logits_of(6, 3), logits_of(6, 4, seed=1)
    parts = by_hand(logits.tolist(), Y.tolist(), z.tolist(), margin)
    expected = parts[0] + correlation * parts[1] + contrast * parts[2]
    value = hybrid_multilabel.loss(logits, Y, z, correlation=correlation, contrast=contrast, margin=margin)
    assert value.item() == pytest.approx(expected, rel=1e-9)


def test_equals_the_stored_numbers() -> None:
    """Value, the three parts, and both gradients; rows are normalised inside, so that of z is the tangential part."""
    logits, z = (GIVEN[name].clone().requires_grad_() for name in ("logits", "embeddings"))
    value = hybrid_multilabel.loss(logits, GIVEN["targets"], z)
    assert value.item() == pytest.approx(NUMBERS["loss"], abs=1e-9)
    of_logits, of_z = torch.autograd.grad(value, (logits, z))
    stored = {name: torch.tensor(rows, dtype=torch.float64) for name, rows in NUMBERS["grad"].items()}
    torch.testing.assert_close(of_logits, stored["logits"], rtol=0, atol=1e-8)
    raw = stored["embeddings"]
    torch.testing.assert_close(of_z, raw - (raw * z.detach()).sum(1, keepdim=True) * z.detach(), rtol=0, atol=1e-8)
    parts = NUMBERS["parts"]
    y = GIVEN["targets"]
    assert hybrid_multilabel.weighted_bce(logits, y).item() == pytest.approx(parts["weighted_bce"], abs=1e-9)
    assert hybrid_multilabel.correlation_gap(logits, y).item() == pytest.approx(parts["label_corr"], abs=1e-9)
    assert hybrid_multilabel.set_contrast(z, y, 0.5).item() == pytest.approx(parts["contrastive"], abs=1e-9)
    stored_corr = torch.tensor(parts["target_corr"], dtype=torch.float64)
    torch.testing.assert_close(hybrid_multilabel.pearson(y), stored_corr, rtol=0, atol=1e-8)


def test_correlations_are_those_of_numpy() -> None:
    columns = logits_of(20, 4)
    expected = torch.from_numpy(np.corrcoef(columns.numpy(), rowvar=False))
    torch.testing.assert_close(hybrid_multilabel.pearson(columns), expected)


def test_numbers_by_hand() -> None:
    """Two items, two labels, one each: weights 1; logits +-log 3 give 1/4 wrong and correlations +-1 as the labels.

    Rows at a right angle are sqrt 2 apart, and 2 - sqrt 2 short of the margin.
    """
    a = math.log(3.0)
    logits, y = torch.tensor([[a, -a], [-a, a]], dtype=torch.float64), torch.eye(2).double()
    z = torch.tensor([[3.0, 0.0], [0.0, 0.2]]).double()
    value = hybrid_multilabel.loss(logits, y, z, correlation=1.0, contrast=0.5, margin=2.0)
    assert value.item() == pytest.approx(-math.log(0.75) + 0.5 * (2 - math.sqrt(2)) ** 2, rel=1e-9)
    opposed = hybrid_multilabel.loss(-logits, y, correlation=1.0)
    assert opposed.item() == pytest.approx(math.log(4.0), rel=1e-6)


def test_without_the_other_parts_it_is_weighted_cross_entropy() -> None:
    logits = logits_of(6, 3)
    weight = 6 / (3 * Y.sum(0).double())
    expected = binary_cross_entropy_with_logits(logits, Y.double(), weight=weight)
    for z in (None, logits_of(6, 4)):
        value = hybrid_multilabel.loss(logits, Y, z, correlation=0.0, contrast=0.0)
        assert value.item() == pytest.approx(expected.item(), rel=1e-12)


def test_a_label_that_never_occurs_weighs_ten_and_correlates_with_nothing() -> None:
    y = Y.clone()
    y[:, 1] = 0
    logits = torch.zeros(6, 3).double()
    heavy = hybrid_multilabel.weighted_bce(logits, y.double()).item()
    weights = [6 / (3 * 2), 10.0, 6 / (3 * 3)]
    assert heavy == pytest.approx(math.log(2.0) * sum(weights) / 3, rel=1e-12)
    assert hybrid_multilabel.pearson(y.double())[1].abs().max().item() == 0.0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_finite_for_equal_rows_empty_sets_and_one_item(dtype: torch.dtype) -> None:
    cases = [(torch.ones(4, 3), torch.ones(4, 2), Y[:4]), (torch.randn(1, 3), torch.ones(1, 2), Y[:1])]
    cases.append((torch.zeros(4, 3), torch.zeros(4, 2), torch.zeros(4, 3)))
    for logits, z, y in cases:
        leaf = z.to(dtype).requires_grad_()
        value, slope = value_and_slope(hybrid_multilabel.loss, logits.to(dtype), y, leaf)
        assert math.isfinite(value)
        assert torch.isfinite(slope).all()
        (of_z,) = torch.autograd.grad(hybrid_multilabel.loss(logits.to(dtype), y, leaf), leaf)
        assert torch.isfinite(of_z).all()


def test_order_of_the_batch_does_not_matter_with_embeddings() -> None:
    logits, z, order = logits_of(6, 3), logits_of(6, 4, seed=1), torch.tensor([3, 0, 5, 1, 4, 2])
    value, slope = value_and_slope(hybrid_multilabel.loss, logits, Y, z)
    other, turned = value_and_slope(hybrid_multilabel.loss, logits[order], Y[order], z[order])
    assert other == pytest.approx(value, rel=1e-12)
    torch.testing.assert_close(turned, slope[order])
    assert abs(hybrid_multilabel.loss(logits, Y).item() - value) > 1e-3


def test_class_labels_are_refused() -> None:
    with pytest.raises(ValueError, match="Hybrid multi-label needs data whose items carry several labels"):
        Objective(Part("hybrid_multilabel"), Context(6, 10, 100))


RELATIONS = {
    "without correlation and contrast equals class-weighted binary cross-entropy": (
        test_without_the_other_parts_it_is_weighted_cross_entropy
    ),
}
