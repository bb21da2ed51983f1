"""A sample of a large file equals the same rows of the whole file, whatever the format."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.ipc as ipc
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import save_file

from models.reading.arrays import ACCEPTED
from models.reading.doors import Request, bring
from models.reading.refused import Limits, Refused
from tests.reading.helpers import inside, refusal

N, D, SAMPLE = 700, 8, 60
Z = np.random.default_rng(3).normal(size=(N, D)).astype(np.float32)
Y = np.arange(N) % 5
STREAMED = Limits(whole_bytes=4 * 100 * D)
WHOLE = Limits()


def table() -> pd.DataFrame:
    return pd.DataFrame(Z, columns=[f"e{place}" for place in range(D)]).assign(label=Y)


def hdf5(path: Path, **how: object) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("embeddings", data=Z, **how)
        file["labels"] = Y


def stream(path: Path) -> None:
    made = pa.Table.from_pandas(table())
    with ipc.new_stream(path, made.schema) as file:
        file.write_table(made, max_chunksize=64)


FILES: dict[str, Callable[[Path], object]] = {
    "plain.npz": lambda path: np.savez(path, embeddings=Z, labels=Y),
    "packed.npz": lambda path: np.savez_compressed(path, embeddings=Z, labels=Y),
    "fortran.npz": lambda path: np.savez(path, embeddings=np.asfortranarray(Z), labels=Y),
    "big_endian.npz": lambda path: np.savez(path, embeddings=Z.astype(">f8"), labels=Y),
    "z.safetensors": lambda path: save_file({"embeddings": Z, "labels": Y}, path),
    "contiguous.h5": hdf5,
    "chunked.h5": lambda path: hdf5(path, chunks=(33, 3), compression="gzip"),
    "groups.parquet": lambda path: pq.write_table(pa.Table.from_pandas(table()), path, row_group_size=90),
    "one_group.parquet": lambda path: table().to_parquet(path),
    "lists.parquet": lambda path: pq.write_table(pa.table({"embedding": list(Z), "label": Y}), path),
    "z.feather": lambda path: feather.write_feather(table(), path, chunksize=64),
    "stream.arrow": stream,
    "z.csv": lambda path: table().to_csv(path, index=False),
    "index.csv": lambda path: table().to_csv(path),
    "z.tsv": lambda path: table().to_csv(path, sep="\t", index=False),
}


@pytest.mark.parametrize("name", FILES)
def test_sample_equals_the_rows_of_the_whole(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    FILES[name](path)
    _, whole = inside("arrays", [path], ACCEPTED, {"labels": True}, WHOLE)
    told, part = inside("arrays", [path], ACCEPTED, {"labels": True, "sample": SAMPLE}, STREAMED)
    rows = np.sort(np.random.default_rng(0).choice(N, SAMPLE, replace=False))
    assert np.array_equal(part["rows"], rows)
    assert np.array_equal(whole["z"], Z)
    assert np.array_equal(part["z"], Z[rows])
    assert np.array_equal(part["y"], Y[rows])
    assert told["total"] == N
    assert [text for code, text in told["notes"] if code == "W207"] == [
        "60 of 700 rows were read, drawn at random, the same each time."
    ]


@pytest.mark.parametrize("name", FILES)
def test_larger_sample_than_rows_is_the_whole(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    FILES[name](path)
    _, all_of_it = inside("arrays", [path], ACCEPTED, {"labels": True, "sample": N + 1}, STREAMED)
    assert np.array_equal(all_of_it["z"], Z)
    assert np.array_equal(all_of_it["y"], Y)
    assert "rows" not in all_of_it


@pytest.mark.parametrize(
    "name", ["plain.npz", "packed.npz", "z.safetensors", "chunked.h5", "groups.parquet", "z.feather"]
)
def test_cut_file_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    FILES[name](path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    said = refusal("arrays", [path], ACCEPTED, {"labels": True, "sample": SAMPLE}, STREAMED)
    assert said.startswith("E104 ")
    assert "\n" not in said


def test_changed_byte_of_an_archive_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "z.npz"
    np.savez(path, embeddings=Z)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    said = refusal("arrays", [path], ACCEPTED, {"sample": SAMPLE}, STREAMED)
    assert said == "E125 Member 'embeddings' is damaged (checksum). Copy the file again."


def test_name_too_long_is_refused() -> None:
    with pytest.raises(Refused, match=r"^E401 ") as caught:
        bring(Request(Path("/" + "a" * 5000)))
    assert "\n" not in str(caught.value)
