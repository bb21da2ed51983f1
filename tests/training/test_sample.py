"""A look at training items: their labels as trained, the weights of the run's own loss, and nothing disturbed."""

import numpy as np
import pytest
import torch

from models.diagnostics.look import TRAINING, look_of
from models.diagnostics.pair_loss import pair_losses
from models.diagnostics.radar import radar
from models.geometry import Embeddings, Scores, score
from models.losses import infonce
from models.sensitivity import pair_weights
from models.training.config import MASK, Event, Part, RunConfig
from models.training.run import Run
from models.training.sample import sample_positions, training_snapshot

FLIPPED = RunConfig(data=Part("clusters", (("label_flips", 0.2),)), steps=30)


def test_labels_and_scores_are_those_of_training() -> None:
    run = Run(FLIPPED)
    run.advance(2)
    found = training_snapshot(run, 120)
    assert len(found.item) == 120
    np.testing.assert_array_equal(found.y, run.data.y[found.item])
    assert (found.y != run.data.truth[found.item]).sum() > 10
    with torch.no_grad():
        z = run.encoder(torch.from_numpy(run.data.source.x[run.data.train[found.item]]))
    scores = score(Embeddings(z, torch.from_numpy(found.y)))
    np.testing.assert_allclose(found.s, scores.s.numpy(), atol=1e-6)
    np.testing.assert_array_equal(found.neg, scores.neg.numpy())
    np.testing.assert_allclose(found.weight, pair_weights(infonce, scores).numpy(), atol=1e-8)
    assert look_of(found, TRAINING).of == TRAINING


@pytest.mark.parametrize(
    ("config", "reads"),
    [
        (RunConfig(data=Part("digits"), pairing="views", steps=20), "second views"),
        (RunConfig(data=Part("halves"), pairing="towers", steps=20), "other sides"),
    ],
)
def test_other_pairings(config: RunConfig, reads: str) -> None:
    found = training_snapshot(Run(config), 60)
    look = look_of(found, TRAINING)
    assert look.reads == reads
    assert (look.other is None) == (reads == "second views")
    np.testing.assert_array_equal(look.pos, found.pos)
    np.testing.assert_allclose(look.read_s, found.lens.s, atol=3e-6)  # type: ignore[union-attr]
    assert look.weight is not None
    assert np.abs(look.weight).max() > 0


def test_masked_pairs_have_no_weight() -> None:
    plain = training_snapshot(Run(FLIPPED), 50)
    a, b = (int(k) for k in plain.item[[3, 8]])
    found = training_snapshot(
        Run(FLIPPED.with_event(Event(0, MASK, f"{np.base_repr(a, 36)}_{np.base_repr(b, 36)}".lower()))), 50
    )
    assert plain.weight is not None
    assert found.weight is not None
    assert plain.weight[3, 8] != 0 != plain.weight[8, 3]
    assert found.weight[3, 8] == found.weight[8, 3] == 0
    assert np.count_nonzero(found.weight) == np.count_nonzero(plain.weight) - 2
    look = look_of(found, TRAINING)
    assert look.left_out.tolist() == [3 * 50 + 8, 8 * 50 + 3]
    assert found.lens is not None
    np.testing.assert_array_equal(look.read_pos, found.lens.pos)
    np.testing.assert_array_equal(look.read_neg, found.lens.neg)
    parts, _ = pair_losses(look)
    assert parts is not None
    read = Scores(*(torch.from_numpy(np.array(a)) for a in (found.lens.s, found.lens.pos, found.lens.neg)))
    assert parts.sum() == pytest.approx(float(infonce.loss(read)), rel=1e-5)
    assert radar(look, cut=0.0).negatives == radar(look_of(plain, TRAINING), cut=0.0).negatives - 1


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (RunConfig(data=Part("clusters"), loss=Part("cross_entropy")), "reads class logits"),
        (RunConfig(data=Part("clusters"), methods=(Part("queue"),)), "changes what the loss reads"),
    ],
)
def test_no_weights_and_why(config: RunConfig, reason: str) -> None:
    found = training_snapshot(Run(config), 40)
    assert found.weight is None
    assert reason in found.why_no_weight


def test_the_run_goes_on_as_if_nobody_had_looked() -> None:
    looked, plain = Run(FLIPPED), Run(FLIPPED)
    looked.advance(3)
    training_snapshot(looked, 40)
    looked.advance(3)
    plain.advance(6)
    assert looked.trace.loss == plain.trace.loss


def test_the_same_items_every_time() -> None:
    found = sample_positions(1000, 200, seed=4)
    np.testing.assert_array_equal(found, sample_positions(1000, 200, seed=4))
    assert len(set(found.tolist())) == 200
    assert not np.array_equal(found, sample_positions(1000, 200, seed=5))
    assert sample_positions(7, 200, seed=4).tolist() == list(range(7))
