import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.geometry import Embeddings, Scores
from models.losses.cross_entropy import loss
from models.method_common import Pool, Step
from models.methods.smooth_adversarial import margin_change, worst
from models.training.run import Run
from tests.losses.helpers import oracle_numbers, random_batch
from tests.methods.helpers import Bench, made, moment
from tests.training.helpers import part, small

COMP_SUM = oracle_numbers("comp_sum_adversarial")


def test_literal_numbers() -> None:
    logits, changed = (
        torch.tensor(COMP_SUM[name], dtype=torch.float64, requires_grad=True) for name in ("logits", "adv_logits")
    )
    y = torch.tensor(COMP_SUM["labels"])
    value = loss(logits / COMP_SUM["rho"], y) + COMP_SUM["nu"] * margin_change(logits, changed, y).mean()
    value.backward()
    assert value.item() == pytest.approx(COMP_SUM["loss"], abs=1e-6)
    assert torch.allclose(logits.grad, torch.tensor(COMP_SUM["grad_logits"]).double(), atol=1e-6)
    assert torch.allclose(changed.grad, torch.tensor(COMP_SUM["grad_adv_logits"]).double(), atol=1e-6)


def oracle(logits: list[list[float]], changed: list[list[float]], y: list[int]) -> list[float]:
    """Length of the vector over k != y of (h'_y - h'_k) - (h_y - h_k)."""
    return [
        math.sqrt(sum(((b[own] - b[k]) - (a[own] - a[k])) ** 2 for k in range(len(a)) if k != own))
        for a, b, own in zip(logits, changed, y, strict=True)
    ]


def test_margin_change_by_plain_loops() -> None:
    rng = np.random.default_rng(0)
    before, after, y = rng.normal(size=(9, 5)), rng.normal(size=(9, 5)), rng.integers(0, 5, 9)
    found = margin_change(torch.from_numpy(before), torch.from_numpy(after), torch.from_numpy(y))
    assert found.tolist() == pytest.approx(oracle(before.tolist(), after.tolist(), y.tolist()), abs=1e-12)


def linear(weight: list[list[float]], x: Tensor) -> tuple[Step, Tensor]:
    """A step whose logits are a linear map of the items, and these logits."""
    head = nn.Linear(len(weight[0]), len(weight), bias=False).double()
    with torch.no_grad():
        head.weight.copy_(torch.tensor(weight))
    return replace(moment(x), head=head), head(x)


def test_by_hand() -> None:
    # Two classes, logits (x_1, 2 x_2): the margin is x_1 - 2 x_2 and within 0.1 changes by 0.1 + 2 * 0.1 = 0.3.
    x = torch.tensor([[0.4, 1.0], [-2.0, 0.3]], dtype=torch.float64)
    step, logits = linear([[1.0, 0.0], [0.0, 2.0]], x)
    y = torch.tensor([0, 1])
    found = worst(step, logits, y, radius=0.1, steps=5)
    assert step.head is not None
    assert margin_change(logits, step.head(found), y).tolist() == pytest.approx([0.3, 0.3], abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_the_search_finds_nearly_the_worst_corner(seed: int) -> None:
    """The norm is convex in a linear net's item, so the worst change is one of 64 corners; none may be beaten."""
    rng = np.random.default_rng(seed)
    weight, x = rng.normal(size=(4, 6)), torch.from_numpy(rng.normal(size=(12, 6)))
    y = torch.from_numpy(rng.integers(0, 4, 12))
    step, logits = linear(weight.tolist(), x)
    assert step.head is not None
    reached = margin_change(logits, step.head(worst(step, logits, y, radius=0.2, steps=20)), y)
    corners = [x + 0.2 * torch.tensor(corner, dtype=torch.float64) for corner in product((-1.0, 1.0), repeat=6)]
    best = torch.stack([margin_change(logits, step.head(corner), y) for corner in corners]).max(dim=0).values
    assert (reached <= best + 1e-9).all()
    assert (reached / best).mean() > 0.9


def test_the_changed_item_stays_in_the_ball_and_starts_by_chance() -> None:
    x = random_batch(8, 2).z
    step, logits = linear(np.random.default_rng(0).normal(size=(3, 6)).tolist(), x)
    y = torch.arange(8) % 3
    one, other = (worst(replace(step, rng=np.random.default_rng(k)), logits, y, radius=0.3, steps=1) for k in (0, 1))
    assert (one - x).abs().max() <= 0.3 + 1e-12
    assert not torch.equal(one, other)


def test_the_loss_reads_logits_over_rho_and_the_term_is_added() -> None:
    batch = random_batch(10, 3, d=4)
    values = {}
    for name, knobs in {
        "bare": {"nu": 0.0},
        "half": {"nu": 0.5},
        "one": {"nu": 1.0},
        "soft": {"nu": 0.0, "rho": 4.0},
    }.items():
        bench = Bench("smooth_adversarial", 4, **knobs)
        logits = bench.objective.head(bench.encoder(batch.z)).detach()  # type: ignore[misc]
        values[name] = bench.step(batch)[0].item()
    assert values["bare"] == pytest.approx(loss(logits, batch.y).item(), abs=1e-9)
    assert values["soft"] == pytest.approx(loss(logits / 4.0, batch.y).item(), abs=1e-9)
    assert values["one"] - values["bare"] == pytest.approx(2 * (values["half"] - values["bare"]), abs=1e-9)
    assert values["half"] > values["bare"]


def test_no_radius_no_term_and_its_gradient_is_zero() -> None:
    x = random_batch(5, 2).z
    step, _ = linear(np.random.default_rng(0).normal(size=(3, 6)).tolist(), x)
    assert step.head is not None
    logits = step.head(x)
    y = torch.arange(5) % 3
    pool = Pool(Embeddings(x, y), None, Scores(logits, torch.eye(3)[y].bool(), ~torch.eye(3)[y].bool()))
    term = made("smooth_adversarial", 6, radius=0.0).penalty(pool, step)
    assert term is not None
    (slope,) = torch.autograd.grad(term, step.head.weight)  # type: ignore[arg-type]
    assert term.item() == 0
    assert (slope == 0).all()


def shaken(run: Run) -> tuple[float, float]:
    """Accuracy on items as they are, and on the worst of what an attack of ten steps within 0.15 finds."""
    seen = run.data.probe[run.data.probe_seen]
    x, y = torch.from_numpy(run.data.source.x[seen]), torch.from_numpy(run.data.source.y[seen])
    step = replace(moment(x, run.encoder), head=run.objective.head)
    assert step.head is not None
    logits = step.head(run.encoder(x))
    after = step.head(run.encoder(worst(step, logits, y, radius=0.15, steps=10)))
    return tuple((out.argmax(1) == y).float().mean().item() for out in (logits, after))  # type: ignore[return-value]


def test_a_net_trained_with_it_keeps_its_mind_better() -> None:
    """On digits, where each attacked number is a grey value from 0 to 1."""
    digits = {"data": part("digits"), "encoder": part("mlp"), "sampler": part("balanced", batch=64)}
    bare, with_term = (
        Run(small("cross_entropy", **digits)),
        Run(small("cross_entropy", **digits, methods=(part("smooth_adversarial", nu=0.1),))),
    )
    bare.advance(250)
    with_term.advance(250)
    (clean, attacked), (clean_with, attacked_with) = shaken(bare), shaken(with_term)
    assert clean > 0.8
    assert clean_with > clean - 0.05
    assert attacked_with > attacked + 0.05
