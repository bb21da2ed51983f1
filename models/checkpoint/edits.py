"""Edits of a checkpoint's class weights without training (ModHiFi): fewer dimensions, or a class unlearnt.

The layer is the head: unit embeddings in, one cosine a class out. Half of the items say which components matter, the
other half measure before and after. Selections by length of the weights and by chance stand beside it, and what is kept
is measured as it is and compensated: on inputs that go together, compensation matters more than the choice. Unlearning
ranks components by the energy they explain on items of the class (`models.diagnostics.fidelity.explained`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.checkpoint.diagnosis import number
from models.checkpoint.material import Material
from models.diagnostics.fidelity import (
    compensated,
    correlated,
    explained,
    fidelity,
    foremost,
    inputs_kept,
    moment,
    singletons,
)
from models.diagnostics.items import unit_rows
from models.diagnostics.measured import Measured, share_interval

SHARE = 0.05  # of the components that are taken out to unlearn
WHY_NOT = "Edits need class weights and labels: give the head's matrix, a row a class."
_STREAM = 19


@dataclass(frozen=True)
class Row:
    """One edited head, on the items that measure."""

    name: str
    accuracy: Measured  # of all classes when pruned, of the others when unlearnt
    forgotten: Measured  # accuracy of the class that was unlearnt; nan when pruned

    def as_dict(self) -> dict[str, Any]:
        """For JSON: numbers that are not defined are None."""
        told: dict[str, Any] = {"name": self.name}
        for key in ("accuracy", "forgotten"):
            found: Measured = getattr(self, key)
            told |= {key: number(found.value), f"{key}_low": number(found.low), f"{key}_high": number(found.high)}
        return told


@dataclass(frozen=True)
class Edits:
    """Before and after of both edits."""

    kept: int  # dimensions
    of: int
    fidelity: float  # mean subset fidelity of the outputs with the kept dimensions
    correlated: float
    pruned: tuple[Row, ...]  # the first as it is
    unlearnt: tuple[Row, ...]
    share: float  # of the components taken out
    forget: int  # the class

    def as_dict(self) -> Mapping[str, Any]:
        """For JSON."""
        return {
            "kept": self.kept, "of": self.of, "fidelity": number(self.fidelity), "correlated": number(self.correlated),
            "pruned": [row.as_dict() for row in self.pruned], "forget": self.forget, "share": self.share,
            "unlearnt": [row.as_dict() for row in self.unlearnt],
        }  # fmt: skip


def edits(material: Material, keep: int, forget: int, share: float = SHARE) -> Edits:
    """Prune the head to `keep` dimensions, and unlearn a class by taking out a share of its components.

    Raises ValueError without class weights, and naming what is out of range.
    """
    w, h, y = _layer(material)
    c, d = w.shape
    _check(y, keep, d, forget, share)
    first, second = _halves(len(y))
    m = moment(h[first])
    score = singletons(m, w)
    own = explained(moment(h[first][y[first] == forget]), w)
    rng = np.random.default_rng(_STREAM)
    choices = {
        "by fidelity": inputs_kept(score, keep),
        "by length of weights": inputs_kept(np.linalg.norm(w, axis=0)[None, :], keep),
        "by chance": np.sort(rng.choice(d, keep, replace=False)),
    }
    count = round(share * c * d)
    taken = {"by fidelity to the class": foremost(own, count), "by chance": foremost(rng.random((c, d)), count)}
    there, truth = h[second], y[second]
    pruned = [_row("as it is", w, there, truth)]
    for name, kept in choices.items():
        pruned.append(_row(f"{keep} of {d} {name}", _only(w, kept), there, truth))
        pruned.append(_row(f"{keep} of {d} {name}, compensated", compensated(m, w, kept), there, truth))
    unlearnt = [_row("as it is", w, there, truth, forget)]
    unlearnt += [_row(f"{count} components {name}", np.where(gone, 0.0, w), there, truth, forget)
                 for name, gone in taken.items()]  # fmt: skip
    near = fidelity(m, w, choices["by fidelity"])
    return Edits(keep, d, float(near[np.isfinite(near)].mean()), correlated(m, w), tuple(pruned), tuple(unlearnt),
                 share, forget)  # fmt: skip


def _layer(material: Material) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unit class weights, unit embeddings, labels."""
    if material.proxies is None or material.labels is None:
        raise ValueError(WHY_NOT)
    return unit_rows(material.proxies), unit_rows(material.embeddings), material.labels


def _check(y: np.ndarray, keep: int, d: int, forget: int, share: float) -> None:
    if not 1 <= keep <= d:
        raise ValueError(f"dimensions to keep must be from 1 to {d}, got {keep}")
    if not 0.0 < share <= 1.0:
        raise ValueError(f"the share of components must be above 0 and at most 1, got {share:g}")
    if np.count_nonzero(y == forget) < 2:
        raise ValueError(f"class {forget} has {np.count_nonzero(y == forget)} items: unlearning needs two at least")


def _halves(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Items that say what matters, and items that measure; the same at every look."""
    order = np.random.default_rng(_STREAM).permutation(n)
    return np.sort(order[: n // 2]), np.sort(order[n // 2 :])


def _only(w: np.ndarray, kept: np.ndarray) -> np.ndarray:
    made = np.zeros_like(w)
    made[:, kept] = w[:, kept]
    return made


def _row(name: str, w: np.ndarray, h: np.ndarray, y: np.ndarray, forget: int | None = None) -> Row:
    """Accuracy of the nearest class weight; with a class to forget, of the others and of that one."""
    right = (h @ w.T).argmax(axis=1) == y
    if forget is None:
        return Row(name, share_interval(int(right.sum()), len(right)), Measured(float("nan")))
    others, own = right[y != forget], right[y == forget]
    return Row(name, *(share_interval(int(part.sum()), len(part)) for part in (others, own)))
