"""What is looked at, as fields of an address: the brush, the selections kept by name, and two lanes compared."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from components import theme
from models.diagnostics.threshold import COMPARISONS
from models.selection import RateBand, ScoreBand, Selection
from models.selection_text import LONGEST, from_text, to_text

MOST_KEPT = 8
_ROOM = LONGEST  # characters of all selections together

Fields = dict[str, str | list[str]]
Tell = Callable[[str, object, str], None]  # what was given, why it is wrong, what is used instead


@dataclass(frozen=True)
class Comparison:
    """Two lanes on the same bins of the histogram. Raises ValueError on an unknown kind, or a lane with itself."""

    kind: str  # one of COMPARISONS
    lanes: tuple[int, int] = (0, 1)

    def __post_init__(self) -> None:
        if self.kind not in COMPARISONS:
            raise ValueError(f"two lanes are compared by one of {', '.join(COMPARISONS)}, got {self.kind[:40]!r}")
        if self.lanes[0] == self.lanes[1]:
            raise ValueError(f"a comparison needs two lanes, got {theme.letter(self.lanes[0])} twice")

    def fits(self, lanes: int) -> bool:
        """True if there are such lanes."""
        return max(self.lanes) < lanes


@dataclass(frozen=True)
class Looked:
    """The brush that stands, the selections that have a name, and the comparison. A brush with a name is kept too."""

    brush: Selection | None = None  # its lane is a letter
    kept: tuple[Selection, ...] = ()
    compared: Comparison | None = None

    @property
    def named(self) -> str | None:
        """Name of the selection that is brushed; None without one."""
        return self.brush.name if self.brush is not None and self.brush.name else None

    def naming(self, selection: Selection, name: str) -> "Looked":
        """Hold this selection under a name, in place of the one it had; without a name it is not kept any more.

        Raises ValueError if another selection has the name, or if there is no room for one more.
        """
        rest = tuple(other for other in self.kept if not (selection.name and other.name == selection.name))
        if name and any(other.name == name for other in rest):
            raise ValueError(f"another selection is called {name!r}: choose another name, or forget that one first")
        if name and len(rest) >= MOST_KEPT:
            raise ValueError(f"{MOST_KEPT} selections have names already: forget one of them first")
        named = replace(selection, name=name)
        return replace(self, brush=named, kept=(*rest, named) if name else rest)

    def recalled(self, name: str) -> "Looked":
        """Brush the selection of this name; the brush stays as it is if there is none."""
        found = next((one for one in self.kept if one.name == name), self.brush)
        return replace(self, brush=found)

    def forgetting(self, name: str) -> "Looked":
        """Without the selection of this name, and without the brush if it is that one."""
        gone = self.brush is not None and self.brush.name == name
        kept = tuple(one for one in self.kept if one.name != name)
        return replace(self, brush=None if gone else self.brush, kept=kept)

    def in_other_data(self) -> "Looked":
        """What still means something there: scores and rates do, items, classes and ranks do not."""
        brush = self.brush if self.brush is not None and _of_scores(self.brush) else None
        return replace(self, brush=brush, kept=tuple(one for one in self.kept if _of_scores(one)))

    def free_name(self) -> str:
        """`held 1`, or the next number that is free."""
        taken = {one.name for one in self.kept}
        return next(name for k in range(1, MOST_KEPT + 2) if (name := f"held {k}") not in taken)


def _of_scores(selection: Selection) -> bool:
    return isinstance(selection.brush, ScoreBand | RateBand)


@lru_cache(maxsize=32)
def _text(selection: Selection) -> str | None:
    """As text; None if it lists more than an address has room for."""
    try:
        return to_text(selection)
    except ValueError:
        return None


def _fitting(looked: Looked) -> tuple[str | None, list[str], tuple[str, ...]]:
    """Text of the brush, texts of the others that have a name, and the names of those that do not fit."""
    brush = None if looked.brush is None else _text(looked.brush)
    room, texts, out = _ROOM - len(brush or ""), list[str](), list[str]()
    for one in looked.kept:
        if one == looked.brush:
            out += [] if brush else [one.name]
            continue
        text = _text(one)
        if text is None or len(text) > room:
            out.append(one.name)
        else:
            texts.append(text)
            room -= len(text)
    return brush, texts, tuple(out)


def left_out(looked: Looked) -> tuple[str, ...]:
    """Names of the selections that are too large for the address."""
    return _fitting(looked)[2]


def fields_of(looked: Looked) -> Fields:
    """The fields of an address; of a selection with a name that is brushed, the brush alone."""
    brush, kept, _ = _fitting(looked)
    fields: Fields = {} if brush is None else {"brush": brush}
    fields |= {"kept": kept} if kept else {}
    if looked.compared is not None:
        fields["compare"] = ",".join([looked.compared.kind, *(theme.letter(lane) for lane in looked.compared.lanes)])
    return fields


def looked_of(brush: str | None, kept: Sequence[str], compare: str | None, tell: Tell) -> Looked:
    """The inverse of `fields_of`; what cannot be read is told, and left out."""
    looked = Looked(compared=None if compare is None else _comparison(compare, tell))
    for text in kept:
        found = _selection("kept", text, tell)
        if found is None:
            continue
        try:
            looked = looked.naming(replace(found, name=""), found.name or looked.free_name())
        except ValueError as error:
            tell(f"kept={text}", error, "no such selection")
    looked = replace(looked, brush=None)
    held = None if brush is None else _selection("brush", brush, tell)
    if held is None:
        return looked
    try:
        return looked.naming(replace(held, name=""), held.name)
    except ValueError as error:
        tell(f"brush={brush}", error, "no name")
        return replace(looked, brush=replace(held, name=""))


def _selection(field: str, text: str, tell: Tell) -> Selection | None:
    try:
        return from_text(text)
    except ValueError as error:
        tell(f"{field}={text}", error, "no brush" if field == "brush" else "no such selection")
        return None


def _comparison(text: str, tell: Tell) -> Comparison | None:
    kind, *letters = text.split(",")
    try:
        lanes = tuple(theme.LETTERS.index(letter) for letter in letters)
        return Comparison(kind, lanes or (0, 1))  # type: ignore[arg-type]
    except ValueError as error:
        tell(f"compare={text}", error, "each lane by itself")
        return None
