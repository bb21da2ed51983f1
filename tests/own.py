"""Own losses as text, for tests; and what a process must be told before it reads them."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from models.custom import REGISTER

RACE = '''
def loss(scores, *, temperature=0.1):
    """InfoNCE by plain means: mean over positive pairs of log(1 + sum of e^((s_k - s_j) / T))."""
    push = torch.logsumexp((scores.s / temperature).masked_fill(~scores.neg, -1e30), 1, keepdim=True)
    pairs = F.softplus(push - scores.s / temperature, threshold=80.0) * scores.pos
    return pairs.sum() / scores.pos.sum().clamp(min=1)
'''
# Adding numbers in C keeps Python's lock: no thread of Python could end it.
HANGS = RACE.replace("temperature=0.1", "temperature=0.1, hang=0").replace(
    "    push =", "    hang and sum(range(10**13))\n    push ="
)
GREEDY = RACE.replace("temperature=0.1", "temperature=0.1, gigabytes=0").replace(
    "    push =", "    held = torch.ones(int(gigabytes) * 2**28 + 1)\n    push ="
)


@contextmanager
def knowing(runs: bool) -> Iterator[None]:
    """This process reads own losses, knows none yet, and forgets them again."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"allowed": True, "folder": None, "_runs": runs, "_known": {}, "_joined": {}}.items():
            patch.setattr(REGISTER, name, value)
        yield
