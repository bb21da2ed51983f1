"""Which items each batch holds: a whole epoch is drawn in one call, from seed and epoch number alone."""

import numpy as np

from models.training.config import Part

_STREAM = 11  # keeps these numbers apart from the other generators of the same seed


def epoch_plan(y: np.ndarray, sampler: Part, seed: int, epoch: int) -> np.ndarray:
    """Positions into y, shape (steps, batch). Nothing is remembered between epochs, so a resumed run draws the same.

    Raises ValueError if the batch is larger than the data, or the data has too few classes for an episode.
    """
    if sampler.key == "episodic":
        return _episodes(y, sampler, np.random.default_rng([seed, _STREAM, epoch]))
    batch = int(sampler["batch"])
    if batch > len(y):
        raise ValueError(f"sampler.batch {batch} is larger than the {len(y)} training items; choose {len(y)} or less")
    rng = np.random.default_rng([seed, _STREAM, epoch])
    steps = len(y) // batch
    if sampler.key == "uniform":
        return rng.permutation(len(y))[: steps * batch].reshape(steps, batch)
    return _balanced(y, int(sampler["classes"]), batch, steps, rng)


def _balanced(y: np.ndarray, classes: int, batch: int, steps: int, rng: np.random.Generator) -> np.ndarray:
    """Equal shares of `classes` classes a batch (0: all), two items of each or more.

    An item comes twice in a batch only if its class has too few. Where the batch does not divide evenly, other classes
    get the odd items in every batch.
    """
    labels = np.unique(y)
    wanted = min(classes or len(labels), len(labels), max(batch // 2, 1))
    share = np.full(wanted, batch // wanted)
    share[: batch % wanted] += 1
    streams = {label: _Stream(np.flatnonzero(y == label), rng) for label in labels}
    rows = []
    for _ in range(steps):
        chosen = rng.permutation(labels)[:wanted]
        rows.append(np.concatenate([streams[label](int(n)) for label, n in zip(chosen, share, strict=True)]))
    return np.stack(rows)


def _episodes(y: np.ndarray, sampler: Part, rng: np.random.Generator) -> np.ndarray:
    """Episodes of `way` classes with `shot` supports and `query` queries each, class after class, supports first.

    As many as go into the data, at least one; no item comes twice in an episode.
    """
    way, each = int(sampler["way"]), int(sampler["shot"]) + int(sampler["query"])
    labels, sizes = np.unique(y, return_counts=True)
    enough = labels[sizes >= each]
    if way > len(enough):
        raise ValueError(
            f"sampler.way {way} is more than the {len(enough)} classes that have sampler.shot + sampler.query = {each} "
            "training items or more; choose a smaller way, shot or query"
        )
    streams = {label: _Stream(np.flatnonzero(y == label), rng) for label in enough}
    steps = max(len(y) // (way * each), 1)
    return np.stack([np.concatenate([streams[c](each) for c in rng.permutation(enough)[:way]]) for _ in range(steps)])


class _Stream:
    """Hands out shuffled members of one class, shuffling again when they run out."""

    def __init__(self, members: np.ndarray, rng: np.random.Generator) -> None:
        self.members, self.rng, self.left = members, rng, members[:0]

    def __call__(self, n: int) -> np.ndarray:
        """The next n members; one comes again in a call only after all others have come as often."""
        rounds, n = divmod(n, len(self.members))
        if n > len(self.left):
            fresh = self.rng.permutation(self.members)
            # What is left over from the last round comes first, and again only after all others.
            again = np.isin(fresh, self.left)
            self.left = np.concatenate([self.left, fresh[~again], fresh[again]])
        taken, self.left = self.left[:n], self.left[n:]
        return np.concatenate([np.tile(self.members, rounds), taken])
