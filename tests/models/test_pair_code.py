"""Pairs and ids as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.pair_code import decode_ids, decode_pairs, encode_ids, encode_pairs

IDS = st.integers(0, 10**9)


@given(st.lists(st.tuples(IDS, IDS)))
def test_pairs_come_back_sorted_and_once(pairs: list[tuple[int, int]]) -> None:
    assert decode_pairs(encode_pairs(pairs)) == tuple(sorted(set(pairs)))


@given(st.lists(IDS))
def test_ids_come_back_sorted_and_once(ids: list[int]) -> None:
    assert decode_ids(encode_ids(ids)) == tuple(sorted(set(ids)))


def test_by_hand() -> None:
    # 1c = 1 * 36 + 12 = 48, 2f = 87, 2k = 92, 2a = 82.
    assert encode_pairs([(82, 3), (48, 92), (48, 87)]) == "1c_2f_2k.2a_3"
    assert encode_ids([36, 0, 35]) == "0.z.10"


@pytest.mark.parametrize(
    ("text", "part"), [("12", "'12', which has one id"), ("1_", "got ''"), ("1_A", "got 'A'"), ("1__2", "got ''")]
)
def test_bad_pairs_are_named(text: str, part: str) -> None:
    with pytest.raises(ValueError, match=part):
        decode_pairs(text)


def test_bad_ids_are_named() -> None:
    with pytest.raises(ValueError, match="got '-1'"):
        decode_ids("3.-1")
    with pytest.raises(ValueError, match="0 or more, got -4"):
        encode_ids([2, -4])
