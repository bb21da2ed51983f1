"""A loss beside its counterpart in pytorch-metric-learning or torch: value, gradient, and what makes them one.

The library is called twice: as it comes, with our knobs in its names, and with the arguments, factor and offset under
which it computes our loss, `ours = factor * theirs + offset`. Whether it does on this batch is measured, not assumed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from models.catalogue import find
from models.counterparts import Call, Case, Counterpart, counterpart
from models.geometry import Embeddings
from models.objective import Objective, refusal
from models.spec import Context, Value, check_knobs
from models.training.config import Part

TOLERANCE = 1e-6  # relative to the larger of 1 and our own number


@dataclass(frozen=True)
class CrossCheck:
    """Ours against a library's on one batch, in float64. theirs: as the library comes; converted: by the convention."""

    key: str
    library: str  # full name of the counterpart as it comes
    ours: float
    theirs: float
    gradient_cosine: float  # of ours with theirs, at the embeddings; nan where one of the two is 0
    gradient_ratio: float  # length of ours over that of theirs; nan where theirs is 0
    convention: str  # what explains a difference, in words
    call: str  # what is called to agree, with its arguments
    factor: float
    offset: float
    converted: float  # factor * (value of that call) + offset
    gradient_error: float  # largest difference of a component from factor * (gradient of that call)
    agrees: bool  # converted value and gradient are ours within TOLERANCE


def cross_check(key: str, embeddings: Embeddings, knobs: Mapping[str, Value] | None = None) -> CrossCheck | None:
    """Both sides on this batch; None if no library has the loss, or not at these knobs.

    Losses with parameters of their own share them, drawn from a fixed seed; so do losses of logits their head. Raises
    ValueError on an unknown key or knob, and if the loss cannot be read from items with one label each.
    """
    spec = find("losses", key).SPEC
    checked = check_knobs(spec.knobs, knobs or {}, f"loss {key}")
    other = counterpart(key, checked)
    if other is None:
        return None
    batch = replace(embeddings, z=embeddings.z.detach().double())
    classes = int(batch.y.max()) + 1
    reason = refusal(spec, classes)
    if reason:
        raise ValueError(reason)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        objective = Objective(Part(key, tuple(checked.items())), Context(batch.z.shape[1], classes, len(batch.y)))
    case = Case(batch, checked, objective.double())
    ours = _measured(lambda moved: moved.objective(moved.batch), case)
    plain = _measured(other.plain, case)
    same = plain if other.same is None else _measured(other.same, case)
    return _compared(case, key, other, (ours, plain, same))


def sample_batch() -> Embeddings:
    """The batch of the command line: 24 items around 4 centres in 8 dimensions, some of them hard."""
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(24) % 4
    centre = torch.randn(4, 8, generator=generator, dtype=torch.float64)
    return Embeddings(centre[y] + torch.randn(24, 8, generator=generator, dtype=torch.float64), y)


_Measured = tuple[float, Tensor]  # value, gradient at the embeddings


def _measured(function: Call, case: Case) -> _Measured:
    z = case.batch.z.clone().requires_grad_()
    value = function(replace(case, batch=replace(case.batch, z=z))).sum()
    if not value.requires_grad:
        return value.item(), torch.zeros_like(z)
    (gradient,) = torch.autograd.grad(value, z, allow_unused=True)
    return value.item(), torch.zeros_like(z) if gradient is None else gradient


def _compared(case: Case, key: str, other: Counterpart, measured: tuple[_Measured, _Measured, _Measured]) -> CrossCheck:
    (value, slope), (theirs, their_slope), (same, same_slope) = measured
    factor, offset = other.rescale(case)
    converted = factor * same + offset
    error = float((slope - factor * same_slope).abs().max())
    lengths = float(slope.norm()), float(their_slope.norm())
    dot = float((slope * their_slope).sum())
    near = abs(converted - value) <= TOLERANCE * max(1.0, abs(value))
    return CrossCheck(
        key=key,
        library=other.library,
        ours=value,
        theirs=theirs,
        gradient_cosine=dot / (lengths[0] * lengths[1]) if all(lengths) else float("nan"),
        gradient_ratio=lengths[0] / lengths[1] if lengths[1] else float("nan"),
        convention=other.convention,
        call=other.call or other.library,
        factor=factor,
        offset=offset,
        converted=converted,
        gradient_error=error,
        agrees=near and error <= TOLERANCE * max(1.0, float(slope.abs().max())),
    )
