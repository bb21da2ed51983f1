"""A weighted sum of losses as one loss: `mix:infonce+triplet`, with the knobs of each term and its weight.

The terms must read the same thing and go with the same target. Knobs are named after their term: `infonce.temperature`,
`infonce.weight`; the second term of one key is `infonce_2`, and a loss of the user's own goes by the name it was given.
A mixture has no place of its own in a RunConfig: it is a loss like any other, made from its key, so configs without one
are what they were.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

from torch import Tensor, nn

from models.catalogue import find
from models.own_source import MIX, is_own, plain_name
from models.spec import Context, Counts, Knob, Knobs, Level, LossSpec, Paper, Value

MOST_TERMS = 6
WEIGHT = "weight"
_SENTENCES = {
    "chance": "no term tells positives from negatives yet",
    "collapse": "every term is at its value under collapse",
    "perfect": "every term is at its value for classes on a simplex",
    "inactive": "no term moves anything any more",
}


@dataclass(frozen=True)
class Term:
    """One loss of a mixture; label: its key, numbered where a key comes again."""

    label: str
    module: Any

    @property
    def spec(self) -> LossSpec:
        """What the loss says of itself."""
        spec: LossSpec = self.module.SPEC
        return spec

    def own(self, knobs: Knobs) -> dict[str, Value]:
        """The knobs of this term among those of the mixture, under their own names, the weight left out."""
        return {knob.name: knobs[f"{self.label}.{knob.name}"] for knob in self.spec.knobs}

    def weight(self, knobs: Knobs) -> float:
        """By how much this term counts."""
        return float(knobs[f"{self.label}.{WEIGHT}"])


def mixture(key: str) -> SimpleNamespace:
    """The mixture of a key as an object that looks like a loss module; raises ValueError if its terms do not fit."""
    # What a process knows of own losses, and whether it may run them, is not settled for ever.
    return _mixture(key) if is_own(key) else _known(key)


@lru_cache
def _known(key: str) -> SimpleNamespace:
    return _mixture(key)


def _mixture(key: str) -> SimpleNamespace:
    terms = _terms(key)
    spec = _spec(key, terms)

    def build(context: Context, **knobs: Value) -> Mixture:
        return Mixture(terms, context, {**{knob.name: knob.default for knob in spec.knobs}, **knobs})

    return SimpleNamespace(SPEC=spec, Loss=build, TERMS=terms, __name__=key)


class Mixture(nn.Module):
    """The terms and their weights. A knob is set as an attribute by its dotted name; weight 0 leaves a term out."""

    def __init__(self, terms: Sequence[Term], context: Context, knobs: dict[str, Value]) -> None:
        super().__init__()
        self._terms, self._knobs, self._alone = tuple(terms), dict(knobs), ""
        # Those with parameters of their own; in order, so that a first term starts as it would alone.
        built = {t.label: t.module.Loss(context, **t.own(knobs)) for t in terms if hasattr(t.module, "Loss")}
        self.held = nn.ModuleDict(built)

    def __setattr__(self, name: str, value: Any) -> None:
        """Attributes with a dot are knobs, and reach the term they belong to."""
        label, dot, knob = name.rpartition(".")
        if not dot:
            super().__setattr__(name, value)
            return
        if name not in self._knobs:
            raise AttributeError(f"no knob {name!r}; knobs: {', '.join(self._knobs)}")
        self._knobs[name] = value
        if label in self.held and knob != WEIGHT:
            setattr(self.held[label], knob, value)

    def weights(self) -> dict[str, float]:
        """Weight of each term now, by label."""
        return {term.label: term.weight(self._knobs) for term in self._terms}

    @contextmanager
    def only(self, label: str) -> Iterator[None]:
        """Within it the mixture is this term alone, times its weight."""
        self._alone = label
        try:
            yield
        finally:
            self._alone = ""

    def forward(self, *what: Any, **besides: Any) -> Tensor:
        """Sum over terms of weight times loss; a term of weight 0 is not worked out, unless there is no other."""
        asked = [term for term in self._terms if self._alone in ("", term.label)]
        counting = [term for term in asked if term.weight(self._knobs)] or asked
        values = [self._term(term, *what, **besides) for term in counting]
        return sum(values[1:], values[0])

    def _term(self, term: Term, *what: Any, **besides: Any) -> Tensor:
        """Weight times loss of one term."""
        taken = {name: value for name, value in besides.items() if name == term.spec.also}
        if term.label in self.held:
            value: Tensor = self.held[term.label](*what, **taken)
        else:
            value = term.module.loss(*what, **taken, **term.own(self._knobs))
        return term.weight(self._knobs) * value


def _terms(key: str) -> tuple[Term, ...]:
    keys = key.removeprefix(MIX).split("+")
    if not 2 <= len(keys) <= MOST_TERMS or not all(keys):
        raise ValueError(f"a mixture is {MIX}KEY+KEY, of 2 to {MOST_TERMS} losses, got {key!r}")
    nested = [inner for inner in keys if inner.startswith(MIX)]
    if nested:
        raise ValueError(f"a mixture holds no other mixture: write its losses out, got {key!r}")
    called = [plain_name(inner) for inner in keys]
    numbered = [
        name if called[:at].count(name) == 0 else f"{name}_{called[: at + 1].count(name)}"
        for at, name in enumerate(called)
    ]
    terms = tuple(Term(label, find("losses", inner)) for label, inner in zip(numbered, keys, strict=True))
    hiding = [term.label for term in terms if WEIGHT in (knob.name for knob in term.spec.knobs)]
    if hiding:
        raise ValueError(f"{key}: {hiding[0]} has a knob called {WEIGHT}, as every term of a mixture has: rename it")
    for field, says in (("reads", "reads"), ("target", "goes with the target")):
        first, *others = ((term.label, getattr(term.spec, field)) for term in terms)
        for label, found in others:
            if found != first[1]:
                raise ValueError(
                    f"{key}: {first[0]} {says} {first[1]}, but {label} {says} {found}; they cannot be added"
                )
    if len({term.spec.also for term in terms if term.spec.also}) > 1:
        raise ValueError(f"{key}: its losses take different things besides the logits; they cannot be added")
    return terms


def _spec(key: str, terms: Sequence[Term]) -> LossSpec:
    """What can be said of a sum from what its terms say."""
    specs = [term.spec for term in terms]
    names = " + ".join(spec.name for spec in specs)
    return replace(
        specs[0],
        key=key,
        name=names,
        paper=Paper("", 0, names, status="a weighted sum of losses"),
        knobs=tuple(knob for term in terms for knob in _knobs(term)),
        levels=_levels(terms) if specs[0].reads != "embeddings" else (),
        formula=" + ".join(rf"w_{{{number}}}\,L_{{{number}}}" for number in range(1, len(terms) + 1)),
        when="One loss does what another leaves undone.",
        pitfall="Values of different losses have different units: compare the lengths of their gradients, not weights.",
        convention="Sum over terms of weight times loss, each reduced as it is alone; a term of weight 0 is left out.",
        relations=(),
        pulls_positives=all(spec.pulls_positives for spec in specs),
        pushes_negatives=all(spec.pushes_negatives for spec in specs),
        rowwise=all(spec.rowwise for spec in specs),
        graded=any(spec.graded for spec in specs),
        one_tower=any(spec.one_tower for spec in specs),
        has_value=all(spec.has_value for spec in specs),
        fewest_classes=max(spec.fewest_classes for spec in specs),
        also=next((spec.also for spec in specs if spec.also), ""),
        detached="; ".join(f"{term.label}: {term.spec.detached}" for term in terms if term.spec.detached),
    )


def _knobs(term: Term) -> tuple[Knob, ...]:
    named = tuple(replace(knob, name=f"{term.label}.{knob.name}") for knob in term.spec.knobs)
    weight = Knob(
        f"{term.label}.{WEIGHT}", 1.0, 0.0, 100.0, help=f"By how much {term.spec.name} counts; 0: not at all."
    )
    return (*named, weight)


def _levels(terms: Sequence[Term]) -> tuple[Level, ...]:
    """Levels that every term has: the scores that define them are the same for all."""
    shared = [name for name in _SENTENCES if all(_level(term, name) is not None for term in terms)]
    return tuple(Level(name, _Sum(tuple(terms), name), _SENTENCES[name]) for name in shared)


def _level(term: Term, name: str) -> Level | None:
    return next((level for level in term.spec.levels if level.name == name), None)


@dataclass(frozen=True)
class _Sum:
    """A reference level of a mixture: None if one of the terms that count has none at these counts."""

    terms: tuple[Term, ...]
    name: str

    def __call__(self, counts: Counts, knobs: Knobs) -> float | None:
        total = 0.0
        for term in self.terms:
            level, weight = _level(term, self.name), term.weight(knobs)
            value = level.value(counts, term.own(knobs)) if level is not None and weight else 0.0
            if value is None:
                return None
            total += weight * value
        return total
