"""BERT's tokenizer from a tokenizer.json, as text goes in and numbers come out; only its plain form is read.

Normalise (control characters out, CJK characters apart, accents off, lower case), split at spaces and punctuation, then
take the longest piece of the vocabulary from the left of each word, and again (Wu et al. 2016, arXiv 1609.08144).
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from models.reading.refused import MOST_VALUE, Refused, shown

_CJK = (
    (0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F), (0x2B920, 0x2CEAF),
    (0xF900, 0xFAFF), (0x2F800, 0x2FA1F),
)  # fmt: skip
_ASCII = set("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
_READ = "Read are WordPiece tokenizers, as of BERT, MiniLM, BGE, E5 and GTE models."


@dataclass(frozen=True)
class WordPiece:
    """A vocabulary and how text is brought to it."""

    vocabulary: Mapping[str, int]
    unknown: int
    prefix: str  # of a piece inside a word
    most_letters: int  # of a word; longer ones are unknown
    before: tuple[int, ...]  # ids that stand before every text
    after: tuple[int, ...]
    special: Mapping[str, int]  # whole tokens that text may name
    clean: bool
    cjk: bool
    accents_off: bool
    lower: bool

    def ids(self, text: str, longest: int) -> list[int]:
        """Ids of a text with those before and after, at most `longest`."""
        room = max(longest - len(self.before) - len(self.after), 0)
        found: list[int] = []
        for part in self._special_parts(text):
            if part in self.special:
                found.append(self.special[part])
            else:
                for word in _words(self._normal(part)):
                    found += self._pieces(word)
            if len(found) >= room:
                break
        return [*self.before, *found[:room], *self.after]

    @cached_property
    def _special(self) -> re.Pattern[str] | None:
        names = sorted(map(re.escape, self.special), key=len, reverse=True)
        return re.compile(f"({'|'.join(names)})") if names else None

    def _special_parts(self, text: str) -> list[str]:
        return [text] if self._special is None else self._special.split(text)

    def _normal(self, text: str) -> str:
        if self.clean:
            text = "".join(" " if letter.isspace() else letter for letter in text if not _is_control(letter))
        if self.cjk:
            text = "".join(f" {letter} " if _is_cjk(letter) else letter for letter in text)
        if self.accents_off:
            split = unicodedata.normalize("NFD", text)
            text = "".join(letter for letter in split if unicodedata.category(letter) != "Mn")
        # Letter by letter: a Greek sigma at the end of a word is none of its own here.
        return "".join(letter.lower() for letter in text) if self.lower else text

    def _pieces(self, word: str) -> list[int]:
        if len(word) > self.most_letters:
            return [self.unknown]
        found, start = [], 0
        while start < len(word):
            for end in range(len(word), start, -1):
                piece = self.vocabulary.get(word[start:end] if start == 0 else self.prefix + word[start:end])
                if piece is not None:
                    break
            else:
                return [self.unknown]
            found.append(piece)
            start = end
        return found


def _is_control(letter: str) -> bool:
    if letter in "\t\n\r":
        return False
    return letter == "\N{REPLACEMENT CHARACTER}" or unicodedata.category(letter) in ("Cc", "Cf", "Co")


def _is_cjk(letter: str) -> bool:
    return any(low <= ord(letter) <= high for low, high in _CJK)


def _words(text: str) -> list[str]:
    """Parts between spaces, marks of punctuation on their own."""
    apart = "".join(f" {letter} " if _is_mark(letter) else letter for letter in text)
    return apart.split()


def _is_mark(letter: str) -> bool:
    return letter in _ASCII or unicodedata.category(letter).startswith("P")


def tokenizer_of(told: Any, name: str) -> WordPiece:
    """From the value of a tokenizer.json; raises Refused (E177, E104)."""
    try:
        return _of(told, name)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, Refused):
            raise
        raise Refused("E104", f"{shown(name)} is damaged: {shown(error, MOST_VALUE)}. Save the model again.") from None


def _of(told: Any, name: str) -> WordPiece:
    model, normal, template = told["model"], told["normalizer"] or {"type": "none"}, told["post_processor"]
    for part, there, wanted in (
        ("model", model, ("WordPiece",)),
        ("normalizer", normal, ("BertNormalizer", "none")),
        ("pre_tokenizer", told["pre_tokenizer"], ("BertPreTokenizer",)),
        ("post_processor", template, ("TemplateProcessing", "BertProcessing")),
    ):
        kind = there.get("type", "WordPiece" if part == "model" else "none") if isinstance(there, dict) else "none"
        if kind not in wanted:
            raise Refused("E177", f"The {part} of {shown(name)} is {shown(kind, MOST_VALUE)}. {_READ}")
    vocabulary = {str(piece): int(number) for piece, number in model["vocab"].items()}
    before, after = _around(template)
    strip, lower = normal.get("strip_accents"), bool(normal.get("lowercase", False))
    return WordPiece(
        vocabulary,
        vocabulary[model["unk_token"]],
        str(model["continuing_subword_prefix"]),
        int(model["max_input_chars_per_word"]),
        before,
        after,
        {str(one["content"]): int(one["id"]) for one in told.get("added_tokens", ()) if one["special"]},
        bool(normal.get("clean_text", False)),
        bool(normal.get("handle_chinese_chars", False)),
        lower if strip is None else bool(strip),
        lower,
    )


def _around(template: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Ids before and after a single text."""
    if template["type"] == "BertProcessing":
        return (int(template["cls"][1]),), (int(template["sep"][1]),)
    sides: tuple[list[int], list[int]] = ([], [])
    place = 0
    for one in template["single"]:
        if "Sequence" in one:
            place = 1
        else:
            sides[place].extend(map(int, template["special_tokens"][one["SpecialToken"]["id"]]["ids"]))
    return tuple(sides[0]), tuple(sides[1])
