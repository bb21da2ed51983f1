"""Smooth adversarial training: besides the loss, the worst change of the margins within a small ball counts."""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from models.method_common import Hooks, Pool, Step
from models.spec import Context, Knob, MethodSpec, Paper

SPEC = MethodSpec(
    key="smooth_adversarial",
    name="Smooth adversarial term",
    place="scores",
    reads=("logits",),
    paper=Paper(
        "Mao, Mohri, Zhong",
        2023,
        "Cross-Entropy Loss Functions: Theoretical Analysis and Applications",
        arxiv="2304.07288",
        equation="smooth adversarial comp-sum loss",
        status="unverified (multi-class form recalled; the binary form was read second-hand)",
    ),
    knobs=(
        Knob("nu", 0.2, 0.0, 2.0, help="Weight of the worst change of the margins; 1 may make the net a constant."),
        Knob("rho", 1.0, 0.05, 20.0, log=True, help="The loss reads logits / rho: low demands less of a margin."),
        Knob("radius", 0.15, 0.0, 2.0, unit="of the items' numbers", help="Largest change of each number of an item."),
        Knob("attack", 5, 1, 40, unit="steps", help="Steps of the search for the worst change; each costs a pass."),
    ),
    formula=(
        r"\Phi\!\left(\sum_{k\ne y}e^{-\Delta_k(x)/\rho}\right)"
        r"+\nu\sup_{\|x'-x\|_\infty\le\gamma}\|\Delta(x')-\Delta(x)\|_2,\quad\Delta_k=h_y-h_k"
    ),
    when="The classifier must not change its mind under small changes of the item.",
    pitfall="Training costs as many passes more as the search has steps, and too high a nu ends in a constant net.",
    convention=(
        "Mean over items. The search climbs the norm itself by signed gradient steps of 2.5 radius / steps from a "
        "random start, because the gradient is zero at the item. The changed item may leave the range of the data. "
        "The comp-sum function is the chosen loss's; weights on the page are those of its own term."
    ),
)
_REACH = 2.5  # lengths of the radius that all steps of a search can go together


def margin_change(
    logits: Float[Tensor, "n c"], changed: Float[Tensor, "n c"], y: Int[Tensor, " n"]
) -> Float[Tensor, " n"]:
    """Length of the change of (h_y - h_k) over all k; that of k = y is zero. The gradient at no change is zero."""
    change = changed - logits
    length: Tensor = torch.linalg.vector_norm(change.gather(1, y[:, None]) - change, dim=1)
    return length


def worst(
    step: Step, logits: Float[Tensor, "n c"], y: Int[Tensor, " n"], *, radius: float, steps: int
) -> Float[Tensor, "n ..."]:
    """Items within `radius` of step.x in every number, at which the margins have changed most from `logits`."""
    x, rate = step.x, _REACH * radius / steps
    start = step.rng.uniform(-radius, radius, tuple(x.shape)).astype(np.float64)
    offset = torch.from_numpy(start).to(x)
    for _ in range(steps):
        moved = (x + offset).requires_grad_()
        change = margin_change(logits.detach(), _logits(step, moved), y).sum()
        (slope,) = torch.autograd.grad(change, moved)
        offset = (offset + rate * slope.sign()).clamp(-radius, radius)
    return x + offset


def _logits(step: Step, x: Tensor) -> Tensor:
    assert step.head is not None, "this method stands before losses that read logits"
    logits: Tensor = step.head(step.encoder(x))
    return logits


class Method(Hooks):
    """Has no state; every knob may be set at any time."""

    def __init__(
        self, context: Context, *, nu: float = 0.2, rho: float = 1.0, radius: float = 0.15, attack: int = 5
    ) -> None:
        super().__init__()
        self.nu, self.rho, self.radius, self.attack = nu, rho, radius, attack

    def change(self, pool: Pool, step: Step) -> list[Pool]:
        """Logits over rho."""
        return [replace(pool, scores=replace(pool.pairs, s=pool.pairs.s / self.rho))]

    def penalty(self, pool: Pool, step: Step) -> Tensor | None:
        """nu times the mean over items of the worst change of the margins; the gradient reaches both ends of it."""
        if self.nu == 0:
            return None
        logits, y = pool.pairs.s, pool.anchors.y
        changed = _logits(step, worst(step, logits, y, radius=self.radius, steps=self.attack))
        return self.nu * margin_change(logits, changed, y).mean()
