"""Mixtures on the command line: trained, kept, resumed, and refused in one line."""

import json
from pathlib import Path

import pytest

from app import cli
from models.training.config import Part, RunConfig
from models.training.run import Run

SHORT = ["--set", "encoder.dim=8", "--set", "encoder.width=16", "--set", "sampler.batch=32", "--steps", "12"]
KNOBS = ["--set", "loss.infonce.temperature=0.2", "--set", "loss.triplet.weight=0.25"]


def test_trains_what_a_run_trains(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    argv = ["train", "--loss", "mix:infonce+triplet", *KNOBS, *SHORT, "--out", str(tmp_path / "run"), "--json"]
    assert cli.main(argv) == 0
    told = json.loads(capsys.readouterr().out)
    run = Run.load(tmp_path / "run")
    assert run.config.config_id == told["config_id"]
    assert run.config.loss["triplet.weight"] == 0.25
    again = Run(RunConfig(loss=Part("mix:infonce+triplet", run.config.loss.knobs), **_rest(run.config)))
    again.advance(12)
    assert again.trace.loss == run.trace.loss


def _rest(config: RunConfig) -> dict[str, object]:
    return {name: getattr(config, name) for name in ("encoder", "sampler", "steps")}


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--loss", "mix:infonce+arcface"], "infonce reads scores, but arcface reads embeddings"),
        (
            ["--loss", "mix:infonce+triplet", "--set", "loss.triplet.weight=-1"],
            "triplet.weight must be a number from 0",
        ),
        (["--loss", "mix:infonce+triplet", "--set", "loss.weight=1"], "has no knob 'weight'; its knobs are: infonce."),
        (["--loss", "mix:infonce"], "of 2 to 6 losses"),
    ],
)
def test_refuses_in_one_line(capsys: pytest.CaptureFixture[str], argv: list[str], words: str) -> None:
    assert cli.main(["train", *argv]) == 2
    complaint = capsys.readouterr().err
    assert words in complaint
    assert complaint.count("\n") == 1
