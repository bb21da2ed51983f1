"""ICNN: score how near, how pure and how separate the nearest neighbours of every item are; the loss is -log of it."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from models.episode import FLOOR, SUSANA, classes, euclidean, prototypes, supports
from models.geometry import Scores
from models.spec import Counts, Knob, Knobs, Level, LossSpec

_TINY = 1e-7  # added to every divisor, as in the authors' code: it shows in the seventh digit
AGAINST = ("items", "prototypes")


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Origins in rows, targets in columns."""

    distance: Float[Tensor, "o t"]
    same: Bool[Tensor, "o t"]  # of one class
    known: Bool[Tensor, "o t"]  # False: there is no such target for this origin
    own: Bool[Tensor, "o t"]  # the origin itself, which always sorts first


@dataclass(frozen=True, eq=False)
class Parts:
    """The components of the score, each in [0, 1]; only the first two have a gradient."""

    lambda_same: Float[Tensor, ""]
    lambda_diff: Float[Tensor, ""]
    gamma: Float[Tensor, ""]

    @property
    def score(self) -> Float[Tensor, ""]:
        """Mean of separation (Lambda) and purity (Gamma)."""
        return ((self.lambda_same + self.lambda_diff) / 2.0 + self.gamma) / 2.0


def reach(available: int, neighbours: int, look: int) -> tuple[int, int, bool]:
    """Neighbours scored, neighbours looked at, and whether there are too few for all that was asked."""
    cut = neighbours + 1 >= available
    k = available - 1 if cut else neighbours
    return k, min(look or k + 1, available), cut


def _perfect(counts: Counts, knobs: Knobs) -> float | None:
    """All rows of a class are one point: the neighbours of an item are first its class, then others at one distance."""
    if int(knobs["shot"]) or knobs["against"] != "items":
        return None
    k, ipc, cut = reach(len(counts.positives) - 1, int(knobs["neighbours"]), int(knobs["look"]))
    if k < 1:
        return 0.0
    right = np.minimum(counts.positives, min(k, ipc)).astype(float)
    wrong = min(k, ipc) - right
    far = np.sqrt(2.0 - 2.0 * counts.best_negative + FLOOR)
    near = np.where(counts.positives < ipc, np.sqrt(FLOOR) / (far + _TINY), 0.0)  # none wrong in sight: scaled to 0
    lambda_same = 1.0 - _level_mean(near * right, right) if right.any() else 1.0
    lambda_diff = _level_mean(wrong * far / (far + _TINY), wrong) if wrong.any() else 1.0
    gamma = 1.0 if cut else (right / k).mean()
    return float(0.0 - np.log(((lambda_same + lambda_diff) / 2.0 + gamma) / 2.0))  # 0, not -0


def _level_mean(total: np.ndarray, number: np.ndarray) -> float:
    """As _mean_of_means, of what is already added up."""
    return float((total / (number + _TINY)).sum() / ((number > 0).sum() + _TINY))


SPEC = LossSpec(
    key="icnn",
    name="ICNN",
    family="ranking",
    reads="scores",
    paper=replace(SUSANA, equation="inter and intra class nearest neighbours score, without its variance term"),
    knobs=(
        Knob("neighbours", 4, 1, 50, unit="neighbours", help="Nearest neighbours that are scored."),
        Knob(
            "look",
            0,
            0,
            100,
            unit="neighbours",
            help="Neighbours among which the nearest wrong one is sought; 0: one more.",
        ),
        Knob("against", "items", choices=AGAINST, help="Neighbours are single items, or class means."),
        Knob(
            "shot",
            0,
            0,
            50,
            unit="rows",
            help="The first so many rows of a class are supports, the rest look at them as queries; 0: all at all.",
        ),
        Knob(
            "official",
            True,
            choices=(True, False),
            help="Drop the nearest target always, as the authors' code does; off: only where it is the item itself.",
        ),
    ),
    levels=(Level("perfect", _perfect, "classes are points on a simplex: the floor"),),
    formula=(
        r"-\log\tfrac12\Big(\tfrac{\lambda_{=}+\lambda_{\ne}}2+\Gamma\Big),\ "
        r"\lambda_{=}=1-\overline{r_{=}/r_{\ne}^{\min}},\ \lambda_{\ne}=\overline{r_{\ne}/\max r_{\ne}},\ "
        r"\Gamma=\overline{\#_{=}/k}"
    ),
    when="Few-shot learning with several supports a class: it shapes neighbourhoods, not class means.",
    pitfall="Purity is a count and gives no gradient; with one support a class there is nothing to attract.",
    convention=(
        "Means over items that have such a neighbour. Rows are scaled to length 1, which the authors do not do; "
        "distances are roots of square + 1e-6, and every divisor has 1e-7 added, as in the authors' code. "
        "Where neighbours + 1 reaches the number available, all but one are scored and purity counts as 1. The authors "
        "drop the first neighbour also of queries that look at supports or prototypes, where it is no self-match but "
        "mostly the right answer: `official` off mends that. At shot 0 an item looks at all others, or at class means "
        "without itself; among ties the item itself is dropped."
    ),
    relations=(
        "the official step changes nothing at shot 0 against items, where the first neighbour is the item itself",
    ),
    pulls_positives=False,
    pushes_negatives=False,
    rowwise=False,
    one_tower=True,
    cost=(
        "Nearest neighbours are picked twice from every row, of any class and of other classes: four to seven times "
        "the matrix product."
    ),
)


def loss(
    scores: Scores,
    *,
    neighbours: int = 4,
    look: int = 0,
    against: str = "items",
    shot: int = 0,
    official: bool = True,
) -> Float[Tensor, ""]:
    """-log((Lambda + Gamma) / 2): separation of the nearest neighbours' distances, purity of their classes."""
    seen = _to_prototypes(scores, shot) if against == "prototypes" else _to_items(scores, shot)
    found = parts(seen, neighbours, look, official)
    return 0.0 * scores.s.sum() if found is None else -found.score.log()


def parts(seen: Neighbours, neighbours: int, look: int, official: bool) -> Parts | None:
    """Components of the score; None where an origin has too few targets to compare any two."""
    drop = int(official or bool(seen.own.any()))
    k, ipc, cut = reach(seen.distance.shape[1] - drop, neighbours, look)
    if k < 1 or len(seen.distance) == 0:
        return None
    key = seen.distance.detach().masked_fill(~seen.known, torch.inf).masked_fill(seen.own, -1.0)
    nearest = key.topk(ipc + drop, dim=1, largest=False).indices[:, drop:]
    r, same, known = (t.gather(1, nearest) for t in (seen.distance, seen.same, seen.known))  # (o, ipc), rising
    wrong = ~same & known
    rival = torch.where(wrong, r, torch.inf).amin(dim=1, keepdim=True)
    r, same, wrong, known = r[:, :k], (same & known)[:, :k], wrong[:, :k], known[:, :k]
    scaled = torch.where(known, r, 0.0) / (rival + _TINY)
    scaled = scaled / scaled.amax(dim=1, keepdim=True).clamp(min=1.0)
    farthest = torch.where(wrong, r, 0.0).amax()
    ones = r.new_ones(())
    return Parts(
        lambda_same=1.0 - _mean_of_means(scaled, same) if same.any() else ones,
        lambda_diff=_mean_of_means(r / (farthest + _TINY), wrong) if wrong.any() else ones,
        gamma=ones if cut else same.sum(dim=1).to(r.dtype).mean() / k,
    )


def _mean_of_means(x: Float[Tensor, "o k"], mask: Bool[Tensor, "o k"]) -> Float[Tensor, ""]:
    """Mean over rows of the mean over their masked entries; rows without any do not count."""
    number = mask.to(x.dtype).sum(dim=1)  # in the type of x: whole numbers plus a fraction would be single precision
    per_row = torch.where(mask, x, 0.0).sum(dim=1) / (number + _TINY)
    return per_row.sum() / ((number > 0).to(x.dtype).sum() + _TINY)


def _to_items(scores: Scores, shot: int) -> Neighbours:
    """Every row against every column, or queries against supports."""
    distance, same, own = euclidean(2.0 - 2.0 * scores.s), ~scores.neg, ~(scores.pos | scores.neg)
    if shot:
        support = supports(classes(scores), shot)
        distance, same, own = (t[~support][:, support] for t in (distance, same, own))
    return Neighbours(distance, same, torch.ones_like(same), own)


def _to_prototypes(scores: Scores, shot: int) -> Neighbours:
    """Queries against class means."""
    to = prototypes(scores, shot)
    distance, own, known = (t[to.query] for t in (to.distance, to.own, to.known))
    return Neighbours(distance, own, known, torch.zeros_like(own))
