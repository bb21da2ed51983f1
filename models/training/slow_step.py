"""Take one real step of a run, and tell of every phase of it."""

from dataclasses import replace
from math import isfinite

import numpy as np
import torch
from torch import Tensor

from models.diagnostics.slow_step import SHOWN, SlowStep
from models.geometry import Embeddings, Scores
from models.sensitivity import value_and_weights
from models.training.run import Run
from models.training.towers import sides


def slow_step(run: Run, shown: int = SHOWN) -> SlowStep:
    """Measure the next batch, train the step, and measure again: the run goes on as if it had been a usual step.

    shown: rows of the batch to keep; of two views or sides, both of the same items. Raises ValueError, with the run as
    it was, if the step would not be finite.
    """
    run._apply_events(run.config)  # a knob that changes at this very step counts for it
    number = run.step
    x, known = run.feed.batch(number)
    kept = {name: t.clone() for name, t in run.objective.state_dict().items()}
    kept_methods = {name: t.clone() for name, t in run.chain.state_dict().items()}
    with torch.random.fork_rng(devices=[]):  # what is drawn here, the step draws again
        batch = replace(known, z=run.encoder(x).detach().requires_grad_())
        value = run.chain.loss(batch, x, number)
        (gradient,) = torch.autograd.grad(value, batch.z, allow_unused=True)
    loss = float(value.detach())
    gradient = torch.zeros_like(batch.z) if gradient is None else gradient
    run.objective.load_state_dict(kept)
    run.chain.load_state_dict(kept_methods)
    if not isfinite(loss) or not bool(torch.isfinite(gradient).all()):
        raise ValueError(f"step {number} is not finite: lower the learning rate, or go back to a checkpoint")
    split = _split(run, batch)
    run.objective.load_state_dict(kept)
    run.advance(1)
    with torch.no_grad():
        after = run.encoder(x)
    return _told(run, batch, loss, _Parts(gradient, after, split), _rows(run, len(batch.y), shown))


class _Split:
    """What the loss read, the weights it gave, and both parts of the gradient."""

    def __init__(self, scores: Scores, weight: Tensor, z: Tensor) -> None:
        self.scores, self.weight = scores, weight
        self.pull, self.push = (
            torch.autograd.grad(scores.s, z, part, retain_graph=True)[0]
            for part in (weight.clamp(max=0.0), weight.clamp(min=0.0))
        )


class _Parts:
    def __init__(self, gradient: Tensor, after: Tensor, split: _Split | None) -> None:
        self.gradient, self.after, self.split = gradient, after, split


def _split(run: Run, batch: Embeddings) -> _Split | None:
    """None where methods stand before the loss, or it reads the embeddings themselves."""
    if run.config.methods:
        return None
    across = run.config.pairing == "towers" and run.objective.spec.reads == "scores"
    parts = sides(batch) if across else (batch,)
    with torch.enable_grad(), torch.random.fork_rng(devices=[]):
        scores = run.objective.view(*parts)
        if scores is None:
            return None
        _, weight = value_and_weights(lambda given: run.objective.read(given, parts[0]), scores)
        return _Split(scores, weight, batch.z)


def _rows(run: Run, rows: int, shown: int) -> np.ndarray:
    """Rows to show: the first ones, or both views or sides of the first items."""
    if run.config.pairing == "label" or rows <= shown:
        return np.arange(min(rows, shown))
    first = np.arange(shown // 2)
    return np.concatenate([first, rows // 2 + first])


def _told(run: Run, batch: Embeddings, loss: float, parts: _Parts, rows: np.ndarray) -> SlowStep:
    split, n = parts.split, len(batch.y)
    pull = push = s = pos = neg = weight = None
    if split is not None:
        pull, push = split.pull.cpu().numpy()[rows], split.push.cpu().numpy()[rows]
        height, width = split.scores.s.shape
        anchors = rows[: len(rows) // 2] if height == n // 2 and height != n else rows
        columns = anchors if width in (n, n // 2) and width == height else np.arange(min(width, SHOWN))
        square = np.ix_(anchors, columns)
        s, pos, neg, weight = (
            t.detach().cpu().numpy()[square] for t in (split.scores.s, split.scores.pos, split.scores.neg, split.weight)
        )
    sample = np.arange(n) if batch.sample is None else batch.sample.cpu().numpy()
    reason = ""
    if split is None:
        reason = (
            "methods change what this loss reads" if run.config.methods else "this loss reads embeddings, not scores"
        )
    return SlowStep(
        run.step - 1, loss, n, run.data.train[sample[rows]], batch.y.cpu().numpy()[rows],
        batch.z.detach().cpu().numpy()[rows], parts.after.cpu().numpy()[rows], parts.gradient.cpu().numpy()[rows],
        pull, push, s, pos, neg, weight, reason,
    )  # fmt: skip
