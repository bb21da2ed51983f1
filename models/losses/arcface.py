"""ArcFace: softmax over cosines to class proxies, with a margin added to the angle of the own class."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import one_hot

from models.geometry import Embeddings, Scores, unit
from models.spec import Context, Counts, Knob, Knobs, Level, LossSpec, Paper


def _level(counts: Counts, knobs: Knobs, angle: float, other: float) -> float:
    """log(1 + (C - 1) e^(scale (other - cos(angle + m)))), angle in radians to the own proxy, other a cosine."""
    own = math.cos(angle + float(knobs["margin"]))
    return math.log1p((counts.classes - 1) * math.exp(float(knobs["scale"]) * (other - own)))


def _chance(counts: Counts, knobs: Knobs) -> float | None:
    return _level(counts, knobs, math.pi / 2, 0.0)


def _collapse(counts: Counts, knobs: Knobs) -> float | None:
    return _level(counts, knobs, 0.0, 1.0)


def _perfect(counts: Counts, knobs: Knobs) -> float | None:
    return _level(counts, knobs, 0.0, counts.best_negative)


SPEC = LossSpec(
    key="arcface",
    name="ArcFace",
    family="proxy",
    reads="embeddings",
    paper=Paper(
        "Deng, Guo, Xue, Zafeiriou",
        2019,
        "ArcFace: Additive Angular Margin Loss for Deep Face Recognition",
        arxiv="1801.07698",
        equation="3",
        status="verified (code of paper 8)",
    ),
    knobs=(
        Knob("margin", 0.5, 0.0, 1.5, unit="rad", help="Angle by which the own class must be nearer."),
        Knob("scale", 64.0, 1.0, 128.0, log=True, help="One over the temperature of the softmax over classes."),
    ),
    levels=(
        Level("chance", _chance, "an item is at a right angle to every proxy"),
        Level("collapse", _collapse, "all cosines to proxies are 1: items and proxies share one direction"),
        Level("perfect", _perfect, "items sit on their proxies and the proxies on a simplex"),
    ),
    formula=(
        r"-\log\frac{e^{\sigma\cos(\theta_{iy_i}+m)}}"
        r"{e^{\sigma\cos(\theta_{iy_i}+m)}+\sum_{k\ne y_i}e^{\sigma\cos\theta_{ik}}}"
    ),
    when="As CosFace, where an even margin in angle is wanted at every distance from the proxy.",
    pitfall="The pull grows without bound, as one over the angle, on items near their proxy.",
    convention=(
        "Mean over items; the margin is in radians (pytorch-metric-learning takes degrees). Where angle + margin "
        "passes pi the own logit goes on as cos(angle) - margin * sin(margin), which keeps it falling, as the standard "
        "implementations do. Within rounding of cosine 1 or -1 the sine counts as 0, so the gradient stays finite."
    ),
    relations=("equals cosface at margin 0",),
)


def with_margin(cosine: Float[Tensor, "..."], margin: float) -> Float[Tensor, "..."]:
    """cos(angle + margin) = c cos m - sqrt(1 - c^2) sin m, and c - m sin m beyond angle + m = pi; margin in radians."""
    square = (1.0 - cosine) * (1.0 + cosine)
    inside = square > torch.finfo(cosine.dtype).eps
    sine = torch.where(inside, torch.where(inside, square, 1.0).sqrt(), 0.0)
    turned = cosine * math.cos(margin) - sine * math.sin(margin)
    return torch.where(cosine >= -math.cos(margin), turned, cosine - margin * math.sin(margin))


class Loss(nn.Module):
    """Class proxies and the softmax over them; `margin` and `scale` may be set at any time."""

    def __init__(self, context: Context, *, margin: float = 0.5, scale: float = 64.0) -> None:
        super().__init__()
        self.margin, self.scale = margin, scale
        self.proxy = nn.Parameter(unit(torch.randn(context.classes, context.dim)))

    def score(self, embeddings: Embeddings) -> Scores:
        """Cosine of every item to every proxy, (n, classes); positive: the item's own class."""
        s = unit(embeddings.z) @ unit(self.proxy).T
        own = one_hot(embeddings.y, len(self.proxy)).bool()
        return Scores(s, own, ~own)

    def from_scores(self, scores: Scores) -> Float[Tensor, ""]:
        """Mean over items of logsumexp_k l_ik - l_iy, l = scale * (s, with the angular margin on the own class)."""
        logits = self.scale * torch.where(scores.pos, with_margin(scores.s, self.margin), scores.s)
        own = torch.where(scores.pos, logits, 0.0).sum(dim=1)
        return (logits.logsumexp(dim=1) - own).mean()

    def forward(self, embeddings: Embeddings) -> Float[Tensor, ""]:
        """Loss of a batch with labels from 0 to classes - 1."""
        return self.from_scores(self.score(embeddings))
