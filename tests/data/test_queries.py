import math

import numpy as np
import pytest

from models.data import emoji
from models.data.queries import keywords, load, relevance
from models.data_common import Source
from tests.data.helpers import no_network


@pytest.fixture(scope="module")
def english_german() -> Source:
    return load()


def row_of(source: Source, sign: str) -> int:
    found = [k for k, text in enumerate(source.texts) if text.startswith(f"{sign} ")]
    assert len(found) == 1
    return found[0]


def test_items_are_those_of_the_emoji_set(english_german: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    no_network(monkeypatch)
    source, names = english_german, emoji.load()
    assert names.views is not None
    assert source.side is not None
    assert (source.x == names.x).all()
    assert (source.side == names.views[:, 1]).all()  # German comes second there
    assert (source.y == names.y).all()
    assert source.texts[row_of(source, "🍎")] == "🍎 red apple · roter apfel"


def test_another_language_changes_the_text_and_not_the_relevance(english_german: Source) -> None:
    other = load(query="fr", document="ja", features=64)
    assert other.side is not None
    assert other.graded is not None
    assert other.x.shape == other.side.shape == (len(english_german.y), 64)
    assert other.texts[row_of(other, "🍎")].startswith("🍎 pomme rouge · ")
    assert (other.graded == english_german.graded).all()


def test_keywords_are_words_of_name_and_short_codes() -> None:
    assert keywords(":thumbs_up:", [":thumbsup:", ":+1:"]) == {"thumbs", "up", "thumbsup", "1"}
    assert keywords(":NEW_button:", ()) == {"new", "button"}
    assert keywords(":!?:", ()) == frozenset()


def test_relevance_by_hand() -> None:
    rows = relevance([frozenset({"red", "apple"}), frozenset({"green", "apple"}), frozenset({"car"}), frozenset()])
    rare, shared = math.log(4 / 1), math.log(4 / 2)
    expected = shared**2 / (shared**2 + rare**2)  # 1 / 5: ln 2 of ln 2 and 2 ln 2
    assert expected == pytest.approx(0.2)
    assert rows @ rows.T == pytest.approx(np.array([[1, 0.2, 0, 0], [0.2, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]))


def test_relevance_is_graded_where_names_share_words(english_german: Source) -> None:
    source = english_german
    assert source.graded is not None
    red, green, cat = (source.graded[row_of(source, sign)] for sign in ("🍎", "🍏", "🐈"))
    assert 0.2 < float(red @ green) < 0.9
    assert float(red @ cat) == 0
    every = source.graded @ source.graded.T
    assert np.diagonal(every) == pytest.approx(1, abs=1e-5)
    assert every.min() >= 0
    partly = (every > 0.01) & (every < 0.99)
    assert 0.01 < partly.mean() < 0.2


def test_documents_spelt_alike_belong_together(english_german: Source) -> None:
    told = [text.rpartition(" · ")[2] for text in english_german.texts]
    assert english_german.pair is not None
    groups: dict[int, set[str]] = {}
    for pair, text in zip(english_german.pair.tolist(), told, strict=True):
        groups.setdefault(pair, set()).add(text)
    assert all(len(texts) == 1 for texts in groups.values())
    assert len(groups) == len(set(told))
    assert 0.95 * len(told) < len(groups) <= len(told)
