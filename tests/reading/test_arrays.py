"""Embeddings and labels of every kind as the libraries write them; the corpus of bad ones stands beside it."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
import torch
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_torch

from models.reading.arrays import ACCEPTED, Choice, read_arrays
from models.reading.refused import Limits, Refused
from models.reading.scores import is_scores, read_pairs, read_scores
from models.reading.table import read_table
from tests.reading.helpers import inside, made, npy, npz

Z = np.random.default_rng(0).normal(size=(20, 8)).astype(np.float32)
Y = np.arange(20) % 4


def found(path: Path, **options: Any) -> tuple[Any, dict[str, Any]]:
    return inside("arrays", [path], ACCEPTED, options)


def test_every_kind_gives_the_same_arrays_through_the_process(tmp_path: Path) -> None:
    made(tmp_path, "a.npz", npz(embeddings=Z, labels=Y))
    frame = pd.DataFrame(Z, columns=[f"e{k}" for k in range(8)]).assign(label=Y)
    frame.to_csv(tmp_path / "b.csv")
    parquet.write_table(
        pa.table({"embedding": pa.array(Z.tolist(), pa.list_(pa.float32())), "y": Y}), tmp_path / "c.parquet"
    )
    save_file({"z": Z, "class": Y}, tmp_path / "d.safetensors")
    with h5py.File(tmp_path / "e.h5", "w") as file:
        file.create_dataset("run/features", data=Z, compression="gzip", chunks=True, shuffle=True)
        file["run/labels"] = Y
    paths = sorted(tmp_path.iterdir())
    assert len(paths) == 5
    for path in paths:
        read = read_arrays(path)
        assert np.array_equal(read.z, Z)
        assert read.y is not None
        assert np.array_equal(read.y, Y)
        assert (read.classes, read.total, read.rows) == (["0", "1", "2", "3"], 20, None)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f2", ">f4", "<f8", ">f8", "i1", "u1", ">i8", "?"])
def test_any_type_and_order(tmp_path: Path, dtype: str, order: Any) -> None:
    array = np.asarray((Z * 3).astype(dtype), order=order)
    z = found(made(tmp_path, "a.npy", npy(array)))[1]["z"]
    assert z.dtype == np.float32
    assert np.array_equal(z, array.astype(np.float32))


def test_bfloat16_of_torch(tmp_path: Path) -> None:
    tensor = torch.from_numpy(Z).bfloat16()
    save_torch({"embeddings": tensor}, tmp_path / "a.safetensors")
    assert np.array_equal(found(tmp_path / "a.safetensors")[1]["z"], tensor.float().numpy())


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_sample_is_the_same_rows_each_time_however_many_there_are(tmp_path: Path, order: Any) -> None:
    path = made(tmp_path, "a.npy", npy(np.asarray(Z, order=order)))
    labels = made(tmp_path, "y.npy", npy(Y))
    few = Limits(rows=10)
    with pytest.raises(Refused, match=r"^E106 20 rows; the limit here is 10. Upload a sample"):
        read_arrays(path, limits=few)
    read = read_arrays(path, labels=labels, choice=Choice(sample=6), limits=few)
    assert read.rows is not None
    assert (len(set(read.rows.tolist())), read.total) == (6, 20)
    assert np.array_equal(read.z, Z[read.rows])
    assert read.y is not None
    assert np.array_equal(read.y, Y[read.rows])
    assert [note.code for note in read.notes] == ["W207"]
    again = inside("arrays", [path], ACCEPTED, {"sample": 6}, few)[1]
    assert np.array_equal(again["rows"], read.rows)
    assert np.array_equal(found(path, sample=6)[1]["z"], Z)  # within the limits all are read


def test_labels_beside_follow_the_sample(tmp_path: Path) -> None:
    path = made(tmp_path, "a.npz", npz(x=Z, y=Y))
    answer = inside("arrays", [path], ACCEPTED, {"sample": 7}, Limits(rows=10))[1]
    assert len(answer["z"]) == 7
    assert np.array_equal(answer["y"], np.unique(Y[answer["rows"]], return_inverse=True)[1])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("y.txt", "\n".join(map(str, Y)) + "\n"),
        ("y.csv", "label\n" + "\n".join(map(str, Y)) + "\n"),
        ("y.csv", "\n".join("abcd"[k] for k in Y)),
        ("y.csv", "i,label\n" + "\n".join(f"{k},{y}" for k, y in enumerate(Y))),
        ("y.npy", npy(Y.astype(np.float64))),
        ("y.npy", npy(Y[:, None])),
        ("y.npy", npy((Y * 10**17).astype(np.int64))),
        ("y.npy", npy(np.array(["cat", "NA", "nan", "null"])[Y])),
        ("y.npz", npz(labels=Y, other=Z)),
    ],
)
def test_labels_in_another_file(tmp_path: Path, name: str, content: bytes | str) -> None:
    y = found(made(tmp_path, name, content), labels_for=20)[1]["y"]
    assert np.array_equal(np.equal.outer(y, y), np.equal.outer(Y, Y))


def test_text_classes_keep_their_names(tmp_path: Path) -> None:
    told, answer = found(made(tmp_path, "a.csv", "e0,label\n1,NA\n2,null\n3,01\n4,1\n5,NA\n"))
    assert told["classes"] == ["01", "1", "NA", "null"]
    assert answer["y"].tolist() == [2, 3, 0, 1, 2]


def test_the_only_text_that_repeats_is_taken_as_labels(tmp_path: Path) -> None:
    told, answer = found(made(tmp_path, "a.csv", "e0,species\n1,cat\n2,dog\n3,cat\n"))
    assert answer["y"].tolist() == [0, 1, 0]
    assert [code for code, _ in told["notes"]] == ["W213"]


def test_rows_that_are_not_finite_go_only_if_told(tmp_path: Path) -> None:
    bad = Z.copy()
    bad[3, 5] = np.nan
    path = made(tmp_path, "a.npz", npz(x=bad, y=Y))
    told, answer = found(path, drop=True)
    assert told["notes"][0] == ["W206", "1 row of 20 left out: not finite."]
    assert np.array_equal(answer["z"], np.delete(Z, 3, axis=0))
    assert np.array_equal(answer["rows"], np.delete(np.arange(20), 3))
    assert np.array_equal(answer["y"], np.delete(Y, 3))


def test_scores_with_anchor_and_group(tmp_path: Path) -> None:
    path = made(tmp_path, "a.csv", "score,is_match,anchor,group\n0.5,true,q1,g\n0.25,false,q2,g\n")
    read = read_scores(path)
    assert (read.score.tolist(), read.is_match.tolist()) == ([0.5, 0.25], [True, False])
    assert (read.anchor, read.group) == (["q1", "q2"], ["g", "g"])
    assert is_scores(read_table(path))
    numbers = read_scores(made(tmp_path, "b.csv", "Similarity,match\n1,1\n0,0\n"))
    assert (numbers.is_match.tolist(), numbers.anchor) == ([True, False], None)
    assert not is_scores(read_table(made(tmp_path, "c.csv", "e0,label\n1,1\n")))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("score,x\n1,1\n", r"^E191 No column of matches \(call it 'is_match'\); found: score, x"),
        ("similar,match\n1,1\n", r"^E191 No column of scores"),
        ("score,match\nnan,1\n1,0\n", r"^E112 1 score is NaN or infinite; the first is at row 0"),
        ("score,match\n1,2\n", r"^E193 Column 'match', row 0 is '2'; 1 or 0, true or false is needed"),
        ("score,match\na,1\nb,0\n", r"^E192 Column 'score' is not one number a row"),
    ],
)
def test_scores_that_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(Refused, match=message):
        read_scores(made(tmp_path, "a.csv", text))


def test_pairs(tmp_path: Path) -> None:
    read = read_pairs(made(tmp_path, "a.csv", "a,b,match\n0,1,1\n2,3,0\n"), 4)
    assert (read.left.tolist(), read.right.tolist(), read.is_match.tolist()) == ([0, 2], [1, 3], [True, False])
    bare = read_pairs(made(tmp_path, "b.csv", "0,1\n2,3\n"), 4)
    assert (bare.left.tolist(), bare.is_match.tolist()) == ([0, 2], [True, True])
    with pytest.raises(Refused, match=r"^E158 Column 'b', row 1 is 3; rows are counted from 0 to 2."):
        read_pairs(tmp_path / "a.csv", 3)
    with pytest.raises(Refused, match=r"^E158 Pairs need two columns"):
        read_pairs(made(tmp_path, "c.csv", "a\n1\n"), 3)


def test_json_is_no_way_in(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"^E103 Files of type '.json' are not accepted."):
        read_arrays(made(tmp_path, "a.json", json.dumps([[1.0]])))
