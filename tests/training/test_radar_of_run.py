"""The radar of a run: right pairs with their own numbers, a grade, and a mask that a run accepts."""

from dataclasses import replace

import numpy as np
import pytest

from components.panels import radar_cards
from models.diagnostics.cards import CARDS
from models.pair_code import decode_pairs
from models.training.config import MASK, Event, Part, RunConfig
from models.training.radar import Found, find_suspects
from models.training.run import Run

SPOILED = RunConfig(data=Part("clusters", (("label_flips", 0.1),)), steps=60)


@pytest.fixture(scope="module")
def found() -> tuple[Run, Found]:
    run = Run(SPOILED)
    run.advance(30)
    return run, find_suspects(run, 300)


def test_cards_are_of_pairs_that_the_run_reads_as_negative(found: tuple[Run, Found]) -> None:
    run, radar = found
    assert 0 < len(radar.cards) <= CARDS <= radar.suspects
    assert (run.data.y[radar.cards.item_i] != run.data.y[radar.cards.item_j]).all()
    np.testing.assert_array_equal(radar.rows_i, run.data.train[radar.cards.item_i])
    np.testing.assert_array_equal(radar.rows_j, run.data.train[radar.cards.item_j])
    assert (np.diff(radar.suspicion[~(radar.rows_i == radar.rows_j)]) <= 1e-9).all()


def test_grade_is_that_of_the_true_labels(found: tuple[Run, Found]) -> None:
    run, radar = found
    pairs = decode_pairs(radar.mask)
    assert len(pairs) == radar.masked == radar.suspects
    right = sum(bool(run.data.truth[i] == run.data.truth[j]) for i, j in pairs)
    assert radar.precision == pytest.approx(right / len(pairs))
    assert radar.recall == pytest.approx(right / radar.known)
    assert "(precision)" in radar_cards.sentence(radar)
    assert len(radar_cards.table(radar)) == len(radar.cards)


def test_the_mask_takes_effect_at_its_step_and_not_before(found: tuple[Run, Found]) -> None:
    run, radar = found
    masked = Run(replace(SPOILED, events=(Event(30, MASK, radar.mask),)))
    masked.advance(30)
    assert masked.trace.loss == run.trace.loss[:30]
    usual = Run(SPOILED)
    for each in (masked, usual):
        each.advance(10 if each is masked else 40)
    assert masked.trace.loss[30:] != usual.trace.loss[30:40]


def test_clean_data_cannot_be_graded() -> None:
    radar = find_suspects(Run(RunConfig(data=Part("clusters"))), 60)
    assert radar.known == -1
    assert "cannot be graded" in radar_cards.sentence(replace(radar, suspects=1))
    assert "no pair is suspected" in radar_cards.sentence(replace(radar, suspects=0))
