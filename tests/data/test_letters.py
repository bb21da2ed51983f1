"""What this set teaches: a whole alphabet is new, and a few letters of it must do to tell the others."""

import unicodedata

import numpy as np
import pytest
from PIL import ImageFont

from models.data.letters import FONTS, GREEK, LETTERS, _folder, load
from models.training.config import RunConfig
from models.training.finish import finish
from models.training.run import Run
from tests.data.helpers import no_network
from tests.training.helpers import part


def test_every_letter_is_there_in_every_typeface(monkeypatch: pytest.MonkeyPatch) -> None:
    no_network(monkeypatch)
    source = load()
    assert source.x.shape == (70 * 16, 1, 16, 16)
    assert len(FONTS) == len({stem for stem, _ in FONTS}) == 16
    assert np.bincount(source.y).tolist() == [16] * 70
    assert len(set(source.classes)) == 70
    assert [unicodedata.name(letter).split()[0] for letter in source.classes[-15:]] == ["GREEK"] * 15
    assert "GREEK" not in {unicodedata.name(letter).split()[0] for letter in source.classes[:-15]}
    assert source.novel == len(GREEK) == 15
    assert source.x.reshape(len(source.x), -1).max(axis=1).min() > 0.2  # no picture is empty


def test_no_font_draws_a_box_for_a_letter_it_lacks() -> None:
    for stem, _ in FONTS:
        font = ImageFont.truetype(str(_folder() / f"{stem}.ttf"), 40)
        missing = bytes(font.getmask("\ue123"))
        assert all(bytes(font.getmask(letter)) != missing for letter in LETTERS)


def test_no_two_letters_are_drawn_alike() -> None:
    """In each typeface, pictures of different letters differ by more than rounding."""
    flat = load().x.reshape(70, 16, -1)
    for font in range(16):
        rows = flat[:, font]
        gap = np.abs(rows[:, None] - rows[None, :]).sum(axis=2)
        np.fill_diagonal(gap, np.inf)
        assert gap.min() > 1.0


def test_a_letter_is_nearer_to_itself_in_another_typeface_than_to_others() -> None:
    flat = load().x.reshape(70, 16, -1).astype(np.float64)
    mean = flat.mean(axis=1)
    distance = ((flat[:, :, None] - mean[None, None]) ** 2).sum(axis=3)  # (70, 16, 70)
    right = (distance.argmin(axis=2) == np.arange(70)[:, None]).mean()
    assert 0.6 < right < 1.0


def test_pictures_of_another_size() -> None:
    assert load(side=24).x.shape == (70 * 16, 1, 24, 24)
    # Averaging keeps the ink: brightness times area.
    assert load(side=24).x.mean() == pytest.approx(load().x.mean(), rel=1e-2)


def test_what_fits_and_what_is_refused() -> None:
    sampler = part("episodic", way=10, shot=2, query=3)
    config = RunConfig(
        data=part("letters"), loss=part("proto_triplet", shot=2), encoder=part("mlp", width=64, dim=16), sampler=sampler
    )
    run = Run(config)
    run.advance(20)
    told = finish(run)
    assert np.isfinite(run.trace.loss).all()
    assert told["few_shot_way"] == 10
    assert told["few_shot_accuracy"] > 0.4  # chance: 0.1
    with pytest.raises(ValueError, match="AnyLoss needs data of two classes"):
        Run(RunConfig(data=part("letters"), loss=part("anyloss")))
