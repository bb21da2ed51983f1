"""From what was read to what is diagnosed."""

import numpy as np

from models.checkpoint.material import LONGEST, Material, Pairs, ScoreTable, codes
from models.reading.arrays import Arrays
from models.reading.doors import Brought
from models.reading.scores import ScoreTable as Table


def material_of(found: Brought) -> Material | None:
    """Embeddings or scores as material; None for a checkpoint or a model without data, which have neither."""
    notes = tuple(map(str, found.notes))
    if found.scores is not None:
        return Material(found.name, scores=_scores(found.scores), notes=notes)
    if found.arrays is None:
        return None
    z, notes = _scaled(found.arrays, notes)
    if found.pairs is not None:  # given by hand, they stand before labels that lie in the file
        pairs = Pairs(found.pairs.left, found.pairs.right, found.pairs.is_match)
        return Material(found.name, z=z, pairs=pairs, notes=notes)
    return Material(found.name, z=z, labels=found.arrays.y, classes=tuple(found.arrays.classes), notes=notes)


def _scaled(found: Arrays, notes: tuple[str, ...]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Embeddings whose squares float32 can hold: longer ones are divided by their largest number; angles stay."""
    largest = max(float(found.z.max()), -float(found.z.min()))
    if largest < LONGEST:
        return found.z, notes
    told = f"All values were divided by {largest:.3g}, their largest: angles stay, lengths are relative."
    return found.z / np.float32(largest), (*notes, told)


def _scores(table: Table) -> ScoreTable:
    anchor, group = (None if column is None else codes(column)[0] for column in (table.anchor, table.group))
    return ScoreTable(table.score, table.is_match, anchor, group)
