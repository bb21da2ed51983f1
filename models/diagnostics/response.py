"""The theoretical weight curves of a lens, brought to the units of the measured weights."""

import numpy as np
from jaxtyping import Float

from models.snapshot import Lens


def measured_curves(lens: Lens) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"]]:
    """(pull, push): the weight that one pair of the typical anchor would have in the reduced loss at each score.

    `Lens` holds the weight of the typical anchor's first positive, and of its first negative, if that pair alone moved
    along the grid, in units of that anchor's own loss. The measured weight is that of the reduced loss, in which the
    anchor counts a share: 1/n in a mean over anchors, P_i / sum P in a mean over positive pairs, 1 in a sum. The share
    is read off where curve and measurement describe the same thing, the pair at the score it has.
    """
    if len(lens.grid) == 0:
        return lens.pull_curve, lens.push_curve
    share = anchor_share(lens)
    return lens.pull_curve * share, lens.push_curve * share


def typical_anchor(lens: Lens) -> int:
    """The anchor whose hardest negative is the median one: the anchor that the curves of a lens belong to."""
    hardest = np.where(lens.neg, lens.s, -2.0).max(axis=1)
    return int(np.argsort(hardest, kind="stable")[len(hardest) // 2])


def anchor_share(lens: Lens) -> float:
    """What the typical anchor's loss counts for in the reduced loss; 1/n where none of its two pairs has a weight."""
    row = typical_anchor(lens)
    guesses = []
    for mask, curve in ((lens.pos, lens.pull_curve), (lens.neg, lens.push_curve)):
        columns = np.flatnonzero(mask[row])
        if len(columns):
            expected, change = _at(lens.grid, curve, float(lens.s[row, columns[0]]))
            measured = float(lens.weight[row, columns[0]])
            if expected * measured > 0:
                guesses.append((change, measured / expected))
    # Of the two, the one whose curve is flatter between its grid points is interpolated best.
    return min(guesses)[1] if guesses else 1.0 / len(lens.s)


def _at(grid: np.ndarray, curve: np.ndarray, score: float) -> tuple[float, float]:
    """Curve at a score and how much its logarithm changes over that cell; geometric where both ends share a sign.

    Weights of softmax losses are nearly exponential in the score, for which the geometric way is exact.
    """
    cell = int(np.clip(np.searchsorted(grid, score) - 1, 0, len(grid) - 2))
    left, right = float(curve[cell]), float(curve[cell + 1])
    share = (score - float(grid[cell])) / float(grid[cell + 1] - grid[cell])
    if left * right <= 0:
        return left + share * (right - left), np.inf
    change = float(np.log(right / left))
    return left * float(np.exp(share * change)), abs(change)
