"""From a data set to what a run trains and is measured on: split, unseen classes, corruption with its truth."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from models.catalogue import find
from models.data_common import Source
from models.spec import Context, DataSpec
from models.training.config import Part

PROBE_SEEN, PROBE_UNSEEN = 400, 100
_SPLIT_SEED = 20_240_101  # the split never depends on a run's seed: seeds are compared on the same probe
_STREAM, _OWN_STREAM, _TARGET_STREAM, _TURN_STREAM = (
    7,
    8,
    9,
    10,
)  # what a set does of itself draws apart from what is done to every set


@dataclass(frozen=True, eq=False)
class Dataset:
    """Rows of `source` by role. Training rows come with the labels a run sees (y) and the true ones (truth)."""

    spec: DataSpec
    source: Source
    train: np.ndarray  # (t,) rows of source, duplicates already pointing at the copied row
    y: np.ndarray  # (t,) labels as trained, 0 .. seen_classes-1
    truth: np.ndarray  # (t,) labels before flipping
    copy_of: np.ndarray  # (t,) row that an item duplicates, -1 if none; its own row has gone from training
    probe: np.ndarray  # (p,) rows of source, seen classes first
    probe_seen: np.ndarray  # (p,) bool
    seen_classes: int
    why_no_unseen: str  # empty if there are unseen classes
    target: np.ndarray | None = None  # (t,) or (t, c) targets as trained; None where the class is all there is

    @property
    def span(self) -> tuple[float, float] | None:
        """Least and greatest number among the training items' targets; None where they are no numbers."""
        if self.target is None or self.target.ndim > 1:
            return None
        return float(self.target.min()), float(self.target.max())

    @property
    def labels(self) -> int:
        """How many labels there are, of which an item carries several; 0 where it is not so."""
        return 0 if self.target is None or self.target.ndim == 1 or self.source.answers else self.target.shape[1]

    def context(self, dim: int) -> Context:
        """What a loss may know of the training items, with embeddings of size `dim`; nothing of the probe."""
        carried = self.target if self.labels else None
        answers = self.source.answers
        return Context(dim, self.seen_classes, len(self.train), self.span, self.labels, answers, carried)

    @property
    def probe_target(self) -> np.ndarray | None:
        """True targets of the probe, (p,) or (p, c)."""
        return None if self.source.target is None else self.source.target[self.probe]

    @property
    def novel(self) -> np.ndarray:
        """All rows of source of classes that are never trained on, in the probe or not."""
        return np.flatnonzero(self.source.y >= self.seen_classes)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one item."""
        return self.source.x.shape[1:]

    @property
    def side_shape(self) -> tuple[int, ...]:
        """Shape of an item's other side."""
        assert self.source.side is not None, "these items have one side"
        return self.source.side.shape[1:]

    @property
    def pair(self) -> np.ndarray:
        """(N,) which sides belong together: those of rows with equal numbers."""
        return np.arange(len(self.source.y)) if self.source.pair is None else self.source.pair


@lru_cache(maxsize=8)
def load_source(key: str, knobs: tuple[tuple[str, object], ...]) -> Source:
    """One data set, kept in memory: several lanes of a worker share it."""
    source: Source = find("data", key).load(**dict(knobs))
    return source


def build(part: Part, seed: int) -> Dataset:
    """Split, hold out classes, then corrupt the training rows by the part's knobs."""
    module = find("data", part.key)
    own = tuple((name, value) for name, value in part.knobs if name in {knob.name for knob in module.SPEC.knobs})
    source = load_source(part.key, own)
    seen_classes, why = _seen(source)
    train, probe = _split(source.y, seen_classes)
    train = _left(train, source)
    rng = np.random.default_rng([seed, _STREAM])
    train = _thin(train, source.y, part.number("imbalance"), rng)
    train, copy_of = _duplicate(train, source.y, part.number("duplicates"), rng)
    truth = source.y[train]
    y = _mistake(truth, source.mistaken, np.random.default_rng([seed, _OWN_STREAM]))
    y = _flip(y, part.number("label_flips"), seen_classes, rng)
    probe_seen = source.y[probe] < seen_classes
    target = None if source.target is None else _targets(source.target[train], y, truth, seed)
    if source.answers and target is not None and source.target is not None:
        target = _preferences(target, source.target[train], source.turned, seed)
    return Dataset(module.SPEC, source, train, y, truth, copy_of, probe, probe_seen, seen_classes, why, target)


def truth_table(dataset: Dataset) -> dict[str, np.ndarray]:
    """What was done to the training items, columns of length t: row, label, truth, flipped, duplicate, copy_of."""
    return {
        "row": dataset.train,
        "label": dataset.y,
        "truth": dataset.truth,
        "flipped": dataset.y != dataset.truth,
        "duplicate": dataset.copy_of >= 0,
        "copy_of": dataset.copy_of,
    }


def training_rows(source: Source) -> np.ndarray:
    """Rows of a set that a run trains on, whatever its seed, as long as nothing is spoilt."""
    return _left(_split(source.y, _seen(source)[0])[0], source)


def _seen(source: Source) -> tuple[int, str]:
    """Classes trained on: without those the set calls novel, else without the last fifth, at least two of five or more.

    Two, because with one there is no negative pair among the unseen, and no AUC.
    """
    classes = len(source.classes)
    if source.novel:
        return classes - source.novel, ""
    if source.target is not None and source.target.ndim == 1:
        return classes, "the classes of this set are ranges of one number, which must be learnt over its whole range"
    if classes == len(source.y):
        return classes, "every item of this set is a class of its own, and the probe's are not trained on"
    if classes < 5:
        return classes, f"unseen classes need at least five classes; this set has {classes}"
    return classes - max(classes // 5, 2), ""


def _split(y: np.ndarray, seen_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """A third of the rows, at most 500, is the probe; rows of unseen classes outside it are not used at all."""
    order = np.random.default_rng(_SPLIT_SEED).permutation(len(y))
    seen, unseen = order[y[order] < seen_classes], order[y[order] >= seen_classes]
    held = min(PROBE_SEEN, len(seen) // 3)
    return seen[held:], np.concatenate([seen[:held], unseen[:PROBE_UNSEEN]])


def _left(rows: np.ndarray, source: Source) -> np.ndarray:
    """The rows that the set itself leaves of each class, whatever the run's seed."""
    if source.keep is None:
        return rows
    rng, kept = np.random.default_rng([_SPLIT_SEED, _OWN_STREAM]), []
    for label in np.unique(source.y[rows]):
        members = rng.permutation(rows[source.y[rows] == label])
        kept.append(members[: max(round(source.keep[label] * len(members)), 2)])
    return np.concatenate(kept)


def _thin(rows: np.ndarray, y: np.ndarray, ratio: float, rng: np.random.Generator) -> np.ndarray:
    """Cap class sizes, the largest first, by a geometric fall to 1 / ratio of the largest; every class keeps two items.

    So the largest is `ratio` times the smallest, or more where the classes differ more by nature.
    """
    if ratio == 1:
        return rows
    labels, sizes = np.unique(y[rows], return_counts=True)
    kept = []
    for rank, index in enumerate(np.argsort(-sizes, kind="stable")):
        cap = round(sizes.max() * ratio ** (-rank / max(len(labels) - 1, 1)))
        kept.append(rng.permutation(rows[y[rows] == labels[index]])[: max(cap, 2)])
    return np.concatenate(kept)


def _duplicate(
    rows: np.ndarray, y: np.ndarray, share: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Replace a share of every class by copies of its other training items: class sizes stay, variety falls."""
    rows, copy_of = rows.copy(), np.full(len(rows), -1)
    for label in np.unique(y[rows]) if share else ():
        members = rng.permutation(np.flatnonzero(y[rows] == label))
        count = min(round(share * len(members)), len(members) - 1)
        replaced, kept = members[:count], members[count:]
        copy_of[replaced] = np.resize(rows[kept], count)
        rows[replaced] = copy_of[replaced]
    return rows, copy_of


def _flip(truth: np.ndarray, share: float, classes: int, rng: np.random.Generator) -> np.ndarray:
    y = truth.copy()
    flipped = rng.permutation(len(y))[: round(share * len(y))]
    y[flipped] = (y[flipped] + rng.integers(1, max(classes, 2), len(flipped))) % classes
    return y


def _mistake(truth: np.ndarray, mistaken: np.ndarray | None, rng: np.random.Generator) -> np.ndarray:
    """Labels of which a share of each class is taken for other classes, by the set's own table."""
    y = truth.copy()
    if mistaken is None:
        return y
    for label in np.unique(truth):
        members = rng.permutation(np.flatnonzero(truth == label))
        ends = np.rint(np.cumsum(mistaken[label]) * len(members)).astype(int)
        for other, (start, end) in enumerate(zip(np.append(0, ends), ends, strict=False)):
            y[members[start:end]] = other
    return y


def _targets(true: np.ndarray, y: np.ndarray, truth: np.ndarray, seed: int) -> np.ndarray:
    """Targets as trained: an item with a wrong label takes over the target of an item that is of that class."""
    rng = np.random.default_rng([seed, _TARGET_STREAM])
    target = true.copy()
    for position in np.flatnonzero(y != truth):
        target[position] = true[rng.choice(np.flatnonzero(truth == y[position]))]
    return target


def _preferences(given: np.ndarray, true: np.ndarray, turned: float, seed: int) -> np.ndarray:
    """Answers as given, a share of them turned round; the reference is asked about the item itself, flipped or not."""
    target = np.column_stack([given[:, :2], true[:, 2:]])
    chosen = np.random.default_rng([seed, _TURN_STREAM]).permutation(len(target))[: round(turned * len(target))]
    target[chosen, :2] = target[chosen, 1::-1]
    return target
