from typing import Any

import numpy as np
import pytest

from tests.checkpoint.made import sound
from tests.diagnostics.findings.cases import clear, cone_of, evidence, fired, healthy, under, unknown


def copied(count: int, known: bool) -> dict[str, Any]:
    """A sound set of 200 of which `count` items come a second time, in another class."""
    z, y = sound(200, 4)
    content = np.arange(200)
    first = np.flatnonzero(y == 0)[:count]
    second = np.flatnonzero(y == 1)[:count]
    z[second], content[second] = z[first], content[first]
    return {"z": z, "y": y, **({"content": content} if known else {})}


def test_likely_false_negatives() -> None:
    z, y = sound(300, 3, spread=0.2)
    split = np.where((y == 0) & (np.arange(300) % 2 == 0), 3, y)  # half of a class under a label of its own
    found = fired("likely_false_negatives", under(evidence(z, split), "infonce", temperature=0.1))
    assert (found.severity, found.confidence) == ("warning", "medium")  # classes that overlap look the same
    assert np.mean(y[found.selection.items] == 0) > 0.9
    assert "of the push" in found.sentence
    clear("likely_false_negatives", evidence(z, y))


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(("count", "rule"), [(5, clear), (6, fired)])
def test_false_negatives_at_the_edge(count: int, rule: Any, known: bool) -> None:
    z, y = sound(200, 4, spread=0.1)
    first, second = np.flatnonzero(y == 0)[:count], np.flatnonzero(y == 1)[:count]
    z[first] = z[second] = np.eye(16, dtype=np.float32)[8 : 8 + count]  # away from all others
    content = np.arange(200)
    content[second] = content[first]
    # Two items a copy: 5 % and 6 % of 200.
    rule("likely_false_negatives", evidence(z, y, **({"content": content} if known else {})))


@pytest.mark.parametrize("known", [True, False])
def test_same_item_both(known: bool) -> None:
    found = fired("same_item_both", evidence(**copied(1, known)))
    assert found.selection.pairs.shape == (1, 2)
    assert found.confidence == ("high" if known else "medium")
    clear("same_item_both", evidence(**copied(0, known)))


def test_copies_within_a_class_are_no_fault() -> None:
    z, y = sound(200, 4)
    members = np.flatnonzero(y == 2)
    z[members[1:4]] = z[members[0]]
    clear("same_item_both", evidence(z, y))


def test_label_suspects() -> None:
    z, y = sound(300, 4)
    wrong = np.arange(0, 300, 12)
    flipped = y.copy()
    flipped[wrong] = (flipped[wrong] + 1) % 4
    found = fired("label_suspects", evidence(z, flipped))
    assert set(found.selection.items.tolist()) <= set(wrong.tolist())
    assert len(found.selection.items) > 0.7 * len(wrong)
    clear("label_suspects", evidence(z, y))


@pytest.mark.parametrize(("count", "rule"), [(6, clear), (7, fired)])
def test_label_suspects_at_the_edge(count: int, rule: Any) -> None:
    z, y = sound(200, 4, spread=0.1)
    y[:count] = (y[:count] + 1) % 4
    rule("label_suspects", evidence(z, y))  # 3 % and 3.5 %


@pytest.mark.parametrize("key", ["likely_false_negatives", "same_item_both", "label_suspects"])
def test_a_point_or_bare_embeddings_say_nothing_of_labels(key: str) -> None:
    assert "collapsed" in unknown(key, evidence(cone_of(0.99), np.arange(400) % 4))
    assert "labels or pairs" in unknown(key, evidence(sound()[0]))
    assert "too few" in unknown(key, healthy(n=10, classes=2))
