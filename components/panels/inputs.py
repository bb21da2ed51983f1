"""What a panel takes: summaries, or snapshots that are summarised here, so that a notebook can pass what it has."""

from collections.abc import Sequence

from models.diagnostics.summarise import summarise
from models.diagnostics.summary import Summary
from models.snapshot import Snapshot

Given = Sequence[Summary | Snapshot]


def summaries(given: Given) -> list[Summary]:
    """Every item as a Summary."""
    return [item if isinstance(item, Summary) else summarise(item) for item in given]
