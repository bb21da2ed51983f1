"""Episodes of classes that were never trained on: how often the nearest prototype is right."""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from jaxtyping import Float, Int

from models.diagnostics.items import unit_rows

EPISODES = 600  # the field's number
_Z = 1.959964  # 97.5 % of a standard normal lie below


@dataclass(frozen=True)
class FewShot:
    """Mean accuracy over episodes, with the 95 % interval of that mean; nan where no episode can be made.

    The interval is of the draw of episodes from these classes and items (mean +- 1.96 s / sqrt(episodes)), as few-shot
    papers give it: it says nothing of other classes.
    """

    accuracy: float
    low: float
    high: float
    way: int  # classes of an episode
    episodes: int


def few_shot(
    z: Float[np.ndarray, "n d"],
    y: Int[np.ndarray, " n"],
    *,
    way: int = 5,
    shot: int = 5,
    query: int = 5,
    episodes: int = EPISODES,
) -> FewShot:
    """Accuracy of the nearest prototype (Snell et al. 2017), the mean of `shot` unit rows, by Euclidean distance.

    Each episode draws `way` of the classes that have shot + query items, all of them where there are fewer, and asks
    `query` items of each. Queries are unit rows; a prototype is not scaled again. The same episodes at every call.
    """
    each = shot + query
    labels, sizes = np.unique(y, return_counts=True)
    members = [np.flatnonzero(y == label) for label in labels[sizes >= each]]
    way = min(way, len(members))
    if way < 2:
        return FewShot(float("nan"), float("nan"), float("nan"), way, 0)
    rng, u = np.random.default_rng(0), unit_rows(np.asarray(z, np.float64))
    found = np.array([_episode(u, members, (way, shot, each), rng) for _ in range(episodes)])
    mean, spread = float(found.mean()), _Z * float(found.std(ddof=1)) / sqrt(episodes) if episodes > 1 else 0.0
    return FewShot(mean, max(mean - spread, 0.0), min(mean + spread, 1.0), way, episodes)


def _episode(u: np.ndarray, members: list[np.ndarray], sizes: tuple[int, int, int], rng: np.random.Generator) -> float:
    """Share of the queries of one episode that are nearest to their own class's prototype."""
    way, shot, each = sizes
    chosen = rng.permutation(len(members))[:way]
    rows = u[np.stack([rng.permutation(members[c])[:each] for c in chosen])]  # (way, each, d)
    prototype = rows[:, :shot].mean(axis=1)  # (way, d)
    asked = rows[:, shot:]
    # |q - c|^2 without |q|^2, which is the same for all prototypes.
    distance = (prototype**2).sum(axis=1) - 2 * asked @ prototype.T  # (way, query, way)
    return float((distance.argmin(axis=2) == np.arange(way)[:, None]).mean())
