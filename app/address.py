"""The page as an address and back: data, lanes, knobs, seed and panels, so that a link is an experiment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from app.lane_text import METHODS, lane_text, value_text
from app.looked_at import Looked, fields_of, looked_of
from models.own_source import MIX
from models.selection import Selection
from models.spec import Knob, Value
from models.training.config import SEED, STEPS, Event, Part, RunConfig, pairings, part_knobs

DEFAULT_PANELS = ("scores", "roc", "tradeoff", "map", "weights", "curves")
MIXTURE = "mixture"  # the panel that a mixture brings with it
PANELS = (*DEFAULT_PANELS, "statistics", "spectrum", "classes", MIXTURE)
MAX_LANES = 4
SHARED = ("data", "encoder", "sampler", "optimiser")
# A loss whose own defaults follow its paper but train badly here starts with these; an address says what it wants.
PRESETS = {"triplet": Part("triplet", (("reduction", "mean_active"),))}
DEFAULT_LANES = (Part("infonce"), PRESETS["triplet"])

Query = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Setup:
    """What the lab shows. Lanes differ by loss, methods and events only, so that they share weights and batches."""

    lanes: tuple[RunConfig, ...]
    panels: tuple[str, ...] = DEFAULT_PANELS
    looked: Looked = field(default_factory=Looked)

    @property
    def brush(self) -> Selection | None:
        """The brush that stands."""
        return self.looked.brush

    @property
    def base(self) -> RunConfig:
        """What all lanes share."""
        return self.lanes[0]

    def with_shared(self, **changes: object) -> "Setup":
        """Change data, encoder, sampler, optimiser, pairing, steps or seed of every lane; events do not carry over."""
        lanes = tuple(replace(lane, events=(), **changes) for lane in self.lanes)  # type: ignore[arg-type]
        return replace(self, lanes=lanes, looked=self.looked.in_other_data() if "data" in changes else self.looked)

    def with_lane(self, loss: Part) -> "Setup":
        """Add a lane with this loss and no method; a mixture brings its panel with it.

        Raises ValueError if the pairing refuses the loss.
        """
        longer = self._with_lanes((*self.lanes, replace(self.base, loss=loss, methods=(), events=())))
        if not is_mixture(loss) or MIXTURE in longer.panels:
            return longer
        return replace(longer, panels=tuple(name for name in PANELS if name in (*longer.panels, MIXTURE)))

    def without_lane(self, index: int) -> "Setup":
        """Remove one lane."""
        return self._with_lanes(self.lanes[:index] + self.lanes[index + 1 :])

    def _with_lanes(self, lanes: tuple[RunConfig, ...]) -> "Setup":
        """Other lanes; panels that nobody chose are those that suit the lanes."""
        chosen = self.panels != usual_panels(self.lanes)
        return replace(self, lanes=lanes, panels=self.panels if chosen else usual_panels(lanes))


def is_mixture(loss: Part) -> bool:
    """True of a weighted sum of losses."""
    return loss.key.startswith(MIX)


def usual_panels(lanes: Sequence[RunConfig]) -> tuple[str, ...]:
    """The panels of a page on which nobody chose any."""
    return (*DEFAULT_PANELS, MIXTURE) if any(is_mixture(lane.loss) for lane in lanes) else DEFAULT_PANELS


def default_setup() -> Setup:
    """Digits, InfoNCE beside the triplet loss: what the stored replay shows."""
    return Setup(tuple(RunConfig(loss=loss) for loss in DEFAULT_LANES))


def to_query(setup: Setup) -> dict[str, str | list[str]]:
    """The address of a setup; what equals the default is left out, lanes always stand."""
    base, plain = setup.base, RunConfig()
    query: dict[str, str | list[str]] = {}
    for name in SHARED:
        part, default = getattr(base, name), getattr(plain, name)
        if part.key != default.key:
            query[name] = part.key
        for knob in part_knobs(name, part.key):
            if part[knob.name] != knob.default:
                query[f"{name}.{knob.name}"] = value_text(part[knob.name])
    usual = {"pairing": pairings(base.data.key)[0], "steps": plain.steps, "seed": plain.seed}
    for name, value in usual.items():
        if getattr(base, name) != value:
            query[name] = str(getattr(base, name))
    return {**query, **_shown(setup), "lane": [lane_text(lane) for lane in setup.lanes]}


def _shown(setup: Setup) -> dict[str, str | list[str]]:
    panels = {} if setup.panels == usual_panels(setup.lanes) else {"panels": ",".join(setup.panels)}
    return {**panels, **fields_of(setup.looked)}


@dataclass
class _Reader:
    """Reads field by field; what is wrong is told in one message and replaced by the default."""

    query: Query
    problems: list[str] = field(default_factory=list)
    used: set[str] = field(default_factory=set)

    def text(self, name: str) -> str | None:
        self.used.add(name)
        values = self.query.get(name, ())
        return values[0] if values else None

    def problem(self, given: str, why: object, instead: object) -> None:
        self.problems.append(f"The link's '{given[:60]}' was ignored: {why}; {instead} is used.")

    def knob(self, knob: Knob, text: str, where: str) -> Value | None:
        try:
            return knob.check(_parse(knob, text), where)
        except ValueError as error:
            self.problem(f"{where}.{knob.name}={text}", error, value_text(knob.default))
            return None

    def part(self, name: str, default: Part) -> Part:
        key = self.text(name) or default.key
        try:
            knobs = part_knobs(name, key)
        except ValueError as error:
            self.problem(f"{name}={key}", error, default.key)
            key, knobs = default.key, part_knobs(name, default.key)
        given = {}
        for knob in knobs:
            text = self.text(f"{name}.{knob.name}")
            value = None if text is None else self.knob(knob, text, name)
            if value is not None:
                given[knob.name] = value
        return Part(key, tuple(given.items()))

    def whole(self, knob: Knob) -> int:
        text = self.text(knob.name)
        if text is None:
            return int(knob.default)
        try:
            return int(knob.check(_parse(knob, text)))
        except ValueError as error:
            self.problem(f"{knob.name}={text}", error, knob.default)
            return int(knob.default)

    def choice(self, name: str, choices: Sequence[str]) -> str:
        text = self.text(name) or choices[0]
        if text in choices:
            return text
        self.problem(f"{name}={text}", f"{name} must be one of {', '.join(choices)}", choices[0])
        return choices[0]

    def panels(self, usual: tuple[str, ...]) -> tuple[str, ...]:
        text = self.text("panels")
        if text is None:
            return usual
        names = [name for name in text.split(",") if name]
        for name in names:
            if name not in PANELS:
                self.problem(f"panels={name}", f"panels must be among {', '.join(PANELS)}", "no panel of that name")
        return tuple(name for name in names if name in PANELS) or usual

    def looked(self) -> Looked:
        self.used.add("kept")
        return looked_of(self.text("brush"), self.query.get("kept", ()), self.text("compare"), self.problem)

    def lanes(self, base: RunConfig) -> tuple[RunConfig, ...]:
        self.used.add("lane")
        texts = list(self.query.get("lane", ()))
        if len(texts) > MAX_LANES:
            self.problem(f"lane x {len(texts)}", f"at most {MAX_LANES} lanes stand side by side", f"first {MAX_LANES}")
        lanes = [lane for text in texts[:MAX_LANES] if (lane := self.lane(text, base)) is not None]
        return tuple(lanes) or tuple(replace(base, loss=loss) for loss in DEFAULT_LANES)

    def lane(self, text: str, base: RunConfig) -> RunConfig | None:
        key, *items = text.split(";")
        if key.startswith(MIX):
            key = key.replace(" ", "+")  # a plus sign that somebody typed into an address arrives as a space
        methods = [item for item in items if item.startswith(METHODS)]
        events = [item for item in items if "@" in item.partition("=")[0] and item not in methods]
        try:
            part_knobs("loss", key)
            loss = Part(key, self.knobs("loss", key, [i for i in items if i not in methods and i not in events]))
            config = replace(base, loss=loss)
        except ValueError as error:  # there is no such loss, or the pairing refuses it
            self.problem(f"lane={key}", error, "no lane")
            return None
        for method in self.methods(key, methods):
            try:
                config = replace(config, methods=(*config.methods, method))
            except ValueError as error:
                self.problem(f"lane={key};{METHODS}{method.key}", error, "no such method")
        for item in events:
            name, _, value = item.partition("=")
            config = self.event(config, name, value, item)
        return config

    def knobs(self, field_name: str, key: str, items: Sequence[str], where: str = "") -> tuple[tuple[str, Value], ...]:
        """The knobs of one part of a lane from `name=value`; where: what stands before the name in the address."""
        known = {knob.name: knob for knob in part_knobs(field_name, key)}
        given: dict[str, Value] = {}
        for item in items:
            name, _, value = item.partition("=")
            if name not in known:
                self.problem(f"lane={where or key + ';'}{item}", f"{key} has no knob {name!r}", "its default")
            elif (checked := self.knob(known[name], value, key)) is not None:
                given[name] = checked
        return tuple(given.items())

    def methods(self, loss: str, items: Sequence[str]) -> list[Part]:
        """The methods of a lane, each known; `methods.queue` names one, `methods.queue.size=64` sets its knob too."""
        knobs: dict[str, list[str]] = {}
        for item in items:
            key, dot, knob = item.removeprefix(METHODS).partition(".")
            knobs.setdefault(key, []).extend([knob] if dot else [])
        found = []
        for key, given in knobs.items():
            where = f"{loss};{METHODS}{key}"
            try:
                part_knobs("methods", key)
            except ValueError as error:
                self.problem(f"lane={where}", error, "no such method")
                continue
            found.append(Part(key, self.knobs("methods", key, given, f"{where}.")))
        return found

    def event(self, config: RunConfig, name: str, value: str, item: str) -> RunConfig:
        step, _, knob_path = name.partition("@")
        where, _, knob_name = knob_path.partition(".")
        try:
            if not step.isdecimal():
                raise ValueError(f"the step must be a whole number, got {step[:40]!r}")
            keys = {"loss": config.turn_at(int(step))[1], "optimiser": config.optimiser.key} if knob_name else {}
            knobs = {knob.name: knob for knob in part_knobs(where, keys[where])} if where in keys else {}
            parsed = _parse(knobs[knob_name], value) if knob_name in knobs else value
            return config.with_event(Event(int(step), knob_path, parsed))
        except ValueError as error:
            self.problem(f"lane={config.loss.key};{item}", error, "no such change")
            return config


def from_query(query: Query) -> tuple[Setup, tuple[str, ...]]:
    """The setup of an address and one message for each thing in it that could not be used."""
    reader = _Reader(query)
    plain = RunConfig()
    parts = {name: reader.part(name, getattr(plain, name)) for name in SHARED}
    base = RunConfig(
        data=parts["data"],
        encoder=parts["encoder"],
        sampler=parts["sampler"],
        optimiser=parts["optimiser"],
        pairing=reader.choice("pairing", pairings(parts["data"].key)),
        steps=reader.whole(STEPS),
        seed=reader.whole(SEED),
    )
    lanes = reader.lanes(base)
    setup = Setup(lanes, reader.panels(usual_panels(lanes)), reader.looked())
    for name in query:
        if name not in reader.used:
            reader.problem(f"{name}={query[name][0]}", "the page has no such field", "the rest")
    return setup, tuple(reader.problems)


def _parse(knob: Knob, text: str) -> Value:
    """Text to the knob's type; raises ValueError in the knob's own words."""
    for choice in knob.choices:
        if str(choice).lower() == text.lower():
            return choice
    try:
        return int(text) if knob.whole else float(text)
    except ValueError:
        raise ValueError(f"{knob.name} must be {knob.allowed()}, got {text[:40]!r}") from None
