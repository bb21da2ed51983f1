import torch

from models.encoders.linear import build
from tests.encoders.helpers import count, items


def test_is_one_matrix_and_a_bias() -> None:
    encoder = build((1, 8, 8), dim=3)
    assert count(encoder) == 64 * 3 + 3
    weight, bias = list(encoder.parameters())
    x = items((1, 8, 8))
    assert torch.allclose(encoder(x), x.reshape(5, 64) @ weight.T + bias, atol=1e-6)
