"""AnyLoss against loops over the confusion matrix, the stored oracle, hand numbers and the metrics of scikit-learn."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, balanced_accuracy_score, fbeta_score, recall_score

from models.losses import anyloss
from models.objective import Objective
from models.spec import Context
from models.training.config import Part, RunConfig
from models.training.run import Run
from tests.losses.helpers import oracle_numbers
from tests.losses.tasks import logits_of, value_and_slope

NUMBERS = oracle_numbers("anyloss")
METRICS = ("accuracy", "f_beta", "balanced_accuracy", "g_mean")
SHORT = {"acc": "accuracy", "fbeta": "f_beta", "bacc": "balanced_accuracy", "gmean": "g_mean"}
TARGET = torch.tensor([1, 0, 0, 1, 0, 0, 0, 1, 0])
LOGITS = logits_of(9, 1, spread=1.0)[:, 0]


def knobs_of(name: str) -> dict[str, float | int | str]:
    """fbeta_beta0.5_L10 -> the knobs."""
    parts = name.split("_")
    beta = [float(part.removeprefix("beta")) for part in parts[1:] if part.startswith("beta")]
    return {"metric": SHORT[parts[0]], "beta": (beta or [1.0])[0], "L": int(parts[-1].removeprefix("L"))}


def by_hand(p: list[float], y: list[int], metric: str, beta: float, steep: float) -> float:
    """The metrics as they are written, from the four soft counts."""
    a = [1 / (1 + math.exp(-steep * (entry - 0.5))) for entry in p]
    n, big_y, big_a = len(y), sum(y), sum(a)
    tp = sum(label * entry for label, entry in zip(y, a, strict=True))
    tn = n - big_y - big_a + tp
    values = {
        "accuracy": (tp + tn) / n,
        "f_beta": (1 + beta**2) * tp / (beta**2 * big_y + big_a),
        "balanced_accuracy": (n * (tp + big_y) - big_y * (big_a + big_y)) / (2 * big_y * (n - big_y)),
        "g_mean": math.sqrt(tp * tn / (big_y * (n - big_y))),
    }
    return 1 - values[metric]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(("beta", "steep"), [(1.0, 73), (0.5, 10), (2.0, 30)])
def test_equals_the_loops(metric: str, beta: float, steep: int) -> None:
    expected = by_hand(LOGITS.sigmoid().tolist(), TARGET.tolist(), metric, beta, steep)
    assert anyloss.loss(LOGITS, TARGET, metric=metric, beta=beta, L=steep).item() == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("name", sorted(NUMBERS["loss"]))
def test_equals_the_stored_numbers(name: str) -> None:
    """Value, gradient at the probabilities, and at the weights of the single layer."""
    p = torch.tensor(NUMBERS["inputs"]["p"], dtype=torch.float64)
    x = torch.tensor(NUMBERS["inputs"]["X"], dtype=torch.float64)
    theta = torch.tensor(NUMBERS["inputs"]["theta"], dtype=torch.float64)
    target = torch.tensor(NUMBERS["inputs"]["y"]).long()
    torch.testing.assert_close((x @ theta).sigmoid(), p, rtol=1e-9, atol=1e-12)
    value, slope = value_and_slope(anyloss.loss, x @ theta, target, **knobs_of(name))
    assert value == pytest.approx(NUMBERS["loss"][name], rel=1e-6)
    stored = {key: torch.tensor(NUMBERS[key][name], dtype=torch.float64) for key in ("grad_wrt_p", "grad")}
    torch.testing.assert_close(slope / (p * (1 - p)), stored["grad_wrt_p"], rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(x.T @ slope, stored["grad"], rtol=1e-6, atol=1e-9)


def test_all_stored_cases_are_there() -> None:
    assert len(NUMBERS["loss"]) == 8
    assert {knobs_of(name)["metric"] for name in NUMBERS["loss"]} == set(METRICS)


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("accuracy", 1 - 11 / 16),
        ("f_beta", 1 - 18 / 23),
        ("balanced_accuracy", 1 - 5 / 8),
        ("g_mean", 1 - math.sqrt(3 / 8)),
    ],
)
def test_numbers_by_hand(metric: str, expected: float) -> None:
    """Three positives and a negative with a of 3/4, 3/4, 3/4 and 1/2: found 9/4 of 3, kept 1/2 of 1, a sums to 11/4.

    Accuracy (9/4 + 1/2) / 4 = 11/16; F1 = 2 * 9/4 / (3 + 11/4) = 18/23; balanced (3/4 + 1/2) / 2 = 5/8; G sqrt(3/8).
    """
    lean = math.log(3.0) / 10 + 0.5  # probability at which sigmoid(10 (p - 1/2)) is 3/4
    logits = torch.tensor([math.log(lean / (1 - lean))] * 3 + [0.0], dtype=torch.float64)
    value = anyloss.loss(logits, torch.tensor([1, 1, 1, 0]), metric=metric, beta=1.0, L=10)
    assert value.item() == pytest.approx(expected, rel=1e-12)


def test_with_a_steep_threshold_it_is_the_metric() -> None:
    y, decided = TARGET.numpy(), (LOGITS > 0).long().numpy()
    assert 0 < (y != decided).sum() < 9
    recalls = [recall_score(y, decided, pos_label=label) for label in (0, 1)]
    metrics = {
        "accuracy": accuracy_score(y, decided),
        "f_beta": fbeta_score(y, decided, beta=2.0),
        "balanced_accuracy": balanced_accuracy_score(y, decided),
        "g_mean": float(np.sqrt(np.prod(recalls))),
    }
    for metric, expected in metrics.items():
        value = anyloss.loss(LOGITS, TARGET, metric=metric, beta=2.0, L=1_000_000).item()
        assert value == pytest.approx(1 - expected, abs=1e-9), metric


def test_gradient_of_the_g_mean_has_its_closed_form() -> None:
    """And not four times it, as the released hand-written one."""
    _, slope = value_and_slope(anyloss.loss, LOGITS, TARGET, metric="g_mean", L=10)
    p, y = LOGITS.sigmoid(), TARGET.double()
    a = (10 * (p - 0.5)).sigmoid()
    tp, tn, big_y = (a * y).sum(), ((1 - a) * (1 - y)).sum(), y.sum()
    mean = (tp * tn / (big_y * (9 - big_y))).sqrt()
    inner = -(y * tn - (1 - y) * tp) / (2 * mean * big_y * (9 - big_y))
    torch.testing.assert_close(slope, inner * 10 * a * (1 - a) * p * (1 - p), rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("size", [0.0, 80.0, -80.0])
def test_finite_without_one_class_and_for_a_head_that_is_sure(metric: str, label: int, size: float) -> None:
    for target in (torch.full((5,), label), torch.tensor([0, 1, label, 1, 0])):
        for steep in (2, 110):
            logits = torch.full((5,), size)
            value, slope = value_and_slope(anyloss.loss, logits, target, metric=metric, L=steep)
            assert 0.0 <= value <= 1.0
            assert torch.isfinite(slope).all()


def test_an_unknown_metric_is_refused() -> None:
    with pytest.raises(ValueError, match="got 'auc'"):
        anyloss.loss(LOGITS, TARGET, metric="auc")


def test_runs_on_two_classes_and_is_refused_on_ten() -> None:
    with pytest.raises(ValueError, match="AnyLoss needs data of two classes, such as faces"):
        Objective(Part("anyloss"), Context(6, 10, 100))
    part = Part("anyloss", (("L", 10), ("metric", "balanced_accuracy")))
    run = Run(RunConfig(data=Part("faces"), loss=part, sampler=Part("balanced", (("batch", 32),))))
    run.advance(40)
    assert run.trace.loss[0] > 0.3
    assert sum(run.trace.loss[-5:]) / 5 < 0.2
    assert run.snapshot().levels == {"chance": 0.5, "collapse": 0.5}


RELATIONS = {
    "with a steep threshold equals one minus the metric of the decisions": test_with_a_steep_threshold_it_is_the_metric,
}
