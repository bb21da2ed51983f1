"""Views of an item, for pairing without labels: augmented by kind of data, or natural where the data has them."""

import math
from collections.abc import Callable
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import grid_sample

# Ranges at strength 1; each scales with the strength.
_SHIFT, _TURN_DEG, _ZOOM, _BRIGHTNESS, _IMAGE_NOISE = 0.3, 20.0, 0.15, 0.3, 0.1  # shift: of half the side
_ERASE = 0.45  # side of the erased rectangle, of the picture's
_SIGNAL_SHIFT, _SIGNAL_SCALE, _SIGNAL_NOISE, _SIGNAL_MASK = 0.15, 0.4, 0.2, 0.3  # shift, mask: of the length
_POINT_NOISE = 0.6  # length of the noise, of the item's
_TEXT_DROP = 0.5  # share of features set to zero


def augment(
    x: Float[Tensor, "n ..."], kind: str, strength: float, generator: torch.Generator
) -> Float[Tensor, "n ..."]:
    """A random view of each item, of the same shape; strength in [0, 1], 0 returns the items as they are.

    Images (n, 1, h, w): shift, turn, zoom, brightness, noise, one erased rectangle. Signals (n, 1, l): shift around the
    end, scale, noise, one masked stretch. Points (n, d): noise. Texts (n, d): features dropped. All chance comes
    from the generator, which may be on another device than x.
    """
    return x if strength == 0 else _KINDS[kind](x, strength, generator)


def natural(
    views: Float[Tensor, "items v ..."], rows: Tensor, strength: float, generator: torch.Generator
) -> Float[Tensor, "n ..."]:
    """One natural view of each row: with probability `strength` any but the first, which is the item itself."""
    dice = torch.rand(len(rows), 2, generator=generator, device=generator.device).to(views.device)
    others = views.shape[1] - 1
    choice = 1 + (dice[:, 1] * others).long().clamp(max=others - 1)  # rand can round up to 1
    return views[rows.to(views.device), torch.where(dice[:, 0] < strength, choice, torch.zeros_like(choice))]


def _uniform(x: Tensor, columns: int, generator: torch.Generator) -> Tensor:
    """(columns, n) in [-1, 1)."""
    drawn = torch.rand(columns, len(x), generator=generator, device=generator.device)
    return drawn.mul_(2).sub_(1).to(x)


def _normal(x: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(x.shape, generator=generator, device=generator.device).to(x)


def _image(x: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    turn, zoom, right, down, light, at_x, at_y, tall, wide = _uniform(x, 9, generator)
    angle, size, shift = turn * (math.radians(_TURN_DEG) * strength), 1 + _ZOOM * strength * zoom, _SHIFT * strength
    cos, sin = angle.cos() * size, angle.sin() * size
    theta = torch.stack([cos, -sin, shift * right, sin, cos, shift * down], 1).view(-1, 3)  # (2n, 3)
    height, width = x.shape[-2:]
    # What affine_grid gives, as one product for the whole batch, which is faster.
    where = (theta @ _plane(height, width).to(x)).view(-1, 2, height, width).permute(0, 2, 3, 1)
    moved: Tensor = grid_sample(x, where, align_corners=False)
    lit = moved * (1 + _BRIGHTNESS * strength * light).view(-1, 1, 1, 1)
    rows, columns = _inside(height, at_y, tall, _ERASE * strength), _inside(width, at_x, wide, _ERASE * strength)
    erased = rows[:, :, None] * columns[:, None, :]  # (n, h, w)
    view: Tensor = lit + _IMAGE_NOISE * strength * _normal(x, generator)
    return view * (1 - erased[:, None])


@lru_cache(maxsize=32)
def _centres(side: int) -> Tensor:
    """Middles of the pixels along one side, which goes from -1 to 1."""
    return (torch.arange(side) * 2 + 1) / side - 1


@lru_cache(maxsize=32)
def _plane(height: int, width: int) -> Tensor:
    """Each pixel's place as a column (across, down, 1), row by row: (3, height * width)."""
    across, down = _centres(width).repeat(height), _centres(height).repeat_interleave(width)
    return torch.stack([across, down, torch.ones(height * width)])


def _inside(side: int, at: Tensor, size: Tensor, most: float) -> Tensor:
    """(n, side): 1 on a stretch around `at` that is up to `most` of the side long, else 0."""
    inside: Tensor = (_centres(side).to(at) - at[:, None]).abs() <= (most * 0.5 * (1 + size))[:, None]
    return inside.to(at)


def _signal(x: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    move, scale, at, long = _uniform(x, 4, generator)
    length = x.shape[-1]
    shift = (move * (_SIGNAL_SHIFT * strength * length)).round().long()
    index = (torch.arange(length, device=x.device) - shift[:, None]) % length  # (n, l)
    moved = x.gather(2, index[:, None].expand_as(x))
    scaled = moved * (1 + _SIGNAL_SCALE * strength * scale).view(-1, 1, 1)
    masked = _inside(length, at, long, _SIGNAL_MASK * strength)
    view: Tensor = scaled + _SIGNAL_NOISE * strength * _normal(x, generator)
    return view * (1 - masked)[:, None]


def _points(x: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Noise of a length that is a share of the item's own: no unit is guessed."""
    rms = x.square().flatten(1).mean(1).sqrt().view(-1, *[1] * (x.ndim - 1))
    return x + _POINT_NOISE * strength * rms * _normal(x, generator)


def _text(x: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    drawn = torch.rand(x.shape, generator=generator, device=generator.device).to(x)
    return x * (drawn >= _TEXT_DROP * strength)


_KINDS: dict[str, Callable[[Tensor, float, torch.Generator], Tensor]] = {
    "image": _image,
    "signal": _signal,
    "points": _points,
    "text": _text,
}
