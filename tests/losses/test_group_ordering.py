import math

import pytest
import torch
from torch import Tensor

from models.geometry import Embeddings, Scores, score, unit
from models.losses import group_ordering
from models.sensitivity import pair_weights
from models.spec import Counts
from tests.losses import helpers

SAMPLES = helpers.samples()
STORED = helpers.oracle_numbers("groco")


def soft_sort(values: list[float], steepness: float) -> tuple[list[float], list[list[float]]]:
    """Odd-even transposition, one comparison at a time: sorted values and the matrix of inputs (rows) to ranks."""
    x, n = list(values), len(values)
    matrix = [[float(row == column) for column in range(n)] for row in range(n)]
    for layer in range(n):
        for i in range(layer % 2, n - 1, 2):
            keep = math.atan(steepness * (x[i + 1] - x[i])) / math.pi + 0.5
            x[i], x[i + 1] = keep * x[i] + (1 - keep) * x[i + 1], (1 - keep) * x[i] + keep * x[i + 1]
            for row in matrix:
                row[i], row[i + 1] = keep * row[i] + (1 - keep) * row[i + 1], (1 - keep) * row[i] + keep * row[i + 1]
    return x, matrix


def both_entropies(low: list[float], high: list[float], steepness: float) -> float:
    """Half the sum of two binary cross-entropies, of belonging to the positives and of belonging to the negatives."""
    k, n = len(low), len(low) + len(high)
    _, matrix = soft_sort([*low, *high], steepness)
    total = 0.0
    for j, row in enumerate(matrix):
        in_low, in_high = min(sum(row[:k]), 1.0), min(sum(row[k:]), 1.0)
        right, wrong = (in_low, in_high) if j < k else (in_high, in_low)
        total += 0.5 * (-math.log(right) - math.log(1.0 - wrong))
    return total / n


def oracle(s: list[list[float]], group: list[int], steepness: float, hardest: int, positives: int) -> float:
    total = 0.0
    for i in range(len(group)):
        low = sorted(s[i][k] for k in helpers.negatives(i, group))[-hardest:]
        high = sorted(s[i][j] for j in helpers.positives(i, group))[:positives]
        total += both_entropies(low, high, steepness) if low and high else 0.0
    return total / len(group)


@pytest.mark.parametrize(
    "knobs", [(1.0, 10, 10), (10.0, 10, 10), (1.0, 3, 10), (3.0, 4, 2), (0.1, 1, 1), (3.0, 20, 15)]
)
@pytest.mark.parametrize("name", SAMPLES)
def test_equals_plain_loops(name: str, knobs: tuple[float, int, int]) -> None:
    expected = oracle(*helpers.plain(SAMPLES[name]), *knobs)
    steepness, hardest, positives = knobs
    found = group_ordering.loss(score(SAMPLES[name]), steepness=steepness, hardest=hardest, positives=positives).item()
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_the_loops_equal_the_stored_sort() -> None:
    stored = STORED["sort_example"]  # from the authors' sorting library
    x, matrix = soft_sort(stored["x"], stored["steepness"])
    assert x == pytest.approx(stored["soft_sorted"], abs=1e-6)
    flat = [value for row in matrix for value in row]
    assert flat == pytest.approx(
        [value for row in stored["perm_matrix_rows_are_inputs_cols_are_ranks"] for value in row], abs=1e-6
    )


def test_by_hand() -> None:
    # 0, 60 | 180 deg: the first anchor has its pair at 1/2 and -1, -log(arctan(3/2) / pi + 1/2) = 0.207230; the second
    # at 1/2 and -1/2, -log(3/4) = 0.287682; the third has no positive and counts as zero.
    value = group_ordering.loss(helpers.circle([0, 60, 180], [0, 0, 1])).item()
    assert value == pytest.approx((0.207230 + 0.287682) / 3, abs=1e-6)


def views_of(case: dict[str, object], z: Tensor) -> Scores:
    """As published: negatives from the anchor's own view, no gradient at the candidate; row 2 b + v is view v of b."""
    rows = torch.arange(len(z))
    item, view = rows // 2, rows % 2
    same, mine = item[:, None] == item[None, :], view[:, None] == view[None, :]
    assert case["rows_of_Z_per_view"] == [rows[view == v].tolist() for v in (0, 1)]
    return Scores(unit(z) @ unit(z).detach().T, same & ~mine, ~same & mine)


@pytest.mark.parametrize("number", range(len(STORED["cases"])))
def test_equals_stored_numbers(number: int) -> None:
    case = STORED["cases"][number]
    z = torch.tensor(STORED["inputs"]["Z"], dtype=torch.float64, requires_grad=True)
    steepness, hardest = (case["hyperparameters"][name] for name in ("steepness", "topk_neg"))
    value = group_ordering.loss(views_of(case, z), steepness=steepness, hardest=hardest)
    (gradient,) = torch.autograd.grad(value, z)
    assert value.item() == pytest.approx(case["loss"], abs=1e-9)
    stored = torch.tensor(case["grad_wrt_views"], dtype=torch.float64)  # (2, 4, 4)
    torch.testing.assert_close(gradient.view(4, 2, 4).transpose(0, 1), stored, rtol=0, atol=1e-8)


@pytest.mark.parametrize(
    ("steepness", "hardest", "floor", "chance", "worst"),
    [(1.0, 10, 0.147, 0.202, 0.264), (10.0, 10, 0.0148, 0.202, 0.476), (1.0, 5, 0.167, 0.3235, 0.487)],
)
def test_range_of_one_positive(steepness: float, hardest: int, floor: float, chance: float, worst: float) -> None:
    for gap, expected in ((2.0, floor), (0.0, chance), (-2.0, worst)):
        s = torch.full((1, hardest + 1), -gap / 2, dtype=torch.float64)
        s[0, 0] = gap / 2
        pos = torch.arange(hardest + 1)[None] == 0
        value = group_ordering.loss(Scores(s, pos, ~pos), steepness=steepness, hardest=hardest).item()
        assert value == pytest.approx(expected, abs=6e-4)


def test_level_knows_how_many_are_kept() -> None:
    (level,) = [level for level in group_ordering.SPEC.levels if level.name == "chance"]
    scores = score(SAMPLES["one class large"])
    counts = Counts(scores.pos.sum(1).numpy(), scores.neg.sum(1).numpy(), 4)
    for knobs in ({"steepness": 2.0, "hardest": 3, "positives": 2}, {"steepness": 2.0, "hardest": 50, "positives": 50}):
        flat = Scores(torch.zeros_like(scores.s), scores.pos, scores.neg)
        assert level.value(counts, knobs) == pytest.approx(group_ordering.loss(flat, **knobs).item(), rel=1e-9)


@pytest.mark.parametrize("hardest", [1, 4])
def test_only_the_kept_pairs_have_weight(hardest: int) -> None:
    scores = score(SAMPLES["balanced"])
    weight = pair_weights(group_ordering, scores, hardest=hardest, positives=2)
    moved = weight != 0
    assert ((moved & scores.neg).sum(dim=1) == hardest).all()
    assert ((moved & scores.pos).sum(dim=1) == 2).all()
    assert not (moved & ~(scores.pos | scores.neg)).any()
    for row in range(len(weight)):
        kept, rest = scores.s[row][moved[row] & scores.neg[row]], scores.s[row][~moved[row] & scores.neg[row]]
        assert kept.min().item() > rest.max().item()
        near, far = scores.s[row][~moved[row] & scores.pos[row]], scores.s[row][moved[row] & scores.pos[row]]
        assert far.max().item() < near.min().item()


def test_steepness_ends_the_pull_once_the_order_is_right() -> None:
    # One positive at 1, ten negatives at -1, against a middling row; in units of one anchor's loss.
    pull = {}
    for steepness in (1.0, 10.0):
        for name, positive, negative in (("ordered", 1.0, -1.0), ("equal", 0.3, 0.3)):
            s = torch.full((1, 11), negative, dtype=torch.float64)
            s[0, 0] = positive
            pos = torch.arange(11)[None] == 0
            weight = pair_weights(group_ordering, Scores(s, pos, ~pos), steepness=steepness)
            pull[steepness, name] = -weight[0, 0].item()
    assert pull[1.0, "ordered"] > 0.5 * pull[1.0, "equal"]
    assert 0 < pull[10.0, "ordered"] < 0.1 * pull[10.0, "equal"]


def test_only_a_steep_sort_pushes_some_positives_and_attracts_some_negatives() -> None:
    scores = score(helpers.random_batch(16, 4))
    soft, steep = (pair_weights(group_ordering, scores, steepness=steepness) for steepness in (1.0, 100.0))
    assert (soft[scores.pos] < 0).all()
    assert (soft[scores.neg] >= 0).all()
    assert (steep[scores.pos] > 1e-3).any()
    assert (steep[scores.neg] < -1e-3).any()
    assert steep[scores.pos].sum().item() < 0 < steep[scores.neg].sum().item()  # not as a whole


def test_equals_one_cauchy_probability_with_one_of_each() -> None:
    s = torch.rand(12, 5, generator=torch.Generator().manual_seed(3), dtype=torch.float64) * 2 - 1
    column = torch.arange(5).repeat(12, 1)
    for steepness in (0.5, 20.0):
        expected = -((steepness * (s[:, 1] - s[:, 3])).atan() / math.pi + 0.5).log().mean()
        found = group_ordering.loss(Scores(s, column == 1, column == 3), steepness=steepness)
        assert expected.item() > 0.1
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", ["balanced", "many classes", "one class large", "views"])
@pytest.mark.parametrize("knobs", [{}, {"steepness": 8.0, "hardest": 3, "positives": 2}])
def test_gradient_is_numerical(name: str, knobs: dict[str, float]) -> None:
    assert helpers.gradient_is_numerical(group_ordering, score(SAMPLES[name]), **knobs)


def test_single_precision_holds_a_small_mass() -> None:
    # Upside down and steep: a negative's mass on the ranks of the negatives is far below what 1 - mass could show.
    degrees, labels = [0, 180, *[float(d) for d in range(1, 9)]], [0, 0, *range(1, 9)]
    batch = helpers.on_circle(degrees, labels)
    single = Embeddings(batch.z.float(), batch.y)
    value, gradient = helpers.value_and_gradient(group_ordering, single, steepness=100.0)
    expected, slope = helpers.value_and_gradient(group_ordering, batch, steepness=100.0)
    assert value == pytest.approx(expected, rel=1e-4)
    torch.testing.assert_close(gradient.double(), slope, rtol=1e-2, atol=1e-3 * slope.abs().max().item())


def test_not_a_number_is_not_hidden() -> None:
    scores = helpers.circle([0, 60, 90], [0, 0, 1])
    spoiled = scores.s.clone()
    spoiled[1, 2] = math.nan
    assert math.isnan(group_ordering.loss(Scores(spoiled, scores.pos, scores.neg)).item())


@pytest.mark.parametrize("steepness", [1.0, 100.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_finite_on_degenerate_batches(dtype: torch.dtype, steepness: float) -> None:
    assert helpers.not_finite(group_ordering, dtype, steepness=steepness) == []
