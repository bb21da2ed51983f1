"""Checkpoints of one training in a row: their numbers on the same sampled items, and what was found of each."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from models.checkpoint.diagnosis import Metric, interval
from models.diagnostics.findings.catalogue import Examined

HIGHER = ("auc", "recall_at_1", "map_at_r", "mrr", "map", "ndcg_at_10", "proxy_accuracy")  # is better
SHOWN = (*HIGHER, "equal_error", "uniformity", "tolerance", "effective_rank", "mean_cosine")
_NAMED = re.compile(r"(?:step|epoch|iter(?:ation)?|checkpoint|ckpt|state)[-_ =.]*(\d{1,15})", re.IGNORECASE)
_NUMBER = re.compile(r"\d{1,15}")


@dataclass(frozen=True, eq=False)
class Moment:
    """One checkpoint of the row."""

    name: str
    step: int | None  # that its name tells; None where the names do not tell one for each
    metrics: tuple[Metric, ...]
    examined: Examined

    def as_dict(self, best: Sequence[str]) -> dict[str, Any]:
        """For the JSON; best: keys of the numbers in which it is the best of the row."""
        findings = [
            {"key": rule.key, "title": rule.title, "severity": fired.severity, "confidence": fired.confidence}
            for rule, fired in self.examined.findings
        ]
        numbers = {one.key: {"name": one.name, **interval(one.measured)} for one in self.metrics if one.key in SHOWN}
        return {"name": self.name, "step": self.step, "metrics": numbers, "best_in": list(best), "findings": findings}


def steps_of(names: Sequence[str]) -> list[int] | None:
    """The step that each name tells: the number behind `step`, `epoch` or the like, else the name's last number.

    None where one tells none, or two tell the same.
    """
    found = [_step(name) for name in names]
    steps = [step for step in found if step is not None]
    return steps if len(steps) == len(found) == len(set(steps)) else None


def _step(name: str) -> int | None:
    stem = name.rpartition(".")[0] or name
    told = _NAMED.findall(stem) or _NUMBER.findall(stem)
    return int(told[-1]) if told else None


def in_order(names: Sequence[str]) -> list[int]:
    """Places of the names by rising step; as they are given where the names tell no steps."""
    steps = steps_of(names)
    return list(range(len(names))) if steps is None else sorted(range(len(names)), key=steps.__getitem__)


def told(moments: Sequence[Moment]) -> list[dict[str, Any]]:
    """For the JSON: oldest first, with the numbers in which each is the best."""
    best = _best(moments)
    return [moment.as_dict(best.get(place, [])) for place, moment in enumerate(moments)]


def _best(moments: Sequence[Moment]) -> Mapping[int, list[str]]:
    """Place of a moment -> keys in which no other is as good; of equal ones the first."""
    found: dict[int, list[str]] = {}
    for key in HIGHER:
        values = [
            (one.measured.value, -place)
            for place, moment in enumerate(moments)
            for one in moment.metrics
            if one.key == key and isfinite(one.measured.value)
        ]
        if values:
            found.setdefault(-max(values)[1], []).append(key)
    return found
