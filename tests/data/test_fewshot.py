"""What this set teaches: classes that no step has seen are told by a few pictures, in episodes."""

import numpy as np
import pytest
import torch

from models.data.fewshot import load
from models.diagnostics.few_shot import few_shot
from models.training.config import RunConfig
from models.training.dataset import build
from models.training.finish import finish
from models.training.run import Run
from tests.data.helpers import no_network
from tests.training.helpers import part

NAMES = {"few_shot_accuracy", "few_shot_low", "few_shot_high", "few_shot_way"}


def config(data: str = "fewshot", loss: str = "proto_triplet", **knobs: object) -> RunConfig:
    return RunConfig(
        data=part(data, **knobs),
        loss=part(loss),
        encoder=part("mlp", width=64, dim=16),
        sampler=part("episodic", way=4, shot=3, query=6),
        pairing="label",
    )


def test_the_last_digits_are_novel(monkeypatch: pytest.MonkeyPatch) -> None:
    no_network(monkeypatch)
    assert (load().x.shape, load().novel) == ((5000, 1, 28, 28), 5)
    data = build(config(pictures="digits", novel=3).data, seed=0)
    assert (data.seen_classes, data.why_no_unseen) == (7, "")
    assert set(data.y.tolist()) == set(range(7))
    assert sorted(set(data.source.y[data.novel].tolist())) == [7, 8, 9]
    assert not set(data.novel.tolist()) & set(data.train.tolist())
    assert len(data.novel) == (data.source.y >= 7).sum()


def test_a_finished_run_tells_the_accuracy_on_novel_classes() -> None:
    run = Run(config(pictures="digits"))
    before = finish(run)
    run.advance(150)
    told = finish(run)
    assert {name for name in told if name.startswith("few_shot")} == NAMES
    with torch.no_grad():
        z = run.encoder(torch.from_numpy(run.data.source.x[run.data.novel])).numpy()
    direct = few_shot(z, run.data.source.y[run.data.novel], way=4, shot=3, query=6)
    assert told["few_shot_accuracy"] == pytest.approx(direct.accuracy, abs=1e-9)
    assert told["few_shot_low"] == pytest.approx(direct.low, abs=1e-9)
    assert told["few_shot_low"] < told["few_shot_accuracy"] < told["few_shot_high"]
    assert told["few_shot_way"] == 4
    assert 0.5 < told["few_shot_accuracy"] < 0.95  # chance: 0.25
    # What the set teaches: the known digits come apart, the novel ones gain nothing by it.
    assert told["auc"] > before["auc"] + 0.1
    assert told["few_shot_accuracy"] < before["few_shot_accuracy"] + 0.05


def test_episodes_are_the_samplers_or_its_defaults_and_only_where_there_are_some() -> None:
    plain = Run(RunConfig(data=part("fewshot", pictures="digits"), encoder=part("mlp", width=8, dim=4)))
    assert finish(plain)["few_shot_way"] == 5
    other = Run(RunConfig(data=part("digits"), encoder=part("mlp", width=8, dim=4)))
    assert not NAMES & finish(other).keys()
    two = Run(RunConfig(data=part("digits"), encoder=part("mlp", width=8, dim=4), sampler=part("episodic")))
    assert finish(two)["few_shot_way"] == 2  # eight and nine
    none = Run(RunConfig(data=part("faces"), encoder=part("mlp", width=8, dim=4), sampler=part("episodic", way=2)))
    assert np.isnan(finish(none)["few_shot_accuracy"])


def test_what_fits_and_what_is_refused() -> None:
    for loss in ("proto_triplet", "icnn"):
        run = Run(config(loss=loss, pictures="digits"))
        run.advance(20)
        assert np.isfinite(run.trace.loss).all()
    with pytest.raises(ValueError, match="HL-Gauss needs data with a number to predict for each item"):
        Run(config(loss="hl_gauss", pictures="digits"))
