"""A batch as a few-shot episode: its classes, which rows are support and which are query, distances to prototypes."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import one_hot

from models.geometry import Scores
from models.spec import Paper

SUSANA = Paper(
    "Mendez-Ruiz et al.",
    2023,
    "SuSana Distancia is all you need: Enforcing class separability in metric learning via two novel "
    "distance-based loss functions for few-shot image classification",
    arxiv="2305.09062",
    status="verified (training code headed by the first author); printed equation not read",
)
FLOOR = 1e-6  # added to a squared distance before the root, as the authors of paper 1 do


@dataclass(frozen=True, eq=False)
class Prototypes:
    """Euclidean distance of every row to the mean of every class's supports."""

    distance: Float[Tensor, "n c"]
    own: Bool[Tensor, "n c"]  # the row's class
    known: Bool[Tensor, "n c"]  # False: no support is left to make this prototype for this row
    query: Bool[Tensor, " n"]  # rows that are asked


def classes(scores: Scores) -> Int[Tensor, " n"]:
    """Class numbers 0, 1, ... of a batch scored against itself: rows of one class are each other's positives."""
    n = len(scores.s)
    same = scores.pos | torch.eye(n, dtype=torch.bool, device=scores.s.device)
    first = same.to(torch.uint8).argmax(dim=1)  # the first member of the row's class
    leads = first == torch.arange(n, device=first.device)
    return leads.cumsum(0)[first] - 1


def supports(y: Int[Tensor, " n"], shot: int) -> Bool[Tensor, " n"]:
    """The first `shot` rows of each class in the order of the batch; all rows at shot 0."""
    if shot == 0:
        return torch.ones_like(y, dtype=torch.bool)
    earlier = (y[:, None] == y[None, :]).tril(diagonal=-1).sum(dim=1)
    return earlier < shot


def euclidean(square: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Root of squared distance + FLOOR; a square that rounding made negative counts as 0."""
    return (square.clamp(min=0.0) + FLOOR).sqrt()


def prototypes(scores: Scores, shot: int) -> Prototypes:
    """Distances of unit rows to class means, from their cosines alone: |z - c|^2 = 1 + c.c - 2 z.c.

    shot > 0: class means of the first `shot` rows of each class, and the rest are the queries. shot 0: every row is a
    query, and is itself left out of its own class's mean.
    """
    y = classes(scores)
    support = supports(y, shot)
    own = one_hot(y).bool()  # (n, c)
    held = (own & support[:, None]).to(scores.s.dtype)
    cosine = scores.s.masked_fill(torch.eye(len(y), dtype=torch.bool, device=y.device), 1.0)
    dot = cosine @ held  # (n, c) z . sum of a class's supports
    square = (held * dot).sum(dim=0)  # (c,) that sum . itself
    mine = held if shot == 0 else torch.zeros_like(held)
    number = held.sum(dim=0) - mine
    share = 1.0 / number.clamp(min=1.0)
    dot, square = dot - mine, square - mine * (2.0 * dot - 1.0)
    distance = euclidean(1.0 + square * share**2 - 2.0 * dot * share)
    return Prototypes(distance, own, number > 0, torch.ones_like(support) if shot == 0 else ~support)
