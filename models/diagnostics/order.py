"""Orders that sort fast and break ties by index: float32 numbers as integers that sort alike."""

import numpy as np
from jaxtyping import Float, Float32, Int, Int32

_MAGNITUDE = np.int32(0x7FFFFFFF)


def sortable(x: Float32[np.ndarray, "*shape"]) -> Int32[np.ndarray, "*shape"]:
    """Integers in the order of the numbers, equal where the numbers are equal (0 and -0 too); no nan."""
    bits = (x + np.float32(0.0)).view(np.int32)  # -0 + 0 = 0
    return bits ^ ((bits >> 31) & _MAGNITUDE)


def unsortable(bits: Int32[np.ndarray, "*shape"]) -> Float32[np.ndarray, "*shape"]:
    """The inverse of `sortable`."""
    restored: np.ndarray = (bits ^ ((bits >> 31) & _MAGNITUDE)).view(np.float32)
    return restored


def ranking(s: Float[np.ndarray, "n m"], top: int | None = None) -> Int[np.ndarray, "n k"]:
    """Columns of each row by falling score, ties by index; only the first `top` of them where that is given.

    float32 scores are packed with their index into one integer: sorting those takes a tenth of a stable argsort.
    """
    if s.dtype != np.float32:
        return np.argsort(-s, axis=1, kind="stable")[:, :top]
    key = ((~sortable(s)).astype(np.int64) << 32) | np.arange(s.shape[1])
    if top is not None and top < s.shape[1]:
        key = np.partition(key, top - 1, axis=1)[:, :top]
    return np.sort(key, axis=1) & 0xFFFFFFFF
