"""Small convolution net for pictures and signals."""

from itertools import pairwise

from torch import nn

from models.encoder_common import DIM, NORMALISE, finish, size
from models.spec import EncoderSpec, Knob

SPEC = EncoderSpec(
    key="conv",
    name="Convolution net",
    help="3-wide convolutions with ReLU and pooling by two: knows that neighbours belong together; slower.",
    knobs=(
        DIM,
        Knob("width", 16, 2, 128, help="Channels of the first layer; each further one has twice as many."),
        Knob("depth", 2, 1, 4, help="Convolution layers, each followed by halving every side."),
        NORMALISE,
    ),
    kinds=("image", "signal"),
)


def build(
    shape: tuple[int, ...], *, dim: int = 32, width: int = 16, depth: int = 2, normalise: bool = False
) -> nn.Module:
    """Items (channels, h, w) or (channels, length) to (n, dim); no batch statistics: a row depends on its item alone.

    Raises ValueError for items of another shape.
    """
    if len(shape) not in (2, 3):
        raise ValueError(f"the convolution net reads (channels, h, w) or (channels, length), got shape {shape}")
    flat = len(shape) == 2
    sides = list(shape[1:])
    channels = [shape[0], *(width << k for k in range(depth))]
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(channels):
        convolve = nn.Conv1d if flat else nn.Conv2d
        pool = nn.MaxPool1d if flat else nn.MaxPool2d
        layers += [convolve(fan_in, fan_out, 3, padding=1), nn.ReLU(), pool(2, ceil_mode=True)]
        sides = [(side + 1) // 2 for side in sides]
    layers += [nn.Flatten(), nn.Linear(size((channels[-1], *sides)), dim)]
    return finish(layers, normalise)
