"""`app diagnose`: what it reads, what it says, and that a refusal is one line on standard error and exit code 2."""

import json
import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.numpy import save_file
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from app import cli
from tests.reading.helpers import made, npy, npz, zipped

ROOT = Path(__file__).parents[2]
RNG = np.random.default_rng(0)
Y = np.arange(40) % 4
Z = (np.eye(8)[Y] + 0.2 * RNG.normal(size=(40, 8))).astype(np.float32)
Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Run the command in this process: exit code, standard output, standard error."""

    def run(*argv: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = cli.main(["diagnose", *map(str, argv)])
        return code, *capsys.readouterr()

    return run


def refused(said: tuple[int, str, str], begins: str) -> None:
    code, out, error = said
    assert (code, out) == (2, "")
    assert error.count("\n") == 1
    assert error.startswith(begins)
    assert "Traceback" not in error


REFUSED: list[tuple[list[str], str]] = [
    (["none.npy"], "E401 No such file: none.npy."),
    (["."], "E401"),
    (
        ["a.zip"],
        "E103 a.zip: archives of type .zip are not accepted as FILE. Unpack it and name the file",
    ),
    (["a.csv.gz"], "E103 a.csv.gz: archives of type .gz are not accepted as FILE."),
    (["a.tar", "--json"], "E103 a.tar: archives of type .tar"),
    (["a.bz2"], "E103 a.bz2: archives of type .bz2"),
    (["a.7z"], "E103 a.7z: archives of type .7z"),
    (["a.pkl"], "E110 a.pkl is a Python pickle."),
    (["z.npy", "--as", "scores"], "E103 z.npy cannot be read as scores: .csv .tsv .parquet .arrow .feather .npz are."),
    (["z.npy", "--as", "pictures"], "argument --as: invalid choice"),
    (["z.npy", "--data", "z.npy"], "E403 --data belongs to a model, and z.npy is read as embeddings."),
    (["z.npy", "--labels", "z.npy", "--pairs", "z.npy"], "E403 --labels and --pairs both say"),
    (["z.npy", "--relevance", "none.tsv"], "E401 No such file: none.tsv."),
    (["z.npy", "--documents", "z.npy"], "E194 Nothing in z.npy says which documents are relevant."),
    (["z.npy", "--documents", "z.npy", "--against", "z.npy"], "E403 --against needs the documents of every"),
    (["z.npy", "--relevance", "short.csv", "--labels", "short.npy"], "E403 --labels belongs to embeddings, and z.npy"),
    (["z.npy", "--relevance", "short.csv", "--as", "embeddings"], "E403 --relevance belongs to queries and documents"),
    (["w.safetensors", "--data", "z.npy"], "E168 w.safetensors holds weights alone. Whose weights are they? Name it"),
    (["w.safetensors", "--encoder", "linear"], "E168 w.safetensors holds 0 matrices and no kernel: these are"),
    (["w.safetensors", "--encoder", "mlp", "--encoder-knob", "x"], "E311 --encoder-knob needs NAME=VALUE, got 'x'."),
    (["w.safetensors", "--config", "short.csv"], "E103 Files of type '.csv' are not accepted. Allowed: .json."),
    (["z.npy", "--encoder", "mlp"], "E403 --encoder belongs to weights of the app's encoders, and z.npy is read as"),
    (["z.npy", "--proxies", "z.npy"], "E403 z.npy: class weights need labels. Give --labels FILE"),
    (["z.npy", "--labels", "short.npy"], "E151 3 labels for 40 rows."),
    (["z.npy", "--labels", "none.npy"], "E401 No such file: none.npy."),
    (["z.npy", "--against", "short.csv"], "E151 z.npy has 40 rows, short.csv 3."),
    (["z.npy", "--against", "w.safetensors"], "E403 w.safetensors is read as weights, z.npy as embeddings"),
    (["z.npy", "--sample", "1"], "E305 --sample must be a whole number of at least 2, got 1."),
    (["z.npy", "--sample", "x"], "argument --sample: invalid int value"),
    (["z.npy", "--knob", "temperature=1"], "E403 --knob needs the loss it belongs to."),
    (["z.npy", "--loss", "nonsense"], "E311 no loss called 'nonsense'; known: "),
    (["z.npy", "--loss", "infonce", "--knob", "margin=1"], "E311 loss infonce has no knob 'margin'"),
    (["z.npy", "--loss", "infonce", "--knob", "temperature"], "E311 --knob needs NAME=VALUE, got 'temperature'."),
    (
        ["z.npy", "--loss", "infonce", "--knob", "temperature=NaN"],
        "E311 loss infonce.temperature must be a number from 0.01 to 1, got nan",
    ),
    (["z.npy", "--out", "full"], "E402 full exists and is not empty."),
    (["z.npy", "--out", "z.npy"], "E351 --out z.npy cannot be written"),
    (["w.safetensors", "--labels", "short.npy"], "E403 w.safetensors holds weights, not embeddings."),
    (["nan.npy", "--json"], "E112 1 value in 1 row is NaN; the first is at row 0, column 0."),
    (["bad.csv"], "E131 Line 3 has 1 cell, the header has 2."),
    (["z.npy", "--fail-on", "never"], "argument --fail-on: invalid choice"),
    ([], "the following arguments are required: FILE"),
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a few files."""
    monkeypatch.chdir(tmp_path)
    made(tmp_path, "z.npy", npy(Z))
    made(tmp_path, "nan.npy", npy(np.full((1, 1), np.nan)))
    made(tmp_path, "short.npy", npy(np.arange(3)))
    made(tmp_path, "short.csv", "e0,e1\n1,2\n3,4\n5,6\n")
    made(tmp_path, "bad.csv", "e0,e1\n1,2\n3\n")
    for name in ("a.zip", "a.csv.gz", "a.tar", "a.bz2", "a.7z", "a.pkl"):
        made(tmp_path, name, zipped({"x": b"x"}))
    save_file({"w": Z}, tmp_path / "w.safetensors")
    (tmp_path / "full").mkdir()
    made(tmp_path / "full", "x", "x")
    return tmp_path


@pytest.mark.parametrize(("argv", "begins"), REFUSED, ids=[" ".join(argv) or "nothing" for argv, _ in REFUSED])
@pytest.mark.usefixtures("folder")
def test_refusals_are_one_line(call: Call, argv: list[str], begins: str) -> None:
    refused(call(*argv), begins)


def test_weights_are_a_table(folder: Path, call: Call) -> None:
    torch.save({"w": torch.from_numpy(Z), "bad": torch.tensor([float("nan")])}, folder / "a.pt")
    code, out, error = call("a.pt", "--json", "--fail-on", "serious")
    told = json.loads(out)
    assert (code, error) == (1, "")
    assert {tensor["name"]: tensor["nan"] for tensor in told["weights"]} == {"w": 0, "bad": 1}
    assert told["weights"][0]["largest"] == pytest.approx(np.linalg.norm(Z, 2), rel=1e-6)
    code, out, error = call("w.safetensors", "--fail-on", "info")
    assert (code, error) == (0, "")
    assert "w  40x8  float32  norm" in out
    assert "effective rank" in out


def test_embeddings_are_diagnosed_and_kept(folder: Path, call: Call) -> None:
    np.savetxt(folder / "y.txt", Y, "%d")
    (folder / "out").mkdir()
    known = ["--labels", "y.txt", "--loss", "infonce", "--knob", "temperature=0.2", "--knob", "batch=16"]
    code, out, error = call("z.npy", *known, "--json", "--out", "out", "--against", "z.npy")
    assert (code, error) == (0, "")
    told = json.loads(out)
    assert (told["schema"], told["door"], told["size"], told["dim"]) == ("losslab-diagnosis-1", "labels", 40, 8)
    assert told["loss"]["knobs"]["temperature"] == 0.2
    assert told["loss"]["batch"] == 16
    assert json.loads((folder / "out" / "diagnosis.json").read_text()) == told
    assert [one["name"] for one in told["timeline"]] == ["z.npy", "z.npy"]
    assert "Checkpoints in a row" in (folder / "out" / "report.html").read_text()
    assert "timeline.figure(result.told" in (folder / "out" / "notebook.ipynb").read_text()
    values = {metric["key"]: metric["value"] for metric in told["metrics"]}
    unit = Z / np.linalg.norm(Z, axis=1, keepdims=True)
    rows, columns = np.triu_indices(40, 1)
    assert values["auc"] == pytest.approx(roc_auc_score(Y[rows] == Y[columns], (unit @ unit.T)[rows, columns]))


def test_a_collapse_is_found_and_fails_a_pipeline(folder: Path, call: Call) -> None:
    flat = np.ones((40, 8)) + 1e-4 * RNG.normal(size=(40, 8))
    made(folder, "flat.npz", npz(embeddings=flat, labels=Y))
    made(folder, "good_7.npz", npz(embeddings=Z, labels=Y))
    made(folder, "flat_9.npz", npz(embeddings=flat, labels=Y))
    code, out, error = call("flat_9.npz", "--against", "good_7.npz")
    table = out[out.index("Timeline, oldest first; * is the best:") :].splitlines()[1:]
    assert (code, error) == (0, "")
    assert table[0].split()[:4] == ["checkpoint", "step", "AUC", "recall@1"]
    assert [line.split()[:2] for line in table[1:]] == [["good_7.npz", "7"], ["flat_9.npz", "9"]]
    assert "*" in table[1]
    assert "*" not in table[2]
    assert "Point collapse" in table[2]
    code, out, error = call("flat.npz", "--fail-on", "warning")
    assert (code, error) == (1, "")
    assert "40 rows of 8 dimensions, 4 classes" in out
    assert "SERIOUS" in out or "WARNING" in out
    assert call("flat.npz", "--json")[0] == 0


def test_neighbours_among_all_items_where_there_are_more_than_the_sample(folder: Path, call: Call) -> None:
    y = np.arange(2100) % 4
    z = np.eye(4)[y] + 0.3 * np.random.default_rng(1).normal(size=(2100, 4))
    file = made(folder, "many.npz", npz(embeddings=z.astype(np.float32), labels=y))
    code, out, error = call(file, "--json")
    assert (code, error) == (0, "")
    found = {one["key"]: one for one in json.loads(out)["metrics"]}["recall_at_1_of_all"]
    u = z / np.linalg.norm(z, axis=1, keepdims=True)
    near = NearestNeighbors(n_neighbors=2).fit(u).kneighbors(u, return_distance=False)[:, 1]
    assert found["value"] == pytest.approx((y[near] == y).mean(), abs=1e-3)
    assert found["scope"] == "exact over 2,100 items"
    told = json.loads(call(file, "--json", "--sample", 50)[1])
    assert "recall_at_1_of_all" not in {one["key"] for one in told["metrics"]}


def test_a_head_is_pruned_and_a_class_unlearnt(folder: Path, call: Call) -> None:
    head = np.stack([Z[k == Y].mean(axis=0) for k in range(4)])
    file, proxies = made(folder, "mine.npz", npz(embeddings=Z, labels=Y)), made(folder, "head.npy", npy(head))
    code, out, error = call(file, "--proxies", proxies, "--keep", 4, "--forget", 1)
    assert (code, error) == (0, "")
    assert "Head pruned to 4 of 8 dimensions: fidelity 0.9" in out
    assert "4 of 8 by fidelity, compensated: accuracy 1.000" in out
    assert "Class 1 unlearnt:" in out
    told = json.loads(call(file, "--proxies", proxies, "--keep", 4, "--json")[1])["edits"]
    assert (told["kept"], told["of"], told["forget"]) == (4, 8, 0)
    refused(call(file, "--keep", 4), "E312 --keep: Edits need class weights")
    refused(call(file, "--proxies", proxies, "--keep", 9), "E312 --keep: dimensions to keep must be from 1 to 8, got 9")


def test_a_terminal_is_told_how_far_it_is(folder: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    file = made(folder, "mine.npz", npz(embeddings=Z, labels=Y))
    monkeypatch.setattr(sys, "stderr", Terminal())
    cli.main(["diagnose", str(file), "--json"])
    written = sys.stderr.getvalue()  # type: ignore[attr-defined]
    assert "\r\x1b[KCounting pairs\r" in written
    assert written.endswith("\r\x1b[K")


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_scores_pairs_and_huge_values(folder: Path, call: Call) -> None:
    score, match = RNG.normal(size=60), np.arange(60) % 2
    pd.DataFrame({"score": score, "is_match": match}).to_csv(folder / "s.csv", index=False)
    code, out, error = call("s.csv", "--json")
    told = json.loads(out)
    assert (code, error, told["door"], told["size"]) == (0, "", "scores", 60)
    assert {m["key"]: m["value"] for m in told["metrics"]}["auc"] == pytest.approx(roc_auc_score(match, score))
    pairs = [f"{k},{(k + 4) % 40},1\n{k},{(k + 1) % 40},0\n" for k in range(40)]
    made(folder, "p.csv", "a,b,match\n" + "".join(pairs))
    made(folder, "huge.npy", npy(Z * np.float32(1e37)))
    code, out, error = call("huge.npy", "--pairs", "p.csv", "--json")
    told = json.loads(out)
    assert (code, error, told["door"]) == (0, "", "pairs")
    assert [note[:4] for note in told["notes"]] == ["W202", "All "]


def test_queries_and_documents_are_diagnosed_and_compared(folder: Path, call: Call) -> None:
    """Each query lies near its own document, and one more document is relevant wherever it lies."""
    for name, noise in (("a.npz", 0.1), ("b.npz", 3.0)):
        made(folder, name, npz(queries=Z[:10] + noise * RNG.normal(size=(10, 8)), documents=Z))
    made(folder, "r.qrels", "".join(f"{k} 0 {k} 2\n{k} 0 {k + 15} 1\n" for k in range(10)))
    code, out, error = call("a.npz", "--relevance", "r.qrels", "--against", "b.npz", "--json", "--out", "told")
    told = json.loads(out)
    assert (code, error, told["door"], told["size"]) == (0, "", "relevance", 10)
    values = {metric["key"]: metric["value"] for metric in told["metrics"]}
    unit = [side / np.linalg.norm(side, axis=1, keepdims=True) for side in (np.load("a.npz")["queries"], Z)]
    best = (unit[0] @ unit[1].T).argmax(axis=1)
    halves = sum(document in (k, k + 15) for k, document in enumerate(best)) / 2  # one of two at the first rank
    assert values["recall_at_1_of_all"] == pytest.approx(halves / 10)
    assert told["changes"][0]["before"] == "b.npz"
    assert "relevance=Path('../r.qrels')" in (folder / "told" / "notebook.ipynb").read_text()


@pytest.mark.usefixtures("folder")
def test_nothing_but_the_line_is_written_from_outside(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "app", "diagnose", str(tmp_path / "bad.csv"), "--json"],
        capture_output=True, text=True, cwd=ROOT, check=False,
    )  # fmt: skip
    refused((done.returncode, done.stdout, done.stderr), "E131 Line 3 has 1 cell")


def test_pandas_frames_of_any_kind_are_read_or_refused(folder: Path, call: Call) -> None:
    frame = pd.DataFrame({"when": pd.to_datetime(["2020-01-01"]), "x": [1.0]})
    frame.to_parquet(folder / "a.parquet")
    refused(call("a.parquet"), "E111 Column 'when': Values of type timestamp[")
