"""Letters and what is said of them: a picture on one side, its Unicode name and typeface in words on the other."""

import unicodedata

import numpy as np

from models.data import letters
from models.data.emoji import text_rows
from models.data.queries import keywords, relevance
from models.data_common import Source
from models.spec import DataSpec, Knob

SPEC = DataSpec(
    key="named",
    name="Letters and their names",
    kind="image",
    side="text",
    teaches="Picture and caption in parts: alphabet, case, letter and typeface are each a word, so a caption of a "
    "letter that no step has seen can still be half right.",
    source="letters drawn as in the set `letters`; names from the Unicode character database of Python",
    licence="fonts Bitstream Vera, public domain and SIL OFL; names Unicode licence",
    knobs=(
        Knob(
            "caption",
            "full",
            choices=("full", "name"),
            help="full: with kind and style of the typeface; name: the letter's name alone, one for sixteen pictures.",
        ),
        Knob(
            "reader",
            "letters",
            choices=("letters", "minilm"),
            help="Runs of letters, hashed; or the sentence encoder all-MiniLM-L6-v2, if its package is installed.",
        ),
        Knob("features", 256, 32, 2048, help="Hash buckets for the runs of one to three letters of a caption."),
    ),
)


def load(*, caption: str = "full", reader: str = "letters", features: int = 256) -> Source:
    """Pictures x of the set `letters`, shape (1, 16, 16), and captions as unit rows, shape (features,) or (384,).

    Pictures captioned alike belong together: DejaVu Serif and STIX are both "serif". Graded: cosine of the captions'
    words, rare words more. ValueError if MiniLM is asked for and not installed.
    """
    source = letters.load()
    told = captions(caption)
    words, pair = np.unique(told, return_inverse=True)
    side = text_rows(words.tolist(), reader, features)[pair]
    graded = relevance([keywords(text, ()) for text in told])
    x, y, novel = source.x, source.y, source.novel
    return Source(x, y, source.classes, side=side, pair=pair.astype(np.int64), graded=graded, novel=novel)


def captions(kind: str) -> list[str]:
    """What is said of every picture, such as "latin capital letter q, bold slanted serif", in their order."""
    names = [unicodedata.name(letter).lower() for letter in letters.LETTERS]
    looks = [f"{style} {family}" for _, (family, style) in letters.FONTS]
    return [f"{name}, {look}" if kind == "full" else name for name in names for look in looks]
