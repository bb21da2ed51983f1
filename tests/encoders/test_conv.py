import pytest
import torch

from models.encoders.conv import SPEC, build
from models.training.config import Part, RunConfig
from models.training.run import Run
from tests.encoders.helpers import count, items


@pytest.mark.parametrize(
    ("shape", "flat"), [((1, 8, 8), 32 * 2 * 2), ((1, 28, 28), 32 * 7 * 7), ((1, 25, 25), 32 * 7 * 7)]
)
def test_pictures_are_halved_twice(shape: tuple[int, ...], flat: int) -> None:
    assert count(build(shape)) == (9 * 16 + 16) + (16 * 9 * 32 + 32) + (flat * 32 + 32)
    assert build(shape)(items(shape)).shape == (5, 32)


def test_signals_are_read_in_one_dimension() -> None:
    encoder = build((1, 40), dim=6, width=4, depth=3)
    assert count(encoder) == (3 * 4 + 4) + (4 * 3 * 8 + 8) + (8 * 3 * 16 + 16) + (16 * 5 * 6 + 6)
    assert encoder(items((1, 40))).shape == (5, 6)


def test_first_layer_by_hand() -> None:
    # One layer on a signal: convolution written as a loop, ReLU, pooling by two, then the matrix.
    encoder, x = build((1, 6), dim=2, width=2, depth=1), items((1, 6), 1)
    kernel, bias, weight, shift = list(encoder.parameters())
    taps, offset, padded = kernel[:, 0].tolist(), bias.tolist(), [0.0, *x[0, 0].tolist(), 0.0]
    rows = [
        [max(sum(taps[c][j] * padded[i + j] for j in range(3)) + offset[c], 0.0) for i in range(6)] for c in range(2)
    ]
    pooled = torch.tensor([max(row[k], row[k + 1]) for row in rows for k in (0, 2, 4)])
    assert torch.allclose(encoder(x)[0], weight @ pooled + shift, atol=1e-5)


def test_a_small_shift_changes_less_than_in_a_matrix() -> None:
    # What it is for: of the pooled features, much survives a shift by one place.
    torch.manual_seed(0)
    encoder = build((1, 40), depth=4)
    x = torch.zeros(1, 1, 40)
    x[..., 16:24] = 1.0
    moved = torch.roll(x, 1, dims=2)
    near = torch.cosine_similarity(encoder(x), encoder(moved)).item()
    far = torch.cosine_similarity(encoder(x), encoder(torch.roll(x, 14, dims=2))).item()
    assert near > far


def test_other_shapes_and_kinds_are_refused() -> None:
    with pytest.raises(ValueError, match=r"got shape \(16,\)"):
        build((16,))
    assert SPEC.kinds == ("image", "signal")
    with pytest.raises(ValueError, match="encoder conv reads image, signal, but clusters is points; choose the MLP"):
        Run(RunConfig(data=Part("clusters"), encoder=Part("conv")))
