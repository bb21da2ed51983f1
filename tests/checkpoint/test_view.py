"""A checkpoint as panels draw it, against the diagnosis itself, plain loops and scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from components.panels import class_matrix, embedding_map, pair_weights, roc_curve, score_histogram, spectrum, tradeoff
from models.checkpoint import Material, Pairs, ScoreTable, diagnose
from models.checkpoint.result import examined, facts
from models.checkpoint.view import NO_PAIRS, PANELS, SCORES_ALONE, views
from tests.checkpoint.made import labelled, sound

Z, Y = sound(n=120, classes=4, d=8)
FIGURES = {
    "score_histogram": score_histogram, "roc_curve": roc_curve, "embedding_map": embedding_map,
    "pair_weights": pair_weights, "class_matrix": class_matrix, "spectrum": spectrum, "tradeoff": tradeoff,
}  # fmt: skip


def flipped(count: int = 6) -> np.ndarray:
    """The labels, the first few of them wrong."""
    y = Y.copy()
    y[:count] = (y[:count] + 1) % 4
    return y


def test_numbers_of_the_panels_are_those_of_the_diagnosis_and_of_others() -> None:
    found = diagnose(labelled(Z, Y), "infonce", {"temperature": 0.1, "batch": 40})
    view = views(found)[0]
    shown = view.summary
    assert set(view.absent) == {"curves"}
    rows, columns = np.triu_indices(120, 1)
    same, score = Y[rows] == Y[columns], (Z @ Z.T)[rows, columns]
    assert shown.roc.auc == pytest.approx(roc_auc_score(same, score), abs=1e-9)
    assert (shown.roc.positives, shown.roc.negatives) == (int(same.sum()), int((~same).sum()))
    assert shown.scores.positive.sum() == same.sum()
    assert shown.plane.tolerance == pytest.approx(score[same].mean(), abs=1e-6)
    assert shown.plane.tolerance == pytest.approx(found.metric("tolerance").measured.value, abs=1e-6)
    assert shown.neighbours.recall_at_1 == pytest.approx(found.metric("recall_at_1").measured.value)
    assert shown.points.item.tolist() == list(range(120))
    assert shown.spectrum.effective_rank == pytest.approx(found.metric("effective_rank").measured.value, rel=1e-5)


def test_weights_are_those_of_the_named_loss_on_its_batches() -> None:
    found = diagnose(labelled(Z, Y), "infonce", {"temperature": 0.1, "batch": 40})
    loss, profile = found.evidence.loss, views(found)[0].summary.weights
    assert loss is not None
    assert profile is not None
    assert loss.weight is not None
    pull = {pair: w for *pair_, w in zip(loss.anchor, loss.candidate, loss.weight, strict=True) if w < 0
            for pair in [tuple(map(int, pair_))]}  # fmt: skip
    total = -sum(pull.values()) / float(np.maximum(loss.weight, 0).sum())
    assert profile.pull_push == pytest.approx(total, rel=1e-5)
    assert len(pull) == int((loss.positive).sum())  # type: ignore[union-attr]
    matrix = views(found)[0].summary.classes
    assert matrix is not None
    assert matrix.pull.sum() + matrix.push.sum() == pytest.approx(1.0, abs=1e-5)


def test_every_panel_draws_what_is_there() -> None:
    result = examined(labelled(Z, flipped()), "infonce", {"temperature": 0.1})
    assert set(FIGURES) == set(PANELS)
    for name, panel in FIGURES.items():
        assert len(panel.figure([result.views[0].summary]).to_dict()) > 3, name


@pytest.mark.parametrize(
    ("material", "absent", "why"),
    [
        (Material("z alone", z=Z), {"score_histogram", "roc_curve", "tradeoff", "class_matrix"}, NO_PAIRS),
        (
            Material("scores", scores=ScoreTable(np.linspace(0, 1, 20), np.arange(20) % 3 > 0)),
            {"embedding_map", "spectrum", "tradeoff", "class_matrix"},
            SCORES_ALONE,
        ),
        (
            Material("pairs", z=Z, pairs=Pairs(np.arange(60), np.arange(60, 120), np.arange(60) % 2 == 0)),
            {"class_matrix"},
            "There are no classes: give labels.",
        ),
    ],
)
def test_what_is_unknown_is_absent_with_its_reason(material: Material, absent: set[str], why: str) -> None:
    view = views(diagnose(material))[0]
    assert set(view.absent) == absent | {"curves", "pair_weights"}
    assert why in view.absent.values()
    for name in set(PANELS) - absent - {"pair_weights"}:
        assert len(FIGURES[name].figure([view.summary]).to_dict()) > 3


def test_scores_beyond_cosines_are_stretched_onto_the_axis_and_say_so() -> None:
    score, match = np.asarray([10.0, 20.0, 30.0, 40.0]), np.asarray([False, False, True, True])
    shown = views(diagnose(Material("distances", scores=ScoreTable(score, match))))[0].summary
    assert shown.label == "distances · axis: scores 10 to 40"
    assert np.flatnonzero(shown.scores.negative).tolist() == [0, 21]  # -1 and -1/3 of 64 bins
    assert np.flatnonzero(shown.scores.positive).tolist() == [42, 63]
    assert shown.scores.d_prime == pytest.approx(20 / 5)  # means 35 and 15, each of deviation 5
    assert shown.roc.threshold[1:].tolist() == [40.0, 30.0, 20.0, 10.0]


def test_a_finding_marks_its_pairs_and_lists_them() -> None:
    material = labelled(Z, flipped(), classes=("a", "b", "c", "d"))
    result = examined(material, "infonce", {"temperature": 0.1})
    told = {one["key"]: one for one in result.told["findings"]}
    assert "label_suspects" in told
    found = result.marks["label_suspects"]
    assert found.about == "items"
    assert set(range(6)) <= {int(str(row["item"]).split("#")[1]) for row in found.listed}
    assert set(found.items) == set(told["label_suspects"]["items"])
    assert found.brushed is not None
    assert found.brushed.pairs == found.brushed.positives + found.brushed.negatives
    assert (found.brushed.positive + found.brushed.negative).sum() == found.brushed.pairs
    assert 0 < found.brushed.share_of_auc_loss <= 1
    ends = set(found.brushed.line_from) | set(found.brushed.line_to)
    assert ends <= set(found.brushed.items.tolist())
    plain = score_histogram.rows([result.views[0].summary])
    held = score_histogram.rows([result.views[0].summary], brushed=[found.brushed])
    assert plain["neg1"].notna().sum() < held["neg1"].notna().sum()


def test_pairs_of_a_finding_carry_cosine_kind_and_weight() -> None:
    z = Z.copy()
    twin = int(np.flatnonzero(Y[0] != Y)[0])
    z[twin] = z[0]
    material = Material("twins", z=z, labels=Y, content=np.where(np.arange(120) == twin, 0, np.arange(120)))
    result = examined(material, "infonce", {"temperature": 0.1})
    found = result.marks["same_item_both"]
    assert found.about == "pairs"
    assert found.listed[0]["cosine"] == pytest.approx(1.0, abs=1e-4)
    assert found.listed[0]["belong together"] is False
    assert {str(found.listed[0][end]).split("#")[1] for end in ("item", "with")} == {"0", str(twin)}


def test_other_checkpoints_are_drawn_beside_turned_onto_the_first() -> None:
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(8, 8)))[0].astype(np.float32)
    first, other = views(diagnose(labelled(Z, Y), against=(labelled(Z @ turn, Y, name="turned"),)))
    assert (first.summary.label, other.summary.label) == ("made up", "turned")
    assert other.summary.points.xy == pytest.approx(first.summary.points.xy, abs=1e-3)


def test_facts_are_told_before_anything_is_measured() -> None:
    told = dict(facts(labelled(2 * Z, Y, classes=("a", "b", "c", "d"))))
    assert told["Embeddings"] == "120 rows of 8 dimensions"
    assert told["Lengths"].startswith("2 in the middle")
    assert told["Classes"] == "4: a 30, b 30, c 30, d 30"
    scores = Material("s", scores=ScoreTable(np.asarray([0.5, -1.0]), np.asarray([True, False])))
    assert dict(facts(scores)) == {"Pairs": "1 that match, 1 that do not", "Scores": "-1 to 0.5"}
