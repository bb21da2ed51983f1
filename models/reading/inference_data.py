"""In the reading process: rows or pictures that a model shall embed, and the labels beside them."""

from typing import IO, Any

from numpy.typing import NDArray

from models.reading import matrices, pictures
from models.reading.refused import Limits, Notes


def read(
    file: IO[bytes], source: tuple[str, str, int], limits: Limits, notes: Notes
) -> tuple[NDArray[Any], matrices.Values | None]:
    """Rows (n, ...) for the model, and labels."""
    name, kind, length = source
    if kind == ".zip":
        found = pictures.task([file], {"sources": [[name, kind, length]], "folders": False}, limits)[1]
        pixels: NDArray[Any] = found["pixels"]
        classes = found["classes"]
        return pixels, classes if all(classes) else None
    if kind == ".npy":
        array = matrices.whole(file, name, length)
        return array, None
    every = matrices.candidates(file, kind, name, length, limits, notes)
    images = {key: array for key, array in every.items() if not isinstance(array, list) and array.ndim in (3, 4)}
    if len(images) == 1 and not any(not isinstance(a, list) and a.ndim == 2 for a in every.values()):
        key, array = next(iter(images.items()))
    else:
        key, array = matrices.chosen(every, "")
    return array, matrices.labels_beside(every, key, notes)
