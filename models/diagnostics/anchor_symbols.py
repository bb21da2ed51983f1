"""The symbols of an anchor's formula with the values they have now, and the pairs that each of them is made of."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from models.diagnostics.anchor_terms import Row, active_triplets, circle_exponents, mined
from models.diagnostics.pair_loss import log_sum

MOST = 40  # pairs of a sum that are shown: those that make up most of it


@dataclass(frozen=True)
class Symbol:
    """One symbol of the formula."""

    key: str
    tex: str
    value: float
    means: str  # a sentence without its full stop
    columns: tuple[int, ...] = ()  # positions of the candidates that it is made of, the weightiest first; MOST at most
    of: int = 0  # how many there are in all


@dataclass(frozen=True)
class Formula:
    """The term of one anchor: `tex` is an equation whose right sides hold the numbers of this moment."""

    tex: str
    symbols: tuple[Symbol, ...]

    def find(self, key: str) -> Symbol | None:
        """The symbol of a key; None if this loss has none such."""
        return next((symbol for symbol in self.symbols if symbol.key == key), None)


def number(value: float) -> str:
    """Three significant digits in TeX: `0.512`, `2.1\\times10^{43}`."""
    if not np.isfinite(value):
        return r"\infty" if value > 0 else r"-\infty"
    if value != 0 and not 1e-3 <= abs(value) < 1e5:
        head, power = f"{value:.1e}".split("e")
        return rf"{head}\times10^{{{int(power)}}}"
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def formula(loss: str, row: Row, positive: int, value: float) -> Formula | None:
    """The formula of one anchor. positive: position of the positive j that it is told for; value: of the whole term.

    None where the loss has no such formula, or the anchor lacks a positive or a negative.
    """
    if loss not in FORMULAS or not (row.pos.any() and row.neg.any()):
        return None
    hardest = int(row.negatives[0])
    tex, own = FORMULAS[loss](row, positive, hardest)
    scores = (
        Symbol("s_ij", "s_{ij}", float(row.s[positive]), "score of the positive j", (positive,), 1),
        Symbol("s_ik", "s_{ik}", float(row.s[hardest]), "score of the hardest negative k", (hardest,), 1),
        _group("P", "|P(i)|", float(row.pos.sum()), "positives of this anchor, lowest first", row.positives),
        _group("N", "|N(i)|", float(row.neg.sum()), "negatives of this anchor, highest first", row.negatives),
    )
    knobs = tuple(
        Symbol(name, _LETTERS[name], float(row.knobs[name]), f"the knob {name.replace('_', ' ')} of this lane")
        for name in row.knobs
        if name in _LETTERS
    )
    whole = Symbol("L_i", r"\mathcal L_i", value, "what this anchor alone loses")
    return Formula(rf"\mathcal L_i={tex}={number(value)}", (*scores, *own, *knobs, whole))


_LETTERS = {
    "temperature": "T", "margin": "m", "threshold": r"\lambda", "alpha": r"\alpha", "beta": r"\beta",
    "mining_margin": r"\varepsilon", "gamma": r"\gamma",
}  # fmt: skip


def _group(key: str, tex: str, value: float, means: str, columns: np.ndarray) -> Symbol:
    return Symbol(key, tex, value, means, tuple(int(k) for k in columns[:MOST]), len(columns))


def _heaviest(row: Row, part: np.ndarray, mask: np.ndarray) -> np.ndarray:
    at = np.flatnonzero(mask)
    return np.asarray(at[np.argsort(-part[at], kind="stable")])


def _log_sum(part: np.ndarray, mask: np.ndarray) -> float:
    return float(log_sum(part[None], mask[None])[0, 0])


Told = tuple[str, tuple[Symbol, ...]]


def _infonce(row: Row, positive: int, hardest: int) -> Told:
    logits = row.s / float(row.knobs["temperature"])
    power = float(np.exp(logits[positive]))
    rivals = float(np.exp(_log_sum(logits, row.neg)))
    share = float(1.0 / (1.0 + np.exp(_log_sum(logits, row.neg) - logits[positive])))
    below = "negatives of the sum in the denominator, heaviest first"
    tex = (
        r"\frac{1}{|P(i)|}\sum_j-\log p_{ij},\quad p_{ij}=\frac{e^{s_{ij}/T}}{e^{s_{ij}/T}+\sum_k e^{s_{ik}/T}}"
        rf"=\frac{{{number(power)}}}{{{number(power)}+{number(rivals)}}}={number(share)},\quad\mathcal L_i"
    )
    return tex, (
        _group("sum_k", r"\sum_k e^{s_{ik}/T}", rivals, below, _heaviest(row, logits, row.neg)),
        Symbol("p_ij", "p_{ij}", share, "softmax share of j among itself and all negatives", (positive,), 1),
    )


def _supcon(row: Row, positive: int, hardest: int) -> Told:
    logits = row.s / float(row.knobs["temperature"])
    counted = row.pos | row.neg
    total, mean = _log_sum(logits, counted), float(logits[row.pos].mean())
    tex = (
        r"\log\sum_{k\ne i}e^{s_{ik}/T}-\frac{1}{|P(i)|}\sum_j\frac{s_{ij}}{T}"
        rf"=\log({number(float(np.exp(total)))})-{_signed(mean)}"
    )
    share = float(np.exp(logits[positive] - total))
    return tex, (
        _group(
            "sum_k", r"\sum_{k\ne i} e^{s_{ik}/T}", float(np.exp(total)),
            "candidates of the sum in the denominator, positives among them, heaviest first",
            _heaviest(row, logits, counted),
        ),
        Symbol("p_ij", "p_{ij}", share, "softmax share of j among all candidates", (positive,), 1),
    )  # fmt: skip


def _triplet(row: Row, positive: int, hardest: int) -> Told:
    margin = float(row.knobs["margin"])
    active = active_triplets(row.s, row.pos, row.neg, margin)
    broken = row.s[hardest] - row.s[positive] + margin
    rivals = row.negatives[row.s[row.negatives] > row.s[row.pos].min() - margin]
    tex = (
        r"\sum_{j,k}[s_{ik}-s_{ij}+m]_+,\quad"
        rf"[s_{{ik}}-s_{{ij}}+m]_+=[{number(float(row.s[hardest]))}-{_signed(float(row.s[positive]))}"
        rf"+{number(margin)}]_+={number(max(float(broken), 0.0))},\quad\mathcal L_i"
    )
    return tex, (
        _group("active", r"\#\{[\cdot]_+>0\}", float(active), "triplets still broken, told by their negatives", rivals),
    )


def _contrastive(row: Row, positive: int, hardest: int) -> Told:
    threshold = float(row.knobs["threshold"])
    push = float(np.maximum(row.s[row.neg] - threshold, 0.0).sum())
    pull = float(row.s[row.pos].sum())
    above = row.negatives[row.s[row.negatives] > threshold]
    tex = rf"\sum_k[s_{{ik}}-\lambda]_+-\sum_j s_{{ij}}={number(push)}-{_signed(pull)}"
    return tex, (
        _group("sum_k", r"\sum_k[s_{ik}-\lambda]_+", push, "negatives above the threshold, highest first", above),
        _group("sum_j", r"\sum_j s_{ij}", pull, "scores of all positives together", row.positives),
    )


def _multi_similarity(row: Row, positive: int, hardest: int) -> Told:
    alpha, beta, middle = (float(row.knobs[name]) for name in ("alpha", "beta", "threshold"))
    kept = mined(row.s, row.pos, row.neg, row.knobs)
    pull, push = (
        float(np.exp(_log_sum(rate * (row.s - middle), mask))) for rate, mask in ((-alpha, kept[0]), (beta, kept[1]))
    )
    tex = (
        r"\frac1\alpha\log\Big(1+\sum_j e^{-\alpha(s_{ij}-\lambda)}\Big)+\frac1\beta\log\Big(1+\sum_k "
        rf"e^{{\beta(s_{{ik}}-\lambda)}}\Big)=\frac{{\log(1+{number(pull)})}}{{{number(alpha)}}}"
        rf"+\frac{{\log(1+{number(push)})}}{{{number(beta)}}}"
    )
    return tex, (
        _group("sum_j", r"\sum_j e^{-\alpha(s_{ij}-\lambda)}", pull, "positives that mining keeps, lowest first",
               _heaviest(row, -row.s, kept[0])),
        _group("sum_k", r"\sum_k e^{\beta(s_{ik}-\lambda)}", push, "negatives that mining keeps, highest first",
               _heaviest(row, row.s, kept[1])),
    )  # fmt: skip


def _circle(row: Row, positive: int, hardest: int) -> Told:
    push, pull = circle_exponents(row.s, row.knobs)
    a, b = _log_sum(push, row.neg), _log_sum(pull, row.pos)
    tex = (
        r"\log(1+e^{a+b}),\quad a=\log\sum_k e^{\gamma[s_{ik}+m]_+(s_{ik}-m)}"
        rf"={number(a)},\quad b=\log\sum_j e^{{-\gamma[1+m-s_{{ij}}]_+(s_{{ij}}-1+m)}}={number(b)},\quad\mathcal L_i"
    )
    return tex, (
        _group("sum_k", "a", a, "negatives in the logarithm of a sum, heaviest first", _heaviest(row, push, row.neg)),
        _group("sum_j", "b", b, "positives in the logarithm of a sum, heaviest first", _heaviest(row, pull, row.pos)),
    )


def _signed(value: float) -> str:
    """A number after a minus sign."""
    return number(value) if value >= 0 else f"({number(value)})"


FORMULAS: dict[str, Callable[[Row, int, int], Told]] = {
    "infonce": _infonce,
    "supcon": _supcon,
    "triplet": _triplet,
    "contrastive": _contrastive,
    "multi_similarity": _multi_similarity,
    "circle": _circle,
}
