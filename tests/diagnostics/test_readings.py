"""Measures that are worked out here rather than taken from a summary as they stand."""

from dataclasses import replace

import numpy as np
import pytest

from models.diagnostics.readings import read
from models.diagnostics.summary import ClassProfile, Summary
from tests.panels.made_up import margins, summary

EMPTY = np.empty((0, 0))
LABELS = ("f1", "f1_lowest", "hamming", "label_gap")


def with_classes(label: list[int], similarity: list[list[float]]) -> Summary:
    cosine = np.array(similarity)
    profile = ClassProfile(np.array(label), np.ones(cosine.shape, np.int64), cosine, EMPTY, EMPTY)
    return replace(summary(), classes=profile)


def test_class_order_by_hand() -> None:
    """Ranks of nearness against distances 1, 3, 2: perfect, turned round, and with the first two exchanged: -0.5."""
    label = [0, 1, 3]  # distances 1, 3 and 2 in the order (0, 1), (0, 3), (1, 3)
    for near, expected in (((0.9, 0.1, 0.5), 1.0), ((0.1, 0.9, 0.5), -1.0), ((0.5, 0.9, 0.1), -0.5)):
        a, b, c = near
        shown = with_classes(label, [[1, a, b], [a, 1, c], [b, c, 1]])
        assert read(shown, "class_order") == pytest.approx(expected)


def test_class_order_leaves_out_the_rest_and_pairs_that_are_not_there() -> None:
    """Four classes in order and a last row for all others, which would spoil it; one pair is unknown."""
    near = 1.0 - 0.2 * np.abs(np.subtract.outer(np.arange(5), np.arange(5)))
    near[4, :4] = near[:4, 4] = [9.0, 0.0, 9.0, 0.0]
    near[0, 3] = near[3, 0] = np.nan
    assert read(with_classes([0, 1, 2, 3, -1], near.tolist()), "class_order") == pytest.approx(1.0)


def test_class_order_is_not_defined_without_an_order_to_see() -> None:
    for shown in (
        replace(summary(), classes=None),
        with_classes([0, 1], [[1, 0.5], [0.5, 1]]),
        with_classes([0, 1, 2], np.ones((3, 3)).tolist()),
    ):
        assert np.isnan(read(shown, "class_order"))


def test_several_labels_are_read_as_mean_as_worst_and_as_share() -> None:
    shown = summary()
    told = replace(margins(), kind="multilabel", f1_by=np.array([0.5, np.nan, 0.25]), label_gap=0.3, below=0.125)
    shown = replace(shown, margins=told)
    assert [read(shown, name) for name in LABELS] == [0.375, 0.25, 0.125, 0.3]


def test_one_class_an_item_has_no_measures_of_labels() -> None:
    shown = replace(summary(), margins=margins())
    assert all(np.isnan(read(shown, name)) for name in LABELS)


def test_pairs_found_at_one_false_accept_in_a_thousand() -> None:
    rates = np.array([0.9, 0.7, 0.4, 0.1])  # at 1e-1, 1e-2, 1e-3, 1e-4
    assert read(replace(summary(), roc=replace(summary().roc, tpr_at=rates)), "tpr_001") == 0.4


def test_the_gap_is_between_the_means_that_were_logged_last() -> None:
    rows = {"pos_mean": np.array([0.1, 0.75]), "neg_mean": np.array([0.1, -0.25])}
    shown = replace(summary(), curves=replace(summary().curves, measured_step=np.array([0, 10]), measured=rows))
    assert read(shown, "gap") == 1.0
    assert np.isnan(read(replace(shown, curves=replace(shown.curves, measured={})), "gap"))


def test_what_moved_logits_do_to_the_loss_is_read_one_by_one() -> None:
    head = replace(margins(), moved=np.array([0.5, 0.25, 2.0]), top_5=0.75, size=3.0)
    names = ("doubled", "raised", "turned", "top_5", "margin_size")
    assert [read(replace(summary(), margins=head), name) for name in names] == [0.5, 0.25, 2.0, 0.75, 3.0]
    unknown = replace(summary(), margins=replace(head, moved=None, top_5=None))
    assert all(np.isnan(read(unknown, name)) for name in names[:4])
