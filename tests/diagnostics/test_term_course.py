"""Lengths and angles of the terms of a mixture over the steps: what a run logs, against looks at the same run."""

from dataclasses import replace

import numpy as np
import pytest

from models.diagnostics.mixture import Course, course, mixture_profile, term_measures
from models.diagnostics.summarise import summarise
from models.diagnostics.summary import Summary
from models.snapshot import Terms
from models.training.config import Event, Part
from models.training.run import Run
from tests.training.helpers import differing, part, small

KEY = "mix:infonce+triplet"


def told(summary: Summary) -> Course:
    found = course(summary)
    assert found is not None
    return found


def test_what_is_logged_by_hand() -> None:
    gradient = np.array([[[3.0, 4.0]], [[0.0, -2.0]], [[5.0, 0.0]]])  # three terms, one item, two dimensions
    found = term_measures(Terms(("a", "b", "c"), np.ones(3), gradient))
    assert found == {
        "term_norm.a": 5.0,
        "term_norm.b": 2.0,
        "term_norm.c": 5.0,
        "term_cosine.a.b": pytest.approx(-0.8),
        "term_cosine.a.c": pytest.approx(0.6),
        "term_cosine.b.c": 0.0,
        "terms_lost": pytest.approx(1 - np.hypot(8, 2) / 12),
    }
    assert term_measures(None) == {}
    assert term_measures(Terms(("a", "b"), np.ones(2), None)) == {}


def test_the_course_is_that_of_looks_at_each_step() -> None:
    config = replace(small(), loss=Part(KEY), events=(Event(15, "loss.triplet.weight", 0.25),))
    run, other = Run(config), Run(config)
    run.advance(35)
    found = told(summarise(run.snapshot()))
    assert found.step.tolist() == [0, 10, 20, 30, 35]
    assert (found.names, found.pairs) == (("infonce", "triplet"), ((0, 1),))
    looks = []
    for step in found.step:
        other.advance(int(step) - other.step)
        looks.append(mixture_profile(other.snapshot()))
    assert all(look is not None for look in looks)
    np.testing.assert_allclose(found.norm, np.stack([look.norm for look in looks], axis=1), rtol=1e-6)
    np.testing.assert_allclose(found.cosine[0], [look.cosine[0, 1] for look in looks], rtol=1e-5)
    np.testing.assert_allclose(found.lost, [look.lost for look in looks], rtol=1e-5)
    assert len({round(value, 6) for value in found.norm[1]}) == 5  # it moves
    assert differing(run, other) == []


def test_where_terms_work_against_each_other() -> None:
    cosine = np.array([[0.2, -0.1, 0.0, np.nan], [0.5, 0.4, -1e-6, np.nan]])
    found = Course(("a", "b", "c"), ((0, 1), (0, 2)), np.arange(4), np.ones((3, 4)), cosine, np.zeros(4))
    assert found.against.tolist() == [False, True, True, False]


def test_a_weight_of_zero_leaves_a_gap_and_no_row_missing() -> None:
    run = Run(
        replace(small(), loss=part(KEY, **{"triplet.weight": 0.0}), events=(Event(5, "loss.triplet.weight", 2.0),))
    )
    run.advance(12)
    found = told(summarise(run.snapshot()))
    assert found.step.tolist() == [0, 10, 12]
    assert found.norm[1, 0] == 0.0
    assert np.isnan(found.cosine[0, 0])
    assert np.isfinite(found.cosine[0, 1:]).all()


def test_a_run_from_before_terms_were_logged_has_the_later_rows() -> None:
    run = Run(replace(small(), loss=Part(KEY)))
    run.advance(25)
    summary = summarise(run.snapshot())
    shorter = {k: v[1:] if k.startswith("term") else v for k, v in summary.curves.measured.items()}
    found = told(replace(summary, curves=replace(summary.curves, measured=shorter)))
    np.testing.assert_array_equal(found.step, told(summary).step[1:])
    np.testing.assert_array_equal(found.norm, told(summary).norm[:, 1:])


def test_no_gradient_no_steps_and_no_mixture_no_course() -> None:
    mixed = Run(replace(small(), loss=Part(KEY), methods=(part("queue", size=32),)))
    mixed.advance(12)
    found = told(summarise(mixed.snapshot()))
    assert (found.step.size, found.norm.shape, found.cosine.shape) == (0, (2, 0), (1, 0))
    plain = Run(small())
    plain.advance(1)
    assert course(summarise(plain.snapshot())) is None
    assert not [name for name in plain.trace.measured if name.startswith("term")]
