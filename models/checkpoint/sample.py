"""From material to evidence: which items are looked at pair by pair, and their scores and masks."""

from dataclasses import dataclass

import numpy as np

from models.checkpoint.material import Material
from models.diagnostics.findings.evidence import Evidence, Table
from models.diagnostics.items import unit_rows

SAMPLE = 2000  # items looked at pair by pair: four million pairs
_STREAM = 11


@dataclass(frozen=True, eq=False)
class Sample:
    """Rows of the embeddings, and of the documents where items have two sides."""

    rows: np.ndarray
    documents: np.ndarray | None
    whole: bool  # nothing was left out


def choose(material: Material, size: int = SAMPLE) -> Sample:
    """The same rows for the same material; labelled items in proportion to their classes.

    Classes that are too small to be thinned are taken whole or not at all, so that positives stay.
    """
    rng = np.random.default_rng(_STREAM)
    n = material.size
    if material.door == "relevance":
        return _choose_two_sided(material, size, rng)
    if material.door == "pairs":
        assert material.pairs is not None
        ends = np.stack([material.pairs.a, material.pairs.b], axis=1)
        every = np.unique(ends)
        mixed = ends[rng.permutation(len(ends))].ravel()
        _, first = np.unique(mixed, return_index=True)
        taken = mixed[np.sort(first)[:size]]
        return Sample(np.sort(taken), None, len(every) <= size)
    if n <= size or material.door == "scores":
        return Sample(np.arange(n), None, whole=True)
    if material.labels is None:
        return Sample(np.sort(rng.permutation(n)[:size]), None, whole=False)
    return Sample(_of_classes(material.labels, size, rng), None, whole=False)


def _of_classes(labels: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    mixed = rng.permutation(len(labels))
    names, sizes = np.unique(labels, return_counts=True)
    if np.median(sizes) * size / len(labels) >= 4:
        ordered = mixed[np.argsort(labels[mixed], kind="stable")]
        return np.sort(ordered[np.linspace(0, len(labels) - 1, size).round().astype(np.int64)])
    order = rng.permutation(len(names))
    kept = names[order[np.cumsum(sizes[order]) <= size]]
    if len(kept) < 2:
        return np.sort(mixed[:size])
    return np.flatnonzero(np.isin(labels, kept))


def _choose_two_sided(material: Material, size: int, rng: np.random.Generator) -> Sample:
    assert material.relevance is not None
    n, m = material.size, len(material.relevance.documents)
    asked = np.unique(material.relevance.query)
    rest = np.setdiff1d(np.arange(n), asked)
    rows = np.concatenate([rng.permutation(asked), rest])[:size]
    theirs = np.unique(material.relevance.document[np.isin(material.relevance.query, rows)])
    others = rng.permutation(np.setdiff1d(np.arange(m), theirs))
    documents = np.sort(np.concatenate([theirs, others])[:size])
    return Sample(np.sort(rows), documents, n <= size and m <= size)


def evidence_of(material: Material, sample: Sample) -> Evidence:
    """What can be seen without a loss: unit rows, scores and masks of the sampled items."""
    if material.scores is not None:
        table = material.scores
        return Evidence(
            material.name,
            sample.rows,
            table=Table(table.score.astype(np.float64), table.match, table.group, table.anchor),
            why_no_loss="there are scores alone: a loss needs to know which pairs share an anchor and a batch",
        )
    rows = sample.rows
    z = material.embeddings[rows]
    length = np.sqrt(np.einsum("ij,ij->i", z, z, dtype=np.float64))
    u = unit_rows(z)
    columns, pos, neg = _masks(material, sample)
    v = u
    if sample.documents is not None:
        assert material.relevance is not None
        v = unit_rows(material.relevance.documents[sample.documents])
    return Evidence(
        material.name,
        rows,
        u=u,
        length=length,
        y=_of(material.labels, rows),
        s=None if pos is None else u @ v.T,
        pos=pos,
        neg=neg,
        column=columns,
        content=_of(material.content, rows),
        group=_of(material.group, rows),
        seen=_of(material.seen, rows),
    )


def _of(column: np.ndarray | None, rows: np.ndarray) -> np.ndarray | None:
    return None if column is None else column[rows]


def _masks(material: Material, sample: Sample) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None]:
    """Rows of the documents, if any, and both masks; no item is paired with itself."""
    rows = sample.rows
    if material.labels is not None:
        y = material.labels[rows]
        same = y[:, None] == y[None, :]
        return None, same & ~np.eye(len(y), dtype=bool), ~same
    if material.pairs is not None:
        return None, *_pair_masks(material, rows)
    if material.relevance is not None and sample.documents is not None:
        pos = np.zeros((len(rows), len(sample.documents)), bool)
        place = places(rows, material.relevance.query), places(sample.documents, material.relevance.document)
        both = (place[0] >= 0) & (place[1] >= 0)
        pos[place[0][both], place[1][both]] = True
        return sample.documents, pos, ~pos
    return None, None, None


def _pair_masks(material: Material, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Listed pairs alone count; one that is listed both as match and as none is a match."""
    assert material.pairs is not None
    a, b = places(rows, material.pairs.a), places(rows, material.pairs.b)
    inside = (a >= 0) & (b >= 0) & (a != b)
    masks = [np.zeros((len(rows), len(rows)), bool) for _ in range(2)]
    for mask, kind in zip(masks, (material.pairs.match, ~material.pairs.match), strict=True):
        mask[a[inside & kind], b[inside & kind]] = True
        mask |= mask.T
    return masks[0], masks[1] & ~masks[0]


def places(rows: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Where each wanted row stands among rising rows; -1 where it does not."""
    if len(rows) == 0:
        return np.full(len(wanted), -1)
    found = np.searchsorted(rows, wanted).clip(0, len(rows) - 1)
    return np.where(rows[found] == wanted, found, -1)
