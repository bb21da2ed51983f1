"""Lengths, angles and cancelling of the terms of a mixture: by hand, and against gradients taken another way."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models.catalogue import discover
from models.diagnostics.mixture import band, cosines, lost, lost_of_vectors, mixture_profile, norms
from models.diagnostics.storage import from_arrays, load_summaries, save_summaries, to_arrays
from models.diagnostics.summarise import summarise
from models.diagnostics.summary import MixtureProfile
from models.geometry import Embeddings, Scores, score
from models.sensitivity import pair_weights
from models.snapshot import Lens, Snapshot, Terms
from models.training.config import Part
from models.training.run import Run
from tests.training.helpers import differing, part, small

LOSSES = discover("losses")
CENTRE = np.array([-0.75, -0.25, 0.25, 0.75])


def trained(key: str, steps: int = 10, **fields: object) -> Run:
    run = Run(replace(small(**fields), loss=Part(key)))
    run.advance(steps)
    return run


def profile(snapshot: Snapshot) -> MixtureProfile:
    found = mixture_profile(snapshot)
    assert found is not None
    return found


def test_lengths_and_angles_by_hand() -> None:
    vectors = np.array([[3.0, 4.0], [0.0, 2.0], [0.0, 0.0]])
    assert norms(vectors).tolist() == [5.0, 2.0, 0.0]
    expected = [[1.0, 0.8, np.nan], [0.8, 1.0, np.nan], [np.nan, np.nan, np.nan]]
    np.testing.assert_allclose(cosines(vectors), expected)
    assert np.isnan(norms(np.empty((2, 0)))).all()


@pytest.mark.parametrize(
    ("vectors", "expected"),
    [
        ([[1.0, 0.0], [2.0, 0.0]], 0.0),
        ([[1.0, 0.0], [-1.0, 0.0]], 1.0),
        ([[1.0, 0.0], [-3.0, 0.0]], 0.5),
        ([[3.0, 0.0], [0.0, 4.0]], 1 - 5 / 7),
        ([[0.0, 0.0], [0.0, 0.0]], np.nan),
    ],
)
def test_what_is_lost_of_vectors(vectors: list[list[float]], expected: float) -> None:
    assert lost_of_vectors(np.array(vectors)) == pytest.approx(expected, nan_ok=True)


def test_what_is_lost_in_each_bin() -> None:
    means = np.array([[1.0, 1.0, -2.0, 0.0, np.nan], [1.0, -1.0, 1.0, 0.0, np.nan]])
    np.testing.assert_allclose(lost(means), [0.0, 1.0, 2 / 3, np.nan, np.nan])


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        ([0.0, 0.1, 0.49, np.nan], []),
        ([0.0, 0.5, 0.9, 0.2], [-0.5, 0.5]),
        ([0.9, 0.1, 0.6, 0.7], [0.0, 1.0]),
        ([0.9, np.nan, 0.2, 0.7], [-1.0, -0.5]),
        ([1.0, 1.0, 1.0, 1.0], [-1.0, 1.0]),
    ],
)
def test_the_band_is_the_widest_run(share: list[float], expected: list[float]) -> None:
    assert band(np.array(share), CENTRE, 0.25).tolist() == expected


def test_gradients_are_those_of_each_loss_alone() -> None:
    """Through the functions of the losses, not through the mixture."""
    run = trained("mix:infonce+triplet")
    run.set("loss.triplet.weight", 0.25)
    snapshot = run.snapshot()
    found = profile(snapshot)
    z = torch.from_numpy(snapshot.z).requires_grad_()
    scores = score(Embeddings(z, torch.from_numpy(snapshot.y)))
    alone = [(LOSSES["infonce"].loss(scores), 1.0), (LOSSES["triplet"].loss(scores), 0.25)]
    slopes = [w * torch.autograd.grad(value, z, retain_graph=True)[0].numpy() for value, w in alone]
    assert found.names == ("infonce", "triplet")
    assert found.coefficient.tolist() == [1.0, 0.25]
    np.testing.assert_allclose(found.norm, [np.linalg.norm(s) for s in slopes], rtol=1e-3)
    cosine = (slopes[0] * slopes[1]).sum() / np.prod([np.linalg.norm(s) for s in slopes])
    assert found.cosine[0, 1] == pytest.approx(cosine, abs=1e-4)
    pairs = [w * pair_weights(LOSSES[key], scores).numpy() for key, w in zip(found.names, (1.0, 0.25), strict=True)]
    np.testing.assert_allclose(found.pair_norm, [np.linalg.norm(p) for p in pairs], rtol=1e-3)


@pytest.mark.parametrize("pairing", ["label", "views"])
@pytest.mark.parametrize("key", ["mix:infonce+contrastive", "mix:cross_entropy+z_loss"])
def test_terms_add_up_to_what_the_loss_does(key: str, pairing: str) -> None:
    snapshot = trained(key, pairing=pairing).snapshot()
    assert snapshot.lens is not None
    assert snapshot.lens.terms is not None
    np.testing.assert_allclose(snapshot.lens.terms.sum(axis=0), snapshot.lens.weight, rtol=1e-4, atol=1e-7)
    found = profile(snapshot)
    assert (found.norm > 0).all()
    assert (found.pair_norm > 0).all()
    assert np.isfinite(found.cosine).all()
    assert 0.0 <= found.lost <= 1.0


def test_a_loss_and_its_opposite_cancel_in_a_band() -> None:
    """Two terms push negatives below cosine 0 against each other and agree above; positives are pulled by both."""
    s = np.linspace(-0.98, 0.98, 200)[None, :].repeat(2, axis=0)
    pos = np.zeros(s.shape, bool)
    pos[1] = True
    first = np.where(pos, -1.0, 1.0)
    second = np.where(pos, -2.0, np.where(s < 0, -0.8, 0.5))
    snapshot = trained("mix:infonce+triplet", steps=1).snapshot()
    empty = np.empty(0)
    terms = np.stack([first, second])
    lens = Lens(s, pos, ~pos, first + second, "items", empty, empty, empty, terms=terms)
    found = profile(replace(snapshot, lens=lens, terms=Terms(("a", "b"), np.ones(2), np.stack([first, second]))))
    np.testing.assert_allclose(found.push_band, [-1.0, 0.0], atol=1e-9)
    assert found.pull_band.size == 0
    np.testing.assert_allclose(found.pull_lost, 0.0, atol=1e-12)
    np.testing.assert_allclose(found.push_lost[:20], 1 - 0.2 / 1.8)
    np.testing.assert_allclose(found.push[:, -1], [1.0, 0.5])
    assert found.cosine[0, 1] == pytest.approx((400 + 100 * 0.5 - 100 * 0.8) / np.sqrt(400 * (800 + 25 + 64)))


def test_a_loss_of_embeddings_has_no_pairs() -> None:
    found = profile(trained("mix:arcface+amcl").snapshot())
    assert (found.norm > 0).all()
    assert np.isnan(found.pair_norm).all()
    assert (found.centre.size, found.push.shape, found.push_band.size) == (0, (2, 0), 0)


@pytest.mark.parametrize("key", ["mix:arcface+adameow", "mix:aldr_kl+cross_entropy", "mix:infonce+triplet"])
def test_looking_changes_nothing(key: str) -> None:
    looked, other = trained(key), trained(key)
    state = torch.random.get_rng_state()
    looked.snapshot()
    assert torch.equal(torch.random.get_rng_state(), state)
    assert differing(looked, other) == []


def test_no_mixture_no_profile() -> None:
    run = Run(small())
    assert summarise(run.snapshot()).mixture is None


def test_stored_and_read_again(tmp_path: Path) -> None:
    """Whole in memory; on disk numbers are float32. A recording from before mixtures reads as one without."""
    summary = summarise(trained("mix:infonce+triplet").snapshot())
    arrays, meta = to_arrays(summary)
    again = from_arrays(arrays, meta).mixture
    save_summaries(tmp_path / "kept", [summary])
    kept = load_summaries(tmp_path / "kept")[0].mixture
    assert summary.mixture is not None
    assert again is not None
    assert kept is not None
    assert again.names == kept.names == ("infonce", "triplet")
    np.testing.assert_array_equal(again.push, summary.mixture.push)
    np.testing.assert_allclose(kept.norm, summary.mixture.norm, rtol=1e-6)
    del meta["mixture"]
    assert from_arrays(arrays, meta).mixture is None
    del meta["levels"]
    with pytest.raises(KeyError, match="levels"):
        from_arrays(arrays, meta)


def test_weight_of_a_term_scales_its_gradient() -> None:
    config = small()
    norm = []
    for weight in (1.0, 4.0):
        loss = part("mix:infonce+triplet", **{"triplet.weight": weight})
        norm.append(profile(Run(replace(config, loss=loss)).snapshot()).norm)
    np.testing.assert_allclose(norm[1] / norm[0], [1.0, 4.0], rtol=1e-5)


def test_scores_take_the_place_of_embeddings() -> None:
    """What is measured at the scores is the Frobenius length of the weights, masks included."""
    snapshot = trained("mix:infonce+triplet").snapshot()
    given = Scores(*(torch.from_numpy(array) for array in (snapshot.s, snapshot.pos, snapshot.neg)))
    weight = pair_weights(LOSSES["infonce"], given).numpy()
    assert profile(snapshot).pair_norm[0] == pytest.approx(np.linalg.norm(weight), rel=1e-3)
