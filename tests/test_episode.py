"""Episodes: classes from masks, supports by place, prototypes from cosines against prototypes from points."""

import pytest
import torch
from torch.nn.functional import normalize

from models import episode
from models.geometry import Embeddings, score
from tests.losses import helpers


def test_classes_are_numbered_by_first_appearance() -> None:
    scores = score(
        Embeddings(torch.randn(6, 2, generator=torch.Generator().manual_seed(0)), torch.tensor([7, 3, 7, 9, 3, 7]))
    )
    assert episode.classes(scores).tolist() == [0, 1, 0, 2, 1, 0]


def test_classes_follow_instances() -> None:
    batch = helpers.two_views(4)
    assert episode.classes(score(batch)).tolist() == [0, 1, 2, 3, 0, 1, 2, 3]


@pytest.mark.parametrize(
    ("shot", "expected"),
    [(0, [1, 1, 1, 1, 1, 1]), (1, [1, 1, 0, 1, 0, 0]), (2, [1, 1, 1, 1, 1, 0]), (5, [1, 1, 1, 1, 1, 1])],
)
def test_supports_are_the_first_of_each_class(shot: int, expected: list[int]) -> None:
    y = torch.tensor([0, 1, 0, 2, 1, 0])
    assert episode.supports(y, shot).long().tolist() == expected


@pytest.mark.parametrize("shot", [0, 1, 2])
def test_distances_equal_those_of_points(shot: int) -> None:
    batch = helpers.random_batch(12, 4, seed=3)
    z = normalize(batch.z)
    to = episode.prototypes(score(batch), shot)
    y = episode.classes(score(batch))
    support = episode.supports(y, shot)
    checked = 0
    for i in range(12):
        for k in range(4):
            made_of = [j for j in range(12) if y[j] == k and support[j] and j != i]
            expected = ((z[i] - z[made_of].mean(dim=0)).square().sum() + 1e-6).sqrt().item()
            if to.query[i]:
                assert to.distance[i, k].item() == pytest.approx(expected, rel=1e-9)
                checked += 1
            assert to.own[i, k].item() == (y[i] == k).item()
    assert checked == 4 * (12 if shot == 0 else 12 - 4 * shot)


def test_a_lone_row_has_no_prototype_of_its_own() -> None:
    to = episode.prototypes(helpers.circle([0, 60, 90], [0, 0, 1]), shot=0)
    assert to.known.tolist() == [[True, True], [True, True], [True, False]]
    assert to.query.all()


def test_a_rounded_square_below_zero_is_a_zero_distance() -> None:
    square = torch.tensor([-1e-9, 0.0, 1.0], dtype=torch.float64, requires_grad=True)
    distance = episode.euclidean(square)
    assert distance.tolist() == pytest.approx([1e-3, 1e-3, 1.0000005], rel=1e-9)
    (gradient,) = torch.autograd.grad(distance.sum(), square)
    assert gradient.isfinite().all()
