"""The phases of a step as pictures and sentences, from a step made by hand on the unit circle."""

from dataclasses import replace

import numpy as np
import pytest

from components.panels import slow_motion
from models.diagnostics.slow_step import SlowStep


def turned(*degrees: float) -> np.ndarray:
    angle = np.radians(degrees)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def step() -> SlowStep:
    y, z = np.array([1, 0, 1]), turned(0, 90, 60)
    pos = (y[:, None] == y[None]) & ~np.eye(3, dtype=bool)
    neg = y[:, None] != y[None]
    weight = np.where(pos, -0.5, np.where(neg, 0.25, 0.0))
    pull, push = turned(90, 0, 180) * 2.0, turned(0, 90, 0) * 1.0
    return SlowStep(
        4, 1.25, 6, np.array([7, 8, 9]), y, z, turned(10, 100, 50), pull + push, pull, push, z @ z.T, pos, neg, weight
    )


def test_matrices_are_sorted_by_class_and_leave_the_diagonal_blank() -> None:
    scored = slow_motion.figure(step(), "scored", ("cat", "dog"))
    z = np.array(scored.data[0].z, float)
    assert np.isnan(z.diagonal()).all()
    assert z[0, 1] == pytest.approx(0.0, abs=1e-12)  # cat at 90 degrees against dog at 0
    assert z[1, 2] == pytest.approx(0.5)
    assert list(scored.layout.yaxis.ticktext) == ["cat", "dog"]
    weighed = np.array(slow_motion.figure(step(), "weighed").data[0].z, float)
    assert weighed[1, 2] == -0.5
    assert weighed[0, 1] == 0.25


def test_points_move_and_arrows_point_down_the_gradient() -> None:
    before, after = (slow_motion.figure(step(), phase, ("cat", "dog")) for phase in ("embedded", "moved"))
    dogs = {phase: next(t for t in fig.data if t.name == "dog") for phase, fig in (("b", before), ("a", after))}
    np.testing.assert_allclose(dogs["b"].x, np.cos(np.radians([0, 60])))
    np.testing.assert_allclose(dogs["a"].x, np.cos(np.radians([10, 50])))
    pull, push = (next(t for t in after.data if t.name == name) for name in ("pull", "push"))
    np.testing.assert_allclose([pull.x[1] - pull.x[0], pull.y[1] - pull.y[0]], [0, -0.25], atol=1e-9)
    np.testing.assert_allclose([push.x[1] - push.x[0], push.y[1] - push.y[0]], [-0.125, 0], atol=1e-9)
    assert push.line.dash == "dash"


@pytest.mark.parametrize(
    ("phase", "told"),
    [
        ("drawn", "Step 5 draws 6 rows; 3 of them are shown, of 2 classes."),
        ("embedded", "The encoder's 2 dimensions, on the unit circle."),
        ("scored", "Positive pairs score 0.5 on average, negative pairs 0.433. The loss of the batch is 1.25."),
        ("weighed", "6 of 6 pairs shown have a weight: they pull with 1 in all and push with 1."),
        ("moved", "Arrows: solid pulls, dashed pushes. The step turned a row by 10° on average, on the unit circle."),
    ],
)
def test_sentences(phase: str, told: str) -> None:
    assert slow_motion.sentence(step(), phase) == told


def test_without_scores_it_says_why() -> None:
    bare = replace(step(), pull=None, push=None, s=None, pos=None, neg=None, weight=None, why_no_split="it has none")
    assert slow_motion.sentence(bare, "scored") == "No matrix of scores: it has none."
    assert "No arrows: it has none." in slow_motion.sentence(bare, "moved")
    assert len(slow_motion.figure(bare, "weighed").data) == 0
    assert slow_motion.table(bare)["pull"].tolist() == [None, None, None]
    with pytest.raises(ValueError, match="got 'drawn'"):
        slow_motion.figure(bare, "drawn")


def test_table_has_the_lengths_of_the_gradients() -> None:
    found = slow_motion.table(step(), ("cat", "dog"))
    assert found["class"].tolist() == ["dog", "cat", "dog"]
    assert found["pull"].tolist() == [2.0, 2.0, 2.0]
    assert found["item"].tolist() == [7, 8, 9]
