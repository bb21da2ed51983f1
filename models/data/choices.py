"""Which of two names suits a handwritten digit better: contexts, a chosen and a rejected answer, a reference policy."""

import numpy as np

from models.data import digits
from models.data_common import Source
from models.spec import DataSpec, Knob

SPEC = DataSpec(
    key="choices",
    name="Better of two names",
    kind="image",
    teaches="Preferences over a reference policy: the lead of the chosen name grows, whatever becomes of its "
    "probability, and turned preferences are learnt as readily as true ones.",
    source="scikit-learn load_digits; the rejected names and the reference policy are made here from a few of them",
    licence="BSD-3-Clause package; data CC BY 4.0",
    knobs=(
        Knob(
            "rival",
            "confusable",
            choices=("confusable", "random"),
            help="Rejected is the wrong name that the reference finds likeliest, or any wrong name.",
        ),
        Knob("turned", 0.0, 0.0, 0.5, help="Share of training preferences that are the wrong way round."),
        Knob("sharpness", 1.0, 0.0, 10.0, help="How sure the reference policy is; 0: all names alike."),
    ),
)
EXEMPLARS = 10  # of each digit, the first in the file: they make the reference and are not in the set
_SEED = 20_240_106


def load(*, rival: str = "confusable", turned: float = 0.0, sharpness: float = 1.0) -> Source:
    """The digits without the exemplars, shape (1, 8, 8); answers are the ten names.

    target: (N, 12), see `Source.answers`. The reference is a softmax over names of -sharpness |x - m_c|^2, m_c the mean
    of a name's exemplars: a policy that knows ten pictures of each digit, and no item of this set.
    """
    source = digits.load()
    count = len(source.classes)
    shown = np.concatenate([np.flatnonzero(source.y == k)[:EXEMPLARS] for k in range(count)])
    flat = source.x.reshape(len(source.x), -1).astype(np.float64)
    means = np.stack([flat[shown[source.y[shown] == k]].mean(axis=0) for k in range(count)])
    rest = np.setdiff1d(np.arange(len(source.y)), shown)
    x, y = source.x[rest], source.y[rest]
    reference = _log_softmax(-sharpness * ((flat[rest][:, None] - means) ** 2).sum(axis=2))
    worse = _rejected(reference, y) if rival == "confusable" else _any_other(y, count)
    target = np.column_stack([y, worse, reference])
    return Source(x, y, source.classes, target=target, answers=count, turned=turned)


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    top = logits.max(axis=1, keepdims=True)
    shifted: np.ndarray = logits - top - np.log(np.exp(logits - top).sum(axis=1, keepdims=True))
    return shifted


def _rejected(reference: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The likeliest wrong name."""
    wrong = reference.copy()
    wrong[np.arange(len(y)), y] = -np.inf
    found: np.ndarray = wrong.argmax(axis=1)
    return found


def _any_other(y: np.ndarray, count: int) -> np.ndarray:
    """A wrong name for each item, the same in every run."""
    step = np.random.default_rng(_SEED).integers(1, count, len(y))
    return np.asarray((y + step) % count)
