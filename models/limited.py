"""Processes for what is not trusted: a fresh interpreter, next to no environment, a group that can be ended as one."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from threading import Lock

ROOT = Path(__file__).parents[1]


class Family:
    """All processes that one piece of work starts, so that whoever gives it up can end them."""

    def __init__(self) -> None:
        self._children: list[subprocess.Popen[bytes]] = []
        self._ended = False
        self._lock = Lock()

    def add(self, child: subprocess.Popen[bytes]) -> None:
        """One more; ended at once if the work has been given up."""
        with self._lock:
            self._children.append(child)
            if self._ended:
                kill(child)

    def end(self) -> None:
        """End those that run, and all that are started from now on."""
        with self._lock:
            self._ended = True
            for child in self._children:
                kill(child)


_FAMILY: ContextVar[Family | None] = ContextVar("family", default=None)


@contextmanager
def belonging_to(family: Family) -> Iterator[None]:
    """What this thread starts within belongs to the family."""
    token = _FAMILY.set(family)
    try:
        yield
    finally:
        _FAMILY.reset(token)


def start(
    module: str, folder: str, *, files: Sequence[int] = (), more: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """`python -m module` in an empty folder; it inherits the open files named, standard input and output, no more."""
    environment = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "HOME": folder}
    child = subprocess.Popen(
        [sys.executable, "-m", module],
        cwd=folder,
        env={**environment, **(more or {})},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        pass_fds=tuple(files),
    )
    family = _FAMILY.get()
    if family is not None:
        family.add(child)
    return child


def kill(child: subprocess.Popen[bytes]) -> None:
    """The whole group, in case it has started others."""
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)


def end(child: subprocess.Popen[bytes]) -> None:
    """It has closed its output: give it a moment to end by itself, so that its exit code tells the reason."""
    try:
        child.wait(1.0)
    except subprocess.TimeoutExpired:
        kill(child)
        child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None and not pipe.closed:
            pipe.close()
