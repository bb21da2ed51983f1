import math
from itertools import combinations

import pytest
import torch
from torch import Tensor

from models.geometry import Embeddings, Scores, score
from models.losses import cacr, infonce
from models.sensitivity import pair_weights
from tests.losses import helpers

SAMPLES = helpers.samples()
STORED = helpers.oracle_numbers("cacr")
VIEWS = torch.tensor(STORED["inputs"]["views"], dtype=torch.float64)  # (3, 8, 4)
SETTINGS = [
    {},
    {"t_plus": 3.0, "t_minus": 0.5, "beta": 0.4},
    {"form": "euclidean", "t_plus": 2.0, "t_minus": 5.0, "beta": 2.0},
    {"form": "rbf", "t_plus": 2.0, "t_minus": 5.0},
]


def share(exponents: list[float]) -> list[float]:
    powers = [math.exp(e) for e in exponents]
    return [p / sum(powers) for p in powers]


def small_scale(d: list[list[float]], group: list[int], t_plus: float, t_minus: float, beta: float) -> float:
    total = 0.0
    for i in range(len(group)):
        near, far = helpers.positives(i, group), helpers.negatives(i, group)
        total += sum(w * d[i][j] for w, j in zip(share([t_plus * d[i][j] for j in near]), near, strict=True))
        total -= beta * sum(w * d[i][k] for w, k in zip(share([-t_minus * d[i][k] for k in far]), far, strict=True))
    return total / len(group)


def of_keys(d: list[list[float]], group: list[int], form: str, knobs: tuple[float, float, float]) -> float:
    """Key by key: its queries share the pull, and each races (rbf) or is pushed from (euclidean) all other keys."""
    t_plus, t_minus, beta = knobs
    total = 0.0
    for key in range(len(group)):
        queries = helpers.positives(key, group)
        for weight, q in zip(share([t_plus * d[q][key] for q in queries]), queries, strict=True):
            others = helpers.negatives(q, group)
            if form == "rbf":
                # cosine / T at T = 1 / (2 t_minus) is -t_minus d up to a constant, which cancels
                own = math.exp(-t_minus * d[q][key])
                rivals = sum(math.exp(-t_minus * d[q][k]) for k in others)
                total += weight * -math.log(own / (own + rivals)) / (t_minus * len(group))
            else:
                pushed = zip(share([-t_minus * d[q][k] for k in others]), others, strict=True)
                total += weight * (d[q][key] / 2 - beta * sum(w * d[q][k] / 2 for w, k in pushed))
    return total


def oracle(
    batch: Embeddings, form: str = "small_scale", t_plus: float = 1.0, t_minus: float = 2.0, beta: float = 1.0
) -> float:
    s, group = helpers.plain(batch)
    d = [[2.0 - 2.0 * value for value in row] for row in s]
    if form == "small_scale":
        return small_scale(d, group, t_plus, t_minus, beta)
    return of_keys(d, group, form, (t_plus, t_minus, beta))


@pytest.mark.parametrize("detach", [False, True])
@pytest.mark.parametrize("knobs", SETTINGS)
@pytest.mark.parametrize("name", SAMPLES)
def test_equals_plain_loops(name: str, knobs: dict[str, float], detach: bool) -> None:
    found = cacr.loss(score(SAMPLES[name]), detach=detach, **knobs).item()
    assert found == pytest.approx(oracle(SAMPLES[name], **knobs), rel=1e-9, abs=1e-12)


def test_by_hand() -> None:
    # 0 | 90, 180 deg as negatives: squared distances 2 and 4, t_minus = log(3) / 2, so shares 3/4 and 1/4: push 2.5.
    # 0 | 60, 180 deg as positives: squared distances 1 and 4, t_plus = log(2) / 3, so shares 1/3 and 2/3: pull 3.
    knobs = {"t_plus": math.log(2) / 3, "t_minus": math.log(3) / 2}
    s = torch.tensor([[0.5, -1.0, 0.0, -1.0]], dtype=torch.float64)
    pos = torch.tensor([[True, True, False, False]])
    scores = Scores(s, pos, ~pos)
    assert cacr.loss(scores, **knobs).item() == pytest.approx(3.0 - 2.5, abs=1e-12)
    # Constant shares: 3/4 of the push falls on the negative at 90 deg, and d changes by -2 for each unit of cosine.
    weights = pair_weights(cacr, scores, detach=True, **knobs)[0]
    assert weights.tolist() == pytest.approx([-2 / 3, -4 / 3, 1.5, 0.5], abs=1e-12)


def test_by_hand_on_the_circle() -> None:
    # 0, 60 | 180 deg: pulls 1 and 1; pushes 4, 3 and (share of 3 against 4 at t_minus = log 3: 3/4) 3.25.
    value = cacr.loss(helpers.circle([0, 60, 180], [0, 0, 1]), t_minus=math.log(3)).item()
    assert value == pytest.approx((2 - 4 - 3 - 3.25) / 3, abs=1e-12)


def of_views(views: Tensor, **knobs: object) -> Tensor:
    """The published sum: a pull in each of all views, and one push for each pair of views, first against second."""
    count, items = views.shape[:2]
    item = torch.arange(items).repeat(count)
    rows = views.flatten(0, 1)
    same = (item[:, None] == item[None, :]) & ~torch.eye(len(rows), dtype=torch.bool)
    none = torch.zeros_like(same)
    value = cacr.loss(Scores(rows @ rows.T, same, none), **knobs)
    pairs = list(combinations(range(count), 2))
    other = ~torch.eye(items, dtype=torch.bool)
    for x, u in pairs:
        value = value + cacr.loss(Scores(views[x] @ views[u].T, torch.zeros_like(other), other), **knobs) / len(pairs)
    return value


@pytest.mark.parametrize(("name", "detach"), [("small_scale", False), ("detached", True)])
def test_small_scale_equals_stored_numbers(name: str, detach: bool) -> None:
    views = VIEWS.clone().requires_grad_()
    value = of_views(views, t_plus=1.0, t_minus=2.0, detach=detach)
    (gradient,) = torch.autograd.grad(value, views)
    assert value.item() == pytest.approx(STORED[name]["loss"], abs=1e-9)
    # Theirs is of |u - v|^2 with rows as they are, ours of 2 - 2 u.v: on unit rows they differ along the row only.
    stored = torch.tensor(STORED[name]["grad"], dtype=torch.float64)
    torch.testing.assert_close(tangent(gradient), tangent(stored), rtol=0, atol=1e-9)


def tangent(gradient: Tensor) -> Tensor:
    return gradient - (gradient * VIEWS).sum(dim=2, keepdim=True) * VIEWS


def test_parts_of_small_scale_equal_stored_numbers() -> None:
    stored = STORED["small_scale"]
    assert of_views(VIEWS, beta=0.0).item() == pytest.approx(stored["attraction"], abs=1e-9)
    assert stored["attraction"] + stored["repulsion"] == pytest.approx(of_views(VIEWS).item(), abs=1e-9)


@pytest.mark.parametrize(("form", "name"), [("euclidean", "imagenet_euclid_T1.0"), ("rbf", "imagenet_rbf_T1.0")])
def test_imagenet_forms_equal_stored_numbers(form: str, name: str) -> None:
    # Two views are queries, the third is the keys. The authors normalise the queries inside, hence the projection.
    queries, keys = VIEWS[:2].clone().requires_grad_(), VIEWS[2]
    unit = torch.nn.functional.normalize(queries, dim=2)
    pos = torch.eye(8, dtype=torch.bool).repeat(2, 1)
    value = cacr.loss(Scores(unit.flatten(0, 1) @ keys.T, pos, ~pos), form=form, t_plus=1.0, t_minus=0.5, detach=True)
    (gradient,) = torch.autograd.grad(value, queries)
    assert value.item() == pytest.approx(STORED[name]["loss"], abs=1e-9)
    torch.testing.assert_close(gradient, torch.tensor(STORED[name]["grad"], dtype=torch.float64), rtol=0, atol=1e-9)


def closed_form(scores: Scores, t_plus: float, t_minus: float, detach: bool) -> Tensor:
    """Signed weights of the small-scale form: -2 pi+ (1 + t_plus (d - mean)) and 2 pi- (1 - t_minus (d - mean)) / n."""
    d = 2.0 - 2.0 * scores.s
    pull, push = (
        torch.where(mask, rate * d, -torch.inf).softmax(dim=1).nan_to_num(0.0)
        for mask, rate in ((scores.pos, t_plus), (scores.neg, -t_minus))
    )
    lead = [0.0 if detach else d - (w * d).sum(dim=1, keepdim=True) for w in (pull, push)]
    return (-2.0 * pull * (1.0 + t_plus * lead[0]) + 2.0 * push * (1.0 - t_minus * lead[1])) / len(d)


@pytest.mark.parametrize("detach", [False, True])
@pytest.mark.parametrize("name", ["balanced", "views", "one anchor without positive"])
def test_weights_equal_closed_form(name: str, detach: bool) -> None:
    scores = score(SAMPLES[name])
    found = pair_weights(cacr, scores, t_plus=1.5, t_minus=3.0, detach=detach)
    torch.testing.assert_close(found, closed_form(scores, 1.5, 3.0, detach), rtol=1e-9, atol=1e-12)


def test_without_detach_far_negatives_are_attracted_and_near_positives_repelled() -> None:
    scores = score(SAMPLES["balanced"])
    moving, constant = (pair_weights(cacr, scores, t_plus=3.0, t_minus=3.0, detach=d) for d in (False, True))
    d = 2.0 - 2.0 * scores.s
    push = torch.where(scores.neg, -3.0 * d, -torch.inf).softmax(dim=1)
    far = scores.neg & (d > (push * d).sum(dim=1, keepdim=True) + 1.0 / 3.0)
    assert far.sum().item() > 100
    assert torch.equal(scores.neg & (moving < 0), far)
    assert (moving[scores.pos] > 0).any()
    assert (constant[scores.neg] > 0).all()
    assert (constant[scores.pos] < 0).all()


@pytest.mark.parametrize("form", ["euclidean", "rbf"])
def test_detached_imagenet_forms_pull_positives_and_push_negatives(form: str) -> None:
    scores = score(SAMPLES["balanced"])
    weights = pair_weights(cacr, scores, form=form, detach=True)
    assert (weights[scores.pos] < 0).all()
    assert (weights[scores.neg] > 0).all()
    assert not torch.allclose(weights, pair_weights(cacr, scores, form=form, detach=False))


def test_rbf_equals_infonce_with_one_positive() -> None:
    scores = score(helpers.two_views(9))
    assert (scores.pos.sum(dim=1) == 1).all()
    for t_minus in (0.5, 5.0):
        knobs = {"form": "rbf", "t_minus": t_minus}
        value = infonce.loss(scores, temperature=1 / (2 * t_minus)) / t_minus
        assert value.item() > 1e-3
        torch.testing.assert_close(cacr.loss(scores, **knobs), value, rtol=1e-12, atol=0)
        weights = pair_weights(infonce, scores, temperature=1 / (2 * t_minus)) / t_minus
        torch.testing.assert_close(pair_weights(cacr, scores, **knobs), weights, rtol=1e-9, atol=1e-12)


def test_t_plus_is_idle_with_one_positive_and_not_with_two() -> None:
    one, more = score(helpers.two_views(9)), score(SAMPLES["balanced"])
    torch.testing.assert_close(cacr.loss(one, t_plus=0.1), cacr.loss(one, t_plus=10.0), rtol=1e-12, atol=0)
    left, right = (pair_weights(cacr, one, t_plus=t) for t in (0.1, 10.0))
    assert left.abs().max().item() > 1e-3
    torch.testing.assert_close(left, right, rtol=1e-9, atol=1e-12)
    assert abs(cacr.loss(more, t_plus=0.1) - cacr.loss(more, t_plus=10.0)).item() > 1e-2


@pytest.mark.parametrize("form", cacr.FORMS)
def test_gradient_is_numerical(form: str) -> None:
    assert helpers.gradient_is_numerical(cacr, score(helpers.random_batch(10, 3)), form=form, t_minus=3.0)


@pytest.mark.parametrize("form", cacr.FORMS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_finite_on_degenerate_batches(dtype: torch.dtype, form: str) -> None:
    assert helpers.not_finite(cacr, dtype, form=form, t_plus=20.0, t_minus=20.0) == []
