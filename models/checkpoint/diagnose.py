"""`diagnose`: from arrays to findings, worst first, each with its evidence."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from models.checkpoint.batches import NamedLoss, named, with_loss
from models.checkpoint.changes import change
from models.checkpoint.diagnosis import Diagnosis, Metric
from models.checkpoint.material import Material
from models.checkpoint.metrics import Verification, shape, verify
from models.checkpoint.proxies import against_proxies, with_proxy_loss
from models.checkpoint.retrieval import retrieval
from models.checkpoint.sample import SAMPLE, Sample, choose, evidence_of
from models.checkpoint.timeline import Moment, in_order, steps_of, told
from models.diagnostics.all_pairs import Progress
from models.diagnostics.findings.catalogue import Examined, examine
from models.diagnostics.findings.evidence import Evidence
from models.spec import Value

Told = Callable[[str, Progress | None], None]  # what is being done; of a count over all pairs also how far it is


def diagnose(
    material: Material,
    loss: str | None = None,
    knobs: Mapping[str, Value] | None = None,
    sample: int | None = None,
    against: Sequence[Material] = (),
    progress: Told | None = None,
) -> Diagnosis:
    """Measure a checkpoint and look for all faults of the catalogue.

    loss: key of the loss it was trained with, None for unknown; knobs: of that loss, and `batch`, the items of a batch.
    sample: items that are looked at pair by pair, 2,000 unless told; told, nothing is counted over all pairs.
    against: other checkpoints of the same items, oldest first; for "a better one exists" and the like.
    progress: is told what is being done; what it raises ends the work.

    Raises ValueError naming what is wrong: an unknown loss or knob, a sample below 2, checkpoints of other items.
    """
    if sample is not None and sample < 2:
        raise ValueError(f"sample must be 2 items at least, got {sample}")
    told = progress or _silent
    chosen_loss = None if loss is None else named(loss, knobs)
    if loss is None and knobs:
        raise ValueError(f"knobs are those of a loss, and none is named: {', '.join(knobs)}")
    _check_same(material, against)
    told("sampling", None)
    chosen = choose(material, sample or SAMPLE)
    given = frozenset(knobs or {})
    against = [against[place] for place in in_order([other.name for other in against])]
    row = _row((*against, material), chosen, chosen_loss, given)
    evidence = row[-1]
    told("counting pairs", None)
    verified = verify(
        material, chosen, evidence, THREADS, lambda step: told("counting pairs", step), exact=sample is None
    )
    told("measuring", None)
    metrics = (*verified.metrics, *_of_items(material, chosen, evidence, exact=sample is None))
    told("looking for faults", None)
    changes = [change(other, evidence, material.classes) for other in evidence.earlier]
    return Diagnosis(
        name=material.name,
        fingerprint=material.fingerprint,
        door=material.door,
        size=material.size,
        dim=material.dim,
        loss=_loss(chosen_loss),
        notes=material.notes,
        scope=_scope(material, chosen, verified),
        metrics=metrics,
        levels=_levels(evidence),
        histogram=verified.histogram,
        roc=verified.roc,
        examined=(examined := examine(evidence)),
        evidence=evidence,
        changes=tuple(found for found in changes if found is not None),
        timeline=_timeline((*against, material), chosen, row, examined),
    )


def _row(
    materials: Sequence[Material], chosen: Sample, loss: NamedLoss | None, given: frozenset[str]
) -> list[Evidence]:
    """What can be seen of each checkpoint, every one with those before it."""
    row: list[Evidence] = []
    for material in materials:
        row.append(replace(_seen(material, chosen, loss, given), earlier=tuple(row)))
    return row


def _timeline(
    materials: Sequence[Material], chosen: Sample, row: Sequence[Evidence], last: Examined
) -> tuple[Mapping[str, Any], ...]:
    """All checkpoints on the same sampled items; nothing where there is one alone."""
    if len(row) < 2:
        return ()
    steps = steps_of([material.name for material in materials])
    moments = []
    for place, (material, evidence) in enumerate(zip(materials, row, strict=True)):
        verified = verify(material, chosen, evidence, THREADS, None, exact=False)
        numbers = (*verified.metrics, *_of_items(material, chosen, evidence, exact=False))
        found = last if place == len(row) - 1 else examine(evidence)
        moments.append(Moment(material.name, None if steps is None else steps[place], numbers, found))
    return tuple(told(moments))


def _of_items(material: Material, chosen: Sample, evidence: Evidence, *, exact: bool) -> tuple[Metric, ...]:
    """All numbers but those of pairs told apart."""
    shapes, near = shape(material, chosen, evidence), against_proxies(material, chosen)
    return *shapes, *retrieval(material, chosen, exact), *near


def _seen(material: Material, chosen: Sample, loss: NamedLoss | None, given: frozenset[str]) -> Evidence:
    """What can be seen of one checkpoint, the named loss included."""
    evidence = with_loss(evidence_of(material, chosen), loss, given)
    return with_proxy_loss(evidence, material, loss, given)


THREADS = 2  # of a count over all pairs


def _silent(what: str, step: Progress | None) -> None:
    """Tell nobody."""


def _check_same(material: Material, against: Sequence[Material]) -> None:
    """Other checkpoints must embed the same items in the same order."""
    for other in against:
        if other.door != material.door or other.size != material.size:
            raise ValueError(
                f"{other.name} has {other.size} items ({other.door}), {material.name} {material.size} "
                f"({material.door}): checkpoints are compared on the same items in the same order"
            )
        if material.labels is not None and not np.array_equal(material.labels, other.labels):  # type: ignore[arg-type]
            raise ValueError(
                f"{other.name} has other labels than {material.name}: give the same items in the same order"
            )
        if not _same_relevance(material, other):
            raise ValueError(
                f"{other.name} has other documents or judgements than {material.name}: give the same in the same order"
            )


def _same_relevance(material: Material, other: Material) -> bool:
    one, two = material.relevance, other.relevance
    if one is None or two is None:
        return one is two
    return len(one.documents) == len(two.documents) and all(
        np.array_equal(getattr(one, name), getattr(two, name)) for name in ("query", "document")
    )


def _loss(loss: NamedLoss | None) -> dict[str, Any] | None:
    return None if loss is None else {"key": loss.key, "knobs": dict(loss.knobs), "batch": loss.batch}


def _scope(material: Material, chosen: Sample, verified: Verification) -> tuple[str, ...]:
    """What is exact and what is sampled, in words."""
    told = []
    auc = next(metric.measured for metric in verified.metrics if metric.key == "auc")
    if verified.scope:
        half = (auc.high - auc.low) / 2
        told.append(f"Pairs: {verified.scope}" + (f"; AUC ± {half:.2g} over items." if np.isfinite(half) else "."))
    if chosen.whole:
        told.append(f"All {len(chosen.rows):,} {'pairs' if material.door == 'scores' else 'items'} were looked at.")
    else:
        told.append(f"Items and findings: {len(chosen.rows):,} of {material.size:,} sampled.")
    return tuple(told)


def _levels(evidence: Evidence) -> dict[str, float]:
    if evidence.loss is None:
        return {}
    means = {name: float(values.mean()) for name, values in evidence.loss.levels.items()}
    return {"value": float(evidence.loss.value.mean()), **means}
