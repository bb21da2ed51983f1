"""What a run reads: its items on the device, the batch of every step, and the views of an item."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from models.catalogue import find
from models.data_common import number_likeness
from models.geometry import Embeddings
from models.objective import seeded
from models.training.build import PROBE_VIEWS, VIEWS, Plan, digest, step_generator
from models.training.config import RunConfig
from models.training.dataset import Dataset
from models.training.links import Links
from models.training.towers import Read
from models.training.views import augment, natural


class Feed:
    """Batches depend on config and step alone: nothing is remembered between them."""

    def __init__(self, config: RunConfig, data: Dataset, device: torch.device) -> None:
        self.config, self.data, self.device = config, data, device
        self.x = torch.from_numpy(data.source.x).to(device)
        views = data.source.views
        self._views = None if views is None else torch.from_numpy(views).to(device)
        self._y = torch.from_numpy(data.y).to(device)
        self._target = None if data.target is None else torch.from_numpy(data.target.astype("float32")).to(device)
        self._rows = torch.from_numpy(data.train).to(device)
        self._plan = Plan(data.y, config.sampler, config.seed)
        graded = find("losses", config.loss.key).SPEC.graded
        self._of_numbers = self._likeness(data.target) if graded else None
        self._of_probe = self._likeness(data.probe_target) if graded else None
        if config.pairing == "towers":
            assert data.source.side is not None, "RunConfig lets only data with two sides pass"
            self._side, self._pair = (torch.from_numpy(a).to(device) for a in (data.source.side, data.pair))
            rows = data.source.graded if graded else None
            self._graded = None if rows is None else torch.from_numpy(rows).to(device)
            self._links = None if data.source.ends is None else Links(data, device)

    def labels(self, step: int) -> Tensor:
        """Labels of the items of one step."""
        return self._y[self._plan.at(step)]

    def groups(self, step: int) -> Tensor:
        """What tells positives of one step from negatives: labels, pairs of two towers, or how ends of links stand."""
        if self.config.pairing != "towers":
            return self.labels(step)
        rows = self._rows[self._plan.at(step)]
        return self._pair[rows] if self._links is None else self._links.standing(rows, held_out=False)

    def probe_pairs(self) -> np.ndarray:
        """The same of the probe, for `Across.pair`."""
        if self.config.pairing != "towers" or self._links is None:
            return np.asarray(self.data.pair[self.data.probe])
        rows = torch.from_numpy(self.data.probe).to(self.device)
        return np.asarray(self._links.standing(rows, held_out=True).cpu())

    def batch(self, step: int) -> tuple[Read, Embeddings]:
        """What the encoder reads at a step, and all that is known of its rows but their embeddings, which are empty."""
        chosen = self._plan.at(step)
        rows, y = self._rows[chosen], self._y[chosen]
        if self.config.pairing == "label":
            return self.x[rows], self._unread(y, None, chosen)
        if self.config.pairing == "towers":
            return self._both_sides(rows, y, chosen)
        both = torch.cat(self._two_views(rows, step_generator(self.config.seed, VIEWS, step)))
        instance = torch.arange(len(rows), device=self.device).repeat(2)
        return both, self._unread(y.repeat(2), instance, chosen.repeat(2))

    def probe_sides(self) -> tuple[Read, Embeddings]:
        """Both sides of every item of the probe, as in a batch."""
        rows, y = (torch.from_numpy(a).to(self.device) for a in (self.data.probe, self.data.source.y[self.data.probe]))
        return self._both_sides(rows, y, None)

    def known(self, chosen: Tensor) -> tuple[Read, Embeddings]:
        """Training items at some positions as they are, of two sides both, and all that is known of them."""
        rows, y = self._rows[chosen], self._y[chosen]
        if self.config.pairing == "towers":
            return self._both_sides(rows, y, chosen)
        return self.x[rows], self._unread(y, None, chosen)

    def views(self, rows: Tensor) -> list[Tensor]:
        """Two views of each row of the data, the same ones whenever they are asked for."""
        return self._two_views(rows, seeded(self.config.seed, PROBE_VIEWS))

    def probe_target(self, chosen: Tensor) -> Tensor | None:
        """True targets of the probe's items that a mask chooses; None where the class is all there is."""
        target = self.data.probe_target
        return None if target is None else torch.from_numpy(target.astype("float32")).to(self.device)[chosen]

    def probe_items(self, z: Tensor, instance: Tensor | None = None) -> Embeddings:
        """Embeddings of the probe's items with all that is known of them, in the probe's order."""
        y = torch.from_numpy(self.data.source.y[self.data.probe]).to(self.device)
        return Embeddings(z, y, instance, graded=self._of_probe)

    def probe_views(self) -> list[Tensor]:
        """Two views of every item of the probe, the same ones whenever it is measured."""
        return self.views(torch.from_numpy(self.data.probe).to(self.device))

    def checksums(self) -> dict[str, str]:
        """The first epoch of batches and the first views, as short hashes."""
        plan = self._plan.epoch(0).numpy()
        batches = digest([torch.from_numpy(self.data.train[plan]), torch.from_numpy(self.data.y[plan])])
        views = "none"
        if self.config.pairing == "views":
            rows = self._rows[self._plan.at(0)]
            views = digest(self._two_views(rows, step_generator(self.config.seed, VIEWS, 0)))
        return {"batches": batches, "views": views}

    def _both_sides(self, rows: Tensor, y: Tensor, sample: Tensor | None) -> tuple[Read, Embeddings]:
        both = self._unread(y.repeat(2), self._pair[rows].repeat(2), None if sample is None else sample.repeat(2))
        if self._graded is not None:
            both = replace(both, graded=self._graded[rows].repeat(2, 1))
        if self._links is not None:
            node, y, stands = self._links.of(rows, held_out=sample is None)
            both = replace(both, y=y, instance=None, node=node, stands=stands)
        return (self.x[rows], self._side[rows]), both

    def _two_views(self, rows: Tensor, generator: torch.Generator) -> list[Tensor]:
        return [self._view(rows, generator), self._view(rows, generator)]

    def _view(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """One view of each row: a natural one where the data has several, else an augmented one."""
        strength = self.config.data.number("view_strength")
        if self._views is not None:
            return natural(self._views, rows, strength, generator)
        return augment(self.x[rows], self.data.spec.kind, strength, generator)

    def _unread(self, y: Tensor, instance: Tensor | None, sample: Tensor | None) -> Embeddings:
        target = None if self._target is None or sample is None else self._target[sample]
        graded = None if self._of_numbers is None or sample is None else self._of_numbers[sample]
        return Embeddings(torch.empty(len(y), 0, device=y.device), y, instance, sample, graded, target)

    def _likeness(self, numbers: np.ndarray | None) -> Tensor | None:
        """How alike items are by the numbers that are to be predicted of them; None where the set does not grade."""
        width = self.data.source.width
        return (
            None if not width or numbers is None else torch.from_numpy(number_likeness(numbers, width)).to(self.device)
        )
