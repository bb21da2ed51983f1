"""ALDR-KL: LDR-KL on logits of one size, with a temperature of its own for every training item."""

import math
from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import softplus

from models.classification import ROBUST, SHARED, flat_race
from models.spec import Context, Knob, Level, LossSpec

_FLOOR = 1e-3  # least size of a row of logits: a head of zeros keeps a finite slope
_SMOOTH = 1e-5  # added to every probability before its logarithm, as in the released code


SPEC = LossSpec(
    key="aldr_kl",
    name="ALDR-KL",
    family="classification",
    reads="logits",
    paper=replace(
        ROBUST,
        equation="adaptive LDR-KL loss",
        status="verified (code; of the paper only the abstract was read)",
    ),
    knobs=(
        Knob(
            "temperature", 10.0, 0.1, 100.0, log=True, help="Where every item's own temperature starts; its greatest."
        ),
        Knob(
            "alpha",
            2.0,
            1.01,
            1000.0,
            log=True,
            help="Small: items of which the head is sure get a much colder temperature. Large: all keep one.",
        ),
        Knob("margin", 0.1, 0.0, 5.0, unit="mean size of a logit", help="Head start of every other class."),
        Knob(
            "normalise",
            "mean_abs",
            choices=("mean_abs", "softplus", "none"),
            help="Rows of logits are divided by their mean absolute value, or softplus of them by its mean, or left.",
        ),
    ),
    levels=(
        Level("chance", flat_race, "the head gives every class the same logit"),
        Level("collapse", flat_race, SHARED),
    ),
    formula=r"T_i\log\frac1C\sum_k e^{d_{ik}/T_i}-\frac{\alpha\log C}{2T}(T_i-T)^2,\quad "
    r"T_i=T\left(1-\frac{\mathrm{KL}(p_i\|u)}{\alpha\log C}\right),\ p_i=\mathrm{softmax}(x_i/T_i^{\mathrm{old}})",
    when="Many labels are wrong.",
    pitfall="With the logits brought to one size gradients are small: it needs a learning rate 10 to 100 times that of "
    "cross-entropy. Most of the gain comes from that size and the high temperature, little from adapting it.",
    convention="Mean over items. The temperatures are remembered for each item, updated before they are used, and not "
    "differentiated: each nearly maximises its item's term, so this changes the slope little. Where no items are told, "
    "as on the probe, each starts from the common temperature.",
    relations=("with normalise none and a large alpha equals ldr_kl",),
    pushes_negatives=False,
    also="sample",
)


class Loss(nn.Module):
    """The temperatures of all training items, and the loss with them; knobs may be set at any time."""

    def __init__(
        self,
        context: Context,
        *,
        temperature: float = 10.0,
        alpha: float = 2.0,
        margin: float = 0.1,
        normalise: str = "mean_abs",
    ) -> None:
        super().__init__()
        self.temperature, self.alpha, self.margin, self.normalise = temperature, alpha, margin, normalise
        self.share: Tensor  # of the common temperature that each item has, so that the knob may change under way
        self.register_buffer("share", torch.ones(context.samples))

    def forward(
        self, logits: Float[Tensor, "n c"], target: Int[Tensor, " n"], sample: Int[Tensor, " n"] | None = None
    ) -> Float[Tensor, ""]:
        """Mean over items of the LDR-KL term at their own temperature, less the price of that temperature.

        sample: positions of the items in the training set; with them, their temperatures are updated and kept.
        """
        x = self._sized(logits)
        share = self._adapted(x.detach(), sample)  # (n,)
        own, heat = target[:, None], self.temperature * share
        lead = (x - x.gather(1, own) + self.margin).scatter(1, own, 0.0)
        race = (lead / heat[:, None]).logsumexp(dim=1) - math.log(x.shape[1])
        price = 0.5 * self.alpha * math.log(x.shape[1]) * self.temperature * (share - 1.0).square()
        return (heat * race - price).mean()

    def _sized(self, logits: Tensor) -> Tensor:
        if self.normalise == "none":
            return logits
        x = softplus(logits, threshold=80.0) if self.normalise == "softplus" else logits
        return x / x.abs().mean(dim=1, keepdim=True).clamp(min=_FLOOR)

    @torch.no_grad()
    def _adapted(self, x: Tensor, sample: Tensor | None) -> Tensor:
        """Shares from those before and the probabilities without margin, (n,); kept where the items are known."""
        before = torch.ones_like(x[:, 0]) if sample is None else self.share[sample].to(x.dtype)
        p = (x / (self.temperature * before)[:, None]).softmax(dim=1) + _SMOOTH
        p = p / p.sum(dim=1, keepdim=True)
        classes = x.shape[1]
        share = 1.0 - (p * (classes * p).log()).sum(dim=1) / (self.alpha * math.log(classes))
        if sample is not None:
            self._keep(sample.to(share.device), share)
        return share

    def _keep(self, sample: Tensor, share: Tensor) -> None:
        """An item that stands in the batch twice, in two views, keeps the mean: no order among them decides."""
        total = torch.zeros_like(self.share).index_add_(0, sample, share.to(self.share.dtype))
        times = torch.zeros_like(self.share).index_add_(0, sample, torch.ones_like(total[sample]))
        self.share.copy_(torch.where(times > 0, total / times.clamp(min=1.0), self.share))
