"""How the losses of a mixture work with and against one another: lengths, angles, and where they cancel."""

import numpy as np
from jaxtyping import Float

from models.diagnostics.summary import MixtureProfile
from models.diagnostics.weights import binned, score_edges
from models.snapshot import Lens, Snapshot

CANCELS = 0.5  # share of the weight that is lost, from which a bin belongs to a band


def mixture_profile(snapshot: Snapshot) -> MixtureProfile | None:
    """The profile of the probe; None where the loss is no mixture."""
    terms = snapshot.terms
    if terms is None:
        return None
    gradient = np.empty((len(terms.names), 0)) if terms.gradient is None else _flat(terms.gradient)
    lens = snapshot.lens
    weights = np.empty((len(terms.names), 0)) if lens is None or lens.terms is None else _flat(lens.terms)
    centre, pull, push, half = _binned(lens, len(terms.names))
    pull_lost, push_lost = lost(pull), lost(push)
    return MixtureProfile(
        names=terms.names,
        coefficient=terms.coefficient,
        norm=norms(gradient),
        cosine=cosines(gradient),
        lost=lost_of_vectors(gradient),
        pair_norm=norms(weights),
        pair_cosine=cosines(weights),
        centre=centre,
        pull=pull,
        push=push,
        pull_lost=pull_lost,
        push_lost=push_lost,
        pull_band=band(pull_lost, centre, half),
        push_band=band(push_lost, centre, half),
    )


def norms(vectors: Float[np.ndarray, "t k"]) -> Float[np.ndarray, " t"]:
    """Euclidean length of each; nan where there is nothing to measure."""
    if vectors.shape[1] == 0:
        return np.full(len(vectors), np.nan)
    length: np.ndarray = np.sqrt((vectors**2).sum(axis=1))
    return length


def cosines(vectors: Float[np.ndarray, "t k"]) -> Float[np.ndarray, "t t"]:
    """Cosine of every two; nan where one of them is 0."""
    length = norms(vectors)
    product = length[:, None] * length[None, :]
    found: np.ndarray = np.divide(vectors @ vectors.T, product, out=np.full(product.shape, np.nan), where=product > 0)
    return np.asarray(found.clip(-1.0, 1.0))


def lost_of_vectors(vectors: Float[np.ndarray, "t k"]) -> float:
    """1 - |sum| / sum of lengths, in [0, 1]; nan where all are 0."""
    whole = norms(vectors).sum()
    return float(np.clip(1.0 - norms(vectors.sum(axis=0, keepdims=True))[0] / whole, 0.0, 1.0)) if whole > 0 else np.nan


def lost(means: Float[np.ndarray, "t b"]) -> Float[np.ndarray, " b"]:
    """The same of the signed numbers of each bin: 1 - |sum| / sum of sizes; nan where a bin is empty or all are 0."""
    whole = np.abs(means).sum(axis=0)
    kept = np.divide(np.abs(means.sum(axis=0)), whole, out=np.full(whole.shape, np.nan), where=whole > 0)
    return np.asarray((1.0 - kept).clip(0.0, 1.0))


def band(share: Float[np.ndarray, " b"], centre: Float[np.ndarray, " b"], half: float) -> Float[np.ndarray, " ends"]:
    """Ends of the widest run of neighbouring bins that lose at least CANCELS; the lower of two equal; empty if none.

    half: half the width of a bin, by which the ends lie outside the middles of the first and last bin.
    """
    inside = np.concatenate([[False], np.nan_to_num(share) >= CANCELS, [False]])
    start = np.flatnonzero(inside[1:] & ~inside[:-1])
    end = np.flatnonzero(~inside[1:] & inside[:-1])
    if len(start) == 0:
        return np.empty(0)
    widest = int((end - start).argmax())
    return np.array([centre[start[widest]] - half, centre[end[widest] - 1] + half])


def _flat(arrays: np.ndarray) -> Float[np.ndarray, "t k"]:
    """One row a term, in double precision: squares of small weights would vanish."""
    return arrays.reshape(len(arrays), -1).astype(np.float64)


def _binned(lens: Lens | None, terms: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Middles of the score bins, mean weights of positives and of negatives (t, bins), half the width of a bin."""
    if lens is None or lens.terms is None:
        return np.empty(0), np.empty((terms, 0)), np.empty((terms, 0)), 0.0
    edges = score_edges(lens.s, lens.candidates)
    pull, push = (
        np.stack([binned(lens.s[mask], weight[mask], edges).mean for weight in lens.terms])
        for mask in (lens.pos, lens.neg)
    )
    return (edges[1:] + edges[:-1]) / 2, pull, push, float(edges[1] - edges[0]) / 2
