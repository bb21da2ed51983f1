"""The process that reads one file: shuts itself in, does one order, answers on standard output, ends.

The order is a line of JSON: the task, open files by number, options. The modules that do tasks are listed here; what an
order cannot name cannot run.
"""

import ctypes
import json
import os
import sys
from importlib import import_module
from typing import IO, Any

from models import limits

TASKS = {
    "table": "models.reading.columns",
    "images": "models.reading.pictures",
    "arrays": "models.reading.matrices",
    "sides": "models.reading.sides",
    "weights": "models.reading.tensors",
    "shapes": "models.reading.graph",
    "onnx": "models.reading.inference",
    "encoder": "models.reading.own",
    "json": "models.reading.texts",
    "sentences": "models.reading.sentences",
}
_NO_NEW_PRIVILEGES = 38  # prctl(2)
_NEW_NETWORK, _NEW_USER = 0x40000000, 0x10000000  # unshare(2)
_NEVER = (
    "socket.",
    "subprocess.",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "pickle.",
)


def shut_in() -> None:
    """No new privileges and a network of its own without a way out, where the system allows it."""
    if not sys.platform.startswith("linux"):
        return
    library = ctypes.CDLL(None)
    library.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    if library.unshare(_NEW_NETWORK) != 0:
        library.unshare(_NEW_USER | _NEW_NETWORK)


def forbid(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook: while a file is read nothing connects, starts, unpickles, or writes."""
    if event.startswith(_NEVER):
        raise PermissionError(f"{event} is not allowed while a file is read")
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        raise PermissionError("no file is written while another is read")


def main() -> None:
    """Read the order, then answer; every error is answered too, in words."""
    answer = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (1, 2):
        os.dup2(nowhere, number)
    shut_in()
    order = json.loads(sys.stdin.readline())
    from models.reading import wire  # NumPy starts threads: only after a namespace has been made

    told, columns = _done(order)
    wire.write(answer, told, columns)
    answer.close()
    os._exit(0)  # libraries that were stopped by a limit must not spoil the end


def _done(order: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    from models.reading.refused import Limits, Refused

    bounds = Limits(**order["limits"])
    files: list[IO[bytes]] = [os.fdopen(number, "rb") for number in order["files"]]
    try:
        module = import_module(TASKS[order["task"]])  # pyarrow, h5py or onnxruntime, whichever the task needs
        module.warm(order["options"])
        limits.limit_files()
        limits.limit_open(64)
        limits.limit_memory(order["memory_mb"])
        limits.limit_processor(int(bounds.seconds))
        sys.addaudithook(forbid)
        told, columns = module.task(files, order["options"], bounds)
    except Refused as error:
        return {"refused": [error.code, error.text]}, {}
    except MemoryError:
        return {"memory": True}, {}
    except Exception as error:  # a library met bytes that no check of ours foresaw
        return {"memory": True} if "allocat" in str(error).lower() else {"broken": type(error).__name__}, {}
    return {"told": told}, columns


if __name__ == "__main__":
    main()
