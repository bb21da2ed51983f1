"""What holds for every data set, whatever it is."""

import inspect
import subprocess
import sys

import numpy as np
import pytest

from models.catalogue import discover
from models.training.config import Part, RunConfig
from models.training.dataset import build
from tests.data.helpers import no_network

KEYS = tuple(discover("data"))
LEAST = {
    "letters": 5,
    "named": 5,
}  # sixteen of each are all there are, a third of them in the probe; a batch has two or three
SHAPES = {"image": 3, "signal": 2, "points": 1, "text": 1}


def test_the_sets_are_there() -> None:
    assert set(KEYS) >= {"digits", "mnist5k", "mnist1d", "emoji", "faces", "clusters"}
    assert set(KEYS) >= {"rotation", "diabetes", "cancer", "scenes", "longtail"}


@pytest.mark.parametrize("key", KEYS)
def test_arrays_fit_together(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    no_network(monkeypatch)
    module = discover("data")[key]
    source = module.load()
    assert source.x.dtype == np.float32
    assert source.y.dtype == np.int64
    assert np.isfinite(source.x).all()
    assert source.x.ndim == 1 + SHAPES[module.SPEC.kind]
    assert len(source.x) == len(source.y)
    assert sorted(set(source.y.tolist())) == list(range(len(source.classes)))
    assert len(source.texts) in (0, len(source.y))


@pytest.mark.parametrize(("key", "shape"), [("rotation", ()), ("diabetes", ()), ("scenes", (10,))])
def test_targets_beside_the_classes(key: str, shape: tuple[int, ...]) -> None:
    source = discover("data")[key].load()
    assert source.target.shape == (len(source.y), *shape)
    assert np.isfinite(source.target).all()
    # Items of one class lie between those of its neighbours, or carry the same labels.
    order = np.argsort(source.y, kind="stable")
    inside = [source.target[order[source.y[order] == k]] for k in range(len(source.classes))]
    spread = [part.max(axis=0) - part.min(axis=0) for part in inside]
    assert np.mean(spread) < 0.25 * np.ptp(source.target, axis=0).mean()


def test_the_other_sets_have_none() -> None:
    loaded = {key: discover("data")[key].load() for key in KEYS}
    plain = sorted(key for key in KEYS if loaded[key].target is None)
    one_sided = ["cancer", "clusters", "digits", "emoji", "faces", "longtail", "mnist1d", "mnist5k"]
    assert plain == sorted([*one_sided, "captions", "halves", "queries", "fewshot", "letters", "named", "graph"])
    assert [key for key in KEYS if loaded[key].answers] == ["choices"]


@pytest.mark.parametrize("key", KEYS)
def test_spec_is_complete_and_knobs_match_load(key: str) -> None:
    module = discover("data")[key]
    spec, parameters = module.SPEC, inspect.signature(module.load).parameters
    assert all((spec.name, spec.teaches, spec.source, spec.licence))
    assert {knob.name: knob.default for knob in spec.knobs} == {n: p.default for n, p in parameters.items()}
    assert all(p.kind is inspect.Parameter.KEYWORD_ONLY for p in parameters.values())


@pytest.mark.parametrize("key", KEYS)
def test_a_default_batch_can_be_drawn_and_the_probe_has_pairs(key: str) -> None:
    dataset = build(RunConfig(data=Part(key)).data, seed=0)
    _, counts = np.unique(dataset.y, return_counts=True)
    assert len(dataset.train) >= 128
    assert counts.min() >= LEAST.get(key, 16)
    assert np.unique(dataset.source.y[dataset.probe], return_counts=True)[1].min() >= 2


def test_the_catalogue_imports_no_heavy_package() -> None:
    code = (
        "import sys; from models.catalogue import discover; assert len(discover('data')) > 5; "
        "print([m for m in ('torch', 'sklearn', 'skimage', 'mlxtend', 'mnist1d', 'emoji', 'matplotlib') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
