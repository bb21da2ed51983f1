"""The probe as a run measures it: embeddings of its items, and what the loss reads of them."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from models.geometry import Embeddings
from models.objective import Objective
from models.snapshot import Lens
from models.training.chain import Chain
from models.training.config import RunConfig
from models.training.dataset import Dataset
from models.training.feed import Feed
from models.training.lens import look, look_at
from models.training.towers import sides


class Probing:
    """Belongs to a run and reads its parts; it changes none of them."""

    def __init__(
        self, config: RunConfig, data: Dataset, feed: Feed, encoder: nn.Module, objective: Objective, chain: Chain
    ) -> None:
        self._config, self._data, self._feed = config, data, feed
        self._encoder, self._objective, self._chain = encoder, objective, chain

    @torch.no_grad()
    def items(self) -> tuple[Embeddings, Embeddings | None]:
        """The items of the probe, and their other sides where there are two towers."""
        if self._config.pairing == "towers":
            x, both = self._feed.probe_sides()
            return sides(replace(both, z=self._encoder(x)))
        rows = torch.from_numpy(self._data.probe).to(self._feed.x.device)
        return self._feed.probe_items(self._encoder(self._feed.x[rows])), None

    def batch_of(self, items: Embeddings) -> tuple[Embeddings, ...]:
        """The probe as a training batch, in one part or two; none where methods or towers make something else of it."""
        if self._config.methods or self._config.pairing == "towers" or self._data.target is not None:
            return ()
        return self._views() if self._config.pairing == "views" else (items,)

    def lens(self, items: Embeddings, others: Embeddings | None, step: int) -> Lens | None:
        """What the loss reads on the probe and the weights it gives there."""
        if self._config.methods:
            return self._lens_of_methods(items.y, step) if others is None else self._lens_of_links(items, others, step)
        anchors, candidates, kind = items, others, "items" if others is None else "other sides"
        if self._objective.spec.reads != "scores":
            seen = torch.from_numpy(self._data.probe_seen).to(self._feed.x.device)
            anchors = Embeddings(items.z[seen], items.y[seen], target=self._feed.probe_target(seen))
            candidates = None
            kind = getattr(self._objective.own, "candidates", "class proxies")
            kind = "class logits" if self._objective.spec.reads == "logits" else kind
        elif self._config.pairing == "views" and self._objective.spec.one_tower:
            return self._lens_of_one_tower()
        elif self._config.pairing == "views":
            anchors, candidates, kind = *self._views(), "second views"
        return look(self._objective, anchors, candidates, kind)

    def _lens_of_one_tower(self) -> Lens | None:
        """Both views of the probe scored against themselves, as the loss reads them of a batch."""
        first, second = self._views()
        y, instance = torch.cat([first.y, second.y]), torch.arange(len(first.y), device=first.y.device).repeat(2)
        both = replace(first, z=torch.cat([first.z, second.z]), y=y, instance=instance, graded=_twice(first.graded))
        with torch.no_grad():
            scores = self._objective.view(both, None)
        return look_at(self._objective, scores, both, "both views", len(first.z))

    def _lens_of_methods(self, y: Tensor, step: int) -> Lens | None:
        """The same where methods change what the loss reads: the probe goes the way of a batch."""
        of_pairs = self._objective.spec.reads == "scores"
        kind = {"scores": "items", "logits": "class logits"}.get(self._objective.spec.reads, "class proxies")
        all_of_them = of_pairs and not self._chain.seen_only
        chosen = torch.from_numpy(self._data.probe_seen | all_of_them).to(self._feed.x.device)
        x, y = self._feed.x[torch.from_numpy(self._data.probe).to(self._feed.x.device)][chosen], y[chosen]
        instance, rows, target = None, len(y), self._feed.probe_target(chosen)
        if self._config.pairing == "views" and of_pairs:
            kind = "both views"
            x = torch.cat([view[chosen] for view in self._feed.probe_views()])
            y, instance = y.repeat(2), torch.arange(rows, device=self._feed.x.device).repeat(2)
            target = None if target is None else torch.cat([target, target])
        with torch.no_grad():
            pool = self._chain.look(Embeddings(self._encoder(x), y, instance, target=target), x, step)
        return look_at(self._objective, pool.scores, pool.anchors, self._chain.kind(kind), rows)

    def _lens_of_links(self, items: Embeddings, others: Embeddings, step: int) -> Lens | None:
        pool = self._chain.look(items, self._feed.x, step, others)
        return look_at(self._objective, pool.scores, pool.anchors, self._chain.kind("other sides"))

    def _views(self) -> tuple[Embeddings, Embeddings]:
        instance = torch.arange(len(self._data.probe), device=self._feed.x.device)
        with torch.no_grad():
            first, second = (self._encoder(view) for view in self._feed.probe_views())
        return self._feed.probe_items(first, instance), self._feed.probe_items(second, instance)


def _twice(rows: Tensor | None) -> Tensor | None:
    return None if rows is None else torch.cat([rows, rows])
