"""Class-pair gate (Hydra, SimLAP): any two classes may attract, each pair of classes in a subspace of its own."""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from models.geometry import Scores, unit
from models.method_common import Hooks, Pool, Step
from models.spec import Context, Knob, MethodSpec, Paper

SPEC = MethodSpec(
    key="class_pair_gate",
    name="Class-pair gate",
    place="scores",
    reads=("scores",),
    paper=Paper(
        "Wu, Atito, Feng, Mo, Kittler, Awais",
        2024,
        "Rethinking Positive Pairs in Contrastive Learning",
        arxiv="2410.18200",
        equation="gate, gated cosine and per-positive loss",
        status="verified (code of the authors; the paper's tables not read)",
    ),
    knobs=(
        Knob("partner", "arbitrary", choices=("arbitrary", "identical", "distinct"), help="Whom a class joins."),
        Knob("gate", "mean", choices=("mean", "product", "none"), help="Of the mean of two class vectors or of each."),
        Knob("width", 64, 4, 1024, help="Size of a class vector; the gate's hidden layer has twice as many units."),
    ),
    formula=r"s_{ij}=\cos(g_i\odot z_i,\;g_i\odot z_j),\quad g_i=\sigma(\mathrm{MLP}((e_{y_i}+e_{y'_i})/2))",
    when="To see one embedding hold as many notions of alike as there are pairs of classes.",
    pitfall="Without the gate, arbitrary pairs destroy what tells classes apart in the projection.",
    convention=(
        "Paper form: both sides gated, then scaled to length 1. Positive: every item of the partner class, the anchor "
        "itself too where that is its own; other items of the anchor's class do not count. The gate's layers are "
        "normalised row by row, not over the batch, so that a batch of one is possible. A distinct partner is one of "
        "the other classes of the batch. Before InfoNCE this is the paper's loss. Where pairs are links of a graph, "
        "classes are types of node: the partner is the type at a link's other end, whatever the knob says, and links "
        "are the positives."
    ),
    candidates="gated",
    one_tower=False,
    known=True,
    towers=True,
)
_FLOOR = 1e-12  # squared length below which a gated row counts as zero, for a finite gradient


def gated_cosine(
    anchors: Float[Tensor, "n d"], others: Float[Tensor, "m d"], gate: Float[Tensor, "n d"]
) -> Float[Tensor, "n m"]:
    """cos(g_i z_i, g_i z_j) for every pair, by three products instead of n x m x d numbers."""
    square = gate.square()
    length = ((square * anchors.square()).sum(dim=1, keepdim=True) + _FLOOR).sqrt()  # (n, 1)
    lengths = (square @ others.square().T + _FLOOR).sqrt()  # (n, m), those of the others under each anchor's gate
    return (square * anchors) @ others.T / (length * lengths)


def partner_masks(
    own: Int[Tensor, " n"], partner: Int[Tensor, " n"], others: Int[Tensor, " m"]
) -> tuple[Bool[Tensor, "n m"], Bool[Tensor, "n m"]]:
    """Positive: of the partner class. Negative: neither of the partner's nor of the anchor's own class."""
    pos = others[None, :] == partner[:, None]
    return pos, ~pos & (others[None, :] != own[:, None])


def draw_partners(y: Int[Tensor, " n"], kind: str, rng: np.random.Generator) -> Int[Tensor, " n"]:
    """A partner class for each anchor: that of a random other row, its own, or one of the batch's other classes."""
    if kind == "identical":
        return y
    if kind == "arbitrary":
        return y[torch.from_numpy(rng.permutation(len(y))).to(y.device)]
    classes, which = np.unique(y.cpu().numpy(), return_inverse=True)
    step = rng.integers(1, max(len(classes), 2), len(y))
    return torch.from_numpy(classes[(which + step) % len(classes)]).to(y.device)  # one class alone joins itself


class Method(Hooks):
    """A vector for each class and the network from two of them to a gate; `partner` and `gate` may be set any time."""

    def __init__(self, context: Context, *, partner: str = "arbitrary", gate: str = "mean", width: int = 64) -> None:
        super().__init__()
        self.partner, self.gate, self.dim = partner, gate, context.dim
        self.vector = nn.Embedding(context.classes, width)
        self.net = nn.Sequential(
            nn.ReLU(),
            nn.LayerNorm(width),
            nn.Linear(width, 2 * width),
            nn.ReLU(),
            nn.LayerNorm(2 * width),
            nn.Linear(2 * width, context.dim),
        )

    def gates(self, own: Int[Tensor, " n"], partner: Int[Tensor, " n"]) -> Float[Tensor, "n d"]:
        """Numbers in (0, 1) for each anchor, the same for a pair of classes in either order."""
        one, other = self.vector(own), self.vector(partner)
        gate: Tensor = one.new_ones(len(own), self.dim)
        if self.gate == "mean":
            gate = torch.sigmoid(self.net((one + other) / 2))
        elif self.gate == "product":
            gate = torch.sigmoid(self.net(one)) * torch.sigmoid(self.net(other))
        return gate

    def change(self, pool: Pool, step: Step) -> list[Pool]:
        """The same rows under the gates of their drawn partners."""
        y, others = pool.anchors.y, pool.others
        if pool.anchors.stands is not None and pool.candidates is not None:
            s = gated_cosine(unit(pool.anchors.z), unit(others.z), self.gates(y, others.y))
            return [replace(pool, scores=replace(pool.pairs, s=s))]
        partner = draw_partners(y, self.partner, step.rng)
        s = gated_cosine(unit(pool.anchors.z), unit(others.z), self.gates(y, partner))
        return [replace(pool, scores=Scores(s, *partner_masks(y, partner, others.y)))]
