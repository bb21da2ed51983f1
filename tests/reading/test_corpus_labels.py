"""Bad labels, HDF5 and safetensors: what is said about each, code, place and mend."""

import struct
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest

from models.reading.arrays import ACCEPTED
from tests.reading.helpers import inside, made, npy, npz, refusal

LABELS: list[tuple[str, bytes | str, str]] = [
    ("y.npy", npy(np.arange(19)), "E151 19 labels for 20 rows. They must be in the same order and number."),
    (
        "y.csv",
        "label\n" + "a\n" * 5 + "\n" + "a\n" * 14,
        'E152 Line 7 of the labels is blank. An empty class must be written as "".',
    ),
    ("y.npy", npy(np.eye(20, 4)), "E153 Labels have shape (20, 4). One label per row is needed: labels.argmax(1)."),
    (
        "y.npy",
        npy(np.full(20, 0.37)),
        "E154 Labels are fractions (first: 0.37). Losses here need classes; for a regression target choose none.",
    ),
    (
        "y.npy",
        npy(np.where(np.arange(20) < 5, np.nan, 1.0)),
        "E155 5 labels are missing (first: row 0). Tick 'drop unlabelled rows' or name them, e.g. -1.",
    ),
    ("y.npy", npy(np.arange(20) + 0.0), ""),
    ("y.npz", npz(a=np.arange(20), b=np.arange(20)), "E157 2 columns could be the labels: a, b. Call one 'label'."),
]


@pytest.mark.parametrize(("name", "content", "message"), [case for case in LABELS if case[2]])
def test_labels_that_are_refused(tmp_path: Path, name: str, content: bytes | str, message: str) -> None:
    assert refusal("arrays", [made(tmp_path, name, content)], ACCEPTED, {"labels_for": 20}).startswith(message)


def test_too_many_classes(tmp_path: Path) -> None:
    said = refusal("arrays", [made(tmp_path, "y.npy", npy(np.arange(12_000)))], ACCEPTED, {"labels_for": 12_000})
    assert said == "E156 12,000 classes; the limit is 10,000. Is the label column an id?"


def test_labels_missing_in_a_table(tmp_path: Path) -> None:
    pd.DataFrame({"e0": [1.0, 2.0], "label": ["a", None]}).to_parquet(tmp_path / "a.parquet")
    said = refusal("arrays", [tmp_path / "a.parquet"], ACCEPTED, {})
    assert said.startswith("E155 1 label is missing (first: row 1).")
    path = made(tmp_path, "a.csv", "e0,label\n1,a\n2,\n")
    assert refusal("arrays", [path], ACCEPTED, {}).startswith("E155 1 label is missing (first: row 1).")


@pytest.mark.parametrize(
    ("array", "code", "words"),
    [
        (
            np.zeros(20, int),
            "W221",
            "All 20 rows are class '0'. Losses that need negatives (triplet, contrastive, ...) are not available.",
        ),
        (np.arange(20), "W222", "Each class has one row: there is no positive pair."),
        (np.array(["cat", "cat "] * 10), "W223", "'cat' and 'cat ' differ only in spaces. Merge them?"),
    ],
)
def test_odd_labels_are_remarked_on(tmp_path: Path, array: Any, code: str, words: str) -> None:
    notes = dict(inside("arrays", [made(tmp_path, "y.npy", npy(array))], ACCEPTED, {"labels_for": 20})[0]["notes"])
    assert notes == {code: words}


def hdf5(path: Path, kind: str) -> Path:
    with h5py.File(path, "w") as file:
        if kind == "outside":
            file.create_dataset("x", (4, 2), "f4", external=[("secret.bin", 0, 32)])
        elif kind == "link":
            file["x"] = h5py.ExternalLink("other.h5", "/x")
        elif kind == "unwritten":
            file.create_dataset("x", (1000, 2), "f4", chunks=(100, 2))
        elif kind == "bomb":
            file.create_dataset(
                "x", (1 << 20, 2), "f4", data=np.zeros((1 << 20, 2)), chunks=(1 << 18, 2), compression="gzip"
            )
        elif kind == "virtual":
            layout = h5py.VirtualLayout((4, 2), "f4")
            layout[:] = h5py.VirtualSource("other.h5", "x", (4, 2))
            file.create_virtual_dataset("x", layout)
        else:
            file["x"] = np.array(1.0)
    return path


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("outside", "E171 'x' keeps its values in another file, which is never opened."),
        ("link", "E171 'x' is a link, which is never followed."),
        ("virtual", "E171 'x' keeps its values in another file, which is never opened."),
        ("unwritten", "E105 'x' declares shape (1000, 2) = 8,000 bytes but holds no values."),
        ("bomb", "E121 'x' grows"),
        ("scalar", "E116 No matrix inside; found: x (1,)."),
    ],
)
def test_hdf5_that_is_refused(tmp_path: Path, kind: str, message: str) -> None:
    assert refusal("arrays", [hdf5(tmp_path / "a.h5", kind)], ACCEPTED, {}).startswith(message)


def tensors(header: bytes, data: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header)) + header + data


@pytest.mark.parametrize(
    ("header", "data", "message"),
    [
        (
            b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
            b"1234",
            "E167 The safetensors header is invalid: tensors 'a' and 'b' overlap.",
        ),
        (
            b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}',
            b"12345678",
            "E167 The safetensors header is invalid: there is a gap before tensor 'a'.",
        ),
        (
            b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}',
            b"1234",
            "E167 The safetensors header is invalid: shape and data_offsets of tensor 'a' do not fit.",
        ),
        (
            b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
            b"12345",
            "E167 The safetensors header is invalid: 1 byte behind the last tensor belong to none.",
        ),
        (b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', b"1234", "E104 The safetensors file is cut short"),
        (
            b'{"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}',
            b"1",
            "E165 Tensor 'a' is quantised; only dense real numbers are used.",
        ),
        (
            b'{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}',
            b"1234",
            "E167 The safetensors header is invalid: shape or data_offsets of tensor 'a' are not whole numbers.",
        ),
        (b'{"a":1}', b"", "E167 The safetensors header is invalid: tensor 'a' lacks"),
        (b"[]", b"", "E167 The safetensors header is invalid: it is no JSON object."),
        (b'{"a":1,"a":2}', b"", "E167 The safetensors header is invalid: it names a tensor twice."),
        (b"{", b"", "E167 The safetensors header is invalid: it is no JSON."),
        (b"{}", b"", "E116 No matrix inside; found: ."),
    ],
)
def test_safetensors_that_are_refused(tmp_path: Path, header: bytes, data: bytes, message: str) -> None:
    path = made(tmp_path, "a.safetensors", tensors(header, data))
    assert refusal("arrays", [path], ACCEPTED, {}).startswith(message)
