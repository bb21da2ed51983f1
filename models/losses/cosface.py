"""CosFace: softmax over cosines to class proxies, with a margin taken from the cosine of the own class."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import one_hot

from models.geometry import Embeddings, Scores, unit
from models.spec import Context, Counts, Knob, Knobs, Level, LossSpec, Paper


def _level(counts: Counts, knobs: Knobs, gap: float) -> float:
    """log(1 + (C - 1) e^(scale (gap + margin))), gap = cosine to another proxy - cosine to the own one."""
    lead = float(knobs["scale"]) * (gap + float(knobs["margin"]))
    return math.log1p((counts.classes - 1) * math.exp(lead))


def _flat(counts: Counts, knobs: Knobs) -> float | None:
    return _level(counts, knobs, 0.0)


def _perfect(counts: Counts, knobs: Knobs) -> float | None:
    return _level(counts, knobs, counts.best_negative - 1.0)


SPEC = LossSpec(
    key="cosface",
    name="CosFace",
    family="proxy",
    reads="embeddings",
    paper=Paper(
        "Wang et al.",
        2018,
        "CosFace: Large Margin Cosine Loss for Deep Face Recognition",
        arxiv="1801.09414",
        equation="4",
        status="verified (code of paper 8)",
    ),
    knobs=(
        Knob(
            "margin", 0.35, 0.0, 1.0, unit="cosine", help="Lead that the own class must have before the race is even."
        ),
        Knob("scale", 64.0, 1.0, 128.0, log=True, help="One over the temperature of the softmax over classes."),
    ),
    levels=(
        Level("chance", _flat, "an item is as near to every proxy: the margin alone lifts this above log(classes)"),
        Level("collapse", _flat, "all cosines to proxies are equal: items and proxies share one direction"),
        Level("perfect", _perfect, "items sit on their proxies and the proxies on a simplex"),
    ),
    formula=r"-\log\frac{e^{\sigma(s_{iy_i}-m)}}{e^{\sigma(s_{iy_i}-m)}+\sum_{k\ne y_i}e^{\sigma s_{ik}}}",
    when="Classes are known, many items each, and embeddings of new classes will be compared by cosine.",
    pitfall="A large scale times margin starts at a loss of tens; compare runs by their scores, not by this value.",
    convention="Mean over items; embeddings and proxies are normalised; the margin is a cosine; no bias.",
)


class Loss(nn.Module):
    """Class proxies and the softmax over them; `margin` and `scale` may be set at any time."""

    def __init__(self, context: Context, *, margin: float = 0.35, scale: float = 64.0) -> None:
        super().__init__()
        self.margin, self.scale = margin, scale
        self.proxy = nn.Parameter(unit(torch.randn(context.classes, context.dim)))

    def score(self, embeddings: Embeddings) -> Scores:
        """Cosine of every item to every proxy, (n, classes); positive: the item's own class."""
        s = unit(embeddings.z) @ unit(self.proxy).T
        own = one_hot(embeddings.y, len(self.proxy)).bool()
        return Scores(s, own, ~own)

    def from_scores(self, scores: Scores) -> Float[Tensor, ""]:
        """Mean over items of logsumexp_k l_ik - l_iy, l = scale * (s - margin on the own class)."""
        logits = self.scale * torch.where(scores.pos, scores.s - self.margin, scores.s)
        own = torch.where(scores.pos, logits, 0.0).sum(dim=1)
        return (logits.logsumexp(dim=1) - own).mean()

    def forward(self, embeddings: Embeddings) -> Float[Tensor, ""]:
        """Loss of a batch with labels from 0 to classes - 1."""
        return self.from_scores(self.score(embeddings))
