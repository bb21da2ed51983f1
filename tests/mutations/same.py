"""Changes that compute the same as the original, so that no test can tell: each with the reason, by file."""

from tests.mutations.mutants import Mutant

_EMPTY = "is only asked whether it is 0: a sum of counts and their mean are 0 together"
_STRAIGHT = "softplus is straight to the last bit from 40 on: where the branch begins above that is a matter of speed"
_LIKE = {
    ("counts.positives.sum", "counts.positives.mean"): _EMPTY,
    ("80.0", "160.0"): _STRAIGHT,
}
_SAME = {  # file, how the line begins, before, after
    ("taylor_softmax", "numerator = ", "0.5", "1.0"): "a factor of the whole polynomial drops out of the softmax",
    ("queue", "NOBODY = ", "1", "2"): "any number that is no class stands for rows of no class",
}


def why_same(stem: str, line: str, mutant: Mutant) -> str:
    """The reason why this mutant of a line of a file computes the same; empty if it is not known to."""
    change = (mutant.before, mutant.after)
    of_file = (
        why for (name, begins, *known), why in _SAME.items()
        if name == stem and line.strip().startswith(begins) and tuple(known) == change
    )  # fmt: skip
    return next(of_file, _LIKE.get(change, ""))
