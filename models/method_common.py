"""What every method shares: the moment it works in, the pool it changes, and the hooks it may fill."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from torch import Tensor, nn

from models.geometry import Embeddings, Scores, unit
from models.spec import Counts


@dataclass(frozen=True, eq=False)
class Step:
    """One batch on its way to the loss. All chance comes from rng, which depends on seed, step and method alone."""

    number: int  # training steps done before this one
    x: Tensor  # (n, ...) what the encoder read; of two views, the first of every item and then the second
    encoder: nn.Module
    head: nn.Module | None  # from embedding to class logits, where the loss reads logits
    rng: np.random.Generator
    training: bool  # False: the probe is being measured, and nothing may be remembered


@dataclass(frozen=True, eq=False)
class Pool:
    """What a loss is about to read: anchors in rows, candidates in columns; None: the anchors themselves.

    scores is None before a loss that reads embeddings.
    """

    anchors: Embeddings
    candidates: Embeddings | None
    scores: Scores | None

    @property
    def others(self) -> Embeddings:
        """The rows that the columns of the scores stand for."""
        return self.anchors if self.candidates is None else self.candidates

    @property
    def pairs(self) -> Scores:
        """The scores, for methods that stand before losses that read them."""
        assert self.scores is not None, "this method stands before losses that read scores"
        return self.scores

    def moved(self, z: Float[Tensor, "n d"], others: Float[Tensor, "m d"]) -> "Pool":
        """The same pairs with other rows, scored anew; without candidates both are rows of the anchors."""
        anchors = replace(self.anchors, z=z)
        candidates = None if self.candidates is None else replace(self.candidates, z=others)
        scores = None if self.scores is None else replace(self.scores, s=unit(z) @ unit(others).T)
        return Pool(anchors, candidates, scores)


class Hooks(nn.Module):
    """A method that does nothing; each file in `methods` overrides what it needs. Its tensors are kept with the run.

    Parameters are trained along with the encoder unless they ask for no gradient.
    """

    def start(self, encoder: nn.Module) -> None:
        """Once, when the encoder has its initial weights."""

    def change(self, pool: Pool, step: Step) -> list[Pool]:
        """What the loss shall read instead; of several pools, it reads each and adds the values."""
        return [pool]

    def penalty(self, pool: Pool, step: Step) -> Tensor | None:
        """A term to add to the loss, in training only; pool is what came to this method."""
        return None

    def after(self, step: Step) -> None:
        """Once the optimiser has moved the weights."""

    def counts(self, batch: Embeddings) -> Counts | None:
        """Positives and negatives of each anchor with this method; None: reference levels have no meaning with it."""
        return None
