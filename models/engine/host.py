"""The engine's own process: scheduler and workers on this machine, ended by the closing of its standard input.

Started as `python -m models.engine.host` by `models.engine.cluster`: workers are then children of this small module,
so no worker ever runs the page again, and a server that dies, however it dies, takes them along.

Reads one JSON line from its input ({"workers", "side_workers", "own_workers", "own", "nice", "folder"}) and writes one
to its output ({"address"}) as soon as work is accepted. A further line on its input says that the workers are warm.
"""

import json
import logging
import multiprocessing
import os
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import dask
from distributed import Nanny, Scheduler, SpecCluster
from distributed.utils import get_mp_context

from models.engine.warm import NICE, OWN_LOSS, OWN_VARIABLE, SIDE, TRAIN

LOOPBACK = "127.0.0.1"
PRELOAD = "models.engine.preload"  # by name: this process needs no torch
CLOSE_S = 4.0
_PLENTY = 1_000_000
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
# Where forking is sound, the slow imports are done once and shared: three workers are ready in the time of one.
_FORKS = sys.platform == "linux"
_CONFIG = {
    "distributed.worker.profile.enabled": False,  # samples every thread's stack 100 times a second otherwise
    "distributed.scheduler.work-stealing": False,
    "distributed.comm.timeouts.connect": "5s",
    "distributed.nanny.pre-spawn-environ": _ONE_THREAD,
    "distributed.worker.multiprocessing-method": "forkserver" if _FORKS else "spawn",
}


def names(workers: int, side_workers: int, own_workers: int = 0) -> dict[str, str]:
    """Worker name to what it is for."""
    training = {f"train-{index}": TRAIN for index in range(workers)}
    side = {f"map-{index}": SIDE for index in range(side_workers)}
    return training | side | {f"own-{index}": OWN_LOSS for index in range(own_workers)}


def build(purposes: Mapping[str, str], folder: str, own: str = "") -> SpecCluster:
    """Scheduler and workers, every port on loopback, one thread each. own: the limits of workers for own losses."""
    bound = {"host": LOOPBACK, "dashboard_address": f"{LOOPBACK}:0"}
    options = {**bound, "nthreads": 1, "local_directory": folder, "memory_limit": "4GB"}
    spec = {name: {"cls": Nanny, "options": {**options, **_of(purpose, own)}} for name, purpose in purposes.items()}
    scheduler = {"cls": Scheduler, "options": {**bound, "port": 0, "dashboard": False}}
    return SpecCluster(workers=spec, scheduler=scheduler, silence_logs=logging.ERROR)


def _of(purpose: str, own: str) -> dict[str, Any]:
    """What a worker has for its purpose alone."""
    resources = {purpose: _PLENTY if purpose == TRAIN else 1}
    return {"resources": resources, "env": {OWN_VARIABLE: own}} if purpose == OWN_LOSS else {"resources": resources}


def yield_session(nice: int, file: Path = Path("/proc/self/autogroup")) -> None:
    """Let this session's processes yield to those of others; does nothing where the system does not share by session.

    Linux may divide the processors among sessions first: then a worker's own niceness counts for nothing against the
    server and the browser, which live in other sessions than the workers.
    """
    if os.getsid(0) == os.getpid():  # else it is a session that other programs share
        with suppress(OSError):  # no such file, or not ours to write
            file.write_text(str(nice))


def share_imports() -> None:
    """Name what the process that workers are forked from imports; it starts with the first worker."""
    if _FORKS:
        os.environ.update(_ONE_THREAD)  # that process has no environment of its own
        get_mp_context()  # names what Dask would have imported there, before we name ours
        multiprocessing.set_forkserver_preload([PRELOAD])


def main() -> None:
    """Serve until standard input closes; yield to other programs once a line on it says so."""
    order = json.loads(sys.stdin.readline())
    with dask.config.set({**_CONFIG, NICE: order["nice"]}):  # workers inherit it, those that replace a lost one too
        share_imports()
        purposes = names(order["workers"], order["side_workers"], order["own_workers"])
        cluster = build(purposes, order["folder"], order["own"])
        sys.stdout.write(json.dumps({"address": cluster.scheduler_address}) + "\n")
        sys.stdout.flush()
        for _ in sys.stdin:  # until the parent closes its end or is gone
            yield_session(order["nice"])
    # A worker deep in a long call must not keep us: its parent pipe ends it when this process goes.
    threading.Timer(CLOSE_S, os._exit, (0,)).start()
    cluster.close(timeout=CLOSE_S)
    os._exit(0)


if __name__ == "__main__":
    main()
