"""The numbers of a finished run: complete, repeatable, and of the true labels."""

import numpy as np
import pytest
import torch

from models.diagnostics.final import final_metrics
from models.training.config import Part, RunConfig
from models.training.finish import finish
from models.training.run import Run

CONFIG = RunConfig(
    data=Part("digits", (("label_flips", 0.3),)),
    encoder=Part("mlp", (("dim", 8), ("width", 16))),
    sampler=Part("balanced", (("batch", 64),)),
)


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
