"""Letters of three alphabets in sixteen typefaces: many classes, few pictures of each, a whole alphabet held out."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from models.data_common import Source
from models.spec import DataSpec, Knob

SPEC = DataSpec(
    key="letters",
    name="Letters of unknown alphabets",
    kind="image",
    teaches="Few shots: Latin and Cyrillic letters are trained on, and a few Greek ones must do to tell the others. "
    "Ten pictures a class are soon learnt by heart; what carries over to new letters is another matter.",
    source="drawn with the outline fonts that matplotlib ships: DejaVu (Sans, Mono, Serif) and STIX General",
    licence="Bitstream Vera and public domain (DejaVu), SIL Open Font Licence (STIX)",
    knobs=(Knob("side", 16, 12, 32, unit="pixels", help="Height and width of a picture."),),
)
# Without letters whose shape another alphabet has too: a Greek letter that is also a Latin one would not be new.
LATIN = "ABCDEFGHIJKLMNOPQRSTUVWXYZ" + "abdefghmnqrt"
CYRILLIC = "БДЖЗИЛПУФЦЧШЪЫЭЮЯ"
GREEK = "αβδεζηθλμξπστψω"
LETTERS = LATIN + CYRILLIC + GREEK
_STYLES = {"": "upright", "-Bold": "bold", "-Oblique": "slanted", "-BoldOblique": "bold slanted"}
_SERIF = {"": "upright", "-Bold": "bold", "-Italic": "slanted", "-BoldItalic": "bold slanted"}
_STIX = {"": "upright", "Bol": "bold", "Italic": "slanted", "BolIta": "bold slanted"}
# Stem of the font's file, how it looks: (kind, style).
FONTS = tuple(
    (stem + ending, (kind, style))
    for stem, kind, styles in (
        ("DejaVuSans", "sans serif", _STYLES),
        ("DejaVuSansMono", "typewriter", _STYLES),
        ("DejaVuSerif", "serif", _SERIF),
        ("STIXGeneral", "serif", _STIX),
    )
    for ending, style in styles.items()
)
_SIZE = 60  # pixels of the letter before it is made small
_ROOM = 96  # pixels of the canvas: every letter of every font fits, and the usual sides divide it


def load(*, side: int = 16) -> Source:
    """Every letter once in every typeface, 70 x 16; shape (1, side, side), brightness in [0, 1], strokes bright.

    A letter keeps its size and stands in the middle. `Source.novel`: the fifteen Greek letters are never trained on.
    """
    x = drawn(side)
    y = np.arange(len(LETTERS)).repeat(len(FONTS))
    return Source(x, y.astype(np.int64), tuple(LETTERS), novel=len(GREEK))


def drawn(side: int) -> np.ndarray:
    """Pictures (letters * typefaces, 1, side, side), letter by letter."""
    fonts = [ImageFont.truetype(str(_folder() / f"{stem}.ttf"), _SIZE) for stem, _ in FONTS]
    return np.stack([_picture(letter, font, side) for letter in LETTERS for font in fonts])


def _folder() -> Path:
    """Where matplotlib keeps its fonts, found without importing it; it comes with mlxtend."""
    found = find_spec("matplotlib")
    if found is None or found.origin is None:
        raise ValueError(
            "the letters are drawn with matplotlib's fonts, which is not installed: pip install matplotlib"
        )
    return Path(found.origin).parent / "mpl-data" / "fonts" / "ttf"


def _picture(letter: str, font: ImageFont.FreeTypeFont, side: int) -> np.ndarray:
    """The letter's ink in the middle of the canvas, averaged down."""
    left, top, right, bottom = font.getbbox(letter)
    canvas = Image.new("L", (_ROOM, _ROOM), 0)
    corner = ((_ROOM - (right - left)) / 2 - left, (_ROOM - (bottom - top)) / 2 - top)
    ImageDraw.Draw(canvas).text(corner, letter, fill=255, font=font)
    small = canvas.resize((side, side), Image.Resampling.BOX)
    return np.asarray(small, np.float32)[None] / np.float32(255)
