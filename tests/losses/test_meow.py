"""MEOW against loops, the stored oracle, hand numbers and scikit-learn's k-means."""

import math

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from models.geometry import Embeddings, Scores, score, unit
from models.losses import meow
from models.sensitivity import pair_weights
from tests.losses.helpers import circle, gradient_is_numerical, oracle_numbers, random_batch, samples

SAMPLES = samples()


def by_hand(scores: Scores, clusterings: list[list[int]], temperature: float, floor: float) -> float:
    """The weighted sums as loops over positives and negatives."""
    terms = []
    for i, row in enumerate(scores.s.tolist()):
        rivals = 0.0
        for k in (k for k in range(len(row)) if scores.neg[i, k]):
            gamma = sum(c[i] != c[k] for c in clusterings) + floor
            rivals += gamma * math.exp(row[k] / temperature)
        for j in (j for j in range(len(row)) if scores.pos[i, j] and rivals > 0):
            terms.append(-math.log(math.exp(row[j] / temperature) / rivals))
    return sum(terms) / max(len(terms), 1)


def k_means_by_hand(rows: list[list[float]], centres: list[list[float]]) -> list[int]:
    """Lloyd's rounds on the rows themselves, from given centres."""
    own: list[int] = []
    for _ in range(20):
        squares = [[math.dist(row, centre) ** 2 for centre in centres] for row in rows]
        own = [square.index(min(square)) for square in squares]
        for k in set(own):
            members = [row for row, mine in zip(rows, own, strict=True) if mine == k]
            centres[k] = [sum(column) / len(members) for column in zip(*members, strict=True)]
    return own


@pytest.mark.parametrize("floor", [0.0, 0.3])
@pytest.mark.parametrize("name", SAMPLES)
def test_equals_the_loops(name: str, floor: float) -> None:
    scores = score(SAMPLES[name])
    clusterings = [meow.clusters(scores.s, count).tolist() for count in (3, 6)]
    value = meow.loss(scores, temperature=0.2, coarse=3, fine=6, floor=floor).item()
    assert value == pytest.approx(by_hand(scores, clusterings, 0.2, floor), rel=1e-9, abs=1e-12)


def test_equals_the_oracle_with_its_gradients() -> None:
    stored = oracle_numbers("meow_infonce")
    towers = [
        torch.tensor(stored["inputs"][name], dtype=torch.float64, requires_grad=True)
        for name in ("anchor_coarse", "other_fine")
    ]
    instance = torch.arange(8)
    scores = score(*(Embeddings(z, instance, instance) for z in towers))
    weight = meow.parted([torch.tensor(c) for c in stored["inputs"]["clusterings"]]).double()
    value = meow.weighted(scores, weight, stored["hyperparameters"]["tau"])
    assert value.item() == pytest.approx(stored["loss"], abs=1e-9)
    for z, grad, name in zip(towers, torch.autograd.grad(value, towers), ("anchor", "other"), strict=True):
        raw = torch.tensor(stored["grad"][name], dtype=torch.float64)
        tangent = raw - (raw * z).sum(1, keepdim=True) * z  # the oracle does not normalise inside
        torch.testing.assert_close(grad, tangent.detach(), atol=1e-7, rtol=0)


def test_a_number_checked_by_hand() -> None:
    """Classes at 0 and 10, 180 and 190 degrees, T = 1: two clusters part them once in each of the two clusterings.

    Every anchor has its negatives at 180 degrees and 10 degrees short of it: log(2 (e^-1 + e^-cos 10)) - cos 10.
    """
    scores = circle([0, 10, 180, 190], [0, 0, 1, 1])
    # log(2 (0.367879 + 0.373508)) - 0.984808 = -0.590888
    value = meow.loss(scores, temperature=1.0, coarse=2, fine=2).item()
    assert value == pytest.approx(-0.590888, abs=1e-6)


def test_is_the_race_of_all_negatives_where_every_item_is_its_own_cluster() -> None:
    """The weights are then 2 everywhere: log 2 + LSE of the negatives - the positive, all over T."""
    scores = score(random_batch(12, 3))
    value = meow.loss(scores, temperature=0.3, coarse=12, fine=12)
    lse = (scores.s / 0.3).masked_fill(~scores.neg, -torch.inf).logsumexp(1, keepdim=True)
    expected = (math.log(2) + lse - scores.s / 0.3)[scores.pos].mean()
    assert abs(expected.item()) > 1e-3
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("count", [2, 5, 9])
def test_clusters_equal_lloyd_on_the_rows(count: int) -> None:
    rows = unit(random_batch(40, 6, spread=0.8, seed=count).z)
    gram = rows @ rows.T
    start = rows[meow._spread(gram, count)].tolist()
    assert len(start) == count
    assert meow.clusters(gram, count).tolist() == k_means_by_hand(rows.tolist(), start)


def test_clusters_are_about_as_tight_as_the_best_of_the_library() -> None:
    rows = unit(random_batch(80, 6, spread=0.6, seed=3).z)
    ours = meow.clusters(rows @ rows.T, 6).numpy()
    theirs = KMeans(6, n_init=10, random_state=0).fit(rows.numpy())
    within = sum(np.square(rows.numpy()[ours == k] - rows.numpy()[ours == k].mean(0)).sum() for k in set(ours))
    assert within < 1.15 * theirs.inertia_
    easy = random_batch(60, 4, spread=0.02, seed=1)
    assert adjusted_rand_score(easy.y.numpy(), meow.clusters(score(easy).s, 4).numpy()) == 1.0


def test_one_place_is_one_cluster() -> None:
    assert meow.clusters(torch.ones(5, 5), 3).unique().tolist() == [0]


def test_what_shares_both_clusters_is_not_pushed() -> None:
    """A negative at the anchor's own place has the highest score and no weight: a false negative is spared."""
    scores = circle([0, 2, 4, 120, 240], [0, 0, 1, 2, 3])
    weight = pair_weights(meow, scores, coarse=2, fine=3)
    assert weight[0, 2].item() == 0.0
    assert weight[0, 3].item() > 0.0
    assert pair_weights(meow, scores, coarse=2, fine=3, floor=0.5)[0, 2].item() > weight[0, 3].item()


def test_pull_is_constant() -> None:
    """Every positive pair: one over temperature times the number of pairs, however near it is."""
    scores = score(random_batch(12, 3))
    weight = pair_weights(meow, scores, temperature=0.4)
    expected = -1.0 / (0.4 * int(scores.pos.sum()))
    assert weight[scores.pos].numpy() == pytest.approx(expected)


def test_gradient_is_numerical() -> None:
    assert gradient_is_numerical(meow, score(random_batch(9, 3)), temperature=0.4, coarse=2, fine=4)
