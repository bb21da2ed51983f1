"""Another loss for a run that is under way: what is built anew, and what the optimiser keeps."""

import torch

from models.objective import Objective
from models.spec import Context, Value
from models.training.build import LOSS_INIT, seed_of
from models.training.config import LOSS, MASK, Part, RunConfig, part_knobs


def build_objective(part: Part, context: Context, seed: int) -> Objective:
    """The loss with initial parameters that depend on the seed alone; knobs left out take their defaults.

    Raises ValueError if the data have not what the loss needs.
    """
    defaults = {knob.name: knob.default for knob in part_knobs("loss", part.key)}
    complete = Part(part.key, tuple({**defaults, **part.values}.items()))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of(seed, LOSS_INIT))
        return Objective(complete, context)


def check_turns(config: RunConfig, context: Context) -> None:
    """Raise ValueError if the data refuse a loss that the run will turn to: better before than in the middle."""
    for event in config.events:
        if event.knob == LOSS:
            build_objective(Part(str(event.value)), context, config.seed)


def in_force(config: RunConfig, step: int) -> dict[str, Value]:
    """The value of every knob, and the mask, at a step."""
    now: dict[str, Value] = {MASK: "", **{f"optimiser.{name}": value for name, value in config.optimiser.knobs}}
    now |= {event.knob: event.value for event in config.events if event.step <= step and event.knob in now}
    return now | {f"loss.{name}": value for name, value in config.loss_at(step).knobs}


def carried_over(old: torch.optim.Optimizer, new: torch.optim.Optimizer) -> torch.optim.Optimizer:
    """The new optimiser with the old one's rate and the like, and its memory of every parameter that both train."""
    for before, after in zip(old.param_groups, new.param_groups, strict=True):
        after.update({name: value for name, value in before.items() if name != "params"})
        for parameter in after["params"]:
            if parameter in old.state:
                new.state[parameter] = old.state[parameter]
    return new
