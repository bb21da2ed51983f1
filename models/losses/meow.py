"""MEOW: InfoNCE whose negatives count as often as clusterings of the batch tell them from the anchor."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import one_hot

from models.fused_softmax import as_number, row_logsumexp
from models.geometry import Scores
from models.spec import Counts, Knob, Knobs, Level, LossSpec, Paper

_ROUNDS = 20  # of k-means, as in the paper's code
_APART = 1e-5  # squared distance below which two places are one: above the rounding of a cosine in float32


def _level(counts: Counts, knobs: Knobs, gap: float, weight: float) -> float | None:
    """Mean over the positive pairs that race of log(weight N) + gap / T, gap = negative - positive score."""
    if weight == 0:
        return 0.0
    raced = [(int(p), int(n)) for p, n in zip(counts.positives, counts.negatives, strict=True) if p * n > 0]
    if not raced:
        return 0.0
    mean = sum(p * math.log(weight * n) for p, n in raced) / sum(p for p, _ in raced)
    return mean + gap / float(knobs["temperature"])


def _collapse(counts: Counts, knobs: Knobs) -> float | None:
    return _level(counts, knobs, 0.0, float(knobs["floor"]))


def _perfect(counts: Counts, knobs: Knobs) -> float | None:
    if min(int(knobs["coarse"]), int(knobs["fine"])) < counts.classes:
        return None  # some classes share a cluster, and which is not known
    return _level(counts, knobs, counts.best_negative - 1.0, 2.0 + float(knobs["floor"]))


SPEC = LossSpec(
    key="meow",
    name="MEOW",
    family="softmax",
    reads="scores",
    paper=Paper(
        "Yu, Ge, Li, Zhou",
        2022,
        "Heterogeneous Graph Contrastive Learning with Meta-path Contexts and Adaptively Weighted Negative Samples",
        arxiv="2212.13847",
        equation="InfoNCE with hard weights, as in the authors' code",
        status="verified (code); paper tables not read",
    ),
    knobs=(
        Knob("temperature", 0.4, 0.05, 1.0, log=True, help="Cold: the hardest weighted negatives take nearly all."),
        Knob("coarse", 5, 2, 512, log=True, unit="clusters", help="Number of clusters of the first clustering."),
        Knob("fine", 10, 2, 512, log=True, unit="clusters", help="Number of clusters of the second clustering."),
        Knob(
            "floor", 0.0, 0.0, 1.0, help="Ours: weight added to every negative; 0 drops those that no clustering parts."
        ),
    ),
    levels=(
        Level("collapse", _collapse, "all items are in one place and one cluster: no negative is left to race"),
        Level("perfect", _perfect, "classes sit on a simplex, a cluster each; this may be below zero"),
    ),
    formula=(
        r"-\log\frac{e^{s_{ij}/T}}{\sum_{k\in N(i)}\gamma_{ik}e^{s_{ik}/T}},\quad "
        r"\gamma_{ik}=\sum_{c}[c(i)\ne c(k)]"
    ),
    when="Without labels, to spare the likely false negatives: those that fall into the anchor's own clusters.",
    pitfall=(
        "The positive is not in the denominator: the pull never ends and the value falls below zero. Early clusters "
        "are of an untrained encoder, and what they join is never pushed apart."
    ),
    convention=(
        "Mean over the positive pairs whose anchor has a weighted negative; an anchor that shares all clusters with "
        "everybody is left out, where the paper's sum would be infinite. Both clusterings are made afresh of the "
        "batch, by k-means on its own scores, without gradient and without chance: centres start far from each other. "
        "Every item is anchor and candidate; the paper clusters the whole second view and goes in one direction. The "
        "paper's loss on prototypes is not part of it."
    ),
    relations=("is InfoNCE without the positive below, plus log 2, where every item is its own cluster",),
    rowwise=False,
    one_tower=True,
    cost=("Every step clusters the batch twice, by up to twenty rounds of k-means that read all scores."),
)


def loss(
    scores: Scores, *, temperature: float = 0.4, coarse: int = 5, fine: int = 10, floor: float = 0.0
) -> Float[Tensor, ""]:
    """Mean over positives (i, j) of log sum_k g_ik e^(s_ik / T) - s_ij / T, g = floor + clusterings that part i, k."""
    clusterings = [clusters(scores.s, count) for count in (coarse, fine)]
    return weighted(scores, parted(clusterings).to(scores.s.dtype) + floor, temperature)


def weighted(scores: Scores, weight: Float[Tensor, "n m"], temperature: float) -> Float[Tensor, ""]:
    """The race of each positive against its anchor's negatives, each counted `weight` >= 0 times."""
    raced = scores.neg & (weight > 0)
    logits = scores.s / temperature + torch.where(raced, weight, 1.0).log()
    push = row_logsumexp(logits, raced)[:, None]  # (n, 1), -inf where nothing is left to race
    pairs = scores.pos & raced.any(dim=1, keepdim=True)
    per_pair = torch.where(pairs, push - scores.s / temperature, 0.0)
    return per_pair.sum() / as_number(pairs, per_pair).sum().clamp(min=1.0)


def parted(clusterings: list[Int[Tensor, " n"]]) -> Int[Tensor, "n n"]:
    """In how many clusterings two items are in different clusters."""
    return torch.stack([c[:, None] != c[None, :] for c in clusterings]).sum(dim=0)


@torch.no_grad()
def clusters(s: Float[Tensor, "n n"], count: int) -> Int[Tensor, " n"]:
    """K-means of unit rows from their cosines: |z_i - mean_k|^2 = 1 - 2 mean_j s_ij + mean_jl s_jl, j, l of cluster k.

    Fewer clusters than `count` where there are fewer places.
    """
    gram = ((s + s.T) / 2.0).fill_diagonal_(1.0)
    own = (2.0 - 2.0 * gram[_spread(gram, count)]).argmin(dim=0)  # (n,)
    for _ in range(_ROUNDS):
        member = one_hot(own, count).to(gram.dtype)  # (n, count)
        size = member.sum(dim=0)
        share = member / size.clamp(min=1.0)
        to_mean = gram @ share
        distance = 1.0 - 2.0 * to_mean + (share * to_mean).sum(dim=0)
        nearest = distance.masked_fill(size == 0, torch.inf).argmin(dim=1)
        if torch.equal(nearest, own):
            break
        own = nearest
    return own


def _spread(gram: Float[Tensor, "n n"], count: int) -> Int[Tensor, " k"]:
    """Rows to start from: the most central, then again and again the one farthest from all before it."""
    chosen = [int(gram.sum(dim=1).argmax())]
    nearest = 2.0 - 2.0 * gram[chosen[0]]  # squared distance to the nearest chosen
    while len(chosen) < min(count, len(gram)) and float(nearest.max()) > _APART:
        chosen.append(int(nearest.argmax()))
        nearest = torch.minimum(nearest, 2.0 - 2.0 * gram[chosen[-1]])
    return torch.tensor(chosen, device=gram.device)
