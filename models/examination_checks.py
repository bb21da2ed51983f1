"""What is checked of an own loss before it joins: each check is a function of the loss and says what to mend."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from models.custom import Own
from models.geometry import Embeddings, Scores, score
from models.losses import infonce
from models.sensitivity import pair_weights
from models.spec import Knob, Value

SLIP = 1e-6  # half the step of a numerical gradient
AGREE, SAME = 1e-4, 1e-9  # largest relative error of a gradient; largest relative change by shuffling (float64)
COST_ROWS, COST_TIMES, COST_MOST = 256, 5, 50.0  # batch, repeats, and times as long as infonce that is still bearable


@dataclass(frozen=True)
class Found:
    """What one check found; mend counts only where it failed."""

    passed: bool
    number: float | None
    unit: str
    mend: str


@dataclass(frozen=True)
class Case:
    """The loss under examination."""

    own: Own

    def value(self, scores: Scores, knobs: Mapping[str, Value] | None = None) -> Tensor:
        """What it returns."""
        found: Tensor = self.own.loss(scores, **(self.defaults if knobs is None else knobs))
        return found

    @property
    def defaults(self) -> dict[str, Value]:
        """Every knob at its default."""
        return {knob.name: knob.default for knob in self.own.SPEC.knobs}

    def settings(self) -> list[dict[str, Value]]:
        """The defaults, then each knob at each end of its range."""
        ends = [{**self.defaults, knob.name: value} for knob in self.own.SPEC.knobs for value in _ends(knob)]
        return [self.defaults, *ends]


def _ends(knob: Knob) -> tuple[Value, ...]:
    if knob.choices:
        return knob.choices
    return tuple(knob.check(end) for end in (knob.low, knob.high))


def batch(rows: int = 8, dtype: torch.dtype = torch.float64) -> Scores:
    """Random embeddings of two classes, the same at every call, scored against themselves."""
    draw = torch.Generator().manual_seed(0)
    z = torch.randn(rows, 6, generator=draw, dtype=dtype)
    return score(Embeddings(z, torch.arange(rows) % 2))


def number(case: Case) -> Found:
    """It returns one finite number."""
    for knobs in case.settings():
        value: object = case.own.loss(batch(dtype=torch.float32), **knobs)
        if not isinstance(value, Tensor):
            return Found(False, None, "", f"It returned {type(value).__name__}; a tensor with one number is needed.")
        if value.shape != ():
            shape = tuple(value.shape)
            return Found(False, None, "", f"It returned shape {shape}; one number is needed: add .mean().")
    plain = case.value(batch(dtype=torch.float32))
    return Found(bool(torch.isfinite(plain)), float(plain), "loss", "It is not finite on an ordinary batch.")


def gradient(case: Case) -> Found:
    """Its number hangs together with the scores."""
    scores = batch()
    s = scores.s.clone().requires_grad_()
    value = case.value(replace(scores, s=s))
    mend = "No gradient reaches the scores: something is detached, rounded or compared on the way."
    if not value.requires_grad:
        return Found(False, 0.0, "size of the gradient", mend)
    size = float(pair_weights(case.value, scores).norm())
    return Found(size > 0, size, "size of the gradient", mend)


def extremes(case: Case) -> Found:
    """Value and gradient are finite with every knob at its ends, on scores at theirs."""
    plain = batch(dtype=torch.float32)
    signs = torch.where(plain.s > 0, 1.0, -1.0)
    kinds = {
        "all scores 1": torch.ones_like(plain.s),
        "all scores 0": torch.zeros_like(plain.s),
        "all scores -1": -torch.ones_like(plain.s),
        "a perfect embedding": torch.where(plain.pos, 1.0, -1.0),
        "an embedding turned inside out": torch.where(plain.pos, -1.0, 1.0),
        "scores of 1 and -1 at random": signs,
    }
    tried, bad = 0, []
    for knobs in case.settings():
        for words, s in kinds.items():
            tried += 1
            if not _sound(case, replace(plain, s=s), knobs):
                bad.append(f"{words} with {', '.join(f'{k} = {v}' for k, v in knobs.items()) or 'no knobs'}")
    first = bad[0] if bad else ""
    mend = f"Value or gradient is not finite at {first}. Use logsumexp, softplus or logaddexp instead of log(exp())."
    return Found(not bad, float(len(bad)), f"of {tried} cases not finite", mend)


def _sound(case: Case, scores: Scores, knobs: Mapping[str, Value] | None = None) -> bool:
    """True if value and gradient are finite."""
    value = case.value(scores, knobs)
    weights = pair_weights(lambda given: case.value(given, knobs), scores)
    return bool(torch.isfinite(value)) and bool(torch.isfinite(weights).all())


def numerical(case: Case) -> Found:
    """Autograd against central differences in float64, score by score."""
    scores = batch(6)
    exact, rough = pair_weights(case.value, scores), torch.zeros_like(scores.s)
    for place in range(scores.s.numel()):
        step = torch.zeros(scores.s.numel(), dtype=scores.s.dtype)
        step[place] = SLIP
        step = step.reshape(scores.s.shape)
        up, down = (case.value(replace(scores, s=scores.s + way * step)) for way in (1, -1))
        rough.view(-1)[place] = (up - down).detach() / (2 * SLIP)
    error = float((exact - rough).abs().max() / rough.abs().max().clamp(min=SLIP))
    held = case.own.SPEC.detached
    mend = (
        f"The gradient differs from the numerical one by {error:.2g} of its size: look for .detach(), .item(), "
        'round or a float32 inside. If it is meant, write DETACHED = "what is held constant" above the function.'
    )
    return Found(error <= AGREE or bool(held), error, "relative error", mend)


def shuffled(case: Case) -> Found:
    """The order of the items in a batch does not matter."""
    scores, order = batch(), torch.randperm(8, generator=torch.Generator().manual_seed(1))
    mixed = Scores(*(part[order][:, order] for part in (scores.s, scores.pos, scores.neg)))
    value, other = float(case.value(scores)), float(case.value(mixed))
    change = abs(value - other) / max(abs(value), SLIP)
    mend = "The loss changes when the items of a batch change places: use the masks, not positions."
    return Found(change <= SAME, change, "relative change", mend)


def repeated(case: Case) -> Found:
    """Two calls give one value, and what was given is as before."""
    scores = batch()
    before = [part.clone() for part in (scores.s, scores.pos, scores.neg)]
    first, second = (float(case.value(scores)) for _ in range(2))
    same = all(torch.equal(*pair) for pair in zip(before, (scores.s, scores.pos, scores.neg), strict=True))
    mend = "Two calls differ: a run could not be repeated. Leave out random numbers and memory between calls."
    if not same:
        mend = "It changes its inputs: leave out operations in place (those whose name ends in _)."
    return Found(same and first == second, abs(first - second), "difference of two calls", mend)


def no_positives(case: Case) -> Found:
    """A batch without any positive pair."""
    scores = batch(dtype=torch.float32)
    return _empty(case, replace(scores, pos=torch.zeros_like(scores.pos)), "positive pair")


def no_negatives(case: Case) -> Found:
    """A batch without any negative pair."""
    scores = batch(dtype=torch.float32)
    return _empty(case, replace(scores, neg=torch.zeros_like(scores.neg)), "negative pair")


def one_item(case: Case) -> Found:
    """A batch of one item, which has no pair at all."""
    return _empty(case, batch(1, torch.float32), "pair")


def _empty(case: Case, scores: Scores, what: str) -> Found:
    mend = f"Value or gradient is not finite without a {what}: divide by .clamp(min=1), not by a count that can be 0."
    return Found(_sound(case, scores), float(case.value(scores)), "loss", mend)


def candidates(case: Case) -> Found:
    """More candidates than anchors, as in runs with two views or a queue."""
    if case.own.SPEC.one_tower:
        return Found(True, None, "declared: a batch against itself only", "")
    whole = batch(dtype=torch.float32)
    part = Scores(whole.s[:3], whole.pos[:3], whole.neg[:3])
    mend = "It needs as many candidates as anchors. If that is meant, write ONE_TOWER = True above the function."
    try:
        sound = _sound(case, part) and case.value(part).shape == ()
    except (RuntimeError, IndexError, ValueError):
        return Found(False, None, "", mend)
    return Found(sound, float(case.value(part)), "loss", mend)


def cost(case: Case, clock: Callable[[], float] = time.perf_counter) -> Found:
    """Value and gradient of a batch of 256, in units of infonce's."""
    scores = batch(COST_ROWS, torch.float32)
    ours, theirs = (_seconds(function, scores, clock) for function in (case.value, infonce.loss))
    times = ours / max(theirs, 1e-9)
    mend = f"A step would take {times:.0f} times as long as with infonce: replace loops over items by whole tensors."
    return Found(times <= COST_MOST, times, "times infonce", mend)


def _seconds(function: Callable[[Scores], Tensor], scores: Scores, clock: Callable[[], float]) -> float:
    """The shortest of some repeats, which a busy machine spoils least."""
    taken = []
    for _ in range(COST_TIMES):
        began = clock()
        pair_weights(function, scores)
        taken.append(clock() - began)
    return min(taken)


CHECKS: dict[str, Callable[[Case], Found]] = {
    "number": number,
    "gradient": gradient,
    "extremes": extremes,
    "numerical": numerical,
    "shuffled": shuffled,
    "repeated": repeated,
    "no_positives": no_positives,
    "no_negatives": no_negatives,
    "one_item": one_item,
    "candidates": candidates,
    "cost": cost,
}
