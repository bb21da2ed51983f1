import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness as reference_trustworthiness

from models.diagnostics.items import unit_rows
from models.diagnostics.projection import Frame, align, pca_frame, project, trustworthiness, umap_layout
from tests.diagnostics.helpers import clouds, trained


def rotation(angle: float, mirrored: bool = False) -> np.ndarray:
    turn = np.asarray([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return turn @ np.diag([1.0, -1.0 if mirrored else 1.0])


def test_axes_are_those_of_scikit_learn() -> None:
    z = trained().z
    reference = PCA(2).fit(unit_rows(z))
    frame = pca_frame(z)
    assert np.abs((frame.axes * reference.components_.T).sum(axis=0)) == pytest.approx([1, 1], abs=1e-5)
    assert np.abs(project(z, frame)) == pytest.approx(np.abs(reference.transform(unit_rows(z))), abs=1e-4)
    assert project(z, frame).mean(axis=0) == pytest.approx([0, 0], abs=1e-6)


def test_signs_do_not_depend_on_the_solver() -> None:
    z, _ = clouds(30, 3)
    frame = pca_frame(z)
    assert np.all(frame.axes[np.abs(frame.axes).argmax(axis=0), [0, 1]] > 0)


def test_a_refitted_frame_follows_the_previous_one() -> None:
    z, _ = clouds(60, 3)
    rng = np.random.default_rng(1)
    later = z + 0.05 * rng.normal(size=z.shape)
    first = pca_frame(z)
    turned = Frame(first.mean, first.axes @ rotation(2.0, mirrored=True))
    followed = pca_frame(later, turned)
    # The same plane as a fresh fit, seen as the previous frame sees it.
    fresh = pca_frame(later)
    assert followed.axes @ followed.axes.T == pytest.approx(fresh.axes @ fresh.axes.T, abs=1e-9)
    assert followed.axes.T @ followed.axes == pytest.approx(np.eye(2), abs=1e-9)
    moved = np.linalg.norm(project(later, followed) - project(z, turned), axis=1).mean()
    unaligned = np.linalg.norm(project(later, fresh) - project(z, turned), axis=1).mean()
    assert moved < 0.1
    assert unaligned > 5 * moved


def test_a_kept_frame_shows_nothing_but_motion() -> None:
    z, _ = clouds(20, 2)
    frame = pca_frame(z)
    later = z.copy()
    later[3] += 1.0
    still = np.arange(20) != 3
    assert np.array_equal(project(later, frame)[still], project(z, frame)[still])
    assert not np.allclose(project(later, frame)[3], project(z, frame)[3])


def test_frames_of_little() -> None:
    one = pca_frame(np.asarray([[1.0, 2.0, 3.0]]))
    assert project(np.asarray([[1.0, 2.0, 3.0]]), one) == pytest.approx(np.zeros((1, 2)), abs=1e-12)
    line = np.asarray([[1.0], [-2.0], [3.0]])  # one dimension: a second column of zeros
    assert project(line, pca_frame(line))[:, 1].tolist() == [0, 0, 0]
    nobody = pca_frame(np.zeros((0, 3)))
    assert project(np.zeros((0, 3)), nobody).shape == (0, 2)
    point = project(np.ones((5, 3)), pca_frame(np.ones((5, 3))))
    assert point == pytest.approx(np.zeros((5, 2)), abs=1e-12)
    with pytest.raises(ValueError, match="3 dimensions, the embeddings 1"):
        pca_frame(line, one)


@given(st.integers(0, 500), st.floats(-3, 3), st.booleans())
def test_align_undoes_turns_mirrors_and_shifts(seed: int, angle: float, mirrored: bool) -> None:
    reference = np.random.default_rng(seed).normal(size=(12, 2))
    moved = reference @ rotation(angle, mirrored) + [3.0, -1.0]
    assert align(moved, reference) == pytest.approx(reference, abs=1e-9)


def test_align_never_scales_and_beats_any_other_turn() -> None:
    rng = np.random.default_rng(0)
    xy, reference = rng.normal(size=(15, 2)), rng.normal(size=(15, 2))
    found = align(xy, reference)
    spread = [np.linalg.norm(p[:, None] - p[None], axis=2) for p in (xy, found)]
    assert spread[1] == pytest.approx(spread[0], abs=1e-9)
    best = np.linalg.norm(found - reference)
    centred = xy - xy.mean(axis=0)
    others = [
        np.linalg.norm(centred @ rotation(angle, mirrored) + reference.mean(axis=0) - reference)
        for angle in np.linspace(0, 2 * np.pi, 60)
        for mirrored in (False, True)
    ]
    assert len(others) == 120
    assert best <= min(others) + 1e-9
    assert align(xy[:0], reference[:0]).shape == (0, 2)


@given(st.integers(0, 200), st.integers(2, 8))
def test_trustworthiness_is_that_of_scikit_learn(seed: int, k: int) -> None:
    z, _ = clouds(30, 3, seed=seed)
    xy = np.random.default_rng(seed).normal(size=(30, 2)) + z[:, :2]
    expected = reference_trustworthiness(unit_rows(z), xy, n_neighbors=k)
    assert trustworthiness(z, xy, k) == pytest.approx(expected, abs=1e-12)


def test_trustworthiness_of_a_real_probe() -> None:
    z = trained().z
    xy = project(z, pca_frame(z))
    expected = reference_trustworthiness(unit_rows(z.astype(np.float64)), xy, n_neighbors=10)
    # float32 distances may swap neighbours that tie to seven digits.
    assert trustworthiness(z, xy) == pytest.approx(expected, abs=1e-4)
    shuffled = np.random.default_rng(0).permutation(xy)
    assert trustworthiness(z, shuffled) == pytest.approx(0.5, abs=0.03)


def test_trustworthiness_needs_more_than_twice_the_neighbours() -> None:
    z, _ = clouds(20, 2)
    assert np.isnan(trustworthiness(z, z[:, :2]))
    assert trustworthiness(np.concatenate([z, z + 1.0]), np.concatenate([z, z + 1.0])[:, :2]) > 0.5


def test_umap_keeps_neighbours_and_a_warm_start_keeps_places() -> None:
    snapshot = trained()
    z = snapshot.z[:200]
    first = umap_layout(z)
    assert first.shape == (200, 2)
    assert np.array_equal(first, umap_layout(z))
    assert trustworthiness(z, first) > trustworthiness(z, project(z, pca_frame(z)))
    assert trustworthiness(z, first) > 0.9
    later = z + 0.02 * np.random.default_rng(0).normal(size=z.shape).astype(np.float32)
    warm = umap_layout(later, first)
    moved = np.linalg.norm(warm - first, axis=1).mean() / first.std()
    cold = np.linalg.norm(align(umap_layout(later), first) - first, axis=1).mean() / first.std()
    assert moved < min(0.5, cold)
    assert trustworthiness(later, warm) > 0.9


def test_umap_of_very_few_and_of_copies() -> None:
    z, _ = clouds(4, 2)
    assert umap_layout(z) == pytest.approx(project(z, pca_frame(z)))
    assert umap_layout(z, np.zeros((4, 2))).mean(axis=0) == pytest.approx([0, 0], abs=1e-9)
    few = clouds(6, 2)[0]
    assert np.isfinite(umap_layout(few)).all()
    copies = np.repeat(clouds(3, 3)[0], 10, axis=0)
    assert np.isfinite(umap_layout(copies)).all()
