"""Material: what a user brought, as arrays, whichever file it came from."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from hashlib import sha256

import numpy as np

LONGEST = 1e18  # of a number in an embedding: its square must be finite in float32


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of items by row, and which of them match."""

    a: np.ndarray  # (p,) int64, rows of the embeddings
    b: np.ndarray  # (p,) int64
    match: np.ndarray  # (p,) bool


@dataclass(frozen=True, eq=False)
class Relevance:
    """Documents beside the embeddings, which are then those of queries, and which are relevant to which."""

    documents: np.ndarray  # (m, d) float32
    query: np.ndarray  # (k,) int64, row of the query
    document: np.ndarray  # (k,) int64, row of the document that is relevant to it
    grade: np.ndarray | None = None  # (k,) float64 above 0, how relevant; None: all alike


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """Scores without embeddings: higher means more alike."""

    score: np.ndarray  # (p,) float64
    match: np.ndarray  # (p,) bool
    anchor: np.ndarray | None = None  # (p,) int64, which item asked; None: pairs are taken as independent
    group: np.ndarray | None = None  # (p,) int64, slice of the data


@dataclass(frozen=True, eq=False)
class Material:
    """Embeddings with labels, pairs or relevance, or with nothing; or scores alone. Raises ValueError if it misfits."""

    name: str
    z: np.ndarray | None = None  # (n, d) float32
    labels: np.ndarray | None = None  # (n,) int64, 0 .. classes - 1
    classes: tuple[str, ...] = ()  # names of the labels, for display
    pairs: Pairs | None = None
    relevance: Relevance | None = None
    scores: ScoreTable | None = None
    proxies: np.ndarray | None = None  # (c, d) float32, class weights: row k is that of label k
    item: tuple[str, ...] = ()  # (n,) names of the items; empty: their row
    content: np.ndarray | None = None  # (n,) int64: items of equal number have identical content
    group: np.ndarray | None = None  # (n,) int64, slice of the data an item belongs to
    seen: np.ndarray | None = None  # (n,) bool: the item's class was trained on
    notes: tuple[str, ...] = field(default=())  # of whoever read it: rows left out, columns guessed

    def __post_init__(self) -> None:
        if (self.z is None) == (self.scores is None):
            raise ValueError("material needs either embeddings or a table of scores: give one of z and scores")
        ways = [name for name in ("labels", "pairs", "relevance") if getattr(self, name) is not None]
        if len(ways) > 1:
            raise ValueError(f"material says in two ways which items belong together ({', '.join(ways)}): give one")
        if self.scores is not None:
            _check_scores(self.scores)
        else:
            assert self.z is not None
            object.__setattr__(self, "z", rows(self.z, "embeddings"))
            self._check_items()

    def _check_items(self) -> None:
        n = self.size
        for name in ("labels", "content", "group", "seen"):
            value = getattr(self, name)
            if value is not None and value.shape != (n,):
                raise ValueError(f"{name} must have one entry for each of {n} embeddings, has shape {value.shape}")
        if self.item and len(self.item) != n:
            raise ValueError(f"item must have one name for each of {n} embeddings, has {len(self.item)}")
        if self.labels is not None and n and int(self.labels.min()) < 0:
            raise ValueError("labels must be whole numbers from 0; `codes` makes them from any others")
        if self.pairs is not None:
            _check_places(self.pairs.a, n, "pairs.a", "embeddings")
            _check_places(self.pairs.b, n, "pairs.b", "embeddings")
        if self.relevance is not None:
            self._check_relevance(self.relevance)
        if self.proxies is not None:
            self._check_proxies(self.proxies)

    def _check_relevance(self, relevance: Relevance) -> None:
        documents = rows(relevance.documents, "documents")
        if documents.shape[1] != self.dim:
            raise ValueError(f"queries have {self.dim} dimensions, documents {documents.shape[1]}: use one encoder")
        _check_places(relevance.query, self.size, "relevance.query", "queries")
        _check_places(relevance.document, len(documents), "relevance.document", "documents")
        grade = relevance.grade
        if grade is not None and (grade.shape != relevance.query.shape or not (grade > 0).all()):
            raise ValueError("relevance.grade must be a number above 0 for each relevant document")
        object.__setattr__(self, "relevance", Relevance(documents, relevance.query, relevance.document, grade))

    def _check_proxies(self, proxies: np.ndarray) -> None:
        made = rows(proxies, "proxies")
        if self.labels is None:
            raise ValueError("proxies are those of classes: give labels")
        if made.shape[1] != self.dim or int(self.labels.max(initial=-1)) >= len(made):
            need = f"at least {int(self.labels.max(initial=-1)) + 1} rows of {self.dim} dimensions"
            raise ValueError(f"proxies have shape {made.shape}: {need} are needed, one a class")
        object.__setattr__(self, "proxies", made)

    @property
    def size(self) -> int:
        """Number of embeddings; of pairs, where there are scores alone."""
        return len(self.scores.score) if self.z is None and self.scores is not None else len(self.embeddings)

    @property
    def dim(self) -> int:
        """Dimensions of the embeddings; 0 without any."""
        return 0 if self.z is None else int(self.z.shape[1])

    @property
    def embeddings(self) -> np.ndarray:
        """The embeddings (n, d), where there must be some."""
        assert self.z is not None, "this material has scores alone"
        return self.z

    @property
    def door(self) -> str:
        """What was brought: "labels", "pairs", "relevance", "embeddings" or "scores"."""
        if self.scores is not None:
            return "scores"
        ways = (name for name in ("labels", "pairs", "relevance") if getattr(self, name) is not None)
        return next(ways, "embeddings")

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all arrays with their names, types and shapes: equal for equal data whatever file it came from."""
        digest = sha256()
        for name, array in sorted(_arrays(self, "")):
            digest.update(f"{name} {array.dtype.str} {array.shape};".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def rows(given: np.ndarray, what: str) -> np.ndarray:
    """A matrix of float32 rows; raises ValueError naming the first row that holds no proper number."""
    if given.ndim != 2 or given.shape[1] == 0:
        raise ValueError(f"{what} must be a matrix of one row an item, got shape {given.shape}")
    if not np.issubdtype(given.dtype, np.number) or np.iscomplexobj(given):
        raise ValueError(f"{what} must be real numbers, got {given.dtype}")
    # A number beyond float32 becomes infinite, and is told below.
    with np.errstate(over="ignore"):
        made = np.ascontiguousarray(given, np.float32)
    bad = ~(np.abs(made) < LONGEST).all(axis=1)  # nan compares false
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        raise ValueError(
            f"{what}: row {first} holds a number that is not finite (or beyond 1e18); {bad.sum()} such rows"
        )
    return made


def codes(given: Sequence[object] | np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Labels of any kind as numbers from 0 in sorted order, and their names."""
    names, code = np.unique(np.asarray(given), return_inverse=True)
    return code.astype(np.int64).reshape(-1), tuple(str(name) for name in names.tolist())


def _check_places(places: np.ndarray, size: int, name: str, of: str) -> None:
    if len(places) and not (places.min() >= 0 and places.max() < size):
        outside = int(places.max() if places.max() >= size else places.min())
        raise ValueError(f"{name} names row {outside}, there are {size} {of}: rows count from 0")


def _check_scores(table: ScoreTable) -> None:
    for name in ("match", "anchor", "group"):
        value = getattr(table, name)
        if value is not None and value.shape != table.score.shape:
            raise ValueError(f"scores.{name} has shape {value.shape}, the scores {table.score.shape}: one each")
    bad = np.flatnonzero(~np.isfinite(table.score))
    if len(bad):
        raise ValueError(f"score of row {bad[0]} is not finite; {len(bad)} such rows: leave them out")


def _arrays(part: object, prefix: str) -> list[tuple[str, np.ndarray]]:
    """All arrays of a dataclass and of those within it, by dotted name."""
    found = []
    for entry in fields(part):  # type: ignore[arg-type]
        value = getattr(part, entry.name)
        if isinstance(value, np.ndarray):
            found.append((prefix + entry.name, value))
        elif isinstance(value, Pairs | Relevance | ScoreTable):
            found += _arrays(value, f"{prefix}{entry.name}.")
    return found
