"""Another loss on the way: what goes on, what is new, and that a replay gives the same bits."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models.pair_code import encode_pairs
from models.training.config import FORK, LOSS, Event, Part, RunConfig
from models.training.run import Run
from tests.training.helpers import differing, numbers, part, small

MASKED = encode_pairs([(0, 1)])
TURN = (Event(7, LOSS, "supcon"), Event(7, "loss.temperature", 0.3), Event(7, FORK, "A2"))


def test_a_replay_turns_where_a_live_change_did() -> None:
    live = Run(small("infonce"))
    live.advance(7)
    for event in TURN:
        live.set(event.knob, event.value)
    live.advance(6)
    replayed = Run(small("infonce", events=TURN))
    replayed.advance(13)
    assert differing(live, replayed) == []
    assert replayed.objective.spec.key == "supcon"
    assert replayed.objective.knobs["temperature"] == 0.3
    plain = Run(small("infonce"))
    plain.advance(13)
    assert replayed.trace.loss[:7] == plain.trace.loss[:7]
    assert replayed.trace.loss[7] != plain.trace.loss[7]


def test_the_step_after_a_turn_is_adam_with_the_old_memory() -> None:
    """By hand: moments of seven steps of one loss, then the gradient of another."""
    run = Run(small("infonce", events=TURN))
    run.advance(7)
    weight = next(run.encoder.parameters())
    memory = {name: value.clone() for name, value in run.optimiser.state[weight].items()}
    before = weight.detach().clone().double()
    assert memory["step"].item() == 7
    run.advance(1)
    assert weight.grad is not None
    g = weight.grad.double()
    m = 0.9 * memory["exp_avg"].double() + 0.1 * g
    v = 0.999 * memory["exp_avg_sq"].double() + 0.001 * g * g
    wanted = before - 1e-3 * (m / (1 - 0.9**8)) / ((v / (1 - 0.999**8)).sqrt() + 1e-8)
    assert torch.allclose(weight.detach().double(), wanted, atol=1e-7)
    assert (weight.detach().double() - before).abs().max() > 1e-5


@pytest.mark.parametrize("at", [5, 7, 9])
def test_a_state_before_at_and_after_a_turn_goes_on_alike(at: int, tmp_path: Path) -> None:
    events = (Event(7, LOSS, "arcface"), Event(3, "optimiser.rate", 0.01))
    whole = Run(small("infonce", events=events))
    whole.advance(12)
    run = Run(small("infonce", events=events))
    run.advance(at)
    run.save(tmp_path)
    again = Run.load(tmp_path)
    again.advance(12 - at)
    assert differing(again, whole) == []
    assert any(name.startswith("objective.own") for name in numbers(again))
    assert again.optimiser.param_groups[0]["lr"] == 0.01


def test_a_state_that_knew_of_no_turn_takes_one_in_at_its_step() -> None:
    parent = Run(small("arcface"))
    parent.advance(7)
    tensors = {name: tensor.clone() for name, tensor in parent._tensors().items()}
    fork = Run(small("arcface", events=TURN))
    fork.restore(7, parent.trace.until(7), tensors, parent.config)
    fork.advance(4)
    replayed = Run(small("arcface", events=TURN))
    replayed.advance(11)
    assert [name for name in differing(fork, replayed) if not name.startswith("measured")] == []


def test_a_snapshot_shows_the_loss_in_force() -> None:
    run = Run(small("infonce", events=TURN))
    run.advance(6)
    assert "InfoNCE" in run.snapshot().label
    run.advance(1)
    assert "SupCon" in run.snapshot().label
    assert run.config.loss_at(6) == RunConfig(loss=Part("infonce")).loss
    assert run.config.loss_at(7)["temperature"] == 0.3
    assert run.config.turn_at(6) == (-1, "infonce")
    assert run.config.turn_at(99) == (7, "supcon")


def test_events_of_a_fork_survive_json_and_fold_into_the_last_loss() -> None:
    config = small("triplet", events=(Event(2, "loss.margin", 0.4), *TURN))
    assert RunConfig.from_json(config.to_json()) == config
    assert config.folded() == replace(small("supcon"), loss=part("supcon", temperature=0.3))
    assert config.until(7).events == (Event(2, "loss.margin", 0.4),)
    assert config.config_id != replace(config, events=config.events[:-1]).config_id


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ((Event(7, LOSS, "nonsense"),), "nonsense"),
        ((Event(7, LOSS, "supcon"), Event(8, "loss.margin", 0.3)), "no knob 'margin'"),
        ((Event(7, FORK, "the second"),), "letter and a number"),
        ((Event(7, LOSS, "own:mine-0123"),), "on the way"),
    ],
)
def test_what_cannot_be_is_refused(events: tuple[Event, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        small("triplet", events=events)


def test_a_loss_that_the_data_refuse_is_told_before_the_first_step() -> None:
    with pytest.raises(ValueError, match="number to predict"):
        Run(small("infonce", events=(Event(400, LOSS, "hl_gauss"),)))


def test_a_divergence_behind_a_turn_goes_back_to_the_loss_of_then() -> None:
    run = Run(small("infonce", events=(Event(60, LOSS, "arcface"),)))
    run.advance(60)
    assert run.objective.spec.key == "arcface"
    run._go_back()
    assert (run.step, run.objective.spec.key) == (50, "infonce")
    run.advance(15)
    whole = Run(run.config)
    whole.advance(65)
    assert differing(run, whole) == []
    assert np.isfinite(run.trace.loss).all()


def test_a_turn_to_a_graded_loss_reads_graded_targets() -> None:
    """CWCL reads how near two numbers are: a run that turns to it at once is a run of it, but for the optimiser."""
    data = part("rotation")
    turned = Run(small("infonce", data=data, events=(Event(0, LOSS, "cwcl"),)))
    plain = Run(small("cwcl", data=data))
    for run in (turned, plain):
        run.advance(3)
    assert turned.trace.loss == plain.trace.loss
    back = Run(small("cwcl", data=data, events=(Event(0, LOSS, "infonce"),)))
    back.advance(3)
    other = Run(small("infonce", data=data))
    other.advance(3)
    assert back.trace.loss == other.trace.loss
    assert back.trace.loss != plain.trace.loss


def test_a_measure_after_a_turn_is_of_the_loss_in_force() -> None:
    run = Run(small("infonce", events=TURN))
    run.advance(7)
    weight = run.snapshot().weight
    whole = Run(small("supcon", events=(Event(0, "loss.temperature", 0.3),)))
    whole.encoder.load_state_dict(run.encoder.state_dict())
    run.advance(1)
    whole.encoder.load_state_dict(run.encoder.state_dict())
    found, wanted = run.snapshot().weight, whole.snapshot().weight
    assert weight is not None
    assert found is not None
    assert wanted is not None
    assert np.array_equal(found, wanted)


def test_masks_and_losses_that_read_no_pairs_exclude_each_other() -> None:
    masked = Event(2, "mask.pairs", MASKED)
    with pytest.raises(ValueError, match="pairs are left out here, but arcface reads embeddings"):
        small("infonce", events=(masked, Event(5, LOSS, "arcface")))
    with pytest.raises(ValueError, match="a mask leaves out pairs of items, but arcface reads embeddings"):
        small("infonce", events=(Event(1, LOSS, "arcface"), masked))
    again = small("arcface", events=(Event(1, LOSS, "supcon"), masked))
    assert again.turn_at(2) == (1, "supcon")
    lifted = small("infonce", events=(masked, Event(4, "mask.pairs", ""), Event(5, LOSS, "arcface")))
    assert lifted.turn_at(9)[1] == "arcface"
