"""Emoji and their names in fourteen languages: pairs that nature made, not an augmentation."""

import numpy as np

from models.data_common import Source
from models.settings import Settings
from models.spec import DataSpec, Knob

SPEC = DataSpec(
    key="emoji",
    name="Emoji names",
    kind="text",
    teaches="Natural pairs: names of one thing in two languages, which share letters only if the languages do.",
    source="emoji package (names from the Unicode CLDR); labels are Unicode blocks",
    licence="BSD-3-Clause package; names Unicode licence",
    knobs=(
        Knob(
            "languages",
            "latin",
            choices=("latin", "all"),
            help="Names in the 8 languages in Latin letters, or in all 14; the item itself is the English name.",
        ),
        Knob(
            "reader",
            "letters",
            choices=("letters", "minilm"),
            help="Runs of letters, hashed; or the sentence encoder all-MiniLM-L6-v2, if its package is installed.",
        ),
        Knob("features", 512, 64, 2048, help="Hash buckets for the runs of one to three letters of a name."),
    ),
)
LATIN = ("en", "de", "es", "fr", "it", "pt", "id", "tr")
OTHER = ("ru", "ar", "fa", "ja", "ko", "zh")
# First code point, last, name: the blocks with at least 30 emoji. No run trains on the last two, the newest.
BLOCKS = (
    (0x2600, 0x26FF, "Miscellaneous Symbols"),
    (0x2700, 0x27BF, "Dingbats"),
    (0x1F100, 0x1F1FF, "Flags"),
    (0x1F300, 0x1F5FF, "Symbols and Pictographs"),
    (0x1F600, 0x1F64F, "Emoticons"),
    (0x1F680, 0x1F6FF, "Transport and Maps"),
    (0x1F900, 0x1F9FF, "Supplemental Symbols"),
    (0x1FA70, 0x1FAFF, "Symbols Extended-A"),
)
CLASSES = ("Other blocks", *(name for _, _, name in BLOCKS))


def load(*, languages: str = "latin", reader: str = "letters", features: int = 512) -> Source:
    """Emoji without skin tone, gender or other joined variants, that are near copies; shape (features,) or (384,).

    x is the English name, views are the names in every language, English first, as unit rows: hashed letter runs, or
    what MiniLM makes of a name (ValueError if it is not installed; kept in the home folder once computed).
    The sixteen Unicode blocks with fewer than 30 emoji each are one class, "Other blocks".
    """
    # Imported here: the catalogue imports every data module, and this takes a second.
    import emoji

    spoken = LATIN if languages == "latin" else LATIN + OTHER
    for language in spoken:
        emoji.config.load_language(language)
    names = {sign: about for sign, about in emoji.EMOJI_DATA.items() if plain(sign, about, emoji.STATUS)}
    table = {sign: [words(about[language]) for language in spoken] for sign, about in names.items()}
    every = [name for row in table.values() for name in row]
    rows = text_rows(every, reader, features)
    views = rows.reshape(len(table), len(spoken), -1)
    y = np.array([block(sign) for sign in table], np.int64)
    texts = tuple(f"{sign} {' · '.join(row[:3])}" for sign, row in table.items())
    return Source(np.ascontiguousarray(views[:, 0]), y, CLASSES, views=views, texts=texts)


def text_rows(names: list[str], reader: str, features: int) -> np.ndarray:
    """Unit rows of texts: hashed letter runs, (n, features), or what MiniLM makes of them, (n, 384)."""
    return _hashed(names, features) if reader == "letters" else _encoded(names)


def _hashed(names: list[str], features: int) -> np.ndarray:
    # Imported here for the same reason.
    from sklearn.feature_extraction.text import HashingVectorizer

    hashing = HashingVectorizer(analyzer="char_wb", ngram_range=(1, 3), n_features=features, dtype=np.float32)
    rows: np.ndarray = hashing.transform(names).toarray()
    return rows


def _encoded(names: list[str]) -> np.ndarray:
    # Imported here: it comes with torch, which a data module does not need otherwise.
    from models.minilm import encode

    return encode(names, Settings.from_environment().folder("features"))


def block(sign: str) -> int:
    """Class of an emoji: 1 + row of BLOCKS of its first code point, 0 for the small blocks."""
    point = ord(sign[0])
    return next((k for k, (low, high, _) in enumerate(BLOCKS, start=1) if low <= point <= high), 0)


def plain(sign: str, about: dict[str, object], status: dict[str, int]) -> bool:
    """Whether an emoji is in common use and no joined variant of another."""
    joined = any(0x1F3FB <= ord(c) <= 0x1F3FF or c == "\u200d" for c in sign)
    return about["status"] == status["fully_qualified"] and not joined


def words(name: str) -> str:
    """A name of the package, such as ":red_apple:", as it is said."""
    return name.strip(":").replace("_", " ")
