"""AdaMEOW: InfoNCE in which a small network says how much each candidate of an anchor counts."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from models.fused_softmax import as_number, row_logsumexp
from models.geometry import Embeddings, Scores, masks, unit
from models.spec import Context, Counts, Knob, Knobs, Level, LossSpec, Paper

_HIDDEN = 16  # as in the paper's code


def _flat(counts: Counts, knobs: Knobs) -> float | None:
    """Mean over positive pairs of log(1 + N): the weights drop out where their mean is one and all scores are equal."""
    pairs = counts.positives.sum()
    if knobs["weights"] == "free" or pairs == 0:
        return None
    return float(
        sum(int(p) * math.log1p(int(n)) for p, n in zip(counts.positives, counts.negatives, strict=True)) / pairs
    )


SPEC = LossSpec(
    key="adameow",
    name="AdaMEOW",
    family="softmax",
    reads="embeddings",
    paper=Paper(
        "Yu, Ge, Li, Zhou",
        2022,
        "Heterogeneous Graph Contrastive Learning with Meta-path Contexts and Adaptively Weighted Negative Samples",
        arxiv="2212.13847",
        equation="InfoNCE with soft weights, as in the authors' code",
        status="verified (code); paper tables not read",
    ),
    knobs=(
        Knob("temperature", 0.9, 0.05, 1.0, log=True, help="Cold: the hardest candidates take nearly all the weight."),
        Knob(
            "weights",
            "free",
            choices=("free", "mean one"),
            help="Free, as in the paper, the weights shrink without end; divided by their mean (ours) they only rank.",
        ),
    ),
    levels=(
        Level("chance", _flat, "scores say nothing yet, whatever the weights (defined for weights of mean one)"),
        Level("collapse", _flat, "all scores are equal: if they are all 1, the embedding has collapsed to a point"),
    ),
    formula=(
        r"-\log\frac{e^{s_{ij}/T}}{\gamma_{ij}e^{s_{ij}/T}+\sum_{k\in N(i)}\gamma_{ik}e^{s_{ik}/T}},\quad "
        r"\gamma_{ik}=\sigma(w_2\cdot\tanh(W_1(z_i+z_k)+b_1)+b_2)"
    ),
    when="To watch a network choose which negatives matter, likely false ones among them.",
    pitfall=(
        "Nothing holds the weights up: making all of them smaller always lowers the loss, so a falling curve may be "
        "the weights alone and no better embedding."
    ),
    convention=(
        "Mean over positive pairs; the positive's own weight is in the denominator. Every item is anchor and "
        "candidate; the paper goes from the fine view to the coarse one only. Hidden width 16. Mean one divides by "
        "the mean weight of that positive and the anchor's negatives."
    ),
    relations=("equals infonce where all weights are alike and their mean is one",),
    cost=(
        "A step evaluates sixteen hidden units of the weighing network on every pair, forth and back: of all "
        "losses here the dearest."
    ),
)


@dataclass(frozen=True, eq=False)
class _Weighed(Scores):
    """Cosines with the logarithms of the candidates' weights."""

    log_weight: Float[Tensor, "n m"] | None = None


class Loss(nn.Module):
    """The weighing network and the race; both knobs may be set at any time."""

    candidates = "items of seen classes"

    def __init__(self, context: Context, *, temperature: float = 0.9, weights: str = "free") -> None:
        super().__init__()
        self.temperature, self.weights = temperature, weights
        self.hidden = nn.Linear(context.dim, _HIDDEN)
        self.out = nn.Linear(_HIDDEN, 1)

    def score(self, embeddings: Embeddings, candidates: Embeddings | None = None) -> Scores:
        """Cosines as `models.geometry.score` gives them, with the weight of every pair."""
        z = unit(embeddings.z)
        other = z if candidates is None else unit(candidates.z)
        weight = self.out.weight[0]
        # W_1 (a + b) is the sum of two small products: the pairs meet at the tanh only.
        met = torch.tanh(self.hidden(z)[:, None, :] + (other @ self.hidden.weight.T)[None, :, :])  # (n, m, hidden)
        log_weight = logsigmoid(met @ weight + self.out.bias)
        return _Weighed(z @ other.T, *masks(embeddings, candidates), log_weight=log_weight)

    def from_scores(self, scores: Scores) -> Float[Tensor, ""]:
        """Mean over positives (i, j) of log(g_ij e_ij + sum_k g_ik e_ik) - s_ij / T; untold weights g are 1."""
        told = scores.log_weight if isinstance(scores, _Weighed) else None
        log_weight = torch.zeros_like(scores.s) if told is None else told
        own = scores.s / self.temperature
        per_pair = _with_rivals(own + log_weight, scores) - own
        if self.weights == "mean one":
            size = 1.0 + as_number(scores.neg, own).sum(dim=1, keepdim=True)
            per_pair = per_pair - _with_rivals(log_weight, scores) + size.log()
        pos = as_number(scores.pos, own)
        return (per_pair * pos).sum() / pos.sum().clamp(min=1.0)

    def forward(self, embeddings: Embeddings) -> Float[Tensor, ""]:
        """Loss of a batch against itself."""
        return self.from_scores(self.score(embeddings))


def _with_rivals(logits: Float[Tensor, "n m"], scores: Scores) -> Float[Tensor, "n m"]:
    """Log of e^logit of each pair plus those of its anchor's negatives."""
    return torch.logaddexp(logits, row_logsumexp(logits, scores.neg)[:, None])
