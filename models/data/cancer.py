"""Breast cancer: 569 tumours by thirty measurements, benign or malignant."""

import numpy as np

from models.data_common import Source
from models.spec import DataSpec

SPEC = DataSpec(
    key="cancer",
    name="Breast cancer",
    kind="points",
    teaches="Two classes, one of which must not be missed: raise the imbalance and compare F1, not accuracy.",
    source="scikit-learn load_breast_cancer (Wisconsin diagnostic set of the UCI repository)",
    licence="BSD-3-Clause package; data CC BY 4.0",
)


def load() -> Source:
    """All 569 tumours, each measurement scaled to mean 0 and variance 1; shape (30,).

    Class 1 is malignant, 212 of them: the smaller class, which grows rarer with the knob imbalance.
    """
    # Imported here: the catalogue imports every data module, and this one takes a second.
    from sklearn.datasets import load_breast_cancer

    bunch = load_breast_cancer()
    x = (bunch.data - bunch.data.mean(axis=0)) / bunch.data.std(axis=0)
    return Source(x.astype(np.float32), 1 - bunch.target.astype(np.int64), ("benign", "malignant"))
