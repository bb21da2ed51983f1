"""What several losses of logits say alike: papers that bring two of them, levels where all logits are equal, knobs."""

import math

from models.spec import Counts, Knob, Knobs, Level, Paper

# Each loss adds the equation and what of it was verified.
ROBUST = Paper(
    "Zhu, Ying, Yang",
    2023,
    "Label Distributionally Robust Losses for Multi-class Classification: Consistency, Robustness and Adaptivity",
    arxiv="2112.14869",
)
SPHERICAL = Paper(
    "de Brébisson, Vincent",
    2016,
    "An Exploration of Softmax Alternatives Belonging to the Spherical Loss Family",
    arxiv="1511.05042",
)
BINS = Paper(
    "Farebrother et al.",
    2024,
    "Stop Regressing: Training Value Functions via Classification for Scalable Deep RL",
    arxiv="2403.03950",
)
SHARED = "all logits are equal: the classes, all as frequent, share one embedding"


def log_classes(counts: Counts, knobs: Knobs) -> float | None:
    """All classes (or bins) are as probable: log C, whatever the target."""
    return math.log(counts.classes)


EQUAL = (
    Level("chance", log_classes, "the head gives every class the same probability"),
    Level("collapse", log_classes, SHARED),
)


def flat_race(counts: Counts, knobs: Knobs) -> float | None:
    """Every other class leads by the margin: T log((1 + (C - 1) e^(margin / T)) / C)."""
    temperature = float(knobs["temperature"])
    others = (counts.classes - 1) * math.exp(float(knobs["margin"]) / temperature)
    return temperature * math.log((1.0 + others) / counts.classes)


def ends(first: str, last: str) -> tuple[Knob, Knob]:
    """Where the bins of a number to predict begin and end; first, last: what stands there."""
    low = f"{first}; a target below it counts as it. At its default, a run starts at its data's."
    high = f"{last}; a target above it counts as it. At its default, a run ends at its data's."
    return Knob("v_min", -10.0, -1000.0, 0.0, help=low), Knob("v_max", 10.0, 0.1, 1000.0, help=high)
