"""Runs on data with other targets: what the head and the loss get, ends of the bins, slicing, what is refused."""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from models.diagnostics.summarise import summarise
from models.engine.probe_loss import probe_loss
from models.geometry import Embeddings
from models.losses import hl_gauss, hybrid_multilabel, two_hot
from models.objective import BINS
from models.spec import Counts
from models.training.config import Event, RunConfig
from models.training.run import Run
from tests.training.helpers import differing, part, small

CASES = [("hl_gauss", "rotation"), ("two_hot", "diabetes"), ("hybrid_multilabel", "scenes"), ("anyloss", "cancer")]
OUTPUTS = {"hl_gauss": BINS, "two_hot": BINS, "hybrid_multilabel": 10, "anyloss": 2}


def config(loss: str, data: str, **fields: Any) -> RunConfig:
    return small(loss, **{"data": part(data), **fields})


@pytest.mark.parametrize("pairing", ["label", "views"])
@pytest.mark.parametrize(("loss", "data"), CASES)
def test_slices_make_no_difference(loss: str, data: str, pairing: str) -> None:
    whole, sliced = (Run(config(loss, data, pairing=pairing)) for _ in range(2))
    whole.advance(20)
    sliced.advance(7)
    sliced.snapshot()
    sliced.advance(13)
    assert differing(whole, sliced) == []
    assert np.isfinite(whole.trace.loss).all()


@pytest.mark.parametrize(("loss", "data"), CASES)
def test_the_loss_reads_its_own_items_targets(loss: str, data: str) -> None:
    run = Run(config(loss, data, pairing="views"))
    x, batch = run.feed.batch(3)
    with torch.no_grad():
        z = run.encoder(x)
        value = run.objective(Embeddings(z, batch.y, batch.instance, batch.sample, target=batch.target))
    assert run.objective.head is not None
    assert run.objective.head.out_features == OUTPUTS[loss]
    assert batch.sample is not None
    logits, rows = run.objective.head(z), run.data.train[batch.sample.numpy()]
    knobs = run.objective.knobs
    if run.data.source.target is None:
        direct = run.objective.module.loss(
            logits[:, 1] - logits[:, 0], torch.from_numpy(run.data.source.y[rows]), **knobs
        )
    else:
        target = torch.from_numpy(run.data.source.target[rows]).float()
        more = (z,) if loss == "hybrid_multilabel" else ()
        direct = (run.objective.own or partial(run.objective.module.loss, **knobs))(logits, target, *more)
    assert value.item() == pytest.approx(direct.item(), rel=1e-6)


@pytest.mark.parametrize(("loss", "data"), CASES)
def test_a_run_goes_on_as_saved_and_changes_live(loss: str, data: str, tmp_path: Any) -> None:
    events = (Event(4, "optimiser.rate", 0.01),)
    events += (Event(6, "loss.v_min", -50.0), Event(9, "loss.v_min", -10.0)) if loss in ("hl_gauss", "two_hot") else ()
    first = Run(config(loss, data, events=events))
    first.advance(8)
    first.save(tmp_path)
    again = Run.load(tmp_path)
    assert again.objective.knobs == first.objective.knobs
    first.advance(5)
    again.advance(5)
    assert differing(first, again) == []


def test_bins_reach_three_sigma_beyond_the_data() -> None:
    run = Run(config("hl_gauss", "rotation"))
    target = run.data.target
    assert target is not None
    low, high = (float(run.objective.knobs[name]) for name in ("v_min", "v_max"))
    sigma = 0.75 * (high - low) / 51
    assert low == pytest.approx(target.min() - 3 * sigma)
    assert high == pytest.approx(target.max() + 3 * sigma)
    assert f"v_min {low:g}" in run.label


def test_locations_reach_from_end_to_end() -> None:
    run = Run(config("two_hot", "diabetes"))
    target = run.data.target
    assert target is not None
    assert (run.objective.knobs["v_min"], run.objective.knobs["v_max"]) == (target.min(), target.max())


@pytest.mark.parametrize(
    ("given", "ends"),
    [
        ({"v_min": -70.0, "v_max": 80.0}, (-70.0, 80.0)),
        ({"v_min": -70.0}, (-70.0, None)),
        ({"v_max": 80.0}, (None, 80.0)),
    ],
)
def test_ends_that_are_given_hold(given: dict[str, float], ends: tuple[float | None, float | None]) -> None:
    free = Run(config("two_hot", "rotation")).objective.knobs
    knobs = Run(replace(config("two_hot", "rotation"), loss=part("two_hot", **given))).objective.knobs
    assert knobs["v_min"] == (free["v_min"] if ends[0] is None else ends[0])
    assert knobs["v_max"] == (free["v_max"] if ends[1] is None else ends[1])


def test_ends_never_cross() -> None:
    # The data begin at 25: with an end at 5, the other is taken as its knob says.
    knobs = Run(replace(config("two_hot", "diabetes"), loss=part("two_hot", v_max=5.0))).objective.knobs
    assert (knobs["v_min"], knobs["v_max"]) == (-10.0, 5.0)


@pytest.mark.parametrize(("module", "data"), [(hl_gauss, "rotation"), (two_hot, "rotation"), (hl_gauss, "diabetes")])
def test_pairs_of_item_and_bin(module: Any, data: str) -> None:
    run = Run(config(module.SPEC.key, data))
    lens = run.snapshot().lens
    target = run.data.probe_target
    assert lens is not None
    assert target is not None
    assert lens.s.shape == (len(target), 51)
    assert (lens.pos.sum(axis=1) == 1).all()
    assert (lens.pos ^ lens.neg).all()
    low, high = (float(run.objective.knobs[name]) for name in ("v_min", "v_max"))
    width = (high - low) / (51 if module is hl_gauss else 50)
    place = low + (lens.pos.argmax(axis=1) + (0.5 if module is hl_gauss else 0.0)) * width
    inside = (target >= low) & (target <= high)
    assert inside.mean() > 0.95
    assert np.abs(place - target)[inside].max() <= width / 2 * 1.001
    # The derivative is (softmax - smeared target) / n, whatever is drawn as the pair.
    smeared = hl_gauss.smeared if module is hl_gauss else two_hot.shared
    more = (0.75,) if module is hl_gauss else ()
    p = smeared(torch.from_numpy(target).float(), 51, low, high, *more).numpy()
    softmax = torch.from_numpy(lens.s).softmax(dim=1).numpy()
    assert np.allclose(lens.weight, (softmax - p) / len(target), atol=1e-6)


def test_pairs_of_item_and_label() -> None:
    run = Run(config("hybrid_multilabel", "scenes"))
    snapshot = run.snapshot()
    target = run.data.probe_target
    assert snapshot.lens is not None
    assert target is not None
    assert (snapshot.lens.pos == (target[snapshot.seen] == 1)).all()
    assert (snapshot.lens.pos.sum(axis=1) == 2).all()
    assert "item against label" in snapshot.why_no_weight


@pytest.mark.parametrize(("loss", "data"), CASES)
def test_a_page_can_draw_it(loss: str, data: str) -> None:
    run = Run(config(loss, data))
    run.advance(3)
    snapshot = run.snapshot()
    drawn = summarise(snapshot)
    assert drawn.weights is not None
    assert drawn.weights.candidates == "class logits"
    value = probe_loss(run, snapshot)
    target = run.feed.probe_target(torch.from_numpy(snapshot.seen))
    z, y = (torch.from_numpy(a[snapshot.seen]) for a in (snapshot.z, snapshot.y))
    with torch.no_grad():
        assert value == pytest.approx(run.objective(Embeddings(z, y, target=target)).item(), rel=1e-5)


def test_chance_is_that_of_all_bins() -> None:
    counts = Counts(np.ones(4), np.ones(4), 2)
    assert Run(config("hl_gauss", "rotation")).objective.levels(counts)["chance"] == pytest.approx(np.log(51))


def test_hybrid_without_its_two_parts_is_weighted_cross_entropy() -> None:
    run = Run(
        replace(config("hybrid_multilabel", "scenes"), loss=part("hybrid_multilabel", correlation=0.0, contrast=0.0))
    )
    x, batch = run.feed.batch(0)
    z: Tensor = run.encoder(x)
    assert run.objective.head is not None
    assert batch.target is not None
    value = run.objective(Embeddings(z, batch.y, target=batch.target))
    # Weights by hand, of all training items: n / (10 n_c).
    carried = run.data.target
    assert carried is not None
    weight = torch.from_numpy(len(carried) / (10 * carried.sum(axis=0))).clamp(max=10.0)
    entropy = binary_cross_entropy_with_logits(run.objective.head(z), batch.target, weight=weight)
    assert value.item() == pytest.approx(entropy.item(), rel=1e-6)
    assert value.item() != pytest.approx(
        hybrid_multilabel.weighted_bce(run.objective.head(z), batch.target).item(), rel=1e-4
    )


def test_hybrid_weighs_by_the_training_split_and_never_by_the_probe() -> None:
    run = Run(config("hybrid_multilabel", "scenes"))
    whole, own = run.data.source.target, run.objective.own
    assert isinstance(own, hybrid_multilabel.Loss)
    assert whole is not None
    assert own.weight is not None
    assert own.together is not None
    train = whole[run.data.train]
    assert own.weight.tolist() == pytest.approx((len(train) / (10 * train.sum(axis=0))).tolist(), rel=1e-6)
    assert np.allclose(own.together.numpy(), np.corrcoef(train, rowvar=False), atol=1e-6)
    assert own.weight.tolist() != pytest.approx((len(whole) / (10 * whole.sum(axis=0))).tolist(), rel=1e-3)
    assert [name for name in run.objective.state_dict() if "head" not in name] == []


REFUSED = [
    ("hl_gauss", "digits", "HL-Gauss needs data with a number to predict for each item, such as rotation or diabetes"),
    ("two_hot", "scenes", "Two-hot needs data with a number to predict"),
    ("hybrid_multilabel", "rotation", "Hybrid multi-label needs data whose items carry several labels each, such as"),
    (
        "anyloss",
        "diabetes",
        "AnyLoss needs data of two classes, such as faces or cancer; here each item is of one of 5",
    ),
    ("preference", "rotation", "pairs of answers with their log-probabilities"),
]


@pytest.mark.parametrize(("loss", "data", "words"), REFUSED)
def test_other_data_are_refused_in_words(loss: str, data: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Run(config(loss, data))


def test_a_method_of_class_margins_is_refused_before_bins() -> None:
    with pytest.raises(ValueError, match="method smooth_adversarial needs logits of classes, which hl_gauss does not"):
        config("hl_gauss", "rotation", methods=(part("smooth_adversarial"),))


def test_embeddings_without_targets_are_refused_in_words() -> None:
    objective = Run(config("hl_gauss", "rotation")).objective
    with pytest.raises(ValueError, match=r"HL-Gauss reads Embeddings.target"):
        objective(Embeddings(torch.zeros(3, 8), torch.zeros(3, dtype=torch.long)))


@pytest.mark.parametrize("data", ["rotation", "diabetes", "scenes", "longtail"])
def test_losses_of_classes_run_on_them_too(data: str) -> None:
    for loss in ("infonce", "cross_entropy"):
        run = Run(config(loss, data))
        run.advance(3)
        assert np.isfinite(run.trace.loss).all()
