"""RunConfig: everything that decides a run's numbers, frozen, hashable, JSON in and out."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from models.catalogue import find
from models.custom import REGISTER
from models.own_source import is_own
from models.pair_code import checked
from models.spec import PLACES, DataSpec, Knob, MethodSpec, check_knobs
from models.training.parts import ADAM, BALANCED, DIGITS, INFONCE, MLP, fork_name
from models.training.parts import FORK as FORK
from models.training.parts import LOSS as LOSS
from models.training.parts import MASK as MASK
from models.training.parts import OPTIMISERS as OPTIMISERS
from models.training.parts import PAIRINGS as PAIRINGS
from models.training.parts import SAMPLERS as SAMPLERS
from models.training.parts import Event as Event
from models.training.parts import Part as Part
from models.training.parts import pairings as pairings
from models.training.parts import part_knobs as part_knobs

STEPS = Knob("steps", 500, 1, 1_000_000)
_EVER = 1 << 62  # later than any step
SEED = Knob("seed", 0, 0, 4_294_967_295)
FIELDS = ("data", "encoder", "loss", "methods", "pairing", "sampler", "optimiser", "steps", "seed", "events", "source")


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

    data: Part = DIGITS
    encoder: Part = MLP
    loss: Part = INFONCE
    methods: tuple[Part, ...] = ()
    pairing: str = ""  # "label", "views": two views of each item, "towers": its two sides; "": what suits the data
    sampler: Part = BALANCED
    optimiser: Part = ADAM
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
        if event.knob in (LOSS, FORK):
            return replace(event, value=self._checked_loss(event) if event.knob == LOSS else fork_name(event.value))
        if event.knob == MASK:
            return replace(event, value=self._checked_mask(event))
        if where not in ("loss", "optimiser"):
            raise ValueError(f"event {event.knob!r}: only loss.* and optimiser.* can change while running")
        key = self.turn_at(event.step)[1] if where == LOSS else self.optimiser.key
        knobs = {knob.name: knob for knob in part_knobs(where, key)}
        if name not in knobs:
            raise ValueError(f"event {event.knob!r}: {where} has no knob {name!r}; known: {', '.join(knobs) or 'none'}")
        return replace(event, value=knobs[name].check(event.value, where))

    def _checked_mask(self, event: Event) -> str:
        """Which pairs a mask leaves out; raises ValueError where what the loss reads are no pairs of training items."""
        key = self.turn_at(event.step)[1]
        reads = find("losses", key).SPEC.reads
        if reads != "scores":
            raise ValueError(f"a mask leaves out pairs of items, but {key} reads {reads}: take another loss")
        if self.methods:
            raise ValueError(f"a mask cannot stand before method {self.methods[0].key}, which makes pairs of its own")
        return checked(event.value)

    def _checked_loss(self, event: Event) -> str:
        """A loss to go on with; raises ValueError if there is none, or if methods, pairing or a mask refuse it."""
        key = str(event.value)
        if is_own(key):
            raise ValueError("a run cannot change to a loss of your own on the way: add it as a lane")
        spec = find("losses", key).SPEC
        _methods(self.methods, key)
        if self.pairing == "towers" and spec.one_tower:
            raise ValueError(f"{key} needs a batch scored against itself, not towers: take another loss")
        masks = [other for other in self.events if other.knob == MASK and other.step <= event.step]
        if spec.reads != "scores" and masks and max(masks, key=lambda other: other.step).value:
            raise ValueError(f"pairs are left out here, but {key} reads {spec.reads}, not pairs: take another loss")
        return key

    def turn_at(self, step: int) -> tuple[int, str]:
        """Since which step which loss is in force at a step, by its key; -1: from the start."""
        turns = [event for event in self.events if event.knob == LOSS and event.step <= step]
        last = max(turns, key=lambda event: event.step, default=Event(-1, LOSS, self.loss.key))
        return last.step, str(last.value)

    def loss_at(self, step: int) -> Part:
        """The loss in force at a step, with its knobs as events have left them."""
        since, key = self.turn_at(step)
        start = self.loss if since < 0 else _part("loss", Part(key))
        changed = {
            event.knob.removeprefix("loss."): event.value
            for event in self.events
            if event.knob.startswith("loss.") and since <= event.step <= step
        }
        return replace(start, knobs=tuple({**start.values, **changed}.items()))

    def until(self, step: int) -> "RunConfig":
        """The config with only those events that a state of this step has behind it."""
        return replace(self, events=tuple(event for event in self.events if event.step < step))

    def with_event(self, event: Event) -> "RunConfig":
        """Add one change of a knob; a second change of the same knob at the same step replaces the first."""
        return replace(self, events=(*self.events, event))

    def folded(self) -> "RunConfig":
        """The config that starts with the knobs, and the mask, as its events left them."""
        masks = [event for event in self.events if event.knob == MASK]
        kept = tuple(replace(event, step=0) for event in masks[-1:] if event.value)
        return replace(self, events=kept, loss=self.loss_at(_EVER), optimiser=self._optimiser_now())

    def _optimiser_now(self) -> Part:
        names = {f"optimiser.{name}" for name in self.optimiser.values}
        changed = {event.knob.removeprefix("optimiser."): event.value for event in self.events if event.knob in names}
        return replace(self.optimiser, knobs=tuple({**self.optimiser.values, **changed}.items()))

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
