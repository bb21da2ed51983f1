"""Faults of the embedding's shape, whatever the labels: collapse, cone, hubs, lengths."""

import numpy as np

from models.diagnostics.bootstrap import multiplicities
from models.diagnostics.findings.evidence import NEIGHBOURS, Evidence
from models.diagnostics.findings.finding import Clear, Fired, Outcome, Rule, Selection, Unknown
from models.diagnostics.measured import Measured, drawn, resampled_mean
from models.diagnostics.spectrum import effective_rank

FEWEST = 20  # items below which a shape is not judged
COLLAPSED, NARROW, HIGH_AUC = 0.95, 0.5, 0.8
RANK_SHARE, SIMPLEX, SKEW, VARYING, LOST = 0.25, 0.75, 3.0, 0.1, 0.05
_BLOCKS = 10  # of the jackknife
_NO_ROWS = "there are scores alone, and no embeddings"
_NO_PAIRS = "nothing says which items belong together"


def too_few(evidence: Evidence) -> str:
    """Say why the shape of these embeddings cannot be judged; empty if it can."""
    if evidence.u is None:
        return _NO_ROWS
    n = len(evidence.u)
    return "" if n >= FEWEST else f"{n} embeddings are too few: {FEWEST} at least"


def point_collapse(evidence: Evidence) -> Outcome:
    """Mean cosine > 0.95, which is a spread (root mean variance of a dimension, times sqrt d) below 0.22."""
    if why := too_few(evidence):
        return Unknown(why)
    found = evidence.mean_cosine
    if found.value <= COLLAPSED:
        return Clear(found, COLLAPSED)
    told = f"Any two items have a cosine of {found} on average: the embedding has shrunk to a point."
    return Fired("serious", found.above(COLLAPSED), told, found, COLLAPSED)


def dimensional_collapse(evidence: Evidence) -> Outcome:
    """Effective rank < 25 % of d, and below 3/4 of what classes need; without labels the first alone.

    Needed is the effective rank of classes as points on a simplex: classes - 1 if they are of one size, fewer if not.
    Three quarters, because the entropy of directions that are used a little unevenly is lower, and does no harm.
    """
    if why := too_few(evidence):
        return Unknown(why)
    u = evidence.rows
    n, d = u.shape
    if n <= d:
        return Unknown(f"{n} items span at most {n - 1} of {d} dimensions: more items than dimensions are needed")
    if evidence.mean_cosine.value > COLLAPSED:
        return Unknown("the embedding has collapsed to a point, which has no dimensions to speak of")
    classes = 0 if evidence.y is None else len(np.unique(evidence.y))
    needed = RANK_SHARE * d if evidence.y is None else min(RANK_SHARE * d, SIMPLEX * _simplex_rank(evidence.y))
    rank = _rank(u)
    if not rank.value < needed:
        return Clear(rank, needed)
    told = f"The effective rank is {rank} of {d} dimensions" + (
        f", fewer than the {classes} classes need." if classes else "; how many are needed is unknown."
    )
    return Fired("serious" if classes else "info", rank.below(needed), told, rank, needed)


def _rank(u: np.ndarray) -> Measured:
    """Effective rank of the centred rows with the normal interval of a jackknife that leaves out tenths."""
    block = np.arange(len(u)) % _BLOCKS
    sums = np.stack([u[block == b].sum(axis=0, dtype=np.float64) for b in range(_BLOCKS)])
    squares = np.stack([u[block == b].astype(np.float64).T @ u[block == b] for b in range(_BLOCKS)])
    sizes = np.bincount(block, minlength=_BLOCKS)

    def rank(keep: np.ndarray) -> float:
        n, mean = sizes[keep].sum(), sums[keep].sum(axis=0) / sizes[keep].sum()
        spread = squares[keep].sum(axis=0) / n - np.outer(mean, mean)
        return effective_rank(np.linalg.eigvalsh(spread).clip(min=0.0), u.dtype)

    whole = rank(np.ones(_BLOCKS, bool))
    parts = np.asarray([rank(np.arange(_BLOCKS) != b) for b in range(_BLOCKS)])
    half = 1.96 * float(np.sqrt((_BLOCKS - 1) / _BLOCKS * ((parts - parts.mean()) ** 2).sum()))
    return Measured(whole, whole - half, whole + half)


def _simplex_rank(y: np.ndarray) -> float:
    """Effective rank of one point a class at equal distances, items as they are shared out; 0 for a single class."""
    share = np.unique(y, return_counts=True)[1] / len(y)
    if len(share) < 2:
        return 0.0
    return effective_rank(np.linalg.eigvalsh(np.diag(share) - np.outer(share, share)).clip(min=0.0), share.dtype)


def narrow_cone(evidence: Evidence) -> Outcome:
    """Mean of the unit rows longer than 0.5, while the ranking is good (AUC >= 0.8) and nothing has collapsed."""
    if why := too_few(evidence):
        return Unknown(why)
    if not evidence.auc.known:
        return Unknown(_NO_PAIRS)
    found = evidence.cone
    if found.value <= NARROW or evidence.auc.value < HIGH_AUC or evidence.mean_cosine.value > COLLAPSED:
        return Clear(found, NARROW)
    told = (
        f"All embeddings lie in a cone: their mean has length {found}, a mean cosine of "
        f"{evidence.mean_cosine.value:.2f}. The ranking is not hurt (AUC {evidence.auc.value:.3f})."
    )
    return Fired("info", found.above(NARROW), told, found, NARROW)


def hubs(evidence: Evidence) -> Outcome:
    """Skewness of how often items are among the 10 nearest of others (Radovanović et al. 2010) above 3."""
    if evidence.s is None or evidence.column is not None or evidence.u is None:
        return Unknown("hubs are looked for among items of one kind, with embeddings and labels or pairs")
    n = len(evidence.u)
    if n < 10 * NEIGHBOURS:
        return Unknown(f"{n} items are too few for the counts of {NEIGHBOURS} neighbours: {10 * NEIGHBOURS} at least")
    if evidence.mean_cosine.value > COLLAPSED:
        return Unknown("the embedding has collapsed to a point, where neighbours mean nothing")
    counts = np.bincount(evidence.nearest.ravel(), minlength=n).astype(np.float64)
    found = _skewness(counts)
    if not found.value > SKEW:
        return Clear(found, SKEW)
    most = np.argsort(-counts, kind="stable")[:20]
    told = (
        f"Item {evidence.row[most[0]]} is among the {NEIGHBOURS} nearest of {counts[most[0]]:.0f} others, where "
        f"{NEIGHBOURS} are expected; the counts have skewness {found}."
    )
    return Fired("warning", found.above(SKEW), told, found, SKEW, Selection(evidence.selected(most)))


def _skewness(values: np.ndarray) -> Measured:
    """Third standardised moment over items, with a bootstrap over them; nan if nothing varies."""
    draws = multiplicities(len(values)).astype(np.float64) / len(values)
    weights = np.vstack([np.full(len(values), 1 / len(values)), draws])
    first, second, third = (weights @ values**power for power in (1, 2, 3))
    variance = second - first**2
    moment = third - 3 * first * second + 2 * first**3
    found = np.divide(moment, variance**1.5, out=np.full(len(weights), np.nan), where=variance > 0)
    return drawn(float(found[0]), found[1:])


def norms(evidence: Evidence) -> Outcome:
    """Lengths vary by more than 10 %, and recall@1 by dot product is more than 0.05 below that by cosine."""
    if why := too_few(evidence):
        return Unknown(why)
    if evidence.pos is None or evidence.length is None or evidence.column is not None:
        return Unknown("whether lengths do harm is seen in retrieval among items of one kind with labels or pairs")
    length = evidence.length
    varying = float(length.std() / length.mean()) if length.mean() > 0 else 0.0
    asking = np.isfinite(evidence.hits)
    if not asking.any():
        return Unknown("no item has another that belongs to it")
    dot = evidence.candidates * length[None, :]
    by_dot = evidence.pos[np.arange(len(length)), dot.argmax(axis=1)]
    found = resampled_mean(evidence.hits[asking] - by_dot[asking])
    if varying <= VARYING or found.value <= LOST:
        return Clear(found, LOST)
    told = (
        f"Lengths vary by {varying:.0%} of their mean, and a search by dot product instead of cosine loses {found} of "
        f"recall@1."
    )
    longest = np.argsort(-length, kind="stable")[:20]
    return Fired("info", found.above(LOST), told, found, LOST, Selection(evidence.selected(longest)))


RULES = (
    Rule(
        "point_collapse",
        "Point collapse",
        "mean cosine",
        "score_histogram",
        "Lower the learning rate, normalise, mine softer negatives, or add a term for spread.",
        "Embeddings taken before the last layer that are spread out: then the head has collapsed and not the encoder.",
        point_collapse,
    ),
    Rule(
        "dimensional_collapse",
        "Dimensional collapse",
        "effective rank",
        "spectrum",
        "Widen the head, decorrelate its outputs, or raise the temperature.",
        "A task whose classes truly lie along few directions, with recall as good as in more of them.",
        dimensional_collapse,
    ),
    Rule(
        "narrow_cone",
        "Narrow cone",
        "length of the mean vector",
        "score_histogram",
        "The ranking is fine. Use no absolute threshold from elsewhere, or subtract the mean first.",
        "A threshold that was calibrated on these very embeddings.",
        narrow_cone,
    ),
    Rule(
        "hubs",
        "Hubs",
        "skewness of neighbour counts",
        "embedding_map",
        "Subtract the mean, or scale similarities locally, before searching.",
        "Hubs that are the same item many times over: then de-duplicate instead.",
        hubs,
    ),
    Rule(
        "norms",
        "Lengths carry meaning that cosine does not",
        "recall@1 lost by dot product",
        "embedding_map",
        "Normalise embeddings before they are stored, or search by cosine.",
        "A search that normalises already.",
        norms,
    ),
)
