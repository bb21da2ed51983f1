"""The adapter against the library itself on embeddings, against our own losses, and its two kinds of refusal."""

import inspect
import subprocess
import sys
import warnings
from typing import Any

import pytest
import pytorch_metric_learning.losses as library
import torch
from torch import Tensor

from models.geometry import Embeddings, Scores, score
from models.losses import circle, infonce, multi_similarity, pml, supcon
from models.sensitivity import pair_weights
from models.spec import TooLarge
from tests.losses.helpers import random_batch, two_views

PARTS = pml.variants()
# In the library's signatures and not on the cards: how its parts are put together, what would draw at random, what
# learns, what reads further rows, and what follows from another knob.
LEFT_OUT = {"kwargs", "triplets_per_anchor", "learn_beta", "num_classes", "nu", "swap", "delta"}
# Where the library has no default, or one that stands for a number.
OWN_DEFAULT = {("RankedListLoss", "margin"), ("RankedListLoss", "Tn"), ("HistogramLoss", "n_bins")}
PAIRWISE = [key for key, part in PARTS.items() if not part.SPEC.one_tower]


def theirs(name: str, z: Tensor, y: Tensor, **knobs: Any) -> Tensor:
    """The library's own value on embeddings, with its own distance."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # HistogramLoss indexes in a way that torch is giving up
        value: Tensor = getattr(library, name)(**knobs)(z, y)
    return value.sum()


def settings(key: str) -> list[dict[str, Any]]:
    """All defaults, then each knob at each end or choice."""
    knobs = PARTS[key].SPEC.knobs
    moved = [{knob.name: value} for knob in knobs for value in (knob.choices or (knob.low, knob.high))]
    default = {knob.name: knob.default for knob in knobs}
    return [{**default, **change} for change in [{}, *moved]]


@pytest.mark.parametrize("key", PARTS)
def test_value_and_gradient_are_the_librarys(key: str) -> None:
    name, part = key.removeprefix("pml:"), PARTS[key]
    for batch in (random_batch(16, 4), random_batch(15, 3, seed=1, spread=0.3), random_batch(11, 4, seed=2)):
        for knobs in settings(key):
            z = batch.z.clone().requires_grad_()
            ours = part.loss(score(Embeddings(z, batch.y)), **knobs)
            expected = theirs(name, z, batch.y, **knobs)
            torch.testing.assert_close(ours, expected, rtol=1e-8, atol=1e-9)
            slopes = [torch.autograd.grad(value, z)[0] for value in (ours, expected)]
            torch.testing.assert_close(*slopes, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("key", PARTS)
def test_the_comparison_above_is_not_of_zeros(key: str) -> None:
    assert PARTS[key].loss(score(random_batch(16, 4))).item() > 1e-4


@pytest.mark.parametrize("key", PARTS)
def test_knobs_are_those_of_the_library(key: str) -> None:
    name, spec = key.removeprefix("pml:"), PARTS[key].SPEC
    signature = inspect.signature(getattr(library, name)).parameters
    defaults = {(name, knob.name): knob.default for knob in spec.knobs}
    for pair in set(defaults) - OWN_DEFAULT:
        assert signature[pair[1]].default == defaults[pair]
    follows = {"alpha"} if name == "RankedListLoss" else set()
    assert set(signature) - {knob.name for knob in spec.knobs} <= LEFT_OUT | follows


@pytest.mark.parametrize("key", PARTS)
def test_pairs_by_instance(key: str) -> None:
    """Two views of an item are positives although other items carry the same label: labels are the instances then."""
    batch = two_views(6)
    assert batch.instance is not None
    expected = theirs(key.removeprefix("pml:"), batch.z, batch.instance, **settings(key)[0])
    torch.testing.assert_close(PARTS[key].loss(score(batch)), expected, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("key", PAIRWISE)
def test_two_towers(key: str) -> None:
    """Queries against documents: the library is told the second tower as its reference set."""
    first, second = random_batch(9, 3), random_batch(14, 3, seed=5)
    knobs = settings(key)[0]
    their = getattr(library, key.removeprefix("pml:"))(**knobs)
    expected = their(first.z, first.y, ref_emb=second.z, ref_labels=second.y)
    torch.testing.assert_close(PARTS[key].loss(score(first, second), **knobs), expected.sum(), rtol=1e-8, atol=1e-9)


def test_equals_our_own_losses() -> None:
    scores = score(random_batch(20, 4))
    pairs = [
        (PARTS["pml:NTXentLoss"].loss(scores, temperature=0.2), infonce.loss(scores, temperature=0.2)),
        (PARTS["pml:SupConLoss"].loss(scores, temperature=0.2), supcon.loss(scores, temperature=0.2)),
        (
            PARTS["pml:CircleLoss"].loss(scores, m=0.4, gamma=16.0),
            circle.loss(scores, margin=0.4, gamma=16.0),
        ),
        (
            PARTS["pml:MultiSimilarityLoss"].loss(scores, alpha=2.0, beta=40.0, base=0.5),
            multi_similarity.loss(scores, alpha=2.0, beta=40.0, threshold=0.5, mining_margin=0.0),
        ),
    ]
    for left, right in pairs:
        torch.testing.assert_close(left, right, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("key", [key for key, part in PARTS.items() if part.SPEC.one_tower])
def test_a_loss_that_needs_one_tower_says_so(key: str) -> None:
    scores = score(random_batch(9, 3), random_batch(9, 3, seed=1))
    with pytest.raises(ValueError, match=r"9 x 9 scores .* score one batch"):
        PARTS[key].loss(scores)


def test_masks_that_no_labels_have_are_refused() -> None:
    scores = score(random_batch(6, 2))
    chain = scores.pos.clone()
    chain[0] = False  # item 0 is a positive of others that are not its own
    with pytest.raises(ValueError, match="score one batch"):
        PARTS["pml:FastAPLoss"].loss(Scores(scores.s, chain, scores.neg))


def test_refuses_to_eat_the_machine_and_names_a_batch_that_fits() -> None:
    scores = score(random_batch(600, 2, dtype=torch.float32))
    with pytest.raises(TooLarge, match=r"batch of 600, .* at most \d+") as caught:
        PARTS["pml:NTXentLoss"].loss(scores)
    fits = int(str(caught.value).split("at most ")[1].split(",")[0])
    assert 60 < fits < 200
    assert 18 * pml.entries("pairs", score(random_batch(fits, 2))) <= pml.LIMIT_BYTES


def test_counts_of_what_is_listed() -> None:
    """Three items of one class and two of another: 8 positive and 12 negative pairs, 2 x 2 and 1 x 3 triplets."""
    scores = score(Embeddings(torch.eye(5), torch.tensor([0, 0, 0, 1, 1])))
    assert pml.entries("pairs", scores) == 96
    assert pml.entries("triplets", scores) == 3 * 4 + 2 * 3
    assert pml.entries("cubes", scores) == 125
    assert pml.entries("bins", scores, bins=10) == 275


def test_unknown_knob() -> None:
    with pytest.raises(TypeError, match="no knob 'heat'; its knobs are: temperature"):
        PARTS["pml:NTXentLoss"].loss(score(random_batch(6, 2)), heat=1.0)


def test_weights_stay_inside_the_masks() -> None:
    scores = score(random_batch(12, 3))
    outside = ~(scores.pos | scores.neg)
    assert outside.any()
    stray = {key: pair_weights(part, scores)[outside].abs().max().item() for key, part in PARTS.items()}
    assert set(stray.values()) == {0.0}


def test_the_library_is_not_loaded_before_it_is_used() -> None:
    code = (
        "import sys; from models.catalogue import discover; "
        "assert 'pml:NTXentLoss' in discover('losses'); assert 'pytorch_metric_learning' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
