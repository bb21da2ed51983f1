"""What a server refuses, each in one sentence that says how to go on."""

from collections.abc import Sequence

from models.custom import OFF
from models.own_source import is_own
from models.settings import Settings
from models.training.config import RunConfig


class QuotaError(RuntimeError):
    """A quota of the server is reached; the text is for the user."""


def check_lanes(settings: Settings, configs: Sequence[RunConfig]) -> None:
    """Raise QuotaError if a board may not hold these lanes, ValueError if there are none, or an own loss."""
    if not configs:
        raise ValueError("a board needs at least one run")
    if len(configs) > settings.lanes:
        raise QuotaError(f"A board holds at most {settings.lanes} runs; remove one first.")
    if not settings.own_losses and any(is_own(config.loss.key) for config in configs):
        raise ValueError(OFF)
    longest = max(config.steps for config in configs)
    if longest > settings.steps:
        raise QuotaError(f"A run may have at most {settings.steps} steps here, not {longest}; choose fewer.")
