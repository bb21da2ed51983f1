"""Retrieval and classification by nearest neighbours, and a linear probe."""

import numpy as np
from jaxtyping import Bool, Float, Int

from models.diagnostics.items import Items
from models.diagnostics.order import ranking
from models.diagnostics.prediction import standardised
from models.diagnostics.summary import Neighbours

VOTERS = 5


def neighbours(items: Items) -> Neighbours:
    """recall@1, MAP@R (Musgrave et al. 2020) and leave-one-out vote of VOTERS neighbours; ties by index.

    Means over the items that have another of their class; nan where there is none. Of two sides, side A asks and side B
    is asked for what belongs to it; the vote, by class, leaves the asking item's own side B out.
    """
    asking = items.pos.any(axis=1)
    if not asking.any():
        return Neighbours(*[float("nan")] * 3)
    total = items.pos[asking].sum(axis=1)
    nearest = others = _others(items.s, max(int(total.max()), VOTERS))[asking]
    if items.v is not None:
        nearest = ranking(_counted(items), min(int(total.max()), len(items.s)))[asking]
    relevant = np.take_along_axis(items.pos[asking], nearest, axis=1)
    knn = _vote(items.y, others[:, :VOTERS]) == items.y[asking]
    return Neighbours(float(relevant[:, 0].mean()), map_at_r(relevant, total), float(knn.mean()))


def first_hits(items: Items) -> Float[np.ndarray, " n"]:
    """1 where an item's nearest other is of its class, 0 where not, nan where it has no other of its class.

    Of two sides: 1 where the nearest side B belongs to it.
    """
    asking = items.pos.any(axis=1)
    hits = np.full(len(items.y), np.nan)
    if asking.any():
        s = _counted(items)
        if items.v is None:
            np.fill_diagonal(s, -np.inf)
        hits[asking] = items.pos[np.arange(len(s)), s.argmax(axis=1)][asking]
    return hits


def _counted(items: Items) -> Float[np.ndarray, "n n"]:
    """Scores, of two sides without the pairs that do not count: nobody asks for them."""
    return items.s.copy() if items.v is None else np.where(items.pos | items.neg, items.s, -np.inf)


def _others(s: Float[np.ndarray, "n n"], top: int) -> Int[np.ndarray, "n k"]:
    """The nearest other items by falling score, at most `top` of them."""
    s = s.copy()
    np.fill_diagonal(s, -np.inf)  # an item comes last in its own list, and is cut off
    return ranking(s, min(top, len(s) - 1))


def map_at_r(relevant: Bool[np.ndarray, "a k"], total: Int[np.ndarray, " a"]) -> float:
    """Mean over rows of (1 / R) sum_{k <= R} precision@k [k-th is relevant], R = total relevant candidates of the row.

    relevant: the first candidates of each row in ranked order, at least max(total) of them.
    """
    rank = np.arange(1, relevant.shape[1] + 1)
    precision = np.cumsum(relevant, axis=1, dtype=np.int32) / rank
    counted = relevant & (rank <= total[:, None])
    return float(((precision * counted).sum(axis=1) / total).mean())


def _vote(y: np.ndarray, nearest: np.ndarray) -> np.ndarray:
    """Most frequent label among each row's neighbours; a tie goes to the smallest label."""
    labels, code = np.unique(y, return_inverse=True)
    rows = np.repeat(np.arange(len(nearest)), nearest.shape[1])
    votes = np.bincount(rows * len(labels) + code[nearest].ravel(), minlength=len(nearest) * len(labels))
    winners: np.ndarray = labels[votes.reshape(len(nearest), len(labels)).argmax(axis=1)]
    return winners


def linear_probe(
    train_z: Float[np.ndarray, "t d"],
    train_y: Int[np.ndarray, " t"],
    test_z: Float[np.ndarray, "n d"],
    test_y: Int[np.ndarray, " n"],
) -> float:
    """Test accuracy of a softmax regression on standardised embeddings; nan without test items or training classes.

    There must be two classes at least, and two items in each on average: with fewer there is nothing to learn.
    Give rows normalised or not: what is given is what is probed. A feature that does not vary is left at zero.
    """
    if not 2 <= len(np.unique(train_y)) <= len(train_y) / 2 or len(test_y) == 0:
        return float("nan")
    # scikit-learn takes two seconds to import, and only finished runs are probed.
    from sklearn.linear_model import LogisticRegression

    train, test = standardised(train_z, test_z)
    model = LogisticRegression(max_iter=2000).fit(train, train_y)
    return float((model.predict(test) == test_y).mean())
