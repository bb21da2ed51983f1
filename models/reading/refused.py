"""What is said about a file: a refusal or a note, each with a code, and the limits that refusals name."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field

MOST_NAME, MOST_VALUE = 60, 40  # characters shown
MEBIBYTE = 1 << 20
GAPS = 2  # a way to be lenient: what is missing in one column is left to whoever knows whether the column is needed


class Refused(ValueError):
    """A file that is not taken; `str()` is "E104 emb.npy is cut short: ... Copy or export it again."."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code} {text}")
        self.code, self.text = code, text


@dataclass(frozen=True)
class Note:
    """Something odd about data that is taken all the same."""

    code: str  # W...
    text: str

    def __str__(self) -> str:
        return f"{self.code} {self.text}"


@dataclass(frozen=True)
class Limits:
    """How much is read; the defaults are those of one's own machine."""

    file_bytes: int = 200 * MEBIBYTE
    rows: int = 1_000_000
    columns: int = 4096  # of a matrix
    matrix_bytes: int = 1024 * MEBIBYTE  # as float32
    whole_bytes: int = 64 * MEBIBYTE  # as float32: of more than this a sample is read without the rest
    classes: int = 10_000
    ratio: int = 200  # unpacked size over packed size of an archive's member
    members: int = 64  # of an archive of arrays
    tensors: int = 10_000
    header_bytes: int = MEBIBYTE  # of a checkpoint
    images: int = 100_000
    memory_mb: int = 3072  # of the process that reads
    seconds: float = 60.0  # of the process that reads


PAGE = Limits()
COMMAND_LINE = Limits(file_bytes=4096 * MEBIBYTE)


@dataclass
class Notes:
    """Collects notes while a file is read."""

    found: list[Note] = field(default_factory=list)

    def add(self, code: str, text: str) -> None:
        """One more."""
        self.found.append(Note(code, text))


def shown(text: object, most: int = MOST_NAME) -> str:
    """Text of a file in a message: one line, nothing invisible, at most so many characters."""
    plain = unicodedata.normalize("NFC", str(text))
    kept = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in plain)
    return kept if len(kept) <= most else kept[: most - 1] + "…"


def listing(names: Sequence[str], most: int = 6) -> str:
    """Names with commas, the rest as a number."""
    head = ", ".join(shown(name, MOST_VALUE) for name in names[:most])
    return head if len(names) <= most else f"{head} and {len(names) - most:,} more"


def counted(number: int, noun: str) -> str:
    """`1 row`, `2,000 rows`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def size(count: float) -> str:
    """Bytes for people: 640 bytes, 61 MB, 2.9 GiB."""
    if count < 10_000:
        return f"{int(count):,} bytes"
    if count < MEBIBYTE:
        return f"{count / 1024:.0f} KB"
    if count < 1024 * MEBIBYTE:
        return f"{count / MEBIBYTE:.0f} MB"
    return f"{count / (1024 * MEBIBYTE):.1f} GiB"


def check_shape(shape: Sequence[int], limits: Limits, *, where: str = "", rows: bool = True) -> None:
    """Refuse a matrix that is no matrix, is empty, or is beyond the limits (E106 to E109); `where` begins the text."""
    if len(shape) != 2:
        raise Refused("E108", f"{where}Shape {told(shape)}: a matrix (rows, columns) is needed. {_flat(len(shape))}")
    if shape[0] == 0:
        raise Refused("E109", f"{where}Shape {told(shape)}: there are no rows.")
    if shape[1] == 0:
        raise Refused("E109", f"{where}Shape {told(shape)}: there are no columns.")
    if shape[1] > limits.columns:
        mend = "Rows must be points, columns dimensions. Transposed? Use x.T."
        raise Refused("E107", f"{where}{shape[1]:,} columns; the limit is {limits.columns:,}. {mend}")
    if rows:
        check_rows(shape[0], limits, where=where, width=shape[1])


def check_rows(count: int, limits: Limits, *, where: str = "", width: int = 1) -> None:
    """E106 if there are more rows than the limit, or than fit into the memory for a matrix."""
    fit = _most_rows(width, limits)
    if count > fit:
        mend = f"Upload a sample, e.g. x[rng.choice(len(x), {min(fit, 20_000)}, replace=False)]"
        wide = "" if fit == limits.rows else f" of {width:,} columns"
        command = "or use the command line with --sample"
        raise Refused("E106", f"{where}{count:,} rows{wide}; the limit here is {fit:,}. {mend}, {command}.")


def _most_rows(width: int, limits: Limits) -> int:
    return min(limits.rows, limits.matrix_bytes // (4 * max(width, 1)))


def fits(shape: Sequence[int], limits: Limits) -> bool:
    """True for a matrix with no more rows than are read at once."""
    return shape[0] <= _most_rows(shape[1], limits)


def told(shape: Sequence[int]) -> str:
    """A shape as NumPy shows it."""
    return f"({shape[0]},)" if len(shape) == 1 else "(" + ", ".join(map(str, shape)) + ")"


def _flat(dimensions: int) -> str:
    if dimensions < 2:
        return "One number per point: x.reshape(-1, 1). One point: x.reshape(1, -1)."
    if dimensions == 3:
        return "For token embeddings take the mean: x.mean(axis=1)."
    return "Flatten each item: x.reshape(len(x), -1)."
