"""Shapes of data, in words, and the losses that each can be used with."""

from collections.abc import Callable

from models.spec import LossSpec

Fits = Callable[[LossSpec], bool]


def _labels(spec: LossSpec) -> bool:
    return spec.target == "class"


def _pairs(spec: LossSpec) -> bool:
    """Without labels: proxies and logits need classes to be of, and episodes several items of a class."""
    return spec.reads == "scores" and not spec.one_tower


SHAPES: dict[str, tuple[str, Fits]] = {
    "labels": ("Items with class labels", _labels),
    "views": ("Two views of each item, no labels", _pairs),
    "towers": ("Queries and documents (two towers)", _pairs),
    "graded": ("Pairs with a graded similarity", lambda spec: spec.graded),
    "binary": (
        "Items of two classes",
        lambda spec: spec.target == "binary" or (spec.target == "class" and spec.fewest_classes <= 2),
    ),
    "multilabel": ("Items with several labels each", lambda spec: spec.target == "multilabel"),
    "real": ("Items with a number to predict", lambda spec: spec.target == "real"),
    "preference": ("Answers, the better of two known", lambda spec: spec.target == "preference"),
}


def shapes_of(spec: LossSpec) -> tuple[str, ...]:
    """The keys of SHAPES that a loss can be used with."""
    return tuple(shape for shape, (_, test) in SHAPES.items() if test(spec))
