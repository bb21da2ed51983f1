import dataclasses
import json
import zlib
from base64 import b64decode
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from models.diagnostics.columns import HALF
from models.diagnostics.projection import pca_frame
from models.diagnostics.storage import from_arrays, load_summaries, save_summaries, to_arrays
from models.diagnostics.summarise import summarise
from models.diagnostics.summary import Mark, Summary
from models.training.config import Event, Part, RunConfig
from models.training.run import Run
from tests.diagnostics.helpers import clouds, snapshot_of, trained


@lru_cache
def replay() -> tuple[Summary, ...]:
    """Three lanes, among them one with a change of a knob and one without weights of items."""
    frames = []
    events = (Event(4, "loss.temperature", 0.3),)
    for config in (RunConfig(), RunConfig(events=events, seed=1), RunConfig(loss=Part("cosface"))):
        run = Run(config)
        for _ in range(3):
            snapshot = run.snapshot()
            frames.append(summarise(snapshot, pca_frame(snapshot.z)))
            run.advance(5)
    return tuple(frames)


def flat(value: Any, path: str = "") -> dict[str, Any]:
    """Every leaf of nested dataclasses, dicts and tuples by path."""
    if dataclasses.is_dataclass(value):
        parts = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    elif isinstance(value, dict):
        parts = value
    elif isinstance(value, tuple):
        parts = {str(k): item for k, item in enumerate(value)}
    else:
        return {path: value}
    found: dict[str, Any] = {f"{path}()": type(value)}
    for name, item in parts.items():
        found |= flat(item, f"{path}.{name}" if path else name)
    return found


def same(a: Any, b: Any) -> bool:
    """Equal to the last bit, nan to nan, in type and in dtype."""
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    return type(a) is type(b) and (a == b or (a != a and b != b))


@pytest.mark.parametrize("k", range(9))
def test_arrays_and_json_lose_nothing(k: int) -> None:
    arrays, meta = to_arrays(replay()[k])
    before = flat(replay()[k])
    after = flat(from_arrays(arrays, json.loads(json.dumps(meta, allow_nan=False))))
    assert len(before) > 60
    assert list(before) == list(after)
    assert [name for name in before if not same(before[name], after[name])] == []


def test_what_is_absent_or_nan_comes_back_so() -> None:
    z, y = clouds(3, 3)
    lone = summarise(snapshot_of(z, y))
    arrays, meta = to_arrays(lone)
    back: Summary = from_arrays(arrays, json.loads(json.dumps(meta, allow_nan=False)))
    assert back.weights is None
    assert back.roc_unseen is None
    assert np.isnan([back.roc.auc, back.points.trustworthiness]).all()
    assert len(back.roc.fpr) == 0


def test_other_dataclasses_go_the_same_way() -> None:
    arrays, meta = to_arrays(Mark(3, "loss.temperature = 0.2"))
    assert arrays == {}
    assert flat(from_arrays(arrays, meta, Mark)) == {"()": Mark, "step": 3, "text": "loss.temperature = 0.2"}


def test_a_file_keeps_every_frame_as_exactly_as_it_says(tmp_path: Path) -> None:
    save_summaries(tmp_path / "replay.safetensors", replay())
    back = load_summaries(tmp_path / "replay.safetensors")
    assert len(back) == 9
    assert [frame.step for frame in back] == [0, 5, 10] * 3
    compared = 0
    for old, new in zip(replay(), back, strict=True):
        before, after = flat(old), flat(new)
        assert list(before) == list(after)
        for name, value in before.items():
            read = after[name]
            if not isinstance(value, np.ndarray):
                assert same(value, read), name
            elif value.dtype.kind == "f" and value.size:
                assert read.dtype == value.dtype
                top = float(np.nanmax(np.abs(value), initial=0))
                tolerance = {"rel": 2**-11, "abs": 6e-8 * top} if name in HALF else {"rel": 6e-8, "abs": 1e-30}
                assert read == pytest.approx(value, nan_ok=True, **tolerance), name
                compared += 1
            else:
                assert same(value, read), name
    assert compared > 200
    assert [path.name for path in tmp_path.iterdir()] == ["replay.safetensors"]


def test_whole_numbers_come_back_whatever_their_size(tmp_path: Path) -> None:
    frame = replay()[0]
    for top in (200, 60_000, 4_000_000_000, 2**40, -5):
        item = np.arange(500) + (top - 499)
        moved = dataclasses.replace(frame, points=dataclasses.replace(frame.points, item=item))
        save_summaries(tmp_path / "one.safetensors", [moved])
        assert same(load_summaries(tmp_path / "one.safetensors")[0].points.item, item)


def test_a_replay_of_two_lanes_stays_small(tmp_path: Path) -> None:
    frames = []
    snapshot = trained()
    base = summarise(snapshot)
    rng = np.random.default_rng(0)
    for k in range(20):
        # As in a real recording, the numbers of each frame are new and the items are the same.
        points = dataclasses.replace(base.points, xy=rng.normal(size=(500, 2)).astype(np.float32))
        assert base.weights is not None
        weights = dataclasses.replace(
            base.weights,
            **{name: rng.normal(size=getattr(base.weights, name).shape) for name in ("heat", "dot_weight")},
        )
        curves = {
            name: dataclasses.replace(
                getattr(base, name), fpr=rng.random(200), tpr=rng.random(200), threshold=rng.random(200)
            )
            for name in ("roc", "roc_unseen")
        }
        frames.append(dataclasses.replace(base, step=k, points=points, weights=weights, **curves))
    save_summaries(tmp_path / "replay.safetensors", frames)
    # 25 kB a frame: 120 frames stay below 3 MB.
    assert (tmp_path / "replay.safetensors").stat().st_size < 20 * 25_000


def test_a_header_in_plain_json_is_read_as_ever(tmp_path: Path) -> None:
    save_summaries(tmp_path / "new.safetensors", replay())
    with safe_open(tmp_path / "new.safetensors", "numpy") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        header = file.metadata()["losslab"]
    plain = zlib.decompress(b64decode(header)).decode()
    assert json.loads(plain)["version"] == 1
    assert len(header) < len(plain) / 4
    save_file(tensors, tmp_path / "old.safetensors", {"losslab": plain})
    old, new = (load_summaries(tmp_path / f"{name}.safetensors") for name in ("old", "new"))
    assert len(old) == 9
    assert [frame.config for frame in old] == [frame.config for frame in new]
    assert all(same(a.points.xy, b.points.xy) for a, b in zip(old, new, strict=True))
    save_file(tensors, tmp_path / "odd.safetensors", {"losslab": "no header"})
    with pytest.raises(ValueError, match="header cannot be unpacked"):
        load_summaries(tmp_path / "odd.safetensors")


def test_no_frames_are_a_file_too(tmp_path: Path) -> None:
    save_summaries(tmp_path / "none.safetensors", [])
    assert load_summaries(tmp_path / "none.safetensors") == []


def test_what_is_no_recording_says_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="missing"):
        load_summaries(tmp_path / "gone.safetensors")
    (tmp_path / "torn.safetensors").write_bytes(b"\x10")
    with pytest.raises(ValueError, match="not a whole recording"):
        load_summaries(tmp_path / "torn.safetensors")
    save_file({"a": np.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="version none"):
        load_summaries(tmp_path / "other.safetensors")
    save_summaries(tmp_path / "half.safetensors", replay())
    whole = (tmp_path / "half.safetensors").read_bytes()
    (tmp_path / "half.safetensors").write_bytes(whole[:-100])
    with pytest.raises(ValueError, match="not a whole recording"):
        load_summaries(tmp_path / "half.safetensors")
