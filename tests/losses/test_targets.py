"""What a run gives a loss of logits, by the target that the loss declares, and what it refuses in words."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from models import objective
from models.geometry import Embeddings
from models.losses import cross_entropy
from models.objective import Objective, refusal
from models.spec import TARGETS, Context
from models.training.config import Part, RunConfig
from models.training.run import Run
from tests.losses.helpers import random_batch

WORDS = {
    "binary": "two classes, such as faces",
    "multilabel": "several labels each",
    "real": "a number to predict",
    "preference": "under a policy and a reference",
}


def told(monkeypatch: pytest.MonkeyPatch, classes: int = 2, **declared: Any) -> tuple[Objective, list[tuple[Any, ...]]]:
    """An objective whose loss writes down what it is called with."""
    calls: list[tuple[Any, ...]] = []

    def loss(logits: Tensor, target: Tensor, sample: Tensor | None = None) -> Tensor:
        calls.append((logits, target, sample))
        return logits.sum()

    module = SimpleNamespace(SPEC=replace(cross_entropy.SPEC, **declared), loss=loss)
    monkeypatch.setattr(objective, "find", lambda package, key: module)
    return Objective(Part("told"), Context(6, classes, 100)), calls


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_a_loss_that_needs_other_targets_is_refused_in_words(target: str) -> None:
    spec = replace(cross_entropy.SPEC, target=target)
    assert (refusal(spec, 10) == "") == (target == "class")
    assert (refusal(spec, 2) == "") == (target in ("class", "binary"))
    assert WORDS.get(target, "") in refusal(spec, 10)


def test_the_refusal_names_the_loss_and_comes_before_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="Cross-entropy needs data whose items carry several labels"):
        told(monkeypatch, target="multilabel")
    with pytest.raises(ValueError, match="at least 3 classes; here each item is of one of 2"):
        told(monkeypatch, fewest_classes=3)


def test_a_binary_loss_is_given_the_lead_of_the_second_class(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, calls = told(monkeypatch, target="binary")
    batch = random_batch(8, 2, dtype=torch.float32)
    asked(batch)
    (logits, target, sample) = calls[0]
    assert asked.head is not None
    both = asked.head(batch.z)
    torch.testing.assert_close(logits, both[:, 1] - both[:, 0])
    assert torch.equal(target, batch.y)
    assert sample is None


def test_positions_reach_a_loss_that_asks_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, calls = told(monkeypatch, also="sample")
    batch = random_batch(8, 2, dtype=torch.float32)
    asked(Embeddings(batch.z, batch.y, None, torch.arange(8)))
    assert torch.equal(calls[0][2], torch.arange(8))


@pytest.mark.parametrize("pairing", ["label", "views"])
def test_a_run_tells_the_positions_of_its_items(pairing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(RunConfig(loss=Part("cross_entropy"), sampler=Part("balanced", (("batch", 16),)), pairing=pairing))
    seen: list[Embeddings] = []
    forward = run.objective.forward
    monkeypatch.setattr(run.objective, "forward", lambda batch: seen.append(batch) or forward(batch))
    run.advance(3)
    assert len(seen) == 3
    for batch in seen:
        assert batch.sample is not None
        assert torch.equal(batch.y, torch.from_numpy(run.data.y)[batch.sample])
    assert len(torch.cat([batch.sample for batch in seen if batch.sample is not None]).unique()) > 30
