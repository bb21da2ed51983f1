"""The limited process: what it may not do, what ends it, and the way its answer takes."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models import limited
from models.reading import child, wire
from models.reading.refused import PAGE, Limits, Refused
from models.reading.table import ACCEPTED, read_table
from tests.reading.helpers import made, npz

TRIALS = """
import ctypes, json, os, resource, socket, sys
sys.argv = ["-"]
from models.reading import worker
os.environ["SECRET"] = ""
worker.shut_in()
def tried(work):
    try:
        return repr(work())
    except Exception as error:
        return type(error).__name__
told = {"out": tried(lambda: socket.create_connection(("127.0.0.1", PORT), 2))}
sys.addaudithook(worker.forbid)
told["audited"] = tried(lambda: socket.create_connection(("127.0.0.1", PORT), 2))
told["write"] = tried(lambda: open("x", "w"))
told["start"] = tried(lambda: os.system("true"))
told["privileges"] = [line.split()[1] for line in open("/proc/self/status") if line.startswith("NoNewPrivs")]
print(json.dumps(told))
"""


def test_the_process_reaches_nothing(tmp_path: Path) -> None:
    import socket  # only to have a port that does answer

    with socket.create_server(("127.0.0.1", 0)) as server:
        text = TRIALS.replace("PORT", str(server.getsockname()[1]))
        done = subprocess.run(
            [sys.executable, "-c", text],
            capture_output=True,
            cwd=tmp_path,
            env={"PYTHONPATH": str(limited.ROOT)},
            check=True,
        )
    told = json.loads(done.stdout)
    assert told["out"] in ("OSError", "ConnectionRefusedError", "TimeoutError")  # a network without a way out
    assert (told["audited"], told["write"], told["start"]) == ("PermissionError",) * 3
    assert told["privileges"] == ["1"]
    assert list(tmp_path.iterdir()) == []


def test_a_child_gets_an_empty_folder_and_no_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    def spy(*arguments: Any, **options: Any) -> Any:
        seen.update(options, content=os.listdir(options["cwd"]))
        return started(*arguments, **options)

    started = subprocess.Popen
    monkeypatch.setenv("SECRET", "1")
    monkeypatch.setattr("models.limited.subprocess.Popen", spy)
    assert len(read_table(made(tmp_path, "a.csv", "a\n1\n"))) == 1
    assert seen["content"] == []
    assert "SECRET" not in seen["env"]
    assert seen["start_new_session"] is True
    assert len(seen["pass_fds"]) == 1
    assert not Path(seen["cwd"]).exists()


def test_want_of_memory_is_told(tmp_path: Path) -> None:
    path = made(tmp_path, "a.npz", npz(x=np.zeros((2000, 2000))))
    checked = child.source(path, "", ACCEPTED, PAGE)
    with pytest.raises(
        Refused, match=r"^E129 a.npz was not read: it asked for more than 20 MB. Use fewer rows, or float16.$"
    ):
        child.ask("table", [checked], {"lenient": False}, Limits(memory_mb=20))


def test_want_of_time_is_told(tmp_path: Path) -> None:
    path = made(tmp_path, "a.csv", "a,b,c\n" + "1.5,2.5,3.5\n" * 700_000)
    with pytest.raises(Refused, match=r"^E129 a.csv was not read: it took longer than 0 s."):
        read_table(path, limits=Limits(seconds=0))


def test_a_child_that_dies_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.limited.sys.executable", "/bin/false")
    with pytest.raises(Refused, match=r"^E104 a.csv is damaged: reading it ended the reader \(exit code 1\)."):
        read_table(made(tmp_path, "a.csv", "a\n1\n"))


def test_what_is_no_file_is_neither_waited_for_nor_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "folder.csv").mkdir()
    for name, words in (
        ("pipe.csv", "pipe.csv is not a regular file."),
        ("folder.csv", "folder.csv is a folder."),
        ("none.csv", "No such file: none.csv."),
        ("a\0.csv", "cannot be opened"),
    ):
        with pytest.raises(Refused) as caught:
            read_table(tmp_path / name)
        assert caught.value.code == "E401"
        assert words in caught.value.text
    with pytest.raises(Refused, match=r"^E401 null.csv is not a regular file."):
        read_table(Path("/dev/null"), "null.csv")


def sent(told: dict[str, Any], columns: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    wire.write(file, told, columns)
    return file.getvalue()


def test_the_answer_arrives_as_it_was_sent() -> None:
    columns = {
        "a": np.arange(6, dtype=">f4").reshape(2, 3).T,
        "b": np.array([True, False]),
        "c": ["x", "\u2028", "x", ""],
        "d": np.zeros((0, 3), np.int8),
        "e": np.float16([1.5]),
    }
    told, found = wire.read(io.BytesIO(sent({"n": 1, "t": ["é"]}, columns)), 1 << 20)
    assert told == {"n": 1, "t": ["é"]}
    assert list(found) == list(columns)
    assert found["c"] == columns["c"]
    for name in "abde":
        assert np.array_equal(found[name], columns[name])
        assert found[name].dtype == columns[name].dtype.newbyteorder("=")


def changed(**about: Any) -> bytes:
    raw = json.dumps(
        {
            "__metadata__": {"told": "{}", "texts": "{}"},
            "a": {"dtype": "U8", "shape": [2], "data_offsets": [0, 2], **about},
        }
    ).encode()
    return len(raw).to_bytes(8, "little") + raw + b"xy"


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b"\xff" * 8, ValueError),
        ((5).to_bytes(8, "little") + b"hello", ValueError),
        (changed(data_offsets=[1, 3]), ValueError),
        (changed(shape=[-2]), ValueError),
        (changed(dtype="PY"), KeyError),
        (changed(shape=[3], data_offsets=[0, 3]), EOFError),
        (changed(shape=[1 << 40], data_offsets=[0, 1 << 40]), Refused),
        (b"", EOFError),
    ],
)
def test_an_answer_is_not_believed(raw: bytes, error: type[Exception]) -> None:
    assert wire.read(io.BytesIO(changed()), 1 << 20)[1]["a"].tolist() == [120, 121]  # type: ignore[union-attr]
    with pytest.raises(error):
        wire.read(io.BytesIO(raw), 1 << 20)
