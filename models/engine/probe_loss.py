"""The loss of a run on its probe."""

import numpy as np
import torch

from models.geometry import Embeddings, Scores
from models.snapshot import Snapshot
from models.training.run import Run


@torch.no_grad()
def probe_loss(run: Run, snapshot: Snapshot) -> float:
    """The loss with its present knobs, on what it reads of the probe."""
    lens = snapshot.lens
    of_classes = lens is None or lens.candidates not in ("items", "second views", "other sides")
    chosen = snapshot.seen if of_classes else np.ones(len(snapshot.seen), bool)
    z, y = (torch.from_numpy(a[chosen]).to(run.device) for a in (snapshot.z, snapshot.y))
    scores = None
    if lens is not None and run.objective.spec.reads != "embeddings":  # a lens may hold less than such a loss reads
        graded = None if lens.target is None else torch.from_numpy(lens.target).to(run.device)
        s, pos, neg = (torch.from_numpy(a).to(run.device) for a in (lens.s, lens.pos, lens.neg))
        scores = Scores(s, pos, neg, graded)
    target = run.feed.probe_target(torch.from_numpy(chosen).to(run.device))
    return float(run.objective.read(scores, Embeddings(z, y, target=target)))
