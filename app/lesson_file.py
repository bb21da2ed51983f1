"""A lesson as a file: TOML between +++ lines (runs, questions, claims) and prose with places for what moves.

A place is a line of its own: `[[panel: weights]]`, `[[question: cold]]`, `[[what-if: temperature]]`, `[[run]]`.
"""

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from app.address import MAX_LANES, PANELS
from app.lesson import (
    LOCKS,
    NOT_HERE,
    RELATIONS,
    SHOWS,
    STATUSES,
    Claim,
    Lesson,
    Place,
    Question,
    Run,
    marker,
)
from models.diagnostics import readings
from models.training.config import RunConfig, part_knobs
from models.training.trace import Trace

FOLDER = Path(__file__).parent / "lessons"
MIN_SEEDS = 3
MIN_HEIGHTS, MAX_HEIGHTS = 3, 8  # of a curve that is drawn: more handles would lie on each other on a phone
_NAME = re.compile(r"(\d\d)_([a-z0-9-]+)\.md")
_PLACE = re.compile(r"^\[\[(panel|question|what-if|run)(?::\s*([\w-]+))?\]\]$", re.MULTILINE)
_FENCE = "+++\n"
T = TypeVar("T")


class _Table:
    """One TOML table, read field by field; raises ValueError naming file, field and what is allowed."""

    def __init__(self, file: str, where: str, given: object) -> None:
        self.file, self.where = file, where
        if not isinstance(given, Mapping):
            raise ValueError(f"{file}: {where} must be a table, got {given!r}")
        self.given, self.read = given, set[str]()

    def wrong(self, name: str, allowed: str) -> ValueError:
        got = repr(self.given[name]) if name in self.given else "nothing"
        return ValueError(f"{self.file}: {self.where}{name} must be {allowed}, got {got}")

    def take(self, name: str, allowed: str, fits: Callable[[Any], bool], default: Any = None) -> Any:
        self.read.add(name)
        if name not in self.given and default is not None:
            return default
        value = self.given.get(name)
        if value is None or not fits(value):
            raise self.wrong(name, allowed)
        return value

    def text(self, name: str, default: str | None = None) -> str:
        return str(self.take(name, "text", lambda v: isinstance(v, str) and v.strip() != "", default))

    def choice(self, name: str, known: tuple[str, ...], default: str | None = None) -> str:
        return str(self.take(name, f"one of {', '.join(known)}", lambda v: v in known, default))

    def number(self, name: str, default: float | None = None) -> float:
        return float(self.take(name, "a number", _number, default))

    def names(self, name: str, known: tuple[str, ...], default: list[str] | None = None) -> tuple[str, ...]:
        allowed = f"a list of {', '.join(known)}"
        found = self.take(name, allowed, lambda v: isinstance(v, list) and all(x in known for x in v), default)
        return tuple(found)

    def measure(self) -> str:
        known = ", ".join(readings.READINGS)
        return str(self.take("measure", f"one of {known}, or one of them @step", lambda v: readings.known(str(v))))

    def end(self) -> None:
        for name in self.given:
            if name not in self.read:
                raise ValueError(f"{self.file}: {self.where}{name} is no field; known: {', '.join(sorted(self.read))}")


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def load(path: Path) -> Lesson:
    """Read one lesson; raises ValueError in one sentence on the first thing that is wrong."""
    found = _NAME.fullmatch(path.name)
    if found is None:
        raise ValueError(f"{path.name}: a lesson's file is called NN_slug.md, as 01_what-temperature-does.md")
    return parse(path.read_text(encoding="utf-8"), path.name, int(found[1]), found[2])


def parse(text: str, file: str, number: int, slug: str) -> Lesson:
    """A lesson from its text; raises ValueError naming the file, the field and what is allowed."""
    before, *rest = text.split(_FENCE, 2)
    if before or len(rest) != 2:
        raise ValueError(f"{file}: a lesson begins with TOML between two lines +++")
    try:
        head = _Table(file, "", tomllib.loads(rest[0]))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{file}: the head is not TOML: {error}") from None
    runs = _runs(head)
    names = tuple(run.name for run in runs)
    lesson = Lesson(
        number=number,
        slug=slug,
        title=head.text("title"),
        paper=head.text("paper"),
        minutes=int(head.take("minutes", "a whole number from 1 to 10", lambda v: type(v) is int and 1 <= v <= 10)),
        status=head.choice("status", STATUSES),
        panels=head.names("panels", PANELS),
        locked=head.names("locked", LOCKS, []),
        runs=runs,
        questions=_each(head, "question", lambda table: _question(table, runs)),
        claims=_each(head, "claim", lambda table: _claim(table, names)),
        body=_body(rest[1]),
    )
    head.end()
    _check_places(file, lesson)
    return lesson


def _each(head: _Table, name: str, make: Callable[[_Table], T]) -> tuple[T, ...]:
    """The tables of one kind, at least one, their names different."""
    tables = head.take(name, f"at least one table [[{name}]]", lambda v: isinstance(v, list) and len(v) > 0)
    found = []
    for index, given in enumerate(tables):
        table = _Table(head.file, f"{name} {index + 1}: ", given)
        found.append(make(table))
        table.end()
    names = [given.get("name") for given in tables]
    if len(set(names)) < len(names):
        raise ValueError(f"{head.file}: two tables [[{name}]] have one name; names: {', '.join(map(str, names))}")
    return tuple(found)


def _runs(head: _Table) -> tuple[Run, ...]:
    shared = head.take("setup", "a table of RunConfig fields", lambda v: isinstance(v, Mapping), {})

    def make(table: _Table) -> Run:
        own = table.take("config", "a table of RunConfig fields", lambda v: isinstance(v, Mapping))
        try:
            config = RunConfig.from_json(json.dumps({**shared, **own}))
        except ValueError as error:
            raise ValueError(f"{table.file}: {table.where}config: {error}") from None
        return Run(table.text("name"), config)

    runs = _each(head, "run", make)
    if len(runs) > MAX_LANES:
        raise ValueError(f"{head.file}: a lesson has at most {MAX_LANES} runs, got {len(runs)}")
    if len({run.config.steps for run in runs}) > 1:
        raise ValueError(f"{head.file}: all runs must have the same steps, since they share one clock")
    return runs


def _question(table: _Table, runs: tuple[Run, ...]) -> Question:
    asked = Question(table.text("name"), table.text("text"), table.measure())
    if "run" not in table.given and "steps" not in table.given:
        return asked
    low, high = table.number("low"), table.number("high")
    if not low < high:
        raise table.wrong("high", f"more than low ({low:g})")
    near = float(table.take("near", "a number above 0", lambda v: _number(v) and v > 0))
    run = table.choice("run", tuple(run.name for run in runs))
    return replace(asked, run=run, low=low, high=high, near=near, steps=_curve(table, runs[0].config.steps))


def _curve(table: _Table, end: int) -> tuple[int, ...]:
    """The steps at which a curve is drawn; empty where a number is asked for."""
    if "steps" not in table.given:
        return ()
    if table.given["measure"] not in readings.LOGGED:
        raise table.wrong("measure", f"one that runs log over steps ({', '.join(readings.LOGGED)}) beside steps")
    due = [step for step in range(end) if Trace().due(step)]

    def fits(value: Any) -> bool:
        rising = isinstance(value, list) and all(type(step) is int for step in value) and value == sorted(set(value))
        return rising and MIN_HEIGHTS <= len(value) <= MAX_HEIGHTS and set(value) <= set(due)

    allowed = f"a rising list of {MIN_HEIGHTS} to {MAX_HEIGHTS} steps at which a run of {end} logs"
    return tuple(table.take("steps", f"{allowed} ({', '.join(map(str, due))})", fits))


def _claim(table: _Table, runs: tuple[str, ...]) -> Claim:
    relation = table.choice("relation", RELATIONS)
    right = table.take("right", f"a number or one of {', '.join(runs)}", lambda v: _number(v) or v in runs)
    within = 0.0
    if relation == "~":
        within = float(table.take("within", "a number above 0 beside relation ~", lambda v: _number(v) and v > 0))
    seeds = table.take("seeds", f"a list of at least {MIN_SEEDS} different whole numbers", _seeds, [0, 1, 2])
    return Claim(
        name=table.text("name"),
        statement=table.text("statement"),
        paper=table.text("paper"),
        measure=table.measure(),
        left=table.choice("left", runs),
        relation=relation,
        right=right if isinstance(right, str) else float(right),
        status=table.choice("status", (SHOWS, NOT_HERE)),
        within=within,
        seeds=tuple(seeds),
    )


def _seeds(value: Any) -> bool:
    whole = isinstance(value, list) and all(type(seed) is int and seed >= 0 for seed in value)
    return whole and len(set(value)) == len(value) >= MIN_SEEDS


def _body(text: str) -> tuple[str | Place, ...]:
    """Prose and places, in order; empty prose is left out."""
    parts: list[str | Place] = []
    at = 0
    for found in _PLACE.finditer(text):
        parts += [text[at : found.start()].strip(), Place(found[1], found[2] or "")]
        at = found.end()
    parts.append(text[at:].strip())
    return tuple(part for part in parts if part)


def _check_places(file: str, lesson: Lesson) -> None:
    """Every place names something there is, and every question and the run have one."""
    loss = lesson.runs[0].config.loss.key
    known = {
        "panel": lesson.panels,
        "question": tuple(question.name for question in lesson.questions),
        "what-if": tuple(knob.name for knob in part_knobs("loss", loss)),
        "run": ("",),
    }
    places = [part for part in lesson.body if isinstance(part, Place)]
    for place in places:
        if place.name not in known[place.kind]:
            raise ValueError(
                f"{file}: [[{place.kind}: {place.name}]] must name one of {', '.join(known[place.kind]) or 'nothing'}"
            )
    for wanted in (*(Place("question", name) for name in known["question"]), Place("run", "")):
        if places.count(wanted) != 1:
            raise ValueError(f"{file}: the prose must hold {marker(wanted)} once, it does {places.count(wanted)} times")


def lessons(folder: Path = FOLDER) -> tuple[Lesson, ...]:
    """All lessons by number; raises ValueError on the first that is wrong."""
    return tuple(load(path) for path in sorted(folder.glob("[0-9]*.md")))


def named(name: str, known: tuple[Lesson, ...]) -> Lesson:
    """A lesson by slug or number; raises ValueError that lists them."""
    for lesson in known:
        if name in (lesson.slug, str(lesson.number), f"{lesson.number:02d}", f"{lesson.number:02d}_{lesson.slug}"):
            return lesson
    raise ValueError(f"no lesson called {name!r}; known: {', '.join(lesson.slug for lesson in known)}")
