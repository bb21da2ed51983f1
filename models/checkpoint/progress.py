"""How far a diagnosis is, in words."""

from models.diagnostics.all_pairs import Progress


def said(what: str, step: Progress | None) -> tuple[str, float]:
    """What is done, in words, and the share of it that is done; 0 where nobody knows."""
    if step is None:
        return f"{what[:1].upper()}{what[1:]}", 0.0
    left = f", {step.seconds_left:.0f} s left" if step.done else ""
    return f"Counting pairs: {step.done:,} of {step.total:,}, {step.per_second:,.0f} a second{left}", (
        step.done / max(step.total, 1)
    )
