"""A view as a look: the scores, kinds and weights of its pairs are those that the diagnosis measured."""

import numpy as np
import pytest

from models.checkpoint import Material, diagnose
from models.checkpoint.looks import look_of
from models.checkpoint.result import result
from models.checkpoint.view import weight_matrix
from models.diagnostics.pairs import Pairs
from models.selection import PairList, ScoreBand, Selection, resolve
from tests.checkpoint.made import labelled, sound

Z, Y = sound(90, 3, 8)
WRONG = np.where(np.arange(90) < 5, (Y + 1) % 3, Y)


def test_scores_kinds_and_weights_are_those_of_the_diagnosis() -> None:
    material = labelled(Z, Y)
    made = diagnose(material, "infonce", {"temperature": 0.2, "batch": 30}, sample=60)
    view = result(material, made).views[0]
    look, evidence = look_of(material, view, "infonce", {"temperature": 0.2}), made.evidence
    assert look.item.tolist() == evidence.row.tolist()
    np.testing.assert_allclose(look.s, evidence.s, atol=1e-6)
    assert np.array_equal(look.pos, evidence.pos)
    assert np.array_equal(look.neg, evidence.neg)
    expected = weight_matrix(evidence)
    assert expected is not None
    assert look.weight is not None
    assert np.count_nonzero(expected) > 1000
    # Ten bits of a weight's logarithm: within 2 % of it, or too small to be kept.
    close = np.abs(look.weight - expected) <= 0.02 * np.abs(expected) + 1e-4 * np.abs(expected).max()
    assert close.all()
    assert not (look.read_pos & (expected == 0)).any()  # a pair of two batches is neither kind to the loss


def test_without_a_loss_there_are_no_weights_and_the_reason_is_told() -> None:
    material = labelled(Z, Y)
    look = look_of(material, result(material, diagnose(material)).views[0], "", {})
    assert look.weight is None
    assert look.why_no_weight == "no loss was named"
    pairs = resolve(Selection(ScoreBand("negative", -1.0, 1.0)), look)
    assert len(pairs) == int(np.triu(Y[:, None] != Y[None, :]).sum())


def test_a_finding_marks_pairs_that_a_look_finds_again() -> None:
    material = labelled(Z, WRONG)
    shown = result(material, diagnose(material))
    mark = shown.marks["label_suspects"]
    found: Pairs = resolve(Selection(PairList(mark.pairs)), look_of(material, shown.views[0], "", {}))
    assert mark.brushed is not None
    assert len(found) == mark.brushed.pairs > 0
    assert {0, 2, 3, 4} <= set(mark.items) <= set(found.i.tolist()) | set(found.j.tolist())


def test_pairs_without_labels_cannot_be_brushed() -> None:
    bare = Material("bare", z=Z)
    view = result(bare, diagnose(bare)).views[0]
    with pytest.raises(ValueError, match="Brushing needs labels"):
        look_of(bare, view, "", {})
