"""Edits of class weights: what they cost, beside a choice by chance."""

import json

import numpy as np
import pytest

from models.checkpoint import Material
from models.checkpoint.edits import edits
from tests.checkpoint.made import labelled, sound

Z, Y = sound(600, 6, 16)
PROXIES = np.stack([Z[k == Y].mean(axis=0) for k in range(6)])
HEAD = labelled(Z, Y, proxies=PROXIES)


def test_pruning_keeps_what_carries_the_classes() -> None:
    found = edits(HEAD, 6, 0)
    assert (found.kept, found.of) == (6, 16)
    rows = {row.name: row.accuracy.value for row in found.pruned}
    assert rows["as it is"] > 0.9
    assert rows["6 of 16 by fidelity, compensated"] > rows["6 of 16 by chance"] + 0.2
    assert found.fidelity > 0.9  # classes lie along six axes, and those are kept
    whole = edits(HEAD, 16, 0)
    assert whole.fidelity == pytest.approx(1.0)
    assert {row.accuracy.value for row in whole.pruned} == {rows["as it is"]}


def test_compensation_helps_where_inputs_go_together() -> None:
    rng = np.random.default_rng(0)
    z = Z @ np.linalg.qr(rng.normal(size=(16, 16)))[0] + 0.7  # turned away from the axes, with a mean
    made = labelled(z, Y, proxies=np.stack([z[k == Y].mean(axis=0) for k in range(6)]))
    found = edits(made, 6, 0)
    rows = {row.name: row.accuracy.value for row in found.pruned}
    assert found.correlated > 0.5
    assert rows["6 of 16 by fidelity, compensated"] > rows["6 of 16 by fidelity"]


def test_unlearning_takes_the_class_and_leaves_the_others() -> None:
    found = edits(HEAD, 6, 2, 0.02)
    before, unlearnt, chance = found.unlearnt
    assert before.forgotten.value > 0.9
    assert unlearnt.forgotten.value < 0.3
    assert unlearnt.accuracy.value > 0.9
    assert chance.forgotten.value > unlearnt.forgotten.value + 0.3
    assert json.dumps(found.as_dict(), allow_nan=False)


def test_refusals() -> None:
    with pytest.raises(ValueError, match="need class weights"):
        edits(Material("bare", z=Z), 4, 0)
    with pytest.raises(ValueError, match="from 1 to 16, got 17"):
        edits(HEAD, 17, 0)
    with pytest.raises(ValueError, match="class 9 has 0 items"):
        edits(HEAD, 4, 9)
    with pytest.raises(ValueError, match="above 0 and at most 1, got 0"):
        edits(HEAD, 4, 0, 0.0)
