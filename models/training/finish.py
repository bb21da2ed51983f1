"""The numbers of a finished run: the same for the command line, a sweep and a table of runs."""

import numpy as np
import torch

from models.diagnostics.few_shot import few_shot
from models.diagnostics.final import final_metrics
from models.diagnostics.items import unit_rows
from models.diagnostics.prediction import f1, label_probe, mean_absolute_error, number_probe
from models.diagnostics.preference import preferences
from models.snapshot import Snapshot
from models.training.config import SAMPLERS
from models.training.run import Run


@torch.no_grad()
def finish(run: Run) -> dict[str, float]:
    """`final_metrics` of a run at this moment, and of what is to be predicted; changes nothing in it.

    The linear probe learns from the training items with their true labels: it asks what the embedding holds, and
    labels flipped on purpose are no part of that.
    """
    data, snapshot = run.data, run.snapshot()
    items = torch.from_numpy(data.source.x[data.train]).to(run.device)
    train_z = run.encoder(items).cpu().numpy()
    return final_metrics(snapshot, train_z, data.truth) | _predictions(run, snapshot, train_z) | _few_shot(run)


def _few_shot(run: Run) -> dict[str, float]:
    """Accuracy over episodes of novel classes, with its interval, where the sampler or the set is one of episodes.

    Classes, supports and queries of an episode are the sampler's, or its defaults; all items of novel classes may be
    drawn, because none was trained on. nan where fewer than two classes are novel.
    """
    data, sampler = run.data, run.config.sampler
    if sampler.key != "episodic" and data.source.novel is None:
        return {}
    knobs = sampler.values if sampler.key == "episodic" else {k.name: k.default for k in SAMPLERS["episodic"]}
    items = torch.from_numpy(data.source.x[data.novel]).to(run.device)
    z = run.encoder(items).cpu().numpy() if len(items) else np.empty((0, 1))
    sizes = {name: int(knobs[name]) for name in ("way", "shot", "query")}
    found = few_shot(z, data.source.y[data.novel], **sizes)
    told = {"accuracy": found.accuracy, "low": found.low, "high": found.high, "way": float(found.way)}
    return {f"few_shot_{name}": value for name, value in told.items()}


def _predictions(run: Run, snapshot: Snapshot, train_z: np.ndarray) -> dict[str, float]:
    """Error of numbers, or F1 of labels or of the second of two classes, on the probe's items of seen classes.

    `mae` and `f1` are of the loss's own head, where it predicts that; `_probe` of a linear probe on unit rows, as
    above. `mae_constant` is what always saying the median of the training numbers costs. `preference_accuracy` and
    `_margin` are of a policy's lead over its reference. Nothing for other data.
    """
    data, seen = run.data, snapshot.seen
    rows = unit_rows(train_z), unit_rows(snapshot.z[seen])
    head = run.objective.predict(torch.from_numpy(snapshot.z[seen]).to(run.device))
    own = None if head is None else head.cpu().numpy()
    predicts = run.objective.spec.target
    if data.source.target is None:
        if data.seen_classes != 2:
            return {}
        return _f1(own, rows, data.truth[:, None], snapshot.y[seen][:, None])
    train_target, target = data.source.target[data.train], data.source.target[data.probe[seen]]
    if data.source.answers:
        return _preferences(run, snapshot, target)
    if data.labels:
        return _f1(own if predicts == "multilabel" else None, rows, train_target, target)
    constant = np.full(len(target), np.median(train_target))
    told = {} if own is None or predicts != "real" else {"mae": mean_absolute_error(own, target)}
    told["mae_probe"] = mean_absolute_error(number_probe(rows[0], train_target, rows[1]), target)
    return told | {"mae_constant": mean_absolute_error(constant, target)}


def _preferences(run: Run, snapshot: Snapshot, target: np.ndarray) -> dict[str, float]:
    """How the policy stands to its reference on true preferences of the probe; nothing without a policy."""
    lens = snapshot.lens
    if run.objective.spec.target != "preference" or lens is None:
        return {}
    reference = np.take_along_axis(target[:, 2:], target[:, :2].astype(np.int64), axis=1)
    found = preferences(lens.s.astype(np.float64), reference)
    return {
        "preference_accuracy": found.accuracy,
        "preference_margin": found.margin,
        "preference_chosen": found.chosen,
        "preference_rejected": found.rejected,
    }


def _f1(
    own: np.ndarray | None, rows: tuple[np.ndarray, np.ndarray], train_labels: np.ndarray, labels: np.ndarray
) -> dict[str, float]:
    told = {} if own is None else {"f1": f1(own.reshape(labels.shape), labels)}
    return told | {"f1_probe": f1(label_probe(rows[0], train_labels, rows[1]), labels)}
