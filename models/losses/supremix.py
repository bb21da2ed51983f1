"""SupReMix: SupCon for ordered labels, with mixtures of the batch as further negatives and positives.

No mixture is made. Its score is that of its two ends in the same shares, and mixtures of one share are summed class by
class: the terms of all pairs of one class below and one above are the product of two sums. So the n^3 mixtures of a
batch cost one n x n matrix for each share.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import product

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import one_hot

from models.fused_softmax import as_number
from models.geometry import Embeddings, unit
from models.spec import Knob, LossSpec, Paper

SPEC = LossSpec(
    key="supremix",
    name="SupReMix",
    family="softmax",
    reads="embeddings",
    paper=Paper(
        "Wu et al.",
        2023,
        "Mixup Your Own Pairs",
        arxiv="2309.16633",
        equation="supervised contrastive loss for regression with mixup, as in the authors' code, one log-sum-exp",
        status="verified (code); paper text not read",
    ),
    knobs=(
        Knob("temperature", 0.5, 0.05, 1.0, log=True, help="Cold: the hardest candidates take nearly all the weight."),
        Knob(
            "spacing", 1.0, 0.0, 10.0, unit="label units", help="Label distance of neighbouring classes; 0: no order."
        ),
        Knob("window", 5.0, 0.0, 10.0, unit="classes", help="Ends of a mixed positive lie less than this far away."),
        Knob(
            "mixing", 0.2, 0.0, 1.0, help="Share of the anchor in a mixed negative; the code draws it from Beta(2, 8)."
        ),
        Knob(
            "mixtures",
            "both",
            choices=("both", "negatives", "positives", "none"),
            help="Which mixtures take part; none leaves SupCon with weights that grow with label distance.",
        ),
    ),
    formula=(
        r"\frac{-1}{|\tilde P(i)|}\sum_{p\in\tilde P(i)}\log\frac{e^{z_i\cdot u_p/T}}"
        r"{\sum_{u\ne i}(1+|y_i-y_u|)\,e^{z_i\cdot u/T}}"
    ),
    when="Labels are ordered (ages, angles, grades) and distances in the embedding should follow them.",
    pitfall=(
        "Weights grow with the unit of the labels: a large spacing lets far classes drown everything else. Where the "
        "class number is a mere name, the order is an invented one."
    ),
    convention=(
        "Mean over anchors with a positive, real or mixed; pairs are made by label, the class number being the label. "
        "Mixtures are not made unit length and are held constant; all pairs stand in one softmax, which the released "
        "code splits in two by mistake. Every mixed positive counts, and the share of mixed negatives is a knob, the "
        "mean of the code's draws by default, so that the loss is no matter of chance."
    ),
    relations=("equals supcon at spacing 0 without mixtures",),
    pulls_positives=False,
    one_tower=True,
    detached="the mixtures, which reach the anchor alone",
    cost=(
        "Mixtures are summed in one matrix of exponentials for each share of two ends: with ten classes some "
        "tens of matrices."
    ),
)


def loss(
    embeddings: Embeddings,
    *,
    temperature: float = 0.5,
    spacing: float = 1.0,
    window: float = 5.0,
    mixing: float = 0.2,
    mixtures: str = "both",
) -> Float[Tensor, ""]:
    """Mean over anchors of LSE_u(log(1 + |y_i - y_u|) + z_i u / T) - mean_p z_i u_p / T."""
    z, y = unit(embeddings.z), embeddings.y
    others = ~torch.eye(len(y), dtype=torch.bool, device=y.device)
    same = (y[:, None] == y[None, :]) & others
    gap = spacing * (y[:, None] - y[None, :]).abs().to(z.dtype)
    logits, fixed = z @ z.T / temperature, z @ z.detach().T / temperature
    terms = [(logits + gap.log1p()).masked_fill(~others, -torch.inf)]
    pull, count = (logits * as_number(same, z)).sum(dim=1), as_number(same, z).sum(dim=1)
    if mixtures in ("both", "negatives"):
        mixed = mixing * fixed.diagonal()[:, None] + (1.0 - mixing) * fixed
        terms.append((mixed + ((1.0 - mixing) * gap).log1p()).masked_fill(same | ~others, -torch.inf))
    if mixtures in ("both", "positives"):
        between = _between(fixed, y, window)
        terms.append(between.total[:, None])
        pull, count = pull + between.pull, count + between.count
    whole = torch.cat(terms, dim=1)
    active = count > 0
    # An anchor without candidates has no finite term: it must not meet the logarithm, even with weight 0.
    rivals = torch.where(active[:, None], whole, 0.0).logsumexp(dim=1)
    return torch.where(active, rivals - pull / count.clamp(min=1.0), 0.0).sum() / active.sum().clamp(min=1)


@dataclass(frozen=True, eq=False)
class _Between:
    """Mixed positives of each anchor: log-sum-exp and sum of their logits, and how many there are."""

    total: Float[Tensor, " n"]
    pull: Float[Tensor, " n"]
    count: Float[Tensor, " n"]


def _between(logits: Float[Tensor, "n n"], y: Int[Tensor, " n"], window: float) -> _Between:
    """Mixtures a j + (1 - a) k, j of a class below the anchor's, k of one above, a = (y_k - y_i) / (y_k - y_j)."""
    classes, own = torch.unique(y, return_inverse=True)
    member = one_hot(own, len(classes)).to(logits.dtype)  # (n, classes)
    size, summed = member.sum(dim=0), logits @ member
    top = logits.detach().amax(dim=1, keepdim=True)
    shares, triples = _mixtures(tuple(classes.tolist()), window)
    part = torch.tensor(shares, dtype=logits.dtype, device=y.device)
    grown = (part[:, None, None] * (logits - top)).exp() @ member  # (shares, n, classes)
    near, far, lower, middle, upper = torch.tensor(triples, dtype=torch.long, device=y.device).reshape(-1, 5).T
    rows, which = (own[:, None] == middle[None, :]).nonzero(as_tuple=True)  # anchors with each of their mixtures
    near, far, j, k = near[which], far[which], lower[which], upper[which]
    zero = torch.zeros_like(top[:, 0])
    total = zero.index_add(0, rows, grown[near, rows, j] * grown[far, rows, k])
    ends = part[near] * summed[rows, j] * size[k] + part[far] * summed[rows, k] * size[j]
    some = total > 0
    held = torch.where(some, torch.where(some, total, 1.0).log() + top[:, 0], -torch.inf)
    return _Between(held, zero.index_add(0, rows, ends), zero.index_add(0, rows, size[j] * size[k]))


@lru_cache
def _mixtures(labels: tuple[int, ...], window: float) -> tuple[list[float], list[tuple[int, int, int, int, int]]]:
    """Shares a and 1 - a of all mixtures, each once, and of each mixture: places of a, of 1 - a, below, between, above.

    The first two are places in the shares, the others in the sorted labels; both ends are in reach of the middle.
    """
    found: list[tuple[Fraction, int, int, int]] = []
    for at, own in enumerate(labels):
        below = [j for j in range(at) if own - labels[j] < window]
        above = [k for k in range(at + 1, len(labels)) if labels[k] - own < window]
        for j, k in product(below, above):
            found.append((Fraction(labels[k] - own, labels[k] - labels[j]), j, at, k))
    place: dict[Fraction, int] = {}
    for share, *_ in found:
        for one in (share, 1 - share):
            place.setdefault(one, len(place))
    return [float(share) for share in place], [(place[a], place[1 - a], j, at, k) for a, j, at, k in found]
