"""Bad embeddings and labels: what is said about each, code, place and mend."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.reading.arrays import ACCEPTED
from models.reading.refused import Limits
from tests.reading.helpers import inside, made, npy, npz, refusal, zipped

Z = np.random.default_rng(0).normal(size=(20, 8)).astype(np.float32)
LOCAL = Limits(file_bytes=25 << 20)
SPARSE = Limits(rows=20_000, columns=4096)


def head(shape: tuple[int, ...], dtype: str = "<f4") -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": dtype, "fortran_order": False, "shape": shape})
    return file.getvalue()


def with_value(value: float, dtype: Any = np.float32) -> np.ndarray[Any, Any]:
    array = Z.astype(dtype)
    array[0, 0] = value
    return array


def workbook() -> bytes:
    return zipped({"[Content_Types].xml": b"<x/>", "xl/workbook.xml": b"<x/>"})


def overlapping() -> bytes:
    raw = bytearray(zipped({"a.npy": npy(Z), "b.npy": npy(Z)}))
    second = raw.rindex(b"PK\x01\x02")
    raw[second + 42 : second + 46] = (0).to_bytes(4, "little")  # the list says that b begins where a does
    return bytes(raw)


def encrypted() -> bytes:
    raw = bytearray(npz(x=Z))
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    return bytes(raw)


def damaged() -> bytes:
    raw = bytearray(npz(x=Z))
    raw[400] ^= 255
    return bytes(raw)


def twice() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("embeddings.npy", npy(Z))
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("embeddings.npy", npy(Z))
    return file.getvalue()


ZEROS = npy(np.zeros((1 << 20, 2), np.float32))
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 50
PICKLE = b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00."
CASES: list[tuple[str, bytes, str]] = [
    ("emb.npy", b"", "E101 emb.npy is empty (0 bytes). Upload it again; if it comes from a synced folder"),
    ("emb.npy", PNG, "E102 emb.npy is not a NumPy file: its content is a PNG picture. Upload .npy, .npz"),
    (
        "emb.npy",
        b"<!DOCTYPE html><html>",
        "E102 emb.npy is not a NumPy file: its content is an HTML page (perhaps a log-in page). Download",
    ),
    (
        "emb.npy",
        b"version https://git-lfs.github.com/spec/v1\n",
        "E102 emb.npy is a Git LFS pointer, not the data. Run `git lfs pull`",
    ),
    ("emb", npy(Z), "E103 Files of type '(none)' are not accepted. Allowed: .npy .npz .csv"),
    ("emb.csv.gz", b"\x1f\x8b", "E103 Files of type .gz are not accepted. Unpack it first, or use .npz or .parquet."),
    (
        "emb.npy",
        PICKLE,
        "E110 emb.npy is a Python pickle. Pickles can run code and are never opened. Save with np.save(",
    ),
    ("emb.pkl", PICKLE, "E110 emb.pkl is a Python pickle."),
    (
        "emb.npy",
        npy(np.array([[None]]), objects=True),
        "E110 The array holds Python objects (dtype=object), which only a pickle can store. Convert",
    ),
    (
        "emb.npz",
        npz(x=Z, labels=np.array([None])),
        "E110 Array 'labels' holds Python objects. Convert first: labels.astype(str).",
    ),
    (
        "emb.npy",
        npy(Z)[:-100],
        "E104 emb.npy is cut short: shape (20, 8) needs 640 bytes, 540 are there. Copy or export it again.",
    ),
    (
        "emb.npy",
        head((6_000_000, 128)) + b"x" * 64,
        "E105 emb.npy declares shape (6000000, 128) = 2.9 GiB but is 192 bytes long. It is damaged.",
    ),
    (
        "emb.npy",
        npy(np.zeros((20_001, 1), "i1")),
        "E106 20,001 rows; the limit here is 20,000. Upload a sample, e.g. x[rng.choice(len(x), 20000, replace=False)]",
    ),
    (
        "emb.npy",
        npy(np.zeros((2, 60_000), "i1")),
        "E107 60,000 columns; the limit is 4,096. Rows must be points, columns dimensions. Transposed? Use x.T.",
    ),
    (
        "emb.npy",
        npy(np.zeros(20)),
        "E108 Shape (20,): a matrix (rows, columns) is needed. One number per point: x.reshape(-1, 1). One",
    ),
    (
        "emb.npy",
        npy(np.zeros((4, 5, 6))),
        "E108 Shape (4, 5, 6): a matrix (rows, columns) is needed. For token embeddings take the mean: x.mean(axis=1).",
    ),
    ("emb.npy", npy(np.zeros((0, 8))), "E109 Shape (0, 8): there are no rows."),
    ("emb.npy", npy(np.zeros((8, 0))), "E109 Shape (8, 0): there are no columns."),
    ("emb.npy", npy(Z.astype(complex)), "E111 Numbers are complex. Use np.abs(x), or np.hstack([x.real, x.imag])."),
    ("emb.npy", npy(Z.astype("M8[s]")), "E111 Values of type datetime64[s] are not plain numbers."),
    (
        "emb.npy",
        npy(Z.astype(str)),
        "E111 Values of type <U32 are not plain numbers. Convert first: x.astype('float32').",
    ),
    ("emb.npy", npy(np.zeros(3, "f4,f4")), "E111 Values of type"),
    (
        "emb.npy",
        npy(with_value(np.nan)),
        "E112 1 value in 1 row is NaN; the first is at row 0, column 0. Tick 'drop bad rows' (1 of 20 would go)",
    ),
    ("emb.npy", npy(with_value(np.inf)), "E112 1 value in 1 row is infinite; the first is at row 0, column 0."),
    (
        "emb.npy",
        npy(with_value(np.inf, np.float16)),
        "E112 1 value in 1 row is infinite; the first is at row 0, column 0. The file is float16, whose",
    ),
    (
        "emb.npy",
        npy(with_value(-8.6e298, np.float64)),
        "E113 Row 0, column 0 is -8.6e+298, too large for float32 (3.4e38). Rescale.",
    ),
    (
        "emb.npy",
        npy(Z) * 3,
        "E114 2 further blocks follow the array (np.save called twice?). Save one array per file, or use np.savez.",
    ),
    (
        "emb.npz",
        npz(train=Z, test=Z[:5], other=Z[:, :4]),
        "E115 3 arrays could be the embeddings: train (20, 8), test (5, 8), other (20, 4). Choose one",
    ),
    ("emb.npz", npz(labels=np.arange(20)), "E116 No matrix inside; found: labels (20,)."),
    (
        "emb.npz",
        zipped({"embeddings.npy": npy(Z)}, zipfile.ZIP_BZIP2),
        "E120 Member 'embeddings' uses bzip2 compression, which is not accepted. Save with np.savez",
    ),
    ("emb.npz", zipped({"embeddings.npy": ZEROS}, zipfile.ZIP_DEFLATED), "E121 Member 'embeddings' grows 1,01"),
    ("emb.npz", overlapping(), "E122 The archive is damaged: its entries overlap."),
    (
        "emb.npz",
        zipped({"../../x.npy": npy(Z)}),
        "E123 The archive has a member with an unsafe name ('../../x.npy'). It was not read.",
    ),
    ("emb.npz", encrypted(), "E124 The archive is password-protected. Save it without a password."),
    ("emb.npz", damaged(), "E125 Member 'x' is damaged (checksum). Copy the file again."),
    ("emb.npz", twice(), "E126 Two members are both called 'embeddings'. Keep one."),
    ("emb.npz", npz(x=Z)[:-30], "E104 emb.npz is cut short or damaged: its list of members cannot be read."),
    ("emb.npy", b"\x93NUMPY\x01\x00\x10\x00{'descr': __import", "E104 emb.npy is damaged: its header cannot be read."),
    ("data.csv", workbook(), "E102 data.csv is an Excel workbook. Save the sheet as CSV UTF-8."),
    ("data.csv", b"name,city\na,b\nc,d\n", "E138 No numeric column: name, city."),
    ("data.parquet", npy(Z), "E102 data.parquet is not a Parquet file: its content is a NumPy file."),
    (
        "emb.safetensors",
        (90_000_000).to_bytes(8, "little") + b"x" * 78,
        "E167 The safetensors header length (90,000,000) is larger than the file (86 bytes).",
    ),
    ("emb.h5", b"\x89HDF\r\n\x1a\n" + b"\0" * 40, "E104 emb.h5 is cut short or damaged: it cannot be decoded."),
    (
        "emb.pt2",
        b"PK\x03\x04",
        "E163 emb.pt2 is a program; loading it would run its code, so it is never loaded. Export to ONNX",
    ),
]


@pytest.mark.parametrize(
    ("name", "content", "message"), CASES, ids=[f"{case[2][:4]}-{n}" for n, case in enumerate(CASES)]
)
def test_embeddings_that_are_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    said = refusal("arrays", [made(tmp_path, name, content)], ACCEPTED, {}, SPARSE)
    assert said.startswith(message)
    assert str(tmp_path) not in said


def test_too_large_a_file_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    path = made(tmp_path, "emb.csv", b"")
    with path.open("wb") as file:
        file.truncate(61 << 20)
    said = refusal("arrays", [path], ACCEPTED, {}, LOCAL)
    assert (
        said == "E127 The file is 61 MB; the limit here is 25 MB. Upload fewer rows, float16, or .npy instead of .csv."
    )


def test_ten_million_rows_are_refused_from_the_header(tmp_path: Path) -> None:
    path = made(tmp_path, "emb.npy", head((10_000_000, 128)))
    with path.open("ab") as file:
        file.truncate(len(head((10_000_000, 128))) + 10_000_000 * 128 * 4)
    said = refusal("arrays", [path], ACCEPTED, {}, Limits(file_bytes=1 << 40, rows=20_000))
    assert said.startswith("E106 10,000,000 rows; the limit here is 20,000.")


@pytest.mark.parametrize(
    ("array", "code", "words"),
    [
        (Z[:1], "W201", "Only 1 row: distances, neighbours and most losses need at least 2."),
        (with_value(3e37), "W202", "Values up to 3e+37: squared distances overflow."),
        (np.ones((20, 8)), "W203", "All 20 rows are equal: the embedding has collapsed to one point."),
        (
            np.where(np.arange(20)[:, None] == 4, 0, Z),
            "W204",
            "1 row has length 0 (row 4): its cosine is not defined; it is left out",
        ),
        (np.repeat(Z[:2], 10, axis=0), "W205", "18 of 20 rows repeat an earlier row."),
    ],
)
def test_odd_embeddings_are_taken_and_remarked_on(tmp_path: Path, array: Any, code: str, words: str) -> None:
    notes = dict(inside("arrays", [made(tmp_path, "a.npy", npy(array))], ACCEPTED)[0]["notes"])
    assert notes[code].startswith(words)


def test_good_embeddings_get_no_remark(tmp_path: Path) -> None:
    assert inside("arrays", [made(tmp_path, "a.npy", npy(Z))], ACCEPTED)[0]["notes"] == []
