"""Files made for a test, and readers run without their process, which takes a fraction of the time."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.reading.child import source
from models.reading.refused import PAGE, Limits, Refused
from models.reading.worker import TASKS

SMALL = Limits(rows=50, columns=20, matrix_bytes=1 << 20)  # reached with files of a few kilobytes


def made(folder: Path, name: str, content: bytes | str) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def inside(
    task: str,
    paths: Sequence[Path],
    accepted: tuple[str, ...],
    options: Mapping[str, Any] | None = None,
    limits: Limits = PAGE,
) -> tuple[Any, dict[str, Any]]:
    """What the process would answer, from this one: the same checks and the same code, without its limits."""
    sources = [source(path, "", accepted, limits) for path in paths]
    files = [path.open("rb") for path in paths]
    told = {"sources": [[one.name, one.kind, one.length] for one in sources], **(options or {})}
    try:
        answer: tuple[Any, dict[str, Any]] = import_module(TASKS[task]).task(files, told, limits)
    finally:
        for file in files:
            file.close()
    return answer


def refusal(
    task: str,
    paths: Sequence[Path],
    accepted: tuple[str, ...],
    options: Mapping[str, Any] | None = None,
    limits: Limits = PAGE,
) -> str:
    """The text of the refusal, code first; fails the test if the file is taken."""
    with pytest.raises(Refused) as caught:
        inside(task, paths, accepted, options, limits)
    assert str(caught.value) == f"{caught.value.code} {caught.value.text}"
    return str(caught.value)


def npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def npy(array: Any, *, objects: bool = False) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asanyarray(array), allow_pickle=objects)
    return file.getvalue()


def zipped(members: Mapping[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()
