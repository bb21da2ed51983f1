"""How an item looks to a person: a small PNG or a line of text, and a picture address for a hover."""

from base64 import b64encode
from io import BytesIO
from textwrap import wrap
from xml.sax.saxutils import escape

import numpy as np
from PIL import Image, ImageDraw

from models.data_common import Source

SIDE = 56  # pixels of a preview's longer side
_SIGN, _LINE, _ROOM = 4, 22, 5  # characters of a sign and of a line of text, lines
_INK = 40  # grey of drawn lines, 0 black


def preview(source: Source, row: int) -> bytes | str:
    """PNG bytes of item `row`, or its text where the set has texts; raises ValueError if there is no such row."""
    _check(source, row)
    return source.texts[row] if source.texts else _png(source, row)


def thumbnail_uri(source: Source, row: int) -> str:
    """A data: address of a small picture of item `row`, for an <img>; a text is drawn as SVG by the browser."""
    _check(source, row)
    if not source.texts:
        return "data:image/png;base64," + b64encode(_png(source, row)).decode()
    sign, _, name = source.texts[row].partition(" ")
    drawn = _sign(sign, name.partition(" · ")[0]) if len(sign) <= _SIGN else _lines(source.texts[row])
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="{2 * SIDE}" height="{SIDE}">{drawn}</svg>'
    return "data:image/svg+xml;base64," + b64encode(svg.encode()).decode()


def _sign(sign: str, name: str) -> str:
    """One sign large, its name small below."""
    return (
        f'<text x="50%" y="55%" font-size="24" text-anchor="middle">{escape(sign)}</text>'
        f'<text x="50%" y="92%" font-size="9" text-anchor="middle">{escape(name)}</text>'
    )


def _lines(text: str) -> str:
    """The beginning of a text in as many small lines as there is room for; what XML cannot hold is left out."""
    kept = "".join(letter if letter.isprintable() else " " for letter in text)
    lines = wrap(kept, _LINE, max_lines=_ROOM, placeholder="…")
    step = SIDE // (_ROOM + 1)
    return "".join(
        f'<text x="3" y="{step * (k + 1)}" font-size="9">{escape(line)}</text>' for k, line in enumerate(lines)
    )


def _check(source: Source, row: int) -> None:
    if not 0 <= row < len(source.y):
        raise ValueError(f"row must be a whole number from 0 to {len(source.y) - 1}, got {row}")


def _png(source: Source, row: int) -> bytes:
    """Pictures as they are, signals as a line, points as bars."""
    item = source.x[row] if source.images is None else source.images[row][None]
    draw = {3: _picture, 2: _line, 1: _bars}[item.ndim]
    buffer = BytesIO()
    draw(item, source).save(buffer, "PNG")
    return buffer.getvalue()


def _picture(item: np.ndarray, source: Source) -> Image.Image:
    """Grey from one channel, colour from three; small ones grow by a whole factor, large ones shrink."""
    pixels = np.rint(255 * np.clip(item, 0.0, 1.0)).astype(np.uint8)
    picture = Image.fromarray(np.moveaxis(pixels, 0, 2) if len(pixels) == 3 else pixels[0])
    longer = max(picture.size)
    if longer > 2 * SIDE:
        picture.thumbnail((2 * SIDE, 2 * SIDE))
        return picture
    scale = max(SIDE // longer, 1)
    return picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST)


def _line(item: np.ndarray, source: Source) -> Image.Image:
    """The whole set's range is the height, so that items can be compared."""
    low, high = float(source.x.min()), float(source.x.max())
    picture = Image.new("L", (2 * SIDE, SIDE), 255)
    across = np.linspace(2, 2 * SIDE - 3, item.shape[-1])
    down = SIDE - 3 - (item[0] - low) / max(high - low, 1e-12) * (SIDE - 6)
    ImageDraw.Draw(picture).line(list(zip(across.tolist(), down.tolist(), strict=True)), fill=_INK, width=2)
    return picture


def _bars(item: np.ndarray, source: Source) -> Image.Image:
    """Bars from a middle line, up for positive; the whole set's largest number is half the height."""
    reach = max(float(np.abs(source.x).max()), 1e-12)
    picture = Image.new("L", (2 * SIDE, SIDE), 255)
    pen, middle, wide = ImageDraw.Draw(picture), SIDE / 2, 2 * SIDE / len(item)
    for k, value in enumerate(item.tolist()):
        top, bottom = sorted((middle, middle - value / reach * (middle - 2)))
        left = k * wide
        pen.rectangle((left, top, max(left, left + wide - 2), bottom), fill=_INK)
    return picture
