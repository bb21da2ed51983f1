"""Numbers to predict as graded similarity: the formula, what losses read of it, and that it orders the embedding."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from models.data import diabetes, rotation
from models.data_common import number_likeness
from models.geometry import score
from models.training.config import RunConfig
from models.training.run import Run
from tests.training.helpers import differing, part, small


def run_on(data: str, loss: str = "cwcl", pairing: str = "label", **knobs: object) -> Run:
    return Run(small(loss, data=part(data, **knobs), pairing=pairing))


@pytest.mark.parametrize("width", [0.3, 5.0, 80.0])
def test_products_of_rows_are_the_bell_of_the_distance(width: float) -> None:
    numbers = np.array([-60.0, -59.9, 0.0, 3.3, 12.0, 59.0])
    rows = number_likeness(numbers, width).astype(np.float64)
    expected = [[math.exp(-((a - b) ** 2) / (2 * width**2)) for b in numbers] for a in numbers]
    assert rows @ rows.T == pytest.approx(np.array(expected), abs=1e-6)


def test_a_number_by_hand() -> None:
    rows = number_likeness(np.array([10.0, 20.0, 30.0]), 10.0)
    assert rows[0] @ rows[1:].T == pytest.approx([math.exp(-0.5), math.exp(-2.0)], abs=1e-6)


def test_a_width_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="width must be > 0, got 0"):
        number_likeness(np.zeros(3), 0.0)


def test_the_sets_hand_over_their_width() -> None:
    assert (rotation.load(width=7.0).width, diabetes.load(width=55.0).width) == (7.0, 55.0)


@pytest.mark.parametrize("pairing", ["label", "views"])
@pytest.mark.parametrize(("data", "width"), [("rotation", 6.0), ("diabetes", 30.0)])
def test_a_graded_loss_reads_the_numbers_of_its_batch(data: str, width: float, pairing: str) -> None:
    run = run_on(data, pairing=pairing, width=width)
    batch = run.feed.batch(2)[1]
    target = score(batch).target
    assert target is not None
    assert batch.sample is not None
    assert run.data.source.target is not None
    numbers = run.data.source.target[run.data.train[batch.sample.numpy()]]
    expected = np.exp(-((numbers[:, None] - numbers) ** 2) / (2 * width**2))
    assert target.numpy() == pytest.approx(expected, abs=2e-6)
    shown = run.snapshot().lens
    assert shown is not None
    assert shown.target is not None
    told = run.data.source.target[run.data.probe]
    assert shown.target == pytest.approx(np.exp(-((told[:, None] - told) ** 2) / (2 * width**2)), abs=2e-6)


def test_a_flipped_item_is_as_alike_as_the_number_it_is_trained_with() -> None:
    run = Run(small("cwcl", data=part("rotation", label_flips=0.4), pairing="label"))
    batch = run.feed.batch(0)[1]
    assert batch.sample is not None
    assert batch.graded is not None
    assert run.data.target is not None
    numbers = run.data.target[batch.sample.numpy()]
    got = (batch.graded @ batch.graded.T).numpy()
    assert got == pytest.approx(np.exp(-((numbers[:, None] - numbers) ** 2) / 200.0), abs=2e-6)


@pytest.mark.parametrize("loss", ["infonce", "supremix"])
def test_other_losses_are_given_no_grades(loss: str) -> None:
    assert run_on("rotation", loss).feed.batch(0)[1].graded is None
    assert Run(small("cwcl")).feed.batch(0)[1].graded is None


def test_slices_make_no_difference() -> None:
    whole, sliced = run_on("diabetes"), run_on("diabetes")
    whole.advance(9)
    sliced.advance(4)
    sliced.snapshot()
    sliced.advance(5)
    assert differing(whole, sliced) == []


def test_grades_order_the_embedding_by_the_number() -> None:
    """Rank correlation of cosine and difference of angle on the probe: below that of labels, which know only bins."""
    found = {}
    for loss in ("cwcl", "supcon"):
        config = RunConfig(
            data=part("rotation", width=15.0),
            loss=part(loss, temperature=0.2),
            pairing="label",
            encoder=part("mlp", width=64, dim=16),
            sampler=part("balanced", batch=64),
        )
        run = Run(config)
        run.advance(150)
        shot = run.snapshot()
        assert run.data.source.target is not None
        angle = torch.from_numpy(run.data.source.target[run.data.probe])
        once = np.triu_indices(len(angle), 1)
        gap = (angle[:, None] - angle[None, :]).abs().numpy()[once]
        found[loss] = float(spearmanr(shot.s[once], gap).statistic)
    assert found["cwcl"] < -0.7
    assert found["cwcl"] < found["supcon"] - 0.05
