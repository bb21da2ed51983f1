"""Gaussian clusters in groups: the one set whose truth is known in closed form."""

import numpy as np

from models.data_common import Source
from models.spec import DataSpec, Knob

SPEC = DataSpec(
    key="clusters",
    name="Clusters",
    kind="points",
    teaches="You made the truth: watch what flips, imbalance and duplicates do to a geometry that is known.",
    source="generated here: class centres around group centres, normal noise",
    licence="Apache-2.0",
    knobs=(
        Knob("classes", 10, 2, 60, help="Clusters."),
        Knob("groups", 3, 1, 20, help="Groups of clusters; class k belongs to group k modulo this."),
        Knob("items", 120, 10, 2000, help="Items of each class."),
        Knob("features", 16, 2, 128, help="Numbers that describe an item."),
        Knob("hierarchy", 0.6, 0.0, 0.99, help="Share of a centre that its group decides; 0: no groups."),
        Knob("spread", 0.6, 0.01, 3.0, log=True, help="Root mean square distance of an item from its centre."),
    ),
)
_SEED = 20_240_103


def load(
    *,
    classes: int = 10,
    groups: int = 3,
    items: int = 120,
    features: int = 16,
    hierarchy: float = 0.6,
    spread: float = 0.6,
) -> Source:
    """Items x = sqrt(h) G + sqrt(1 - h) C + spread E, with G, C, E normal of mean squared length 1.

    Shape (features,). So the mean squared distance of two items is 2 spread^2 within a class, 2 (1 - h) more within
    a group and 2 more between groups. A cluster keeps its centre when the number of classes or of items changes.
    """
    centre, member, noise = (np.random.default_rng([_SEED, stream]) for stream in range(3))
    length = np.sqrt(features)
    group_centre = centre.standard_normal((groups, features)) / length
    class_centre = member.standard_normal((classes, features)) / length
    group = np.arange(classes) % groups
    centres = np.sqrt(hierarchy) * group_centre[group] + np.sqrt(1 - hierarchy) * class_centre
    y = np.repeat(np.arange(classes), items)
    x = centres[y] + spread * noise.standard_normal((len(y), features)) / length
    return Source(x.astype(np.float32), y, tuple(_name(k, groups) for k in range(classes)))


def _name(k: int, groups: int) -> str:
    """Group letter and number in the group: A1, B1, C1, A2, ..."""
    return f"{chr(ord('A') + k % groups)}{k // groups + 1}"
