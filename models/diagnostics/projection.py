"""Embeddings in two dimensions: PCA in a frame that is kept, and UMAP started from the previous layout."""

import warnings
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from models.diagnostics.items import unit_rows
from models.diagnostics.order import ranking

_NEIGHBOURS = 15
_EPOCHS, _WARM_EPOCHS, _WARM_RATE = 100, 30, 0.25


@dataclass(frozen=True, eq=False)
class Frame:
    """A point and two directions of the embedding space: whoever keeps it sees points move and not the camera."""

    mean: Float[np.ndarray, " d"]
    axes: Float[np.ndarray, "d 2"]  # orthonormal columns; a column of zeros where there is no second direction


def pca_frame(z: Float[np.ndarray, "n d"], previous: Frame | None = None) -> Frame:
    """The two directions of largest variance of the unit rows.

    With a previous frame the axes are turned and mirrored within their plane so that the rows, centred, land as near as
    possible to where the previous frame puts them (orthogonal Procrustes); else each axis points to its largest entry.
    Raises ValueError if the previous frame has another number of dimensions.
    """
    u = unit_rows(z).astype(np.float64)
    mean = u.mean(axis=0) if len(u) else np.zeros(u.shape[1])
    axes = np.zeros((u.shape[1], 2))
    if len(u):
        _, _, directions = np.linalg.svd(u - mean, full_matrices=False)
        axes[:, : min(2, len(directions))] = directions[:2].T
    if previous is not None:
        if len(previous.mean) != z.shape[1]:
            raise ValueError(
                f"the frame has {len(previous.mean)} dimensions, the embeddings {z.shape[1]}: fit a new one"
            )
        return Frame(mean, axes @ _turn((u - mean) @ axes, (u - mean) @ previous.axes))
    largest = axes[np.abs(axes).argmax(axis=0), [0, 1]]
    return Frame(mean, axes * np.where(largest < 0, -1.0, 1.0))


def project(z: Float[np.ndarray, "n d"], frame: Frame) -> Float[np.ndarray, "n 2"]:
    """Unit rows of z as the frame sees them."""
    return np.asarray((unit_rows(z).astype(np.float64) - frame.mean) @ frame.axes)


def align(xy: Float[np.ndarray, "n 2"], reference: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
    """xy turned, mirrored and shifted, never scaled, to lie as near as possible to the reference, row by row."""
    if len(xy) == 0:
        return xy
    centred, target = xy - xy.mean(axis=0), reference - reference.mean(axis=0)
    return np.asarray(centred @ _turn(centred, target) + reference.mean(axis=0))


def _turn(xy: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """The 2 x 2 rotation or reflection R that minimises ||xy R - reference|| (Schönemann 1966)."""
    left, _, right = np.linalg.svd(xy.T @ reference)
    turned: np.ndarray = left @ right
    return turned


def umap_layout(
    z: Float[np.ndarray, "n d"], previous: Float[np.ndarray, "n 2"] | None = None
) -> Float[np.ndarray, "n 2"]:
    """UMAP of the unit rows; from a previous layout of the same items it takes a third of the epochs and stays near it.

    Neighbours are exact, from one matrix product. Fewer than five items are too few for a graph: they get PCA.
    """
    if len(z) < 5:
        xy = project(z, pca_frame(z))
        return xy if previous is None else align(xy, previous)
    with warnings.catch_warnings():
        # Neither the parametric variant nor placing new items is used here.
        warnings.filterwarnings("ignore", "Tensorflow not installed", ImportWarning)
        warnings.filterwarnings("ignore", "precomputed_knn", UserWarning)
        xy = _umap(z, previous)
    return xy if previous is None else align(xy, previous)


def _umap(z: np.ndarray, previous: np.ndarray | None) -> np.ndarray:
    # umap-learn compiles for seconds when imported, and many sessions never ask for it.
    from umap import UMAP

    warm = previous is not None
    k = min(_NEIGHBOURS, len(z) - 1)
    layout = UMAP(
        n_neighbors=k,
        precomputed_knn=_exact_neighbours(z, k),
        init=np.asarray(previous, np.float32) if warm else "pca",
        n_epochs=_WARM_EPOCHS if warm else _EPOCHS,
        learning_rate=_WARM_RATE if warm else 1.0,
        random_state=0,
        n_jobs=1,
    ).fit_transform(unit_rows(z).astype(np.float32))
    return np.asarray(layout, np.float64)


def _exact_neighbours(z: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray, None]:
    """Each row's k nearest, itself first, and their Euclidean distances between unit rows."""
    u = unit_rows(z).astype(np.float32)
    distance = _distance(u)
    np.fill_diagonal(distance, -1.0)  # itself first, before its copies
    index = ranking(-distance, k)
    near = np.maximum(np.take_along_axis(distance, index, axis=1), 0.0)
    return index.astype(np.int32), near, None


def _distance(x: np.ndarray) -> np.ndarray:
    size = np.einsum("ij,ij->i", x, x)
    distance: np.ndarray = np.sqrt(np.maximum(size[:, None] + size[None, :] - 2.0 * (x @ x.T), 0.0))
    return distance


def trustworthiness(z: Float[np.ndarray, "n d"], xy: Float[np.ndarray, "n 2"], k: int = 10) -> float:
    """How far neighbours in the picture are neighbours in the space of unit rows, in [0, 1] (Venna and Kaski 2001).

    1 - 2 / (n k (2n - 3k - 1)) sum_i sum_{j among the k nearest of i in xy} max(0, rank of j from i - k). Exact: only
    the ranks of those n k pairs are counted. nan where the formula has no meaning, that is for n <= 2k.
    """
    n = len(z)
    if n <= 2 * k:
        return float("nan")
    far, flat = _distance(unit_rows(z)), _distance((xy - xy.mean(axis=0)).astype(np.float32))
    for matrix in (far, flat):
        np.fill_diagonal(matrix, np.inf)
    excess = 0
    for own in np.take_along_axis(far, ranking(-flat, k), axis=1).T:
        nearer = (far < own[:, None]).sum(axis=1, dtype=np.int32)
        excess += int(np.maximum(nearer + 1 - k, 0).sum())
    return 1.0 - 2.0 * excess / (n * k * (2 * n - 3 * k - 1))
