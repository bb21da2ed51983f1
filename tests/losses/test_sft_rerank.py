import math

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from models.geometry import Scores, score
from models.losses import binomial_deviance, infonce, sft_rerank
from models.sensitivity import pair_weights
from tests.losses import helpers

SAMPLES = helpers.samples()
STORED = helpers.oracle_numbers("sft_vs_cl")
HIDDEN, YES, NO = (torch.tensor(STORED["inputs"][name], dtype=torch.float64) for name in ("hidden", "M_yes", "M_no"))
DIRECTION = {"cl": YES, "sft": YES - NO}


def sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x))


def oracle(s: list[list[float]], group: list[int], temperature: float, reduction: str) -> float:
    total = 0.0
    for i in range(len(group)):
        terms = [-math.log(sigmoid(s[i][j] / temperature)) for j in helpers.positives(i, group)]
        terms += [-math.log(1.0 - sigmoid(s[i][k] / temperature)) for k in helpers.negatives(i, group)]
        total += sum(terms) / (max(len(terms), 1) if reduction == "mean" else 1)
    return total / len(group)


def query(hidden: torch.Tensor, direction: torch.Tensor) -> Scores:
    """One query and its documents, the first of them relevant."""
    s = (hidden @ direction)[None]
    pos = torch.tensor([[True] + [False] * (len(hidden) - 1)])
    return Scores(s, pos, ~pos)


@pytest.mark.parametrize("reduction", sft_rerank.REDUCTIONS)
@pytest.mark.parametrize("temperature", [0.05, 1.0, 4.0])
@pytest.mark.parametrize("name", SAMPLES)
def test_equals_plain_loops(name: str, temperature: float, reduction: str) -> None:
    expected = oracle(*helpers.plain(SAMPLES[name]), temperature, reduction)
    found = sft_rerank.loss(score(SAMPLES[name]), temperature=temperature, reduction=reduction).item()
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_by_hand() -> None:
    # 0, 0 | 90 deg, T = 1: a positive at cosine 1 costs log(1 + 1/e) = 0.313262, each negative at 0 log 2 = 0.693147.
    # Anchors one and two have one of each, the third two negatives: (2 * 1.006409 + 1.386294) / 3.
    value = sft_rerank.loss(helpers.circle([0, 0, 90], [0, 0, 1])).item()
    assert value == pytest.approx(1.133037, abs=1e-6)


def test_equals_stored_numbers() -> None:
    hidden = HIDDEN.clone().requires_grad_()
    value = sft_rerank.loss(query(hidden, YES - NO))
    (gradient,) = torch.autograd.grad(value, hidden)
    assert value.item() == pytest.approx(STORED["loss"]["SFT"], abs=1e-9)
    torch.testing.assert_close(gradient, torch.tensor(STORED["grad"]["SFT"], dtype=torch.float64), rtol=0, atol=1e-9)


def test_infonce_is_the_other_side_of_the_stored_numbers() -> None:
    hidden = HIDDEN.clone().requires_grad_()
    value = infonce.loss(query(hidden, YES), temperature=1.0)
    (gradient,) = torch.autograd.grad(value, hidden)
    assert value.item() == pytest.approx(STORED["loss"]["CL"], abs=1e-9)
    torch.testing.assert_close(gradient, torch.tensor(STORED["grad"]["CL"], dtype=torch.float64), rtol=0, atol=1e-9)


@pytest.mark.parametrize("weight", ["cl", "sft"])
def test_weights_equal_stored_numbers(weight: str) -> None:
    found = sft_rerank.WEIGHTS[weight](query(HIDDEN, DIRECTION[weight]))
    assert found[0].tolist() == pytest.approx(STORED["weights"][weight.upper()], abs=1e-9)


@pytest.mark.parametrize("direction", ["cl", "sft"])
@pytest.mark.parametrize("weight", ["cl", "sft"])
def test_four_products_equal_stored_numbers(weight: str, direction: str) -> None:
    hidden = HIDDEN.clone().requires_grad_()
    w = sft_rerank.WEIGHTS[weight](query(hidden, DIRECTION[weight]))
    value = sft_rerank.weight_by_direction(w, query(hidden, DIRECTION[direction]))
    (gradient,) = torch.autograd.grad(value, hidden)
    expected = STORED["combos"][f"W_{weight.upper()}_D_{direction.upper()}"]
    torch.testing.assert_close(gradient, torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", ["balanced", "views", "one class large", "one anchor without positive"])
def test_weights_are_the_slopes_of_the_two_losses(name: str) -> None:
    # A sum over documents and over races: the mean's divisor taken back. Minus at positives, plus at negatives.
    scores = score(SAMPLES[name])
    sign = scores.neg.double() - scores.pos.double()
    own = len(scores.s) * pair_weights(sft_rerank, scores)
    race = scores.pos.sum() * pair_weights(infonce, scores, temperature=1.0)
    torch.testing.assert_close(sign * sft_rerank.own_weights(scores), own, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(sign * sft_rerank.race_weights(scores), race, rtol=1e-9, atol=1e-12)


def test_a_race_pulls_as_much_as_it_pushes_and_single_answers_do_not() -> None:
    scores = score(SAMPLES["views"])
    race, own = sft_rerank.race_weights(scores), sft_rerank.own_weights(scores)
    balance = [(torch.where(scores.pos, w, -w) * (scores.pos | scores.neg)).sum(dim=1) for w in (race, own)]
    assert balance[0].abs().max().item() < 1e-12
    assert balance[1].abs().min().item() > 1.0
    assert own.sum().item() > race.sum().item()


def test_probes_of_constant_weight() -> None:
    # Probabilities 0.95, 0.4 of two positives, 0.5, 0.02 of two negatives; the last pair does not count.
    chance = torch.tensor([[0.95, 0.4, 0.5, 0.02, 0.5]], dtype=torch.float64)
    pos = torch.tensor([[True, True, False, False, False]])
    neg = torch.tensor([[False, False, True, True, False]])
    logits = Scores(chance.logit(), pos, neg)
    assert sft_rerank.constant_weights(logits).tolist() == [[1, 1, 1, 1, 0]]
    assert sft_rerank.masked_weights(logits, 0.1).tolist() == [[0, 1, 1, 0, 0]]
    assert sft_rerank.masked_weights(logits, 0.01).tolist() == [[1, 1, 1, 1, 0]]
    assert set(sft_rerank.WEIGHTS) == {"sft", "cl", "constant", "masked"}


def test_direction_carries_the_gradient_and_weight_none() -> None:
    scores = score(SAMPLES["balanced"])
    s = scores.s.clone().requires_grad_()
    w = s.square()  # a weight with a graph of its own, which must be cut
    value = sft_rerank.weight_by_direction(w, Scores(s, scores.pos, scores.neg))
    (gradient,) = torch.autograd.grad(value, s)
    sign = scores.neg.double() - scores.pos.double()
    torch.testing.assert_close(gradient, sign * w.detach() / len(s), rtol=1e-12, atol=0)


def test_mean_equals_binary_cross_entropy() -> None:
    batch = SAMPLES["balanced"]
    scores = score(batch)
    counted = scores.pos | scores.neg
    expected = binary_cross_entropy_with_logits(scores.s[counted] / 0.3, scores.pos[counted].double()).item()
    found = sft_rerank.loss(scores, temperature=0.3, reduction="mean").item()
    assert found == pytest.approx(expected, rel=1e-12)  # every anchor has 23 documents


def test_equals_binomial_deviance_with_one_pair_of_each() -> None:
    s = torch.rand(12, 5, generator=torch.Generator().manual_seed(3), dtype=torch.float64) * 2 - 1
    column = torch.arange(5).repeat(12, 1)
    scores = Scores(s, column == 1, column == 3)
    for temperature in (0.1, 1.0):
        knobs = {"alpha": 1 / temperature, "beta": 1 / temperature, "threshold": 0.0}
        left, right = sft_rerank.loss(scores, temperature=temperature), binomial_deviance.loss(scores, **knobs)
        assert right.item() > 0.1
        torch.testing.assert_close(left, right, rtol=1e-12, atol=0)
        weights = pair_weights(binomial_deviance, scores, **knobs)
        torch.testing.assert_close(pair_weights(sft_rerank, scores, temperature=temperature), weights)


@pytest.mark.parametrize("reduction", sft_rerank.REDUCTIONS)
def test_gradient_is_numerical(reduction: str) -> None:
    scores = score(helpers.random_batch(10, 3))
    assert helpers.gradient_is_numerical(sft_rerank, scores, temperature=0.2, reduction=reduction)


@pytest.mark.parametrize("reduction", sft_rerank.REDUCTIONS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_finite_on_degenerate_batches(dtype: torch.dtype, reduction: str) -> None:
    assert helpers.not_finite(sft_rerank, dtype, reduction=reduction, temperature=0.01) == []
