"""What this set teaches: a caption is made of parts, and parts carry over to letters that are new."""

import math

import numpy as np
import pytest

from models import minilm
from models.data import captions as captioned
from models.data import letters, named, queries
from models.training.config import RunConfig
from models.training.run import Run
from tests.data.helpers import no_network
from tests.training.helpers import part


def test_captions_say_letter_and_typeface(monkeypatch: pytest.MonkeyPatch) -> None:
    no_network(monkeypatch)
    told = named.captions("full")
    assert len(told) == 70 * 16
    assert told[0] == "latin capital letter a, upright sans serif"
    assert told[16 * 16 + 7] == "latin capital letter q, bold slanted typewriter"
    assert told[-1] == "greek small letter omega, bold slanted serif"
    assert len(set(named.captions("name"))) == 70


def test_pictures_captioned_alike_belong_together() -> None:
    source, plain = named.load(), named.load(caption="name")
    assert source.pair is not None
    assert plain.pair is not None
    assert source.side is not None
    assert (source.x == letters.load().x).all()
    told = np.array(named.captions("full"))
    for row in (0, 8, 12, 500):
        assert (source.pair == source.pair[row]).tolist() == (told == told[row]).tolist()
    # Serif in four styles is drawn twice, all else once.
    assert sorted(np.bincount(source.pair[:16])[np.unique(source.pair[:16])].tolist()) == [1] * 8 + [2] * 4
    assert (np.bincount(plain.pair) == 16).all()
    assert np.linalg.norm(source.side, axis=1) == pytest.approx(np.ones(1120), abs=1e-5)


def test_graded_is_the_weighted_overlap_of_words() -> None:
    """Two captions by hand: words in common over all, each by log(N / items that have it), squared."""
    source, told = named.load(), named.captions("full")
    assert source.graded is not None
    sets = [set(text.replace(",", "").split()) for text in told]
    rows = (3, 200)  # slanted and upright, one typeface and another, letters A and M

    def weight(word: str) -> float:
        return math.log(len(sets) / sum(word in one for one in sets)) ** 2

    both = sum(weight(word) for word in sets[rows[0]] & sets[rows[1]])
    length = [math.sqrt(sum(weight(word) for word in sets[row])) for row in rows]
    got = float(source.graded[rows[0]] @ source.graded[rows[1]])
    assert got == pytest.approx(both / (length[0] * length[1]), abs=1e-5)
    assert 0 < got < 1


def test_two_towers_find_captions_of_new_letters_better_than_chance() -> None:
    config = RunConfig(
        data=part("named"),
        loss=part("infonce"),
        encoder=part("mlp", width=64, dim=32),
        sampler=part("balanced", batch=128),
        optimiser=part("adam", rate=0.003),
    )
    run = Run(config)
    run.advance(100)
    measured = run.measures()
    assert config.pairing == "towers"
    assert measured["auc"] > 0.85
    assert measured["auc_unseen"] > 0.6  # by the words for the typeface


def test_what_fits_and_what_is_refused() -> None:
    for loss in ("cwcl", "supcon"):
        run = Run(RunConfig(data=part("named"), loss=part(loss), encoder=part("mlp", width=16, dim=8)))
        run.advance(20)
        assert np.isfinite(run.trace.loss).all()
    with pytest.raises(ValueError, match="icnn needs a batch scored against itself, not towers"):
        RunConfig(data=part("named"), loss=part("icnn"))


@pytest.mark.parametrize("module", [named, captioned, queries])
def test_sentence_features_are_those_of_the_packaged_encoder(module: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each text goes through the encoder, and what it returns is what the side holds."""
    asked: list[str] = []

    def encode(texts: list[str], cache: object = None) -> np.ndarray:
        asked.extend(texts)
        rows = np.zeros((len(texts), 384), np.float32)
        rows[np.arange(len(texts)), [sum(map(ord, text)) % 384 for text in texts]] = 1
        return rows

    monkeypatch.setattr(minilm, "encode", encode)
    source = module.load(reader="minilm")  # type: ignore[attr-defined]
    assert source.side.shape == (len(source.y), 384)
    assert len(asked) >= 50
    places = {sum(map(ord, text)) % 384 for text in asked}
    assert len(places) > 20
    assert set(source.side.argmax(axis=1).tolist()) <= places
    assert (source.side.sum(axis=1) == 1).all()
