"""RunConfig: everything that decides a run's numbers, frozen, hashable, JSON in and out."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from models.catalogue import find
from models.custom import REGISTER
from models.data_common import CORRUPTION
from models.pair_code import checked, decode_pairs
from models.spec import PLACES, DataSpec, Knob, MethodSpec, Value, check_knobs

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
STEPS = Knob("steps", 500, 1, 1_000_000)
MASK = "mask.pairs"
SEED = Knob("seed", 0, 0, 4_294_967_295)
FIELDS = ("data", "encoder", "loss", "methods", "pairing", "sampler", "optimiser", "steps", "seed", "events", "source")


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


@dataclass(frozen=True)
class Event:
    """A knob changed while running: takes effect before the training step that leads from `step` to `step + 1`."""

    step: int
    knob: str  # "loss.temperature", "optimiser.rate" or "mask.pairs", the pairs that are left out from here on
    value: Value

    @property
    def text(self) -> str:
        """The change in a few words."""
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


def _part(field_name: str, given: Part) -> Part:
    checked = check_knobs(part_knobs(field_name, given.key), given.values, f"{field_name} {given.key}")
    return Part(given.key, tuple(sorted(checked.items())))


def _methods(given: tuple[Part, ...], loss: str) -> tuple[Part, ...]:
    """The methods in the order in which they work; raises ValueError if two exclude each other or the loss."""
    parts = sorted((_part("methods", part) for part in given), key=lambda part: PLACES.index(_method(part).place))
    reader = find("losses", loss).SPEC
    for before, part in zip((None, *parts), parts, strict=False):
        spec = _method(part)
        if before is not None and _method(before).place == spec.place:
            raise ValueError(f"methods {before.key} and {part.key} both change the {spec.place}: leave one out")
        if reader.reads not in spec.reads:
            kinds = " or ".join(spec.reads)
            raise ValueError(f"method {part.key} needs a loss that reads {kinds}, but {loss} reads {reader.reads}")
        if reader.reads == "logits" and reader.target not in ("class", "binary"):
            raise ValueError(f"method {part.key} needs logits of classes, which {loss} does not read")
        if reader.one_tower and not spec.one_tower:
            raise ValueError(f"method {part.key} adds candidates, but {loss} needs a batch scored against itself")
    return tuple(parts)


def _method(part: Part) -> MethodSpec:
    spec: MethodSpec = find("methods", part.key).SPEC
    return spec


def _linked(data: str) -> bool:
    spec: DataSpec = find("data", data).SPEC
    return spec.linked


@dataclass(frozen=True)
class RunConfig:
    """One run. Construction completes the knobs with their defaults and raises ValueError on anything unknown."""

    data: Part = Part("digits")
    encoder: Part = Part("mlp")
    loss: Part = Part("infonce")
    methods: tuple[Part, ...] = ()
    pairing: str = ""  # "label", "views": two views of each item, "towers": its two sides; "": what suits the data
    sampler: Part = Part("balanced")
    optimiser: Part = Part("adam")
    steps: int = 500
    seed: int = 0
    events: tuple[Event, ...] = field(default=())
    source: str = ""  # code of an own loss, which its key names; empty with a built-in one

    def __post_init__(self) -> None:
        object.__setattr__(self, "source", REGISTER.source(self.loss.key, self.source))
        for name in ("data", "encoder", "loss", "sampler", "optimiser"):
            object.__setattr__(self, name, _part(name, getattr(self, name)))
        object.__setattr__(self, "methods", _methods(self.methods, self.loss.key))
        object.__setattr__(self, "steps", STEPS.check(self.steps))
        object.__setattr__(self, "seed", SEED.check(self.seed))
        object.__setattr__(self, "pairing", self._checked_pairing())
        # In order and one a step and knob, so that equal runs have equal ids; the later of two holds.
        checked = {(event.step, event.knob): self.check_event(event) for event in self.events}
        object.__setattr__(self, "events", tuple(checked[at] for at in sorted(checked)))

    def _checked_pairing(self) -> str:
        """The pairing, or the one that suits the data; raises ValueError if data, loss or methods refuse it."""
        known = pairings(self.data.key)
        if self.pairing not in ("", *known):
            two = f"; {self.data.key} has one side" if self.pairing == "towers" else ""
            raise ValueError(f"pairing must be one of {', '.join(known)}, got {self.pairing!r}{two}")
        pairing = self.pairing or known[0]
        barred = [part.key for part in self.methods if not (_method(part).towers and _linked(self.data.key))]
        if pairing == "towers" and barred:
            raise ValueError(f"method {barred[0]} cannot stand before two towers: choose another pairing")
        if pairing == "towers" and find("losses", self.loss.key).SPEC.one_tower:
            raise ValueError(f"{self.loss.key} needs a batch scored against itself, not towers: choose another pairing")
        return pairing

    def check_event(self, event: Event) -> Event:
        """Return the event with its value in the knob's type; raises ValueError if the knob cannot be changed live."""
        where, _, name = event.knob.partition(".")
        if isinstance(event.step, bool) or not isinstance(event.step, int) or event.step < 0:
            raise ValueError(f"event {event.knob!r}: step must be a whole number from 0, got {event.step!r}")
        if event.knob == MASK:
            return replace(event, value=self._checked_mask(event.value))
        if where not in ("loss", "optimiser"):
            raise ValueError(f"event {event.knob!r}: only loss.* and optimiser.* can change while running")
        knobs = {knob.name: knob for knob in part_knobs(where, getattr(self, where).key)}
        if name not in knobs:
            raise ValueError(f"event {event.knob!r}: {where} has no knob {name!r}; known: {', '.join(knobs) or 'none'}")
        return replace(event, value=knobs[name].check(event.value, where))

    def _checked_mask(self, value: Value) -> str:
        """Which pairs a mask leaves out; raises ValueError where what the loss reads are no pairs of training items."""
        reads = find("losses", self.loss.key).SPEC.reads
        if reads != "scores":
            raise ValueError(f"a mask leaves out pairs of items, but {self.loss.key} reads {reads}: take another loss")
        if self.methods:
            raise ValueError(f"a mask cannot stand before method {self.methods[0].key}, which makes pairs of its own")
        return checked(value)

    def with_event(self, event: Event) -> "RunConfig":
        """Add one change of a knob; a second change of the same knob at the same step replaces the first."""
        return replace(self, events=(*self.events, event))

    def folded(self) -> "RunConfig":
        """The config that starts with the knobs, and the mask, as its events left them."""
        parts = {"loss": self.loss.values, "optimiser": self.optimiser.values}
        masks = [event for event in self.events if event.knob == MASK]
        for event in self.events:
            where, _, name = event.knob.partition(".")
            if event.knob != MASK:
                parts[where][name] = event.value
        loss, optimiser = (replace(getattr(self, name), knobs=tuple(parts[name].items())) for name in parts)
        kept = tuple(replace(event, step=0) for event in masks[-1:] if event.value)
        return replace(self, events=kept, loss=loss, optimiser=optimiser)

    def to_json(self) -> str:
        """All fields, knobs complete and in order: equal configs give equal text."""
        parts = {name: _part_json(getattr(self, name)) for name in ("data", "encoder", "loss", "sampler", "optimiser")}
        rest = {
            "methods": [_part_json(part) for part in self.methods],
            "pairing": self.pairing,
            "steps": self.steps,
            "seed": self.seed,
            "events": [{"step": e.step, "knob": e.knob, "value": e.value} for e in self.events],
        }
        code = {"source": self.source} if self.source else {}
        return json.dumps({**parts, **rest, **code}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "RunConfig":
        """Read a config; fields left out take their defaults; raises ValueError naming the field that is wrong."""
        try:
            raw = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"config is not JSON: line {error.lineno}, column {error.colno}: {error.msg}") from None
        if not isinstance(raw, dict):
            raise ValueError("config must be a JSON object with fields " + ", ".join(FIELDS))
        unknown = [name for name in raw if name not in FIELDS]
        if unknown:
            raise ValueError(f"config has no field {unknown[0]!r}; its fields are: {', '.join(FIELDS)}")
        return cls(**{name: _read(name, value) for name, value in raw.items()})

    @property
    def config_id(self) -> str:
        """Twelve hexadecimal digits that change with anything that changes the numbers, events included."""
        return sha256(self.to_json().encode()).hexdigest()[:12]


def _part_json(part: Part) -> dict[str, Any]:
    return {"key": part.key, "knobs": part.values}


def _read(name: str, value: Any) -> Any:
    if name in ("data", "encoder", "loss", "sampler", "optimiser"):
        return _read_part(name, value)
    if name == "methods":
        return tuple(_read_part(name, item) for item in _read_list(name, value))
    if name == "source" and not isinstance(value, str):
        raise ValueError(f"source must be text, got {value!r}")
    if name == "events":
        return tuple(_read_event(item) for item in _read_list(name, value))
    return value


def _read_list(name: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{name} must be a list, got {value!r}")
    return value


def _read_part(name: str, value: Any) -> Part:
    """Accept "key" or {"key": ..., "knobs": {...}}."""
    if isinstance(value, str):
        return Part(value)
    if not isinstance(value, Mapping) or not isinstance(value.get("key"), str) or set(value) - {"key", "knobs"}:
        raise ValueError(f'{name} must be a key or {{"key": ..., "knobs": {{...}}}}, got {value!r}')
    knobs = value.get("knobs", {})
    if not isinstance(knobs, Mapping):
        raise ValueError(f"{name}.knobs must be an object, got {knobs!r}")
    return Part(value["key"], tuple(knobs.items()))


def _read_event(value: Any) -> Event:
    if not isinstance(value, Mapping) or set(value) != {"step", "knob", "value"}:
        raise ValueError(f'an event must be {{"step": ..., "knob": ..., "value": ...}}, got {value!r}')
    return Event(value["step"], str(value["knob"]), value["value"])
