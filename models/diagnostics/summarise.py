"""From a snapshot to all that the panels draw."""

import numpy as np

from models.diagnostics.bootstrap import REPLICATES
from models.diagnostics.class_profile import class_profile
from models.diagnostics.few_shot import EPISODES, few_shot
from models.diagnostics.histogram import histogram
from models.diagnostics.items import Items, items_of, label_pairs, pair_scores, snapshot_items
from models.diagnostics.margins import margin_profile
from models.diagnostics.mixture import mixture_profile
from models.diagnostics.neighbours import neighbours
from models.diagnostics.plane import plane
from models.diagnostics.projection import Frame, pca_frame, project, trustworthiness
from models.diagnostics.roc import roc
from models.diagnostics.spectrum import spectrum
from models.diagnostics.summary import (
    TRACE_POINTS,
    Curves,
    Mark,
    Points,
    RocCurve,
    ScoreHistogram,
    Summary,
)
from models.diagnostics.weights import weight_profile
from models.snapshot import Snapshot
from models.training.trace import TraceView

HURRIED_REPLICATES, HURRIED_EVERY, HURRIED_EPISODES = 100, 4, 100  # enough for a picture that stands half a second


def summarise(snapshot: Snapshot, frame: Frame | None = None, recent: Summary | None = None) -> Summary:
    """Everything the panels draw of one moment.

    frame: the PCA frame to draw the map in, kept by the caller so that points keep their place; None fits one here. To
    follow a run closely, refit with `pca_frame(snapshot.z, previous=frame)` now and then.
    recent: a summary of the same run a moment ago. Given, this one is made in half the time, for a picture that moves:
    the interval has fewer replicates, unseen classes fewer episodes, the spread of the weights is that of every fourth
    pair, and the trustworthiness of the map is taken over.
    """
    replicates, every = (REPLICATES, 1) if recent is None else (HURRIED_REPLICATES, HURRIED_EVERY)
    seen = snapshot_items(snapshot, snapshot.seen)
    scores, curve = _verification(seen, replicates)
    scores_unseen, roc_unseen, why = _unseen(snapshot, replicates)
    return Summary(
        step=snapshot.step,
        label=snapshot.label,
        config=snapshot.config.to_json(),
        scores=scores,
        scores_unseen=scores_unseen,
        roc=curve,
        roc_unseen=roc_unseen,
        plane=plane(seen),
        spectrum=spectrum(seen.u),
        neighbours=neighbours(seen),
        weights=weight_profile(snapshot, every),
        points=_points(snapshot, frame, recent),
        curves=thin(snapshot.trace),
        levels=dict(snapshot.levels),
        marks=_marks(snapshot),
        why_no_weight=snapshot.why_no_weight,
        why_no_unseen=why,
        mixture=mixture_profile(snapshot),
        margins=margin_profile(snapshot),
        heads=_heads(snapshot),
        classes=class_profile(snapshot),
        few_shot=_few_shot(snapshot, EPISODES if recent is None else HURRIED_EPISODES),
    )


def _few_shot(snapshot: Snapshot, episodes: int) -> float | None:
    """Accuracy over episodes of unseen classes; None where the sampler makes none."""
    sampler, unseen = snapshot.config.sampler, ~snapshot.seen
    if sampler.key != "episodic":
        return None
    sizes = {name: int(sampler[name]) for name in ("way", "shot", "query")}
    return few_shot(snapshot.z[unseen], snapshot.y[unseen], episodes=episodes, **sizes).accuracy


def _heads(snapshot: Snapshot) -> tuple[ScoreHistogram, ...] | None:
    """Pairs of items of seen classes under each head, paired as in the histogram of the embedding itself."""
    if snapshot.heads is None:
        return None
    y = snapshot.y[snapshot.seen]
    return tuple(histogram(label_pairs(items_of(z[snapshot.seen], y))) for z in snapshot.heads)


def _verification(items: Items, replicates: int) -> tuple[ScoreHistogram, RocCurve]:
    pairs = pair_scores(items.s, items.pos, items.neg)
    return histogram(pairs), roc(items.s, items.pos, items.neg, replicates)


def _unseen(snapshot: Snapshot, replicates: int) -> tuple[ScoreHistogram | None, RocCurve | None, str]:
    """Pairs among items of unseen classes, or the reason why there are none."""
    unseen = ~snapshot.seen
    if np.count_nonzero(unseen) < 2:
        return None, None, snapshot.why_no_unseen or "the probe holds fewer than two items of unseen classes"
    scores, curve = _verification(snapshot_items(snapshot, unseen), replicates)
    return scores, curve, snapshot.why_no_unseen


def _points(snapshot: Snapshot, frame: Frame | None, recent: Summary | None) -> Points:
    xy = project(snapshot.z, pca_frame(snapshot.z) if frame is None else frame)
    trust = trustworthiness(snapshot.z, xy) if recent is None else recent.points.trustworthiness
    return Points(xy.astype(np.float32), snapshot.y, snapshot.item, snapshot.seen, "PCA", trust)


def thin(trace: TraceView) -> Curves:
    """At most TRACE_POINTS steps evenly through the trace, first and last included, and all rows of measures."""
    steps = len(trace.loss)
    chosen = np.arange(steps)
    if steps > TRACE_POINTS:
        chosen = np.linspace(0, steps - 1, TRACE_POINTS).round().astype(np.int64)
    return Curves(chosen, trace.loss[chosen], trace.grad_norm[chosen], trace.measured_step, dict(trace.measured))


def _marks(snapshot: Snapshot) -> tuple[Mark, ...]:
    """Changes of a knob up to now."""
    events = [event for event in snapshot.config.events if event.step <= snapshot.step]
    return tuple(Mark(event.step, event.text) for event in events)
