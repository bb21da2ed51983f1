"""AMCL: several heads, each with its own similarities, and a learned temperature for every pair."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import normalize, pad

from models.fused_softmax import as_number, row_logsumexp
from models.geometry import Embeddings, Scores, masks
from models.spec import Context, Knob, LossSpec, Paper

_HIDDEN, _OUT = 128, 16  # of the temperature network

SPEC = LossSpec(
    key="amcl",
    name="AMCL",
    family="softmax",
    reads="embeddings",
    paper=Paper(
        "Wang, Koniusz, Gedeon, Zheng",
        2023,
        "Adaptive Multi-head Contrastive Learning",
        arxiv="2310.05615",
        equation="2.1 (SimCLR and MoCo form, from the loss table); the smooth form is ours",
        status="partly verified (loss table and code; temperature network unverified)",
    ),
    knobs=(
        Knob("heads", 3, 1, 8, help="The embedding is read as so many blocks of consecutive columns, each a head."),
        Knob(
            "form",
            "smooth",
            choices=("smooth", "printed"),
            help="Printed: hardest negative only, unstable. Smooth (ours): log-sum-exp of all negatives.",
        ),
        Knob("beta", 0.1, 0.0, 1.0, help="Weight of the term that keeps temperatures from running off."),
        Knob("coldest", 0.05, 0.01, 0.1, log=True, unit="temperature", help="Lower bound of a learned temperature."),
        Knob("hottest", 0.5, 0.1, 2.0, log=True, unit="temperature", help="Upper bound; the paper's code has 2."),
    ),
    formula=(
        r"\sum_c\Big[-\frac{s^c_{ij}}{\tau^c_{ij}}+\log\sum_{k\in N(i)}e^{s^c_{ik}/\tau^c_{ik}}"
        r"+\beta\,\Omega(\tau^c_{ij})-\beta\,\Omega(\tau^c_{in^*})\Big],\quad "
        r"\Omega(\tau)=\tfrac d2\log\tau+\tfrac1\tau"
    ),
    when="Views differ so much that one similarity with one temperature cannot fit them all.",
    pitfall=(
        "The printed form is linear in the scores: where negatives are hotter than positives, attraction wins. With "
        "the code's bound of 2 classes merge, slowly in the smooth form too. Each head has few columns of its own."
    ),
    convention=(
        "Sum over heads of the mean over positive pairs; n* is the hardest negative of the head. The printed form has "
        "s / tau of n* in place of the log-sum-exp. d is the number of columns of a head; columns left over are "
        "filled up with zeros. Temperature: coldest + (hottest - coldest) * sigmoid(phi(z_i) . phi(z_k)), one network "
        "phi for all heads, as the code's comments say; the code joins the two vectors instead, and which of them the "
        "paper means was not read. phi sees the embeddings without gradient. The paper has a projector a head."
    ),
    relations=("equals infonce without the positive below where one head has one temperature and beta is 0",),
    detached="the embeddings as the temperature network sees them",
    cost=(
        "Every head has a score and a temperature of its own for every pair: three heads take three times the "
        "matrices, and each takes a sigmoid, a logarithm and a division more."
    ),
)


@dataclass(frozen=True, eq=False)
class _Heads(Scores):
    """Cosines of all heads side by side, (n, heads * m), and the temperature of each pair."""

    temperature: Float[Tensor, "n hm"] | None = None
    heads: int = 1
    dim: int = 1  # columns of the embedding that a head reads


class Loss(nn.Module):
    """The temperature network and the race in every head; every knob may be set at any time."""

    candidates = "items of seen classes, head by head"

    def __init__(
        self,
        context: Context,
        *,
        heads: int = 3,
        form: str = "smooth",
        beta: float = 0.1,
        coldest: float = 0.05,
        hottest: float = 0.5,
    ) -> None:
        super().__init__()
        self.heads, self.form, self.beta, self.coldest, self.hottest = heads, form, beta, coldest, hottest
        self.width = context.dim
        # As wide as one head would be: with more heads each uses the first columns, so heads may change in a run.
        self.phi = nn.Sequential(nn.Linear(context.dim, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, _OUT))

    def score(self, embeddings: Embeddings, candidates: Embeddings | None = None) -> Scores:
        """Cosines and temperatures of all pairs in every head; masks as in `models.geometry.score`, for each head."""
        a = self._blocks(embeddings.z)  # (heads, n, d)
        b = a if candidates is None else self._blocks(candidates.z)
        pos, neg = (mask.repeat(1, self.heads) for mask in masks(embeddings, candidates))
        agreement = self._seen(a) @ self._seen(b).transpose(1, 2)  # (heads, n, m)
        temperature = self.coldest + (self.hottest - self.coldest) * torch.sigmoid(agreement)
        s, temperature = (_side_by_side(x) for x in (a @ b.transpose(1, 2), temperature))
        return _Heads(s, pos, neg, temperature=temperature, heads=self.heads, dim=a.shape[2])

    def from_scores(self, scores: Scores) -> Float[Tensor, ""]:
        """Sum over heads of the printed or the smooth form; untold temperatures are the hottest, in one head."""
        told = scores if isinstance(scores, _Heads) else _Heads(scores.s, scores.pos, scores.neg)
        untold = torch.full_like(told.s, self.hottest)
        temperature = untold if told.temperature is None else told.temperature
        total = 0.0 * told.s.sum()
        width = told.s.shape[1] // told.heads
        for head in range(told.heads):
            part = slice(head * width, (head + 1) * width)
            one = Scores(told.s[:, part], told.pos[:, part], told.neg[:, part])
            total = total + race(one, temperature[:, part], self.beta, told.dim, self.form)
        return total

    def forward(self, embeddings: Embeddings) -> Float[Tensor, ""]:
        """Loss of a batch against itself."""
        return self.from_scores(self.score(embeddings))

    def _blocks(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "heads n block"]:
        """Unit rows of each head."""
        size = -(-z.shape[1] // self.heads)
        filled = pad(z, (0, size * self.heads - z.shape[1]))
        return normalize(filled.reshape(len(z), self.heads, size), dim=2).transpose(0, 1)

    def _seen(self, blocks: Float[Tensor, "heads n block"]) -> Float[Tensor, "heads n out"]:
        """phi of every row, constant in the embedding."""
        return self.phi(pad(blocks.detach(), (0, self.width - blocks.shape[2])))  # type: ignore[no-any-return]


def race(
    scores: Scores, temperature: Float[Tensor, "n m"], beta: float, dim: int, form: str = "smooth"
) -> Float[Tensor, ""]:
    """One head: mean over positives (i, j) of beta O(t_ij) - s_ij / t_ij + rival_i - beta O(t_in*).

    rival_i: s / t of the hardest negative n* (printed), or the log-sum-exp of s / t over all of them (smooth).
    """
    logits, kept_up = scores.s / temperature, _omega(temperature, dim)
    raced = scores.neg.any(dim=1)
    hardest = scores.s.masked_fill(~scores.neg, -torch.inf).argmax(dim=1, keepdim=True)  # (n, 1)
    rival = logits.gather(1, hardest)[:, 0] if form == "printed" else row_logsumexp(logits, scores.neg)
    push = torch.where(raced, rival - beta * kept_up.gather(1, hardest)[:, 0], 0.0)  # (n,)
    pos = as_number(scores.pos, logits)
    return ((beta * kept_up - logits + push[:, None]) * pos).sum() / pos.sum().clamp(min=1.0)


def _omega(temperature: Float[Tensor, "n m"], dim: int) -> Float[Tensor, "n m"]:
    """Minus the log-likelihood of a Gaussian of this variance around a unit vector, up to a constant, at score 0."""
    return 0.5 * dim * temperature.log() + 1.0 / temperature


def _side_by_side(x: Float[Tensor, "heads n m"]) -> Float[Tensor, "n hm"]:
    return x.transpose(0, 1).flatten(1)
