"""What a RunConfig is made of: parts with their knobs, and the events that change a run on its way."""

import re
from dataclasses import dataclass

from models.catalogue import find
from models.data_common import CORRUPTION
from models.pair_code import decode_pairs
from models.spec import Knob, Value

SAMPLERS: dict[str, tuple[Knob, ...]] = {
    "balanced": (
        Knob("batch", 128, 4, 2048, help="Items a step."),
        Knob("classes", 0, 0, 1000, help="Classes in a batch; 0 takes them all."),
    ),
    "uniform": (Knob("batch", 128, 4, 2048, help="Items a step."),),
    "episodic": (
        Knob("way", 5, 2, 64, unit="classes", help="Classes in an episode."),
        Knob("shot", 5, 1, 16, unit="items", help="Supports of each class; they come first among its rows."),
        Knob("query", 5, 1, 16, unit="items", help="Queries of each class, none of them a support."),
    ),
}
_RATE = Knob("rate", 1e-3, 1e-6, 10.0, log=True, help="Learning rate.")
_DECAY = Knob("weight_decay", 0.0, 0.0, 1.0, help="Pull of every weight to zero.")
OPTIMISERS: dict[str, tuple[Knob, ...]] = {
    "adam": (_RATE, _DECAY),
    "adamw": (_RATE, Knob("weight_decay", 0.01, 0.0, 1.0, help="Decoupled weight decay.")),
    "sgd": (
        Knob("rate", 0.05, 1e-6, 10.0, log=True, help="Learning rate."),
        _DECAY,
        Knob("momentum", 0.9, 0.0, 0.999, help="Share of the last step that is kept."),
    ),
}
PAIRINGS = ("label", "views")  # of any data; "towers" besides where items have two sides
MASK = "mask.pairs"
LOSS, FORK = "loss", "fork"  # events that are no knobs: another loss from here on; a lane's name since it left another
_FORK = re.compile(r"[A-Z][0-9]{0,4}")


@dataclass(frozen=True)
class Part:
    """A key of the catalogue with its knob values; knobs left out take their defaults."""

    key: str
    knobs: tuple[tuple[str, Value], ...] = ()

    def __getitem__(self, name: str) -> Value:
        return dict(self.knobs)[name]

    @property
    def values(self) -> dict[str, Value]:
        """The knobs as a dict."""
        return dict(self.knobs)

    def number(self, name: str) -> float:
        """One knob as a number."""
        return float(self[name])


# What a config has where it says nothing.
DIGITS, MLP, INFONCE, BALANCED, ADAM = (Part(key) for key in ("digits", "mlp", "infonce", "balanced", "adam"))


@dataclass(frozen=True)
class Event:
    """A knob changed while running: takes effect before the training step that leads from `step` to `step + 1`."""

    step: int
    knob: str  # "loss.temperature", "optimiser.rate", "mask.pairs" (left out from here on), or LOSS, or FORK
    value: Value

    @property
    def text(self) -> str:
        """The change in a few words."""
        if self.knob == FORK:
            return f"{self.value} leaves its parent"
        if self.knob != MASK:
            return f"{self.knob} = {self.value}"
        count = len(decode_pairs(str(self.value)))
        return f"{count} pairs left out" if count else "no pair left out"


def part_knobs(field_name: str, key: str) -> tuple[Knob, ...]:
    """All knobs of one part; raises ValueError if there is no such part."""
    tables = {"sampler": SAMPLERS, "optimiser": OPTIMISERS}
    if field_name in tables:
        table = tables[field_name]
        if key not in table:
            raise ValueError(f"{field_name}: no {field_name} called {key!r}; known: {', '.join(table)}")
        return table[key]
    package = {"data": "data", "encoder": "encoders", "loss": "losses", "methods": "methods"}[field_name]
    knobs: tuple[Knob, ...] = find(package, key).SPEC.knobs
    return knobs + CORRUPTION if field_name == "data" else knobs


def pairings(data: str) -> tuple[str, ...]:
    """The pairings that a data set allows, first the one that suits it: towers only where its items have two sides."""
    spec = find("data", data).SPEC
    if not spec.labelled:
        return ("views",)
    return ("towers", *PAIRINGS) if spec.side else PAIRINGS


def fork_name(value: Value) -> str:
    """A lane's name; raises ValueError if it is none."""
    if not _FORK.fullmatch(str(value)):
        raise ValueError(f"a fork is named by a letter and a number, like A2, got {value!r}")
    return str(value)
