"""What the contract test hands to a loss of logits, by the target that its SPEC declares."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from models.geometry import Embeddings, Scores

Given = Callable[[Tensor], tuple[Tensor, Tensor]]  # from logits to what the loss is called with


def task(target: str, batch: Embeddings, classes: int) -> tuple[Scores, Given]:
    """Logits of a fixed random head with the masks of each row's own column, and how the loss is called with them.

    Targets are functions of an item's own row and label, so that they follow it when the batch is shuffled.
    """
    generator = torch.Generator().manual_seed(0)
    head = torch.randn(batch.z.shape[1], classes, generator=generator, dtype=torch.float64)
    return _TASKS[target](batch, batch.z @ head.to(batch.z.dtype))


def _scores(logits: Tensor, own: Tensor) -> Scores:
    return Scores(logits, own.bool(), ~own.bool())


def _class(batch: Embeddings, logits: Tensor) -> tuple[Scores, Given]:
    return _scores(logits, one_hot(batch.y, logits.shape[1])), lambda s: (s, batch.y)


def _binary(batch: Embeddings, logits: Tensor) -> tuple[Scores, Given]:
    """Two columns, of which the loss is given the difference, as a run on two classes does."""
    y = batch.y % 2
    return _scores(logits[:, :2], one_hot(y, 2)), lambda s: (s[:, 1] - s[:, 0], y)


def _multilabel(batch: Embeddings, logits: Tensor) -> tuple[Scores, Given]:
    """An item of label y has y % 3 + 1 of every four columns."""
    own = (torch.arange(logits.shape[1]) + batch.y[:, None]) % 4 <= batch.y[:, None] % 3
    return _scores(logits, own), lambda s: (s, own.to(s.dtype))


def _real(batch: Embeddings, logits: Tensor) -> tuple[Scores, Given]:
    """Numbers from -9 to 9, most of them between two locations; the own column is that of the nearest of [-10, 10]."""
    value = (3.3 * batch.y - 6.4 + batch.z.detach()[:, 0].tanh()).clamp(-9.0, 9.0).to(logits.dtype)
    places = torch.linspace(-10.0, 10.0, logits.shape[1], dtype=logits.dtype)
    nearest = (places - value[:, None]).abs().argmin(dim=1)
    return _scores(logits, one_hot(nearest, logits.shape[1])), lambda s: (s, value)


def _preference(batch: Embeddings, logits: Tensor) -> tuple[Scores, Given]:
    """Scores are log-ratios of policy to reference, so that at chance the two agree; the first answer is the better."""
    reference = logits[:, 2:4].detach()
    own = torch.tensor([True, False]).expand(len(logits), 2)
    return _scores(logits[:, :2], own), lambda s: (s + reference, reference)


_TASKS = {"class": _class, "binary": _binary, "multilabel": _multilabel, "real": _real, "preference": _preference}


def value_and_slope(
    function: Callable[..., Tensor], logits: Tensor, *rest: Tensor, **knobs: object
) -> tuple[float, Tensor]:
    """Value of a loss and its gradient at the first thing it is given."""
    leaf = logits.detach().clone().requires_grad_()
    value = function(leaf, *rest, **knobs)
    (slope,) = torch.autograd.grad(value, leaf)
    return value.item(), slope


def logits_of(rows: int, columns: int, *, seed: int = 0, spread: float = 2.0) -> Tensor:
    """Gaussian logits, float64."""
    generator = torch.Generator().manual_seed(seed)
    return spread * torch.randn(rows, columns, generator=generator, dtype=torch.float64)


def stored_logits(numbers: dict[str, Any], target: str = "labels") -> tuple[Tensor, Tensor]:
    """Logits and targets of a stored oracle."""
    return torch.tensor(numbers["inputs"]["logits"], dtype=torch.float64), torch.tensor(numbers["inputs"][target])
