"""The parts a run is made of: device, encoder, optimiser, batches."""

from collections.abc import Iterable
from functools import lru_cache
from hashlib import sha256

import numpy as np
import torch
from torch import Tensor, nn

from models.catalogue import find
from models.geometry import Embeddings, masks
from models.spec import Counts, Value
from models.training.config import Part, RunConfig
from models.training.dataset import Dataset
from models.training.sampling import epoch_plan
from models.training.towers import Towers

INIT, LOSS_INIT, VIEWS, PROBE_VIEWS = 1, 2, 3, 4  # streams of the seed, one for each purpose


def device() -> torch.device:
    """The GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def seed_of(seed: int, stream: int) -> int:
    """A seed of its own for one purpose of one run.

    torch's generator on the CPU looks at the low 32 bits only; in those, two seeds always differ here.
    """
    return (seed * 1_000_003 + stream) % (1 << 63)


def step_generator(seed: int, stream: int, step: int) -> torch.Generator:
    """A generator for one step of one run, as if drawn afresh: nothing is remembered between steps."""
    mixed = np.random.SeedSequence([seed, stream, step]).generate_state(1)
    return torch.Generator().manual_seed(int(mixed[0]))


def build_encoder(config: RunConfig, data: Dataset) -> nn.Module:
    """The encoder with initial weights that depend on seed and encoder alone; ValueError if it cannot read the data."""
    module = find("encoders", config.encoder.key)
    kinds = (data.spec.kind, data.spec.side) if config.pairing == "towers" else (data.spec.kind,)
    for kind in kinds:
        if kind not in module.SPEC.kinds:
            raise ValueError(
                f"encoder {config.encoder.key} reads {', '.join(module.SPEC.kinds)}, "
                f"but {config.data.key} is {kind}; choose the MLP"
            )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of(config.seed, INIT))
        encoder: nn.Module = module.build(data.shape, **config.encoder.values)
        if config.pairing == "towers":
            encoder = Towers(encoder, module.build(data.side_shape, **config.encoder.values))
    return encoder


def build_optimiser(part: Part, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    """The fused kernel does the same sums in one call."""
    kinds = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}
    options = {OPTION.get(name, name): value for name, value in part.knobs}
    optimiser: torch.optim.Optimizer = kinds[part.key](parameters, fused=True, **options)
    return optimiser


OPTION = {"rate": "lr"}  # our knob's name -> torch's


class Plan:
    """Positions of the batch of any step, an epoch drawn at a time."""

    def __init__(self, y: np.ndarray, sampler: Part, seed: int) -> None:
        self._draw = lru_cache(maxsize=2)(lambda epoch: torch.from_numpy(epoch_plan(y, sampler, seed, epoch)))
        self._steps = len(self.epoch(0))

    def epoch(self, epoch: int) -> Tensor:
        """Positions of a whole epoch, (steps, batch)."""
        chosen: Tensor = self._draw(epoch)
        return chosen

    def at(self, step: int) -> Tensor:
        """Positions of one step, (batch,)."""
        epoch, row = divmod(step, self._steps)
        return self.epoch(epoch)[row]


def batch_counts(y: Tensor, pairing: str) -> Counts:
    """How many positives and negatives each anchor has in a batch with these labels; for towers, these pairs.

    Or (n, n) as `Links.standing` tells it, where pairs are links.
    """
    y = y.cpu()
    if y.ndim == 2:
        return Counts((y == 1).sum(1).numpy(), (y == 0).sum(1).numpy(), len(y))
    if pairing == "towers":
        same = y[:, None] == y[None, :]
        return Counts(same.sum(1).numpy(), (~same).sum(1).numpy(), len(set(y.tolist())))
    if pairing == "views":
        instance = torch.arange(len(y)).repeat(2)
        held, groups = Embeddings(torch.empty(2 * len(y), 0), y.repeat(2), instance), instance
    else:
        held, groups = Embeddings(torch.empty(len(y), 0), y), y
    pos, neg = masks(held)
    return Counts(pos.sum(1).numpy(), neg.sum(1).numpy(), len(set(groups.tolist())))


def digest(tensors: Iterable[Tensor]) -> str:
    """Eight hexadecimal digits of the tensors' bytes."""
    total = sha256()
    for tensor in tensors:
        total.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return total.hexdigest()[:8]


def short(value: Value) -> str:
    """A knob's value as a label has room for."""
    return f"{value:g}" if isinstance(value, float) else str(value)
