"""Mixed pairs (SupReMix): each anchor gets harder negatives and further positives, mixed from rows of its own batch."""

from dataclasses import replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from models.geometry import Scores, unit
from models.method_common import Hooks, Pool, Step
from models.spec import Context, Knob, MethodSpec, Paper

SPEC = MethodSpec(
    key="mixup_pairs",
    name="Mixed pairs",
    place="scores",
    reads=("scores",),
    paper=Paper(
        "Wu et al.",
        2023,
        "Mixup Your Own Pairs",
        arxiv="2309.16633",
        equation="anchor-inclusive and anchor-exclusive mixtures",
        status="verified (code of the authors; paper text not read)",
    ),
    knobs=(
        Knob("alpha", 2.0, 0.05, 20.0, log=True, help="Share of the anchor in a negative mixture: Beta(alpha, beta)."),
        Knob("beta", 8.0, 0.05, 20.0, log=True, help="High against alpha: the mixture lies near the other item."),
        Knob("window", 1.5, 0.0, 100.0, unit="labels", help="Positive mixtures join labels nearer than this; 0: none."),
        Knob("triples", 8, 0, 64, help="Positive mixtures of an anchor; all that exist, where there are no more."),
    ),
    formula=(
        r"m^-_{ik}=a z_i+(1-a)z_k,\;a\sim\mathrm{Beta}(\alpha,\beta);\quad"
        r"m^+_{jk}=\frac{y_k-y_i}{y_k-y_j}z_j+\frac{y_i-y_j}{y_k-y_j}z_k,\;y_j<y_i<y_k"
    ),
    when="Labels that have an order: ages, angles, grades.",
    pitfall="Labels are read as numbers: where classes have no order, set the window to 0.",
    convention=(
        "Mixtures are not scaled to length 1 and are constants: the gradient reaches the anchor alone, as in the "
        "authors' code. They race in one softmax with the real pairs, where that code shifts the two groups apart. "
        "A graded target is mixed as the labels are. Its weights 1 + |label difference| belong to the loss."
    ),
    candidates="with mixtures",
    one_tower=False,
)


def with_mixtures(pool: Pool, share: Float[Tensor, "n m"], triples: tuple[Tensor, Tensor, Tensor]) -> Pool:
    """The pool with n x m negative and n x t positive mixtures as further columns.

    share: the anchor's part in each negative mixture, in [0, 1]. triples: columns j and k, (n, t), and whether each
    is meant.
    """
    pairs, rows, others = pool.pairs, unit(pool.anchors.z), unit(pool.others.z).detach()
    to_others = rows @ others.T
    to_self = (rows * rows.detach()).sum(dim=1, keepdim=True)  # 1, but the gradient is the anchor's as in the code
    own, theirs = pool.anchors.y[:, None], pool.others.y[None, :]
    negative = pairs.neg & (own != theirs) & (theirs >= 0)
    low, high, meant = triples
    below, above = pool.others.y[low], pool.others.y[high]
    part = (above - own).to(share) / (above - below).clamp(min=1)  # labels mix to the anchor's own
    mixed = [
        share * to_self + (1.0 - share) * to_others,
        part * to_others.gather(1, low) + (1.0 - part) * to_others.gather(1, high),
    ]
    nothing = torch.zeros_like
    target = pairs.target
    if target is not None:
        target = torch.cat([target, share + (1.0 - share) * target, meant.to(target)], dim=1)
    scores = Scores(
        torch.cat([pairs.s, *mixed], dim=1),
        torch.cat([pairs.pos, nothing(negative), meant], dim=1),
        torch.cat([pairs.neg, negative, nothing(meant)], dim=1),
        target,
    )
    return replace(pool, scores=scores)


def choose(
    pool: Pool, window: float, most: int, offset: Float[Tensor, " n"]
) -> tuple[Int[Tensor, "n t"], Int[Tensor, "n t"], Bool[Tensor, "n t"]]:
    """At most `most` pairs of columns (j, k) with y_j < y_i < y_k, both nearer than the window; which of them exist.

    Where there are more, every one has the same chance: they are taken at equal distances from offset, in [0, 1).
    """
    own, theirs = pool.anchors.y[:, None], pool.others.y[None, :]
    near = pool.pairs.neg & (theirs >= 0) & ((theirs - own).abs() < window)
    below, above = near & (theirs < own), near & (theirs > own)
    highs = above.sum(dim=1, keepdim=True)
    total = below.sum(dim=1, keepdim=True) * highs  # (n, 1)
    count = torch.arange(most, device=own.device)[None, :]
    spread = ((count + offset[:, None]) * (total / max(most, 1))).floor().long()
    index = torch.where(total > most, torch.minimum(spread, (total - 1).clamp(min=0)), count)
    meant = index < total
    index, step = index.where(meant, 0), highs.clamp(min=1)
    return _nth(below, index // step), _nth(above, index % step), meant


def _nth(mask: Bool[Tensor, "n m"], index: Int[Tensor, "n t"]) -> Int[Tensor, "n t"]:
    """Column of the index-th true entry of each row, from 0."""
    return mask.to(torch.uint8).argsort(dim=1, descending=True, stable=True).gather(1, index)


class Method(Hooks):
    """Has no state: shares and triples are drawn afresh at each step."""

    def __init__(
        self, context: Context, *, alpha: float = 2.0, beta: float = 8.0, window: float = 1.5, triples: int = 8
    ) -> None:
        super().__init__()
        self.alpha, self.beta, self.window, self.triples = alpha, beta, window, triples

    def change(self, pool: Pool, step: Step) -> list[Pool]:
        """The pool with its mixtures, (n, m + m + triples)."""
        s = pool.pairs.s
        share = torch.from_numpy(step.rng.beta(self.alpha, self.beta, tuple(s.shape))).to(s)
        offset = torch.from_numpy(step.rng.random(len(s))).to(s.device)
        return [with_mixtures(pool, share, choose(pool, self.window, self.triples, offset))]
