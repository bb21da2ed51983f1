"""What a part says of itself: its knobs, its paper, its reference levels and the properties that tests check."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf

import numpy as np

Value = float | int | str | bool
Knobs = Mapping[str, Value]


@dataclass(frozen=True)
class Knob:
    """One adjustable number, switch or choice; an integer default makes it a whole-number knob."""

    name: str
    default: Value
    low: float | None = None
    high: float | None = None
    log: bool = field(default=False, kw_only=True)
    unit: str = field(default="", kw_only=True)
    help: str = field(default="", kw_only=True)
    choices: tuple[Value, ...] = field(default=(), kw_only=True)

    @property
    def whole(self) -> bool:
        """True if only whole numbers are meant."""
        return isinstance(self.default, int) and not isinstance(self.default, bool) and not self.choices

    def allowed(self) -> str:
        """Say in words what values are accepted."""
        if self.choices:
            return "one of " + ", ".join(str(choice) for choice in self.choices)
        kind = "a whole number" if self.whole else "a number"
        return f"{kind} from {self.low:.10g} to {self.high:.10g}"

    def check(self, value: object, where: str = "") -> Value:
        """Return the value in the knob's own type, or raise ValueError naming field, value and allowed range."""
        name = f"{where}.{self.name}" if where else self.name
        complaint = ValueError(f"{name} must be {self.allowed()}, got {value!r}")
        if self.choices:
            if not any(value == choice and type(value) is type(choice) for choice in self.choices):
                raise complaint
            return value  # type: ignore[return-value]
        # No isfinite: it raises OverflowError on a whole number of some hundred digits.
        if isinstance(value, bool) or not isinstance(value, int | float) or not -inf < value < inf:
            raise complaint
        low, high = self.low, self.high
        if (low is not None and value < low) or (high is not None and value > high):
            raise complaint
        if self.whole and value != int(value):
            raise complaint
        return int(value) if self.whole else float(value)


def check_knobs(knobs: tuple[Knob, ...], given: Mapping[str, object], where: str) -> dict[str, Value]:
    """Complete and check knob values: unknown names and bad values raise ValueError, missing ones take the default."""
    names = [knob.name for knob in knobs]
    for name in given:
        if name not in names:
            known = ", ".join(names) if names else "none"
            raise ValueError(f"{where} has no knob {name!r}; its knobs are: {known}")
    return {knob.name: knob.check(given.get(knob.name, knob.default), where) for knob in knobs}


@dataclass(frozen=True)
class Paper:
    """Where a formula comes from; status says what was read (paper, code) and what is second-hand."""

    authors: str
    year: int
    title: str
    arxiv: str = ""
    equation: str = ""
    status: str = "verified (paper)"


TARGETS = {
    "class": "logits (n, c), target (n,) whole numbers from 0 to c - 1",
    "binary": "logits (n,), target (n,) of 0 and 1",
    "multilabel": "logits (n, c), target (n, c) of 0 and 1, several of which may be 1",
    "real": "logits (n, bins), target (n,) real numbers",
    "preference": "log-probabilities (n, 2) of the better and the worse answer, target (n, 2) those of a reference",
}


@dataclass(frozen=True, eq=False)
class Counts:
    """How many positives and negatives each anchor of a batch has; the reference levels are functions of this."""

    positives: np.ndarray  # (n,) whole numbers
    negatives: np.ndarray  # (n,) whole numbers
    classes: int  # groups in the batch that are each other's negatives

    @property
    def best_negative(self) -> float:
        """Cosine between classes on a regular simplex: the lowest that all pairs of classes can have at once."""
        return -1.0 / (self.classes - 1) if self.classes > 1 else -1.0


@dataclass(frozen=True)
class Level:
    """A value at which a loss curve may sit, as a function of the batch's counts and the knobs; None: not defined.

    name: `chance` (all scores 0), `collapse` (all scores 1), `perfect` (positives at 1, negatives at
    `Counts.best_negative`) or `inactive` (no pair has a gradient). The first three are checked against the loss itself.
    """

    name: str
    value: Callable[[Counts, Knobs], float | None]
    sentence: str  # what it means when the curve sits here


@dataclass(frozen=True)
class LossSpec:
    """What a loss says of itself; everything declared here is checked on every loss by one shared test."""

    key: str
    name: str
    family: str  # softmax, pair, triplet, ranking, proxy, classification
    reads: str  # "scores", "embeddings" or "logits"
    paper: Paper
    knobs: tuple[Knob, ...] = ()
    levels: tuple[Level, ...] = ()
    formula: str = ""  # LaTeX
    when: str = ""  # one sentence on when to use it
    pitfall: str = ""
    convention: str = ""  # reduction and where libraries differ
    relations: tuple[str, ...] = ()  # each named by a test
    pulls_positives: bool = True  # False: some positives are pushed away, and a test shows it
    pushes_negatives: bool = True  # False: some negatives are attracted, and a test shows it
    rowwise: bool = True  # an anchor's term looks at its own row only
    graded: bool = False  # reads Scores.target, where there is one, instead of positives as 1 and the rest as 0
    one_tower: bool = False  # True: needs a batch scored against itself, not anchors against other candidates
    has_value: bool = True  # False: only the gradient means something
    target: str = "class"  # that goes with logits: a key of TARGETS
    fewest_classes: int = 2  # that a loss of class logits makes sense of
    also: str = ""  # what a loss of logits takes besides, by name and None if it is not there: "sample" or "z"
    cost: str = ""  # why a step takes many times the passes that a matrix of scores takes, for display
    detached: str = ""  # what backward holds constant, in words; empty: dL/ds is the derivative of the value


@dataclass(frozen=True)
class MethodSpec:
    """What a method says of itself: it changes what stands before a loss, and leaves the loss's formula alone."""

    key: str
    name: str
    paper: Paper
    place: str  # one of PLACES: what it changes; a run has at most one method at each place, worked in this order
    reads: tuple[str, ...]  # the kinds of loss it can stand before: "scores", "embeddings", "logits"
    knobs: tuple[Knob, ...] = ()
    formula: str = ""  # LaTeX
    when: str = ""  # one sentence on when to use it
    pitfall: str = ""
    convention: str = ""  # where papers, their code and this differ
    candidates: str = ""  # what anchors are compared with, or what happens to that, for display
    one_tower: bool = True  # False: not before a loss that needs a batch scored against itself
    towers: bool = False  # True: it can stand before the two ends of links, each with an encoder of its own
    known: bool = False  # True: it looks classes up, so it is measured on items of classes that are trained on


PLACES = ("candidates", "heads", "scores")


class TooLarge(ValueError):
    """A loss refuses a batch that would not fit in memory; the message names the batch and a remedy."""


@dataclass(frozen=True)
class DataSpec:
    """What a data set says of itself. shape is that of one item as the encoder sees it."""

    key: str
    name: str
    kind: str  # "image", "signal", "text" or "points"
    teaches: str
    source: str
    licence: str
    knobs: tuple[Knob, ...] = ()
    side: str = ""  # kind of an item's other side, one of those above; empty: items have one side
    labelled: bool = True  # False: no two items are of one class, so that pairs are two views of an item
    linked: bool = False  # True: items are links of a graph, see Source.ends


@dataclass(frozen=True)
class EncoderSpec:
    """What an encoder says of itself."""

    key: str
    name: str
    help: str
    knobs: tuple[Knob, ...] = ()
    kinds: tuple[str, ...] = ("image", "signal", "text", "points")  # kinds of data it can read


@dataclass(frozen=True)
class Context:
    """What a loss with parameters of its own needs to know: embedding size, training classes, training items."""

    dim: int
    classes: int
    samples: int
    span: tuple[float, float] | None = None  # least and greatest number to predict, where items have one
    labels: int = 0  # of which an item carries several; 0: items are of one class each
    answers: int = 0  # to choose from, where items come with a better and a worse one; 0: there are none
    carried: np.ndarray | None = field(default=None, compare=False)  # (samples, labels) of 0 and 1, as trained

    @property
    def offers(self) -> str:
        """The kind of target that items have beside their class: a key of TARGETS, "class" where there is none."""
        if self.answers:
            return "preference"
        return "real" if self.span is not None else "multilabel" if self.labels else "class"
