"""The numbers of a finished run: the same for the command line, a sweep and a table of runs."""

import torch

from models.diagnostics.final import final_metrics
from models.training.run import Run


@torch.no_grad()
def finish(run: Run) -> dict[str, float]:
    """`final_metrics` of a run at this moment; changes nothing in it.

    The linear probe learns from the training items with their true labels: it asks what the embedding holds, and
    labels flipped on purpose are no part of that.
    """
    data = run.data
    items = torch.from_numpy(data.source.x[data.train]).to(run.device)
    return final_metrics(run.snapshot(), run.encoder(items).cpu().numpy(), data.truth)
