"""What the radar found: the sentence, and the suspected pairs as rows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from components import theme

TITLE = "Radar"
HELP = (
    "Pairs that the loss pushes apart although the two items look alike and keep the same neighbours: suspected false "
    "negatives and duplicates among training items. Good: few of them, owning little of the push."
)
Names = Sequence[str]


def class_name(label: int, names: Names) -> str:
    """What a class is called."""
    return names[label] if 0 <= label < len(names) and names[label] else str(label)


def sentence(found: Any) -> str:
    """How many pairs are suspected, what they own, and how right the radar is where that is known.

    found: models.training.radar.Found, or anything with its fields.
    """
    searched = f"Among {found.items} training items at step {found.step}"
    if not found.suspects:
        return f"{searched} no pair is suspected."
    told = (
        f"{searched} {theme.many(found.suspects, 'pair')} are suspected, "
        f"{theme.percent(found.share_of_negatives, 2)} of the negatives"
    )
    if np.isfinite(found.share_of_push):
        told += f"; they own {theme.percent(found.share_of_push, 1)} of the push"
    else:
        told += f"; their push is not known: {found.why_no_weight.rstrip('.')}"
    return f"{told}. {_graded(found)}"


def _graded(found: Any) -> str:
    if found.known < 0:
        return "No label of this data is known to be wrong, so the radar cannot be graded."
    return (
        f"By the true labels, {theme.percent(found.precision)} of them are false negatives (precision), and they are "
        f"{theme.percent(found.recall)} of the {found.known} that there are (recall)."
    )


def table(found: Any, names: Names = ()) -> pd.DataFrame:
    """One row a card, the most suspicious first."""
    cards = found.cards
    return theme.finite(
        pd.DataFrame(
            {
                "item": cards.item_i,
                "class": [class_name(int(label), names) for label in cards.label_i],
                "other item": cards.item_j,
                "its class": [class_name(int(label), names) for label in cards.label_j],
                "suspicion": found.suspicion,
                "cosine": cards.score,
                "weight": cards.weight,
            }
        )
    )
