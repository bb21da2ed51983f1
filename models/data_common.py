"""What every data set shares: the items it hands over, and the knobs that spoil it on purpose."""

from dataclasses import dataclass, field

import numpy as np

from models.spec import Knob

CORRUPTION = (
    Knob("label_flips", 0.0, 0.0, 0.9, help="Share of training items whose label is replaced by another class."),
    Knob(
        "imbalance",
        1.0,
        1.0,
        100.0,
        log=True,
        help="Largest training class over smallest, at least; 1 changes nothing.",
    ),
    Knob("duplicates", 0.0, 0.0, 0.5, help="Share of training items replaced by copies of others of their class."),
    Knob(
        "view_strength",
        0.5,
        0.0,
        1.0,
        help="How far a view strays from its item; of natural views, the share that is not the item itself.",
    ),
)


@dataclass(frozen=True, eq=False)
class Source:
    """A data set as its package ships it, before split and corruption; row i of every array is item i."""

    x: np.ndarray  # (N, *shape) float32, what the encoder reads
    y: np.ndarray  # (N,) int64, 0 .. classes-1
    classes: tuple[str, ...]
    views: np.ndarray | None = None  # (N, v, *shape) natural views, the first is x itself; None: views are augmented
    texts: tuple[str, ...] = field(default=())  # what to show of item i, where it is no picture
    images: np.ndarray | None = None  # (N, h, w) in [0, 1], what to show where x itself is no picture
    side: np.ndarray | None = None  # (N, *shape of its own) float32, the other side of item i, for pairing by towers
    pair: np.ndarray | None = None  # (N,) int64: sides of equal pair belong together; None: each item's own two alone
    ends: np.ndarray | None = (
        None  # (N, 2) int64: items are links of a graph, x one of the two nodes and side the other
    )
    types: np.ndarray | None = None  # (nodes,) int64 type of each node of that graph, which is the class of x's node
    graded: np.ndarray | None = (
        None  # (N, g) float32: how alike items i and j are is the product of their rows, in [0, 1]
    )
    # What is to be predicted, where it is more than the class: (N,) a number, or (N, c) of 0 and 1, labels that an item
    # carries. Items of one class have numbers near each other, or the same labels: classes still say which pairs count.
    target: np.ndarray | None = None
    # Answers to choose from; then a row of target is the better and the worse one's number, and the log-probability of
    # every answer under a reference policy that no run changes: (N, 2 + answers). 0: nothing is to be preferred.
    answers: int = 0
    turned: float = 0.0  # share of training items whose better and worse answer are exchanged, never of the probe
    # Classes at the end that no run trains on, for few-shot episodes of these; None: the last fifth, and no episodes.
    novel: int | None = None
    width: float = 0.0  # of the likeness of two numbers to predict, in their unit: see `number_likeness`; 0: not graded
    # What the set does to its training items, never to the probe; both speak of classes that are trained on.
    keep: np.ndarray | None = None  # (classes,) share of each class that is left, two items at least
    mistaken: np.ndarray | None = None  # (classes, classes) share of the row's class that is labelled the column's


def number_likeness(numbers: np.ndarray, width: float) -> np.ndarray:
    """Rows (n, g), as those of `Source.graded`, whose products are exp(-(y_i - y_j)^2 / (2 width^2)) of n numbers.

    The bell of a distance is the integral over c of exp(-(y_i - c)^2 / w^2) exp(-(y_j - c)^2 / w^2), up to a constant.
    A sum over places c half a width apart is that integral to eight digits, so few columns do: 4 a width. Numbers and
    width have one unit; ValueError if the width is not above 0.
    """
    if not width > 0:
        raise ValueError(f"width must be > 0, got {width:g}")
    step = width / 2
    # Beyond three widths from the last number nothing is left: exp(-9) squared.
    first, last = np.floor(numbers.min() / step) - 7, np.ceil(numbers.max() / step) + 7
    places = step * np.arange(first, last + 1)
    height = np.sqrt(step / width * np.sqrt(2.0 / np.pi))
    rows = height * np.exp(-(((numbers[:, None] - places) / width) ** 2))
    return np.asarray(rows, np.float32)


def centred_likeness(raw: np.ndarray) -> np.ndarray:
    """Rows, for `Source.graded`, whose products are cosine / 2 + 1/2 of the items with the mean item taken off.

    The cosine of two frozen embeddings, carried to [0, 1], is what CWCL grades pairs by (arXiv 2309.14580); raw items
    stand in for the embeddings. Uncentred, pictures of bright strokes on black would all be alike. A row of length 1
    with one more entry does it: (u, 1)(v, 1) / 2.
    """
    flat = raw.reshape(len(raw), -1).astype(np.float64)
    flat -= flat.mean(axis=0)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    rows = np.hstack([flat / np.where(length > 0, length, 1.0), np.ones((len(flat), 1))]) / np.sqrt(2.0)
    return np.asarray(rows, np.float32)
