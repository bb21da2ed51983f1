"""From a brush to all that the panels show of it, at 500 items (124,750 pairs), as a multiple of the scores alone.

Processor time on one thread, medians. The bound is S = Z Z^T of the same embeddings, measured in the same run.
"""

import json
import statistics
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch

from models.diagnostics.brushed import brushed
from models.diagnostics.cards import cards, nearest, trail
from models.diagnostics.class_matrix import class_matrix
from models.diagnostics.look import TRAINING, Look, look_of
from models.diagnostics.passport import passport
from models.diagnostics.radar import distances, radar
from models.diagnostics.threshold import Costs, best_threshold, confusion
from models.selection import ClassCell, ItemSet, RateBand, ScoreBand, Selection, heat_block, lassoed, resolve
from models.training.config import Part, RunConfig
from models.training.run import Run
from models.training.sample import training_snapshot

TURNS, STEPS = 15, 50
LOSSES = ("infonce", "supcon", "triplet", "contrastive")  # a lane each

Packed = tuple[dict[str, np.ndarray], dict[str, object]]


def milliseconds(work: Callable[[], object], turns: int = TURNS) -> float:
    """Median processor time, after one turn to warm up."""
    times = []
    for _ in range(turns + 1):
        start = time.process_time()
        work()
        times.append(1e3 * (time.process_time() - start))
    return statistics.median(times[1:])


def brushes(look: Look) -> dict[str, Selection]:
    """One of each kind, and the heaviest there is."""
    return {
        "scores above 0.6": Selection(ScoreBand("negative", 0.6, 1.0), among="seen"),
        "fpr below 10 %": Selection(RateBand("fpr", 0.0, 0.1), among="seen"),
        "one cell of classes": Selection(ClassCell(0, 1)),
        "block of 5 x 5 cells": Selection(heat_block(len(look.y), 50, (10, 14), (20, 24))),
        "lasso of 60 items": Selection(ItemSet(tuple(look.item[:60].tolist()))),
        "all pairs": Selection(ScoreBand("both", -1.0, 1.0)),
    }


def answer(packed: list[Packed], selection: Selection) -> None:
    """What a page does when a brush comes, with looks that nobody has asked anything yet: all lanes, and the cards."""
    looks = [Look.unpack(arrays, meta) for arrays, meta in packed]
    pairs = resolve(selection, looks[0])
    for look in looks:
        brushed(look, pairs, lassoed(selection, look))
    cards(looks[0], pairs)


def lanes() -> list[Run]:
    """Four losses, trained a little."""
    found = []
    for loss in LOSSES:
        run = Run(RunConfig(data=Part("digits", (("label_flips", 0.1),)), loss=Part(loss), steps=STEPS))
        run.advance(STEPS)
        found.append(run)
    return found


def main() -> Iterator[tuple[str, str]]:
    """Rows (what, figure) as they are measured."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    runs = lanes()
    snapshots = [run.snapshot() for run in runs]
    packed = [look_of(snapshot).pack() for snapshot in snapshots]
    look = look_of(snapshots[0])
    u = look.u
    bound = milliseconds(lambda: u @ u.T, 10 * TURNS)

    def times(work: Callable[[], object]) -> str:
        ms = milliseconds(work)
        return f"{ms:.1f} ms = {ms / bound:.0f} x S"

    yield "S = Z Z^T alone, 500 items", f"{bound:.2f} ms"
    size = sum(array.nbytes for array in packed[0][0].values()) + len(json.dumps(packed[0][1]))
    yield "look, on the wire", f"{size / 1e3:.0f} kB"
    yield "look of a snapshot", times(lambda: look_of(snapshots[0]))
    for name, selection in brushes(look).items():
        for count in (1, 4):
            yield f"{name}, {count} lanes with cards", times(lambda s=selection, c=count: answer(packed[:c], s))  # type: ignore[misc]
    everything = resolve(Selection(ScoreBand("both", -1.0, 1.0)), look)
    yield "passport of an anchor", times(lambda: passport(look, 7))
    yield "class against class", times(lambda: class_matrix(look))
    yield (
        "threshold: counts, best, 16 nearest",
        times(
            lambda: (
                confusion(look.pair_scores("seen"), 0.5),
                best_threshold(look.pair_scores("seen"), Costs()),
                nearest(look, 0.5),
            )
        ),
    )
    history = [Look.unpack(*packed[0]) for _ in range(20)]
    yield "trail of 24 pairs over 20 looks", times(lambda: trail(history, everything.take(np.arange(24)), history[0]))
    sample = look_of(training_snapshot(runs[0]), TRAINING)
    apart = distances(runs[0].data.source.x[runs[0].data.train[sample.item]])
    yield "radar of 500 training items", times(lambda: radar(sample, apart))
    torch.set_num_threads(before)
