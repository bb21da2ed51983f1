"""Changes that compute the same as the original, so that no test can tell: each with the reason, by file."""

from tests.mutations.mutants import Mutant

_EMPTY = "is only asked whether it is 0: a sum of counts and their mean are 0 together"
_STRAIGHT = "softplus is straight to the last bit from 40 on: where the branch begins above that is a matter of speed"
_LIKE = {
    ("counts.positives.sum", "counts.positives.mean"): _EMPTY,
    ("80.0", "160.0"): _STRAIGHT,
}
_SAME = {
    ("taylor_softmax", "0.5", "1.0"): "a factor of the whole polynomial drops out of the softmax",
}


def why_same(stem: str, mutant: Mutant) -> str:
    """The reason why this mutant of a file computes the same; empty if it is not known to."""
    change = (mutant.before, mutant.after)
    return _SAME.get((stem, *change)) or _LIKE.get(change, "")
