"""What stands beside our losses in pytorch-metric-learning and torch: how it is called, and why it may differ."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import degrees, sqrt
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import log_softmax, nll_loss

from models.geometry import Embeddings, masks
from models.objective import Objective
from models.spec import Value

_LIBRARY = "pytorch_metric_learning.losses"


@dataclass(frozen=True, eq=False)
class Case:
    """A batch with the knobs and parameters that both sides use."""

    batch: Embeddings
    knobs: dict[str, Any]
    objective: Objective

    @property
    def labels(self) -> Tensor:
        """The groups by which items pair."""
        return self.batch.y if self.batch.instance is None else self.batch.instance

    def counts(self) -> tuple[int, Tensor, Tensor]:
        """Rows, and positives and negatives of each."""
        pos, neg = masks(self.batch)
        return len(pos), pos.sum(dim=1), neg.sum(dim=1)


Call = Callable[[Case], Tensor]
_PLAIN = "The two are the same function, value and gradient."
_RACE = "Both take the mean over positive pairs, with that positive and the anchor's negatives in the denominator."


@dataclass(frozen=True)
class Counterpart:
    """What stands beside one loss. same: the call under which it agrees; None: the library's own does."""

    library: str
    plain: Call
    convention: str = _PLAIN
    same: Call | None = None
    call: str = ""
    rescale: Callable[[Case], tuple[float, float]] = lambda case: (1.0, 0.0)


def _pml() -> Any:
    # Slow: three seconds at the first call, which only this comparison pays.
    import pytorch_metric_learning as library
    from pytorch_metric_learning import distances, losses, miners, reducers

    assert all((distances, losses, miners, reducers))  # loaded as attributes of the package
    return library


def _lib(name: str, case: Case, pairs: Any = None, **arguments: Any) -> Tensor:
    loss = getattr(_pml().losses, name)(**arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # HistogramLoss indexes in a way that torch is giving up
        value: Tensor = loss(case.batch.z, case.labels, pairs)
    return value


def _reducer(name: str) -> dict[str, Any]:
    """The argument for a reducer; none leaves the library its own."""
    return {"reducer": getattr(_pml().reducers, name)()} if name else {}


def _cosine(reducer: str) -> dict[str, Any]:
    """A distance that is the cosine, and a reducer."""
    return {"distance": _pml().distances.CosineSimilarity(), **_reducer(reducer)}


def _over_anchors(case: Case) -> tuple[float, float]:
    return 1.0 / case.counts()[0], 0.0


def _over_anchors_with_positive(case: Case) -> tuple[float, float]:
    return 1.0 / max(int((case.counts()[1] > 0).sum()), 1), 0.0


def _over_anchors_with_both(case: Case) -> tuple[float, float]:
    _, positives, negatives = case.counts()
    return 1.0 / max(int(((positives > 0) & (negatives > 0)).sum()), 1), 0.0


def _contrastive_scale(case: Case) -> tuple[float, float]:
    """The library's sum has 1 - s of every positive where ours has -s."""
    rows, positives, _ = case.counts()
    return 1.0 / rows, -int(positives.sum()) / rows


def _triplet_same(case: Case) -> Tensor:
    reducer = {"sum": "SumReducer", "mean": "MeanReducer", "mean_active": "AvgNonZeroReducer"}
    given = _cosine(reducer[case.knobs["reduction"]])
    return _lib("TripletMarginLoss", case, margin=case.knobs["margin"], **given)


def _multi_similarity(case: Case, pairs: Any = None) -> Tensor:
    knobs = case.knobs
    return _lib("MultiSimilarityLoss", case, pairs, alpha=knobs["alpha"], beta=knobs["beta"], base=knobs["threshold"])


def _mined(case: Case) -> Tensor:
    margin = case.knobs["mining_margin"]
    miner = _pml().miners.MultiSimilarityMiner(epsilon=margin)
    return _multi_similarity(case, miner(case.batch.z.detach(), case.labels) if margin > 0 else None)


def _lifted_same(case: Case) -> Tensor:
    """Told only the pairs of anchors that have both kinds; the others then count as zero."""
    pos, neg = masks(case.batch)
    both = (pos.any(dim=1) & neg.any(dim=1))[:, None]
    pairs = (*torch.where(pos & both), *torch.where(neg & both))
    given = {"pos_margin": case.knobs["threshold"], "neg_margin": 0.0, **_cosine("MeanReducer")}
    return _lib("GeneralizedLiftedStructureLoss", case, pairs, **given)


def _proxies(name: str, margin: float) -> Call:
    """A proxy loss with our proxies as its weights; margin: the unit of theirs in ours."""

    def call(case: Case) -> Tensor:
        proxy = case.objective.own.proxy.detach()  # type: ignore[union-attr,operator]
        knobs = {"margin": case.knobs["margin"] * margin, "scale": case.knobs["scale"]}
        with torch.random.fork_rng(devices=[]):  # draws weights, which are replaced
            theirs = getattr(_pml().losses, name)(*proxy.shape, **knobs)
        theirs.W.data = proxy.T.clone()
        value: Tensor = theirs(case.batch.z, case.batch.y)
        return value

    return call


def _log_likelihood(case: Case) -> Tensor:
    logits = case.objective.head(case.batch.z)  # type: ignore[misc]
    return nll_loss(log_softmax(logits, dim=1), case.batch.y)


def _temperature(name: str, reducer: str = "") -> Call:
    return lambda case: _lib(name, case, temperature=case.knobs["temperature"], **_reducer(reducer))


def _circle(reducer: str = "") -> Call:
    return lambda case: _lib("CircleLoss", case, m=case.knobs["margin"], gamma=case.knobs["gamma"], **_reducer(reducer))


def counterpart(key: str, knobs: Mapping[str, Value]) -> Counterpart | None:
    """What stands beside a loss with these knobs; None if nothing does."""
    if key.startswith("pml:"):
        name = key.removeprefix("pml:")
        own = "The library itself, here on a matrix of scores and there on embeddings: the same function."
        return Counterpart(f"{_LIBRARY}.{name}", lambda case: _lib(name, case, **case.knobs), own)
    if key == "comp_sum" and knobs["tau"] != 1.0:
        return None  # torch has the member at tau = 1 alone
    return COUNTERPARTS.get(key)


_LIKELIHOOD = Counterpart("torch.nn.functional.nll_loss of log_softmax", _log_likelihood)
COUNTERPARTS: dict[str, Counterpart] = {
    "infonce": Counterpart(f"{_LIBRARY}.NTXentLoss", _temperature("NTXentLoss"), _RACE),
    "n_pair": Counterpart(
        f"{_LIBRARY}.NPairsLoss",
        lambda case: _lib("NPairsLoss", case),
        "NPairsLoss takes one pair of each class, and the other classes' positives as its negatives. Ours takes every "
        "positive pair against all negatives of its anchor, which is NT-Xent at temperature 1.",
        lambda case: _lib("NTXentLoss", case, temperature=1.0),
        "NTXentLoss(temperature=1)",
    ),
    "supcon": Counterpart(
        f"{_LIBRARY}.SupConLoss",
        _temperature("SupConLoss"),
        "The library averages over anchors whose loss is above 0, ours over anchors that have a positive; neither has "
        "the base temperature of the authors' code. Of a batch without negatives the library makes 0, ours does not.",
        _temperature("SupConLoss", "SumReducer"),
        "SupConLoss(temperature, reducer=SumReducer()) / anchors with a positive",
        _over_anchors_with_positive,
    ),
    "circle": Counterpart(
        f"{_LIBRARY}.CircleLoss",
        _circle(),
        "The library averages over anchors whose loss is above 0, ours over anchors that have a positive and a "
        "negative, those with a loss that rounds to 0 among them.",
        _circle("SumReducer"),
        "CircleLoss(m, gamma, reducer=SumReducer()) / anchors with both kinds",
        _over_anchors_with_both,
    ),
    "contrastive": Counterpart(
        f"{_LIBRARY}.ContrastiveLoss",
        lambda case: _lib("ContrastiveLoss", case, neg_margin=sqrt(2.0 - 2.0 * case.knobs["threshold"])),
        "The library reads distances and adds the means over positive and over negative pairs with a loss above 0. "
        "Ours reads cosines and divides both sums by the rows; a positive costs -s, not 1 - s.",
        lambda case: _lib(
            "ContrastiveLoss", case, pos_margin=1.0, neg_margin=case.knobs["threshold"], **_cosine("SumReducer")
        ),
        "(ContrastiveLoss(1, threshold, distance=CosineSimilarity(), reducer=SumReducer()) - positive pairs) / rows",
        _contrastive_scale,
    ),
    "triplet": Counterpart(
        f"{_LIBRARY}.TripletMarginLoss",
        lambda case: _lib("TripletMarginLoss", case, margin=case.knobs["margin"]),
        "The library reads distances and averages over triplets with a loss above 0. Ours reads cosines; `sum` adds "
        "the triplets of an anchor and averages over rows, `mean` and `mean_active` are the library's reducers.",
        _triplet_same,
        "TripletMarginLoss(margin, distance=CosineSimilarity(), reducer=SumReducer()) / rows, or Mean-, AvgNonZero-",
        lambda case: _over_anchors(case) if case.knobs["reduction"] == "sum" else (1.0, 0.0),
    ),
    "multi_similarity": Counterpart(
        f"{_LIBRARY}.MultiSimilarityLoss",
        _multi_similarity,
        "The pair mining is a part of our loss, and a miner of its own in the library; its beta is 50, ours 40.",
        _mined,
        "MultiSimilarityLoss(alpha, beta, base) on the pairs of MultiSimilarityMiner(epsilon=mining_margin)",
    ),
    "lifted_structure": Counterpart(
        f"{_LIBRARY}.GeneralizedLiftedStructureLoss",
        lambda case: _lib("GeneralizedLiftedStructureLoss", case, neg_margin=case.knobs["threshold"]),
        "The library reads distances, and an anchor that lacks positives or negatives counts with the other kind "
        "alone. Ours reads cosines, and such an anchor is zero.",
        _lifted_same,
        "GeneralizedLiftedStructureLoss(pos_margin=threshold, neg_margin=0, distance=CosineSimilarity()) on the pairs "
        "of anchors with both kinds",
    ),
    "cosface": Counterpart(f"{_LIBRARY}.CosFaceLoss", _proxies("CosFaceLoss", 1.0)),
    "arcface": Counterpart(
        f"{_LIBRARY}.ArcFaceLoss",
        _proxies("ArcFaceLoss", degrees(1.0)),
        "The library takes the margin in degrees, ours in radians; converted, the two are the same function.",
        call="ArcFaceLoss(margin=degrees(margin), scale=scale)",
    ),
    "cross_entropy": _LIKELIHOOD,
    "comp_sum": replace(_LIKELIHOOD, convention="At tau 1, where the family is the cross-entropy."),
}
