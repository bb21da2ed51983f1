"""Emoji as query and document: names in two languages, and how relevant every document is to every query."""

import re
from collections import Counter

import numpy as np

from models.data.emoji import CLASSES, LATIN, OTHER, block, plain, text_rows, words
from models.data_common import Source
from models.spec import DataSpec, Knob

LANGUAGES = LATIN + OTHER
SPEC = DataSpec(
    key="queries",
    name="Queries and documents",
    kind="text",
    side="text",
    teaches="A query has one document of its own and others that are relevant in part: half a positive, half a rival.",
    source="emoji package (names from the Unicode CLDR and short codes); relevance is overlap of English keywords",
    licence="BSD-3-Clause package; names Unicode licence",
    knobs=(
        Knob("query", "en", choices=LANGUAGES, help="Language of the queries."),
        Knob("document", "de", choices=LANGUAGES, help="Language of the documents."),
        Knob(
            "reader",
            "letters",
            choices=("letters", "minilm"),
            help="Runs of letters, hashed; or the sentence encoder all-MiniLM-L6-v2, if its package is installed.",
        ),
        Knob("features", 512, 64, 2048, help="Hash buckets for the runs of one to three letters of a name."),
    ),
)


def load(*, query: str = "en", document: str = "de", reader: str = "letters", features: int = 512) -> Source:
    """Names of emoji in two languages as unit rows, query x, document side; shape (features,) or (384,) with MiniLM.

    Items are those of the set `emoji`, in its order and with its classes. Documents that are spelt alike answer the
    same queries. Graded: relevance of document j to query i, the cosine of their `keywords` (no one has judged it).
    """
    # Imported here: the catalogue imports every data module, and this takes a second.
    import emoji

    for language in (query, document):
        emoji.config.load_language(language)
    table = {sign: about for sign, about in emoji.EMOJI_DATA.items() if plain(sign, about, emoji.STATUS)}
    asked, told = ([words(about[language]) for about in table.values()] for language in (query, document))
    x, side = (text_rows(names, reader, features) for names in (asked, told))
    texts = tuple(f"{sign} {a} · {b}" for sign, a, b in zip(table, asked, told, strict=True))
    y = np.array([block(sign) for sign in table], np.int64)
    pair = np.unique(told, return_inverse=True)[1].astype(np.int64)
    graded = relevance([keywords(about["en"], about.get("alias", ())) for about in table.values()])
    return Source(x, y, CLASSES, texts=texts, side=side, pair=pair, graded=graded)


def keywords(name: str, codes: list[str] | tuple[str, ...]) -> frozenset[str]:
    """The English words of a name and of its short codes, in lower case."""
    return frozenset(re.findall(r"[^\W_]+", " ".join([name, *codes]).lower()))


def relevance(items: list[frozenset[str]]) -> np.ndarray:
    """Unit rows (N, words) with log(N / f) at an item's keywords, f the items that have the word; a row of none is 0.

    Their products are the cosines of the keywords, each weighted by how rare it is: in [0, 1], 1 with itself.
    """
    found = Counter(word for item in items for word in item)
    column = {word: k for k, word in enumerate(sorted(found))}
    rows = np.zeros((len(items), len(column)))
    for row, item in zip(rows, items, strict=True):
        for word in item:
            row[column[word]] = np.log(len(items) / found[word])
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(length > 0, length, 1.0)).astype(np.float32)
