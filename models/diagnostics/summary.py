"""Summary: all that the panels draw of one snapshot, in some tens of kilobytes; stored replays are lists of these."""

from dataclasses import dataclass, field

import numpy as np

from models.diagnostics.placed import Placed

BINS = 64  # bins of every score histogram, on [-1, 1], the same for every run
CURVE_POINTS = 200  # most points of a ROC
CLASS_POINTS = 33  # false positive rates at which the ROC of each class is given
TRACE_POINTS = 400  # most points of a curve over steps
RATES = (1e-1, 1e-2, 1e-3, 1e-4)  # false positive rates at which the true positive rate is told


@dataclass(frozen=True, eq=False)
class ScoreHistogram:
    """Counts of positive and negative pairs per bin, each unordered pair once, and how far the two lie apart."""

    positive: np.ndarray  # (BINS,) whole numbers
    negative: np.ndarray  # (BINS,)
    overlap: float  # overlap coefficient of the two densities in [0, 1]; 0: apart; nan without both kinds
    d_prime: float  # distance of the means in pooled standard deviations; nan if not defined


@dataclass(frozen=True, eq=False)
class RocCurve:
    """Thresholds fall, rates rise; a score equal to the threshold counts as accepted. At most CURVE_POINTS points."""

    fpr: np.ndarray
    tpr: np.ndarray
    threshold: np.ndarray  # cosine
    auc: float  # exact, ties half; nan if one kind of pair is absent
    low: float  # 95 % interval of auc, bootstrap over items
    high: float
    equal_error: float  # rate where false accepts equal false rejects
    equal_error_threshold: float
    tpr_at: np.ndarray  # (4,) true positive rate at RATES; nan where there are too few negatives
    positives: int
    negatives: int
    replicates: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32))  # (r,) auc of each replicate: the
    # same items are drawn for every lane of one probe, so that the difference of two lanes is paired


@dataclass(frozen=True, eq=False)
class Plane:
    """Where the embedding stands between spread and tolerance (paper 11), on items of seen classes."""

    uniformity: float  # -log mean exp(-2 ||a - b||^2) over distinct pairs: larger is more even, at most about 4
    tolerance: float  # mean cosine of same-class pairs (what the paper's table must have used)
    tolerance_printed: float  # mean over all pairs of cosine x same class (the formula as printed)
    alignment: float  # mean squared distance of same-class pairs: smaller is tighter


@dataclass(frozen=True, eq=False)
class Spectrum:
    """How many directions the embedding uses."""

    singular: np.ndarray  # (d,) of the centred unit rows, falling, divided by sqrt(n)
    effective_rank: float  # exp of the entropy of the normalised squared singular values


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Retrieval and classification by nearest neighbours among the probe's items of seen classes, shares in [0, 1]."""

    recall_at_1: float
    map_at_r: float
    knn: float  # accuracy of 5 nearest neighbours, leave one out


@dataclass(frozen=True, eq=False)
class WeightProfile:
    """What the loss does to pairs: binned weight against similarity, who carries it, and a heat map."""

    candidates: str  # "items", "second views", "other sides", "class proxies" or "class logits"
    centre: np.ndarray  # (40,) middles of the score bins; for logits their own range
    pull: np.ndarray  # (40,) mean signed weight of the positives of a bin, nan where empty
    pull_low: np.ndarray  # (40,) 10 % and 90 % quantiles in the bin
    pull_high: np.ndarray
    push: np.ndarray  # the same of the negatives
    push_low: np.ndarray
    push_high: np.ndarray
    dot_score: np.ndarray  # (k <= 400,) a fixed sample of pairs
    dot_weight: np.ndarray  # (k,)
    dot_positive: np.ndarray  # (k,) bool
    grid: np.ndarray  # theoretical curve at these scores; empty if there is none
    pull_curve: np.ndarray
    push_curve: np.ndarray
    heat: np.ndarray  # (h, w) mean weight of blocks, anchors x candidates sorted by class; h, w <= 50
    heat_class: np.ndarray  # (h,) class of each block's first anchor
    hardest_share: float  # share of the push carried by the hardest 1 % of negatives, in [0, 1]; nan without push
    effective_negatives: float  # mean over anchors of exp(entropy) of the push over its negatives
    negatives: float  # mean number of negatives an anchor has, to compare with
    pull_push: float  # total pull over total push; nan without push
    active: float  # share of counted pairs with a weight that is not 0
    own_class: float | None = None  # share of the push on negatives of the anchor's own class; None: not recorded, or
    # the candidates are not the items of the probe


@dataclass(frozen=True, eq=False)
class MarginProfile:
    """Where the items of seen classes stand towards the decision of a head, and how hard the loss acts on them.

    An entry is an item; where items carry several labels, an item and a label. Its margin is the logit of its class
    minus the highest other (`class`), the logit with the sign of the class (`binary`) or of the label (`multilabel`),
    or prediction minus target (`real`). A group is a class, or a label. BINS bins lie between -reach and reach, a power
    of two: 0 is an edge, and the bins of any two lanes nest.
    """

    kind: str  # a key of models.spec.TARGETS
    reach: float
    group: np.ndarray  # (g,) class or label
    count: np.ndarray  # (g, BINS) entries a bin
    below: float  # share of entries below 0: the error rate; of numbers, the share predicted too low
    below_by: np.ndarray  # (g,) the same of each group, nan where it has no entry
    # Of several labels an item, else None: F1 of each label, nan where it is neither told nor there; and how far the
    # correlations that the head's probabilities have differ from those of the labels, root mean square over pairs.
    f1_by: np.ndarray | None = field(default=None, kw_only=True)  # (g,)
    label_gap: float | None = field(default=None, kw_only=True)
    middle: float  # median of the margins
    middle_by: np.ndarray  # (g,)
    size: float  # mean of |margin|: of numbers, the mean absolute error
    roc_group: np.ndarray  # (r,) groups with a ROC against the rest; one of two classes; none for numbers
    auc: np.ndarray  # (r,) exact, ties half; nan where one side is absent
    fpr: np.ndarray  # (CLASS_POINTS,) rates shared by all groups; empty for numbers
    tpr: np.ndarray  # (r, CLASS_POINTS) highest true positive rate that costs no more; nan where auc is
    weight: np.ndarray  # (BINS,) mean weight of the entries of a bin, nan where empty; see `margins.entries`
    weight_low: np.ndarray  # (BINS,) 10 % and 90 % quantiles in the bin
    weight_high: np.ndarray
    dot_margin: np.ndarray  # (k <= 200,) a fixed sample of entries
    dot_weight: np.ndarray  # (k,)
    dot_group: np.ndarray  # (k,)
    grid: np.ndarray  # margins of the theoretical curve; empty if there is none
    curve: np.ndarray
    hardest_share: float  # of all weight, carried by the hardest 1 % of entries, in [0, 1]; nan without weight
    effective: float  # exp of the entropy of the weight over entries: how many of them matter; nan without weight
    top_5: float | None = (
        None  # share of items with fewer than five other classes at or above their own; None: no class
    )
    moved: np.ndarray | None = None  # (3,) see models.snapshot.Outputs

    @property
    def entries(self) -> int:
        """How many entries there are."""
        return int(self.count.sum())

    @property
    def macro_auc(self) -> float:
        """Mean AUC of the groups that have one; nan if none has."""
        known = self.auc[np.isfinite(self.auc)]
        return float(known.mean()) if len(known) else float("nan")


@dataclass(frozen=True, eq=False)
class MixtureProfile:
    """How the losses of a mixture, each times its weight, work with and against one another; nan: not defined.

    `lost` is 1 - |sum of gradients| / sum of |gradients|: 0 where all terms agree, 1 where they cancel. A band is the
    widest run of bins in which at least half of the weight is lost.
    """

    names: tuple[str, ...]  # (t,)
    coefficient: np.ndarray  # (t,) the weights
    norm: np.ndarray  # (t,) length of each term's gradient at the embeddings of the probe
    cosine: np.ndarray  # (t, t) between those gradients
    lost: float  # of the gradient at the embeddings
    pair_norm: np.ndarray  # (t,) length of each term's pair weights, at what the loss reads
    pair_cosine: np.ndarray  # (t, t) between those
    centre: np.ndarray  # (bins,) middles of the score bins, empty where the loss reads no scores
    pull: np.ndarray  # (t, bins) mean signed weight of the positives of a bin, nan where empty
    push: np.ndarray  # (t, bins) the same of the negatives
    pull_lost: np.ndarray  # (bins,) of the mean weights of positives; nan where there are none, or no weight
    push_lost: np.ndarray  # (bins,) the same of negatives
    pull_band: np.ndarray  # (2,) lowest and highest score of the band of positives; empty if there is none
    push_band: np.ndarray  # (2,) the same of negatives


@dataclass(frozen=True, eq=False)
class ClassProfile:
    """Classes of anchors in rows, of candidates in columns; a last row of label -1 holds all classes beyond the most.

    Shares are of all |dL/ds|, pull and push together; both are empty where the loss gives pairs no weight.
    """

    label: np.ndarray  # (c,)
    count: np.ndarray  # (c, c) pairs, both directions
    similarity: np.ndarray  # (c, c) mean cosine; nan where two classes have no pair
    pull: np.ndarray  # (c, c) share that pulls
    push: np.ndarray  # (c, c) share that pushes


@dataclass(frozen=True, eq=False)
class Points:
    """The probe in two dimensions. PCA in a frame that the caller keeps, so that points keep their place."""

    xy: np.ndarray  # (n, 2) float32
    y: np.ndarray  # (n,)
    item: np.ndarray  # (n,)
    seen: np.ndarray  # (n,) bool
    method: str  # "PCA" or "UMAP"
    trustworthiness: float  # of 10 neighbours, in [0, 1]


@dataclass(frozen=True, eq=False)
class Curves:
    """The run so far, thinned to TRACE_POINTS."""

    step: np.ndarray  # of loss and grad_norm
    loss: np.ndarray
    grad_norm: np.ndarray
    measured_step: np.ndarray
    measured: dict[str, np.ndarray]  # auc, auc_unseen, recall_at_1, uniformity, tolerance, alignment, ...


@dataclass(frozen=True, eq=False)
class Mark:
    """A change of a knob, drawn on every curve."""

    step: int
    text: str


@dataclass(frozen=True, eq=False)
class Summary:
    """One moment of one run, ready to draw. What is absent is None, with the reason beside it."""

    step: int
    label: str
    config: str  # RunConfig as JSON
    scores: ScoreHistogram
    scores_unseen: ScoreHistogram | None
    roc: RocCurve
    roc_unseen: RocCurve | None
    plane: Plane
    spectrum: Spectrum
    neighbours: Neighbours
    weights: WeightProfile | None
    points: Points
    curves: Curves
    levels: dict[str, float]
    marks: tuple[Mark, ...]
    why_no_weight: str
    why_no_unseen: str
    mixture: MixtureProfile | None = None  # None: the loss is no mixture
    margins: MarginProfile | None = None  # None: the loss reads no logits
    heads: tuple[ScoreHistogram, ...] | None = None  # of each head's own scores, seen classes; None: there is one head
    classes: ClassProfile | None = None  # None: recorded before there was one
    placed: Placed | None = None  # None: a recording, or more than is kept
    few_shot: float | None = None  # accuracy over episodes of the probe's unseen classes, sized as those of the
    # sampler, by the nearest prototype; None: the run does not train on episodes; nan: too few classes or items
