"""Forks: what a config says of a lane that leaves another one, and the tree that the lanes of a board form."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from models.engine.board import LaneState
from models.engine.history import before
from models.engine.lane import Packed
from models.spec import Value
from models.training.config import FORK, LOSS, Event, RunConfig


@dataclass(frozen=True)
class Change:
    """What a fork does otherwise from its step on; with nothing here it repeats its parent."""

    loss: str | None = None  # key
    knobs: Mapping[str, Value] | None = None  # of the loss by name, of the optimiser as `optimiser.weight_decay`
    rate: float | None = None  # learning rate


@dataclass(frozen=True)
class Branch:
    """A lane that left another one."""

    index: int  # of the lane
    name: str  # such as A2
    step: int
    parent: int | None  # index of the lane it left; None once that has gone


def forked(lane: LaneState, lanes: Sequence[LaneState], step: int, change: Change) -> RunConfig:
    """The lane's config with its events up to a step, and then the change; raises ValueError on a bad one."""
    if isinstance(step, bool) or not isinstance(step, int) or step < 0:
        raise ValueError(f"the step of a fork must be a whole number from 0, got {step!r}")
    parent = lane.config
    kept = tuple(event for event in parent.events if event.step <= step and (event.step, event.knob) != (step, FORK))
    if change.loss is not None:  # knobs set at this very step belong to the loss that goes
        kept = tuple(event for event in kept if event.step < step or not event.knob.startswith("loss"))
    events = [Event(step, FORK, _name(lane, lanes))]
    events += [] if change.loss is None else [Event(step, LOSS, change.loss)]
    events += [Event(step, _path(name), value) for name, value in (change.knobs or {}).items()]
    events += [] if change.rate is None else [Event(step, "optimiser.rate", change.rate)]
    return replace(parent, events=(*kept, *events))


def _path(name: str) -> str:
    """Knobs of a mixture have a dot in their names too: only the optimiser's are told by what stands before it."""
    return name if name.startswith("optimiser.") else f"loss.{name}"


def state_before(
    recent: Iterable[Packed], saved: Sequence[int], step: int, on_disk: Callable[[int], Packed | None] | None
) -> Packed | None:
    """The last state of a lane that is kept and not later than a step; None: start from step 0.

    recent: states in memory; saved: steps of those on disk, which on_disk reads, None where they cannot be read.
    """
    at_hand = max((packed for packed in recent if packed.step <= step), key=lambda packed: packed.step, default=None)
    older = before(saved, step)
    if older is None or on_disk is None or (at_hand is not None and at_hand.step >= older):
        return at_hand
    return on_disk(older) or at_hand


def branch(config: RunConfig) -> Event | None:
    """Where a lane last left another; None if it never did."""
    return max((e for e in config.events if e.knob == FORK), key=lambda event: event.step, default=None)


def tree(configs: Sequence[RunConfig]) -> tuple[Branch, ...]:
    """The forks among lanes in the order in which they were made; a parent stands before its forks."""
    found = []
    for index, config in enumerate(configs):
        left = branch(config)
        if left is not None:
            past = config.until(left.step)
            same = [k for k in range(index) if configs[k].until(left.step) == past]
            found.append(Branch(index, str(left.value), left.step, same[0] if same else None))
    return tuple(found)


def _name(parent: LaneState, lanes: Sequence[LaneState]) -> str:
    """The family's letter, and the next number in it from 2 on."""
    forks = [left for other in lanes if (left := branch(other.config)) is not None]
    own = branch(parent.config)
    letter = str(own.value)[0] if own else chr(ord("A") + [lane.id for lane in lanes].index(parent.id))
    taken = [int(str(left.value)[1:] or 1) for left in forks if str(left.value)[0] == letter]
    return f"{letter}{max([1, *taken]) + 1}"
