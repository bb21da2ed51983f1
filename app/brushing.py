"""What a brush is on the page: dragged or typed, it becomes a Selection; a Selection becomes words and pairs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from components import theme
from models.diagnostics.brushed import Brushed, brushed
from models.diagnostics.look import Look
from models.diagnostics.pairs import Pairs, carried
from models.diagnostics.summary import Summary
from models.diagnostics.trails import score_trail
from models.engine.history import shown_at
from models.selection import (
    Block,
    Brush,
    ClassCell,
    PairList,
    RateBand,
    ScoreBand,
    Selection,
    heat_block,
    held,
    home,
    lassoed,
    resolve,
)

MOST_ITEMS = 2000


@dataclass(frozen=True, eq=False)
class Shown:
    """A brush as it stands: the pairs of its home lane, and what every lane shows of them."""

    selection: Selection
    home: Look
    lane: int  # of home
    looks: tuple[Look | None, ...]
    pairs: tuple[Pairs | None, ...]  # the same pairs in every lane that has a look
    lanes: tuple[Brushed | None, ...]

    @property
    def own(self) -> Brushed:
        """What the home lane shows."""
        found = self.lanes[self.lane]
        assert found is not None, "the home lane has a look"
        return found

    def held(self) -> Selection:
        """The selection of these pairs themselves, whatever they score later."""
        pairs = self.pairs[self.lane]
        assert pairs is not None, "the home lane has pairs"
        return held(self.selection, pairs, self.home)


@lru_cache(maxsize=32)
def shown(selection: Selection, looks: tuple[Look | None, ...]) -> Shown:
    """`found`, remembered for as long as a board ticks with the same brush."""
    return found(selection, looks)


def found(selection: Selection, looks: tuple[Look | None, ...]) -> Shown:
    """Find the pairs, lane by lane; raises ValueError, with one sentence, if the home lane is not there."""
    kept: dict[str, Sequence[Look]] = {theme.letter(k): [look] for k, look in enumerate(looks) if look is not None}
    origin = home(selection, kept)
    pairs, items = resolve(selection, origin), lassoed(selection, origin)
    moved = tuple(None if look is None else carried(pairs, origin, look) for look in looks)
    parts = tuple(
        None if look is None or there is None else brushed(look, there, items)
        for look, there in zip(looks, moved, strict=True)
    )
    return Shown(selection, origin, looks.index(origin), looks, moved, parts)


def dragged(panel: str, stretch: Mapping[str, Any], sign: str) -> Brush | None:
    """The brush of a stretch dragged out on the histogram or the ROC; None if it was taken away."""
    ends = next((value for value in stretch.values() if isinstance(value, Sequence) and len(value) == 2), None)
    if ends is None:
        return None
    low, high = sorted(float(end) for end in ends)
    least = -1.0 if panel == "scores" else 0.0
    low, high = max(round(low, 3), least), min(round(high, 3), 1.0)
    if low >= high:
        return None
    return ScoreBand(sign, low, high) if panel == "scores" else RateBand("fpr", low, high)


def boxed(box: Mapping[str, Any], cells: Sequence[tuple[int, tuple[int, int]]]) -> tuple[int, Block]:
    """(lane, block) of a box drawn on the heat maps, which stand side by side: axes x, x2, ... are lanes A, B, ...

    cells: of every lane, its items and the (rows, columns) of its heat map. Raises ValueError if the columns of that
    map are no items, or if nothing lies within the box.
    """
    lane = int(str(box["xref"]).removeprefix("x") or 1) - 1
    n, (height, width) = cells[lane]
    if height != width:
        raise ValueError(f"the weights of lane {theme.letter(lane)} are not of pairs of items: brush its scores")
    spans = []
    for ends in (box["y"], box["x"]):
        # Cell k lies from k - 1/2 to k + 1/2.
        low, high = (min(max(float(end) + 0.5, 0.0), height - 1e-6) for end in sorted(ends))
        spans.append((int(low), int(high)))
    return lane, heat_block(n, height, spans[0], spans[1])


def clicked_cell(points: Sequence[Mapping[str, Any]], labels: Sequence[np.ndarray]) -> tuple[int, ClassCell] | None:
    """(lane, cell) of a click on the matrices of classes; None where none is held. labels: classes, lane by lane."""
    if not points:
        return None
    point = points[-1]
    lane = theme.LETTERS.index(str(point["lane"]))
    anchor, candidate = (int(labels[lane][int(point[name])]) for name in ("at", "place"))
    return lane, ClassCell(anchor, candidate)


def lassoed_items(groups: Sequence[Mapping[str, Any]], rows: Sequence[np.ndarray]) -> tuple[int, ...]:
    """Ids of the items within a lasso on the map. rows: ids in every dataset of the map, series by series."""
    found = [
        int(rows[g["series_index"]][k]) for g in groups if g["series_index"] < len(rows) for k in g["data_indices"]
    ]
    return tuple(sorted(set(found)))


def numbers_of(text: str) -> tuple[int, ...]:
    """Whole numbers with commas or spaces between; raises ValueError, naming what is none."""
    parts = text.replace(",", " ").replace(";", " ").split()
    wrong = next((part for part in parts if not (part.isascii() and part.isdecimal() and len(part) < 10)), None)
    if wrong is not None:
        raise ValueError(f"items are whole numbers with commas between, such as 3, 17, 220; got {wrong[:20]!r}")
    if not 1 <= len(parts) <= MOST_ITEMS:
        raise ValueError(f"name from 1 to {MOST_ITEMS} items, got {len(parts)}")
    return tuple(int(part) for part in parts)


def words(selection: Selection, classes: Mapping[int, str]) -> str:
    """What is brushed: `negatives scoring 0.60 to 0.90 in lane A`."""
    where = f" in lane {selection.lane or 'A'}"
    if isinstance(selection.brush, PairList) and selection.step is not None:
        return f"pairs held since step {selection.step}{where}"
    scope = "" if selection.among == "all" else f" of {selection.among} classes"
    return f"{_kind(selection.brush, classes)}{scope}{where}"


def _kind(brush: Brush, classes: Mapping[int, str]) -> str:
    if isinstance(brush, ScoreBand):
        signed = "pairs" if brush.sign == "both" else f"{brush.sign}s"
        return f"{signed} scoring {brush.low:.2f} to {brush.high:.2f}"
    if isinstance(brush, RateBand):
        rate = "false" if brush.rate == "fpr" else "true"
        ends = f"{theme.percent(brush.low, 1)} and {theme.percent(brush.high, 1)}"
        return f"pairs accepted between {ends} {rate} positives"
    if isinstance(brush, ClassCell):
        first, second = (classes.get(k, str(k)) for k in (brush.anchor, brush.candidate))
        return f"pairs within class {first}" if first == second else f"pairs of class {first} with class {second}"
    if isinstance(brush, Block):
        return f"pairs in a block of the heat map, {_span(brush.rows)} against {_span(brush.columns)}"
    if isinstance(brush, PairList):
        return "listed pairs"
    ends = "among" if brush.ends == "both" else "with one of"
    return f"pairs {ends} {theme.many(len(brush.items), 'item')}"


def _span(ranks: tuple[int, int]) -> str:
    return f"ranks {ranks[0]} to {ranks[1] - 1}"


def went(found: Shown, lane: int, kept: Sequence[Summary]) -> str:
    """Where held pairs have gone: `positives from 0.71 to 0.80 on average since step 120`; empty of other brushes.

    kept: the moments of that lane; then is the one that is nearest to the step at which the pairs were held.
    """
    look, pairs, since = found.looks[lane], found.pairs[lane], found.selection.step
    if look is None or pairs is None or since is None or not kept or not isinstance(found.selection.brush, PairList):
        return ""
    then = shown_at(kept, since)
    before, now = score_trail([then], pairs).score, look.score_at(pairs.i, pairs.j)
    if before.shape[1] == 0 or then.step == look.step:
        return ""
    positive = look.group[pairs.i] == look.group[pairs.j]
    told = [
        f"{kind}s from {before[of, 0].mean():.2f} to {now[of].mean():.2f}"
        for kind, of in (("positive", positive), ("negative", ~positive))
        if of.any()
    ]
    return f"{', '.join(told)} on average since step {then.step}" if told else ""


def share_words(found: Shown, lane: int | None = None) -> str:
    """`2.1 % of negatives, 64 % of the push` of a lane, the home lane if none is named; unknown shares are left out."""
    lane = found.lane if lane is None else lane
    own, look = found.lanes[lane], found.looks[lane]
    if own is None or look is None:
        return ""
    whole = look.pair_scores(found.selection.among)
    told = [
        f"{theme.percent(count / total, 1)} of {name}"
        for count, total, name in (
            (own.positives, len(whole.positive), "positives"), (own.negatives, len(whole.negative), "negatives"),
        )
        if count and total
    ]  # fmt: skip
    shares = ((own.share_of_pull, "the pull"), (own.share_of_push, "the push"), (own.share_of_auc_loss, "the AUC loss"))
    told += [f"{theme.percent(share)} of {name}" for share, name in shares if np.isfinite(share) and share > 0]
    return ", ".join(told)
