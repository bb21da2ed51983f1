"""All rules, and how findings are put in order."""

from dataclasses import dataclass

from models.diagnostics.findings import change, geometry, labels, loss_state, slices
from models.diagnostics.findings.evidence import Evidence
from models.diagnostics.findings.finding import CONFIDENCES, SEVERITIES, Clear, Fired, Rule, Unknown

RULES: tuple[Rule, ...] = (*geometry.RULES, *loss_state.RULES, *labels.RULES, *slices.RULES, *change.RULES)


@dataclass(frozen=True, eq=False)
class Examined:
    """What all rules said of one checkpoint."""

    findings: tuple[tuple[Rule, Fired], ...]  # worst first
    clear: tuple[tuple[Rule, Clear], ...]
    unknown: tuple[tuple[Rule, Unknown], ...]


def examine(evidence: Evidence) -> Examined:
    """Ask every rule; findings by severity, then confidence, then in the order of the catalogue."""
    outcomes = [(rule, rule.check(evidence)) for rule in RULES]
    fired = [(rule, outcome) for rule, outcome in outcomes if isinstance(outcome, Fired)]
    fired.sort(key=lambda one: (-SEVERITIES.index(one[1].severity), -CONFIDENCES.index(one[1].confidence)))
    return Examined(
        tuple(fired),
        tuple((rule, outcome) for rule, outcome in outcomes if isinstance(outcome, Clear)),
        tuple((rule, outcome) for rule, outcome in outcomes if isinstance(outcome, Unknown)),
    )
