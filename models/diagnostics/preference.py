"""How a policy stands to its reference on pairs of a better and a worse answer."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

_EQUAL = 1e-5  # nats: policies are worked out in single precision


@dataclass(frozen=True)
class Preferences:
    """Means over pairs, in nats; nan without pairs."""

    accuracy: float  # share of pairs whose better answer gained more on the reference, equal gains count half
    margin: float  # gain of the better answer minus that of the worse: the log-ratio that DPO trains
    chosen: float  # log-probability that the better answer gained on the reference
    rejected: float  # the same of the worse answer


def preferences(policy: Float[np.ndarray, "n 2"], reference: Float[np.ndarray, "n 2"]) -> Preferences:
    """From log-probabilities of the better (column 0) and the worse answer (Rafailov et al. 2023, the implicit reward).

    An answer's gain is its log-probability under the policy minus that under the reference.
    """
    if len(policy) == 0:
        return Preferences(*[float("nan")] * 4)
    gain = policy - reference
    lead = gain[:, 0] - gain[:, 1]
    right = (lead > _EQUAL) + 0.5 * (np.abs(lead) <= _EQUAL)
    return Preferences(float(right.mean()), float(lead.mean()), float(gain[:, 0].mean()), float(gain[:, 1].mean()))
