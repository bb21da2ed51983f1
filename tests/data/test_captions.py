import unicodedata
from collections import Counter

import numpy as np
import pytest

from models.data.captions import NAMES, captions, load
from models.data.emoji import LATIN
from tests.data.helpers import no_network


def test_ten_names_in_the_languages_of_the_emoji() -> None:
    assert tuple(NAMES) == LATIN
    assert {language: len(set(names.split())) for language, names in NAMES.items()} == dict.fromkeys(LATIN, 10)
    assert all(unicodedata.is_normalized("NFC", names) for names in NAMES.values())


def test_a_caption_names_its_digit_in_one_of_the_languages() -> None:
    y = np.arange(10).repeat(200)
    every = captions(y, 8)
    spelt = [{names.split()[digit] for names in NAMES.values()} for digit in range(10)]
    assert all(word in spelt[label] for word, label in zip(every, y.tolist(), strict=True))
    assert {word for word, label in zip(every, y.tolist(), strict=True) if label == 7} == spelt[7]
    assert captions(y, 1) == [NAMES["en"].split()[label] for label in y]
    assert captions(y, 8) == every


def test_pictures_are_the_digits_and_captions_belong_together_by_spelling(monkeypatch: pytest.MonkeyPatch) -> None:
    no_network(monkeypatch)
    source = load()
    assert source.side is not None
    assert source.pair is not None
    assert (source.x.shape, source.side.shape) == ((1797, 1, 8, 8), (1797, 128))
    assert np.linalg.norm(source.side, axis=1) == pytest.approx(1, abs=1e-6)
    words = captions(source.y, 8)
    assert Counter(source.pair.tolist()).most_common(1)[0][1] == Counter(words).most_common(1)[0][1]
    assert len(set(source.pair.tolist())) == len(set(words)) == 73  # zero thrice; uno, cinco, six, seis and nove twice
    six = [row for row, word in enumerate(words) if word == "six"]  # English and French
    assert len(set(source.pair[six].tolist())) == 1
    assert (source.side[six] == source.side[six[0]]).all()
    assert len(six) > Counter(words)["seven"]


def test_graded_is_of_the_pictures() -> None:
    source = load(languages=1, features=32)
    assert source.graded is not None
    assert source.pair is not None
    assert len(set(source.pair.tolist())) == 10
    raw = source.x.reshape(1797, 64).astype(np.float64)
    a, b = raw[5] - raw.mean(axis=0), raw[900] - raw.mean(axis=0)
    expected = (1 + float(a @ b) / float(np.linalg.norm(a) * np.linalg.norm(b))) / 2
    assert float(source.graded[5] @ source.graded[900]) == pytest.approx(expected, abs=1e-6)
