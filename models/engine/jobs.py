"""Work beside the live lanes, as pure functions of JSON and arrays: a repeat gives the same numbers, anywhere."""

from dataclasses import dataclass

import numpy as np
from distributed import get_worker

from models.catalogue import discover
from models.diagnostics.projection import trustworthiness, umap_layout
from models.diagnostics.summarise import summarise
from models.diagnostics.summary import Points, Summary
from models.engine.guard import guard_of
from models.engine.lane import TURN, Probe, final_metrics, rehearse, settle_process
from models.training.config import RunConfig
from models.training.run import Diverged, Run

_SLICE = 50  # steps between two looks at whether the job is still wanted
_WARM_STEPS = 2


@dataclass(frozen=True, eq=False)
class Outcome:
    """One run trained to its end, or to where it diverged."""

    config: str  # RunConfig as JSON
    step: int
    summary: Summary | None  # None if it was cancelled or never had a finite step
    metrics: dict[str, float]  # loss of the last step, then the light measures
    message: str  # why it stopped early; empty if it did not


def train(config: str, steps: int) -> Outcome:
    """Train a config that many steps from scratch."""
    settle_process()
    made = RunConfig.from_json(config)
    rehearse(made)
    guard = guard_of(made, f"job-{made.config_id}")
    with TURN, guard:
        run = Run(made)
    message = ""
    while run.step < steps and not message:
        if cancelled():
            return Outcome(config, run.step, None, {}, "Cancelled.")
        try:
            for portion in guard.portions(min(_SLICE, steps - run.step)):
                with TURN, guard:
                    run.advance(portion)
        except Diverged as found:
            message = str(found)
    with TURN, guard:
        return Outcome(config, run.step, summarise(run.snapshot()), final_metrics(run), message)


def cancelled() -> bool:
    """True if nobody waits for the task that runs in this thread any more; Dask itself never stops a running task."""
    try:
        worker = get_worker()
    except ValueError:  # called as a plain function
        return False
    task = worker.state.tasks.get(worker.get_current_task())
    return task is None or task.state == "cancelled"


def umap_points(probe: Probe, previous: np.ndarray | None) -> Points:
    """UMAP of a probe, started from the previous layout where there is one."""
    xy = umap_layout(probe.z, previous)
    trust = trustworthiness(probe.z, xy)
    return Points(xy.astype(np.float32), probe.y, probe.item, probe.seen, "UMAP", trust)


def warm_training() -> None:
    """What the first run in a process would wait for: imports, the optimiser's compiler, the catalogue, the data."""
    for package in ("losses", "methods", "data", "encoders"):
        discover(package)
    train(RunConfig(steps=_WARM_STEPS).to_json(), _WARM_STEPS)


def warm_side() -> None:
    """The same for a side worker, and UMAP's compiled functions, both from scratch and from a previous layout."""
    warm_training()
    z = np.random.default_rng(0).standard_normal((64, 8))
    rows = np.arange(len(z))
    probe = Probe(z, rows % 4, rows, rows >= 0, 0)
    umap_points(probe, umap_points(probe, None).xy)
