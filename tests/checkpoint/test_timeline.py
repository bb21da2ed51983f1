"""A row of checkpoints: steps from names, order, numbers equal to those of each alone, the best of each number."""

import json
from itertools import permutations

import numpy as np
import pytest

from models.checkpoint import Material, ScoreTable, diagnose
from models.checkpoint.timeline import in_order, steps_of
from tests.checkpoint.made import labelled, sound

SPREADS = {10: 1.2, 200: 0.5, 1000: 0.25, 3000: 0.7}
_, Y = sound(n=120, classes=4, d=8)
ROW = {
    step: labelled(sound(n=120, classes=4, d=8, spread=s)[0], Y, name=f"ckpt_{step}.npz") for step, s in SPREADS.items()
}


@pytest.mark.parametrize(
    ("names", "steps"),
    [
        (["step_200.npz", "step_1000.npz"], [200, 1000]),
        (["model2-epoch=3.pt", "model2-epoch=12.pt"], [3, 12]),
        (["state-00000300.safetensors", "state-00000020.safetensors"], [300, 20]),
        (["v1_seed7.npz", "v2_seed7.npz"], None),
        (["old.npz", "new.npz"], None),
        (["a1.npz", "b.npz"], None),
        (["a1.npz", "a3.npz"], [1, 3]),
        ([], []),
    ],
)
def test_steps_are_told_by_names(names: list[str], steps: list[int] | None) -> None:
    assert steps_of(names) == steps


def test_order_is_that_of_the_steps_or_as_given() -> None:
    assert in_order(["ckpt_1000.npz", "ckpt_200.npz", "ckpt_30.npz"]) == [2, 1, 0]
    assert in_order(["new.npz", "old.npz"]) == [0, 1]


def test_each_moment_has_the_numbers_of_its_checkpoint_alone() -> None:
    made = diagnose(ROW[3000], against=[ROW[1000], ROW[10], ROW[200]])
    assert [one["step"] for one in made.timeline] == [10, 200, 1000, 3000]
    for one in made.timeline:
        alone = diagnose(ROW[one["step"]])
        for key, found in one["metrics"].items():
            assert found["value"] == pytest.approx(alone.metric(key).measured.value, rel=1e-6), key
        assert one["metrics"].keys() >= {"auc", "recall_at_1", "uniformity"}
    assert made.timeline[2]["best_in"] == ["auc", "recall_at_1", "map_at_r"]
    worse = {finding["key"] for finding in made.timeline[3]["findings"]}
    assert "better_checkpoint" in worse
    assert worse == {rule.key for rule, _ in made.findings}
    assert json.loads(made.to_json())["timeline"] == [dict(one) for one in made.timeline]


def test_the_order_in_which_they_are_given_does_not_matter() -> None:
    told = [diagnose(ROW[3000], against=list(row)).to_json() for row in permutations([ROW[10], ROW[1000]])]
    assert told[0] == told[1]


def test_a_checkpoint_alone_has_no_row_and_equal_ones_the_first_as_best() -> None:
    assert diagnose(ROW[10]).timeline == ()
    same = diagnose(ROW[1000], against=[Material("twin.npz", z=ROW[1000].z, labels=Y)])
    assert [one["step"] for one in same.timeline] == [None, None]
    assert [bool(one["best_in"]) for one in same.timeline] == [True, False]


def test_scores_alone_make_a_row_too() -> None:
    rng = np.random.default_rng(0)
    match = np.arange(80) % 2 == 0
    tables = [Material(f"s{k}.csv", scores=ScoreTable(rng.normal(size=80) + k * match, match)) for k in (1, 2)]
    made = diagnose(tables[1], against=tables[:1])
    assert [set(one["metrics"]) >= {"auc", "equal_error"} for one in made.timeline] == [True, True]
    assert made.timeline[0]["metrics"]["auc"]["value"] < made.timeline[1]["metrics"]["auc"]["value"]
