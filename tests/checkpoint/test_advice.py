"""Advice as ways to train: which finding gives which, and that each tells a case in which it helps."""

from typing import Any

import numpy as np
import pytest

from models.checkpoint import Material
from models.checkpoint.advice import Advice, Proposal, advice
from models.checkpoint.try_it import Trial, Way, try_it
from models.checkpoint.try_measures import Part, measured
from models.diagnostics.findings.catalogue import RULES
from tests.checkpoint.made import labelled, sound

Z, Y = sound(120, 4, 8)
QUICK = 40


def told(key: str, material: Material | None = None, loss: str | None = "infonce", **more: Any) -> Advice:
    finding = {"key": key, "pairs": more.pop("pairs", []), "items": more.pop("items", [])}
    return advice(material or labelled(Z, Y), finding, loss, more)


def only(found: Advice, key: str) -> Proposal:
    return next(one for one in found.proposals if one.key == key)


def tried(material: Material, one: Proposal, steps: int = QUICK) -> Trial:
    return try_it(material, one.now, one.advised, one.measure, steps=steps)


def test_every_rule_has_something_to_try_or_says_why_not() -> None:
    assert len(RULES) >= 21
    for rule in RULES:
        for loss in (None, "infonce", "triplet", "group_ordering", "arcface"):
            found = told(rule.key, loss=loss)
            assert found.proposals or found.why_not, (rule.key, loss)


@pytest.mark.parametrize(
    ("key", "loss", "proposal", "name", "value"),
    [
        ("temperature_low", "infonce", "warmer", "temperature", 0.2),
        ("temperature_high", "infonce", "colder", "temperature", 0.05),
        ("nothing_active", "triplet", "margin", "margin", 0.4),
        ("nothing_active", "group_ordering", "harder", "hardest", 5),
        ("nothing_active", "contrastive", "threshold", "threshold", 0.25),
        ("point_collapse", "group_ordering", "softer", "hardest", 20),
        ("terms_fight", "symmetry", "reweigh", "companion", 1.0),
    ],
)
def test_a_knob_is_turned(key: str, loss: str, proposal: str, name: str, value: float) -> None:
    more = {"companion": 2.0} if loss == "symmetry" else {}
    one = only(told(key, loss=loss, **more), proposal)
    assert dict(one.advised.knobs)[name] == pytest.approx(value)
    assert one.now.loss == one.advised.loss == loss
    assert {**dict(one.advised.knobs), name: 0} == {**dict(one.now.knobs), name: 0}


def test_a_knob_stops_at_its_end_and_one_at_its_end_is_not_tried() -> None:
    assert dict(only(told("temperature_low", temperature=0.7), "warmer").advised.knobs)["temperature"] == 1.0
    assert told("temperature_low", temperature=1.0).proposals == ()
    assert "InfoNCE has no knob that does it" in told("temperature_low", temperature=1.0).why_not
    assert told("temperature_low", loss="triplet").proposals == ()


def test_another_loss_stands_in_where_none_is_named() -> None:
    for loss in (None, "arcface"):
        found = told("gradient_captured", loss=loss)
        assert found.proposals[0].now.loss == "infonce"
        assert found.why_not.startswith("InfoNCE stands in for the loss.")
    assert not told("gradient_captured", loss="triplet", batch=64).why_not.startswith("InfoNCE")
    assert "stands in" not in told("hubs", loss=None).why_not  # nothing is trained


def test_items_without_labels_cannot_be_tried() -> None:
    found = told("hubs", Material("bare", z=Z))
    assert found.proposals == ()
    assert "labels of two classes" in found.why_not


def test_copies_are_masked_or_dropped() -> None:
    found = told("same_item_both", pairs=[[3, 1], [3, 7]])
    assert only(found, "mask").advised.masked == ((3, 1), (3, 7))
    assert only(found, "deduplicate").advised.without == (3, 7)


def test_batches_are_the_same_when_items_are_left_out_and_when_the_loss_is_another() -> None:
    material = labelled(Z, Y)
    one = only(told("label_suspects", items=[0, 5, 9]), "leave_out")
    found, other = tried(material, one, 5), tried(material, only(told("over_uniform"), "supervised"), 5)
    assert found.batches == other.batches == try_it(material, one.now, one.now, steps=5).batches
    balanced = tried(material, only(told("gradient_captured"), "balance"), 5)
    assert balanced.batches != found.batches


def test_leaving_out_mistaken_labels_is_confirmed() -> None:
    rng = np.random.default_rng(3)
    rows = np.sort(rng.choice(360, 150, replace=False))
    y = np.arange(360) % 4
    z = np.hstack([0.6 * np.eye(4)[y] + 0.15 * rng.normal(size=(360, 4)), rng.normal(size=(360, 12))])
    wrong = y.copy()
    wrong[rows] = rng.integers(0, 4, len(rows))
    material = labelled(z.astype(np.float32), wrong)
    one = only(told("label_suspects", material, items=rows.tolist()), "leave_out")
    found = try_it(material, one.now, one.advised, "auc", steps=60)
    assert np.mean(found.after) > np.mean(found.before)


def test_normalising_is_confirmed_where_lengths_do_harm() -> None:
    lengths = np.where(np.arange(120) % 10 == 0, 50.0, 1.0)[:, None]
    one = only(told("norms"), "normalise")
    found = tried(labelled(Z * lengths, Y), one)
    assert (one.now.search, one.advised.search) == ("dot", "cosine")
    assert found.outcome == "confirmed"
    assert set(found.batches) == {"nothing is trained"}


def test_subtracting_the_mean_is_confirmed_in_a_cone_that_noise_fills() -> None:
    rng = np.random.default_rng(0)
    y = np.arange(240) % 4
    far = np.exp(0.7 * rng.normal(size=(240, 1)))  # how far from the axis an item lies says nothing, its angle all
    z = 8.0 * np.eye(9)[8] + far * (np.eye(9)[y] + 0.2 * rng.normal(size=(240, 9)))
    one = only(told("narrow_cone"), "centre")
    assert one.advised.centred
    found = tried(labelled(z, y.astype(np.int64)), one)
    assert np.mean(found.after) > np.mean(found.before)


def test_decorrelating_raises_the_rank() -> None:
    rng = np.random.default_rng(1)
    z = np.concatenate([Z[:, :4]] * 2, axis=1) + 0.05 * rng.normal(size=(120, 8))
    one = only(told("dimensional_collapse"), "decorrelate")
    assert one.measure == "effective_rank"
    found = tried(labelled(z, Y), one, 60)
    assert found.outcome == "confirmed"


def test_calibrating_each_slice_is_confirmed_where_one_threshold_suits_neither() -> None:
    group = np.arange(120) // 60
    # The second slice sits in a cone, where all its cosines are high.
    z = np.hstack([Z, np.where(group == 1, 2.0, 0.0)[:, None]])
    one = only(told("unstable_threshold", labelled(z, Y, group=group)), "calibrate")
    found = tried(labelled(z, Y, group=group), one)
    assert found.outcome == "confirmed"
    with pytest.raises(ValueError, match="has none"):
        try_it(labelled(z, Y), one.now, one.advised, one.measure)


def test_regularising_is_measured_on_unseen_classes_alone() -> None:
    material = labelled(Z, Y, seen=Y < 2)
    one = only(told("unseen_gap", material), "decay")
    assert set(one.now.without) == set(np.flatnonzero(Y >= 2).tolist())
    assert (one.now.decay, one.advised.decay, one.measure) == (0.0, 10.0, "auc_unseen")
    found = tried(material, one, 10)
    assert found.before != found.after
    with pytest.raises(ValueError, match="not trained on"):
        try_it(labelled(Z, Y), one.now, one.advised, "auc_unseen")


def test_at_chance_compares_training_with_none() -> None:
    one = only(told("at_chance"), "learns")
    assert (one.now.trained, one.advised.trained) == (False, True)
    assert tried(labelled(Z, Y), one, 3).before == tried(labelled(Z, Y), one, 3).untrained


def test_local_scaling_by_hand() -> None:
    # Three unit rows at 0, 60 and 180 degrees: with two others each, r is the mean of both cosines.
    angle = np.radians([0, 60, 180])
    z = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    s = Part(z, np.array([0, 0, 1]), None).scored("local").s
    r = [(0.5 - 1.0) / 2, (0.5 - 0.5) / 2, (-1.0 - 0.5) / 2]
    assert s[0, 1] == pytest.approx(2 * 0.5 - r[0] - r[1])
    assert s[1, 2] == pytest.approx(2 * -0.5 - r[1] - r[2])


def test_measures_by_hand() -> None:
    angle = np.radians([0, 10, 180, 190])
    part = Part(np.stack([np.cos(angle), np.sin(angle)], axis=1), np.array([0, 0, 1, 1]), None)
    assert measured(part, part, "auc", "cosine") == 1.0
    assert measured(part, part, "recall_at_1", "cosine") == 1.0
    cosines = [np.cos(np.radians(x)) for x in (10, 180, 190, 170, 180, 10)]
    assert measured(part, part, "spread", "cosine") == pytest.approx(1 - np.mean(cosines))
    assert measured(part, part, "effective_rank", "cosine") == pytest.approx(1.0, abs=0.1)


def test_an_unknown_search_is_refused() -> None:
    with pytest.raises(ValueError, match="search must be one of cosine, dot"):
        Way("infonce", search="manhattan")
