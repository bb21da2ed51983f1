"""What a run makes of some of its training items: the probe is never spoilt, so mistakes can only be found here."""

import numpy as np
import torch

from models.geometry import Embeddings, score
from models.objective import no_weight_reason
from models.snapshot import Snapshot
from models.training.lens import look
from models.training.run import Run
from models.training.towers import sides

_STREAM = 15  # keeps the draw apart from the other generators of the same seed
_KINDS = ("items", "second views", "other sides")


def sample_positions(items: int, count: int, seed: int) -> np.ndarray:
    """Positions of at most `count` of so many training items, rising: the same ones whenever they are asked for."""
    drawn = np.random.default_rng([seed, _STREAM]).permutation(items)[:count]
    return np.sort(drawn)


@torch.no_grad()
def training_snapshot(run: Run, count: int = 500) -> Snapshot:
    """A snapshot of a sample of training items with the labels the run sees; `item` is the position in training.

    Scores, masks and weights are those of the sample as one batch, by the run's pairing. Pairs that the run's mask
    leaves out have weight 0. The run goes on as if nobody had looked.
    """
    data = run.data
    chosen = sample_positions(len(data.train), count, run.config.seed)
    at = torch.from_numpy(chosen).to(run.device)
    x, known = run.feed.known(at)
    z = run.encoder(x)
    if run.config.pairing == "towers":
        items, others = sides(Embeddings(z, known.y, known.instance, known.sample, known.graded))
    else:
        items, others = Embeddings(z, known.y, None, at), None
    pairs = score(items, others)
    lens, refused = None, False
    if run.objective.spec.reads == "scores" and not run.config.methods:
        anchors, candidates, kind = items, others, _KINDS[2] if others is not None else _KINDS[0]
        if run.config.pairing == "views" and not run.objective.spec.one_tower:
            anchors, candidates, kind = *_views(run, chosen, items.y), _KINDS[1]
        lens = look(run.objective, anchors, candidates, kind)
        refused = lens is None
    reason = no_weight_reason(run.objective, refused=refused) or _of_methods(run)
    return Snapshot(
        s=pairs.s.cpu().numpy(),
        pos=pairs.pos.cpu().numpy(),
        neg=pairs.neg.cpu().numpy(),
        weight=None if lens is None else lens.weight,
        z=items.z.cpu().numpy(),
        y=data.y[chosen],
        item=chosen,
        seen=np.ones(len(chosen), bool),
        step=run.step,
        label=run.label,
        trace=run.trace.view(),
        config=run.config,
        levels={},
        lens=lens,
        why_no_weight=reason,
        why_no_unseen="training items are of trained classes",
        other=None if others is None else others.z.cpu().numpy(),
    )


def _of_methods(run: Run) -> str:
    return run.chain.no_weight_reason("other pairs") if run.config.methods else ""


def _views(run: Run, chosen: np.ndarray, y: torch.Tensor) -> tuple[Embeddings, Embeddings]:
    rows = torch.from_numpy(run.data.train[chosen]).to(run.device)
    instance, sample = torch.arange(len(y), device=run.device), torch.from_numpy(chosen).to(run.device)
    first, second = (Embeddings(run.encoder(view), y, instance, sample) for view in run.feed.views(rows))
    return first, second
