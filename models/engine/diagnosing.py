"""A diagnosis on a side worker: the work itself, what is said of it on the way, and what is tried out beside it."""

from collections.abc import Mapping, Sequence
from typing import Any

from distributed import get_worker

from models.checkpoint import planted
from models.checkpoint.diagnosis import Metric
from models.checkpoint.edits import Edits, edits
from models.checkpoint.frozen import Frozen, frozen
from models.checkpoint.material import Material
from models.checkpoint.near import among_all
from models.checkpoint.progress import said
from models.checkpoint.result import Result, examined
from models.checkpoint.try_it import Trial, Way, try_it
from models.diagnostics.all_pairs import Progress
from models.diagnostics.summary import Points
from models.engine.jobs import cancelled, umap_points
from models.engine.lane import Probe, settle_process
from models.spec import Value


class Cancelled(RuntimeError):
    """Nobody waits for this any more."""


def measure(
    material: Material,
    against: Sequence[Material],
    loss: str | None,
    knobs: Mapping[str, Value],
    topic: str,
) -> Result:
    """`examined`; what is being done is told under the topic. Raises what `diagnose` raises, and Cancelled."""
    settle_process()

    def told(what: str, step: Progress | None) -> None:
        if cancelled():
            raise Cancelled(f"cancelled while {what}")
        _tell(topic, said(what, step))

    return examined(material, loss, knobs, None, against, told)


def _tell(topic: str, message: tuple[str, float]) -> None:
    try:
        worker = get_worker()
    except ValueError:  # called as a plain function
        return
    worker.log_event(topic, list(message))


def standings(material: Material, loss: str | None) -> Frozen:
    """`frozen`: all losses on one batch of the embeddings."""
    settle_process()
    return frozen(material, loss)


def trial(material: Material, now: Way, advised: Way, measure: str) -> Trial:
    """`try_it`: three seeds each way; raises Cancelled between two of them."""
    settle_process()

    def told(done: int, total: int) -> None:
        if cancelled():
            raise Cancelled(f"cancelled after {done} of {total} trainings")

    return try_it(material, now, advised, measure, told)


def neighbours(material: Material) -> tuple[Metric, ...]:
    """`among_all`: numbers that need the neighbours of every item."""
    settle_process()
    return among_all(material)


def edited(material: Material, keep: int, forget: int, share: float) -> Edits:
    """`edits`: the head with fewer dimensions, and with a class unlearnt."""
    settle_process()
    return edits(material, keep, forget, share)


def layout(material: Material, points: Points) -> Points:
    """UMAP of the items of a map."""
    settle_process()
    z = material.embeddings[points.item]
    return umap_points(Probe(z, points.y, points.item, points.seen, 0), None)


def sample(door: str) -> dict[str, Any]:
    """The files of a door's sample."""
    settle_process()
    return planted.made(door)
