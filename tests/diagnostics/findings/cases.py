"""Evidence made for the rules: with a fault, without it, and at the edge of it."""

from dataclasses import replace
from typing import Any

import numpy as np

from models.checkpoint.batches import named, with_loss
from models.checkpoint.material import Material
from models.checkpoint.sample import choose, evidence_of
from models.diagnostics.findings.catalogue import RULES
from models.diagnostics.findings.evidence import Evidence, LossEvidence
from models.diagnostics.findings.finding import Clear, Fired, Outcome, Unknown
from tests.checkpoint.made import sound


def ask(key: str, evidence: Evidence) -> Outcome:
    return {rule.key: rule for rule in RULES}[key].check(evidence)


def fired(key: str, evidence: Evidence) -> Fired:
    outcome = ask(key, evidence)
    assert isinstance(outcome, Fired), outcome
    assert outcome.sentence
    return outcome


def clear(key: str, evidence: Evidence) -> Clear:
    outcome = ask(key, evidence)
    assert isinstance(outcome, Clear), outcome
    return outcome


def unknown(key: str, evidence: Evidence) -> str:
    outcome = ask(key, evidence)
    assert isinstance(outcome, Unknown), outcome
    return outcome.reason


def evidence(z: np.ndarray, y: np.ndarray | None = None, **columns: Any) -> Evidence:
    material = Material(columns.pop("name", "made up"), z=z, labels=y, **columns)
    return evidence_of(material, choose(material))


def healthy(**changes: Any) -> Evidence:
    return evidence(*sound(**changes))


def under(seen: Evidence, loss: str, **knobs: Any) -> Evidence:
    """The evidence with a loss, all of whose knobs and whose batch are given."""
    chosen = named(loss, {"batch": 128, **knobs})
    return with_loss(seen, chosen, frozenset(chosen.knobs))


def state(**changes: Any) -> LossEvidence:
    """A loss with its numbers on three batches, as they are when all is well."""
    whole = LossEvidence(
        name="InfoNCE",
        knobs={"temperature": 0.1},
        value=np.full(3, 1.0),
        levels={"chance": np.full(3, 4.0), "collapse": np.full(3, 4.0), "perfect": np.full(3, 0.5)},
        batch=64,
        anchor=np.asarray([0]),
        candidate=np.asarray([1]),
        positive=np.asarray([False]),
        weight=np.asarray([1.0], np.float32),
        hardest_share=np.full(3, 0.3),
        effective=np.full(3, 0.5),
        active=np.full(3, 0.5),
    )
    return replace(whole, **changes)


def with_state(seen: Evidence, **changes: Any) -> Evidence:
    return replace(seen, loss=state(**changes))


def cone_of(mean_cosine: float, n: int = 400, d: int = 64, seed: int = 0) -> np.ndarray:
    """Rows that share one direction: their mean cosine is that given, up to 1 / sqrt(n d)."""
    noise = np.random.default_rng(seed).normal(size=(n, d - 1))
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    return np.hstack([np.full((n, 1), np.sqrt(mean_cosine)), np.sqrt(1 - mean_cosine) * noise])
