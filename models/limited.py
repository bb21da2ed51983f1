"""Processes for what is not trusted: a fresh interpreter, next to no environment, a group that can be ended as one."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]


def start(
    module: str, folder: str, *, files: Sequence[int] = (), more: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """`python -m module` in an empty folder; it inherits the open files named, standard input and output, no more."""
    environment = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "HOME": folder}
    return subprocess.Popen(
        [sys.executable, "-m", module],
        cwd=folder,
        env={**environment, **(more or {})},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        pass_fds=tuple(files),
    )


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
