from dataclasses import replace

import numpy as np
import pytest

from tests.checkpoint.made import sound
from tests.diagnostics.findings.cases import clear, cone_of, evidence, fired, healthy, unknown


def directions(k: int, n: int = 900, d: int = 32) -> np.ndarray:
    """Rows spread evenly over k of d directions."""
    return np.random.default_rng(k).normal(size=(n, k)) @ np.eye(d)[:k]


@pytest.mark.parametrize("cosine", [0.96, 0.999])
def test_point_collapse(cosine: float) -> None:
    found = fired("point_collapse", evidence(cone_of(cosine)))
    assert (found.severity, found.confidence) == ("serious", "high")
    assert found.measured.value == pytest.approx(cosine, abs=2e-3)
    assert found.measured.low <= found.measured.value <= found.measured.high


def test_all_rows_equal_are_a_point() -> None:
    assert fired("point_collapse", evidence(np.ones((50, 4)))).measured.value == pytest.approx(1.0)


@pytest.mark.parametrize("cosine", [0.0, 0.5, 0.94])
def test_no_point_collapse(cosine: float) -> None:
    assert clear("point_collapse", evidence(cone_of(cosine))).measured.value == pytest.approx(cosine, abs=2e-3)


def test_few_dimensions_are_no_point() -> None:
    clear("point_collapse", evidence(directions(2)))


@pytest.mark.parametrize("k", [2, 7])
def test_dimensional_collapse(k: int) -> None:
    found = fired("dimensional_collapse", evidence(directions(k), np.arange(900) % 12))
    assert (found.severity, found.threshold) == ("serious", 8.0)
    assert found.measured.value == pytest.approx(k, abs=0.2)
    assert found.measured.high - found.measured.low < 0.5


def test_no_dimensional_collapse() -> None:
    y = np.arange(900) % 12
    clear("dimensional_collapse", evidence(directions(9), y))  # a quarter of 32 is 8
    clear("dimensional_collapse", evidence(directions(3), y % 4))  # four classes need three directions
    simplex = np.eye(32)[np.random.default_rng(0).choice(8, 900, p=[0.3, 0.3, 0.2, 0.04, 0.04, 0.04, 0.04, 0.04])]
    clear("dimensional_collapse", evidence(simplex, simplex.argmax(axis=1)))  # apart as can be, of unequal size
    clear("dimensional_collapse", healthy())
    assert "more items than dimensions" in unknown("dimensional_collapse", evidence(np.eye(30, 64), np.arange(30) % 3))


def test_dimensions_without_labels_are_only_told() -> None:
    assert fired("dimensional_collapse", evidence(directions(3))).severity == "info"


def shifted(length: float) -> tuple[np.ndarray, np.ndarray]:
    """A sound set, unit rows of which have a mean of this length along one more direction."""
    z, y = sound(300, 6)
    z = z - z.mean(axis=0)
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    return np.hstack([np.sqrt(1 - length**2) * z, np.full((300, 1), length)]), y


def test_narrow_cone() -> None:
    found = fired("narrow_cone", evidence(*shifted(0.52)))
    assert found.severity == "info"
    assert found.measured.value == pytest.approx(0.52, abs=0.01)
    clear("narrow_cone", evidence(*shifted(0.48)))
    z, y = shifted(0.8)
    clear("narrow_cone", evidence(z, np.random.default_rng(0).permutation(y)))  # the ranking is not good
    assert "belong together" in unknown("narrow_cone", evidence(z))


def with_hubs(n: int) -> np.ndarray:
    """Ten rows in the middle of all others, which are far from each other."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(n, 300)) / np.sqrt(300)
    z[:, 0] += 1.0
    z[:10] = 0.02 * rng.normal(size=(10, 300))
    z[:10, 0] += 1.0
    return z


def test_hubs() -> None:
    found = fired("hubs", evidence(with_hubs(220), np.arange(220) % 4))
    assert set(found.selection.items[:10].tolist()) == set(range(10))
    assert found.measured.value > 3
    # A share p of hubs that all have has skewness (1 - 2p) / sqrt(p (1 - p)): 2.7 for one in ten.
    assert clear("hubs", evidence(with_hubs(100), np.arange(100) % 4)).measured.value == pytest.approx(2.67, abs=0.2)
    clear("hubs", healthy())
    assert "too few" in unknown("hubs", healthy(n=60))


def test_norms() -> None:
    z, y = sound(300, 6, spread=0.3)
    length = np.random.default_rng(0).lognormal(0, 1.0, 300)
    found = fired("norms", evidence(z * length[:, None], y))
    assert found.selection.items[0] == length.argmax()
    assert found.measured.value > 0.05
    clear("norms", evidence(z, y))
    clear("norms", evidence(z * (1 + 0.05 * length / length.max())[:, None], y))


def test_norms_at_the_edge() -> None:
    seen = evidence(*sound(200, 4))
    assert seen.length is not None
    hits = np.ones(200)
    for lost, rule in ((9, clear), (11, fired)):  # of 200: 0.045 and 0.055
        dot = np.zeros(200, bool)
        dot[:lost] = True
        # These rows are nearest to a long row of another class, and only by dot product.
        s, length = np.full((200, 200), 0.1, np.float32), np.ones(200)
        y = seen.y
        assert y is not None
        s[y[:, None] == y[None, :]] = 0.5
        far = int(np.flatnonzero(y != y[0])[0])
        mine = np.flatnonzero(y == y[0])[:lost]
        s[mine, far] = s[far, mine] = 0.4
        length[far] = 4.0
        s[y != y[0], far] = 0.5 * (y[y != y[0]] == y[far])
        others = np.setdiff1d(np.arange(200), [*mine, far])
        s[others, far] = np.where(y[others] == y[far], 0.5, 0.0)
        rule("norms", replace(seen, s=s, length=length))
    assert hits.all()


@pytest.mark.parametrize("key", ["point_collapse", "dimensional_collapse", "narrow_cone", "norms"])
def test_a_handful_of_items_has_no_shape(key: str) -> None:
    assert "too few" in unknown(key, healthy(n=12, classes=2))
