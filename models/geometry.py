"""From embeddings to scores: cosine similarities and the masks that say which pairs count."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor
from torch.nn.functional import normalize


@dataclass(frozen=True, eq=False)
class Embeddings:
    """Rows of an encoder with their labels; instance, where given, says which rows are views of one item."""

    z: Float[Tensor, "n d"]
    y: Int[Tensor, " n"]
    instance: Int[Tensor, " n"] | None = None
    sample: Int[Tensor, " n"] | None = None  # position in the training set, for a loss that remembers its items
    graded: Float[Tensor, "n g"] | None = None  # rows whose products, in [0, 1], say how alike two items are
    target: Shaped[Tensor, " n *c"] | None = None  # (n,) numbers to predict, or (n, c) of 0 and 1; None: classes
    node: Int[Tensor, " n"] | None = None  # of a graph, where pairs are its links
    stands: Int[Tensor, "n k"] | None = None  # to each of its k nodes: 1 linked, 0 not, -1 does not count


@dataclass(frozen=True, eq=False)
class Scores:
    """Anchors in rows, candidates in columns; a pair in neither mask does not count."""

    s: Float[Tensor, "n m"]  # cosine in [-1, 1]
    pos: Bool[Tensor, "n m"]
    neg: Bool[Tensor, "n m"]
    target: Float[Tensor, "n m"] | None = None  # graded similarity in [0, 1]


def unit(z: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    """Rows scaled to length 1; a zero row stays zero, with cosine 0 to everything."""
    return normalize(z, dim=1)


def masks(anchors: Embeddings, candidates: Embeddings | None = None) -> tuple[Bool[Tensor, "n m"], Bool[Tensor, "n m"]]:
    """Positive and negative mask: by links or instance when both sides have them, else by label.

    No item pairs with itself; of links, one end is scored against the other ends.
    """
    if candidates is not None and anchors.stands is not None and candidates.node is not None:
        told = anchors.stands[:, candidates.node]
        return told == 1, told == 0
    other = anchors if candidates is None else candidates
    if anchors.instance is not None and other.instance is not None:
        same = anchors.instance[:, None] == other.instance[None, :]
    else:
        same = anchors.y[:, None] == other.y[None, :]
    if candidates is not None:
        return same, ~same
    off_diagonal = ~torch.eye(len(anchors.y), dtype=torch.bool, device=anchors.y.device)
    return same & off_diagonal, ~same


def score(embeddings: Embeddings, candidates: Embeddings | None = None) -> Scores:
    """Cosine of every anchor with every candidate; without candidates the batch is scored against itself."""
    z = unit(embeddings.z)
    other = z if candidates is None else unit(candidates.z)
    pos, neg = masks(embeddings, candidates)
    return Scores(z @ other.T, pos, neg, _target(embeddings, embeddings if candidates is None else candidates))


def _target(anchors: Embeddings, candidates: Embeddings) -> Float[Tensor, "n m"] | None:
    if anchors.graded is None or candidates.graded is None:
        return None
    return (anchors.graded @ candidates.graded.T).clamp(0.0, 1.0)  # rounding alone may lead outside
