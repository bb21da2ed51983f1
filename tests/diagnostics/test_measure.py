"""The light measures equal the full ones, and whatever is undefined is nan with a reason."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from models.diagnostics.items import items_of
from models.diagnostics.measure import measure
from models.diagnostics.neighbours import neighbours
from models.diagnostics.plane import plane
from models.diagnostics.reasons import why_undefined
from models.diagnostics.spectrum import spectrum
from tests.diagnostics.helpers import clouds, trained

NAMES = {
    "auc",
    "auc_unseen",
    "recall_at_1",
    "uniformity",
    "tolerance",
    "alignment",
    "effective_rank",
    "neg_mean",
    "neg_var",
    "pos_mean",
    "pos_var",
}
ALL = np.ones(6, bool)
POSITIVE = {"recall_at_1", "tolerance", "alignment", "pos_mean", "pos_var"}
Z, Y = clouds(6, 2)
# name -> embeddings, labels, seen, what is undefined
CASES = {
    "ordinary": (Z, Y, np.arange(6) < 5, {"auc_unseen"}),
    "one class": (Z, np.zeros(6, int), ALL, {"auc", "auc_unseen", "neg_mean", "neg_var"}),
    "all unique": (Z, np.arange(6), ALL, {"auc", "auc_unseen"} | POSITIVE),
    "one item": (Z[:1], Y[:1], ALL[:1], NAMES),
    "no item": (Z[:0], Y[:0], ALL[:0], NAMES),
    "two of one class": (Z[:2], np.zeros(2, int), ALL[:2], {"auc", "auc_unseen", "neg_mean", "neg_var"}),
    "two of two classes": (Z[:2], np.arange(2), ALL[:2], {"auc", "auc_unseen", "neg_var"} | POSITIVE),
    "all equal": (np.ones((6, 4)), Y, ALL, {"auc_unseen", "effective_rank"}),
    "all zero": (np.zeros((6, 4)), Y, ALL, {"auc_unseen", "effective_rank"}),
    "a zero row": (Z * (np.arange(6) > 0)[:, None], Y, ALL, {"auc_unseen"}),
    "nobody seen": (Z, Y, ~ALL, NAMES - {"auc_unseen"}),
}


def test_light_measures_are_the_full_ones() -> None:
    snapshot = trained()
    found = measure(snapshot.z, snapshot.y, snapshot.seen)
    items = items_of(snapshot.z[snapshot.seen], snapshot.y[snapshot.seen])
    full, near = plane(items), neighbours(items)
    assert set(found) == NAMES
    assert found["recall_at_1"] == near.recall_at_1
    assert (found["uniformity"], found["tolerance"], found["alignment"]) == (
        full.uniformity,
        full.tolerance,
        full.alignment,
    )
    assert found["effective_rank"] == pytest.approx(spectrum(items.u).effective_rank, rel=1e-6)
    assert found["pos_mean"] == pytest.approx(full.tolerance, abs=0.02)  # classes of about one size


@pytest.mark.parametrize(("name", "of_seen"), [("auc", True), ("auc_unseen", False)])
def test_auc_of_seen_and_unseen_pairs_apart(name: str, of_seen: bool) -> None:
    snapshot = trained()
    kept = np.flatnonzero(snapshot.seen == of_seen)
    square = np.ix_(kept, kept)
    once = np.triu(np.ones((len(kept), len(kept)), bool), k=1)
    expected = roc_auc_score(snapshot.pos[square][once], snapshot.s[square][once])
    # Scores are multiplied anew for each subset: the last bit of a float32 may turn a pair of neighbours.
    assert measure(snapshot.z, snapshot.y, snapshot.seen)[name] == pytest.approx(expected, abs=1e-6)


def test_lengths_do_not_matter() -> None:
    z, y = clouds(30, 3)
    seen = np.arange(30) < 20
    scaled = z * np.random.default_rng(0).uniform(0.1, 9, (30, 1))
    assert measure(scaled, y, seen) == pytest.approx(measure(z, y, seen))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_undefined_is_nan_and_nothing_else(case: str, dtype: type) -> None:
    z, y, seen, undefined = CASES[case]
    found = measure(z.astype(dtype), y, seen)
    assert {name for name, value in found.items() if np.isnan(value)} == undefined


@pytest.mark.parametrize("case", CASES)
def test_every_nan_has_its_reason(case: str) -> None:
    z, y, seen, undefined = CASES[case]
    reasons = why_undefined(z, y, seen)
    assert undefined <= set(reasons)
    assert not (set(reasons) & NAMES) - undefined
    assert all(len(reason) > 20 for reason in reasons.values())


def test_reasons_say_which_kind_is_missing() -> None:
    z, y, seen, _ = CASES["all unique"]
    assert why_undefined(z, y, seen)["auc"] == (
        "every item of seen classes is alone in its class: there is no positive pair"
    )
    z, y, seen, _ = CASES["one class"]
    assert "share one class" in why_undefined(z, y, seen)["neg_mean"]
    assert "one item of unseen classes" in why_undefined(*CASES["ordinary"][:3])["auc_unseen"]
    assert "lie in one point" in why_undefined(*CASES["all equal"][:3])["effective_rank"]


def test_a_point_scores_as_a_coin() -> None:
    found = measure(*CASES["all equal"][:3])
    assert (found["auc"], found["tolerance"]) == pytest.approx((0.5, 1))
    assert (found["uniformity"], found["alignment"]) == pytest.approx((0, 0), abs=1e-12)
