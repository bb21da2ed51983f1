"""What is kept of a run of any length: the ends, a dense start, no more than there is room for."""

from itertools import pairwise

import numpy as np
import pytest

from models.engine import history
from models.engine.history import (
    BOARDS,
    CHECKPOINTS,
    DAYS,
    SUMMARIES,
    History,
    before,
    bin_of,
    nearest,
    outdated,
    room,
    thinned,
)

MILLION = 1_000_000


def offered(seed: int) -> list[int]:
    """Steps at which summaries may come: small and large gaps, up to a million."""
    rng = np.random.default_rng(seed)
    gaps = rng.integers(1, 2 ** rng.integers(4, 13), size=700)
    return [0, *(step for step in np.cumsum(gaps).tolist() if step <= MILLION)]


def filled(steps: list[int], most: int, dense: int) -> tuple[History[int], set[int]]:
    """The history after all steps, and every step that was ever kept after the first one that was dropped."""
    held, size = History[int](most, dense), 0
    for step in steps:
        held = held.add(step, -step)
        size = max(size, len(held.steps))
        assert held.steps[0] == steps[0]
        assert held.steps[-1] == step
    assert size <= most
    return held, set(steps)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("most", "dense"), [(SUMMARIES, 4), (CHECKPOINTS, 1)])
def test_any_run_fits_and_keeps_both_ends(seed: int, most: int, dense: int) -> None:
    steps = offered(seed)
    assert len(steps) > 100
    held, known = filled(steps, most, dense)
    assert set(held.steps) <= known
    assert list(held.steps) == sorted(held.steps)
    assert held.kept == tuple(-step for step in held.steps)


@pytest.mark.parametrize("length", [500, 5_000, 50_000, 200_000])
def test_every_moment_is_near_a_kept_one_and_the_start_is_dense(length: int) -> None:
    kept, spacing = thinned(range(length + 1), 1, SUMMARIES, 4)
    gaps = [later - earlier for earlier, later in pairwise(kept)]
    assert max(gaps) <= spacing
    assert spacing <= 4 * length / SUMMARIES
    assert kept[:9] == (0, 1, 2, 3, 4, 5, 6, 7, 8)
    assert len(kept) > SUMMARIES / 3
    assert all(b >= a for a, b in pairwise(gaps[:-1]))


def test_the_widths_by_hand() -> None:
    assert [bin_of(step, 8, 4)[0] for step in (0, 3, 4, 7, 8, 15, 16, 31, 32, 63, 64)] == [
        1,
        1,
        1,
        1,
        2,
        2,
        4,
        4,
        8,
        8,
        8,
    ]
    assert thinned(range(17), 1, 8, 1) == ((0, 1, 2, 4, 8, 12, 16), 4)
    assert thinned((0, 1, 2, 3), 1, 8, 1)[0] == (0, 1, 2, 3)


def test_a_million_steps_fit_in_the_checkpoints() -> None:
    kept, spacing = thinned((*range(0, MILLION, 7), MILLION), 1, CHECKPOINTS, 1)
    assert len(kept) <= CHECKPOINTS
    assert (kept[0], kept[-1]) == (0, MILLION)
    assert spacing < MILLION / 2


def test_going_back_forgets_what_came_later_and_a_step_measured_again_replaces_itself() -> None:
    held = History[str](8, 1)
    for step in (0, 10, 20, 30):
        held = held.add(step, f"old {step}")
    again = held.add(20, "new 20")
    assert again.steps == (0, 10, 20)
    assert again.kept == ("old 0", "old 10", "new 20")
    assert held.steps == (0, 10, 20, 30)
    assert held.until(19).steps == (0, 10)
    assert held.at(26) == "old 30"
    assert held.at(25) == "old 20"


def test_nearest_and_before() -> None:
    assert [nearest((0, 10, 30), step) for step in (-5, 4, 5, 6, 21, 99)] == [0, 0, 0, 10, 30, 30]
    assert [before((10, 30), step) for step in (9, 10, 29, 31)] == [None, 10, 10, 30]
    with pytest.raises(ValueError, match="no step of this run is kept yet"):
        nearest((), 3)
    with pytest.raises(ValueError, match="at least 8"):
        thinned((0,), 1, 7, 1)


def test_larger_moments_leave_room_for_fewer() -> None:
    assert room(10, 96, 12_000_000) == 96
    assert room(1_000_000, 96, 12_000_000) == 12
    assert room(99_000_000, 96, 12_000_000) == history.FEWEST
    held = History[int](96, 4)
    for step in range(40):
        held = held.add(step, step, most=12 if step > 30 else None)
    assert len(held.steps) <= 12


def test_boards_go_by_age_and_by_number() -> None:
    now = 1e9
    young = {f"b{k}": now - k for k in range(3)}
    assert outdated({**young, "old": now - DAYS * 86_400 - 1}, now) == ["old"]
    many = {f"b{k:04d}": now - k for k in range(BOARDS + 2)}
    assert outdated(many, now) == [f"b{BOARDS:04d}", f"b{BOARDS + 1:04d}"]
