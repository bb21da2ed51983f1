"""Files are opened here and nowhere else, and parsed in a process that the kernel and a clock keep within limits."""

import json
import os
import signal
import stat
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from subprocess import Popen
from typing import IO, Any

from models import limited
from models.reading import sniff, wire
from models.reading.refused import MEBIBYTE, Limits, Refused, shown

START_S = 60.0  # to import what reads, on a busy machine
_BASE_MB, _RATIO = 384, 200  # memory a small file may take, and what a byte of a larger one may grow to
_MOST_ANSWER = 3 << 30
RUNS_MODEL = ("onnx", "encoder", "sentences")  # tasks that run what a user brought
_QUIET = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",  # others reserve addresses far beyond what is used
    "HDF5_PLUGIN_PRELOAD": "::",  # no filters from folders of this machine
    "PYTHONWARNINGS": "ignore",
}


@dataclass(frozen=True)
class Source:
    """A file that has passed the checks of size, name and first bytes."""

    path: Path
    name: str  # as shown and as its kind is taken from
    kind: str  # .npy, .csv, ...
    length: int  # bytes


@dataclass(frozen=True, eq=False)
class Answer:
    """What the process said: plain values, and columns by name."""

    told: Any
    columns: dict[str, wire.Values]


def source(path: Path, name: str, accepted: tuple[str, ...], limits: Limits) -> Source:
    """Look at a file without parsing it; raises Refused (E101 to E110, E127, E401)."""
    shown_name = name or path.name
    with os.fdopen(_open(path, shown_name), "rb") as file:
        length = os.fstat(file.fileno()).st_size
        head = file.read(sniff.HEAD)
    return Source(path, shown_name, sniff.check(shown_name, length, head, accepted, limits), length)


def _open(path: Path, name: str) -> int:
    """A descriptor of a regular file; a pipe or device is neither waited for nor read."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise Refused("E401", f"{shown(name)} is a folder. Name a file.")
        if not stat.S_ISREG(mode):
            raise Refused("E401", f"{shown(name)} is not a regular file. Save the data to a file first.")
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise Refused("E401", f"No such file: {shown(name)}. Check the path.") from None
    except Refused:
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "its name cannot be used"
        raise Refused("E401", f"{shown(name)} cannot be opened: {reason}. Check its rights and its name.") from None
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise Refused("E401", f"{shown(name)} is not a regular file. Save the data to a file first.")
    return number


def ask(task: str, sources: Sequence[Source], options: Mapping[str, Any], limits: Limits) -> Answer:
    """Let a process of its own do one task over the files; raises Refused with what the process or its end says."""
    memory_mb = min(limits.memory_mb, _BASE_MB + _RATIO * sum(one.length for one in sources) // MEBIBYTE)
    if task in RUNS_MODEL:
        memory_mb = limits.memory_mb  # what a model needs does not follow from its file
    with ExitStack() as stack:
        files = [_open(one.path, one.name) for one in sources]
        for number in files:
            stack.callback(os.close, number)
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="losslab-read-"))
        child = limited.start("models.reading.worker", folder, files=files, more=_QUIET)
        stack.callback(limited.end, child)
        order = {
            "task": task,
            "files": files,
            "options": {**options, "sources": [[one.name, one.kind, one.length] for one in sources]},
            "limits": asdict(limits),
            "memory_mb": memory_mb,
        }
        told, columns = _answer(child, order, sources[0].name, limits)
    if "refused" in told:
        raise Refused(*map(str, told["refused"]))
    if "told" not in told:
        raise _broken(sources[0].name, told, memory_mb, model=task in RUNS_MODEL)
    return Answer(told["told"], columns)


def _answer(
    child: Popen[bytes], order: dict[str, Any], name: str, limits: Limits
) -> tuple[dict[str, Any], dict[str, wire.Values]]:
    late = threading.Timer(START_S + limits.seconds, limited.kill, (child,))
    late.start()
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        _send(child.stdin, order)
        return wire.read(child.stdout, _MOST_ANSWER)
    except EOFError:
        limited.end(child)
        raise _ended(name, child.returncode, limits, model=order["task"] in RUNS_MODEL) from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, Refused):
            raise
        limited.kill(child)
        raise Refused("E104", f"{shown(name)} could not be read: the reader was disturbed. Export it again.") from None
    finally:
        late.cancel()


def _send(pipe: IO[bytes], order: dict[str, Any]) -> None:
    try:
        pipe.write(json.dumps(order).encode() + b"\n")
        pipe.close()
    except BrokenPipeError:  # it has ended already; its exit code says why
        return


def _broken(name: str, told: Mapping[str, Any], memory_mb: int, *, model: bool) -> Refused:
    if told.get("memory") and model:
        return Refused("E175", f"The model was stopped: it asked for more than {memory_mb:,} MB. Use fewer rows.")
    if told.get("memory"):
        mend = "Use fewer rows, or float16."
        return Refused("E129", f"{shown(name)} was not read: it asked for more than {memory_mb:,} MB. {mend}")
    kind = shown(told.get("broken", "unknown"), 40)
    return Refused("E104", f"{shown(name)} is damaged or of a form not known here ({kind}). Copy or export it again.")


def _ended(name: str, code: int | None, limits: Limits, *, model: bool) -> Refused:
    late = code in (-signal.SIGXCPU, -signal.SIGKILL)
    if model:
        why = f"it ran longer than {limits.seconds:g} s" if late else f"it ended its process (exit code {code})"
        return Refused("E175", f"The model was stopped: {why}. Use fewer rows, or a smaller model.")
    if late:
        mend = "Use fewer rows, or .npy instead of .csv."
        return Refused("E129", f"{shown(name)} was not read: it took longer than {limits.seconds:g} s. {mend}")
    return Refused(
        "E104", f"{shown(name)} is damaged: reading it ended the reader (exit code {code}). Export it again."
    )
