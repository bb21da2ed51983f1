"""Pairs of training items that are left out: neither positive nor negative, whatever labels or views say."""

from dataclasses import replace

import torch
from jaxtyping import Int
from torch import Tensor

from models.geometry import Embeddings, Scores
from models.pair_code import MOST, decode_pairs, encode_pairs


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


def checked(text: object) -> str:
    """A mask's text in its one canonical form, each pair once; raises ValueError saying what is wrong with it."""
    if not isinstance(text, str):
        raise ValueError(f"mask.pairs must be text such as 1c_2f.2a_3, got {text!r}")
    pairs = {(min(pair), max(pair)) for pair in decode_pairs(text)}
    alone = [a for a, b in pairs if a == b]
    if alone:
        raise ValueError(f"mask.pairs pairs item {alone[0]} with itself: a mask leaves out pairs of two items")
    if len(pairs) > MOST:
        raise ValueError(f"mask.pairs holds {len(pairs)} pairs, at most {MOST} can be left out: mask the worst of them")
    return encode_pairs(pairs)
