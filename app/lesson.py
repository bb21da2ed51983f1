"""What a lesson consists of: runs, questions, claims, and prose with places for what moves."""

from dataclasses import dataclass, replace

from models.training.config import RunConfig

STATUSES = ("verified", "partly", "unverified")
SHOWS, NOT_HERE = "shows", "does not show here"
Answer = float | str | tuple[float, ...]  # to a question: a number, the name of a run, or the heights of a curve
RELATIONS = (">", "<", "~")  # ~: nearer than `within`
LOCKS = ("lab", "live", "notebook", "what-if")  # what stays shut until every question is answered


@dataclass(frozen=True)
class Run:
    """One of the runs that a lesson compares."""

    name: str
    config: RunConfig


@dataclass(frozen=True)
class Question:
    """What is asked before the run: a number within [low, high], a curve of them over steps, or a choice.

    A choice is among the runs: which has the highest measure. A curve has a height at each of `steps`.
    """

    name: str
    text: str
    measure: str
    run: str = ""  # a number of this run; empty: a choice among all runs
    low: float = 0.0
    high: float = 1.0
    near: float = 0.0  # how far from what was measured still counts as near, besides the spread over seeds
    steps: tuple[int, ...] = ()  # of a curve: where it is drawn, and compared with what the run logged there

    @property
    def measures(self) -> tuple[str, ...]:
        """What has to be measured to grade it: of a curve the measure as it was logged at each of its steps."""
        return tuple(f"{self.measure}@{step}" for step in self.steps) or (self.measure,)


@dataclass(frozen=True)
class Claim:
    """What the lesson says: measure of one run against that of another, or against a number."""

    name: str
    statement: str  # of this lesson
    paper: str  # what the paper says
    measure: str
    left: str
    relation: str
    right: str | float
    status: str
    within: float = 0.0
    seeds: tuple[int, ...] = (0, 1, 2)


@dataclass(frozen=True)
class Place:
    """Where something stands in the prose: kind panel, question, what-if or run."""

    kind: str
    name: str


@dataclass(frozen=True)
class Lesson:
    """One lesson, complete and checked."""

    number: int
    slug: str
    title: str
    paper: str
    minutes: int
    status: str  # how far the paper's text was checked
    panels: tuple[str, ...]
    locked: tuple[str, ...]
    runs: tuple[Run, ...]
    questions: tuple[Question, ...]
    claims: tuple[Claim, ...]
    body: tuple[str | Place, ...]  # prose and places in turn

    @property
    def steps(self) -> int:
        """Training steps of each run."""
        return self.runs[0].config.steps

    @property
    def seeds(self) -> tuple[int, ...]:
        """All seeds that the claims are measured over."""
        return tuple(sorted({seed for claim in self.claims for seed in claim.seeds}))

    @property
    def measures(self) -> tuple[str, ...]:
        """Every measure that a claim or a question reads."""
        asked = [measure for question in self.questions for measure in question.measures]
        return tuple(dict.fromkeys([claim.measure for claim in self.claims] + asked))

    def side_by_side(self) -> tuple[Run, ...]:
        """The runs that the lab can train beside the first: its lanes share all but the loss and its methods."""
        first = self.runs[0].config
        own = {"loss": first.loss, "methods": first.methods, "events": first.events}
        return tuple(run for run in self.runs if replace(run.config, **own) == first)  # type: ignore[arg-type]

    def question(self, name: str) -> Question:
        """A question by name."""
        return next(question for question in self.questions if question.name == name)


def marker(place: Place) -> str:
    """A place as it is written in the prose."""
    return f"[[{place.kind}: {place.name}]]" if place.name else f"[[{place.kind}]]"
