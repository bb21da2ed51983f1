"""The panels that are Vega-Lite specs fed with rows, each with every set of options that changes its spec."""

from types import ModuleType
from typing import Any

from components.panels import (
    class_matrix,
    class_roc,
    curves,
    head_histogram,
    margin_histogram,
    mixture,
    pair_weights,
    roc_curve,
    sample_weights,
    score_histogram,
    score_statistics,
    spectrum,
    tradeoff,
)
from tests.panels.made_up import start, summary

SWEEP = tuple((0.03 * 2**k, summary(k, gap=0.3 + 0.1 * k)) for k in range(6))
CASES: tuple[tuple[ModuleType, dict[str, Any], dict[str, Any]], ...] = (
    (score_histogram, {}, {"first": [start()] * 4, "threshold": 0.5}),
    (score_histogram, {"counts": True, "log": True}, {"first": [start()], "unseen": True}),
    (score_statistics, {}, {}),
    (roc_curve, {}, {"threshold": 0.3}),
    (roc_curve, {"log": True}, {"threshold": 0.3, "unseen": True}),
    (tradeoff, {}, {"sweep": SWEEP}),
    (pair_weights, {}, {}),
    (curves, {}, {}),
    (curves, {"measure": "auc"}, {}),
    (curves, {"measure": "grad_norm", "log": True}, {}),
    (spectrum, {}, {}),
    (margin_histogram, {"log": True, "own": True}, {"first": [start()] * 4}),
    (class_roc, {"log": True}, {"names": ("nought", "one")}),
    (sample_weights, {}, {}),
    (head_histogram, {}, {}),
    (mixture, {}, {}),
    (mixture, {}, {"log": True}),
    (class_matrix, {}, {}),
    (class_matrix, {"gradient": True}, {"names": ("nought", "one")}),
)
NAMES = [f"{panel.__name__.rsplit('.', 1)[1]}-{'-'.join(spec) or 'plain'}" for panel, spec, _ in CASES]
