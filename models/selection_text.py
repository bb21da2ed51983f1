"""Selections as short text for an address: `scores=negative,0.6,1.0;among=seen;lane=lane-0;step=120;name=hard`."""

from collections.abc import Callable
from urllib.parse import quote, unquote

from models.diagnostics.look import PROBE
from models.pair_code import decode_ids, decode_pairs, encode_ids, encode_pairs
from models.selection import Block, Brush, ClassCell, ItemSet, PairList, RateBand, ScoreBand, Selection

LONGEST = 6000  # characters: an address much longer is cut off by some servers and mail programs


def to_text(selection: Selection) -> str:
    """The whole selection; raises ValueError if it lists more pairs or items than go into an address."""
    parts = [_brush_text(selection.brush)]
    parts += [f"among={selection.among}"] if selection.among != "all" else []
    parts += [f"of={selection.of}"] if selection.of != PROBE else []
    parts += [f"lane={quote(selection.lane, safe='-')}"] if selection.lane else []
    parts += [f"step={selection.step}"] if selection.step is not None else []
    parts += [f"name={quote(selection.name, safe='')}"] if selection.name else []
    text = ";".join(parts)
    if len(text) > LONGEST:
        raise ValueError(
            f"this selection takes {len(text)} characters, an address has room for {LONGEST}: export it as a table, "
            "or select by score, rate or class"
        )
    return text


def _brush_text(brush: Brush) -> str:
    if isinstance(brush, ScoreBand):
        return f"scores={brush.sign},{brush.low!r},{brush.high!r}"
    if isinstance(brush, RateBand):
        return f"roc={brush.rate},{brush.low!r},{brush.high!r}"
    if isinstance(brush, ClassCell):
        return f"classes={brush.anchor},{brush.candidate}"
    if isinstance(brush, Block):
        return "block=" + ",".join(str(rank) for rank in (*brush.rows, *brush.columns))
    if isinstance(brush, PairList):
        return f"pairs={encode_pairs(brush.pairs)}"
    return f"items={brush.ends},{encode_ids(brush.items)}"


def from_text(text: str) -> Selection:
    """The inverse of `to_text`; raises ValueError with one sentence on what is wrong."""
    if len(text) > LONGEST:
        raise ValueError(f"a selection in an address has at most {LONGEST} characters, got {len(text)}")
    first, *others = text.split(";")
    kind, _, given = first.partition("=")
    if kind not in _READERS:
        raise ValueError(f"a selection begins with one of {', '.join(_READERS)}, got {kind[:40]!r}")
    fields: dict[str, str] = {}
    for part in others:
        name, _, value = part.partition("=")
        if name not in _FIELDS or name in fields:
            again = "again" if name in fields else f"which is none of {', '.join(_FIELDS)}"
            raise ValueError(f"a selection goes on with name=value parts, got {part[:40]!r}, {again}")
        fields[name] = value
    step = _whole("step", fields["step"]) if "step" in fields else None
    return Selection(
        _READERS[kind](given),
        lane=unquote(fields.get("lane", "")),
        step=step,
        among=fields.get("among", "all"),
        of=fields.get("of", PROBE),
        name=unquote(fields.get("name", "")),
    )


_FIELDS = ("among", "of", "lane", "step", "name")


def _split(kind: str, text: str, wanted: int) -> list[str]:
    parts = text.split(",")
    if len(parts) != wanted:
        raise ValueError(f"{kind} takes {wanted} values with commas between, got {text[:40]!r}")
    return parts


def _whole(name: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 15):
        raise ValueError(f"{name} must be a whole number from 0, got {text[:40]!r}")
    return int(text)


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{name} must be numbers, got {text[:40]!r}") from None


def _scores(text: str) -> Brush:
    sign, low, high = _split("scores", text, 3)
    return ScoreBand(sign, _number("scores", low), _number("scores", high))


def _roc(text: str) -> Brush:
    rate, low, high = _split("roc", text, 3)
    return RateBand(rate, _number("roc", low), _number("roc", high))


def _classes(text: str) -> Brush:
    return ClassCell(*(_whole("classes", part) for part in _split("classes", text, 2)))


def _block(text: str) -> Brush:
    top, bottom, left, right = (_whole("block", part) for part in _split("block", text, 4))
    return Block((top, bottom), (left, right))


def _items(text: str) -> Brush:
    ends, ids = _split("items", text, 2)
    return ItemSet(decode_ids(ids), ends)


_READERS: dict[str, Callable[[str], Brush]] = {
    "scores": _scores,
    "roc": _roc,
    "classes": _classes,
    "block": _block,
    "pairs": lambda text: PairList(decode_pairs(text)),
    "items": _items,
}
