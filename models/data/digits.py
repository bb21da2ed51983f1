"""Handwritten digits, 1,797 pictures of 8 x 8: small enough that every step is instant, real enough to mislead."""

import numpy as np

from models.data_common import Source
from models.spec import DataSpec

SPEC = DataSpec(
    key="digits",
    name="Handwritten digits",
    kind="image",
    teaches="Easy classes: almost any loss separates them, so look at how it does, not whether.",
    source="scikit-learn load_digits (test part of the UCI optical recognition set)",
    licence="BSD-3-Clause package; data CC BY 4.0",
)


def load() -> Source:
    """All 1,797 digits, brightness scaled to [0, 1]; shape (1, 8, 8)."""
    # Imported here: the catalogue imports every data module, and this one takes a second.
    from sklearn.datasets import load_digits

    bunch = load_digits()
    x = (bunch.images / 16.0).astype(np.float32)[:, None]
    return Source(x, bunch.target.astype(np.int64), tuple(str(k) for k in range(10)))
