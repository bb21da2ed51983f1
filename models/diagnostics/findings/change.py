"""Faults that show between checkpoints of the same items: too even, metrics that part, a better one before."""

import numpy as np

from models.diagnostics.findings.evidence import Evidence
from models.diagnostics.findings.finding import Clear, Fired, Outcome, Rule, Selection, Unknown
from models.diagnostics.measured import Measured, drawn, resampled_mean


def difference_of_auc(before: Evidence, after: Evidence) -> Measured:
    """After minus before, paired: the same items are drawn for both."""
    return drawn(after.auc.value - before.auc.value, after.auc_replicates - before.auc_replicates)


def difference_of_recall(before: Evidence, after: Evidence) -> Measured:
    """After minus before, of the items that can have a hit."""
    change = after.hits - before.hits
    return resampled_mean(change[np.isfinite(change)])


def comparable(evidence: Evidence) -> str:
    """Say why earlier checkpoints cannot be compared with; empty if they can."""
    if not evidence.earlier:
        return "there is no other checkpoint to compare with"
    if evidence.s is None or not all(np.array_equal(other.row, evidence.row) for other in evidence.earlier):
        return "the other checkpoint has not the same items"
    if not evidence.auc.known:
        return "there are not pairs of both kinds"
    return ""


def over_uniform(evidence: Evidence) -> Outcome:
    """Spread more evenly than before, while classes spread too and recall@1 falls beyond its interval."""
    if why := comparable(evidence):
        return Unknown(why)
    before = evidence.earlier[-1]
    more_even = before.mean_cosine.value - evidence.mean_cosine.value
    looser = float(before.s[before.pos].mean() - evidence.s[evidence.pos].mean())  # type: ignore[index]
    found = difference_of_recall(before, evidence)
    if not (more_even > 0 and looser > 0 and found.high < 0):
        return Clear(found, 0.0)
    told = (
        f"Since {before.name} the embedding is more even (mean cosine {-more_even:+.3f}), but so are its classes "
        f"(cosine within a class {-looser:+.3f}), and recall@1 has changed by {found}."
    )
    return Fired("warning", found.below(0.0), told, found, 0.0, _lost(before, evidence))


def metrics_disagree(evidence: Evidence) -> Outcome:
    """AUC up and recall@1 down since the checkpoint before, or the reverse, both beyond their intervals."""
    if why := comparable(evidence):
        return Unknown(why)
    before = evidence.earlier[-1]
    auc, recall = difference_of_auc(before, evidence), difference_of_recall(before, evidence)
    apart = (auc.low > 0 and recall.high < 0) or (auc.high < 0 and recall.low > 0)
    if not apart:
        return Clear(recall, 0.0)
    told = f"Since {before.name} AUC has changed by {auc} and recall@1 by {recall}: they disagree."
    return Fired("warning", "high", told, recall, 0.0, _lost(before, evidence))


def better_checkpoint(evidence: Evidence) -> Outcome:
    """An earlier checkpoint is better in AUC or recall@1 beyond the interval, and worse in neither."""
    if why := comparable(evidence):
        return Unknown(why)
    best: tuple[float, Evidence, Measured, Measured] | None = None
    for other in evidence.earlier:
        auc, recall = difference_of_auc(evidence, other), difference_of_recall(evidence, other)
        gain = auc.value + (recall.value if recall.known else 0.0)
        surely = auc.low > 0 or recall.low > 0
        if surely and auc.value >= 0 and not recall.value < 0 and (best is None or gain > best[0]):
            best = gain, other, auc, recall
    if best is None:
        return Clear(difference_of_auc(evidence, evidence.earlier[-1]), 0.0)
    _, other, auc, recall = best
    told = f"{other.name} is better: AUC by {auc}, recall@1 by {recall}."
    return Fired("warning", "high", told, auc, 0.0, _lost(other, evidence))


def _lost(before: Evidence, after: Evidence) -> Selection:
    """Items that had a hit before and have none now."""
    return Selection(after.selected(np.flatnonzero((before.hits == 1) & (after.hits == 0))))


RULES = (
    Rule(
        "over_uniform",
        "Over-uniform",
        "change of recall@1",
        "tradeoff",
        "Raise the temperature, or add supervised positives.",
        "A use that needs even spread more than it needs the nearest neighbour.",
        over_uniform,
    ),
    Rule(
        "metrics_disagree",
        "Metrics disagree",
        "change of recall@1",
        "curves",
        "Choose by use: AUC for one threshold over all pairs, recall@1 for a search.",
        "More queries, if the intervals come to hold zero.",
        metrics_disagree,
    ),
    Rule(
        "better_checkpoint",
        "A better checkpoint exists",
        "AUC that the other has more",
        "curves",
        "Use that checkpoint.",
        "A metric of yours that is not among those compared.",
        better_checkpoint,
    ),
)
