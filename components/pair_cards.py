"""Pairs as small cards and an item's passport as tables, in HTML: pictures by address, everything else in words."""

from collections.abc import Mapping
from html import escape
from math import isfinite
from urllib.parse import quote

import numpy as np

from components import theme
from models.diagnostics.cards import Cards
from models.diagnostics.passport import Passport, Ranked
from models.diagnostics.trails import ScoreTrail

WIDE, TALL = 100, 24  # of a sparkline's own measure
Names = Mapping[int, str]
Pictures = Mapping[int, str] | None
STYLE = f"""
.pairs {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: 0.5rem; }}
.pair {{ border: 2px solid {theme.POSITIVE}; border-radius: 0.5rem; padding: 0.35rem 0.5rem; font-size: 0.8rem; }}
.pair.negative {{ border: 2px dashed {theme.NEGATIVE}; }}
.pair .sides {{ display: flex; gap: 0.4rem; justify-content: space-between; }}
.pair .side {{ max-width: 48%; overflow: hidden; overflow-wrap: anywhere; }}
.pair img, .ranked img {{ height: 2.4rem; max-width: 100%; image-rendering: pixelated; background: #fff; }}
.pair p {{ margin: 0.15rem 0 0; font-size: 0.8rem; line-height: 1.25; }}
.pair img.trail {{ display: block; width: 100%; height: 1.7rem; margin-top: 0.2rem; background: none; }}
.ranked {{ overflow-x: auto; font-size: 0.8rem; }}
.ranked td, .ranked th {{ padding: 0.1rem 0.45rem; text-align: right; }}
.ranked img {{ height: 1.6rem; }}
"""


def grid(cards: Cards, names: Names, pictures: Pictures) -> str:
    """All cards, as many beside each other as fit."""
    return f'<div class="pairs">{"".join(card(cards, k, names, pictures) for k in range(len(cards)))}</div>'


def card(cards: Cards, k: int, names: Names, pictures: Pictures, line: str = "") -> str:
    """One pair: both sides, score, weight with its sign, part of the loss, ranks; line: its `sparkline`."""
    kind = "positive" if cards.positive[k] else "negative"
    ends = ((cards.item_i[k], cards.label_i[k]), (cards.item_j[k], cards.label_j[k]))
    sides = "".join(_side(int(item), int(label), names, pictures) for item, label in ends)
    told = "".join(f"<p>{escape(line)}</p>" for line in words(cards, k))
    return f'<div class="pair {kind}"><div class="sides">{sides}</div>{line}{told}</div>'


def sparkline(trail: ScoreTrail, k: int, *, positive: bool) -> str:
    """The score of one pair over kept steps, which are on a logarithmic axis; empty with fewer than two of them."""
    if len(trail.step) < 2:
        return ""
    across = np.log1p(trail.step - trail.step[0])
    x, y = WIDE * across / across[-1], TALL * (1 - trail.score[k]) / 2  # cosine 1 on top, -1 at the bottom
    line = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    told = (
        f"Cosine {trail.score[k, 0]:.2f} at step {trail.step[0]}, {trail.score[k, -1]:.2f} at step {trail.step[-1]}; "
        "up is 1, the thin line is 0, steps are logarithmic."
    )
    colour = theme.POSITIVE if positive else theme.NEGATIVE
    # As a picture, since the page lets no drawing through that stands in its HTML.
    picture = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {TALL}" preserveAspectRatio="none" fill="none">'
        f'<path d="M0 {TALL / 2}H{WIDE}" stroke="#808080" stroke-opacity="0.5" vector-effect="non-scaling-stroke"/>'
        f'<polyline points="{line}" stroke="{colour}" stroke-width="1.5" vector-effect="non-scaling-stroke"/></svg>'
    )
    return f'<img class="trail" src="data:image/svg+xml,{quote(picture)}" alt="{told}" title="{told}">'


def _side(item: int, label: int, names: Names, pictures: Pictures) -> str:
    return f'<div class="side">{_picture(item, pictures)}<div>{escape(side(item, label, names))}</div></div>'


def side(item: int, label: int, names: Names) -> str:
    """`seven · #12`: class and number of an item."""
    return f"{names.get(label) or label} · #{item}"


def words(cards: Cards, k: int) -> tuple[str, ...]:
    """What a card says, line by line."""
    kind = "positive" if cards.positive[k] else "negative"
    return (
        f"{kind}, cosine {cards.score[k]:.3f}",
        _weight(float(cards.weight[k]), cards.why_no_weight),
        _loss(float(cards.loss[k]), cards.why_no_loss),
        f"rank {cards.rank[k]} and back {cards.rank_back[k]}; misordered with {theme.percent(float(cards.wrong[k]))}",
    )


def _weight(weight: float, why: str) -> str:
    if not isfinite(weight):
        return f"no weight: {why}" if why else "no weight"
    if weight == 0.0:
        return "weight 0: neither pulled nor pushed"
    return f"{'push' if weight > 0 else 'pull'} {theme.number(abs(weight))}"


def _loss(loss: float, why: str) -> str:
    if not isfinite(loss):
        return f"part of the loss: {why}" if why else "part of the loss: –"
    return f"part of the loss {theme.number(loss)}"


def _picture(item: int, pictures: Pictures) -> str:
    address = (pictures or {}).get(item)
    return f'<img src="{escape(address)}" alt="item {item}">' if address else ""


def sentences(passport: Passport, look_items: np.ndarray, names: Names) -> tuple[str, ...]:
    """Who an anchor is, its nearest intruder, who pulls and pushes it, and what the next step would do."""
    told = [
        f"{side(passport.item, passport.label, names)}: {theme.many(passport.positive_count, 'positive')}, "
        f"{theme.many(passport.negative_count, 'negative')}."
    ]
    if passport.intruder >= 0:
        first = passport.negatives
        told.append(
            f"Nearest intruder: {side(int(look_items[passport.intruder]), int(first.label[0]), names)} at cosine "
            f"{first.score[0]:.3f}; {theme.many(passport.above, 'negative')} above the best positive."
        )
    if isfinite(passport.gap):
        told.append(f"The best positive is {passport.gap:+.3f} above the intruder.")
    if isfinite(passport.gap_change):
        how = "widen" if passport.gap_change > 0 else "narrow"
        told.append(f"The next step would {how} that gap ({theme.number(passport.gap_change)} for a step of length 1).")
    if passport.why_no_weight:
        told.append(passport.why_no_weight)
    elif isfinite(passport.push):
        told.append(f"In its row: pull {theme.number(passport.pull)}, push {theme.number(passport.push)}.")
    return tuple(told)


def ranked(candidates: Ranked, names: Names, pictures: Pictures) -> str:
    """Candidates of one kind, nearest first, a row each."""
    head = "".join(f"<th>{name}</th>" for name in ("", "item", "cosine", "softmax share", "weight", "next step"))
    body = "".join(_row(candidates, k, names, pictures) for k in range(len(candidates.item)))
    return f'<div class="ranked" tabindex="0"><table><tr>{head}</tr>{body}</table></div>'


def _row(candidates: Ranked, k: int, names: Names, pictures: Pictures) -> str:
    share, weight, change = (float(part[k]) for part in (candidates.share, candidates.weight, candidates.change))
    item = int(candidates.item[k])
    cells = (
        _picture(item, pictures), escape(side(item, int(candidates.label[k]), names)), f"{candidates.score[k]:.3f}",
        theme.percent(share, 1), theme.number(weight), theme.number(change),
    )  # fmt: skip
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
