"""`app train --data FILE`: the same set as on the page, what is told about it, and what is refused in one line."""

import json
from pathlib import Path

import pytest

from app import cli
from models.own_data import keeping
from tests.data.helpers import no_network

ROWS = [f"{k},{k % 7}.5,{'x' if k % 2 else 'y'},{'tall' if k % 3 else 'small'}" for k in range(60)]
SHORT = ["--steps", "5", "--json", "--set", "encoder.dim=8", "--set", "encoder.width=16"]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOSSLAB_HOME", str(tmp_path / "home"))
    no_network(monkeypatch)
    path = tmp_path / "mine.csv"
    path.write_text("\n".join(["a,b,side,label", *ROWS, "1,2,x"]), encoding="utf-8")
    return path


def test_a_file_trains_is_kept_and_goes_on(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "--data", str(file), "--out", str(file.parent / "run"), *SHORT]) == 0
    out, err = capsys.readouterr()
    told = json.loads(out)
    (kept,) = keeping.listed()
    assert (told["config"]["data"]["key"], kept.name, kept.items) == (kept.key, "mine.csv", 60)
    assert told["config"]["sampler"]["knobs"]["batch"] == 32  # 40 items are trained on
    first, second, *_ = err.splitlines()
    assert first == (
        f"{kept.key}: 60 rows taken, 1 refused; 60 items, 2 classes; 2 feature columns; side: ignore, label: label"
    )
    assert second == "line 62: 3 cells, the header has 4. Missing values must be filled."
    assert cli.main(["train", "--resume", str(file.parent / "run"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["metrics"] == told["metrics"]


def test_the_label_and_what_else_is_asked_for_count(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--label", "side", "--set", "sampler.batch=8", "--set", "data.label_flips=0.2"]
    assert cli.main(["train", "--data", str(file), *asked, *SHORT]) == 0
    out, err = capsys.readouterr()
    config = json.loads(out)["config"]
    assert (config["sampler"]["knobs"]["batch"], config["data"]["knobs"]["label_flips"]) == (8, 0.2)
    assert "side: label, label: ignore" in err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--data", "FILE", "--label", "none"], "E190 no column called 'none'; the columns are: a, b, side, label"),
        (["--data", "nowhere.csv"], "E401 No such file: nowhere.csv"),
        (["--data", "own:0123456789ab"], "E194 the data set own:0123456789ab is not on this server"),
        (["--label", "side"], "--label needs --data FILE"),
        (["--data", "digits", "--label", "side"], "--label needs --data FILE"),
    ],
)
def test_refusals_are_one_line(file: Path, capsys: pytest.CaptureFixture[str], words: list[str], told: str) -> None:
    assert cli.main(["train", *(str(file) if word == "FILE" else word for word in words), *SHORT]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert told in err
    assert keeping.listed() == []
