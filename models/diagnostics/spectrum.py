"""The singular spectrum of an embedding: how many directions it really uses."""

import numpy as np
from jaxtyping import Float

from models.diagnostics.summary import Spectrum


def spectrum(u: Float[np.ndarray, "n d"]) -> Spectrum:
    """Singular values of the centred rows divided by sqrt(n), and their effective rank."""
    n, d = u.shape
    singular = np.zeros(d)
    if n > 0:
        centred = u.astype(np.float64) - u.mean(axis=0, dtype=np.float64)
        found = np.linalg.svd(centred, compute_uv=False) / np.sqrt(n)
        singular[: len(found)] = found
    return Spectrum(singular, effective_rank(singular**2, u.dtype))


def effective_rank(variance: Float[np.ndarray, " d"], dtype: np.dtype) -> float:
    """exp(-sum p log p) of p = variance / sum (Roy and Vetterli 2007, on variances): d if even, 1 if one direction.

    nan for a point: variance that rounding of unit rows in their dtype could have made is none.
    """
    floor = np.finfo(dtype).eps ** 2 * len(variance)
    kept = variance[variance > floor]
    if len(kept) == 0:
        return float("nan")
    share = kept / kept.sum()
    return float(np.exp(-(share * np.log(share)).sum()))


def rank_of(u: Float[np.ndarray, "n d"]) -> float:
    """The effective rank alone, from the d x d covariance: the light way where no spectrum is drawn."""
    if len(u) == 0:
        return float("nan")
    centred = u.astype(np.float64) - u.mean(axis=0, dtype=np.float64)
    return effective_rank(np.linalg.eigvalsh(centred.T @ centred / len(u)), u.dtype)
