import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from models.catalogue import find
from models.geometry import Embeddings, score
from models.sensitivity import pair_weights
from models.training.config import Part, RunConfig
from models.training.run import Run
from models.training.views import augment, natural

SHAPES = {"image": (64, 1, 8, 8), "signal": (64, 1, 40), "points": (64, 16), "text": (64, 128)}
KINDS = tuple(SHAPES)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch(kind: str) -> Tensor:
    return torch.rand(SHAPES[kind], generator=generator(9))


def strayed(kind: str, strength: float) -> float:
    """Mean over items of the share of squared length by which a view differs."""
    x = batch(kind)
    change = augment(x, kind, strength, generator()) - x
    return float((change.flatten(1).square().sum(1) / x.flatten(1).square().sum(1)).mean())


@pytest.mark.parametrize("kind", KINDS)
def test_strength_zero_is_the_item_and_draws_nothing(kind: str) -> None:
    x, random = batch(kind), generator()
    before = random.get_state()
    assert augment(x, kind, 0.0, random) is x
    assert torch.equal(random.get_state(), before)


@pytest.mark.parametrize("kind", KINDS)
def test_stronger_views_stray_further(kind: str) -> None:
    strays = [strayed(kind, strength) for strength in (0.05, 0.3, 1.0)]
    assert strays == sorted(strays)
    assert strays[0] < 0.3 < 30 * strays[2]
    assert strays[2] > 2 * strays[0] > 0


@pytest.mark.parametrize("kind", KINDS)
def test_the_given_generator_is_the_only_chance(kind: str) -> None:
    x = batch(kind)
    original, state = x.clone(), torch.random.get_rng_state()
    first, again, other = (augment(x, kind, 0.5, generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(x, original)  # not changed in place


@pytest.mark.parametrize("kind", KINDS)
def test_shape_and_type_stay_and_items_differ(kind: str) -> None:
    x = batch(kind)[:1].expand(SHAPES[kind])
    view = augment(x, kind, 0.5, generator())
    assert view.shape == x.shape
    assert view.dtype == x.dtype
    assert len(torch.unique(view.flatten(1), dim=0)) == len(x)  # each item has its own view
    assert augment(batch(kind)[:0], kind, 0.5, generator()).shape[0] == 0


@pytest.mark.parametrize("size", [(8, 8), (25, 25), (28, 20)])
def test_pictures_are_moved_as_torch_would(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_BRIGHTNESS", "_IMAGE_NOISE", "_ERASE"):
        monkeypatch.setattr(f"models.training.views.{name}", 0.0)
    x = torch.rand(16, 1, *size, generator=generator(3))
    drawn = torch.rand(9, 16, generator=generator(4)) * 2 - 1
    rows = []
    for turn, zoom, right, down in drawn[:4].T.tolist():
        angle, scale = math.radians(20.0) * turn, 1 + 0.15 * zoom
        cos, sin = scale * math.cos(angle), scale * math.sin(angle)
        rows.append([[cos, -sin, 0.3 * right], [sin, cos, 0.3 * down]])
    grid = affine_grid(torch.tensor(rows), list(x.shape), align_corners=False)
    expected = grid_sample(x, grid, align_corners=False)
    # An erased rectangle of side 0 may still hit the middle of one pixel.
    differs = (augment(x, "image", 1.0, generator(4)) - expected).abs() > 1e-4
    assert int(differs.flatten(1).sum(1).max()) <= 1


def test_an_erased_rectangle_is_at_most_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_SHIFT", "_TURN_DEG", "_ZOOM", "_BRIGHTNESS", "_IMAGE_NOISE"):
        monkeypatch.setattr(f"models.training.views.{name}", 0.0)
    gone = augment(torch.ones(200, 1, 20, 20), "image", 1.0, generator())[:, 0] < 0.5
    high, wide = gone.any(2).sum(1), gone.any(1).sum(1)
    assert (gone.sum((1, 2)) == high * wide).all()  # a full rectangle
    assert int(high.max()) <= 10  # 0.45 of 20, and the pixel that is cut
    assert int(wide.max()) <= 10
    assert int(high.max()) >= 7


def test_signals_shift_around_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_SIGNAL_SCALE", "_SIGNAL_NOISE", "_SIGNAL_MASK"):
        monkeypatch.setattr(f"models.training.views.{name}", 0.0)
    x = torch.arange(1.0, 41.0).expand(100, 1, 40)
    view = augment(x, "signal", 1.0, generator())[:, 0]
    starts = view[:, 20] - 21  # how far a signal was moved; the masked stretch of length 0 hits at most one place
    moved = sorted({int(-s) for s in starts.tolist()} - {21})
    assert moved == list(range(-6, 7))
    kept = torch.stack([torch.roll(row[0], int(-s)) for row, s in zip(x, starts, strict=True)])
    assert int((view != kept)[view[:, 20] != 0].sum(1).max()) <= 1


def test_points_get_noise_of_a_share_of_their_own_length() -> None:
    x = torch.tensor([[3.0] * 16, [0.01] * 16]).repeat(500, 1)
    share = (augment(x, "points", 1.0, generator()) - x).norm(dim=1) / x.norm(dim=1)
    assert float(share[::2].square().mean().sqrt()) == pytest.approx(0.6, rel=0.03)
    assert float(share[1::2].square().mean().sqrt()) == pytest.approx(0.6, rel=0.03)


@pytest.mark.parametrize("strength", [0.4, 1.0])
def test_texts_lose_a_share_of_features_and_keep_the_rest(strength: float) -> None:
    x = torch.full((200, 128), 0.7)
    view = augment(x, "text", strength, generator())
    assert set(view.unique().tolist()) == {0.0, x[0, 0].item()}
    assert float((view == 0).float().mean()) == pytest.approx(0.5 * strength, abs=0.01)


def test_natural_views_are_the_item_or_another_with_the_asked_share() -> None:
    views = torch.arange(5.0).expand(3, 5)[..., None]  # feature = number of the view
    rows = torch.arange(3).repeat(4000)
    none, some, every = (natural(views, rows, s, generator())[:, 0] for s in (0.0, 0.3, 1.0))
    assert (none == 0).all()
    assert float((some > 0).float().mean()) == pytest.approx(0.3, abs=0.02)
    assert torch.bincount(every.long(), minlength=5)[0] == 0
    assert torch.bincount(every.long())[1:].tolist() == pytest.approx([3000] * 4, rel=0.1)


def test_natural_views_belong_to_their_row() -> None:
    views = torch.arange(6.0)[:, None, None].expand(6, 3, 1)
    rows = torch.tensor([4, 0, 4, 2])
    assert natural(views, rows, 1.0, generator())[:, 0].tolist() == [4, 0, 4, 2]


def test_a_loss_of_one_tower_is_looked_at_as_it_trains() -> None:
    """Both views of the probe in one batch, paired by item: the weights are those of that batch, of its first views."""
    run = Run(RunConfig(loss=Part("meow"), pairing="views"))
    run.advance(1)
    lens = run.snapshot().lens
    assert lens is not None
    views = run.feed.probe_views()
    n = len(views[0])
    with torch.no_grad():
        z = torch.cat([run.encoder(view) for view in views])
    scores = score(Embeddings(z, torch.zeros(2 * n, dtype=torch.int64), torch.arange(n).repeat(2)))
    assert lens.candidates == "both views"
    assert lens.s.shape == (n, 2 * n)
    assert lens.pos.sum(axis=1).tolist() == [1] * n
    assert lens.pos[np.arange(n), np.arange(n) + n].all()
    assert np.array_equal(lens.neg, scores.neg.numpy()[:n])
    assert lens.s == pytest.approx(scores.s.numpy()[:n], abs=1e-6)
    expected = pair_weights(find("losses", "meow"), scores, **run.config.loss.values).numpy()[:n]
    assert np.abs(expected).max() > 0
    assert lens.weight == pytest.approx(expected, abs=1e-3 * float(np.abs(expected).max()))
