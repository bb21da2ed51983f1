"""Class against class: how alike two classes are, and which pulls and pushes which, how hard."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from models.diagnostics.look import Look
from models.diagnostics.pairs import foremost
from models.selection import ClassCell, Selection


@dataclass(frozen=True, eq=False)
class ClassMatrix:
    """Anchors' classes in rows, candidates' in columns; nan where two classes have no pair."""

    label: Int[np.ndarray, " c"]
    seen: np.ndarray  # (c,) bool: the class is trained on
    count: Int[np.ndarray, "c c"]  # pairs, both directions
    similarity: Float[np.ndarray, "c c"]  # mean cosine
    pull: Float[np.ndarray, "c c"]  # share of all pull, the sum of |dL/ds| < 0, that the cell's pairs carry
    push: Float[np.ndarray, "c c"]  # share of all push
    total_pull: float  # nan without weights
    total_push: float
    why_no_weight: str


def class_matrix(look: Look, among: str = "all") -> ClassMatrix:
    """Means and sums over all pairs of a scope, in the direction in which the loss reads them."""
    keep = look.keep(among)
    label, code = np.unique(look.y[keep], return_inverse=True)
    square = np.ix_(keep, keep)
    member = (code[:, None] == np.arange(len(label))[None, :]).astype(np.float64)  # (n, c)
    counted = (look.pos | look.neg)[square].astype(np.float64)

    def summed(values: np.ndarray) -> np.ndarray:
        return np.asarray(member.T @ values @ member)

    count = summed(counted)
    total = summed(look.s[square] * counted)
    similarity = np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0)
    weight = np.full(counted.shape, np.nan) if look.weight is None else look.weight[square].astype(np.float64)
    pull, push = summed(np.maximum(-weight, 0.0)), summed(np.maximum(weight, 0.0))
    return ClassMatrix(
        label=label,
        seen=np.array([bool(look.seen[look.y == one].all()) for one in label], bool),
        count=count.astype(np.int64),
        similarity=similarity,
        pull=_shares(pull),
        push=_shares(push),
        total_pull=float(pull.sum()),
        total_push=float(push.sum()),
        why_no_weight=look.why_no_weight,
    )


def _shares(mass: np.ndarray) -> Float[np.ndarray, "c c"]:
    total = mass.sum()
    return np.asarray(mass / total if total > 0 else np.full(mass.shape, np.nan))


@dataclass(frozen=True)
class Meeting:
    """One class acting on another, as anchors on candidates."""

    anchor: int  # labels
    candidate: int
    share: float  # of all push, or of all pull
    similarity: float  # mean cosine of the two


def foremost_meetings(matrix: ClassMatrix, kind: str = "push", most: int = 10) -> tuple[Meeting, ...]:
    """Who pushes, or pulls, whom: the heaviest cells first, those without weight left out; ties in order of label.

    Raises ValueError on another kind.
    """
    if kind not in ("push", "pull"):
        raise ValueError(f"kind must be push or pull, got {kind!r}")
    share = np.nan_to_num(matrix.push if kind == "push" else matrix.pull)
    found = [divmod(int(flat), len(matrix.label)) for flat in foremost(share.ravel(), most) if share.ravel()[flat] > 0]
    return tuple(
        Meeting(int(matrix.label[a]), int(matrix.label[b]), float(share[a, b]), float(matrix.similarity[a, b]))
        for a, b in found
    )


def cell(matrix: ClassMatrix, row: int, column: int, lane: str = "", step: int | None = None) -> Selection:
    """The pairs of one cell as a selection; raises IndexError if there is no such cell."""
    size = len(matrix.label)
    if not (0 <= row < size and 0 <= column < size):
        raise IndexError(f"a cell is from 0, 0 to {size - 1}, {size - 1}, got {row}, {column}")
    return Selection(ClassCell(int(matrix.label[row]), int(matrix.label[column])), lane=lane, step=step)
