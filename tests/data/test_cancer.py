import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer

from models.data.cancer import load
from models.training.config import Part, RunConfig
from models.training.dataset import build
from tests.data.helpers import no_network


def test_malignant_is_class_one_and_measures_more(monkeypatch: pytest.MonkeyPatch) -> None:
    no_network(monkeypatch)
    source, raw = load(), load_breast_cancer()
    assert source.classes == ("benign", "malignant")
    assert np.bincount(source.y).tolist() == [357, 212]
    assert (np.array(raw.target_names)[raw.target] == np.array(source.classes)[source.y]).all()
    radius = raw.data[:, 0]  # the first tumour is malignant, its mean radius 17.99
    assert (radius[0], source.y[0]) == (17.99, 1)
    assert radius[source.y == 1].mean() > 1.3 * radius[source.y == 0].mean()


def test_features_are_scaled_one_by_one() -> None:
    x, raw = load().x, load_breast_cancer().data
    assert x.shape == (569, 30)
    assert np.abs(x.mean(axis=0)).max() < 1e-5
    assert x.std(axis=0) == pytest.approx(np.ones(30), abs=1e-4)
    assert np.corrcoef(x[:, 7], raw[:, 7])[0, 1] == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("ratio", [5.0, 20.0])
def test_imbalance_makes_the_malignant_rare_in_training_alone(ratio: float) -> None:
    even = build(RunConfig(data=Part("cancer")).data, 0)
    rare = build(RunConfig(data=Part("cancer", (("imbalance", ratio),))).data, 0)
    benign, malignant = np.bincount(rare.y)
    assert benign == np.bincount(even.y)[0]
    assert benign / malignant == pytest.approx(ratio, rel=0.1)
    assert (rare.probe == even.probe).all()
