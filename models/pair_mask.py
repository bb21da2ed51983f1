"""Pairs of training items that are left out: neither positive nor negative, whatever labels or views say."""

from dataclasses import replace

import torch
from jaxtyping import Int
from torch import Tensor

from models.geometry import Embeddings, Scores
from models.pair_code import decode_pairs


class PairMask:
    """Takes pairs out of both masks of the scores of a training batch; what is no training item is left alone."""

    def __init__(self, text: str, samples: int, device: torch.device) -> None:
        """text: see `pair_code`; ids are positions in the training set, of `samples` items.

        Raises ValueError if one is beyond it.
        """
        pairs = decode_pairs(text)
        beyond = [item for pair in pairs for item in pair if item >= samples]
        if beyond:
            raise ValueError(f"the mask names training item {beyond[0]}, but there are {samples}: it is of other data")
        codes = sorted({a * samples + b for pair in pairs for a, b in (pair, pair[::-1])})
        self._codes: Int[Tensor, " k"] = torch.tensor(codes, dtype=torch.long, device=device)
        self._samples = samples

    def without(self, scores: Scores, anchors: Embeddings, candidates: Embeddings | None) -> Scores:
        """The same scores with the pairs left out of both masks."""
        other = anchors if candidates is None else candidates
        if anchors.sample is None or other.sample is None:
            return scores
        code = anchors.sample[:, None] * self._samples + other.sample[None, :]  # (n, m)
        place = torch.searchsorted(self._codes, code).clamp(max=len(self._codes) - 1)
        counted = self._codes[place] != code
        return replace(scores, pos=scores.pos & counted, neg=scores.neg & counted)


def mask_of(text: str, samples: int, device: torch.device) -> PairMask | None:
    """The mask of a text; None where it leaves nothing out."""
    return PairMask(text, samples, device) if text else None
