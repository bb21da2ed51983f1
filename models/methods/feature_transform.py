"""Feature transformation: positives are drawn further apart and negatives mixed with each other before the loss."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from models.geometry import unit
from models.method_common import Hooks, Pool, Step
from models.spec import Context, Knob, MethodSpec, Paper

SPEC = MethodSpec(
    key="feature_transform",
    name="Feature transformation",
    place="scores",
    reads=("scores",),
    paper=Paper(
        "Zhu et al.",
        2021,
        "Improving Contrastive Learning by Visualizing Feature Transformation",
        arxiv="2108.02982",
        equation="positive extrapolation, negative interpolation",
        status="verified (code)",
    ),
    knobs=(
        Knob("extrapolation", 2.0, 0.0, 10.0, help="Shape a of lambda_ex = 1 + Beta(a, a), one a step; 0: off."),
        Knob("interpolation", 1.6, 0.0, 10.0, help="Shape a of lambda_in = Beta(a, a), one a step; 0: off."),
        Knob("begin", 0, 0, 1_000_000, unit="steps", help="Training steps before it sets in."),
    ),
    formula=(
        r"\hat q=\lambda_{ex}q+(1-\lambda_{ex})k,\quad\hat k=\lambda_{ex}k+(1-\lambda_{ex})q,\quad"
        r"\hat Q_j=\lambda_{in}Q_j+(1-\lambda_{in})Q_{\pi(j)}"
    ),
    when="With a large queue, to give harder positives and more varied negatives at no cost.",
    pitfall=(
        "It amplifies the pull on positives 2.6-fold on average and the push on negatives 1.5-fold only: with a small "
        "queue the embedding may collapse. Scores leave [-1, 1]."
    ),
    convention=(
        "Mixed rows are not scaled to length 1 again, and negatives are scored with the extrapolated anchor, as in the "
        "authors' code; one lambda of each kind a step. An anchor with several positives is extrapolated from each for "
        "that positive's score and from their mean for its negatives; two candidates mix only for anchors of which "
        "both are negatives. With the momentum queue and two views this is the authors' rule to the letter."
    ),
    candidates="transformed",
)


@dataclass(frozen=True, eq=False)
class Draw:
    """The chance of one step; 1 and 1 change nothing."""

    outwards: float  # lambda_ex, from 1 to 2
    mix: float  # lambda_in, from 0 to 1
    order: Tensor  # (k,) a permutation of the columns that are somebody's negatives


def transform(pool: Pool, draw: Draw) -> Pool:
    """Scores of the transformed rows, without forming them.

    A positive at cosine S goes to S + 2 lambda (1 - lambda) (1 - S), never above S; a negative j of anchor i to
    lambda S_ij + (1 - lambda) k_i Q_j, k_i the mean of the anchor's positives, and is then mixed with its partner.
    """
    pairs, rate = pool.pairs, draw.outwards
    others = unit(pool.others.z)
    share = pairs.pos.to(pairs.s.dtype)
    partner_row = share / share.sum(dim=1, keepdim=True).clamp(min=1.0) @ others  # (n, d), zero without a positive
    drawn = rate * pairs.s + (1.0 - rate) * (partner_row @ others.T)
    push = torch.where(pairs.pos.any(dim=1, keepdim=True), drawn, pairs.s)
    pull = pairs.s + 2.0 * rate * (1.0 - rate) * (1.0 - pairs.s)
    partner = _partners(pairs.neg, draw.order)
    both = pairs.neg & pairs.neg[:, partner]
    push = torch.where(both, draw.mix * push + (1.0 - draw.mix) * push[:, partner], push)
    s = torch.where(pairs.pos, pull, torch.where(pairs.neg, push, pairs.s))
    return replace(pool, scores=replace(pairs, s=s))


def _partners(neg: Tensor, order: Tensor) -> Tensor:
    """Column that each column is mixed with, (m,); columns that are nobody's negatives stay alone."""
    mixed = neg.any(dim=0).nonzero().squeeze(1)
    partner = torch.arange(neg.shape[1], device=neg.device)
    partner[mixed] = mixed[order]
    return partner


class Method(Hooks):
    """Has no state: the lambdas are drawn afresh at each step."""

    def __init__(
        self, context: Context, *, extrapolation: float = 2.0, interpolation: float = 1.6, begin: int = 0
    ) -> None:
        super().__init__()
        self.extrapolation, self.interpolation, self.begin = extrapolation, interpolation, begin

    def change(self, pool: Pool, step: Step) -> list[Pool]:
        """The pool with transformed scores, once it has set in."""
        if step.number < self.begin:
            return [pool]
        columns = int(pool.pairs.neg.any(dim=0).sum())
        draw = Draw(
            1.0 + float(step.rng.beta(self.extrapolation, self.extrapolation)) if self.extrapolation > 0 else 1.0,
            float(step.rng.beta(self.interpolation, self.interpolation)) if self.interpolation > 0 else 1.0,
            torch.from_numpy(step.rng.permutation(columns)).to(pool.pairs.neg.device),
        )
        return [transform(pool, draw)]
