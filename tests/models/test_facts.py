"""What is measured of the losses once and kept."""

import json
import math
from pathlib import Path

import pytest

from models import facts
from models.catalogue import discover
from models.engine import comparisons
from models.settings import Settings
from models.shapes import SHAPES, shapes_of
from models.step_cost import step_ms
from models.training.config import RunConfig


def test_facts_survive_and_are_added_to(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    assert facts.load(settings) == {}
    facts.save(settings, {"infonce": {"ms": 1.5}})
    facts.save(settings, {"triplet": {"ms": 3.0}})
    assert facts.load(settings) == {"infonce": {"ms": 1.5}, "triplet": {"ms": 3.0}}
    assert [path.name for path in (tmp_path / "home" / facts.FOLDER).iterdir()] == [facts.FILE]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"stamp": "other", "losses": {"infonce": {}}}', '{"losses": 3}'])
def test_what_cannot_be_used_is_measured_anew(tmp_path: Path, text: str) -> None:
    settings = Settings(home=tmp_path / "home")
    (settings.folder(facts.FOLDER) / facts.FILE).write_text(text)
    assert facts.load(settings) == {}


def test_a_step_costs_time_or_has_a_reason() -> None:
    for key in ("infonce", "arcface", "cross_entropy", "anyloss"):
        ms, why = step_ms(key)
        assert (ms > 0, why) == (True, "")
    for key in ("preference", "pml:NTXentLoss"):
        ms, why = step_ms(key)
        assert math.isnan(ms)
        assert why


def test_facts_are_plain_json() -> None:
    found = comparisons.facts(["infonce", "supremix", "preference"])
    again = json.loads(json.dumps(found, allow_nan=False))
    assert again == found
    assert found["infonce"]["ms"] > 0
    assert len(found["infonce"]["curve"]["grid"]) == len(found["infonce"]["curve"]["pull"]) > 10
    assert "embeddings" in found["supremix"]["curve"]["why_not"]
    assert found["preference"]["ms"] is None


def test_a_frozen_batch_is_that_of_its_run() -> None:
    config = RunConfig().to_json()
    start, later = (comparisons.compare_frozen(config, step, ["infonce", "triplet"]) for step in (0, 40))
    assert start.items == later.items > 100
    assert later.readings[0].value < start.readings[0].value
    assert later.readings[0].way > start.readings[0].way


def test_every_loss_fits_some_data_and_every_data_some_loss() -> None:
    fitting = {key: shapes_of(module.SPEC) for key, module in discover("losses").items()}
    assert all(fitting.values())
    assert {shape for shapes in fitting.values() for shape in shapes} == set(SHAPES)
    assert fitting["infonce"] == ("labels", "views", "towers", "binary")
    assert fitting["arcface"] == ("labels", "binary")
    assert fitting["anyloss"] == ("binary",)
    assert fitting["preference"] == ("preference",)
    assert "graded" in fitting["cwcl"]
