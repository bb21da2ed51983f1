"""Every kind of brush finds the pairs that a plain loop finds."""

import itertools
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.diagnostics.look import Look, look_of
from models.diagnostics.pairs import Pairs, carried
from models.diagnostics.weights import heat_map
from models.selection import (
    Block,
    Brush,
    ClassCell,
    ItemSet,
    PairList,
    RateBand,
    ScoreBand,
    Selection,
    heat_block,
    home,
    resolve,
)
from tests.diagnostics.looks import look_by_hand, trained_run

Couple = tuple[int, int]


def couples(look: Look, keep: Callable[[int, int], bool]) -> list[Couple]:
    """All pairs that a rule keeps, by a loop; of items with one side, each once."""
    n = len(look.y)
    every = itertools.product(range(n), range(n)) if look.two_sided else itertools.combinations(range(n), 2)
    return [(i, j) for i, j in every if keep(i, j)]


def listed(pairs: Pairs) -> list[Couple]:
    return list(zip(pairs.i.tolist(), pairs.j.tolist(), strict=True))


@pytest.fixture
def look() -> Look:
    return look_by_hand(n=26)


@pytest.fixture
def two_sided() -> Look:
    return look_of(trained_run("other sides").snapshot())


@pytest.mark.parametrize("sign", ["positive", "negative", "both"])
def test_score_band(look: Look, sign: str) -> None:
    found = listed(resolve(Selection(ScoreBand(sign, -0.25, 0.5), among="seen"), look))
    wanted = {"positive": [True], "negative": [False], "both": [True, False]}[sign]
    expected = couples(
        look,
        lambda i, j: bool(
            look.seen[i] and look.seen[j] and -0.25 <= look.s[i, j] < 0.5 and (look.y[i] == look.y[j]) in wanted
        ),
    )
    assert expected
    assert found == expected


def test_score_band_holds_its_lower_end_and_not_its_upper_one(look: Look) -> None:
    first, second = sorted(float(look.s[pair]) for pair in [(0, 1), (2, 3)])
    found = {float(look.s[pair]) for pair in listed(resolve(Selection(ScoreBand("both", first, second)), look))}
    assert first in found
    assert second not in found


def test_score_band_is_open_at_one() -> None:
    look = look_by_hand()
    look = replace(
        look, z=np.ones_like(look.z) * np.linspace(1, 3, len(look.y))[:, None]
    )  # all cosines 1, or an ulp more
    assert len(resolve(Selection(ScoreBand("both", 0.9, 1.0)), look)) == 24 * 23 // 2
    assert len(resolve(Selection(ScoreBand("both", -1.0, 0.9)), look)) == 0


@pytest.mark.parametrize("rate", ["fpr", "tpr"])
@pytest.mark.parametrize(("low", "high"), [(0.0, 0.1), (0.1, 0.35), (0.35, 1.0), (0.0, 1.0)])
def test_rate_band(look: Look, rate: str, low: float, high: float) -> None:
    kind = look.neg if rate == "fpr" else look.pos
    every = couples(look, lambda i, j: True)
    scores = sorted((look.s[i, j] for i, j in every if kind[i, j]), reverse=True)

    def rate_at(threshold: float) -> float:
        return sum(score >= threshold for score in scores) / len(scores)

    thresholds = [np.inf, *sorted((look.s[i, j] for i, j in every), reverse=True)]
    loosest = min(t for t in thresholds if rate_at(t) <= high)
    strictest = max(t for t in thresholds if rate_at(t) >= low)
    # A pair is passed if the loosest threshold of the stretch accepts it and the strictest one does not.
    expected = [(i, j) for i, j in every if loosest <= look.s[i, j] < strictest]
    assert expected
    assert listed(resolve(Selection(RateBand(rate, low, high)), look)) == expected


def test_neighbouring_stretches_share_no_negative_and_leave_none(look: Look) -> None:
    q = int(np.count_nonzero(look.neg)) // 2
    cuts = [0.0, 7 / q, 70 / q, 1.0]
    parts = [listed(resolve(Selection(RateBand("fpr", a, b)), look)) for a, b in itertools.pairwise(cuts)]
    negatives = [[(i, j) for i, j in part if look.y[i] != look.y[j]] for part in parts]
    assert [len(part) for part in negatives] == [7, 63, q - 70]
    assert sorted(itertools.chain(*negatives)) == couples(look, lambda i, j: bool(look.y[i] != look.y[j]))
    assert sorted(set(itertools.chain(*parts))) == couples(look, lambda i, j: True)


def test_no_rate_without_pairs_of_the_kind(look: Look) -> None:
    one_class = replace(look, group=np.zeros_like(look.group))
    assert len(resolve(Selection(RateBand("fpr", 0.0, 1.0)), one_class)) == 0


BRUSHES: list[tuple[Brush, Callable[[Look, int, int], bool]]] = [
    (ClassCell(0, 1), lambda look, i, j: {look.y[i], look.y[j]} == {0, 1}),
    (ClassCell(2, 2), lambda look, i, j: look.y[i] == look.y[j] == 2),
    (ItemSet((3, 5, 8)), lambda look, i, j: bool({i, j} & {3, 5, 8})),
    (ItemSet((3, 5, 8), "both"), lambda look, i, j: {i, j} <= {3, 5, 8}),
    (PairList(((9, 2), (1, 4), (4, 1), (3, 3), (2, 999))), lambda look, i, j: (i, j) in {(2, 9), (1, 4)}),
]


@pytest.mark.parametrize(("brush", "keep"), BRUSHES)
def test_other_brushes(look: Look, brush: Brush, keep: Callable[[Look, int, int], bool]) -> None:
    expected = couples(look, lambda i, j: keep(look, i, j))
    assert expected
    assert listed(resolve(Selection(brush), look)) == expected
    seen = [(i, j) for i, j in expected if look.seen[i] and look.seen[j]]
    assert listed(resolve(Selection(brush, among="seen"), look)) == seen


def test_two_sides_keep_their_direction(two_sided: Look) -> None:
    found = listed(resolve(Selection(ClassCell(0, 1)), two_sided))
    assert found == couples(two_sided, lambda i, j: two_sided.y[i] == 0 and two_sided.y[j] == 1)
    a, b = (int(two_sided.item[k]) for k in (4, 2))
    assert listed(resolve(Selection(PairList(((a, b), (a, a)))), two_sided)) == [(4, 2), (4, 4)]
    band = listed(resolve(Selection(ScoreBand("positive", -1.0, 1.0)), two_sided))
    assert band == couples(two_sided, lambda i, j: two_sided.group[i] == two_sided.group[j])


def test_block_holds_the_pairs_of_the_heat_maps_cells() -> None:
    look = look_by_hand(n=120)
    counted = look.pos | look.neg
    pairs = resolve(Selection(heat_block(120, 50, (3, 5), (40, 41))), look)
    inside = np.zeros((120, 120))
    inside[pairs.i, pairs.j] = inside[pairs.j, pairs.i] = 1.0
    cells, _ = heat_map(inside, counted, look.y)
    expected = np.zeros((50, 50))
    expected[3:6, 40:42] = 1.0
    assert cells.shape == (50, 50)
    np.testing.assert_array_equal(cells, np.maximum(expected, expected.T))


def test_block_on_the_diagonal_has_each_pair_once() -> None:
    look = look_by_hand(n=12)
    order = np.argsort(look.y, kind="stable")[2:5].tolist()
    pairs = listed(resolve(Selection(Block((2, 5), (2, 5))), look))
    assert sorted(pairs) == sorted((min(a, b), max(a, b)) for a, b in itertools.combinations(order, 2))


@settings(max_examples=25)
@given(st.lists(st.integers(0, 23), max_size=8), st.sampled_from(["any", "both"]))
def test_item_sets(items: list[int], ends: str) -> None:
    look = look_by_hand()
    count = {"any": any, "both": all}[ends]
    expected = couples(look, lambda i, j: count([i in items, j in items]))
    assert listed(resolve(Selection(ItemSet(tuple(items), ends)), look)) == expected


def test_pairs_go_to_another_look_by_item(look: Look) -> None:
    turned = np.arange(25)[::-1]  # item 25 is not there, the others stand in opposite order
    away = replace(look, z=look.z[turned], y=look.y[turned], group=look.group[turned], item=look.item[turned])
    pairs = resolve(Selection(PairList(((1, 4), (3, 25)))), look)
    assert len(pairs) == 2
    assert listed(carried(pairs, look, away)) == [(20, 23)]
    assert carried(pairs, look, look) is pairs
    assert len(carried(pairs.take(np.array([], np.int64)), look, away)) == 0
    with pytest.raises(ValueError, match="pairs of probe items cannot be shown among training items"):
        carried(pairs, look, replace(look, of="training"))


def test_home_is_the_brushed_lane_at_the_brushed_step(look: Look) -> None:
    early, late = replace(look, step=10), replace(look, step=30)
    looks = {"lane-0": [look], "lane-1": [early, late]}
    brush = ClassCell(0, 0)
    assert home(Selection(brush), looks) is look
    assert home(Selection(brush, lane="lane-1"), looks) is late
    assert home(Selection(brush, lane="lane-1", step=29), looks) is early
    assert home(Selection(brush, lane="lane-1", step=3), looks) is early
    with pytest.raises(ValueError, match="'lane-9', which has no look; lanes are: lane-0, lane-1"):
        home(Selection(brush, lane="lane-9"), looks)


def test_a_selection_is_of_one_kind_of_items(look: Look) -> None:
    with pytest.raises(ValueError, match="of training items, the look of probe items"):
        resolve(Selection(ClassCell(0, 0), of="training"), look)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ScoreBand("pos", 0.0, 1.0), "sign must be one of both, positive, negative, got 'pos'"),
        (lambda: ScoreBand("both", 0.5, 0.5), "within -1 and 1, got 0.5 to 0.5"),
        (lambda: ScoreBand("both", float("nan"), 0.5), "got nan to 0.5"),
        (lambda: RateBand("fnr", 0.0, 1.0), "rate must be one of fpr, tpr"),
        (lambda: RateBand("fpr", 0.0, 1.5), "fpr must go from low to high within 0 and 1, got 0 to 1.5"),
        (lambda: Block((3, 3), (0, 1)), "rows must be ranks from 0, the first below the last, got 3 to 3"),
        (lambda: ItemSet((1,), "one"), "ends must be one of any, both"),
        (lambda: Selection(ClassCell(0, 0), among="some"), "among must be one of all, seen, unseen"),
        (lambda: Selection(ClassCell(0, 0), of="test"), "of must be one of probe, training"),
        (lambda: Selection(ClassCell(0, 0), step=-1), "step must be 0 or more, got -1"),
        (lambda: Selection(ClassCell(0, 0), name="x" * 61), "at most 60 letters, got 61"),
    ],
)
def test_bad_values_are_named(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
