"""The command line: what it prints, what it refuses and with which words and exit code, and that it is the same run."""

import csv
import json
import math
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app import cli
from models.catalogue import discover
from models.training.config import Part, RunConfig
from models.training.finish import finish
from models.training.run import Run

ROOT = Path(__file__).parents[2]
METRICS = {
    "auc",
    "auc_low",
    "auc_high",
    "auc_unseen",
    "uniformity",
    "tolerance",
    "alignment",
    "recall_at_1",
    "map_at_r",
    "knn",
    "linear_probe",
    "effective_rank",
}
SHORT = ["--steps", "20", "--set", "encoder.dim=8", "--set", "encoder.width=16", "--set", "sampler.batch=32"]


def never(constant: str) -> float:
    raise AssertionError(f"{constant} is not JSON")


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run one command in this process: exit code, standard output, standard error."""

    def run(*argv: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = cli.main([str(word) for word in argv])
        return code, *capsys.readouterr()

    return run


Call = Callable[..., tuple[int, str, str]]


def told(text: str) -> dict[str, Any]:
    """Exactly one JSON object, without nan."""
    read: dict[str, Any] = json.loads(text, parse_constant=never)
    return read


def child(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("argv", [["--help"], ["train", "--help"], ["losses", "--help"], ["serve", "--help"]])
def test_help_loads_nothing_heavy(argv: list[str]) -> None:
    done = child(
        "import sys\nfrom app.cli import main\n"
        f"try:\n    main({argv})\nexcept SystemExit as end:\n    assert not end.code\n"
        "heavy = {'torch', 'streamlit', 'sklearn', 'pandas'} & set(sys.modules)\nassert not heavy, heavy"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "python -m app" in done.stdout


def test_help_names_every_command(call: Call) -> None:
    code, out, _ = call("--help")
    names = {path.stem for path in (ROOT / "app" / "commands").glob("*.py")} - {"__init__"}
    assert code == 0
    assert names >= {"serve", "train", "losses"}
    assert all(f"  {name}" in out for name in names)


def test_losses_lists_the_catalogue_without_the_library() -> None:
    done = child(
        "import sys\nfrom app.cli import main\ncode = main(['losses', '--json'])\n"
        "assert 'pytorch_metric_learning' not in sys.modules\nsys.exit(code)"
    )
    assert (done.returncode, done.stderr) == (0, "")
    listed = {loss["key"]: loss for loss in json.loads(done.stdout, parse_constant=never)}
    known = discover("losses")
    assert set(listed) == set(known)
    assert listed["infonce"]["reads"] == "scores"
    (knob,) = listed["infonce"]["knobs"]
    assert (knob["name"], knob["default"], knob["low"], knob["high"]) == ("temperature", 0.1, 0.01, 1.0)
    for key, loss in listed.items():
        assert [knob["name"] for knob in loss["knobs"]] == [knob.name for knob in known[key].SPEC.knobs]


def test_losses_in_words(call: Call) -> None:
    code, out, _ = call("losses")
    assert code == 0
    assert "temperature = 0.1: a number from 0.01 to 1" in out
    assert all(f"\n{key} " in f"\n{out}" for key in discover("losses"))


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--loss", "nope"], ["no loss called 'nope'", "infonce"]),
        (["--data", "nope"], ["data", "called 'nope'", "digits"]),
        (["--set", "loss.temperature=5"], ["loss infonce.temperature", "from 0.01 to 1", "got 5"]),
        (["--set", "loss.temperature=abc"], ["loss infonce.temperature", "from 0.01 to 1", "'abc'"]),
        (["--set", "loss.temperature=NaN"], ["loss infonce.temperature", "from 0.01 to 1", "nan"]),
        (["--set", "loss.margin=1"], ["loss infonce has no knob 'margin'", "temperature"]),
        (["--set", "encoder.dim=2.5"], ["encoder mlp.dim", "a whole number from 2 to 512", "2.5"]),
        (["--set", "optimiser=newton"], ["no optimiser called 'newton'", "adam"]),
        (["--set", "pairing=both"], ["pairing must be one of label, views", "'both'"]),
        (["--set", "colour=red"], ["no field 'colour'", "optimiser"]),
        (["--set", "colour.hue=1"], ["'colour' has no knobs", "encoder"]),
        (["--set", "loss.temperature"], ["NAME=VALUE", "'loss.temperature'"]),
        (["--steps", "0"], ["steps must be a whole number from 1 to 1000000", "got 0"]),
        (["--steps", "many"], ["steps must be a whole number from 1 to 1000000", "'many'"]),
        (["--seed", "-1"], ["seed must be a whole number from 0 to 4294967295", "-1"]),
        (["--seed", str(2**70)], ["seed must be a whole number from 0 to 4294967295", str(2**70)]),
        (["--seed", "9" * 400], ["seed must be a whole number from 0 to 4294967295"]),
        (["--bogus"], ["--bogus", "--help"]),
        (["--steps"], ["--steps", "--help"]),
        (["--config", "x.json", "--loss", "infonce"], ["--config and --loss exclude each other"]),
        (["--force"], ["--force needs --out"]),
        (["--config", "no-such-file.json"], ["no-such-file.json", "no such file"]),
        (["--config", "app"], ["is a folder"]),
        (["--config", "/dev/zero"], ["not a regular file"]),
        (["--resume", "no-such-run"], ["no run in 'no-such-run'", "run.json is missing"]),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(call: Call, argv: list[str], words: list[str]) -> None:
    code, out, err = call("train", *argv)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert [word for word in words if word not in err] == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"steps": 3,}', ["is not JSON", "line 1"]),
        (b"\xff\xfe", ["is not JSON"]),
        (b"[1, 2]", ["must hold a JSON object", "list"]),
        (b'{"stepz": 3}', ["no field 'stepz'", "steps"]),
        (b'{"steps": "3"}', ["steps must be a whole number", "'3'"]),
        (b'{"steps": true}', ["steps must be a whole number", "True"]),
        (b'{"loss": 5}', ["loss must be a key", "5"]),
        (b'{"loss": {"key": "infonce", "knobs": {"temperature": "0.1"}}}', ["infonce.temperature", "'0.1'"]),
        (b'{"events": [{"step": 1, "knob": "encoder.dim", "value": 3}]}', ["encoder.dim", "while running"]),
        (b"[" * 100_000, ["nested too deeply"]),
        (b'{"seed": ' + b"9" * 5000 + b"}", ["is not JSON"]),
        (b" " * 1_000_001, ["1000001 bytes", "at most 1000000"]),
    ],
)
def test_a_bad_config_file(call: Call, tmp_path: Path, content: bytes, words: list[str]) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(content)
    code, out, err = call("train", "--config", path)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert [word for word in words if word not in err] == []


def test_unknown_command(call: Call) -> None:
    code, out, err = call("trian")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "'trian'" in err
    assert "train" in err


def test_it_is_the_same_run(call: Call, tmp_path: Path) -> None:
    code, out, err = call("train", "--loss", "supcon", "--seed", "3", *SHORT, "--json", "--out", tmp_path / "a")
    assert (code, err.count("\n")) == (0, 1)
    first = told(out)
    assert list(first) == ["config", "config_id", "metrics", "time"]
    assert set(first["metrics"]) == METRICS

    encoder = Part("mlp", (("dim", 8), ("width", 16)))
    config = RunConfig(
        loss=Part("supcon"), encoder=encoder, sampler=Part("balanced", (("batch", 32),)), steps=20, seed=3
    )
    run = Run(config)
    run.advance(20)
    assert first["config"] == json.loads(config.to_json())
    assert first["config_id"] == config.config_id
    here = finish(run)
    assert {name: value for name, value in first["metrics"].items() if value is not None} == {
        name: value for name, value in here.items() if math.isfinite(value)
    }

    with (tmp_path / "a" / "trace.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == list(range(20))
    assert [float(row["loss"]) for row in rows] == run.trace.loss
    assert [float(row["grad_norm"]) for row in rows] == run.trace.grad_norm
    assert [int(row["step"]) for row in rows if row["auc"]] == [0, 10]
    assert json.loads((tmp_path / "a" / "metrics.json").read_text()) == first
    kept = Run.load(tmp_path / "a")
    assert kept.step == 20
    assert np.array_equal(kept.snapshot().z, run.snapshot().z)

    written = tmp_path / "config.json"
    written.write_text(json.dumps(first["config"]))
    _, out, _ = call("train", "--config", written, "--json")
    again = told(out)
    del first["time"], again["time"]
    assert again == first


def test_a_folder_that_holds_a_run_is_refused(call: Call, tmp_path: Path) -> None:
    assert call("train", *SHORT, "--out", tmp_path)[0] == 0
    before = (tmp_path / "run.json").read_bytes()
    code, _, err = call("train", *SHORT, "--seed", "1", "--out", tmp_path)
    assert (code, err.count("\n")) == (2, 1)
    assert "already holds a run" in err
    assert "--force" in err
    assert (tmp_path / "run.json").read_bytes() == before
    assert call("train", *SHORT, "--seed", "1", "--out", tmp_path, "--force")[0] == 0
    assert Run.load(tmp_path).config.seed == 1


def test_an_unwritable_folder_is_refused_before_training(call: Call, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, out, err = call("train", "--out", tmp_path / "file" / "run")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "cannot be written" in err


def test_the_table_without_json(call: Call) -> None:
    code, out, err = call("train", *SHORT)
    assert code == 0
    assert all(f"  {name} " in out for name in METRICS)
    assert "step 20 of 20" in err


def test_what_is_not_defined_is_null(call: Call) -> None:
    _, out, _ = call("train", *SHORT, "--data", "clusters", "--set", "data.classes=3", "--json")
    assert told(out)["metrics"]["auc_unseen"] is None


def test_interrupted_then_resumed_ends_as_if_never_interrupted(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, out, _ = call("train", *SHORT, "--steps", "60", "--json")
    whole = told(out)
    advance = Run.advance

    def press_ctrl_c(self: Run, n: int) -> None:
        advance(self, n)
        if self.step == 30:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Run, "advance", press_ctrl_c)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background is started without it
    try:
        code, out, err = call("train", *SHORT, "--steps", "60", "--json", "--out", tmp_path)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert (code, out) == (130, "")
    assert "Interrupted at step 30 of 60" in err
    monkeypatch.undo()
    code, out, _ = call("train", "--resume", tmp_path, "--json")
    resumed = told(out)
    assert code == 0
    assert (resumed["metrics"], resumed["config_id"]) == (whole["metrics"], whole["config_id"])
    assert Run.load(tmp_path).step == 60


def test_a_diverging_run_says_where_and_keeps_the_last_good_state(call: Call, tmp_path: Path) -> None:
    settings = ["--set", "optimiser=sgd", "--set", "optimiser.rate=10"]
    code, out, err = call("train", *settings, "--loss", "cross_entropy", "--out", tmp_path, "--json")
    assert (code, out) == (1, "")
    assert "is not finite" in err
    assert "Step " in err
    assert all(bool(np.isfinite(t.detach().numpy()).all()) for t in Run.load(tmp_path).parameters())


def test_the_unexpected_is_an_incident(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOSSLAB_HOME", str(tmp_path))

    def burst(self: Run, n: int) -> None:
        raise RuntimeError("a secret detail")

    monkeypatch.setattr(Run, "advance", burst)
    code, out, err = call("train", *SHORT)
    assert (code, out) == (1, "")
    assert "Something went wrong here (incident " in err
    assert "a secret detail" not in err
    assert "Traceback" not in err
    assert "a secret detail" in (tmp_path / "incidents.log").read_text()
