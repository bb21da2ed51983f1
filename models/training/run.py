"""Run: the one mutable object. advance(n) trains, snapshot() measures, save and load keep it."""

from collections.abc import Mapping
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn

from models.diagnostics.items import Across
from models.diagnostics.measure import measure
from models.geometry import score
from models.objective import no_weight_reason
from models.pair_mask import mask_of
from models.snapshot import Lens, Snapshot
from models.spec import Value
from models.training import keep
from models.training.build import OPTION, batch_counts, build_encoder, build_optimiser, device, digest, short
from models.training.chain import Chain
from models.training.config import LOSS, MASK, Event, Part, RunConfig
from models.training.dataset import build
from models.training.diverged import Diverged, NotFinite, culprit
from models.training.feed import Feed
from models.training.probing import Probing
from models.training.terms import look_at_terms, measures_of_terms
from models.training.trace import Trace
from models.training.turn import build_objective, carried_over, check_turns, in_force

__all__ = ["Diverged", "Run"]

_BACK_UP = 50  # steps between copies of the state in memory, to go back to after a divergence
_SOUND = 10.0  # a loss above this many times what it was at the older copy is already running away


class Run:
    """One training run. The same config gives the same numbers however advance is sliced; snapshot changes nothing."""

    def __init__(self, config: RunConfig) -> None:
        """Build data, encoder and loss; raises ValueError if they do not fit together."""
        self.config, self.step, self.trace, self.device = config, 0, Trace(), device()
        self.data = build(config.data, config.seed)
        self.feed = Feed(config, self.data, self.device)
        self.encoder = build_encoder(config, self.data).to(self.device)
        context = self.data.context(int(config.encoder["dim"]))
        self.objective = build_objective(config.loss, context, config.seed).to(self.device)
        self._turned = -1, config.loss.key
        check_turns(config, context)
        self.chain = Chain(config, self.encoder, self.objective).to(self.device)
        self._probing = self._made_probing()
        self._parameters = self.parameters()
        self.optimiser = build_optimiser(config.optimiser, self._parameters)
        self._counts = batch_counts(self.feed.groups(0), config.pairing)
        self._initial = digest(self.encoder.state_dict().values())
        self._backups: list[tuple[int, dict[str, Tensor]]] = []  # the last two, oldest first
        self._apply_events(self.config)

    def _made_probing(self) -> Probing:
        return Probing(self.config, self.data, self.feed, self.encoder, self.objective, self.chain)

    def parameters(self) -> list[nn.Parameter]:
        """Trained parameters: the encoder's, then those of the loss and of the methods."""
        modules = (self.encoder, self.objective, self.chain)
        return [p for module in modules for p in module.parameters() if p.requires_grad]

    @property
    def label(self) -> str:
        """Short name: the loss and its knobs as they are now, and the methods."""
        knobs = ", ".join(f"{name} {short(value)}" for name, value in self.objective.knobs.items())
        return self.objective.spec.name + (f" ({knobs})" if knobs else "") + self.chain.label

    def checksums(self) -> dict[str, str]:
        """Proof of a fair comparison: initial weights, first epoch of batches and first views, as short hashes."""
        return {"weights": self._initial, **self.feed.checksums()}

    def set(self, knob: str, value: Value) -> None:
        """Change `loss.<knob>` or `optimiser.<knob>` from this step on; kept as an event of the config."""
        config = self.config.with_event(Event(self.step, knob, value))
        self._apply_events(config)  # first, since a mask of other data is refused here
        self.config = config

    def advance(self, n: int) -> None:
        """Train n steps; raises Diverged, after going back to weights it can go on from, if a number is not finite."""
        for _ in range(n):
            self._back_up()
            try:
                self._train_step()
            except NotFinite as found:
                failed, last = self.step, self.trace.loss[-1] if self.trace.loss else float("nan")
                self._go_back()
                raise Diverged(failed, str(found), last, self.step) from None

    def measures(self) -> dict[str, float]:
        """The light measures of this moment on the probe, by name."""
        (items, others), data = self._probing.items(), self.data
        across = None if others is None else Across(others.z.cpu().numpy(), self.feed.probe_pairs())
        found = measure(items.z.cpu().numpy(), data.source.y[data.probe], data.probe_seen, across)
        return found | measures_of_terms(self.objective, lambda: self._probing.batch_of(items), data.probe_seen)

    def snapshot(self) -> Snapshot:
        """Measure the probe with generators of its own; the run goes on as if nobody had looked."""
        data = self.data
        items, others = self._probing.items()
        pairs = score(items, others)
        lens = self._probing.lens(items, others, self.step)
        of_items = lens is not None and lens.candidates in ("items", "second views", "other sides")
        return Snapshot(
            s=pairs.s.cpu().numpy(),
            pos=pairs.pos.cpu().numpy(),
            neg=pairs.neg.cpu().numpy(),
            weight=lens.weight if lens is not None and of_items else None,
            z=items.z.cpu().numpy(),
            y=data.source.y[data.probe],
            item=data.probe.copy(),
            seen=data.probe_seen.copy(),
            step=self.step,
            label=self.label,
            trace=self.trace.view(),
            config=self.config,
            levels=self._levels(),
            lens=lens,
            why_no_weight=no_weight_reason(self.objective, refused=lens is None) or self._why_no_weight(lens),
            why_no_unseen=data.why_no_unseen,
            other=None if others is None else others.z.cpu().numpy(),
            terms=look_at_terms(self.objective, lambda: self._probing.batch_of(items), data.probe_seen),
            heads=self.chain.heads(items, self.step),
        )

    def save(self, folder: str | Path) -> None:
        """Write the whole state into a folder: safetensors and JSON, whole or not at all."""
        keep.write_packed(Path(folder), *self.pack())

    def pack(self) -> tuple[bytes, str]:
        """The whole state as (safetensors bytes, manifest), as `save` writes them."""
        return keep.pack(self.config, self.step, self.trace.view(), self._tensors())

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Rebuild a run that goes on exactly as the saved one would have."""
        config, step, trace, tensors = keep.read(Path(folder))
        run = cls(config)
        try:
            run.restore(step, Trace.of(trace), tensors)
        except (RuntimeError, KeyError) as error:
            raise ValueError(f"the state in {Path(folder).name!r} does not fit its config: {error}") from error
        return run

    def restore(self, step: int, trace: Trace, tensors: Mapping[str, Tensor], was: RunConfig | None = None) -> None:
        """Take over a saved state; was: the config that it was saved with, if events have been added since."""
        self._turn_to(*(was or self.config).turn_at(step))
        for prefix, module in (("encoder.", self.encoder), ("objective.", self.objective), ("methods.", self.chain)):
            own = {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
            module.load_state_dict(own)
        groups = self.optimiser.state_dict()["param_groups"]
        own_state = {name: t.clone() for name, t in tensors.items() if name.startswith("optimiser.")}
        self.optimiser.load_state_dict({"state": keep.optimiser_state(own_state), "param_groups": groups})
        self.step, self.trace, self._backups = step, trace, []
        self._replay_events()

    def _back_up(self) -> None:
        """Copy the state every so often, unless the loss is running away: then the older copy is the better one."""
        if not self._backups or (self.step - self._backups[-1][0] >= _BACK_UP and self._sound(self.step - 1)):
            copied = {name: t.detach().clone() for name, t in self._tensors().items()}
            self._backups = [*self._backups[-1:], (self.step, copied)]

    def _sound(self, step: int) -> bool:
        return self.trace.loss[step] <= _SOUND * max(1.0, abs(self.trace.loss[self._backups[0][0]]))

    def _go_back(self) -> None:
        """To the last copy from which a finite and still moderate loss followed; the failed steps leave the trace."""
        usable = [backup for backup in self._backups if backup[0] < self.step and self._sound(backup[0])]
        if usable:
            step, tensors = usable[-1]
            self.restore(step, self.trace.until(step), tensors)

    def _tensors(self) -> dict[str, Tensor]:
        parts = {"encoder": self.encoder, "objective": self.objective, "methods": self.chain}
        tensors = {f"{part}.{name}": t for part, module in parts.items() for name, t in module.state_dict().items()}
        return tensors | keep.optimiser_tensors(self.optimiser)

    def _apply_events(self, config: RunConfig) -> None:
        for event in config.events:
            if event.step == self.step:
                self._apply(event)

    def _replay_events(self) -> None:
        """Every knob as it is in force at this step, whatever it was before."""
        self._turn_to(*self.config.turn_at(self.step))
        for knob, value in in_force(self.config, self.step).items():
            self._apply(Event(self.step, knob, value))

    def _apply(self, event: Event) -> None:
        where, _, name = event.knob.partition(".")
        if event.knob == LOSS:
            self._turn_to(event.step, str(event.value))
        elif event.knob == MASK:
            self.objective.mask = mask_of(str(event.value), len(self.data.train), self.device)
        elif where == "loss" and self.objective.knobs[name] != event.value:
            self.objective.set(name, event.value)
        for group in self.optimiser.param_groups if where == "optimiser" else ():
            group[OPTION.get(name, name)] = event.value

    def _turn_to(self, since: int, key: str) -> None:
        """Go on with the loss that is in force since a step: same encoder, and what the optimiser knows of it."""
        if (since, key) == self._turned:
            return
        part = self.config.loss if since < 0 else Part(key)
        before, self._turned = self.objective, (since, key)
        self.objective = build_objective(part, before.context, self.config.seed).to(self.device)
        self.objective.mask = before.mask
        self.chain.turn_to(self.objective)
        if self.objective.spec.graded != before.spec.graded:  # then batches carry other targets
            self.feed = Feed(replace(self.config, loss=part, events=()), self.data, self.device)
        self._probing = self._made_probing()
        self._parameters = self.parameters()
        self.optimiser = carried_over(self.optimiser, build_optimiser(self.config.optimiser, self._parameters))

    def _train_step(self) -> None:
        self._apply_events(self.config)
        x, batch = self.feed.batch(self.step)
        self.optimiser.zero_grad(set_to_none=True)
        loss = self.chain.loss(replace(batch, z=self.encoder(x)), x, self.step)
        value = loss.item()
        if not isfinite(value):
            raise NotFinite("the loss")
        loss.backward()  # type: ignore[no-untyped-call]
        gradients = [p.grad.flatten() for p in self._parameters if p.grad is not None]
        norm = torch.linalg.vector_norm(torch.cat(gradients)).item()  # one call: half the cost of a norm a tensor
        if not isfinite(norm):
            raise NotFinite(f"the gradient of {culprit(encoder=self.encoder, loss=self.objective, method=self.chain)}")
        if self.trace.due(self.step):
            self.trace.log_measures(self.step, self.measures())  # here, where the weights are known to be sound
        self.optimiser.step()
        self.chain.after()
        self.trace.log_step(value, norm)
        self.step += 1
        self._turn_to(*self.config.turn_at(self.step))  # a state of a step is that of the loss in force there

    def _why_no_weight(self, lens: Lens | None) -> str:
        return "" if lens is None or not self.config.methods else self.chain.no_weight_reason(lens.candidates)

    def _levels(self) -> dict[str, float]:
        counts = self._counts if not self.config.methods else self.chain.counts(self.feed.batch(0)[1])
        return {} if counts is None else self.objective.levels(counts)
