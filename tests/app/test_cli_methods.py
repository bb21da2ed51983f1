"""Methods on the command line: the same run as from Python, kept and gone on with, and what is refused."""

import json
from pathlib import Path

import pytest

from app import cli
from models.training.config import RunConfig
from models.training.run import Run
from tests.training.helpers import differing, part

SHORT = ["--steps", "12", "--set", "encoder.dim=8", "--set", "encoder.width=16", "--set", "sampler.batch=32"]
CHOSEN = ["--method", "feature_transform", "--method", "queue", "--set", "methods.queue.size=64"]


def test_it_is_the_same_run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    argv = ["train", *CHOSEN, "--set", "methods.queue.momentum=0.9", *SHORT, "--json", "--out", str(tmp_path)]
    assert cli.main(argv) == 0
    told = json.loads(capsys.readouterr().out)
    config = RunConfig(
        encoder=part("mlp", dim=8, width=16),
        sampler=part("balanced", batch=32),
        steps=12,
        methods=(part("queue", size=64, momentum=0.9), part("feature_transform")),
    )
    run = Run(config)
    run.advance(12)
    assert told["config_id"] == config.config_id
    assert differing(Run.load(tmp_path), run) == []


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--method", "que"], ["no method called 'que'", "queue"]),
        (["--method", "queue", "--loss", "arcface"], ["method queue needs a loss that reads scores", "arcface"]),
        (["--method", "queue", "--method", "queue"], ["queue and queue both change the candidates"]),
        (["--method", "queue", "--set", "methods.queue.size=0"], ["queue.size", "from 1 to 65536", "got 0"]),
        (["--method", "queue", "--set", "methods.queue.length=3"], ["has no knob 'length'", "size, momentum"]),
        (["--set", "methods.queue.size=3"], ["methods.KEY.KNOB=VALUE", "--method KEY", "[]"]),
        (["--method", "queue", "--set", "methods.queue=3"], ["methods.KEY.KNOB=VALUE", "['queue']"]),
        (["--set", "methods=queue"], ["methods must be a list", "'queue'"]),
        (["--config", "x.json", "--method", "queue"], ["--config and --method exclude each other"]),
        (["--resume", "x", "--method", "queue"], ["--resume and --method exclude each other"]),
    ],
)
def test_what_is_refused(capsys: pytest.CaptureFixture[str], argv: list[str], words: list[str]) -> None:
    code = cli.main(["train", *argv])
    out, err = capsys.readouterr()
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert [word for word in words if word not in err] == []
