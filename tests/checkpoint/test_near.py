"""Numbers among all items: by hand, and those of the sample where all are in it."""

import numpy as np
import pytest

from models.checkpoint import Material, diagnose
from models.checkpoint.near import among_all, said
from models.diagnostics import near
from models.diagnostics.measured import Measured
from models.diagnostics.near import Near
from tests.checkpoint.made import labelled, sound

Z, Y = sound(150, 5, 8)
WRONG = np.where(np.arange(150) < 20, (Y + 1) % 5, Y)


def test_they_are_the_sample_s_where_every_item_is_in_it() -> None:
    material = labelled(Z, WRONG)
    recall, vote = among_all(material)
    assert recall.scope == vote.scope == "exact over 150 items"
    assert recall.measured.value == pytest.approx(diagnose(material).metric("recall_at_1").measured.value)
    assert recall.measured.low < recall.measured.value < recall.measured.high


def test_by_hand_a_vote_and_an_item_alone_in_its_class() -> None:
    angle = np.radians([0, 2, 5, 40, 41, 90])
    z = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    recall, vote = among_all(labelled(z, np.array([0, 0, 0, 1, 1, 2])))
    assert recall.measured.value == 1.0  # of five: the sixth has nobody
    # Five voters are all the others: of class 0 two stand against two, the nearest decides; class 1 is outvoted.
    assert vote.measured.value == pytest.approx(3 / 5)


def test_what_cannot_be_looked_for_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    assert among_all(Material("bare", z=Z)) == ()
    assert [one.why for one in among_all(labelled(Z[:5], np.arange(5)))] == ["no item has another of its class"] * 2
    monkeypatch.setattr(near, "EXACT", 1)
    monkeypatch.setattr(near, "MOST", 100)
    assert "100 at most" in among_all(labelled(Z, Y))[0].why


def test_an_index_is_named_with_what_it_finds() -> None:
    found = Near(np.zeros((4000, 5), np.int64), Measured(0.991, 0.987, 0.994), False)
    assert said(found, 4000) == "4,000 items by an index (pynndescent) that finds 0.991 [0.987, 0.994] of the 5 nearest"
