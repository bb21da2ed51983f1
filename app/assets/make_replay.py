"""Make the stored recording that the lab opens on: `python -m app.assets.make_replay`, from the app's own runs."""

import sys

import torch

from app.address import default_setup
from app.view import REPLAY
from models.diagnostics.projection import pca_frame
from models.diagnostics.storage import save_summaries
from models.diagnostics.summarise import summarise
from models.diagnostics.summary import Summary
from models.training.run import Run

# Closely while much happens, then wider: half a minute of recording, 300 steps of training.
STEPS = (*range(11), *range(12, 41, 2), *range(45, 101, 5), *range(110, 201, 10), *range(220, 301, 20))


def record() -> list[Summary]:
    """Both lanes of the default set-up, step after step; a lane's map turns with it, so points keep their place."""
    frames = []
    for config in default_setup().lanes:
        run, frame = Run(config), None
        for step in STEPS:
            run.advance(step - run.step)
            snapshot = run.snapshot()
            frame = pca_frame(snapshot.z, frame)
            frames.append(summarise(snapshot, frame))
    return frames


if __name__ == "__main__":
    torch.set_num_threads(1)
    made = record()
    save_summaries(REPLAY, made)
    sys.stdout.write(f"{len(made)} frames, {REPLAY.stat().st_size / 1e6:.1f} MB\n")
