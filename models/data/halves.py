"""Left and right halves of a picture: the simplest pair of two sides, with a known grade of likeness."""

import numpy as np

from models.data_common import Source, centred_likeness
from models.spec import DataSpec, Knob

SPEC = DataSpec(
    key="halves",
    name="Picture halves",
    kind="image",
    side="image",
    teaches="Two sides of one thing: many halves fit nearly as well as the right one, and a graded target says so.",
    source="scikit-learn load_digits, or scikit-image lfw_subset, cut down the middle",
    licence="BSD-3-Clause packages; digits CC BY 4.0, faces from Labeled Faces in the Wild, for research",
    knobs=(
        Knob("picture", "digits", choices=("digits", "faces"), help="What is cut; faces are only two hundred."),
        Knob("mirror", False, choices=(True, False), help="Turn the right half over, so that both face one way."),
    ),
)


def load(*, picture: str = "digits", mirror: bool = False) -> Source:
    """Left half x and right half side of every picture; (1, 8, 4) each of digits, (1, 25, 12) of faces.

    The middle column of a picture of odd width is in neither half. Graded: cosine / 2 + 1/2 of the left halves' raw
    pixels, the mean half taken off. No frontness is known of either set (digits have none, these faces come without
    landmarks), and a picture is always wholly like itself, so a threshold on it selects every pair.
    """
    whole, y, classes = _faces() if picture == "faces" else _digits()
    width = whole.shape[2] // 2
    left, right = whole[:, None, :, :width], whole[:, None, :, -width:]
    return Source(
        np.ascontiguousarray(left),
        y,
        classes,
        images=whole,
        side=np.ascontiguousarray(right[..., ::-1] if mirror else right),
        graded=centred_likeness(left),
    )


def _digits() -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    # Imported here: the catalogue imports every data module, and this one takes a second.
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return (bunch.images / 16.0).astype(np.float32), bunch.target.astype(np.int64), tuple(str(k) for k in range(10))


def _faces() -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    # Imported here: only a run on faces needs the package.
    from skimage.data import lfw_subset

    return lfw_subset().astype(np.float32), np.repeat(np.array([1, 0], np.int64), 100), ("no face", "face")
