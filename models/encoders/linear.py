"""One matrix on flattened items: what a loss can do without any depth."""

from torch import nn

from models.encoder_common import DIM, NORMALISE, finish, size
from models.spec import EncoderSpec

SPEC = EncoderSpec(
    key="linear",
    name="Linear",
    help="One matrix, no hidden layer: the fastest, and nearly convex, so that what you see is the loss.",
    knobs=(DIM, NORMALISE),
)


def build(shape: tuple[int, ...], *, dim: int = 32, normalise: bool = False) -> nn.Module:
    """Items of `shape` to (n, dim), with a bias."""
    return finish([nn.Flatten(), nn.Linear(size(shape), dim)], normalise)
