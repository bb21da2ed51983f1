"""How often findings fire on healthy checkpoints: `python -m tests.false_alarms` trains several and prints the table.

Sets that are built with a fault (`longtail`: rare classes, mistaken labels) belong to no healthy checkpoint; name them
to see what is found. A checkpoint counts as healthy when its probe, of classes that were trained on, is well told apart
(HEALTHY); others are listed and left out of the rate. The rate is per rule that could be checked, with Wilson's
interval.
"""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from models.checkpoint import Diagnosis, Material, diagnose
from models.diagnostics.measured import share_interval
from models.training.config import Part, RunConfig
from models.training.run import Run

SETS = ("digits", "clusters", "cancer", "faces")
LOSSES = ("infonce", "supcon", "triplet", "contrastive", "multi_similarity", "circle", "mann_whitney", "n_pair")
STEPS, BATCH, HEALTHY = 300, 128, 0.9
SEEDS = (0, 1)


@dataclass(frozen=True, eq=False)
class Trial:
    """One trained checkpoint and what was found of it."""

    label: str
    found: Diagnosis

    @property
    def auc(self) -> float:
        """AUC among the probe's items of trained classes."""
        return self.found.metric("auc").measured.value


def trial(data: str, loss: str, seed: int = 0, steps: int = STEPS) -> Trial:
    """Train one checkpoint and diagnose the probe's items of trained classes, rows normalised as they are compared."""
    run = Run(RunConfig(data=Part(data), loss=Part(loss), steps=steps, seed=seed, pairing="label"))
    run.advance(steps)
    probe = run.snapshot()
    z = probe.z[probe.seen] / np.linalg.norm(probe.z[probe.seen], axis=1, keepdims=True)
    label = f"{data} {loss} {seed}"
    material = Material(label, z=z, labels=probe.y[probe.seen].astype(np.int64))
    knobs = {**dict(run.objective.knobs), "batch": BATCH}
    return Trial(label, diagnose(material, loss, knobs))


def trials(sets: Sequence[str], losses: Sequence[str], seeds: Sequence[int]) -> Iterator[Trial]:
    """All combinations, one after another."""
    for data in sets:
        for loss in losses:
            for seed in seeds:
                yield trial(data, loss, seed)


def alarms(found: Diagnosis) -> list[str]:
    """Findings of at least a warning that the rule itself is not unsure of."""
    return [rule.key for rule, fired in found.findings if fired.severity != "info" and fired.confidence != "low"]


def table(healthy: Sequence[Trial]) -> str:
    """Of each rule: how often it was checked, how often it fired, and how often that was an alarm."""
    checked, fired, alarmed = Counter[str](), Counter[str](), Counter[str]()
    for one in healthy:
        checked.update(rule.key for rule, _ in (*one.found.findings, *one.found.examined.clear))
        fired.update(rule.key for rule, _ in one.found.findings)
        alarmed.update(alarms(one.found))
    lines = ["| rule | checked | fired | alarms | rate |", "|---|---|---|---|---|"]
    lines += [
        f"| {key} | {checked[key]} | {fired[key]} | {alarmed[key]} | {share_interval(alarmed[key], checked[key])} |"
        for key in sorted(checked)
    ]
    total = [sum(part.values()) for part in (checked, fired, alarmed)]
    lines.append(f"| all rules | {total[0]} | {total[1]} | {total[2]} | {share_interval(total[2], total[0])} |")
    struck = sum(bool(alarms(one.found)) for one in healthy)
    lines.append(f"| checkpoints | {len(healthy)} | | {struck} | {share_interval(struck, len(healthy))} |")
    return "\n".join(lines)


def main(sets: Sequence[str] = SETS) -> int:
    """Train, diagnose, print."""
    healthy, poor = [], []
    for one in trials(sets, LOSSES, SEEDS):
        (healthy if one.auc >= HEALTHY else poor).append(one)
        sys.stdout.write(f"{one.label}: AUC {one.auc:.3f}, {', '.join(alarms(one.found)) or 'no alarm'}\n")
        sys.stdout.flush()
    sys.stdout.write(f"\n{table(healthy)}\n\n{len(poor)} checkpoints below AUC {HEALTHY} are left out.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or SETS))
