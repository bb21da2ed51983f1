import unicodedata
from collections import Counter
from functools import cache
from itertools import combinations

import numpy as np
import pytest

from models.data.emoji import BLOCKS, CLASSES, block, load
from models.data_common import Source
from tests.data.helpers import no_network


@cache
def latin() -> Source:
    return load()


def row_of(source: Source, sign: str) -> int:
    found = [k for k, text in enumerate(source.texts) if text.startswith(f"{sign} ")]
    assert len(found) == 1
    return found[0]


def cosine(one: str, other: str) -> float:
    """Cosine of the counts of all runs of one to three letters of the words, each with a blank on both sides."""
    a, b = (Counter(f" {w} "[k : k + n] for n in (1, 2, 3) for k in range(len(w) + 3 - n)) for w in (one, other))
    dot = sum(a[run] * b[run] for run in a)
    return float(dot / (sum(v * v for v in a.values()) * sum(v * v for v in b.values())) ** 0.5)


def test_names_of_a_known_emoji() -> None:
    source = latin()
    assert source.texts[row_of(source, "😀")] == "😀 grinning face · grinsendes gesicht · cara sonriendo"


def test_views_are_the_languages_english_first(monkeypatch: pytest.MonkeyPatch) -> None:
    no_network(monkeypatch)
    source, every = latin(), load(languages="all", features=128)
    assert source.views is not None
    assert every.views is not None
    assert source.views.shape == (len(source.y), 8, 512)
    assert every.views.shape == (len(source.y), 14, 128)
    assert (source.views[:, 0] == source.x).all()
    assert np.allclose(np.linalg.norm(source.views, axis=2), 1, atol=1e-5)


def test_equal_names_have_equal_features_and_related_ones_are_near() -> None:
    source = latin()
    assert source.views is not None
    pizza, taxi = (source.views[row_of(source, sign)] for sign in ("🍕", "🚕"))
    assert pizza[0] @ pizza[1] == pytest.approx(1, abs=1e-5)  # "pizza" in English and in German
    assert float(pizza[0] @ taxi[0]) == pytest.approx(cosine("pizza", "taxi"), abs=0.05)


def test_features_are_hashed_runs_of_letters() -> None:
    signs = {"🐈": "cat", "🐕": "dog", "🚗": "automobile", "🚕": "taxi"}
    wide = load(features=2048)  # few collisions, each moves a cosine by some hundredths
    rows = {word: wide.x[row_of(wide, sign)] for sign, word in signs.items()}
    for one, other in combinations(signs.values(), 2):
        assert float(rows[one] @ rows[other]) == pytest.approx(cosine(one, other), abs=0.1)


@pytest.mark.parametrize(
    ("sign", "name"),
    [
        ("😀", "Emoticons"),
        ("🚀", "Transport and Maps"),
        ("🇫🇷", "Flags"),
        ("☀️", "Miscellaneous Symbols"),
        ("🧠", "Supplemental Symbols"),
        ("✂️", "Dingbats"),
        ("🍕", "Symbols and Pictographs"),
        ("🪐", "Symbols Extended-A"),
        ("⌚", "Other blocks"),
        ("㊗️", "Other blocks"),
    ],
)
def test_blocks(sign: str, name: str) -> None:
    assert CLASSES[block(sign)] == name
    assert CLASSES[latin().y[row_of(latin(), sign)]] == name


def test_every_class_has_enough_items() -> None:
    counts = np.bincount(latin().y, minlength=len(CLASSES))
    assert len(counts) == len(BLOCKS) + 1
    assert counts.min() >= 30


def test_no_variant_of_another_emoji() -> None:
    signs = [text.split(" ")[0] for text in latin().texts]
    assert len(set(signs)) == len(signs) > 1500
    modifiers = [c for sign in signs for c in sign if unicodedata.name(c, "").startswith("EMOJI MODIFIER")]
    assert modifiers == []
    assert not any("\u200d" in sign for sign in signs)
