"""All that a page or a report shows of a checkpoint, in some hundred kilobytes: it travels between processes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.checkpoint.diagnose import Told, diagnose
from models.checkpoint.diagnosis import Diagnosis
from models.checkpoint.marks import Marks, marks
from models.checkpoint.material import Material
from models.checkpoint.view import View, views
from models.spec import Value

COUNTED = 12  # classes named with their counts


@dataclass(frozen=True, eq=False)
class Result:
    """A diagnosis ready to be shown."""

    told: Mapping[str, Any]  # the JSON of `models.checkpoint.diagnosis`
    views: tuple[View, ...]  # this checkpoint first, then those it was compared with
    marks: Mapping[str, Marks]  # by key of finding
    facts: tuple[tuple[str, str], ...]  # name and value, in words
    classes: tuple[str, ...]  # names by label


def examined(
    material: Material,
    loss: str | None = None,
    knobs: Mapping[str, Value] | None = None,
    sample: int | None = None,
    against: Sequence[Material] = (),
    progress: Told | None = None,
) -> Result:
    """`diagnose`, and what the panels draw of it; raises what `diagnose` raises."""
    return result(material, diagnose(material, loss, knobs, sample, against, progress))


def result(material: Material, diagnosis: Diagnosis) -> Result:
    """What is shown of a diagnosis of this material."""
    found = {rule.key: marks(material, diagnosis.evidence, fired) for rule, fired in diagnosis.findings}
    return Result(diagnosis.as_dict(), views(diagnosis), found, facts(material), material.classes)


def facts(material: Material) -> tuple[tuple[str, str], ...]:
    """What is known without measuring a pair: shapes, lengths, classes. Milliseconds for a million rows."""
    if material.scores is not None:
        p = int(material.scores.match.sum())
        q = len(material.scores.match) - p
        if p + q == 0:
            return (("Pairs", "none"),)
        low, high = float(material.scores.score.min()), float(material.scores.score.max())
        return ("Pairs", f"{p:,} that match, {q:,} that do not"), ("Scores", f"{low:.4g} to {high:.4g}")
    n, d = material.embeddings.shape
    told = [("Embeddings", f"{n:,} rows of {d:,} dimensions")]
    length = np.sqrt(np.einsum("ij,ij->i", material.embeddings, material.embeddings, dtype=np.float64))
    if n:
        told.append(("Lengths", f"{np.median(length):.4g} in the middle, {length.min():.4g} to {length.max():.4g}"))
    if material.relevance is not None:
        q, k = len(np.unique(material.relevance.query)), len(material.relevance.query)
        told.append(("Documents", f"{len(material.relevance.documents):,}, {k:,} relevant to {q:,} of the queries"))
    if material.labels is not None:
        told.append(("Classes", _counts(material)))
    if material.pairs is not None:
        p = int(material.pairs.match.sum())
        told.append(("Pairs", f"{p:,} that match, {len(material.pairs.match) - p:,} that do not"))
    return tuple(told)


def _counts(material: Material) -> str:
    """`10 classes: zero 178, one 182, ...`, the largest first."""
    assert material.labels is not None
    label, count = np.unique(material.labels, return_counts=True)
    order = np.argsort(-count, kind="stable")[:COUNTED]
    names = [
        f"{material.classes[k] if k < len(material.classes) else k} {c:,}"
        for k, c in zip(label[order].tolist(), count[order].tolist(), strict=True)
    ]
    rest = len(label) - len(names)
    more = f" and {rest:,} more" if rest > 0 else ""
    return f"{len(label):,}: {', '.join(names)}{more}"
