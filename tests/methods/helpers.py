"""What the tests of the methods share: a chain of methods over rows that are their own items, and small runs."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models.catalogue import discover
from models.geometry import Embeddings, score
from models.method_common import Hooks, Pool, Step
from models.objective import Objective
from models.spec import Context
from models.training.chain import Chain
from models.training.config import Part, RunConfig
from tests.training.helpers import part

METHODS = discover("methods")
LOSS = {"scores": "infonce", "embeddings": "arcface", "logits": "cross_entropy"}
CLASSES = 12  # more than any batch here holds


def loss_for(key: str) -> str:
    """A loss that the method can stand before."""
    return LOSS[METHODS[key].SPEC.reads[0]]


def settings(key: str) -> list[dict[str, Any]]:
    """Defaults, then every knob at each end or choice."""
    knobs = METHODS[key].SPEC.knobs
    return [{}] + [{knob.name: value} for knob in knobs for value in (knob.choices or (knob.low, knob.high))]


def made(key: str, dim: int, seed: int = 0, **knobs: Any) -> Hooks:
    """One method in float64, with parameters from this seed."""
    torch.manual_seed(seed)
    method: Hooks = METHODS[key].Method(Context(dim, CLASSES, 100), **knobs)
    return method.double()


def moment(
    x: Tensor, encoder: nn.Module | None = None, *, number: int = 0, training: bool = True, seed: int = 0
) -> Step:
    """A step whose encoder leaves items as they are."""
    return Step(number, x, encoder or nn.Identity(), None, np.random.default_rng(seed), training)


def plain(batch: Embeddings) -> Pool:
    """A batch against itself."""
    return Pool(batch, None, score(batch))


class Bench:
    """A chain of one method between a linear encoder and a loss, on batches whose rows are the items."""

    def __init__(self, key: str, dim: int, dtype: torch.dtype = torch.float64, **knobs: Any) -> None:
        torch.manual_seed(0)
        config = RunConfig(loss=Part(loss_for(key)), methods=(part(key, **knobs),))
        self.encoder = nn.Linear(dim, dim)
        self.objective = Objective(config.loss, Context(dim, CLASSES, 100))
        self.chain = Chain(config, self.encoder, self.objective)
        self.modules = nn.ModuleList([self.encoder, self.objective, self.chain]).to(dtype)
        self.number = 0

    def step(self, batch: Embeddings) -> tuple[Tensor, list[Tensor]]:
        """Loss and gradients of one training step, whose weights then move a little."""
        for parameter in self.modules.parameters():
            parameter.grad = None
        z = self.encoder(batch.z)
        value = self.chain.loss(Embeddings(z, batch.y, batch.instance), batch.z, self.number)
        value.backward()  # type: ignore[no-untyped-call]
        gradients = [p.grad for p in self.modules.parameters() if p.grad is not None]
        with torch.no_grad():
            for parameter in self.modules.parameters():
                if parameter.grad is not None:
                    parameter -= 0.01 * parameter.grad
        self.chain.after()
        self.number += 1
        return value.detach(), gradients
