"""Boards on disk: the packed state of every lane and one small file that says which lanes a board has."""

import json
import logging
import re
import shutil
import threading
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from models.engine.history import outdated
from models.engine.lane import Packed
from models.training.config import RunConfig
from models.training.keep import MANIFEST, write_atomic, write_packed

BOARD, HISTORY = "board.json", "history"
_ID = re.compile(r"[a-z0-9-]{1,64}")
_LOG = logging.getLogger("losslab")


@dataclass(frozen=True)
class Stored:
    """A board found on disk."""

    board_id: str
    step: int  # of its clock, when last written
    lanes: tuple[tuple[str, RunConfig], ...]  # lane id and config
    saved: float  # seconds since the epoch


@dataclass(frozen=True, eq=False)
class Past:
    """States of a lane to keep beside its last: new ones, and the steps of all that stay."""

    steps: tuple[int, ...]
    new: tuple[Packed, ...]


class Keeper:
    """Writes checkpoints in a thread of its own, since a flush to disk may take longer than a slice of training.

    Of several states of one lane that wait, only the newest is written.
    """

    def __init__(self, folder: Path) -> None:
        """folder: where boards lie, one folder each."""
        self._folder = folder
        self._waiting: dict[tuple[str, str], Packed | str | Past] = {}
        self._changed = threading.Condition()
        self._busy = False
        self._closed = False
        self.problem = ""  # why the last write failed; empty if it did not
        self._thread = threading.Thread(target=self._write_all, name="checkpoints", daemon=True)
        self._thread.start()

    def put(self, board_id: str, lane_id: str, packed: Packed) -> None:
        """Have one lane's state written soon."""
        self._add((board_id, lane_id), packed)

    def put_board(self, board_id: str, step: int, lanes: list[tuple[str, RunConfig]]) -> None:
        """Have the list of a board's lanes written soon, after the states that wait already."""
        about = {
            "step": step,
            "lanes": [{"id": lane, "config": json.loads(config.to_json())} for lane, config in lanes],
        }
        self._add((board_id, ""), json.dumps(about, indent=1))

    def put_past(self, board_id: str, lane_id: str, past: "Past") -> None:
        """Have a lane's earlier states written soon; those that are not listed go."""
        self._add((board_id, f"{lane_id}/{HISTORY}"), past)

    def past(self, board_id: str, lane_id: str, step: int) -> Packed | None:
        """A lane's state of this step, as kept; None if there is none."""
        self.flush()
        return read_past(board_folder(self._folder, board_id) / lane_id / HISTORY, step)

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Wait until all that was put is on disk; False if that took too long."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._busy, timeout_s)

    def close(self) -> None:
        """Write what waits, then end."""
        self.flush()
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(5.0)

    def _add(self, key: tuple[str, str], what: "Packed | str | Past") -> None:
        with self._changed:
            before = self._waiting.pop(key, None)
            if isinstance(before, Past) and isinstance(what, Past):
                what = replace(what, new=(*before.new, *what.new))
            self._waiting[key] = what
            self._changed.notify_all()

    def _write_all(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    return
                key = next(iter(self._waiting))
                what, self._busy = self._waiting.pop(key), True
            try:
                self._write(*key, what)
                self.problem = ""
            except OSError as error:
                self.problem = f"Checkpoints cannot be written ({error.strerror}); training goes on without them."
                _LOG.warning("checkpoint: %s", error)

    def _write(self, board_id: str, lane_id: str, what: "Packed | str | Past") -> None:
        folder = board_folder(self._folder, board_id)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if isinstance(what, str):
            write_atomic(folder / BOARD, what.encode())
            listed = {lane["id"] for lane in json.loads(what)["lanes"]}
            for gone in [path for path in folder.iterdir() if path.is_dir() and path.name not in listed]:
                shutil.rmtree(gone)
        elif isinstance(what, Past):
            write_past(folder / lane_id, what)
        else:
            write_packed(folder / lane_id, what.payload, what.manifest)


def write_past(folder: Path, past: Past) -> None:
    """Each state as two files, the manifest last: whoever finds one finds a whole state. Those not listed go."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for packed in past.new:
        if packed.step in past.steps:
            write_atomic(folder / f"{packed.step:08d}.safetensors", packed.payload)
            write_atomic(folder / f"{packed.step:08d}.json", packed.manifest.encode())
    for path in folder.iterdir():
        if path.stem.isdecimal() and int(path.stem) not in past.steps:
            path.unlink(missing_ok=True)


def read_past(folder: Path, step: int) -> Packed | None:
    """The state of this step; None if it is not there. Its checksum is looked at where it is unpacked."""
    state = folder / f"{step:08d}.safetensors"
    try:
        return Packed(state.read_bytes(), state.with_suffix(".json").read_text(encoding="utf-8"), step)
    except FileNotFoundError:
        return None


def purge(folder: Path, spared: Collection[str], now: float) -> list[str]:
    """Delete boards on disk that are outdated, but none of `spared`; returns their ids. now: seconds of the epoch."""
    saved = {board: (folder / board / BOARD).stat().st_mtime for board in stored_ids(folder) if board not in spared}
    gone = outdated(saved, now)
    for board in gone:
        shutil.rmtree(board_folder(folder, board), ignore_errors=True)
    return gone


def board_folder(folder: Path, board_id: str) -> Path:
    """Where a board lies; raises ValueError on an id that is none, so that no id leads elsewhere."""
    if not _ID.fullmatch(board_id):
        raise ValueError("no such board")
    return folder / board_id


def stored(folder: Path, board_id: str) -> Stored | None:
    """What is on disk of a board; None if nothing is. Raises ValueError if it cannot be read."""
    path = board_folder(folder, board_id) / BOARD
    if not path.is_file():
        return None
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        lanes = tuple((str(lane["id"]), RunConfig.from_json(json.dumps(lane["config"]))) for lane in about["lanes"])
        if not all(_ID.fullmatch(lane) for lane, _ in lanes):
            raise ValueError("a lane's name is none")
        return Stored(board_id, int(about["step"]), lanes, path.stat().st_mtime)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"the board {board_id} on disk cannot be read: {error}") from None


def stored_ids(folder: Path) -> list[str]:
    """Ids of all boards on disk, the last written first."""
    found = [path.parent for path in folder.glob(f"*/{BOARD}") if _ID.fullmatch(path.parent.name)]
    return [path.name for path in sorted(found, key=lambda path: -(path / BOARD).stat().st_mtime)]


def last_packed(folder: Path, board_id: str, lane_id: str, config: RunConfig) -> Packed | None:
    """A lane's last checkpoint as written; None if it has none that leads to this config.

    Its checksum is looked at where it is unpacked. Raises ValueError if the manifest cannot be read.
    """
    lane = board_folder(folder, board_id) / lane_id
    try:
        manifest = (lane / MANIFEST).read_text(encoding="utf-8")
        about = json.loads(manifest)
        step, was = int(about["step"]), RunConfig.from_json(json.dumps(about["config"]))
        if was.until(step) != config.until(step):  # the lane was reset, and its new state not written yet
            return None
        return Packed((lane / Path(str(about["state"])).name).read_bytes(), manifest, step)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"the checkpoint of lane {lane_id} of board {board_id} cannot be read") from None
