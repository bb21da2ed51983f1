"""Trains what a lesson claims: every run over every seed, each claim judged by an interval over the seeds."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from math import isfinite, sqrt
from pathlib import Path

import numpy as np
from scipy.stats import t as student

from app.lesson import NOT_HERE, SHOWS, Claim, Lesson
from models.diagnostics import readings
from models.diagnostics.projection import pca_frame
from models.diagnostics.storage import save_summaries
from models.diagnostics.summarise import summarise
from models.diagnostics.summary import Summary
from models.training.config import RunConfig
from models.training.run import Run

UNDECIDED = "not distinguishable"
FRAMES = (0.0, 0.1, 0.3, 1.0)  # of the steps: the moments that a stored replay holds
CONFIDENCE = 0.95
Values = Mapping[str, Mapping[str, Sequence[float]]]  # run -> measure -> one number a seed


@dataclass(frozen=True)
class Measured:
    """All numbers of a lesson over its seeds, and the lesson text they belong to."""

    values: dict[str, dict[str, list[float]]]
    seeds: tuple[int, ...]
    seconds: float
    fingerprint: str


@dataclass(frozen=True)
class Judged:
    """One claim beside what was measured: the mean over seeds of left minus right, and its 95 % interval."""

    claim: Claim
    left: float
    right: float
    difference: float
    low: float
    high: float
    verdict: str  # shows, does not show here, or not distinguishable

    @property
    def agrees(self) -> bool:
        """True if the lesson says what was measured: only what shows may be claimed, and what shows must be."""
        return (self.verdict == SHOWS) == (self.claim.status == SHOWS)


def fingerprint(lesson: Lesson) -> str:
    """Twelve hexadecimal digits that change with a run, a claim or a question: older numbers are then not its own."""
    runs = [[run.name, json.loads(run.config.to_json())] for run in lesson.runs]
    claims = [
        [claim.measure, claim.left, claim.relation, claim.right, claim.within, claim.seeds] for claim in lesson.claims
    ]
    text = json.dumps([runs, claims, lesson.measures])
    return sha256(text.encode()).hexdigest()[:12]


def record(config: RunConfig, moments: Sequence[float] = FRAMES) -> list[Summary]:
    """Train a run and look at it at these shares of its steps; the last is what is measured.

    The map turns with the run, so that points keep their place. Raises Diverged if a number is not finite.
    """
    run, frame, shown = Run(config), None, []
    for moment in moments:
        run.advance(round(moment * config.steps) - run.step)
        snapshot = run.snapshot()
        frame = pca_frame(snapshot.z, frame)
        shown.append(summarise(snapshot, frame))
    return shown


def measure(lesson: Lesson, tell: Callable[[str], None]) -> tuple[Measured, list[Summary]]:
    """Train every run with every seed; also the frames of the first seed, run by run. tell: gets a line a run."""
    began = time.perf_counter()
    values: dict[str, dict[str, list[float]]] = {}
    replay: list[Summary] = []
    for run in lesson.runs:
        columns: dict[str, list[float]] = {name: [] for name in lesson.measures}
        for seed in lesson.seeds:
            first = seed == lesson.seeds[0]
            shown = record(replace(run.config, seed=seed), FRAMES if first else FRAMES[-1:])
            replay += shown if first else []
            for name, column in columns.items():
                column.append(readings.read(shown[-1], name))
        tell(f"{lesson.slug}: {run.name} trained over {len(lesson.seeds)} seeds")
        values[run.name] = columns
    return Measured(values, lesson.seeds, time.perf_counter() - began, fingerprint(lesson)), replay


def interval(numbers: Sequence[float]) -> tuple[float, float, float]:
    """Mean and its 95 % interval by Student's t; nan where a number is missing."""
    mean = float(np.mean(numbers))
    if len(numbers) < 2:
        return mean, mean, mean
    reach = float(student.ppf(0.5 + CONFIDENCE / 2, len(numbers) - 1) * np.std(numbers, ddof=1) / sqrt(len(numbers)))
    return mean, mean - reach, mean + reach


def judge(claim: Claim, measured: Measured) -> Judged:
    """The claim against the paired differences over its seeds: it shows if the whole interval lies on its side."""
    at = [measured.seeds.index(seed) for seed in claim.seeds]
    left = np.array(measured.values[claim.left][claim.measure])[at]
    if isinstance(claim.right, str):
        right = np.array(measured.values[claim.right][claim.measure])[at]
    else:
        right = np.full(len(at), claim.right)
    mean, low, high = interval((left - right).tolist())
    return Judged(claim, float(left.mean()), float(right.mean()), mean, low, high, _verdict(claim, low, high))


def _verdict(claim: Claim, low: float, high: float) -> str:
    if not (isfinite(low) and isfinite(high)):
        return UNDECIDED
    if claim.relation == "~":
        inside, outside = max(abs(low), abs(high)) < claim.within, low > claim.within or high < -claim.within
        return SHOWS if inside else NOT_HERE if outside else UNDECIDED
    towards, away = (low, high) if claim.relation == ">" else (-high, -low)
    return SHOWS if towards > 0 else NOT_HERE if away < 0 else UNDECIDED


def replay_path(folder: Path, lesson: Lesson) -> Path:
    """Where the recording of a lesson stands: among the app's assets, or beside lessons that stand elsewhere."""
    return folder.parent / "assets" / "lessons" / f"{lesson.number:02d}.safetensors"


def keep_replay(folder: Path, lesson: Lesson, frames: Sequence[Summary]) -> None:
    """Write the recording of a lesson."""
    path = replay_path(folder, lesson)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_summaries(path, [lean(frame, lesson.panels) for frame in frames])


def lean(frame: Summary, panels: Sequence[str]) -> Summary:
    """Without what no lesson draws: the heat map, the curve of unseen classes, and the replicates behind intervals.

    Of the points, the matrix of classes and the ROC curves only what the panels of the lesson draw.
    """
    none = np.empty(0, np.float32)
    unseen, weights, margins, points = frame.roc_unseen, frame.weights, frame.margins, frame.points
    roc = replace(frame.roc, replicates=none)
    if "map" not in panels:
        points = replace(points, xy=points.xy[:0], y=points.y[:0], item=points.item[:0], seen=points.seen[:0])
    if "roc" not in panels:
        roc = replace(roc, fpr=none, tpr=none, threshold=none)
        margins = margins and replace(margins, tpr=margins.tpr[:0])
    return replace(
        frame,
        classes=frame.classes if "classes" in panels else None,
        points=points,
        margins=margins,
        roc=roc,
        roc_unseen=unseen and replace(unseen, fpr=none, tpr=none, threshold=none, replicates=none),
        weights=weights and replace(weights, heat=np.empty((0, 0), np.float32), heat_class=none.astype(np.int64)),
    )


def save(path: Path, found: Mapping[str, Measured]) -> None:
    """The numbers of all lessons by slug, as JSON; nan is null."""
    rows = {slug: asdict(measured) for slug, measured in found.items()}
    for row in rows.values():
        row["values"] = {
            run: {name: [round(v, 6) if isfinite(v) else None for v in column] for name, column in columns.items()}
            for run, columns in row["values"].items()
        }
        row["seconds"] = round(row["seconds"], 1)
    path.write_text(json.dumps(rows, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def read(path: Path) -> dict[str, Measured]:
    """What `save` wrote; empty if there is no such file."""
    if not path.is_file():
        return {}
    rows = json.loads(path.read_text(encoding="utf-8"))
    return {
        slug: Measured(
            {
                run: {name: [float("nan") if v is None else v for v in column] for name, column in columns.items()}
                for run, columns in row["values"].items()
            },
            tuple(row["seeds"]),
            row["seconds"],
            row["fingerprint"],
        )
        for slug, row in rows.items()
    }
