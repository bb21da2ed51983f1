"""Selections as text and back, and one sentence for each bad text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.selection import Block, ClassCell, ItemSet, PairList, RateBand, ScoreBand, Selection
from models.selection_text import from_text, to_text

ID = st.integers(0, 10**6)
SPAN = st.tuples(st.integers(0, 500), st.integers(1, 500)).map(lambda pair: (pair[0], pair[0] + pair[1]))


def ends(low: float, high: float) -> st.SearchStrategy[tuple[float, float]]:
    numbers = st.floats(low, high)
    return st.tuples(numbers, numbers).map(lambda pair: (min(pair), max(pair))).filter(lambda pair: pair[0] < pair[1])


BRUSHES = st.one_of(
    st.builds(lambda sign, at: ScoreBand(sign, *at), st.sampled_from(["both", "positive", "negative"]), ends(-1, 1)),
    st.builds(lambda rate, at: RateBand(rate, *at), st.sampled_from(["fpr", "tpr"]), ends(0, 1)),
    st.builds(ClassCell, ID, ID),
    st.builds(Block, SPAN, SPAN),
    st.builds(PairList, st.lists(st.tuples(ID, ID), max_size=30).map(tuple)),
    st.builds(ItemSet, st.lists(ID, max_size=30).map(tuple), st.sampled_from(["any", "both"])),
)
SELECTIONS = st.builds(
    Selection,
    BRUSHES,
    lane=st.text(max_size=12),
    step=st.none() | st.integers(0, 10**6),
    among=st.sampled_from(["all", "seen", "unseen"]),
    of=st.sampled_from(["probe", "training"]),
    name=st.text(st.characters(exclude_categories=("Cs",)), max_size=60),
)


@settings(max_examples=40)
@given(SELECTIONS)
def test_comes_back_equal(selection: Selection) -> None:
    text = to_text(selection)
    assert from_text(text) == selection
    assert not set(text) & set(" &#?+\"'<>")


def test_by_hand() -> None:
    brush = ScoreBand("negative", 0.6, 1.0)
    selection = Selection(brush, lane="lane-0", step=120, among="seen", name="hard; ones")
    assert to_text(selection) == "scores=negative,0.6,1.0;among=seen;lane=lane-0;step=120;name=hard%3B%20ones"
    assert to_text(Selection(ItemSet((40, 3)))) == "items=any,3.14"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "begins with one of scores, roc, classes, block, pairs, items, got ''"),
        ("lasso=1", "got 'lasso'"),
        ("scores=negative,0.6", "scores takes 3 values with commas between, got 'negative,0.6'"),
        ("scores=negative,low,1", "scores must be numbers, got 'low'"),
        ("scores=negative,nan,1", "got nan to 1"),
        ("roc=fpr,0.5,0.1", "fpr must go from low to high within 0 and 1, got 0.5 to 0.1"),
        ("classes=1,-2", "classes must be a whole number from 0, got '-2'"),
        ("block=1,2,3", "block takes 4 values"),
        ("pairs=12", "'12', which has one id"),
        ("items=any,A", "got 'A'"),
        ("classes=1,2;step=x", "step must be a whole number from 0, got 'x'"),
        ("classes=1,2;colour=red", "'colour=red', which is none of among, of, lane, step, name"),
        ("classes=1,2;step=1;step=2", "'step=2', again"),
        ("classes=1,2;among=none", "among must be one of all, seen, unseen, got 'none'"),
        ("items=any," + "1." * 3000, "at most 6000 characters, got 6010"),
    ],
)
def test_bad_text_is_told_in_one_sentence(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        from_text(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_too_long_for_an_address() -> None:
    pairs = tuple((i, i + 36**3) for i in range(1000))
    with pytest.raises(ValueError, match="an address has room for 6000: export it as a table"):
        to_text(Selection(PairList(pairs)))
