"""Every relation that a SPEC declares is a test here: RELATIONS maps (key, relation) to the function that shows it."""

from collections.abc import Callable
from importlib import import_module

import pytest
import torch

from models.catalogue import discover
from models.geometry import Scores, score
from models.losses import (
    binomial_deviance,
    contrastive,
    infonce,
    lifted_structure,
    multi_similarity,
    n_pair,
    supcon,
    triplet,
)
from models.sensitivity import pair_weights
from tests.losses import (
    helpers,
    test_adameow,
    test_amcl,
    test_arcface,
    test_cacr,
    test_cwcl,
    test_group_ordering,
    test_hard_contrastive,
    test_icnn,
    test_mann_whitney,
    test_meow,
    test_proto_triplet,
    test_sft_rerank,
    test_simple_contrastive,
    test_supremix,
    test_symmetry,
    test_unpg,
)


def same(left: torch.Tensor, right: torch.Tensor) -> None:
    """Equal values, and not by both being zero."""
    assert left.abs().max().item() > 1e-3
    torch.testing.assert_close(left, right, rtol=1e-10, atol=1e-12)


def one_of_each() -> Scores:
    """Twelve anchors with five candidates: one positive, one negative, three that do not count."""
    s = torch.rand(12, 5, generator=torch.Generator().manual_seed(3), dtype=torch.float64) * 2 - 1
    column = torch.arange(5).repeat(12, 1)
    return Scores(s, column == 1, column == 3)


def infonce_equals_supcon_with_one_positive() -> None:
    scores = score(helpers.two_views(9))
    assert (scores.pos.sum(dim=1) == 1).all()
    for temperature in (0.05, 0.5):
        same(infonce.loss(scores, temperature=temperature), supcon.loss(scores, temperature=temperature))
        left, right = (pair_weights(module, scores, temperature=temperature) for module in (infonce, supcon))
        same(left, right)


def infonce_differs_from_supcon_with_more() -> None:
    scores = score(helpers.random_batch(12, 3))
    assert abs(infonce.loss(scores, temperature=0.1) - supcon.loss(scores, temperature=0.1)).item() > 1e-3


def infonce_equals_n_pair_at_temperature_one() -> None:
    for scores in (score(helpers.random_batch(12, 3)), score(helpers.two_views(9))):
        same(infonce.loss(scores, temperature=1.0), n_pair.loss(scores))
        same(pair_weights(infonce, scores, temperature=1.0), pair_weights(n_pair, scores))


def n_pair_equals_supcon_with_one_positive() -> None:
    scores = score(helpers.two_views(9))
    same(n_pair.loss(scores), supcon.loss(scores, temperature=1.0))


def lifted_structure_equals_triplet_with_one_pair_of_each() -> None:
    for margin in (0.2, 1.0):
        left = lifted_structure.loss(one_of_each(), threshold=margin)
        same(left, triplet.loss(one_of_each(), margin=margin, reduction="sum"))
        weights = pair_weights(triplet, one_of_each(), margin=margin, reduction="sum")
        same(pair_weights(lifted_structure, one_of_each(), threshold=margin), weights)


def binomial_deviance_equals_multi_similarity_with_one_pair_of_each() -> None:
    for scores in (one_of_each(), score(helpers.on_circle([0, 50, 110], [0, 0, 1]))):
        scores = Scores(scores.s[:2], scores.pos[:2], scores.neg[:2])  # the third point of the circle has two negatives
        knobs = {"alpha": 1.0, "beta": 1.0, "threshold": 0.3}
        same(binomial_deviance.loss(scores, **knobs), multi_similarity.loss(scores, mining_margin=0.0, **knobs))
        left = pair_weights(binomial_deviance, scores, **knobs)
        same(left, pair_weights(multi_similarity, scores, mining_margin=0.0, **knobs))


def contrastive_is_minus_the_positive_scores_when_no_negative_passes() -> None:
    scores = score(helpers.random_batch(12, 3))
    assert scores.s[scores.neg].max().item() < 0.9999
    same(contrastive.loss(scores, threshold=1.0), -scores.s[scores.pos].sum() / 12)


_ONE_PAIR = "at alpha = beta = 1 without mining when no anchor has two positives or two negatives"
_ONE_OF_EACH = "when each anchor has one positive and one negative"
RELATIONS: dict[tuple[str, str], Callable[[], None]] = {
    ("infonce", "equals supcon when each anchor has one positive"): infonce_equals_supcon_with_one_positive,
    ("infonce", "equals n_pair at temperature 1"): infonce_equals_n_pair_at_temperature_one,
    ("supcon", "equals infonce when each anchor has one positive"): infonce_equals_supcon_with_one_positive,
    ("n_pair", "equals infonce at temperature 1"): infonce_equals_n_pair_at_temperature_one,
    (
        "n_pair",
        "equals supcon at temperature 1 when each anchor has one positive",
    ): n_pair_equals_supcon_with_one_positive,
    (
        "lifted_structure",
        f"equals triplet (sum) with margin = threshold {_ONE_OF_EACH}",
    ): lifted_structure_equals_triplet_with_one_pair_of_each,
    (
        "triplet",
        f"(sum) equals lifted_structure with threshold = margin {_ONE_OF_EACH}",
    ): lifted_structure_equals_triplet_with_one_pair_of_each,
    (
        "binomial_deviance",
        f"equals multi_similarity {_ONE_PAIR}",
    ): binomial_deviance_equals_multi_similarity_with_one_pair_of_each,
    (
        "multi_similarity",
        f"equals binomial_deviance {_ONE_PAIR}",
    ): binomial_deviance_equals_multi_similarity_with_one_pair_of_each,
    (
        "contrastive",
        "equals minus the sum of positive scores over n when no negative passes the threshold",
    ): contrastive_is_minus_the_positive_scores_when_no_negative_passes,
    (
        "hard_contrastive",
        "equals infonce when hardest is at least the number of negatives",
    ): test_hard_contrastive.test_equals_infonce_when_all_negatives_are_kept,
    (
        "simple_contrastive",
        "is the limit of infonce for a hot temperature, with negative_weight one over the number of negatives",
    ): test_simple_contrastive.test_is_the_limit_of_a_hot_infonce,
    ("mann_whitney", "divided by log 2 bounds one minus the AUC"): test_mann_whitney.test_bounds_one_minus_auc,
    ("arcface", "equals cosface at margin 0"): test_arcface.test_equals_cosface_at_margin_0,
    (
        "cwcl",
        "equals supcon plus infonce with the towers exchanged where there is no graded target",
    ): test_cwcl.test_equals_supcon_plus_infonce_of_the_other_tower_without_a_target,
    (
        "unpg",
        "equals cosface where the batch holds one class",
    ): test_unpg.test_equals_cosface_where_the_batch_holds_one_class,
    ("unpg", "equals arcface with its base and one class"): test_unpg.test_equals_arcface_with_its_base_and_one_class,
    (
        "supremix",
        "equals supcon at spacing 0 without mixtures",
    ): test_supremix.test_equals_supcon_at_spacing_zero_without_mixtures,
    (
        "meow",
        "is InfoNCE without the positive below, plus log 2, where every item is its own cluster",
    ): test_meow.test_is_the_race_of_all_negatives_where_every_item_is_its_own_cluster,
    (
        "adameow",
        "equals infonce where all weights are alike and their mean is one",
    ): test_adameow.test_equals_infonce_where_all_weights_are_alike_and_their_mean_is_one,
    (
        "symmetry",
        "is the mean squared distance of unit vectors of the positive pairs",
    ): test_symmetry.test_is_the_mean_squared_distance_of_the_positive_pairs,
    ("symmetry", "its companion is infonce"): test_symmetry.test_its_companion_is_infonce,
    (
        "amcl",
        "equals infonce without the positive below where one head has one temperature and beta is 0",
    ): test_amcl.test_equals_infonce_without_the_positive_below_at_one_temperature,
    (
        "sft_rerank",
        f"(sum) equals binomial_deviance at alpha = beta = 1 / temperature and threshold 0 {_ONE_OF_EACH}",
    ): test_sft_rerank.test_equals_binomial_deviance_with_one_pair_of_each,
    (
        "cacr",
        "(rbf) equals infonce at temperature 1 / (2 t_minus), divided by t_minus, when each anchor has one positive",
    ): test_cacr.test_rbf_equals_infonce_with_one_positive,
    (
        "cacr",
        "(small_scale) does not depend on t_plus when each anchor has one positive",
    ): test_cacr.test_t_plus_is_idle_with_one_positive_and_not_with_two,
    (
        "group_ordering",
        "is minus the log of arctan(steepness * (s_pos - s_neg)) / pi + 1/2 when each anchor has one of each",
    ): test_group_ordering.test_equals_one_cauchy_probability_with_one_of_each,
    (
        "proto_triplet",
        "(shot 1) is the triplet of Euclidean distances to the hardest support, by pytorch-metric-learning",
    ): test_proto_triplet.test_at_one_shot_equals_library_triplets_to_the_hardest_support,
    (
        "icnn",
        "the official step changes nothing at shot 0 against items, where the first neighbour is the item itself",
    ): test_icnn.test_official_step_is_idle_where_the_first_neighbour_is_the_item_itself,
}
# A test file may bring the relations of its loss: RELATIONS there maps the sentence to the test that shows it.
for _key in (key for key in discover("losses") if ":" not in key):
    _brought: dict[str, Callable[[], None]] = getattr(import_module(f"tests.losses.test_{_key}"), "RELATIONS", {})
    RELATIONS |= {(_key, relation): shown for relation, shown in _brought.items()}


@pytest.mark.parametrize(("key", "relation"), RELATIONS)
def test_relation_holds(key: str, relation: str) -> None:
    RELATIONS[key, relation]()


def test_relation_needs_its_condition() -> None:
    infonce_differs_from_supcon_with_more()


def test_every_declared_relation_is_shown_and_no_other() -> None:
    declared = {(key, relation) for key, module in discover("losses").items() for relation in module.SPEC.relations}
    assert declared
    assert declared == set(RELATIONS)
