"""Pairs that are left out of training: in neither mask of a batch from the event's step on, and all else stays."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from app.address import Setup, from_query, to_query
from models.diagnostics.summarise import summarise
from models.geometry import Embeddings, Scores, score
from models.losses import infonce
from models.pair_code import MOST, checked, encode_pairs
from models.pair_mask import PairMask
from models.training.config import MASK, Event, Part, RunConfig
from models.training.run import Run

SMALL = RunConfig(data=Part("clusters"), sampler=Part("balanced", (("batch", 32),)), steps=30)
CPU = torch.device("cpu")


def first_batch_pairs(config: RunConfig, step: int = 0) -> list[tuple[int, int]]:
    """Every third pair of the items of a batch, the first 60: some positive, some negative."""
    sample = Run(config).feed.batch(step)[1].sample
    assert sample is not None
    items = sorted(set(sample.tolist()))
    every = [(a, b) for k, a in enumerate(items) for b in items[k + 1 :]]
    return every[::3][:60]


def masked(config: RunConfig, pairs: list[tuple[int, int]], step: int = 0) -> RunConfig:
    return config.with_event(Event(step, MASK, encode_pairs(pairs)))


def weights_of(run: Run) -> np.ndarray:
    return torch.cat([p.detach().flatten() for p in run.encoder.parameters()]).numpy()


def test_both_directions_and_all_copies_of_an_item() -> None:
    sample = torch.tensor([5, 2, 9, 2])
    held = Embeddings(torch.randn(4, 3), torch.tensor([0, 0, 1, 0]), sample=sample)
    plain = score(held)
    found = PairMask(encode_pairs([(2, 9), (2, 5)]), 10, CPU).without(plain, held, None)
    left_out = [[{int(a), int(b)} in ({2, 9}, {2, 5}) for b in sample] for a in sample]
    assert torch.equal(found.pos, plain.pos & ~torch.tensor(left_out))
    assert torch.equal(found.neg, plain.neg & ~torch.tensor(left_out))
    assert found.pos.sum() == 2  # the two copies of item 2
    assert found.s is plain.s


def test_what_is_no_training_item_is_left_alone() -> None:
    held = Embeddings(torch.randn(3, 2), torch.tensor([0, 0, 1]))
    plain = score(held)
    assert PairMask("0_1", 3, CPU).without(plain, held, None) is plain


@pytest.mark.parametrize("pairing", ["label", "views"])
def test_a_step_is_that_of_the_loss_without_the_pairs(pairing: str) -> None:
    config = replace(SMALL, pairing=pairing)
    pairs = first_batch_pairs(config)
    run = Run(masked(config, pairs))
    x, batch = run.feed.batch(0)
    assert batch.sample is not None
    plain = score(replace(batch, z=run.encoder(x)))
    out = torch.tensor([[tuple(sorted((int(a), int(b)))) in pairs for b in batch.sample] for a in batch.sample])
    expected = infonce.loss(Scores(plain.s, plain.pos & ~out, plain.neg & ~out)).item()
    run.advance(1)
    assert (out & plain.neg).any()
    assert run.trace.loss[0] == pytest.approx(expected, rel=1e-6)
    assert run.trace.loss[0] != pytest.approx(infonce.loss(plain).item(), rel=1e-4)


def test_towers_leave_out_pairs_of_both_sides() -> None:
    config = RunConfig(data=Part("halves"), pairing="towers", sampler=Part("balanced", (("batch", 16),)), steps=9)
    pairs = first_batch_pairs(config)
    run, plain = Run(masked(config, pairs)), Run(config)
    run.advance(1)
    plain.advance(1)
    assert run.trace.loss[0] < plain.trace.loss[0]  # fewer negatives in every denominator


def test_nothing_differs_before_the_events_step() -> None:
    plain, run = Run(SMALL), Run(masked(SMALL, first_batch_pairs(SMALL, 4), step=4))
    for one in (plain, run):
        one.advance(4)
    np.testing.assert_array_equal(weights_of(plain), weights_of(run))
    for one in (plain, run):
        one.advance(1)
    assert np.abs(weights_of(plain) - weights_of(run)).max() > 0


def test_slices_looks_and_a_mask_set_live_give_one_run() -> None:
    pairs = first_batch_pairs(SMALL, 5)
    whole = Run(masked(SMALL, pairs, step=5))
    whole.advance(12)
    sliced = Run(SMALL)
    sliced.advance(5)
    sliced.set(MASK, encode_pairs(pairs))
    sliced.snapshot()
    sliced.advance(3)
    sliced.snapshot()
    sliced.advance(4)
    np.testing.assert_array_equal(weights_of(whole), weights_of(sliced))
    assert whole.config == sliced.config


def test_fork_from_a_saved_step(tmp_path: Path) -> None:
    """The plain state of a step goes on under the mask as the masked run would have."""
    config = masked(SMALL, first_batch_pairs(SMALL, 5), step=5)
    plain = Run(SMALL)
    plain.advance(5)
    plain.save(tmp_path)
    fork, whole, again = Run(config), Run(config), Run(config)
    kept = Run.load(tmp_path)
    fork.restore(5, kept.trace, kept._tensors())
    fork.advance(4)
    whole.advance(9)
    np.testing.assert_array_equal(weights_of(whole), weights_of(fork))
    fork.save(tmp_path)
    again = Run.load(tmp_path)
    assert again.objective.mask is not None
    again.advance(3)
    whole.advance(3)
    np.testing.assert_array_equal(weights_of(whole), weights_of(again))


def test_an_empty_mask_ends_one() -> None:
    config = masked(SMALL, first_batch_pairs(SMALL)).with_event(Event(3, MASK, ""))
    run = Run(config)
    assert run.objective.mask is not None
    run.advance(4)
    assert run.objective.mask is None
    run.restore(2, run.trace.until(2), {name: t.clone() for name, t in run._tensors().items()})
    assert run.objective.mask is not None


def test_going_back_before_the_event_lifts_the_mask() -> None:
    run = Run(masked(SMALL, first_batch_pairs(SMALL, 2), step=2))
    before = {name: t.clone() for name, t in run._tensors().items()}
    run.advance(3)
    assert run.objective.mask is not None
    run.restore(0, run.trace.until(0), before)
    assert run.objective.mask is None


def test_config_keeps_one_form() -> None:
    config = SMALL.with_event(Event(7, MASK, "3_2.2_3.a_1"))
    assert config.events == (Event(7, MASK, "1_a.2_3"),)
    assert RunConfig.from_json(config.to_json()) == config
    assert json.loads(config.to_json())["events"][0]["value"] == "1_a.2_3"
    assert config.config_id not in (SMALL.config_id, SMALL.with_event(Event(7, MASK, "1_a")).config_id)
    assert config.folded().events == (Event(0, MASK, "1_a.2_3"),)
    assert config.with_event(Event(9, MASK, "")).folded().events == ()
    assert config.with_event(Event(8, "loss.temperature", 0.4)).folded().loss["temperature"] == 0.4


def test_a_mask_goes_through_the_address() -> None:
    setup = Setup((SMALL.with_event(Event(7, MASK, "1_a.2_3")), SMALL))
    query = {name: [value] if isinstance(value, str) else value for name, value in to_query(setup).items()}
    assert from_query(query) == (setup, ())


def test_marks_say_how_many_pairs() -> None:
    run = Run(SMALL.with_event(Event(0, MASK, "1_a.2_3")).with_event(Event(1, MASK, "")))
    run.advance(1)
    assert [mark.text for mark in summarise(run.snapshot()).marks] == ["2 pairs left out", "no pair left out"]


@pytest.mark.parametrize(
    ("config", "value", "message"),
    [
        (SMALL, "1_1", "pairs item 1 with itself"),
        (SMALL, "x", "'x', which has one id"),
        (SMALL, 3, "must be text such as 1c_2f.2a_3, got 3"),
        (RunConfig(loss=Part("cross_entropy")), "1_2", "cross_entropy reads logits"),
        (RunConfig(methods=(Part("queue"),)), "1_2", "before method queue"),
    ],
)
def test_bad_masks_are_refused(config: RunConfig, value: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        config.with_event(Event(0, MASK, value))


def test_too_many_pairs_are_refused() -> None:
    with pytest.raises(ValueError, match=f"holds {MOST + 1} pairs, at most {MOST} can be left out"):
        checked(encode_pairs((0, k + 1) for k in range(MOST + 1)))


def test_a_mask_of_other_data_is_refused_and_leaves_the_run_as_it_was() -> None:
    run = Run(SMALL)
    with pytest.raises(ValueError, match="names training item 1679615, but there are"):
        run.set(MASK, "1_zzzz")
    assert run.config == SMALL
    assert run.objective.mask is None
    with pytest.raises(ValueError, match="it is of other data"):
        Run(SMALL.with_event(Event(0, MASK, "1_zzzz")))
