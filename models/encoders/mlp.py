"""Multilayer perceptron on flattened items."""

from itertools import pairwise

from torch import nn

from models.encoder_common import DIM, NORMALISE, finish, size
from models.spec import EncoderSpec, Knob

SPEC = EncoderSpec(
    key="mlp",
    name="MLP",
    help="Fully connected layers with ReLU between; the workhorse for small pictures and features.",
    knobs=(
        DIM,
        Knob("width", 128, 4, 2048, help="Units of the first hidden layer; each further one has half as many."),
        Knob("depth", 2, 1, 6, help="Hidden layers."),
        NORMALISE,
    ),
)


def build(
    shape: tuple[int, ...], *, dim: int = 32, width: int = 128, depth: int = 2, normalise: bool = False
) -> nn.Module:
    """Items of `shape` to (n, dim); default 64-128-64-32 on digits."""
    sizes = [size(shape), *(max(width >> k, 2) for k in range(depth)), dim]
    layers: list[nn.Module] = [nn.Flatten()]
    for fan_in, fan_out in pairwise(sizes):
        layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
    return finish(layers[:-1], normalise)
