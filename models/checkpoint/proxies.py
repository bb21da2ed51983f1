"""Class weights of a checkpoint: how items stand to their class's proxy, and what a loss with proxies says."""

from dataclasses import replace

import numpy as np
import torch

from models.catalogue import find
from models.checkpoint.batches import BATCH, NamedLoss, drawn_batches
from models.checkpoint.diagnosis import Metric
from models.checkpoint.material import Material
from models.checkpoint.sample import Sample
from models.diagnostics.findings.evidence import Evidence, LossEvidence
from models.diagnostics.items import unit_rows
from models.diagnostics.measured import Measured, resampled_mean
from models.diagnostics.proxies import fit
from models.geometry import Embeddings
from models.objective import Objective
from models.spec import Context, Counts
from models.training.config import Part

WHY_NO_WEIGHT = "its gradient falls on items and proxies, not on pairs of items"


def against_proxies(material: Material, sample: Sample) -> tuple[Metric, ...]:
    """Accuracy of the nearest proxy, cosines to one's own and to the nearest other; nothing without class weights."""
    if material.proxies is None or material.labels is None:
        return ()
    rows = sample.rows
    found = fit(unit_rows(material.embeddings[rows]), material.labels[rows], unit_rows(material.proxies))
    scope = "all items" if sample.whole else f"{len(rows):,} of {material.size:,} sampled"
    of = f"{scope}, {len(material.proxies):,} proxies"
    lone = len(material.proxies) < 2
    measures = (
        ("proxy_accuracy", "Nearest proxy is that of the class", resampled_mean(found.hits)),
        ("proxy_own", "Cosine to the proxy of the class", resampled_mean(found.own)),
        ("proxy_margin", "... minus that to the nearest other proxy", _unless(lone, found.own - found.other)),
        ("proxy_centre", "Cosine of proxies to the mean of their class", Measured(float(found.centre.mean()))),
        ("proxy_closest", "Largest cosine between two proxies", Measured(found.closest)),
    )
    return tuple(Metric(*one, of, "" if one[2].known else "there is one proxy alone") for one in measures)


def _unless(lone: bool, values: np.ndarray) -> Measured:
    return Measured(float("nan")) if lone else resampled_mean(values)


def with_proxy_loss(
    evidence: Evidence, material: Material, loss: NamedLoss | None, given: frozenset[str] = frozenset()
) -> Evidence:
    """The evidence with value and levels of a loss that reads embeddings by proxies, where class weights are there.

    given: names of the knobs that the user gave; where there are others, or no batch size, the loss is marked guessed.
    """
    if loss is None or material.proxies is None or evidence.y is None or evidence.pos is None:
        return evidence
    spec = find("losses", loss.key).SPEC
    classes, dim = material.proxies.shape
    if spec.reads != "embeddings" or not evidence.pos.any():
        return evidence
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # losses that draw: the same draws at every look
        objective = Objective(Part(loss.key, tuple(loss.knobs.items())), Context(dim, classes, len(evidence.row)))
        if not _filled(objective, material.proxies):
            why = f"{spec.name} keeps no matrix of {classes:,} proxies of {dim:,} dimensions"
            return replace(evidence, why_no_loss=why)
        rows = [anchors for anchors, _ in drawn_batches(evidence, loss.batch or BATCH)]
        values = [_value(objective, material, evidence.row[part]) for part in rows]
    size = len(rows[0])
    levels = objective.levels(Counts(np.ones(size, np.int64), np.full(size, classes - 1), classes))
    guessed = loss.batch is None or not {knob.name for knob in spec.knobs} <= given
    found = LossEvidence(
        name=spec.name,
        knobs=dict(loss.knobs),
        value=np.asarray(values),
        levels={name: np.full(len(rows), level) for name, level in sorted(levels.items())},
        batch=size,
        why_no_weight=WHY_NO_WEIGHT,
        guessed=guessed,
    )
    return replace(evidence, loss=found, why_no_loss="")


@torch.no_grad()
def _filled(objective: Objective, proxies: np.ndarray) -> bool:
    """Put the class weights where the loss keeps its own; False where it keeps none of this shape."""
    given = torch.from_numpy(np.ascontiguousarray(proxies, np.float32))
    for _, own in objective.named_parameters():
        if own.shape == given.shape:
            own.copy_(given)
            return True
        if own.shape == given.T.shape:
            own.copy_(given.T)
            return True
    return False


@torch.no_grad()
def _value(objective: Objective, material: Material, rows: np.ndarray) -> float:
    assert material.labels is not None
    z = torch.from_numpy(np.ascontiguousarray(material.embeddings[rows]))
    batch = Embeddings(z, torch.from_numpy(np.ascontiguousarray(material.labels[rows])))
    return float(objective.read(objective.view(batch), batch))
