"""Lists of pairs and of ids as short text for addresses and configs: base 36, `1c_2f_2k.2a_3` for 1c with 2f and 2k."""

from collections.abc import Iterable
from itertools import groupby

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
MOST = 4000  # pairs that a config carries, so that it stays below some 40 kB
_LONGEST = 9  # digits of one id: a little over 10^14


def encode_ids(ids: Iterable[int]) -> str:
    """Distinct ids from 0, rising, joined by dots; empty text for none."""
    return ".".join(_text(i) for i in sorted(set(ids)))


def decode_ids(text: str) -> tuple[int, ...]:
    """The inverse of `encode_ids`; raises ValueError naming the part that is no id."""
    return tuple(sorted({_number(part) for part in text.split(".")})) if text else ()


def encode_pairs(pairs: Iterable[tuple[int, int]]) -> str:
    """Distinct ordered pairs of ids from 0, rising; empty text for none."""
    groups = groupby(sorted(set(pairs)), key=lambda pair: pair[0])
    return ".".join("_".join([_text(first), *(_text(second) for _, second in group)]) for first, group in groups)


def decode_pairs(text: str) -> tuple[tuple[int, int], ...]:
    """The inverse of `encode_pairs`; raises ValueError naming the part that is no pair."""
    found = set()
    for group in text.split(".") if text else ():
        first, *others = group.split("_")
        if not others:
            raise ValueError(f"pairs are written as id_id.id_id in base 36, got {group[:40]!r}, which has one id")
        found |= {(_number(first), _number(second)) for second in others}
    return tuple(sorted(found))


def _text(number: int) -> str:
    if number < 0:
        raise ValueError(f"an id must be 0 or more, got {number}")
    digits = ""
    while number or not digits:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits


def _number(text: str) -> int:
    if not text or len(text) > _LONGEST or any(letter not in _DIGITS for letter in text):
        raise ValueError(f"an id is 1 to {_LONGEST} of the digits 0-9 and a-z, got {text[:40]!r}")
    return int(text, 36)


def checked(text: object) -> str:
    """A mask's text in its one canonical form, each pair once; raises ValueError saying what is wrong with it."""
    if not isinstance(text, str):
        raise ValueError(f"mask.pairs must be text such as 1c_2f.2a_3, got {text!r}")
    pairs = {(min(pair), max(pair)) for pair in decode_pairs(text)}
    alone = [a for a, b in pairs if a == b]
    if alone:
        raise ValueError(f"mask.pairs pairs item {alone[0]} with itself: a mask leaves out pairs of two items")
    if len(pairs) > MOST:
        raise ValueError(f"mask.pairs holds {len(pairs)} pairs, at most {MOST} can be left out: mask the worst of them")
    return encode_pairs(pairs)
