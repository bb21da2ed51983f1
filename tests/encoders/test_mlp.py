import torch

from models.encoders.mlp import build
from tests.encoders.helpers import count, items


def test_default_on_digits() -> None:
    assert count(build((1, 8, 8))) == (64 * 128 + 128) + (128 * 64 + 64) + (64 * 32 + 32)


def test_depth_adds_layers_of_half_the_width() -> None:
    sizes = [tuple(p.shape) for p in build((16,), dim=4, width=20, depth=3).parameters()]
    assert sizes == [(20, 16), (20,), (10, 20), (10,), (5, 10), (5,), (4, 5), (4,)]


def test_one_hidden_layer_by_hand() -> None:
    encoder, x = build((16,), dim=2, width=4, depth=1), items((16,))
    w1, b1, w2, b2 = list(encoder.parameters())
    assert torch.allclose(encoder(x), (x @ w1.T + b1).clamp(min=0) @ w2.T + b2, atol=1e-6)
