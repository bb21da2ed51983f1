"""Ten drawn shapes as signals of 40 samples, stretched, shifted, sheared and noised: generated in any size."""

import random

import numpy as np

from models.data_common import Source
from models.spec import DataSpec, Knob

SPEC = DataSpec(
    key="mnist1d",
    name="MNIST-1D signals",
    kind="signal",
    teaches="Position is noise here: a convolution that ignores it beats an MLP that learns it by heart.",
    source="mnist1d make_dataset (Greydanus and Kobak, Scaling Down Deep Learning with MNIST-1D)",
    licence="Apache-2.0",
    knobs=(
        Knob("items", 2000, 200, 10000, help="Signals, a tenth in each class."),
        Knob("noise", 0.25, 0.0, 2.0, help="Standard deviation of the smooth noise beside the shape."),
        Knob("translation", 48, 1, 48, help="Shapes start anywhere in this many of 72 places; 1: always at the same."),
    ),
)
_SEED = 42


def load(*, items: int = 2000, noise: float = 0.25, translation: int = 48) -> Source:
    """The signals, together of mean 0 and standard deviation 1; shape (1, 40). `items` is rounded down to tens."""
    # Imported here: it pulls in matplotlib, a second that only a run on this set should pay.
    from mnist1d.data import get_dataset_args, make_dataset

    args = get_dataset_args()
    args.num_samples, args.seed = items, _SEED
    args.corr_noise_scale, args.max_translation = noise, translation
    # The generator seeds Python's and NumPy's global generators: give both back as they were.
    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        made = make_dataset(args)
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002
    x = np.concatenate([made["x"], made["x_test"]]).astype(np.float32)[:, None]
    y = np.concatenate([made["y"], made["y_test"]]).astype(np.int64)
    return Source(x, y, tuple(f"shape {k}" for k in range(10)))
