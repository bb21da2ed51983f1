"""Diagnosis: all that was found of one checkpoint, and its JSON.

The JSON is one object, keys sorted, numbers that are not defined null:

    schema       "losslab-diagnosis-1"
    name         of the checkpoint
    fingerprint  SHA-256 of its arrays, hexadecimal
    door         "labels", "pairs", "relevance", "embeddings" or "scores": what was brought
    size, dim    number of embeddings (of pairs, with scores alone) and their dimensions (0 with scores alone)
    loss         null, or {key, knobs {name: value}, batch (null: unknown)}: as the user named it
    notes        texts of whoever read the file
    scope        texts: what is exact and what is sampled
    metrics      list of {key, name, value, low, high, scope, why}: low and high are a 95 % interval or null; scope says
                 "exact over ..." or "... of ..."; why says why a value is null, else it is empty
    levels       {name: value}: reference levels of the loss, and "value", its mean over batches; empty without a loss
    histogram    null, or {low, high, positive [64 counts], negative [64 counts]}
    roc          null, or {fpr, tpr, threshold}: at most 200 points each
    findings     list, worst first, of {key, title, severity "info" | "warning" | "serious", confidence "low" | "medium"
                 | "high", sentence, number, value, low, high, threshold, panel, advice, would_change,
                 items [rows], pairs [[row, row]]}
    checked      list of {key, title, number, value, low, high, threshold}: looked at, and nothing found
    not_checked  list of {key, title, why}
    changes      list, one for each other checkpoint, of what `models.checkpoint.changes` tells
    timeline     list, oldest first and this checkpoint last, empty where it is alone, of {name, step (null: its name
                 tells none), metrics {key: {name, value, low, high}} over the same sampled items, best_in [keys],
                 findings [{key, title, severity, confidence}]}
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np

from models.checkpoint.changes import Change
from models.diagnostics.findings.catalogue import Examined
from models.diagnostics.findings.evidence import Evidence
from models.diagnostics.findings.finding import SEVERITIES, Fired, Rule
from models.diagnostics.measured import Measured
from models.diagnostics.summary import ScoreHistogram

SCHEMA = "losslab-diagnosis-1"


@dataclass(frozen=True)
class Metric:
    """One number of the checkpoint; nan where it is not defined, and `why` says the reason."""

    key: str
    name: str
    measured: Measured
    scope: str
    why: str = ""

    def as_dict(self) -> dict[str, Any]:
        """As it stands in the JSON."""
        return {
            "key": self.key,
            "name": self.name,
            **interval(self.measured),
            "scope": self.scope,
            "why": self.why,
        }


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """Everything that was found; `evidence` holds the arrays that the panels draw, and is not in the JSON."""

    name: str
    fingerprint: str
    door: str
    size: int
    dim: int
    loss: Mapping[str, Any] | None
    notes: tuple[str, ...]
    scope: tuple[str, ...]
    metrics: tuple[Metric, ...]
    levels: Mapping[str, float]
    histogram: ScoreHistogram | None
    roc: tuple[np.ndarray, np.ndarray, np.ndarray] | None  # fpr, tpr, threshold
    examined: Examined
    evidence: Evidence
    changes: tuple[Change, ...] = ()  # from each other checkpoint to this one
    timeline: tuple[Mapping[str, Any], ...] = ()  # of `models.checkpoint.timeline`, this checkpoint last

    @property
    def findings(self) -> tuple[tuple[Rule, Fired], ...]:
        """What was found, worst first."""
        return self.examined.findings

    @property
    def worst(self) -> str:
        """The highest severity among the findings; empty if there is none."""
        return self.findings[0][1].severity if self.findings else ""

    def fires(self, severity: str) -> bool:
        """True if a finding is at least this severe; raises ValueError for an unknown severity."""
        if severity not in SEVERITIES:
            raise ValueError(f"severity must be one of {', '.join(SEVERITIES)}, got {severity!r}")
        return bool(self.worst) and SEVERITIES.index(self.worst) >= SEVERITIES.index(severity)

    def metric(self, key: str) -> Metric:
        """One metric; raises ValueError naming those there are."""
        found = {metric.key: metric for metric in self.metrics}
        if key not in found:
            raise ValueError(f"there is no metric {key!r}; metrics: {', '.join(found)}")
        return found[key]

    def as_dict(self) -> dict[str, Any]:
        """What `to_json` writes."""
        histogram = self.histogram
        return {
            "schema": SCHEMA,
            "name": self.name,
            "fingerprint": self.fingerprint,
            "door": self.door,
            "size": self.size,
            "dim": self.dim,
            "loss": None if self.loss is None else dict(self.loss),
            "notes": list(self.notes),
            "scope": list(self.scope),
            "metrics": [metric.as_dict() for metric in self.metrics],
            "levels": {name: number(value) for name, value in self.levels.items()},
            "histogram": None
            if histogram is None
            else {
                "low": -1.0,
                "high": 1.0,
                "positive": histogram.positive.tolist(),
                "negative": histogram.negative.tolist(),
            },
            "roc": None
            if self.roc is None
            else {
                key: [number(x) for x in line] for key, line in zip(("fpr", "tpr", "threshold"), self.roc, strict=True)
            },
            "findings": [_finding(rule, fired) for rule, fired in self.findings],
            "checked": [
                {
                    **_named(rule),
                    "number": rule.number,
                    **interval(clear.measured),
                    "threshold": number(clear.threshold),
                }
                for rule, clear in self.examined.clear
            ],
            "not_checked": [{**_named(rule), "why": unknown.reason} for rule, unknown in self.examined.unknown],
            "changes": [change.as_dict() for change in self.changes],
            "timeline": list(self.timeline),
        }

    def to_json(self) -> str:
        """The JSON that this module describes: the same text for the same material, loss and program."""
        return json.dumps(self.as_dict(), sort_keys=True, allow_nan=False, ensure_ascii=False, indent=1)


def number(value: float) -> float | None:
    """A number as JSON can hold it, to nine figures; None for one that is not finite."""
    return float(f"{value:.9g}") if isfinite(value) else None


def interval(measured: Measured) -> dict[str, float | None]:
    """Value and ends as JSON can hold them."""
    return {"value": number(measured.value), "low": number(measured.low), "high": number(measured.high)}


def _named(rule: Rule) -> dict[str, str]:
    return {"key": rule.key, "title": rule.title}


def _finding(rule: Rule, fired: Fired) -> dict[str, Any]:
    return {
        **_named(rule),
        "severity": fired.severity,
        "confidence": fired.confidence,
        "sentence": fired.sentence,
        "number": rule.number,
        **interval(fired.measured),
        "threshold": number(fired.threshold),
        "panel": rule.panel,
        "advice": rule.advice,
        "would_change": rule.would_change,
        "items": fired.selection.items.tolist(),
        "pairs": fired.selection.pairs.tolist(),
    }
