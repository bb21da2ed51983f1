"""What a run shows of its head: margins, theoretical curves, several heads, and that looking leaves no trace."""

from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch

from models.diagnostics.margins import entries, margin_profile, of_scores
from models.diagnostics.storage import load_summaries, save_summaries
from models.diagnostics.summarise import summarise
from models.diagnostics.summary import BINS, MarginProfile
from models.snapshot import Snapshot
from models.training.config import Part, RunConfig
from models.training.run import Run


@lru_cache
def run(loss: str, data: str, steps: int = 15) -> Run:
    made = Run(RunConfig(loss=Part(loss), data=Part(data)))
    made.advance(steps)
    return made


@lru_cache
def measured(loss: str, data: str) -> tuple[Snapshot, MarginProfile]:
    snapshot = run(loss, data).snapshot()
    found = margin_profile(snapshot)
    assert found is not None
    return snapshot, found


CASES = [("cross_entropy", "digits"), ("anyloss", "cancer"), ("hybrid_multilabel", "scenes"), ("hl_gauss", "diabetes")]


@pytest.mark.parametrize(("loss", "data"), CASES)
def test_what_a_run_shows_is_what_its_head_decides(loss: str, data: str) -> None:
    made, (snapshot, found) = run(loss, data), measured(loss, data)
    predicted = made.objective.predict(torch.from_numpy(snapshot.z[snapshot.seen]))
    assert predicted is not None
    told, y = predicted.numpy(), snapshot.y[snapshot.seen]
    target = made.data.probe_target
    truth = y if target is None else target[snapshot.seen]
    wrong = told < truth if found.kind == "real" else told != truth
    assert found.below == pytest.approx(wrong.mean(), abs=1e-12)
    assert found.count.sum() == wrong.size
    assert 1 < found.effective < found.entries
    assert found.kind == made.objective.spec.target


def test_mean_size_of_residuals_is_the_error_that_a_finished_run_reports() -> None:
    snapshot, found = measured("hl_gauss", "diabetes")
    told = run("hl_gauss", "diabetes").objective.predict(torch.from_numpy(snapshot.z[snapshot.seen]))
    target = run("hl_gauss", "diabetes").data.probe_target
    assert told is not None
    assert target is not None
    assert found.size == pytest.approx(np.abs(told.numpy() - target[snapshot.seen]).mean(), rel=1e-6)


@pytest.mark.parametrize(("loss", "data"), [("cross_entropy", "cancer"), ("cross_entropy", "digits")])
def test_theoretical_curve_is_the_formula(loss: str, data: str) -> None:
    """Softmax over the typical item's other logits as they stand: |p - one-hot| / n at each margin."""
    snapshot, found = measured(loss, data)
    lens = snapshot.lens
    assert lens is not None
    margin = of_scores(lens.s, lens.pos)
    typical = int(np.argsort(margin, kind="stable")[len(margin) // 2])
    others = lens.s[typical][~lens.pos[typical]].astype(np.float64)
    expected = []
    for m in found.grid:
        row = np.append(others, others.max() + m)
        p = np.exp(row - row.max()) / np.exp(row - row.max()).sum()
        p[-1] -= 1.0
        expected.append(np.sqrt((p**2).sum()) / len(margin))
    assert len(found.grid) > 20
    np.testing.assert_allclose(found.curve, expected, rtol=2e-3, atol=1e-9)


def test_two_classes_lie_on_their_theoretical_curve() -> None:
    """With two classes nothing but the margin counts: every item lies on the curve."""
    _, found = measured("cross_entropy", "cancer")
    theory = np.interp(found.dot_margin, found.grid, found.curve)
    np.testing.assert_allclose(found.dot_weight, theory, rtol=0.02)


@pytest.mark.parametrize(("loss", "data"), [("hl_gauss", "diabetes"), ("aldr_kl", "digits"), ("ldr_kl", "digits")])
def test_theoretical_curve_meets_the_typical_item(loss: str, data: str) -> None:
    snapshot, found = measured(loss, data)
    assert snapshot.lens is not None
    every = entries(snapshot.lens, snapshot.y[snapshot.seen])
    typical = int(np.argsort(every.margin, kind="stable")[len(every.margin) // 2])
    at = np.interp(every.margin[typical], found.grid, found.curve)
    assert at == pytest.approx(every.weight[typical], rel=0.05)


@pytest.mark.parametrize(
    ("loss", "data"), [("anyloss", "cancer"), ("ensloss", "cancer"), ("hybrid_multilabel", "scenes")]
)
def test_no_curve_where_items_share_a_term_or_the_value_means_nothing(loss: str, data: str) -> None:
    assert len(measured(loss, data)[1].grid) == 0


def test_summaries_with_margins_and_heads_are_kept(tmp_path: Path) -> None:
    heads = Run(RunConfig(methods=(Part("multi_head"),)))
    both = [summarise(measured("cross_entropy", "digits")[0]), summarise(heads.snapshot())]
    save_summaries(tmp_path / "two.safetensors", both)
    first, second = load_summaries(tmp_path / "two.safetensors")
    before, after = both[0].margins, first.margins
    assert before is not None
    assert after is not None
    assert (after.kind, after.reach, after.below) == (before.kind, before.reach, before.below)
    np.testing.assert_array_equal(after.count, before.count)
    np.testing.assert_allclose(after.tpr, before.tpr, rtol=1e-6)
    np.testing.assert_allclose(after.weight, before.weight, rtol=1e-6)
    assert (first.heads, second.margins) == (None, None)
    assert second.heads is not None
    assert len(second.heads) == 3


def test_each_head_has_the_histogram_of_its_own_scores() -> None:
    """By the formula of the method: the head's own rows, every unordered pair of items of seen classes once."""
    made = Run(RunConfig(methods=(Part("multi_head", (("heads", 2),)),)))
    made.advance(3)
    snapshot = made.snapshot()
    found = summarise(snapshot).heads
    assert found is not None
    assert len(found) == 2
    z, y = torch.from_numpy(snapshot.z[snapshot.seen]), snapshot.y[snapshot.seen]
    first, second = torch.triu_indices(len(y), len(y), offset=1).numpy()
    for head, shown in zip(made.chain["multi_head"].heads, found, strict=True):  # type: ignore[union-attr,arg-type]
        with torch.no_grad():
            u = torch.nn.functional.normalize(head(z), dim=1)
        s = (u @ u.T).double().numpy()[first, second]
        same = y[first] == y[second]
        for mask, counted in ((same, shown.positive), (~same, shown.negative)):
            assert counted.sum() == mask.sum()
            expected, _ = np.histogram(s[mask], np.linspace(-1, 1, BINS + 1))
            assert np.abs(counted - expected).sum() <= 4  # cosines on an edge may round to either side
        assert shown.d_prime == pytest.approx(
            (s[same].mean() - s[~same].mean()) / np.sqrt((s[same].var() + s[~same].var()) / 2), rel=1e-4
        )
    assert summarise(snapshot).scores.d_prime != pytest.approx(found[0].d_prime, rel=1e-3)


def test_looking_leaves_no_trace() -> None:
    """aldr_kl remembers a temperature an item; the slice must not be taken for a batch."""
    made = run("aldr_kl", "digits")
    before = {name: t.clone() for name, t in made.objective.state_dict().items()}
    made.snapshot()
    assert before
    assert all(torch.equal(before[name], t) for name, t in made.objective.state_dict().items())


def test_moved_logits_change_the_loss_by_its_formula() -> None:
    """Cross-entropy: log-sum-exp less the own logit, anew on the moved logits."""
    snapshot, found = measured("cross_entropy", "digits")
    assert snapshot.lens is not None
    s, pos = snapshot.lens.s.astype(np.float64), snapshot.lens.pos

    def value(logits: np.ndarray) -> float:
        return float(np.mean([np.log(np.exp(row).sum()) - row[own][0] for row, own in zip(logits, pos, strict=True)]))

    expected = [value(2 * s) - value(s), 0.0, value(-s) - value(s)]
    assert found.moved == pytest.approx(expected, abs=1e-5)
    assert min(abs(expected[0]), abs(expected[2])) > 0.05


def test_the_z_loss_sees_neither_size_nor_height() -> None:
    """It sees the sign: softplus(z) - softplus(-z) is z itself, the z-score of the own logit."""
    snapshot, found = measured("z_loss", "digits")
    assert snapshot.lens is not None
    s = snapshot.lens.s.astype(np.float64)
    z = (s - s.mean(axis=1, keepdims=True)) / s.std(axis=1, keepdims=True)
    assert found.moved == pytest.approx([0.0, 0.0, z[snapshot.lens.pos].mean()], abs=1e-5)
    assert z[snapshot.lens.pos].mean() > 0.5


def test_the_spherical_softmax_sees_no_sign() -> None:
    _, found = measured("spherical_softmax", "digits")
    assert found.moved is not None
    assert found.moved[2] == 0.0
    assert abs(found.moved[1]) > 0.1


@pytest.mark.parametrize(("loss", "data"), [("ensloss", "cancer"), ("hl_gauss", "diabetes")])
def test_no_change_is_told_where_the_value_means_nothing_or_outputs_are_no_classes(loss: str, data: str) -> None:
    assert measured(loss, data)[1].moved is None
