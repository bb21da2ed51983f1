"""UNPG: a softmax head over class proxies whose every row also races the batch's own negative pairs, filtered."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import one_hot

from models.fused_softmax import row_logsumexp
from models.geometry import Embeddings, Scores, unit
from models.spec import Context, Counts, Knob, Knobs, Level, LossSpec, Paper

# MagFace: window of lengths, margins at its ends, weight of the term that keeps lengths up.
_SHORT, _LONG, _LOOSE, _TIGHT, _LENGTH_WEIGHT = 10.0, 110.0, 0.45, 0.8, 35.0


def _level(counts: Counts, knobs: Knobs, own: float, other: float) -> float | None:
    """log(1 + R e^(scale (other - own))), R = other proxies and pairs of the batch, own = target logit / scale."""
    if knobs["base"] == "magface" or bool((counts.positives == 1).all()):
        return None  # lengths are not known; two views are counted by item, and here pairs are made by class
    rivals = counts.classes - 1 + int(counts.negatives.sum()) // 2
    return math.log1p(rivals * math.exp(float(knobs["scale"]) * (other - own)))


def _own(knobs: Knobs, cosine: float) -> float:
    """The own class's cosine, 0 or 1, with the margin in it."""
    margin = float(knobs["margin"])
    return math.cos(math.acos(cosine) + margin) if knobs["base"] == "arcface" else cosine - margin


SPEC = LossSpec(
    key="unpg",
    name="UNPG",
    family="proxy",
    reads="embeddings",
    paper=Paper(
        "Jung et al.",
        2022,
        "Unified Negative Pair Generation toward Well-discriminative Feature Space for Face Recognition",
        arxiv="2203.11593",
        equation="unified loss with filtered negatives",
        status="verified (code)",
    ),
    knobs=(
        Knob(
            "base",
            "cosface",
            choices=("cosface", "arcface", "magface"),
            help="The head: margin taken from the cosine, added to the angle, or growing with the embedding's length.",
        ),
        Knob("margin", 0.5, 0.0, 1.0, unit="cosine or rad", help="Lead of the own class; MagFace makes its own."),
        Knob("scale", 64.0, 1.0, 128.0, log=True, help="One over the temperature of the softmax."),
        Knob(
            "whisker",
            1.5,
            0.1,
            100.0,
            log=True,
            unit="quartile ranges",
            help="Pairs this far outside the quartiles are left out as noise; large keeps all of them.",
        ),
    ),
    levels=(
        Level("chance", lambda c, k: _level(c, k, _own(k, 0.0), 0.0), "all cosines are 0, the batch's pairs count too"),
        Level("collapse", lambda c, k: _level(c, k, _own(k, 1.0), 1.0), "items and proxies share one direction"),
        Level(
            "perfect",
            lambda c, k: _level(c, k, _own(k, 1.0), c.best_negative),
            "items sit on their proxies and the proxies on a simplex",
        ),
    ),
    formula=(
        r"-\log\frac{e^{\sigma t_i}}{e^{\sigma t_i}+\sum_{k\ne y_i}e^{\sigma s_{ik}}+\sum_{v\in N'}e^{\sigma v}},\quad "
        r"N'=\{s_{ab}:a<b,\ y_a\ne y_b,\ Q_1-r\,\mathrm{IQR}\le s_{ab}\le Q_3+r\,\mathrm{IQR}\}"
    ),
    when="Class proxies alone leave items of different classes too near each other at strict false accept rates.",
    pitfall=(
        "The filter takes the hardest true negatives for noise as well: with small clean data make the whisker large. "
        "The pairs lift the value, so compare runs by their scores."
    ),
    convention=(
        "Mean over items; each unordered pair of the batch once, by class, in every row's denominator, with gradient "
        "and without margin; quartiles are the sorted scores number int(l / 4) and int(3 l / 4). ArcFace goes on as "
        "cosine - margin * sin(margin) beyond pi, as our ArcFace does. MagFace: margin 0.45 to 0.8 for lengths 10 to "
        "110, none where the own cosine is not positive, plus 35 times the mean of a / 110^2 + 1 / a."
    ),
    relations=("equals cosface where the batch holds one class", "equals arcface with its base and one class"),
    rowwise=False,
    cost=(
        "Every item's row races all negative pairs of the batch, which the noise filter first puts in order: sorting "
        "them takes most of a step."
    ),
)


@dataclass(frozen=True, eq=False)
class _Items(Scores):
    """Cosines to proxies, then to the items of the batch; length: of each row's embedding, for MagFace."""

    length: Float[Tensor, " n"] | None = None


class Loss(nn.Module):
    """Class proxies and a softmax over them and the batch's negative pairs; every knob may be set at any time."""

    candidates = "proxies and items"

    def __init__(
        self,
        context: Context,
        *,
        base: str = "cosface",
        margin: float = 0.5,
        scale: float = 64.0,
        whisker: float = 1.5,
    ) -> None:
        super().__init__()
        self.base, self.margin, self.scale, self.whisker = base, margin, scale, whisker
        self.proxy = nn.Parameter(unit(torch.randn(context.classes, context.dim)))

    def score(self, embeddings: Embeddings) -> Scores:
        """Cosine of every item to every proxy and every item, (n, classes + n).

        Positive: the own class. Negative: the other classes, and items of other classes that come later in the batch.
        """
        z, y = unit(embeddings.z), embeddings.y
        own = one_hot(y, len(self.proxy)).bool()
        apart = (y[:, None] != y[None, :]).triu()
        s = torch.cat([z @ unit(self.proxy).T, z @ z.T], dim=1)
        pos = torch.cat([own, torch.zeros_like(apart)], dim=1)
        return _Items(s, pos, torch.cat([~own, apart], dim=1), length=torch.linalg.vector_norm(embeddings.z, dim=1))

    def from_scores(self, scores: Scores) -> Float[Tensor, ""]:
        """Mean over items of log(sum_k e^l_ik + sum_v e^(scale v)) - l_iy, l with the base's margin, v the kept pairs.

        MagFace takes embeddings whose lengths are not told for the shortest.
        """
        classes = len(self.proxy)
        s, own = scores.s[:, :classes], scores.pos[:, :classes]
        told = scores.length if isinstance(scores, _Items) else None
        length = (s.new_full((len(s),), _SHORT) if told is None else told).clamp(_SHORT, _LONG)
        logits = self.scale * torch.where(own, self._with_margin(s, length[:, None]), s)
        whole = logits.logsumexp(dim=1)  # (n,)
        items = scores.s[:, classes:]
        held = kept(items, scores.neg[:, classes:], self.whisker)
        if held.any():
            whole = torch.logaddexp(whole, row_logsumexp(items, held, rate=self.scale).logsumexp(dim=0))
        value = (whole - torch.where(own, logits, 0.0).sum(dim=1)).mean()
        if self.base == "magface":
            value = value + _LENGTH_WEIGHT * (length / _LONG**2 + 1.0 / length).mean()
        return value

    def forward(self, embeddings: Embeddings) -> Float[Tensor, ""]:
        """Loss of a batch with labels from 0 to classes - 1."""
        return self.from_scores(self.score(embeddings))

    def _with_margin(self, cosine: Float[Tensor, "n c"], length: Float[Tensor, "n 1"]) -> Float[Tensor, "n c"]:
        """The cosine as if it were the own class's."""
        if self.base == "cosface":
            return cosine - self.margin
        if self.base == "magface":
            slope = (_TIGHT - _LOOSE) / (_LONG - _SHORT)
            return torch.where(cosine > 0, _turned(cosine, _LOOSE + slope * (length - _SHORT)), cosine)
        margin = torch.full_like(length, self.margin)
        return torch.where(cosine >= -margin.cos(), _turned(cosine, margin), cosine - margin * margin.sin())


def kept(s: Float[Tensor, "n m"], mask: Bool[Tensor, "n m"], whisker: float) -> Bool[Tensor, "n m"]:
    """Those of the masked scores within `whisker` times the quartile range of the quartiles, both ends included."""
    pairs = s.detach()[mask]
    if len(pairs) == 0:
        return mask
    # On a CPU numpy sorts in a tenth of torch's time.
    order = pairs.sort().values if pairs.is_cuda else torch.from_numpy(np.sort(pairs.numpy()))
    first, third = order[int(0.25 * len(order))], order[int(0.75 * len(order))]
    reach = whisker * (third - first)
    return mask & (s >= first - reach) & (s <= third + reach)


def _turned(cosine: Float[Tensor, "n c"], margin: Float[Tensor, "n 1"]) -> Float[Tensor, "n c"]:
    """cos(angle + margin); within rounding of cosine 1 or -1 the sine counts as 0, so the slope stays finite."""
    square = (1.0 - cosine) * (1.0 + cosine)
    inside = square > torch.finfo(cosine.dtype).eps
    sine = torch.where(inside, torch.where(inside, square, 1.0).sqrt(), 0.0)
    return cosine * margin.cos() - sine * margin.sin()
