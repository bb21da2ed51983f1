"""The checks before anything is parsed, in this order: size, name, first bytes."""

from pathlib import PurePath

from models.reading.refused import Limits, Refused, shown, size

HEAD = 4096  # bytes looked at
# kind -> what its files are called in a message
KINDS = {
    ".npy": "a NumPy file",
    ".npz": "a NumPy archive",
    ".csv": "a CSV text",
    ".tsv": "a TSV text",
    ".parquet": "a Parquet file",
    ".arrow": "an Arrow file",
    ".feather": "a Feather file",
    ".safetensors": "a safetensors file",
    ".h5": "an HDF5 file",
    ".pt": "a PyTorch state",
    ".onnx": "an ONNX model",
    ".zip": "a zip archive",
    ".json": "a JSON text",
}
ALIASES = {
    ".hdf5": ".h5",
    ".pth": ".pt",
    ".ckpt": ".pt",
    ".bin": ".pt",
    ".ipc": ".arrow",
    ".pq": ".parquet",
    ".txt": ".csv",
    ".qrels": ".tsv",
    ".trec": ".tsv",
}
_TEXT = (".csv", ".tsv")
_ZIPPED = (".npz", ".pt", ".zip")
_SAME = {".zip": _ZIPPED, ".arrow": (".arrow", ".feather")}  # what the first bytes say -> kinds that begin so
_MAGIC = (
    (b"\x93NUMPY", ".npy", "a NumPy file"),
    (b"PAR1", ".parquet", "a Parquet file"),
    (b"ARROW1", ".arrow", "an Arrow file"),
    (b"FEA1", "", "a Feather file of version 1, which is no longer read; save it with version 2"),
    (b"\x89HDF\r\n\x1a\n", ".h5", "an HDF5 file"),
    (b"\x89PNG\r\n\x1a\n", "", "a PNG picture"),
    (b"\xff\xd8\xff", "", "a JPEG picture"),
    (b"GIF8", "", "a GIF picture"),
    (b"%PDF", "", "a PDF document"),
    (b"\x1f\x8b", "", "a gzip archive; unpack it first"),
    (b"BZh", "", "a bzip2 archive; unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "", "a 7-Zip archive; unpack it first"),
    (b"\xfd7zXZ\x00", "", "an xz archive; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "", "a Zstandard archive; unpack it first"),
    (b"SQLite format 3\x00", "", "an SQLite database"),
    (b"\x7fELF", "", "a program"),
    (b"\xd0\xcf\x11\xe0", "", "an old Office document"),
)
_PACKED = {".gz", ".bz2", ".7z", ".xz", ".zst", ".tar", ".tgz", ".rar", ".zip"}
_CODE = {".pkl", ".pickle", ".joblib", ".dill"}
_PROGRAM = {".pt2", ".torchscript", ".ptl", ".keras", ".mar"}


def suffix_of(name: str) -> str:
    """The kind that a name claims, aliases resolved: `.csv`, or the ending as it stands if it is none of ours."""
    ending = PurePath(name.lower()).suffix
    return ALIASES.get(ending, ending)


def check(name: str, length: int, head: bytes, accepted: tuple[str, ...], limits: Limits) -> str:
    """The kind of a file from name, length in bytes and first bytes; raises Refused (E101 to E110, E127)."""
    if length == 0:
        mend = "Upload it again; if it comes from a synced folder, wait until it is downloaded."
        raise Refused("E101", f"{shown(name)} is empty (0 bytes). {mend}")
    if length > limits.file_bytes:
        mend = "Upload fewer rows, float16, or .npy instead of .csv."
        raise Refused("E127", f"The file is {size(length)}; the limit here is {size(limits.file_bytes)}. {mend}")
    kind = _named(name, accepted)
    content = _content(head)
    if content is None or kind in _SAME.get(content[0], (content[0],)):
        _check_text(name, kind, head)
        _check_binary(name, kind, head, accepted)
        return kind
    if content[0] == "pickle":
        if kind == ".pt":
            return kind  # the file's own reader tells what it asks to run
        mend = "Pickles can run code and are never opened. Save with np.save(path, x.astype('float32'))."
        raise Refused("E110", f"{shown(name)} is a Python pickle. {mend}")
    if kind in _TEXT and content[1] == "an Excel workbook":
        raise Refused("E102", f"{shown(name)} is an Excel workbook. Save the sheet as CSV UTF-8.")
    raise _other(name, kind, content[1], accepted)


def _named(name: str, accepted: tuple[str, ...]) -> str:
    kind = suffix_of(name)
    if kind in accepted:
        return kind
    allowed = f"Allowed: {' '.join(accepted)}."
    if kind in _CODE:
        mend = "Pickles can run code and are never opened. Save with np.save(path, x.astype('float32'))."
        raise Refused("E110", f"{shown(name)} is a Python pickle. {mend}")
    if kind in _PROGRAM:
        mend = (
            "Export to ONNX: torch.onnx.export(model, (example,), path), "
            "or save the weights: safetensors.torch.save_file(model.state_dict(), path)."
        )
        raise Refused(
            "E163", f"{shown(name)} is a program; loading it would run its code, so it is never loaded. {mend}"
        )
    if kind in _PACKED:
        raise Refused(
            "E103", f"Files of type {kind} are not accepted. Unpack it first, or use .npz or .parquet. {allowed}"
        )
    raise Refused("E103", f"Files of type '{shown(kind, 20) or '(none)'}' are not accepted. {allowed}")


def _content(head: bytes) -> tuple[str, str] | None:
    """Kind and name of what the first bytes say; None if they say nothing."""
    for magic, kind, words in _MAGIC:
        if head.startswith(magic):
            return kind, words
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return ("", "an Excel workbook") if b"[Content_Types].xml" in head else (".zip", "a zip archive")
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "pickle", "a Python pickle"
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:200].lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<script")):
        return "", "an HTML page (perhaps a log-in page)"
    if start.startswith(b"version https://git-lfs"):
        return "", "a Git LFS pointer"
    if start.startswith((b"<?xml", b"{\\rtf")):
        return "", "an XML or RTF document"
    return None


def _check_text(name: str, kind: str, head: bytes) -> None:
    """A table of text holds text."""
    if kind in _TEXT and head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise Refused("E135", "The text is UTF-16, not UTF-8. In a spreadsheet choose 'CSV UTF-8'.")
    if kind in _TEXT and head.count(0) * 3 > len(head):
        raise Refused("E135", "The text is UTF-16 or UTF-32, not UTF-8. In a spreadsheet choose 'CSV UTF-8'.")


def _check_binary(name: str, kind: str, head: bytes, accepted: tuple[str, ...]) -> None:
    """A kind with a mark at its beginning has it."""
    marks = {".npy": b"\x93NUMPY", ".parquet": b"PAR1", ".h5": b"\x89HDF\r\n\x1a\n", ".feather": b"ARROW1"}
    marks |= dict.fromkeys(_ZIPPED, b"PK")
    mark = marks.get(kind)
    if mark is None or head.startswith(mark):
        return
    if mark.startswith(head) or (kind == ".pt" and head[:1] == b"\x80"):
        raise Refused("E104", f"{shown(name)} is cut short: {len(head)} bytes are there. Copy or export it again.")
    raise _other(name, kind, "something else (its first bytes are not those of the format)", accepted)


def _other(name: str, kind: str, content: str, accepted: tuple[str, ...]) -> Refused:
    if content.startswith("a Git LFS"):
        mend = "Run `git lfs pull` and upload the real file."
        return Refused("E102", f"{shown(name)} is a Git LFS pointer, not the data. {mend}")
    mend = "Download the file again." if "HTML" in content else f"Upload {_either(accepted)}."
    return Refused("E102", f"{shown(name)} is not {KINDS[kind]}: its content is {content}. {mend}")


def _either(accepted: tuple[str, ...]) -> str:
    return ", ".join(accepted[:-1]) + (" or " if len(accepted) > 1 else "") + accepted[-1]
