"""What every encoder shares: the size of its embedding, and whether its rows have length 1."""

from math import prod

from jaxtyping import Float
from torch import Tensor, nn

from models.geometry import unit
from models.spec import Knob

DIM = Knob("dim", 32, 2, 512, help="Embedding size.")
NORMALISE = Knob(
    "normalise",
    False,
    choices=(True, False),
    help="Scale rows to length 1 in the encoder. Cosine scores are the same; losses that read embeddings see it.",
)


class Unit(nn.Module):
    """Rows scaled to length 1; a zero row stays zero."""

    def forward(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Scale each row."""
        return unit(z)


def finish(layers: list[nn.Module], normalise: bool) -> nn.Sequential:
    """The layers in a row, closed by `Unit` if asked for; it has no weights, so both share initial weights."""
    return nn.Sequential(*layers, Unit()) if normalise else nn.Sequential(*layers)


def size(shape: tuple[int, ...]) -> int:
    """Numbers in one item."""
    return prod(shape)
