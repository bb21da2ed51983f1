"""Many losses on one batch: against plain loops, and against what relations between losses say."""

import math

import numpy as np
import pytest
import torch

from models.agreement import BINS, Side, compare, unreadable
from models.catalogue import discover
from models.diagnostics.agreement import KINDS, Comparison
from models.geometry import Embeddings, Scores, score
from models.spec import Counts

KEYS = ["infonce", "triplet", "contrastive", "symmetry"]


def batch(n: int = 24, classes: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.arange(n) % classes
    return (np.eye(classes, 6)[y] + 0.6 * rng.standard_normal((n, 6))).astype(np.float32), y


def weights_by_differences(key: str, s: torch.Tensor, scores: Scores, *, step: float = 1e-5) -> np.ndarray:
    """dL/d(similarity of an unordered pair), which moves both of its entries: the loss alone, no autograd."""
    module = discover("losses")[key]
    knobs = {knob.name: knob.default for knob in module.SPEC.knobs}
    found = np.zeros(s.shape)
    for i in range(len(s)):
        for j in range(i + 1, len(s)):
            ends = []
            for sign in (step, -step):
                moved = s.clone()
                moved[i, j] += sign
                moved[j, i] += sign
                ends.append(module.loss(Scores(moved, scores.pos, scores.neg), **knobs).item())
            found[i, j] = (ends[0] - ends[1]) / (2 * step)
    return found


def test_cosines_are_those_of_numerical_gradients() -> None:
    z, y = batch(12, 3)
    found = compare(z, y, KEYS)
    scores = score(Embeddings(torch.from_numpy(z).double(), torch.from_numpy(y)))
    slopes = [weights_by_differences(key, scores.s, scores) for key in KEYS]
    masks = {"all": y[:, None] != -1, "positives": y[:, None] == y, "negatives": y[:, None] != y}
    above = np.triu(np.ones((12, 12), bool), 1)
    seen = 0
    for kind in KINDS:
        for a, left in enumerate(slopes):
            for b, right in enumerate(slopes):
                u, v = left[masks[kind] & above], right[masks[kind] & above]
                size = math.sqrt((u**2).sum() * (v**2).sum())
                if size > 0:
                    assert found.cosine[kind][a, b] == pytest.approx((u * v).sum() / size, abs=2e-4)
                    seen += 1
                else:
                    assert np.isnan(found.cosine[kind][a, b])
    assert seen > 30


def test_related_losses_agree_wholly() -> None:
    z, _ = batch(24)
    y = np.repeat(np.arange(12), 2)  # one positive each: infonce and supcon are the same loss
    found = compare(z, y, ["infonce", "n_pair", "supcon"])
    assert found.cosine["all"][0, 2] == pytest.approx(1.0, abs=1e-6)
    assert found.cosine["all"][0, 1] < 0.999
    assert found.group["all"][0] == found.group["all"][2]


def test_values_levels_and_shares_are_the_losses_own() -> None:
    z, y = batch()
    found = compare(z, y, KEYS)
    scores = score(Embeddings(torch.from_numpy(z), torch.from_numpy(y)))
    counts = Counts(scores.pos.sum(1).numpy(), scores.neg.sum(1).numpy(), 4)
    infonce, triplet, _, symmetry = found.readings
    module = discover("losses")["infonce"]
    assert infonce.value == pytest.approx(module.loss(scores, temperature=0.1).item(), rel=1e-6)
    chance = next(level for level in module.SPEC.levels if level.name == "chance")
    assert infonce.levels["chance"] == pytest.approx(chance.value(counts, {"temperature": 0.1}))
    assert infonce.levels["chance"] == pytest.approx(math.log(19))  # 18 negatives
    assert infonce.active == 1.0
    assert symmetry.active == pytest.approx(5 / 23)  # positives alone: 5 of an anchor's 23 others
    assert 0 < triplet.active < 1
    assert (found.items, found.positives, found.negatives) == (24, 60, 216)


def test_a_profile_is_the_mean_of_each_bin() -> None:
    s = torch.tensor([[-1.0, -0.95, 0.3, 0.05, 1.0]], dtype=torch.float64)
    every = torch.tensor([[True, True, False, True, True]])
    side = Side(Scores(s, every, ~every), every)
    weight = side.of(torch.tensor([[1.0, 3.0, 100.0, 5.0, 7.0]], dtype=torch.float64))
    assert weight.tolist() == [1.0, 3.0, 5.0, 7.0]
    found = side.profile(weight)
    assert len(found) == BINS
    assert found[[0, 10, 19]].tolist() == [2.0, 5.0, 7.0]
    assert np.isnan(np.delete(found, [0, 10, 19])).all()


def test_every_loss_of_ours_is_read_or_told_why_not() -> None:
    found = compare(*batch(40))
    read = [reading.key for reading in found.readings]
    assert set(read) | set(found.left_out) == {key for key in discover("losses") if ":" not in key}
    assert not set(read) & set(found.left_out)
    assert len(read) >= 20
    assert all(found.left_out.values())
    for kind in KINDS:
        assert found.cosine[kind].shape == (len(read), len(read))
        assert sorted(found.order[kind].tolist()) == list(range(len(read)))


def test_a_batch_too_large_for_a_library_loss_is_told() -> None:
    z, y = batch(400, 4)
    found = compare(z, y, ["pml:NTXentLoss", "infonce"])
    assert [reading.key for reading in found.readings] == ["infonce"]
    assert "GB" in found.left_out["pml:NTXentLoss"]


@pytest.mark.parametrize(
    ("key", "word"), [("arcface", "prox"), ("cross_entropy", "logits"), ("preference", "target"), ("infonce", "")]
)
def test_the_reason_names_what_a_loss_reads(key: str, word: str) -> None:
    assert word in unreadable(key)
    assert bool(unreadable(key)) == bool(word)


@pytest.mark.parametrize("y", [np.zeros(6, int), np.arange(6)])
def test_without_negatives_or_positives_nothing_breaks(y: np.ndarray) -> None:
    found: Comparison = compare(batch(6, 3)[0], y)
    assert len(found.readings) >= 20
    assert min(found.positives, found.negatives) == 0


def test_the_same_batch_gives_the_same_numbers_and_moves_no_draws() -> None:
    torch.manual_seed(5)
    first = compare(*batch(20))
    drawn = torch.rand(1).item()
    torch.manual_seed(5)
    assert torch.rand(1).item() == drawn
    np.testing.assert_array_equal(first.cosine["all"], compare(*batch(20)).cosine["all"])
