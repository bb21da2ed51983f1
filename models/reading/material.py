"""From what was read to what is diagnosed."""

import numpy as np

from models.checkpoint.material import LONGEST, Material, Pairs, Relevance, ScoreTable, codes
from models.reading.doors import Brought
from models.reading.relevance import Judged
from models.reading.scores import ScoreTable as Table


def material_of(found: Brought) -> Material | None:
    """Embeddings, judged queries or scores as material; None for weights and for a model without data."""
    notes = tuple(map(str, found.notes))
    if found.scores is not None:
        return Material(found.name, scores=_scores(found.scores), notes=notes)
    if found.judged is not None:
        return _judged(found.judged, notes)
    if found.arrays is None:
        return None
    z, notes = _scaled(found.arrays.z, notes)
    if found.pairs is not None:  # given by hand, they stand before labels that lie in the file
        pairs = Pairs(found.pairs.left, found.pairs.right, found.pairs.is_match)
        return Material(found.name, z=z, pairs=pairs, notes=notes)
    return Material(
        found.name, z=z, labels=found.arrays.y, classes=tuple(found.arrays.classes), proxies=found.proxies, notes=notes
    )


def _scaled(z: np.ndarray, notes: tuple[str, ...]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Embeddings whose squares float32 can hold: longer ones are divided by their largest number; angles stay."""
    largest = max(float(z.max()), -float(z.min()))
    if largest < LONGEST:
        return z, notes
    told = f"All values were divided by {largest:.3g}, their largest: angles stay, lengths are relative."
    return z / np.float32(largest), (*notes, told)


def _judged(found: Judged, notes: tuple[str, ...]) -> Material:
    """Queries as the embeddings; a document counts as relevant from a grade above 0."""
    queries, notes = _scaled(found.queries, notes)
    documents, notes = _scaled(found.documents, notes)
    counts = found.grade > 0
    relevance = Relevance(documents, found.query[counts], found.document[counts], found.grade[counts])
    return Material(found.name, z=queries, relevance=relevance, item=found.query_ids, notes=notes)


def _scores(table: Table) -> ScoreTable:
    anchor, group = (None if column is None else codes(column)[0] for column in (table.anchor, table.group))
    return ScoreTable(table.score, table.is_match, anchor, group)
