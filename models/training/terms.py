"""What each loss of a mixture alone would do to the probe, as arrays."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch

from models.diagnostics.mixture import term_measures
from models.geometry import Embeddings, Scores
from models.mixture import Mixture
from models.objective import Objective
from models.snapshot import Terms
from models.training.config import Part


def weights_of_terms(objective: Objective, scores: Scores, anchors: Embeddings, rows: int | None) -> np.ndarray | None:
    """(t, n, m) signed dL/ds of each term times its weight, of the first `rows` anchors; None if it is no mixture."""
    mixed = objective.own
    if not isinstance(mixed, Mixture):
        return None
    found = []
    for label in mixed.weights():
        with mixed.only(label):
            found.append(objective.weights(scores, anchors)[:rows].cpu().numpy())
    return np.stack(found)


def look_at_terms(objective: Objective, towers: Callable[[], Sequence[Embeddings]], seen: np.ndarray) -> Terms | None:
    """Gradient of each term at the embeddings of these towers taken as one batch; None if the loss is no mixture.

    seen: which rows of a tower are of trained classes, all that a loss of proxies or logits can read. No gradient where
    there is no tower. Worked on a copy with its own chance: a loss that remembers its batches, or draws, goes on as if
    nobody had looked.
    """
    if not isinstance(objective.own, Mixture):
        return None
    weights = objective.own.weights()
    names, coefficient = tuple(weights), np.array(list(weights.values()))
    parts = towers()
    if not parts:
        return Terms(names, coefficient, None)
    rows = slice(None) if objective.spec.reads == "scores" else torch.from_numpy(seen).to(parts[0].y.device)
    batch = _joined([Embeddings(p.z[rows], p.y[rows], None if p.instance is None else p.instance[rows]) for p in parts])
    with torch.random.fork_rng(devices=[]):
        return Terms(names, coefficient, np.stack([_gradient(_copy(objective), batch, label) for label in names]))


def measures_of_terms(
    objective: Objective, towers: Callable[[], Sequence[Embeddings]], seen: np.ndarray
) -> dict[str, float]:
    """What a run logs of these gradients, by name; nothing where the loss is no mixture."""
    return term_measures(look_at_terms(objective, towers, seen))


def _joined(parts: Sequence[Embeddings]) -> Embeddings:
    instances = [part.instance for part in parts if part.instance is not None]
    return Embeddings(
        torch.cat([part.z for part in parts]),
        torch.cat([part.y for part in parts]),
        torch.cat(instances) if instances else None,
    )


def _copy(objective: Objective) -> Objective:
    """A second one with the same knobs and state."""
    other = Objective(Part(objective.spec.key, tuple(objective.knobs.items())), objective.context)
    other.load_state_dict(objective.state_dict())
    return other


def _gradient(objective: Objective, batch: Embeddings, label: str) -> np.ndarray:
    objective = objective.to(batch.z.device)
    z = batch.z.detach().clone().requires_grad_()
    with torch.enable_grad(), objective.own.only(label):  # type: ignore[union-attr,operator]
        value = objective(replace(batch, z=z))
    if not value.requires_grad:
        return np.zeros(z.shape, np.float32)
    (gradient,) = torch.autograd.grad(value, z, allow_unused=True)
    found: np.ndarray = (torch.zeros_like(z) if gradient is None else gradient).cpu().numpy()
    return found
