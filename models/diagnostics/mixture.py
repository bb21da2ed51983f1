"""How the losses of a mixture work with and against one another: lengths, angles, and where they cancel."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float

from models.diagnostics.summary import MixtureProfile, Summary
from models.diagnostics.weights import binned, score_edges
from models.snapshot import Lens, Snapshot, Terms

CANCELS = 0.5  # share of the weight that is lost, from which a bin belongs to a band
AGAINST = 0.0  # cosine of two gradients below which their terms work against each other
_NORM, _COSINE, _LOST = "term_norm", "term_cosine", "terms_lost"  # names of what a run logs of its terms


@dataclass(frozen=True, eq=False)
class Course:
    """What was logged of the terms of a mixture over the steps, and the present; nan: not defined."""

    names: tuple[str, ...]  # (t,)
    pairs: tuple[tuple[int, int], ...]  # (p,) every two terms once, by place
    step: np.ndarray  # (k,) rising; empty where no gradient of a term can be measured
    norm: np.ndarray  # (t, k) length of each term's gradient at the embeddings of the probe, its weight included
    cosine: np.ndarray  # (p, k) between two of them
    lost: np.ndarray  # (k,) 1 - |sum of gradients| / sum of |gradients|

    @property
    def against(self) -> np.ndarray:
        """(k,) bool: where two terms work against each other, their cosine below AGAINST."""
        found: np.ndarray = (np.nan_to_num(self.cosine) < AGAINST).any(axis=0)
        return found


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


def term_measures(terms: Terms | None) -> dict[str, float]:
    """Lengths, angles and what is lost of the gradients of terms, by name, for the trace; none where there are none."""
    if terms is None or terms.gradient is None:
        return {}
    gradient = _flat(terms.gradient)
    length, angle = norms(gradient), cosines(gradient)
    found = {f"{_NORM}.{name}": float(value) for name, value in zip(terms.names, length, strict=True)}
    for a, b in combinations(range(len(terms.names)), 2):
        found[_pair(terms.names, a, b)] = float(angle[a, b])
    return found | {_LOST: lost_of_vectors(gradient)}


def course(summary: Summary) -> Course | None:
    """The terms over the steps, the present last; None where the loss is no mixture."""
    now = summary.mixture
    if now is None:
        return None
    pairs = tuple(combinations(range(len(now.names)), 2))
    logged = [f"{_NORM}.{name}" for name in now.names] + [_pair(now.names, a, b) for a, b in pairs] + [_LOST]
    present = [*now.norm, *(now.cosine[a, b] for a, b in pairs), now.lost]
    columns = [summary.curves.measured.get(name, np.empty(0)) for name in logged]
    rows = min(len(column) for column in columns)
    # A run that began before terms were logged has fewer rows of them: they are the last ones.
    step = summary.curves.measured_step[len(summary.curves.measured_step) - rows :]
    earlier = step < summary.step
    table = np.stack([column[len(column) - rows :] for column in columns])[:, earlier]
    step = step[earlier]
    if np.isfinite(now.norm).any():
        step, table = np.append(step, summary.step), np.column_stack([table, present])
    terms = len(now.names)
    return Course(now.names, pairs, step, table[:terms], table[terms:-1], table[-1])


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


def _pair(names: tuple[str, ...], a: int, b: int) -> str:
    return f"{_COSINE}.{names[a]}.{names[b]}"
