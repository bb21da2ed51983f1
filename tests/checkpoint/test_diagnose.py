import json
from importlib import import_module

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from models.checkpoint import Material, Pairs, Relevance, ScoreTable, diagnose
from models.checkpoint.diagnosis import SCHEMA
from models.diagnostics.all_pairs import Cancelled, Progress
from models.diagnostics.findings.catalogue import RULES
from tests.checkpoint.made import labelled, sound


def auc_by_hand(s: np.ndarray, y: np.ndarray) -> float:
    once = np.triu(np.ones(s.shape, bool), 1)
    return float(roc_auc_score((y[:, None] == y[None, :])[once], s[once]))


def test_every_rule_is_found_clear_or_explained() -> None:
    found = diagnose(labelled(*sound()))
    told = json.loads(found.to_json())
    keys = [entry["key"] for part in ("findings", "checked", "not_checked") for entry in told[part]]
    assert sorted(keys) == sorted(rule.key for rule in RULES)
    assert len(set(keys)) == 21
    assert all(entry["why"] for entry in told["not_checked"])


def test_a_sound_checkpoint_has_no_finding() -> None:
    found = diagnose(labelled(*sound(spread=0.15)), "infonce", {"temperature": 0.1, "batch": 128})
    assert found.findings == ()
    assert found.worst == ""
    assert not found.fires("info")
    assert len(found.examined.clear) > 10


def test_metrics_are_those_of_plain_loops() -> None:
    z, y = sound(120, 4, spread=0.6)
    found = diagnose(labelled(z, y))
    s = z.astype(np.float64) @ z.T
    auc = found.metric("auc").measured
    assert auc.value == pytest.approx(auc_by_hand(s, y), abs=1e-6)
    assert auc.low < auc.value < auc.high
    np.fill_diagonal(s, -9)
    assert found.metric("recall_at_1").measured.value == np.mean(y[s.argmax(1)] == y)
    apart = [float(((z[i] - z[j]) ** 2).sum()) for i in range(120) for j in range(i)]
    same = [float(((z[i] - z[j]) ** 2).sum()) for i in range(120) for j in range(i) if y[i] == y[j]]
    assert found.metric("uniformity").measured.value == pytest.approx(
        -np.log(np.mean(np.exp(-2 * np.asarray(apart)))), abs=1e-5
    )
    assert found.metric("alignment").measured.value == pytest.approx(np.mean(same), abs=1e-5)
    assert found.metric("tolerance").measured.value == pytest.approx(1 - np.mean(same) / 2, abs=1e-5)
    assert found.metric("mean_cosine").measured.value == pytest.approx(1 - np.mean(apart) / 2, abs=1e-5)
    assert found.scope[0].startswith("Pairs: exact over 7,140 pairs; AUC ±")


@pytest.fixture
def small_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth of the items that are looked at pair by pair, so that a large checkpoint can be small."""
    monkeypatch.setattr(import_module("models.checkpoint.diagnose"), "SAMPLE", 200)


@pytest.mark.usefixtures("small_sample")
def test_a_large_checkpoint_is_counted_exactly_and_looked_at_in_a_sample() -> None:
    z, y = sound(600, 5, spread=0.8)
    steps: list[tuple[str, Progress | None]] = []
    found = diagnose(labelled(z, y), progress=lambda what, step: steps.append((what, step)))
    s = z.astype(np.float32) @ z.T
    auc = found.metric("auc").measured
    assert auc.value == pytest.approx(auc_by_hand(s, y), abs=1e-6)
    assert 0 < auc.high - auc.low < 0.1
    assert "exact over 179,700 pairs" in found.scope[0]
    assert found.scope[1] == "Items and findings: 200 of 600 sampled."
    assert steps[0][0] == "sampling"
    assert any(step is not None and step.done == step.total for _, step in steps)
    sampled = diagnose(labelled(z, y), sample=150)
    assert "150 of 600 sampled" in sampled.scope[0]
    bounds = sampled.metric("auc").measured
    assert bounds.low - 0.03 < auc.value < bounds.high + 0.03
    assert bounds.high - bounds.low > auc.high - auc.low


@pytest.mark.usefixtures("small_sample")
def test_the_interval_over_all_items_is_that_of_the_bootstrap() -> None:
    z, y = sound(500, 5, spread=0.8)
    whole = diagnose(labelled(z, y)).metric("auc").measured
    bootstrap = diagnose(labelled(z, y), sample=500).metric("auc").measured
    assert whole.value == pytest.approx(bootstrap.value, abs=1e-6)
    assert whole.high - whole.low == pytest.approx(bootstrap.high - bootstrap.low, rel=0.25)


def test_the_same_input_gives_the_same_text() -> None:
    first, second = (diagnose(labelled(*sound()), "triplet").to_json() for _ in range(2))
    assert first == second
    assert json.loads(first)["schema"] == SCHEMA
    assert diagnose(labelled(*sound(seed=1)), "triplet").to_json() != first


def test_pairs() -> None:
    z, y = sound(200, 5, spread=0.5)
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 200, 900), rng.integers(0, 200, 900)
    keep = a != b
    a, b = a[keep], b[keep]
    found = diagnose(Material("pairs", z=z, pairs=Pairs(a, b, y[a] == y[b])))
    distinct = {(min(i, j), max(i, j)) for i, j in zip(a.tolist(), b.tolist(), strict=True)}
    listed = np.asarray(sorted(distinct))
    s = np.einsum("ij,ij->i", z[listed[:, 0]], z[listed[:, 1]])
    expected = roc_auc_score(y[listed[:, 0]] == y[listed[:, 1]], s)
    assert found.metric("auc").measured.value == pytest.approx(expected, abs=1e-6)
    assert f"exact over {len(listed)} pairs" in found.scope[0]


def test_queries_and_documents() -> None:
    z, y = sound(60, 6, spread=0.3)
    documents, labels = sound(90, 6, spread=0.3, seed=5)
    query, document = np.nonzero(y[:, None] == labels[None, :])
    found = diagnose(Material("search", z=z, relevance=Relevance(documents, query, document)), "infonce", {"batch": 16})
    s = z @ documents.T
    relevant = y[:, None] == labels[None, :]
    assert found.metric("auc").measured.value == pytest.approx(roc_auc_score(relevant.ravel(), s.ravel()), abs=1e-6)
    assert found.metric("recall_at_1").measured.value == np.mean(relevant[np.arange(60), s.argmax(1)])
    assert found.levels["value"] < found.levels["chance"]


def test_scores_alone_unlock_what_they_can() -> None:
    rng = np.random.default_rng(2)
    match = rng.random(400) < 0.3
    score = rng.normal(size=400) + 1.5 * match
    anchor = np.arange(400) // 8
    found = diagnose(Material("scores", scores=ScoreTable(score, match, anchor)))
    assert found.metric("auc").measured.value == pytest.approx(roc_auc_score(match, score), abs=1e-12)
    assert found.metric("uniformity").why == "there are scores alone, and no embeddings"
    assert (
        "scores alone" in dict((rule.key, unknown.reason) for rule, unknown in found.examined.unknown)["point_collapse"]
    )


def test_embeddings_alone() -> None:
    found = diagnose(Material("bare", z=sound()[0]))
    assert found.metric("auc").why == "nothing says which items belong together"
    assert np.isfinite(found.metric("effective_rank").measured.value)
    assert json.loads(found.to_json())["histogram"] is None


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_hardly_any_items(n: int) -> None:
    found = diagnose(labelled(np.eye(4, dtype=np.float32)[:n], np.zeros(n, np.int64)), "infonce")
    assert json.loads(found.to_json())["size"] == n


def test_refusals() -> None:
    material = labelled(*sound(40))
    with pytest.raises(ValueError, match="temperature must be a number"):
        diagnose(material, "infonce", {"temperature": -1.0})
    with pytest.raises(ValueError, match="no knob 'heat'"):
        diagnose(material, "infonce", {"heat": 1.0})
    with pytest.raises(ValueError, match="none is named"):
        diagnose(material, knobs={"temperature": 0.1})
    with pytest.raises(ValueError, match="batch must be a whole number from 2"):
        diagnose(material, "infonce", {"batch": 1})
    with pytest.raises(ValueError, match="sample must be 2"):
        diagnose(material, sample=1)
    with pytest.raises(ValueError, match="same items in the same order"):
        diagnose(material, against=[labelled(*sound(50))])
    with pytest.raises(ValueError, match="other labels"):
        diagnose(material, against=[labelled(*sound(40, 5))])
    with pytest.raises(ValueError, match="severity must be one of info"):
        diagnose(material).fires("grave")
    with pytest.raises(ValueError, match="there is no metric 'x'"):
        diagnose(material).metric("x")


def test_progress_can_end_the_work() -> None:
    def stop(what: str, step: Progress | None) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        diagnose(labelled(*sound(40)), progress=stop)
