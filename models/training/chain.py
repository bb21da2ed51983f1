"""The methods of a run, worked one after the other between its encoder and its loss."""

from dataclasses import replace
from zlib import crc32

import numpy as np
import torch
from torch import Tensor, nn

from models.catalogue import find
from models.geometry import Embeddings
from models.method_common import Hooks, Pool, Step
from models.objective import Objective
from models.spec import Counts, MethodSpec
from models.training.build import seed_of
from models.training.config import RunConfig
from models.training.towers import Read, sides

_INIT, _TRAIN, _PROBE = 5, 13, 14  # streams of the seed; a method's own chance does not depend on the others


class Chain(nn.ModuleDict):
    """Methods by key, in the order of their places; with none of them, the loss reads the batch as it is."""

    def __init__(self, config: RunConfig, encoder: nn.Module, objective: Objective) -> None:
        super().__init__()
        self._seed = config.seed
        self._around = (encoder, objective)  # in a tuple, so that their tensors are not counted as ours
        self._step: Step | None = None
        self.specs: list[MethodSpec] = []
        self._hooks: list[tuple[str, Hooks]] = []  # the modules again, under their own type
        for part in config.methods:
            module = find("methods", part.key)
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed_of(config.seed, _INIT))
                method: Hooks = module.Method(objective.context, **part.values)
            method.start(encoder)
            self[part.key] = method
            self._hooks.append((part.key, method))
            self.specs.append(module.SPEC)

    def turn_to(self, objective: Objective) -> None:
        """Stand before another loss from here on."""
        self._around = (self._around[0], objective)

    @property
    def label(self) -> str:
        """Names of the methods, as they are added to the name of a loss."""
        return "".join(f" + {spec.name}" for spec in self.specs)

    @property
    def seen_only(self) -> bool:
        """Whether a method knows trained classes alone."""
        return any(spec.known for spec in self.specs)

    def loss(self, embeddings: Embeddings, x: Read, number: int) -> Tensor:
        """The loss of one training batch; x is what the encoder read, number the training steps done so far."""
        _, objective = self._around
        across = not isinstance(x, Tensor) and objective.spec.reads == "scores"
        parts = sides(embeddings) if across else (embeddings,)
        if not self.specs:
            return objective(*parts)  # type: ignore[no-any-return]
        self._step, x = None, x if isinstance(x, Tensor) else x[0]
        pools, penalties = [self._plain(*parts)], list[Tensor]()
        for key, method in self._hooks:
            step = self._moment(key, x, number, training=True)
            found = [method.penalty(pool, step) for pool in pools]
            penalties += [term for term in found if term is not None]
            pools = [changed for pool in pools for changed in method.change(pool, step)]
            self._step = step
        return torch.stack([objective.read(pool.scores, pool.anchors) for pool in pools] + penalties).sum()

    def after(self) -> None:
        """Once the optimiser has moved the weights."""
        if self._step is not None:
            for _, method in self._hooks:
                method.after(self._step)

    @torch.no_grad()
    def look(self, embeddings: Embeddings, x: Tensor, number: int, candidates: Embeddings | None = None) -> Pool:
        """The first of the pools that the loss would read of a probe; nothing is remembered of it."""
        _, objective = self._around
        pool = self._plain(embeddings, candidates)
        for key, method in self._hooks:
            pool = method.change(pool, self._moment(key, x, number, training=False))[0]
        return pool if pool.scores is not None else replace(pool, scores=objective.view(pool.anchors))

    @torch.no_grad()
    def heads(self, items: Embeddings, number: int) -> np.ndarray | None:
        """Items (n, d) under each of several heads, (h, n, d); None where no method has them."""
        nothing = items.z[:0]  # heads stand on embeddings: they read no items
        for (key, method), spec in zip(self._hooks, self.specs, strict=True):
            if spec.place == "heads":
                pools = method.change(Pool(items, None, None), self._moment(key, nothing, number, training=False))
                return torch.stack([pool.anchors.z for pool in pools]).cpu().numpy()
        return None

    def kind(self, plain: str) -> str:
        """What anchors are compared with, for display: `plain`, or what the methods make of it."""
        others = [spec for spec in self.specs if spec.place == "candidates"]
        further = [spec.candidates for spec in self.specs if spec.place != "candidates" and spec.candidates]
        return ", ".join([*([spec.candidates for spec in others] or [plain]), *further])

    def no_weight_reason(self, kind: str) -> str:
        """Say why there is no weight per pair of items when methods stand before the loss."""
        return f"{', '.join(spec.name for spec in self.specs)} changes what the loss reads: the weights are of {kind}."

    def counts(self, batch: Embeddings) -> Counts | None:
        """Positives and negatives of each anchor; None where reference levels have lost their meaning."""
        found = [method.counts(batch) for _, method in self._hooks]
        return found[0] if len(found) == 1 else None

    def _moment(self, key: str, x: Tensor, number: int, *, training: bool) -> Step:
        encoder, objective = self._around
        entropy = [self._seed, crc32(key.encode()), *([_TRAIN, number] if training else [_PROBE])]
        return Step(number, x, encoder, objective.head, np.random.default_rng(entropy), training)

    def _plain(self, embeddings: Embeddings, candidates: Embeddings | None = None) -> Pool:
        """The batch against itself or its other sides, or its logits; a loss of embeddings has no scores yet."""
        _, objective = self._around
        blind = objective.spec.reads == "embeddings"
        return Pool(embeddings, candidates, None if blind else objective.view(embeddings, candidates))
