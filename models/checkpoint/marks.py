"""What a finding marks: its pairs on every panel, and the same pairs and items as a table to read one by one."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from models.checkpoint.material import Material
from models.checkpoint.sample import places
from models.checkpoint.view import weight_matrix
from models.diagnostics.brushed import DOTS, LINES, About, Brushed, Dots, Lines, assembled
from models.diagnostics.findings.evidence import Evidence
from models.diagnostics.findings.finding import Fired
from models.diagnostics.items import PairScores
from models.diagnostics.pairs import spaced

LISTED = 60  # rows of a table
_MOST = 20_000  # pairs marked


@dataclass(frozen=True, eq=False)
class Marks:
    """The pairs of a finding. A finding about items marks each with its nearest others, and says so."""

    brushed: Brushed | None  # None: there is nothing to mark
    listed: tuple[dict[str, Any], ...]  # rows of a table, at most LISTED
    total: int  # items or pairs there are
    about: str  # "pairs", "items", or why nothing is listed
    items: tuple[int, ...] = ()  # rows of the user's data that are marked on the map
    pairs: tuple[tuple[int, int], ...] = ()  # the same pairs by row; of two sides (query, document)


def marks(material: Material, evidence: Evidence, fired: Fired) -> Marks:
    """The pairs and items of one finding; what is outside the sample is left out, and so is all of scores alone."""
    if evidence.s is None or evidence.pos is None or evidence.neg is None or evidence.u is None:
        return Marks(None, (), 0, "Nothing says which items belong together: there are no pairs to show.")
    columns = evidence.row if evidence.column is None else evidence.column
    i, j = (places(rows, fired.selection.pairs[:, end]) for end, rows in enumerate((evidence.row, columns)))
    known = (i >= 0) & (j >= 0)
    i, j = i[known][:_MOST], j[known][:_MOST]
    if len(i):
        held = tuple(np.unique(np.concatenate([evidence.row[i], columns[j]]))[:_MOST].tolist())
        return Marks(_brushed(evidence, i, j), _pairs(material, evidence, i, j), len(fired.selection.pairs),
                     "pairs", held, _rows(evidence, i, j))  # fmt: skip
    place = places(evidence.row, fired.selection.items)
    place = place[place >= 0]
    if len(place) == 0:
        return Marks(None, (), 0, "This finding is about all items together: no single one shows it.")
    near = evidence.nearest[place]
    i, j = np.repeat(place, near.shape[1])[:_MOST], near.ravel()[:_MOST]
    listed = tuple(_item(material, evidence, int(at)) for at in place[:LISTED])
    held = tuple(evidence.row[place][:_MOST].tolist())
    return Marks(_brushed(evidence, i, j), listed, len(fired.selection.items), "items", held, _rows(evidence, i, j))


def _rows(evidence: Evidence, i: np.ndarray, j: np.ndarray) -> tuple[tuple[int, int], ...]:
    columns = evidence.row if evidence.column is None else evidence.column
    return tuple(zip(evidence.row[i].tolist(), columns[j].tolist(), strict=True))


def _brushed(evidence: Evidence, i: np.ndarray, j: np.ndarray) -> Brushed:
    """Pairs (i, j) as every panel marks them; an unordered pair that is named twice is taken once."""
    assert evidence.s is not None
    assert evidence.pos is not None
    assert evidence.scores is not None
    if evidence.column is None:
        i, j = np.minimum(i, j), np.maximum(i, j)
    i, j = np.unique(np.stack([i, j]), axis=1)
    score, positive = evidence.s[i, j], evidence.pos[i, j]
    held = PairScores(np.sort(score[positive]), np.sort(score[~positive]))
    weight, shares = _weights(evidence, i, j)
    dot = np.concatenate([at[spaced(len(at), DOTS)] for at in (np.flatnonzero(positive), np.flatnonzero(~positive))])
    order = np.argsort(-np.nan_to_num(np.abs(weight)), kind="stable")[:LINES]
    ends = np.unique(np.concatenate([i, j] if evidence.column is None else [i]))
    return assembled(
        About(0, evidence.name, ends, shares, "" if evidence.loss is not None else evidence.why_no_loss),
        held,
        evidence.scores,
        Dots(score[dot], weight[dot], positive[dot]),
        # Documents are not on the map of the queries: their pairs are no lines.
        Lines(i[order], (j if evidence.column is None else i)[order], weight[order], positive[order]),
    )


def _weights(evidence: Evidence, i: np.ndarray, j: np.ndarray) -> tuple[np.ndarray, tuple[float, float]]:
    """Weight of each pair, both directions together, and their shares of all pull and of all push; nan without."""
    matrix = weight_matrix(evidence)
    if matrix is None:
        return np.full(len(i), np.nan), (float("nan"), float("nan"))
    held = matrix[i, j].astype(np.float64)
    if evidence.column is None:
        held = held + matrix[j, i]
    shares = []
    for sign in (-1.0, 1.0):
        whole = float(np.maximum(sign * matrix, 0.0).sum(dtype=np.float64))
        shares.append(float(np.maximum(sign * held, 0.0).sum()) / whole if whole > 0 else float("nan"))
    return held, (shares[0], shares[1])


def _pairs(material: Material, evidence: Evidence, i: np.ndarray, j: np.ndarray) -> tuple[dict[str, Any], ...]:
    """One row a pair: both ends with their classes, cosine, whether they belong together, and the weight."""
    assert evidence.s is not None
    assert evidence.pos is not None
    columns = evidence.row if evidence.column is None else evidence.column
    i, j = i[:LISTED], j[:LISTED]
    weight = _weights(evidence, i, j)[0]
    told = []
    for k, (one, other) in enumerate(zip(i.tolist(), j.tolist(), strict=True)):
        row: dict[str, Any] = {"item": _called(material, int(evidence.row[one]))}
        row["with"] = _called(material, int(columns[other])) if evidence.column is None else f"#{columns[other]}"
        row |= {"cosine": round(float(evidence.s[one, other]), 4), "belong together": bool(evidence.pos[one, other])}
        told.append(row if np.isnan(weight[k]) else {**row, "weight": float(f"{weight[k]:.4g}")})
    return tuple(told)


def _item(material: Material, evidence: Evidence, place: int) -> dict[str, Any]:
    """One row an item: its name, its nearest others, and how many of those belong to it."""
    assert evidence.s is not None
    assert evidence.pos is not None
    near = evidence.nearest[place]
    columns = evidence.row if evidence.column is None else evidence.column
    names = [_called(material, int(columns[at])) if evidence.column is None else f"#{columns[at]}" for at in near[:3]]
    return {
        "item": _called(material, int(evidence.row[place])),
        "nearest": ", ".join(names),
        "cosine of the nearest": round(float(evidence.s[place, near[0]]), 4) if len(near) else None,
        f"of {len(near)} nearest belong to it": int(evidence.pos[place, near].sum()),
    }


def _called(material: Material, row: int) -> str:
    """`seven · #12`: the class and the row of an item; the name where it has one."""
    name = material.item[row] if material.item else f"#{row}"
    if material.labels is None:
        return name
    label = int(material.labels[row])
    return f"{material.classes[label] if label < len(material.classes) else label} · {name}"
