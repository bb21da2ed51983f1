"""Momentum queue (MoCo): anchors race against the keys of earlier batches, made by a slow copy of the encoder."""

from copy import deepcopy
from dataclasses import replace

import torch
from jaxtyping import Bool
from torch import Tensor, nn

from models.geometry import Embeddings, Scores, masks, unit
from models.method_common import Hooks, Pool, Step
from models.spec import Context, Counts, Knob, MethodSpec, Paper

SPEC = MethodSpec(
    key="queue",
    name="Momentum queue",
    place="candidates",
    reads=("scores",),
    paper=Paper(
        "He, Fan, Wu, Xie, Girshick",
        2020,
        "Momentum Contrast for Unsupervised Visual Representation Learning",
        arxiv="1911.05722",
        equation="1, 2",
        status="verified (code of paper 18, which builds on it)",
    ),
    knobs=(
        Knob(
            "size", 512, 1, 65_536, log=True, unit="keys", help="Keys kept; 65,536 in the paper, for a million items."
        ),
        Knob("momentum", 0.99, 0.0, 1.0, help="Share of the slow encoder that stays at each step; 1: it never learns."),
    ),
    formula=r"\theta_k\leftarrow m\,\theta_k+(1-m)\,\theta_q,\qquad s_i=[q_i k_i,\;q_i Q_1,\dots,q_i Q_M]",
    when="Small batches that give too few negatives.",
    pitfall="Below a momentum of about 0.9 the keys of one queue disagree, and all scores drift upwards together.",
    convention=(
        "Of two views the first are anchors and the second keys: each anchor has its own key as positive and the queue "
        "as negatives, the other keys of the batch do not count. With labels (not in the paper), every item is anchor "
        "and key, and the labels of keys and queue say which pairs are positive. The queue starts as random unit rows "
        "that belong to no class. Keys are enqueued, and the copy moves, after each step."
    ),
    candidates="keys and queue",
    one_tower=False,
)
NOBODY = -1  # label of the random rows that a queue starts with


class Method(Hooks):
    """A ring of unit rows with their labels, and the slow encoder; `momentum` may be set at any time."""

    rows: Tensor  # (size, dim)
    labels: Tensor  # (size,)
    at: Tensor  # where the next key goes

    def __init__(self, context: Context, *, size: int = 512, momentum: float = 0.99) -> None:
        super().__init__()
        self.momentum = momentum
        self.encoder: nn.Module = nn.Identity()
        self.register_buffer("rows", unit(torch.randn(size, context.dim)))
        self.register_buffer("labels", torch.full((size,), NOBODY))
        self.register_buffer("at", torch.zeros((), dtype=torch.int64))
        self._fresh: Embeddings | None = None  # keys of the batch that is being trained on

    def start(self, encoder: nn.Module) -> None:
        """Copy the encoder's initial weights."""
        self.encoder = deepcopy(encoder).requires_grad_(False)

    def change(self, pool: Pool, step: Step) -> list[Pool]:
        """Anchors against the keys of their batch and the queue, (n, n + size); gradients reach the anchors alone."""
        anchors, batch = pool.anchors, pool.anchors
        x, n = step.x, len(pool.anchors.z)
        if anchors.instance is not None:
            n //= 2
            x, anchors, batch = x[n:], _part(batch, slice(None, n)), _part(batch, slice(n, None))
        with torch.no_grad():
            keys = replace(batch, z=unit(self.encoder(x)))
        if step.training:
            self._fresh = keys
        candidates = self._with_queue(keys)
        pos, neg = self._masks(anchors, candidates)
        scores = Scores(unit(anchors.z) @ candidates.z.T, pos, neg)
        return [Pool(replace(anchors, z=unit(anchors.z)), candidates, scores)]

    def _with_queue(self, keys: Embeddings) -> Embeddings:
        rows, labels = self.rows.to(keys.z.dtype), self.labels
        instance = None if keys.instance is None else torch.cat([keys.instance, torch.full_like(labels, NOBODY)])
        return Embeddings(torch.cat([keys.z, rows]), torch.cat([keys.y, labels]), instance)

    def _masks(self, anchors: Embeddings, candidates: Embeddings) -> tuple[Bool[Tensor, "n m"], Bool[Tensor, "n m"]]:
        """An anchor's own key is its positive if they are two views of it, and does not count if they are the same."""
        n = len(anchors.y)
        pos, neg = masks(anchors, candidates)
        own = torch.eye(*pos.shape, dtype=torch.bool, device=pos.device)
        if anchors.instance is None:
            return pos & ~own, neg
        queued = torch.arange(len(candidates.y), device=neg.device) >= n
        return own, queued.expand_as(neg)

    @torch.no_grad()
    def after(self, step: Step) -> None:
        """Put the keys of the batch where the oldest stand, then let the slow encoder follow by 1 - momentum."""
        if self._fresh is not None:
            size = len(self.rows)
            z, y = self._fresh.z[-size:], self._fresh.y[-size:]
            where = (self.at + torch.arange(len(y), device=self.at.device)) % size
            self.rows[where], self.labels[where] = z.to(self.rows.dtype), y.to(self.labels.dtype)
            self.at.copy_((self.at + len(y)) % size)
            self._fresh = None
        for slow, fast in zip(self.encoder.parameters(), step.encoder.parameters(), strict=True):
            slow.mul_(self.momentum).add_(fast, alpha=1.0 - self.momentum)

    def counts(self, batch: Embeddings) -> Counts:
        """With the labels that the queue holds now."""
        n = len(batch.y) if batch.instance is None else len(batch.y) // 2
        anchors = _part(batch, slice(None, n))
        candidates = self._with_queue(replace(anchors, z=self.rows.new_empty(n, self.rows.shape[1])))
        pos, neg = self._masks(anchors, candidates)
        groups = candidates.y if batch.instance is None else torch.arange(len(candidates.y))
        return Counts(pos.sum(1).cpu().numpy(), neg.sum(1).cpu().numpy(), len(set(groups.tolist())))


def _part(batch: Embeddings, rows: slice) -> Embeddings:
    return Embeddings(batch.z[rows], batch.y[rows], None if batch.instance is None else batch.instance[rows])
