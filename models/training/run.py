"""Run: the one mutable object. advance(n) trains, snapshot() measures, save and load keep it."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from hashlib import sha256
from math import isfinite
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn

from models.catalogue import find
from models.diagnostics.measure import measure
from models.geometry import Embeddings, Scores, masks, score
from models.objective import Objective, no_weight_reason, seeded
from models.sensitivity import response
from models.snapshot import Lens, Snapshot
from models.spec import Context, Counts, Value
from models.training import keep
from models.training.config import Event, Part, RunConfig
from models.training.dataset import Dataset, build
from models.training.sampling import epoch_plan
from models.training.trace import Trace
from models.training.views import augment

_INIT, _LOSS_INIT, _VIEWS, _PROBE_VIEWS = 1, 2, 3, 4  # streams of the seed, one for each purpose
GRID = torch.linspace(-1.0, 1.0, 61)


class Diverged(ArithmeticError):
    """The loss or a gradient is not finite; the weights are those of the last finite step."""

    def __init__(self, step: int, tensor: str, last_loss: float) -> None:
        super().__init__(
            f"Step {step}: {tensor} is not finite (last finite loss: {last_loss:.4g} at step {max(step - 1, 0)}). "
            f"The weights of step {step} are kept. Lower the learning rate or raise the temperature, then resume."
        )
        self.step, self.tensor, self.last_loss = step, tensor, last_loss


def device() -> torch.device:
    """The GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


class Run:
    """One training run. The same config gives the same numbers however advance is sliced; snapshot changes nothing."""

    def __init__(self, config: RunConfig) -> None:
        """Build data, encoder and loss; raises ValueError if they do not fit together."""
        self.config, self.step, self.trace = config, 0, Trace()
        self.device = device()
        self.data: Dataset = build(config.data, config.seed)
        self._x = torch.from_numpy(self.data.source.x).to(self.device)
        self._views = None if self.data.source.views is None else torch.from_numpy(self.data.source.views)
        self._y = torch.from_numpy(self.data.y).to(self.device)
        self._rows = torch.from_numpy(self.data.train).to(self.device)
        self._plan = _Plan(self.data.y, config.sampler, config.seed)
        self.encoder = _build_encoder(config, self.data).to(self.device)
        context = Context(int(config.encoder["dim"]), self.data.seen_classes, len(self.data.train))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed((config.seed * 1_000_003 + _LOSS_INIT) % (1 << 63))
            self.objective = Objective(config.loss, context).to(self.device)
        self._parameters = self.parameters()
        self.optimiser = _optimiser(config.optimiser, self._parameters)
        self._counts = self._batch_counts()
        self._initial = _digest(self.encoder.state_dict().values())

    def parameters(self) -> list[nn.Parameter]:
        """Trained parameters: the encoder's, then those of the loss."""
        return [*self.encoder.parameters(), *self.objective.parameters()]

    @property
    def label(self) -> str:
        """Short name: the loss and its knobs as they are now."""
        knobs = ", ".join(f"{name} {_short(value)}" for name, value in self.objective.knobs.items())
        return f"{self.objective.spec.name} ({knobs})" if knobs else self.objective.spec.name

    def checksums(self) -> dict[str, str]:
        """Proof of a fair comparison: initial weights, first epoch of batches and first views, as short hashes."""
        plan = epoch_plan(self.data.y, self.config.sampler, self.config.seed, 0)
        views = torch.randn(4, generator=seeded(self.config.seed, _VIEWS)) if self.config.pairing == "views" else None
        batches = _digest([torch.from_numpy(self.data.train[plan]), torch.from_numpy(self.data.y[plan])])
        return {"weights": self._initial, "batches": batches, "views": "none" if views is None else _digest([views])}

    def set(self, knob: str, value: Value) -> None:
        """Change `loss.<knob>` or `optimiser.<knob>` from this step on; kept as an event of the config."""
        self.config = self.config.with_event(Event(self.step, knob, value))

    def advance(self, n: int) -> None:
        """Train n steps; raises Diverged, with the weights of the last finite step, if a number is not finite."""
        for _ in range(n):
            self._apply_events()
            if _measured(self.step) and (not self.trace.measured_step or self.trace.measured_step[-1] < self.step):
                self.trace.log_measures(self.step, self.measures())
            self._train_step()

    def measures(self) -> dict[str, float]:
        """The light measures of this moment on the probe, by name."""
        z = self._embed(self.data.probe).cpu().numpy()
        return measure(z, self.data.source.y[self.data.probe], self.data.probe_seen)

    def snapshot(self) -> Snapshot:
        """Measure the probe with generators of its own; the run goes on as if nobody had looked."""
        data = self.data
        z = self._embed(data.probe)
        y = torch.from_numpy(data.source.y[data.probe]).to(self.device)
        pairs = score(Embeddings(z, y))
        lens = self._lens(z, y)
        of_items = lens is not None and lens.candidates in ("items", "second views")
        return Snapshot(
            s=pairs.s.cpu().numpy(),
            pos=pairs.pos.cpu().numpy(),
            neg=pairs.neg.cpu().numpy(),
            weight=lens.weight if lens is not None and of_items else None,
            z=z.cpu().numpy(),
            y=data.source.y[data.probe],
            item=data.probe.copy(),
            seen=data.probe_seen.copy(),
            step=self.step,
            label=self.label,
            trace=self.trace.view(),
            config=self.config,
            levels=self.objective.levels(self._counts),
            lens=lens,
            why_no_weight=no_weight_reason(self.objective),
            why_no_unseen=data.why_no_unseen,
        )

    def save(self, folder: str | Path) -> None:
        """Write the whole state into a folder: safetensors and JSON, whole or not at all."""
        keep.write(Path(folder), self.config, self.step, self.trace.view(), self._tensors())

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Rebuild a run that goes on exactly as the saved one would have."""
        config, step, trace, tensors = keep.read(Path(folder))
        run = cls(config)
        run.restore(step, Trace.of(trace), tensors)
        return run

    def restore(self, step: int, trace: Trace, tensors: Mapping[str, Tensor]) -> None:
        """Take over a saved state."""
        for prefix, module in (("encoder.", self.encoder), ("objective.", self.objective)):
            own = {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
            module.load_state_dict(own)
        self.step, self.trace = step, trace
        for event in self.config.events:
            if event.step < step:
                self._apply(event)
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({"state": keep.optimiser_state(tensors), "param_groups": groups})

    def _tensors(self) -> dict[str, Tensor]:
        tensors = {f"encoder.{name}": t for name, t in self.encoder.state_dict().items()}
        tensors |= {f"objective.{name}": t for name, t in self.objective.state_dict().items()}
        return tensors | keep.optimiser_tensors(self.optimiser)

    def _apply_events(self) -> None:
        for event in self.config.events:
            if event.step == self.step:
                self._apply(event)

    def _apply(self, event: Event) -> None:
        where, _, name = event.knob.partition(".")
        if where == "loss":
            self.objective.set(name, event.value)
            return
        option = {"rate": "lr"}.get(name, name)
        for group in self.optimiser.param_groups:
            group[option] = event.value

    def _train_step(self) -> None:
        embeddings = self._batch(self.step)
        self.optimiser.zero_grad(set_to_none=True)
        loss = self.objective(embeddings)
        value = loss.item()
        last = self.trace.loss[-1] if self.trace.loss else float("nan")
        if not isfinite(value):
            raise Diverged(self.step, "the loss", last)
        loss.backward()
        gradients = [p.grad.flatten() for p in self._parameters if p.grad is not None]
        norm = torch.linalg.vector_norm(torch.cat(gradients)).item()  # one call: half the cost of a norm a tensor
        if not isfinite(norm):
            raise Diverged(self.step, f"the gradient of {self._first_bad()}", value)
        self.optimiser.step()
        self.trace.log_step(value, norm)
        self.step += 1

    def _first_bad(self) -> str:
        modules = (("encoder", self.encoder), ("loss", self.objective))
        for prefix, module in modules:
            for name, parameter in module.named_parameters():
                if parameter.grad is not None and not torch.isfinite(parameter.grad).all():
                    return f"{prefix}.{name}"
        return "all parameters together"

    def _batch(self, step: int) -> Embeddings:
        chosen = self._plan.at(step)
        rows, y = self._rows[chosen], self._y[chosen]
        if self.config.pairing == "label":
            return Embeddings(self.encoder(self._x[rows]), y)
        generator = torch.Generator().manual_seed((self.config.seed << 32) + (step << 3) + _VIEWS)
        both = torch.cat([self._view(rows, generator), self._view(rows, generator)])
        instance = torch.arange(len(rows), device=self.device).repeat(2)
        return Embeddings(self.encoder(both), y.repeat(2), instance)

    def _view(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """One view of each row: a natural one where the data has several, else an augmented one."""
        if self._views is not None:
            choice = torch.randint(self._views.shape[1], (len(rows),), generator=generator)
            return self._views[rows.cpu(), choice].to(self.device)
        return augment(self._x[rows], self.data.spec.kind, self.config.data.number("view_strength"), generator)

    @torch.no_grad()
    def _embed(self, rows: np.ndarray) -> Tensor:
        return self.encoder(self._x[torch.from_numpy(rows).to(self.device)])  # type: ignore[no-any-return]

    def _lens(self, z: Tensor, y: Tensor) -> Lens | None:
        """What the loss reads on the probe and the weights it gives there."""
        anchors, candidates, kind = Embeddings(z, y), None, "items"
        if self.objective.spec.reads != "scores":
            seen = torch.from_numpy(self.data.probe_seen).to(self.device)
            anchors = Embeddings(z[seen], y[seen])
            kind = "class logits" if self.objective.spec.reads == "logits" else "class proxies"
        elif self.config.pairing == "views":
            anchors, candidates, kind = *self._probe_views(y), "second views"
        with torch.no_grad():
            scores = self.objective.view(anchors, candidates)
        if scores is None:
            return None
        weight = self.objective.weights(scores, anchors)
        s, pos, neg, seen_weight = (t.detach().cpu().numpy() for t in (scores.s, scores.pos, scores.neg, weight))
        grid, pull, push = self._curves(scores)
        return Lens(s, pos, neg, seen_weight, kind, grid, pull, push)

    def _probe_views(self, y: Tensor) -> tuple[Embeddings, Embeddings]:
        rows = torch.from_numpy(self.data.probe).to(self.device)
        instance = torch.arange(len(rows), device=self.device)
        generator = seeded(self.config.seed, _PROBE_VIEWS)
        with torch.no_grad():
            first, second = (self.encoder(self._view(rows, generator)) for _ in range(2))
        return Embeddings(first, y, instance), Embeddings(second, y, instance)

    def _curves(self, scores: Scores) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Weight as a function of one pair's score for the anchor with the median number of counted pairs."""
        spec = self.objective.spec
        empty = np.empty(0)
        if not (spec.reads == "scores" and spec.rowwise and spec.has_value):
            return empty, empty, empty
        pull, push = response(self.objective.read_scores, scores, self._typical(scores), GRID.to(self.device))
        return GRID.numpy(), pull.cpu().numpy(), push.cpu().numpy()

    def _typical(self, scores: Scores) -> int:
        """The anchor whose hardest negative is the median one."""
        hardest = scores.s.masked_fill(~scores.neg, -2.0).max(dim=1).values
        return int(hardest.argsort()[len(hardest) // 2])

    def _batch_counts(self) -> Counts:
        chosen = self._plan.at(0)
        y = self._y[chosen]
        if self.config.pairing == "views":
            instance = torch.arange(len(chosen)).repeat(2)
            held = Embeddings(torch.empty(2 * len(chosen), 0), y.repeat(2), instance)
        else:
            held = Embeddings(torch.empty(len(chosen), 0), y)
        pos, neg = masks(held)
        groups = held.y if held.instance is None else held.instance
        return Counts(pos.sum(1).cpu().numpy(), neg.sum(1).cpu().numpy(), len(set(groups.tolist())))


class _Plan:
    """Positions of the batch of any step, an epoch drawn at a time."""

    def __init__(self, y: np.ndarray, sampler: Part, seed: int) -> None:
        self._draw = lru_cache(maxsize=2)(lambda epoch: torch.from_numpy(epoch_plan(y, sampler, seed, epoch)))
        self._steps = len(self._draw(0))

    def at(self, step: int) -> Tensor:
        epoch, row = divmod(step, self._steps)
        chosen: Tensor = self._draw(epoch)[row]
        return chosen


def _measured(step: int) -> bool:
    """Closely at first, then every 50th step: the same steps however the run is sliced."""
    return step % 10 == 0 if step < 50 else step % 50 == 0


def _build_encoder(config: RunConfig, data: Dataset) -> nn.Module:
    module = find("encoders", config.encoder.key)
    if data.spec.kind not in module.SPEC.kinds:
        raise ValueError(
            f"encoder {config.encoder.key} reads {', '.join(module.SPEC.kinds)}, "
            f"but {config.data.key} is {data.spec.kind}; choose the MLP"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed((config.seed * 1_000_003 + _INIT) % (1 << 63))
        encoder: nn.Module = module.build(data.shape, **config.encoder.values)
    return encoder


def _optimiser(part: Part, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    """The fused kernel does the same sums in one call."""
    kinds = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}
    options = {("lr" if name == "rate" else name): value for name, value in part.knobs}
    optimiser: torch.optim.Optimizer = kinds[part.key](parameters, fused=True, **options)
    return optimiser


def _digest(tensors: Iterable[Tensor]) -> str:
    digest = sha256()
    for tensor in tensors:
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:8]


def _short(value: Value) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
