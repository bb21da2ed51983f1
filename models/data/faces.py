"""Two hundred pictures of 25 x 25, half of them faces: two classes and very few items."""

import numpy as np

from models.data_common import Source
from models.spec import DataSpec

SPEC = DataSpec(
    key="faces",
    name="Faces",
    kind="image",
    teaches="Very little data: the training pairs are learnt by heart long before the probe agrees.",
    source="scikit-image lfw_subset (Labeled Faces in the Wild, 100 faces and 100 other crops)",
    licence="BSD-3-Clause package; pictures from Labeled Faces in the Wild, for research",
)


def load() -> Source:
    """All 200 pictures in [0, 1], the first hundred are faces; shape (1, 25, 25). There are no identities."""
    # Imported here: the catalogue imports every data module, and only a run on this set needs the package.
    from skimage.data import lfw_subset

    x = lfw_subset().astype(np.float32)[:, None]
    y = np.repeat(np.array([1, 0], np.int64), 100)
    return Source(x, y, ("no face", "face"))
