"""What this set teaches: the lead of the chosen name over the rejected grows, while its own probability may fall."""

import math

import numpy as np
import pytest
import torch

from models.data import digits
from models.data.choices import EXEMPLARS, load
from models.losses import preference
from models.training.config import Event, RunConfig
from models.training.dataset import build
from models.training.finish import finish
from models.training.run import Run
from tests.data.helpers import no_network
from tests.training.helpers import differing, part, small


def config(loss: str = "preference", **knobs: object) -> RunConfig:
    return small(loss, data=part("choices", **knobs), pairing="label")


def test_the_reference_is_a_policy_that_never_saw_the_items(monkeypatch: pytest.MonkeyPatch) -> None:
    no_network(monkeypatch)
    source, whole = load(), digits.load()
    assert source.target is not None
    assert source.x.shape == (1797 - 10 * EXEMPLARS, 1, 8, 8)
    assert (source.answers, source.target.shape) == (10, (1697, 12))
    assert np.exp(source.target[:, 2:]).sum(axis=1) == pytest.approx(np.ones(1697))
    # Two answers of one item by loops: their log-ratio is the difference of squared distances to the exemplars' means.
    item = source.x[5, 0]
    distance = []
    for k in (3, 8):
        pictures = [whole.x[i, 0] for i in range(1797) if whole.y[i] == k][:EXEMPLARS]
        mean = sum(pictures[1:], pictures[0].copy()) / EXEMPLARS
        distance.append(float(((item - mean) ** 2).sum()))
    assert source.target[5, 2 + 3] - source.target[5, 2 + 8] == pytest.approx(distance[1] - distance[0], rel=1e-4)
    found = {picture.tobytes() for picture in source.x}
    first = [whole.x[np.flatnonzero(whole.y == k)[0]].tobytes() for k in range(10)]
    assert not found & set(first)


def test_the_chosen_name_is_true_and_the_rejected_the_likeliest_wrong_one() -> None:
    source, even = load(), load(sharpness=0.0, rival="random")
    assert source.target is not None
    assert even.target is not None
    chosen, rejected, reference = source.target[:, 0], source.target[:, 1].astype(int), source.target[:, 2:]
    assert (chosen == source.y).all()
    for row in range(0, 1697, 97):
        wrong = [k for k in range(10) if k != source.y[row]]
        assert rejected[row] == max(wrong, key=lambda k: reference[row, k])
    assert even.target[:, 2:] == pytest.approx(np.full((1697, 10), -math.log(10)))
    assert (even.target[:, 1] != even.y).all()
    assert (even.target[:, 1] != source.target[:, 1]).mean() > 0.7


def test_turned_preferences_are_in_training_alone_and_keep_their_reference() -> None:
    built = build(config(turned=0.25).data, seed=1)
    true = built.source.target[built.train]  # type: ignore[index]
    assert built.target is not None
    assert built.probe_target is not None
    turned = built.target[:, 0] != true[:, 0]
    assert turned.mean() == pytest.approx(0.25, abs=1e-3)
    assert (built.target[turned][:, [1, 0]] == true[turned, :2]).all()
    assert (built.target[:, 2:] == true[:, 2:]).all()
    assert (built.probe_target[:, 0] == built.source.y[built.probe]).all()


def test_a_flipped_label_chooses_a_wrong_name_and_the_reference_is_of_the_picture() -> None:
    built = build(RunConfig(data=part("choices", label_flips=0.3)).data, seed=1)
    assert built.target is not None
    assert (built.target[:, 0] == built.y).all()
    assert (built.target[:, 2:] == built.source.target[built.train][:, 2:]).all()  # type: ignore[index]


def test_the_policy_starts_at_its_reference() -> None:
    run = Run(config())
    lens = run.snapshot().lens
    assert lens is not None
    target = run.data.probe_target[run.data.probe_seen]  # type: ignore[index]
    reference = np.take_along_axis(target[:, 2:], target[:, :2].astype(int), axis=1)
    assert lens.s == pytest.approx(reference, abs=1e-4)
    assert (lens.pos == [[True, False]]).all()
    run.advance(1)
    assert run.trace.loss[0] == pytest.approx(math.log(2.0), abs=1e-6)  # the level at chance


def test_a_step_is_that_of_the_loss_on_log_probabilities_of_the_head() -> None:
    run = Run(config())
    run.advance(5)
    x, batch = run.feed.batch(5)
    head, rows = run.objective.head, run.data.train[batch.sample.numpy()]  # type: ignore[union-attr]
    assert head is not None
    target = torch.from_numpy(run.data.source.target[rows]).float()  # type: ignore[index]
    with torch.no_grad():
        logits = head(run.encoder(x)) + target[:, 2:]
    policy = logits - logits.logsumexp(dim=1, keepdim=True)
    picked = [
        [[row[int(a)] for a in t[:2]] for row, t in zip(table, target, strict=True)]
        for table in (policy, target[:, 2:])
    ]
    value = preference.loss(torch.tensor(picked[0]), torch.tensor(picked[1]), beta=0.1).item()
    run.advance(1)
    assert run.trace.loss[-1] == pytest.approx(value, rel=1e-4)


@pytest.mark.parametrize("form", ["dpo", "ipo", "slic", "best_of_2"])
def test_the_margin_of_the_chosen_name_grows(form: str) -> None:
    run = Run(RunConfig(data=part("choices"), loss=part("preference", form=form), encoder=part("mlp", width=32, dim=8)))
    before = finish(run)
    run.advance(40)
    after = finish(run)
    assert before["preference_margin"] == pytest.approx(0.0, abs=1e-4)
    assert before["preference_accuracy"] == 0.5
    assert after["preference_margin"] > 0.3
    assert after["preference_accuracy"] > 0.7
    assert after["preference_margin"] == pytest.approx(after["preference_chosen"] - after["preference_rejected"])


def test_slices_saving_and_live_knobs(tmp_path: object) -> None:
    whole, sliced = Run(config()), Run(config())
    whole.set("loss.beta", 0.5)
    sliced.set("loss.beta", 0.5)
    whole.advance(8)
    sliced.advance(3)
    sliced.snapshot()
    sliced.save(str(tmp_path))
    again = Run.load(str(tmp_path))
    again.advance(5)
    assert differing(whole, again) == []
    assert again.config.events == (Event(0, "loss.beta", 0.5),)


def test_what_fits_and_what_is_refused() -> None:
    for loss in ("preference", "infonce"):
        run = Run(config(loss))
        run.advance(20)
        assert np.isfinite(run.trace.loss).all()
    with pytest.raises(ValueError, match="Two-hot needs data with a number to predict"):
        Run(config("two_hot"))
    with pytest.raises(ValueError, match="under a policy and a reference, such as choices; here each item"):
        Run(small("preference", data=part("digits")))
