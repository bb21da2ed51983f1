"""Data with other targets changed nothing for data without: ids, items and numbers as they were before."""

from hashlib import sha256

import numpy as np
import pytest

from models.training.config import RunConfig
from models.training.dataset import build
from models.training.run import Run
from tests.training.helpers import part

SPOILT = {"label_flips": 0.3, "imbalance": 5.0, "duplicates": 0.2}
# data set, config_id and items as built; then both with SPOILT.
BUILT = [
    ("digits", "b2fb7af04b61", "f89d26510376", "6be2abfa6f58", "14a3a3ff17e8"),
    ("mnist5k", "3e7e2e762ca8", "e448cff15f1b", "e04a4cf8e48e", "9f88e28b3d13"),
    ("mnist1d", "abbfdebe6a13", "23b5f1f469e1", "912ad93530b7", "6e63e4ca9887"),
    ("emoji", "edebdc90c75d", "eeea6bc8cd36", "1ae26499a6c9", "fc3dec4e9590"),
    ("faces", "b1a554cb8e86", "fd161c5a7040", "8621bbe162a2", "3d2b40e432ef"),
    ("clusters", "3b2335500f14", "dd3ede2f8a87", "7701d4659971", "2f6c4b1fce60"),
]
# loss, data set, pairing; config_id, checksums of weights and batches, loss of the first step and of the twelfth.
TRAINED = [
    ("infonce", "digits", "label", "dd600568d114", "46c14720", "27dfbc36", 3.35906291, 3.21247363),
    ("cross_entropy", "digits", "label", "ac7a033c2123", "46c14720", "27dfbc36", 2.11457896, 2.09960246),
    ("supcon", "clusters", "views", "6c22216a4cb6", "52cc0a20", "da288efd", 4.13247681, 4.10198975),
    ("anyloss", "faces", "label", "c74f04fc196a", "a8719521", "4726e5e7", 0.89742613, 0.28605714),
]
# Runs that were refused had an id all the same.
NAMED = {"hl_gauss": "98d4f19a2df5", "two_hot": "a51927d52a45", "hybrid_multilabel": "d7218eb7c9ba"}


def small(loss: str, data: str, pairing: str = "label") -> RunConfig:
    return RunConfig(
        data=part(data),
        loss=part(loss),
        pairing=pairing,
        sampler=part("balanced", batch=32),
        encoder=part("mlp", width=16, dim=8),
    )


@pytest.mark.parametrize(("key", "plain_id", "plain", "spoilt_id", "spoilt"), BUILT)
def test_items(key: str, plain_id: str, plain: str, spoilt_id: str, spoilt: str) -> None:
    for knobs, known in (({}, (plain_id, plain)), (SPOILT, (spoilt_id, spoilt))):
        config = RunConfig(data=part(key, **knobs))
        built = build(config.data, seed=3)
        arrays = (built.train, built.y, built.truth, built.copy_of, built.probe)
        told = sha256(b"".join(np.ascontiguousarray(array, "<i8").tobytes() for array in arrays))
        assert (config.config_id, told.hexdigest()[:12]) == known


@pytest.mark.parametrize(("loss", "data", "pairing", "known", "weights", "batches", "first", "last"), TRAINED)
def test_training(
    loss: str, data: str, pairing: str, known: str, weights: str, batches: str, first: float, last: float
) -> None:
    config = small(loss, data, pairing)
    run = Run(config)
    assert config.config_id == known
    assert (run.checksums()["weights"], run.checksums()["batches"]) == (weights, batches)
    run.advance(12)
    # Not bit for bit: processors add up in other orders.
    assert (run.trace.loss[0], run.trace.loss[-1]) == pytest.approx((first, last), rel=1e-4)


@pytest.mark.parametrize("loss", NAMED)
def test_ids_of_losses_that_had_no_data(loss: str) -> None:
    assert small(loss, "digits").config_id == NAMED[loss]
