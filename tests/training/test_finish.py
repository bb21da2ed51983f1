"""The numbers of a finished run: complete, repeatable, and of the true labels."""

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score

from models.diagnostics import readings
from models.diagnostics.final import final_metrics
from models.diagnostics.summarise import summarise
from models.training.config import Part, RunConfig
from models.training.finish import finish
from models.training.run import Run

CONFIG = RunConfig(
    data=Part("digits", (("label_flips", 0.3),)),
    encoder=Part("mlp", (("dim", 8), ("width", 16))),
    sampler=Part("balanced", (("batch", 64),)),
)

PROBED = {
    "digits": {"map_at_r"},
    "diabetes": {"map_at_r", "mae_probe", "mae_constant"},
    "scenes": {"map_at_r", "f1_probe"},
    "cancer": {"map_at_r", "f1_probe"},
}


@pytest.fixture(scope="module")
def run() -> Run:
    trained = Run(CONFIG)
    trained.advance(60)
    return trained


def test_auc_is_that_of_all_pairs(run: Run) -> None:
    with torch.no_grad():
        z = run.encoder(torch.from_numpy(run.data.source.x[run.data.probe])).numpy().astype(np.float64)
    y, seen = run.data.source.y[run.data.probe], run.data.probe_seen
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    s, same = z @ z.T, y[:, None] == y[None, :]
    expected = {}
    for name, mask in (("auc", seen), ("auc_unseen", ~seen)):
        pairs = np.triu(np.outer(mask, mask), k=1)
        positive, negative = s[pairs & same], np.sort(s[pairs & ~same])
        below, upto = (np.searchsorted(negative, positive, side=side) for side in ("left", "right"))
        expected[name] = float((below + upto).mean() / (2 * len(negative)))
    told = finish(run)
    assert {name: told[name] for name in expected} == pytest.approx(expected, abs=1e-6)


def test_the_probe_learns_true_labels(run: Run) -> None:
    assert (run.data.y != run.data.truth).mean() == pytest.approx(0.3, abs=0.01)
    with torch.no_grad():
        z = run.encoder(torch.from_numpy(run.data.source.x[run.data.train])).numpy()
    told = finish(run)["linear_probe"]
    assert told == final_metrics(run.snapshot(), z, run.data.truth)["linear_probe"]
    assert told > final_metrics(run.snapshot(), z, run.data.y)["linear_probe"]


def test_it_changes_nothing_and_repeats(run: Run) -> None:
    first, other = finish(run), Run(CONFIG)
    assert finish(run) == first
    other.advance(30)
    finish(other)
    other.advance(30)
    assert finish(other) == first


def trained_on(data: str, loss: str, steps: int = 100) -> Run:
    config = RunConfig(data=Part(data), loss=Part(loss), sampler=CONFIG.sampler)
    trained = Run(config)
    trained.advance(steps)
    return trained


def logits_of(trained: Run) -> np.ndarray:
    """What the head says of the probe's seen items, in NumPy."""
    seen = trained.data.probe[trained.data.probe_seen]
    head = trained.objective.head
    assert head is not None
    with torch.no_grad():
        z = trained.encoder(torch.from_numpy(trained.data.source.x[seen])).numpy().astype(np.float64)
    return z @ head.weight.detach().numpy().T + head.bias.detach().numpy()  # type: ignore[no-any-return]


def f1_of(decided: np.ndarray, truth: np.ndarray) -> float:
    """By scikit-learn, label by label."""
    return float(np.mean([f1_score(truth[:, k], decided[:, k], zero_division=0.0) for k in range(truth.shape[1])]))


@pytest.mark.parametrize(("loss", "first"), [("hl_gauss", 0.5), ("two_hot", 0.0)])
def test_the_error_of_a_number_is_that_of_the_mean_over_bins(loss: str, first: float) -> None:
    trained = trained_on("rotation", loss)
    told = finish(trained)
    logits = logits_of(trained)
    low, high = (float(trained.objective.knobs[name]) for name in ("v_min", "v_max"))
    width = (high - low) / (51 if first else 50)  # middles of 51 bins, or 51 locations with both ends
    place = low + (np.arange(51) + first) * width
    share = np.exp(logits - logits.max(axis=1, keepdims=True))
    predicted = (share * place).sum(axis=1) / share.sum(axis=1)
    target = trained.data.source.target
    assert target is not None
    angle = target[trained.data.probe]
    assert told["mae"] == pytest.approx(np.abs(predicted - angle).mean(), rel=1e-4)
    middle = np.median(target[trained.data.train])
    assert told["mae_constant"] == pytest.approx(np.abs(angle - middle).mean())
    assert told["mae"] < 0.4 * told["mae_constant"]
    assert told["mae_probe"] < 0.4 * told["mae_constant"]
    assert "f1" not in told


def test_f1_of_labels_is_the_mean_over_them() -> None:
    trained = trained_on("scenes", "hybrid_multilabel", 300)
    told, target = finish(trained), trained.data.source.target
    assert target is not None
    truth = target[trained.data.probe[trained.data.probe_seen]]
    assert told["f1"] == pytest.approx(f1_of(logits_of(trained) > 0, truth), abs=1e-9)
    assert told["f1"] > 0.4  # always saying yes: 1/3
    assert told["f1_probe"] > 0.4


@pytest.mark.parametrize("loss", ["anyloss", "cross_entropy"])
def test_f1_of_two_classes_is_that_of_the_second(loss: str) -> None:
    trained = trained_on("cancer", loss, 100)
    told, logits = finish(trained), logits_of(trained)
    truth = trained.data.source.y[trained.data.probe]
    assert told["f1"] == pytest.approx(f1_of((logits[:, 1] > logits[:, 0])[:, None], truth[:, None]), abs=1e-9)
    assert told["f1"] > 0.8
    assert told["f1_probe"] > 0.8
    assert readings.read(summarise(trained.snapshot()), "f1") == pytest.approx(told["f1"], abs=1e-6)


def test_without_a_head_only_the_probe_tells() -> None:
    names = {data: {n for n in finish(trained_on(data, "infonce", 2)) if n[:2] in ("ma", "f1")} for data in PROBED}
    assert names == PROBED
