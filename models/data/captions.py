"""Handwritten digits and their names in several languages: a picture on one side, a word on the other."""

import numpy as np

from models.data.emoji import text_rows
from models.data_common import Source, centred_likeness
from models.spec import DataSpec, Knob

SPEC = DataSpec(
    key="captions",
    name="Captioned digits",
    kind="image",
    side="text",
    teaches="Picture and word: a caption fits many pictures, and captions in other languages are false negatives.",
    source="scikit-learn load_digits; names of the digits written out here in eight languages",
    licence="BSD-3-Clause package; data CC BY 4.0; names Apache-2.0",
    knobs=(
        Knob("languages", 8, 1, 8, help="Languages of the captions, in the order en, de, es, fr, it, pt, id, tr."),
        Knob(
            "reader",
            "letters",
            choices=("letters", "minilm"),
            help="Runs of letters, hashed; or the sentence encoder all-MiniLM-L6-v2, if its package is installed.",
        ),
        Knob("features", 128, 32, 2048, help="Hash buckets for the runs of one to three letters of a name."),
    ),
)
NAMES = {
    "en": "zero one two three four five six seven eight nine",
    "de": "null eins zwei drei vier fünf sechs sieben acht neun",
    "es": "cero uno dos tres cuatro cinco seis siete ocho nueve",
    "fr": "zéro un deux trois quatre cinq six sept huit neuf",
    "it": "zero uno due tre quattro cinque sei sette otto nove",
    "pt": "zero um dois três quatro cinco seis sete oito nove",
    "id": "nol satu dua tiga empat lima enam tujuh delapan sembilan",
    "tr": "sıfır bir iki üç dört beş altı yedi sekiz dokuz",
}
_SEED = 20_240_104  # which language a picture is captioned in never depends on a run


def captions(y: np.ndarray, languages: int) -> list[str]:
    """A name for every label in y, in one of the first `languages` languages, drawn evenly."""
    spoken = [names.split() for names in list(NAMES.values())[:languages]]
    chosen = np.random.default_rng(_SEED).integers(0, languages, len(y))
    return [spoken[language][label] for language, label in zip(chosen.tolist(), y.tolist(), strict=True)]


def load(*, languages: int = 8, reader: str = "letters", features: int = 128) -> Source:
    """All 1,797 digits x, shape (1, 8, 8), and captions as unit rows, shape (features,) or (384,) with MiniLM.

    Items whose captions are spelt alike belong together: "six" of English and French is one word. Graded: cosine / 2 +
    1/2 of the raw pixels, the mean picture taken off.
    """
    # Imported here: the catalogue imports every data module, and this takes a second.
    from sklearn.datasets import load_digits

    bunch = load_digits()
    x, y = (bunch.images / 16.0).astype(np.float32)[:, None], bunch.target.astype(np.int64)
    words, pair = np.unique(captions(y, languages), return_inverse=True)
    side = text_rows(words.tolist(), reader, features)[pair]
    classes = tuple(str(k) for k in range(10))
    return Source(x, y, classes, side=side, pair=pair.astype(np.int64), graded=centred_likeness(x))
