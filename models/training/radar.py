"""The radar over a run's training items: suspected pairs with their cards, and the mask that leaves them out."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from models.diagnostics.cards import CARDS, Cards, cards
from models.diagnostics.look import TRAINING, look_of
from models.diagnostics.pairs import Pairs
from models.diagnostics.radar import distances, mask_text, radar
from models.pair_code import MOST
from models.training.run import Run
from models.training.sample import training_snapshot

ITEMS = 500  # training items that are searched, at most


@dataclass(frozen=True, eq=False)
class Found:
    """What a radar found among a run's training items; the most suspicious pairs have cards."""

    step: int
    items: int  # searched
    suspects: int  # pairs
    cards: Cards  # at most CARDS, most suspicious first; ids are positions in the training set
    rows_i: Int[np.ndarray, " k"]  # rows of the data set of each card, for text and picture
    rows_j: Int[np.ndarray, " k"]
    suspicion: Float[np.ndarray, " k"]  # in [0, 1]
    share_of_negatives: float
    share_of_push: float  # nan without weights
    known: int  # false negatives that there are; -1 where the data was not spoiled, so that none is known
    precision: float  # nan if not known
    recall: float
    mask: str  # value of an event "mask.pairs"; empty without suspects
    masked: int  # pairs in it
    why_no_weight: str


def find_suspects(run: Run, count: int = ITEMS) -> Found:
    """Search some training items for false negatives and duplicates; the run goes on as if nobody had looked."""
    data = run.data
    look = look_of(training_snapshot(run, count), TRAINING)
    spoiled = bool((data.y != data.truth).any())
    rows = data.train[look.item]
    found = radar(look, distances(data.source.x[rows]), data.truth[look.item] if spoiled else None)
    first = Pairs(found.pairs.i[:CARDS], found.pairs.j[:CARDS], "all")
    shown = cards(look, first, "given")
    suspects = len(found.pairs)
    return Found(
        step=run.step,
        items=len(look.item),
        suspects=suspects,
        cards=shown,
        rows_i=rows[shown.i],
        rows_j=rows[shown.j],
        suspicion=found.suspicion[:CARDS],
        share_of_negatives=found.share_of_negatives,
        share_of_push=found.share_of_push,
        known=found.known,
        precision=found.precision,
        recall=found.recall,
        mask=mask_text(found, look) if suspects else "",
        masked=min(suspects, MOST),
        why_no_weight=found.why_no_weight,
    )
