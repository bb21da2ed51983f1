"""A user's data as it is kept: arrays and a page of JSON, named by a hash of both; and the data set it makes."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from hashlib import sha256
from typing import Any

import numpy as np

from models.data_common import Source
from models.settings import Settings
from models.spec import DataSpec, Knob, Value

OWN = "own:"
DIGITS = 12  # of the hash that a key holds
READER = Knob(
    "reader",
    "letters",
    choices=("letters", "minilm"),
    help="Runs of letters, hashed; or the sentence encoder all-MiniLM-L6-v2, if its package is installed.",
)
FEATURES = Knob("features", 512, 64, 2048, help="Hash buckets for the runs of one to three letters of a text.")


@dataclass(frozen=True)
class About:
    """What is known of a set beside its arrays."""

    name: str  # of the file
    kind: str  # "image", "text" or "points"
    classes: tuple[str, ...]  # empty if not labelled
    labelled: bool  # False: nothing says which rows belong together, and every row is a class of its own
    roles: tuple[tuple[str, str], ...]  # of the file's columns
    notes: tuple[str, ...]  # what is odd about it, with codes
    rows: int  # taken
    refused: int
    items: int  # that the rows make
    views: int  # of each item
    reads: bool  # True: texts are read
    train: int  # items that a run trains on while nothing is spoilt

    def to_json(self) -> str:
        """All fields."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "About":
        """The inverse; raises ValueError or KeyError where a field is missing."""
        raw: dict[str, Any] = json.loads(text)
        lists = {name: tuple(str(item) for item in raw[name]) for name in ("classes", "notes")}
        roles = tuple((str(column), str(role)) for column, role in raw["roles"])
        return cls(**{**{held.name: raw[held.name] for held in fields(cls)}, **lists, "roles": roles})

    def spec(self, key: str) -> DataSpec:
        """What a set says of itself in the catalogue's words."""
        views = f", {self.views} views each" if self.views > 1 else ""
        classes = f"{len(self.classes)} classes" if self.labelled else "no label: pairs are two views of an item"
        return DataSpec(
            key=key,
            name=f"{self.name} (own)",
            kind=self.kind,
            teaches=f"Your own data: {self.items:,} items{views}, {classes}.",
            source=f"{self.name}, a file of your own",
            licence="yours",
            knobs=(READER, FEATURES) if self.reads else (),
            labelled=self.labelled,
        )


@dataclass(frozen=True, eq=False)
class OwnSet:
    """Items of a user's file. arrays, all by row of the file but the first three, which are by item:

    y (n,) int64; members (n, v) int64, rows of an item, views of it where v > 1; target (n,) float64, if there is one;
    numbers (r, d) float32, standardised, with mean and scale (d,); pixels (r, h, w[, 3]) uint8; line (r,) int64;
    read and shown: texts as UTF-8 bytes, with the end of each in read_ends and shown_ends.
    """

    about: About
    arrays: Mapping[str, np.ndarray]

    @cached_property
    def key(self) -> str:
        """`own:` and twelve hexadecimal digits that change with the arrays, the classes and the roles."""
        total = sha256(json.dumps([self.about.classes, self.about.roles]).encode())
        for name in sorted(self.arrays):
            array = np.ascontiguousarray(self.arrays[name])
            total.update(f"{name} {array.dtype.str} {array.shape}".encode())
            total.update(array.tobytes())
        return OWN + total.hexdigest()[:DIGITS]

    def load(self, **knobs: Value) -> Source:
        """The data set as every other: x, y, classes, natural views and what to show of an item."""
        rows = self._rows(knobs)
        members, target = self.arrays["members"], self.arrays.get("target")
        shown = unpack_texts(self.arrays, "shown")
        return Source(
            np.ascontiguousarray(rows[members[:, 0]]),
            self.arrays["y"],
            self.about.classes or tuple(map(str, range(len(members)))),
            views=np.ascontiguousarray(rows[members]) if members.shape[1] > 1 else None,
            texts=tuple(shown[row] for row in members[:, 0].tolist()) if shown else (),
            target=target,
        )

    def _rows(self, knobs: Mapping[str, Value]) -> np.ndarray:
        """(r, *shape) float32, what the encoder reads of every row."""
        if "pixels" in self.arrays:
            pixels = self.arrays["pixels"].astype(np.float32) / 255.0
            return pixels[:, None] if pixels.ndim == 3 else np.moveaxis(pixels, 3, 1)
        parts = [self.arrays[name] for name in ("numbers",) if name in self.arrays]
        if "read" in self.arrays:
            reader, features = str(knobs.get("reader", READER.default)), int(knobs.get("features", FEATURES.default))
            parts.append(_read(unpack_texts(self.arrays, "read"), reader, features))
        return np.hstack(parts)


def _read(texts: list[str], reader: str, features: int) -> np.ndarray:
    """(r, features) or (r, 384) float32 rows of length 1; a text without letters is a zero row."""
    # Imported here: only a set with texts needs them, and they take a second.
    if reader == "minilm":
        from models.minilm import encode

        return encode(texts, Settings.from_environment().folder("features"))
    from sklearn.feature_extraction.text import HashingVectorizer

    hashing = HashingVectorizer(analyzer="char_wb", ngram_range=(1, 3), n_features=features, dtype=np.float32)
    rows: np.ndarray = hashing.transform(texts).toarray()
    return rows


def pack_texts(name: str, texts: list[str]) -> dict[str, np.ndarray]:
    """Texts as two arrays: nothing of a user's becomes an object on the way back."""
    encoded = [text.encode() for text in texts]
    joined = np.frombuffer(b"".join(encoded), np.uint8)
    return {name: joined, f"{name}_ends": np.cumsum([len(text) for text in encoded], dtype=np.int64)}


def unpack_texts(arrays: Mapping[str, np.ndarray], name: str) -> list[str]:
    """The inverse; no texts where there are no such arrays."""
    if name not in arrays:
        return []
    joined, ends = arrays[name].tobytes(), arrays[f"{name}_ends"].tolist()
    return [joined[start:end].decode() for start, end in zip([0, *ends], ends, strict=False)]
