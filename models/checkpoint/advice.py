"""Advice as something that can be tried: a finding to pairs of ways that a small head tells apart, or why none does.

A head on finished embeddings stands in for the whole training. What it cannot stand in for (a wider head, other data,
more pairs) is said in one line and not tried.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from models.catalogue import find
from models.checkpoint.material import Material
from models.checkpoint.try_it import Way, way
from models.spec import Knob, LossSpec, Value, check_knobs

STAND_IN = "infonce"  # where no loss is named, or one that reads no scores of pairs
DECAY, DECORRELATE, SLOWER = 10.0, 10.0, 0.1  # decay as AdamW takes it: times the learning rate at every step


@dataclass(frozen=True)
class Proposal:
    """One piece of advice that can be tried."""

    key: str
    says: str  # what the button is about
    now: Way
    advised: Way
    measure: str = "recall_at_1"


@dataclass(frozen=True)
class Advice:
    """What can be tried of a finding's advice, and in one line why the rest cannot; empty if all of it can."""

    proposals: tuple[Proposal, ...]
    why_not: str = ""


@dataclass(frozen=True, eq=False)
class Setting:
    """What a finding's advice is made of: the finding, the data, and the loss that it is tried with."""

    finding: Mapping[str, Any]
    material: Material
    spec: LossSpec
    knobs: Mapping[str, Value]
    now: Way

    def turned(self, key: str, says: str, names: Sequence[str], factor: float) -> tuple[Proposal, ...]:
        """The first of these knobs that the loss has, times a factor and within its range; nothing if none moves."""
        for knob in self.spec.knobs:
            if knob.name in names and (value := _times(knob, self.knobs[knob.name], factor)) is not None:
                told = f"{says}: {knob.name} {self.knobs[knob.name]:g} → {value:g}"
                return (Proposal(key, told, self.now, way(self.spec.key, {**self.knobs, knob.name: value})),)
        return ()

    def other(self, key: str, says: str, measure: str = "recall_at_1", **changes: Any) -> tuple[Proposal, ...]:
        """The same way with some fields changed."""
        return (Proposal(key, says, self.now, replace(self.now, **changes), measure),)

    def as_they_are(self, key: str, says: str, measure: str, now: str = "cosine", **changes: Any) -> Proposal:
        """Nothing trained: embeddings prepared or searched otherwise."""
        still = replace(self.now, trained=False, search=now)
        return Proposal(key, says, still, replace(still, **changes), measure)


def advice(material: Material, finding: Mapping[str, Any], loss: str | None, knobs: Mapping[str, Value]) -> Advice:
    """What can be tried of a finding's advice. loss: None for unknown; knobs: of that loss, `batch` is left out."""
    if material.labels is None or len(np.unique(material.labels)) < 2:
        return Advice((), "Not tried: a trial needs items with labels of two classes at least.")
    key, given = _with(loss, knobs)
    spec = find("losses", key).SPEC
    now = way(key, given)
    setting = Setting(finding, material, spec, check_knobs(spec.knobs, given, key), now)
    make, why_not = _OF.get(str(finding["key"]), (_nothing, "Not tried: nothing in it is a change of training."))
    found = make(setting)
    if not found and not why_not:
        why_not = f"Not tried: {spec.name} has no knob that does it."
    if found and key != loss and any(one.now.trained for one in found):
        why_not = f"{spec.name} stands in for the loss. {why_not}".strip()
    return Advice(found, why_not)


def _with(loss: str | None, knobs: Mapping[str, Value]) -> tuple[str, dict[str, Value]]:
    """The loss that a head is trained with, and its knobs."""
    if loss is None or find("losses", loss).SPEC.reads != "scores":
        return STAND_IN, {}
    return loss, {name: value for name, value in knobs.items() if name != "batch"}


def _times(knob: Knob, value: Value, factor: float) -> Value | None:
    """The value times a factor, within the knob's range; None where it would not move."""
    if isinstance(value, bool | str) or knob.low is None or knob.high is None:
        return None
    moved = min(max(float(value) * factor, float(knob.low)), float(knob.high))
    made: Value = max(round(moved), 1) if isinstance(value, int) else moved
    return None if made == value or value == 0 else made


def _nothing(setting: Setting) -> tuple[Proposal, ...]:
    return ()


def _slower(setting: Setting) -> tuple[Proposal, ...]:
    return setting.other("slower", "A tenth of the learning rate", pace=SLOWER)


def _softer(setting: Setting) -> tuple[Proposal, ...]:
    return setting.turned("softer", "Softer negatives", ("hardest", "temperature"), 2.0)


def _spread(setting: Setting) -> tuple[Proposal, ...]:
    """A loss whose negatives spread all items, where another was named; measured by what collapsed."""
    if setting.spec.key == STAND_IN:
        return ()
    told = "Another loss: InfoNCE, which spreads all negatives"
    return (Proposal("another_loss", told, setting.now, way(STAND_IN), "spread"),)


def _collapse(setting: Setting) -> tuple[Proposal, ...]:
    measured = [replace(one, measure="spread") for one in (*_slower(setting), *_softer(setting))]
    return *measured, *_spread(setting)


def _dimensions(setting: Setting) -> tuple[Proposal, ...]:
    told = "Decorrelate the outputs: a term for correlations"
    warmer = setting.turned("warmer", "Raise the temperature", ("temperature",), 2.0)
    return (
        *setting.other("decorrelate", told, "effective_rank", decorrelate=DECORRELATE),
        *(replace(one, measure="effective_rank") for one in warmer),
    )


def _cone(setting: Setting) -> tuple[Proposal, ...]:
    return (setting.as_they_are("centre", "Subtract the mean", "auc", centred=True),)


def _hubs(setting: Setting) -> tuple[Proposal, ...]:
    return (
        setting.as_they_are("centre", "Subtract the mean", "recall_at_1", centred=True),
        setting.as_they_are("local", "Scale similarities locally", "recall_at_1", search="local"),
    )


def _norms(setting: Setting) -> tuple[Proposal, ...]:
    return (setting.as_they_are("normalise", "Normalise: cosine, not dot product", "recall_at_1", "dot",
                                search="cosine"),)  # fmt: skip


def _margin(setting: Setting) -> tuple[Proposal, ...]:
    return *_slower(setting), *_softer(setting)


def _chance(setting: Setting) -> tuple[Proposal, ...]:
    """Whether these positives teach the loss anything: trained with it against not trained at all."""
    told = "Are positives positives? Train with the loss at all"
    still = replace(setting.now, trained=False)
    return Proposal("learns", told, still, setting.now), *_slower(setting)


def _active(setting: Setting) -> tuple[Proposal, ...]:
    return (
        *setting.turned("margin", "Raise the margin", ("margin",), 2.0),
        *setting.turned("harder", "Mine harder", ("hardest", "temperature"), 0.5),
        *setting.turned("threshold", "Push negatives from a lower cosine on", ("threshold",), 0.5),
    )


def _warmer(setting: Setting) -> tuple[Proposal, ...]:
    return setting.turned("warmer", "Raise the temperature", ("temperature",), 2.0)


def _colder(setting: Setting) -> tuple[Proposal, ...]:
    return setting.turned("colder", "Lower the temperature", ("temperature",), 0.5)


def _balance(setting: Setting) -> tuple[Proposal, ...]:
    return setting.other("balance", "Balance the batches by class", balanced=True)


def _terms(setting: Setting) -> tuple[Proposal, ...]:
    names = [knob.name for knob in setting.spec.knobs if "weight" in knob.name or knob.name == "companion"]
    return setting.turned("reweigh", "Halve the weight of a term", names, 0.5)


def _mask(setting: Setting) -> tuple[Proposal, ...]:
    pairs = tuple((int(a), int(b)) for a, b in setting.finding["pairs"])
    return setting.other("mask", "Mask these pairs", masked=pairs) if pairs else ()


def _copies(setting: Setting) -> tuple[Proposal, ...]:
    """Masked, or all but the first of each pair of copies left out."""
    rows = {max(int(a), int(b)) for a, b in setting.finding["pairs"]}
    dropped = setting.other("deduplicate", "Drop the copies", without=tuple(sorted(rows))) if rows else ()
    return *_mask(setting), *dropped


def _suspects(setting: Setting) -> tuple[Proposal, ...]:
    rows = tuple(int(row) for row in setting.finding["items"])
    return setting.other("leave_out", "Train without the listed items", without=rows) if rows else ()


def _uniform(setting: Setting) -> tuple[Proposal, ...]:
    supervised = () if setting.spec.key == "supcon" else (
        Proposal("supervised", "Another loss: SupCon, all positives of a class", setting.now, way("supcon")),
    )  # fmt: skip
    return *_warmer(setting), *supervised


def _unseen(setting: Setting) -> tuple[Proposal, ...]:
    """Both ways train on the seen classes alone."""
    seen = setting.material.seen
    if seen is None:
        return ()
    now = replace(setting.now, without=tuple(np.flatnonzero(~seen).tolist()))
    told = f"Regularise: weight decay {DECAY:g}"
    return (Proposal("decay", told, now, replace(now, decay=DECAY), "auc_unseen"),)


def _calibrate(setting: Setting) -> tuple[Proposal, ...]:
    if setting.material.group is None:
        return ()
    told = "Calibrate each slice by itself"
    return (setting.as_they_are("calibrate", told, "one_threshold", search="by slice"),)


_HEAD = "Not tried: {} A head on finished embeddings cannot stand in for that."
_OF: dict[str, tuple[Callable[[Setting], tuple[Proposal, ...]], str]] = {
    "point_collapse": (_collapse, "Not tried: normalising, as scores are cosines already."),
    "dimensional_collapse": (_dimensions, _HEAD.format("a wider head.")),
    "narrow_cone": (_cone, ""),
    "hubs": (_hubs, ""),
    "norms": (_norms, ""),
    "stuck_on_margin": (_margin, ""),
    "at_chance": (_chance, _HEAD.format("warm-up and the strength of views.")),
    "nothing_active": (_active, ""),
    "temperature_low": (_warmer, ""),
    "temperature_high": (_colder, ""),
    "gradient_captured": (_balance, "Not tried: other classes, which would change what is measured."),
    "terms_fight": (_terms, ""),
    "likely_false_negatives": (_mask, "Not tried: guided negatives, which need a second model."),
    "same_item_both": (_copies, ""),
    "label_suspects": (_suspects, "Not tried: mended labels, which only you know."),
    "unseen_gap": (_unseen, "Not tried: fewer proxies, and earlier checkpoints: bring those as a comparison."),
    "unstable_threshold": (_calibrate, ""),
    "too_little_data": (_nothing, "Not tried: only more pairs can tell, and the interval says how many."),
    "over_uniform": (_uniform, ""),
    "metrics_disagree": (_nothing, "Not tried: which metric counts is a choice; both intervals stand above."),
    "better_checkpoint": (_nothing, "Not tried: the comparison is the trial, with intervals over the same items."),
}  # fmt: skip
