"""Class against class by plain loops, and the cells as selections."""

from dataclasses import replace

import numpy as np
import pytest

from models.diagnostics.class_matrix import cell, class_matrix, foremost_meetings
from models.diagnostics.look import Look, look_of
from models.selection import resolve
from tests.diagnostics.looks import look_by_hand, trained_run


@pytest.fixture(params=["one side", "two sides", "two views"])
def look(request: pytest.FixtureRequest) -> Look:
    made = {
        "one side": look_by_hand,
        "two sides": lambda: look_of(trained_run("other sides").snapshot()),
        "two views": lambda: look_of(trained_run("second views").snapshot()),
    }
    return made[request.param]()


@pytest.mark.parametrize("among", ["all", "seen"])
def test_cells_by_loops(look: Look, among: str) -> None:
    found = class_matrix(look, among)
    kept = np.flatnonzero(look.keep(among))
    assert look.weight is not None
    pull, push = np.maximum(-look.weight, 0).astype(float), np.maximum(look.weight, 0).astype(float)
    for row, column in [(0, 0), (0, 1), (2, 1)]:
        a, b = found.label[row], found.label[column]
        pairs = [(i, j) for i in kept for j in kept if look.y[i] == a and look.y[j] == b and (look.two_sided or i != j)]
        assert found.count[row, column] == len(pairs) > 0
        assert found.similarity[row, column] == pytest.approx(np.mean([look.s[p] for p in pairs]), rel=1e-5)
        square = np.ix_(kept[look.y[kept] == a], kept[look.y[kept] == b])
        assert found.pull[row, column] == pytest.approx(pull[square].sum() / found.total_pull, rel=1e-6)
        assert found.push[row, column] == pytest.approx(push[square].sum() / found.total_push, rel=1e-6)
    assert found.total_push == pytest.approx(push[np.ix_(kept, kept)].sum(), rel=1e-6)
    assert found.pull.sum() == pytest.approx(1.0)
    assert found.push.sum() == pytest.approx(1.0)
    assert found.label.tolist() == sorted(set(look.y[kept].tolist()))
    assert found.seen.tolist() == [bool(look.seen[look.y == label].all()) for label in found.label]


def test_labels_pull_within_and_push_across() -> None:
    found = class_matrix(look_by_hand())
    assert np.all(found.push.diagonal() == 0)
    assert np.all(found.pull[~np.eye(4, dtype=bool)] == 0)
    assert np.all(found.pull.diagonal() > 0)


def test_who_pushes_whom() -> None:
    found = class_matrix(look_by_hand())
    meetings = foremost_meetings(found, most=3)
    cells = sorted(((found.push[a, b], a, b) for a in range(4) for b in range(4)), reverse=True)[:3]
    assert [(m.share, m.anchor, m.candidate) for m in meetings] == cells
    assert meetings[0].similarity == found.similarity[cells[0][1:]]
    assert {(m.anchor, m.candidate) for m in foremost_meetings(found, "pull")} == {(k, k) for k in range(4)}
    with pytest.raises(ValueError, match="kind must be push or pull, got 'both'"):
        foremost_meetings(found, "both")


def test_a_cell_is_a_selection() -> None:
    look = look_by_hand()
    found = class_matrix(look)
    selection = cell(found, 1, 3, lane="lane-1", step=40)
    pairs = resolve(selection, look)
    assert (selection.lane, selection.step) == ("lane-1", 40)
    assert len(pairs) == found.count[1, 3] == 36
    assert {frozenset((int(look.y[i]), int(look.y[j]))) for i, j in zip(pairs.i, pairs.j, strict=True)} == {
        frozenset((1, 3))
    }
    with pytest.raises(IndexError, match="from 0, 0 to 3, 3, got 0, 4"):
        cell(found, 0, 4)


def test_what_is_not_there_is_nan() -> None:
    look = replace(look_by_hand(), coded=None, reads="", why_no_weight="it reads logits")
    found = class_matrix(look)
    assert np.isnan([found.total_pull, found.total_push]).all()
    assert np.isnan(found.push).all()
    assert np.isfinite(found.similarity).all()
    assert found.why_no_weight == "it reads logits"
    assert foremost_meetings(found) == ()
    alone = class_matrix(replace(look, y=np.where(np.arange(24) == 5, 9, look.y)))
    assert np.isnan(alone.similarity[-1, -1])
    assert alone.count[-1, -1] == 0
