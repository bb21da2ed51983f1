import json
import os
from pathlib import Path
from typing import Never

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from models.training.config import Part, RunConfig
from models.training.keep import MANIFEST, pack, read, unpack, write_atomic
from models.training.run import Run
from tests.training.helpers import differing, small


@pytest.fixture
def run() -> Run:
    made = Run(small("arcface"))
    made.advance(12)
    return made


def state_of(folder: Path) -> Path:
    (found,) = folder.glob("state-*.safetensors")
    return found


def test_a_folder_holds_safetensors_and_json_alone(run: Run, tmp_path: Path) -> None:
    run.save(tmp_path / "deep" / "er")
    names = sorted(path.name for path in (tmp_path / "deep" / "er").iterdir())
    assert names == [MANIFEST, "state-00000012.safetensors"]
    arrays = load_file(state_of(tmp_path / "deep" / "er"))
    assert (arrays["trace.loss"] == run.trace.view().loss).all()
    assert RunConfig.from_json(json.dumps(json.loads((tmp_path / "deep" / "er" / MANIFEST).read_text())["config"])) == (
        run.config
    )


def test_saving_again_replaces_the_older_state(run: Run, tmp_path: Path) -> None:
    run.save(tmp_path)
    run.advance(3)
    run.save(str(tmp_path))  # a string is a path too
    assert sorted(path.name for path in tmp_path.iterdir()) == [MANIFEST, "state-00000015.safetensors"]
    assert differing(run, Run.load(tmp_path)) == []


def test_saving_changes_nothing(run: Run, tmp_path: Path) -> None:
    other = Run(run.config)
    other.advance(12)
    run.save(tmp_path)
    run.advance(5)
    other.advance(5)
    assert differing(run, other) == []


def test_over_the_wire_and_back(run: Run) -> None:
    weight = {"w": torch.arange(6.0).reshape(2, 3).T}  # not contiguous
    config, step, trace, tensors = unpack(*pack(run.config, 12, run.trace.view(), weight))
    assert (config, step) == (run.config, 12)
    assert torch.equal(tensors["w"], weight["w"])
    assert trace.measured.keys() == run.trace.measured.keys()
    assert (trace.grad_norm == np.asarray(run.trace.grad_norm)).all()


def test_a_run_at_step_zero_can_be_kept(tmp_path: Path) -> None:
    fresh = Run(small())
    fresh.save(tmp_path)
    again = Run.load(tmp_path)
    fresh.advance(5)
    again.advance(5)
    assert differing(fresh, again) == []


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no run in 'nowhere': run.json is missing"):
        read(tmp_path / "nowhere")


def test_state_missing(run: Run, tmp_path: Path) -> None:
    run.save(tmp_path)
    state_of(tmp_path).unlink()
    with pytest.raises(ValueError, match=r"is damaged: state-00000012.safetensors is missing"):
        Run.load(tmp_path)


@pytest.mark.parametrize("at", [0, 9, 1000, -1])
def test_one_changed_byte(run: Run, tmp_path: Path, at: int) -> None:
    run.save(tmp_path)
    payload = bytearray(state_of(tmp_path).read_bytes())
    payload[at] ^= 1
    state_of(tmp_path).write_bytes(payload)
    with pytest.raises(ValueError, match=r"state-00000012.safetensors is damaged \(checksum\)"):
        Run.load(tmp_path)


def test_a_torn_state(run: Run, tmp_path: Path) -> None:
    run.save(tmp_path)
    payload = state_of(tmp_path).read_bytes()
    state_of(tmp_path).write_bytes(payload[: len(payload) // 2])
    with pytest.raises(ValueError, match="damaged"):
        Run.load(tmp_path)


MANIFESTS = {
    "": r"run.json is damaged: line 1, column 1",
    '{"version": 1, ': r"run.json is damaged: line 1, column 1",
    "[]": r"run.json is damaged: it has no version",
    '{"version": 1}': r"run.json is damaged: it has no config",
    '{"version": 99}': r"made with version 99 of the format, this is 1: update to open it",
}


@pytest.mark.parametrize("text", MANIFESTS)
def test_a_bad_manifest(run: Run, tmp_path: Path, text: str) -> None:
    run.save(tmp_path)
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(ValueError, match=MANIFESTS[text]):
        Run.load(tmp_path)


def test_a_manifest_cannot_point_outside_its_folder(run: Run, tmp_path: Path) -> None:
    run.save(tmp_path / "outside")
    run.save(tmp_path / "run")
    about = json.loads((tmp_path / "run" / MANIFEST).read_text())
    (tmp_path / "secret.safetensors").write_bytes(b"")
    (tmp_path / "run" / MANIFEST).write_text(json.dumps({**about, "state": "../secret.safetensors"}))
    with pytest.raises(ValueError, match=r"secret.safetensors is missing"):
        Run.load(tmp_path / "run")


def test_a_state_of_another_config_is_refused(run: Run, tmp_path: Path) -> None:
    run.save(tmp_path)
    about = json.loads((tmp_path / MANIFEST).read_text())
    other = json.loads(small("arcface", encoder=Part("mlp", (("width", 8),))).to_json())
    (tmp_path / MANIFEST).write_text(json.dumps({**about, "config": other}))
    with pytest.raises(ValueError, match="does not fit its config"):
        Run.load(tmp_path)


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_failed_write_leaves_the_old_file_and_no_other(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "file"
    write_atomic(target, b"old")

    def full(*_: object) -> Never:
        raise OSError("no space left on device")

    monkeypatch.setattr({"fsync": os, "replace": Path}[call], call, full)
    with pytest.raises(OSError, match="no space left"):
        write_atomic(target, b"new")
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
