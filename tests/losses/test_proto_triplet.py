import math

import pytest
import torch
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.losses import TripletMarginLoss
from pytorch_metric_learning.reducers import MeanReducer

from models.geometry import Embeddings, score
from models.losses import proto_triplet
from models.sensitivity import pair_weights
from models.spec import Counts
from tests.losses import helpers

SAMPLES = helpers.samples()
STORED = helpers.oracle_numbers("susana_distancia")


def distance(u: list[float], v: list[float]) -> float:
    return math.sqrt(sum((a - b) ** 2 for a, b in zip(u, v, strict=True)) + 1e-6)


def mean(rows: list[list[float]]) -> list[float]:
    return [sum(column) / len(rows) for column in zip(*rows, strict=True)]


def oracle(batch: Embeddings, margin: float, shot: int) -> float:
    """Prototypes as points, queries one by one; rows scaled to length 1 beforehand."""
    rows = [[value / math.sqrt(sum(v * v for v in row)) for value in row] for row in batch.z.tolist()]
    group = (batch.y if batch.instance is None else batch.instance).tolist()
    members = {g: [i for i, other in enumerate(group) if other == g] for g in group}
    support = {g: rows_of[:shot] if shot else rows_of for g, rows_of in members.items()}
    terms = []
    for i, g in enumerate(group):
        made_of = {h: [j for j in support[h] if j != i] for h in support}
        if (shot and i in support[g]) or not made_of[g] or len(made_of) == 1:
            continue
        to = {h: distance(rows[i], mean([rows[j] for j in made_of[h]])) for h in made_of}
        terms.append(max(to[g] - min(to[h] for h in to if h != g) + margin, 0.0))
    return sum(terms) / max(len(terms), 1)


def episode() -> Embeddings:
    """The stored episode, its supports first."""
    inputs = STORED["inputs"]
    z = torch.tensor([*inputs["support"], *inputs["query"]], dtype=torch.float64)
    return Embeddings(z, torch.tensor([*inputs["support_labels"], *inputs["query_labels"]]))


@pytest.mark.parametrize("shot", [0, 1, 2, 5])
@pytest.mark.parametrize("margin", [0.0, 0.5, 1.5])
@pytest.mark.parametrize("name", SAMPLES)
def test_equals_plain_loops(name: str, margin: float, shot: int) -> None:
    found = proto_triplet.loss(score(SAMPLES[name]), margin=margin, shot=shot).item()
    assert found == pytest.approx(oracle(SAMPLES[name], margin, shot), rel=1e-9, abs=1e-12)


def test_by_hand() -> None:
    # 0, 90 | 180 deg, shot 0. Query 0: own prototype at distance sqrt 2, the other at 2; query 90: sqrt 2 and sqrt 2.
    # Hinges sqrt 2 - 2 + 1 = 0.414214 and 1; the last row has no own prototype and asks nothing.
    value = proto_triplet.loss(helpers.circle([0, 90, 180], [0, 0, 1]), margin=1.0).item()
    assert value == pytest.approx((0.414214 + 1.0) / 2, abs=1e-6)


def test_by_hand_with_shots() -> None:
    # Supports 0, 90 | 180, 270 deg: prototypes of length 1 / sqrt 2 at 45 and 225 deg. A query at 45 deg is 0.292893
    # from its own and 1.707107 from the other; the second, at 225 deg and of the first class, the other way round.
    scores = helpers.circle([0, 90, 180, 270, 45, 225], [0, 0, 1, 1, 0, 0])
    value = proto_triplet.loss(scores, margin=0.5, shot=2).item()
    assert value == pytest.approx((0.0 + (1.707107 - 0.292893 + 0.5)) / 2, abs=2e-6)


def test_equals_stored_numbers() -> None:
    # The authors use rows as they are; these have length 1, so gradients differ only in the part along a row.
    batch = episode()
    value, gradient = helpers.value_and_gradient(proto_triplet, batch, margin=0.5, shot=2)
    stored = STORED["grad"]["proto_triplet_m0.5"]
    raw = torch.tensor([*stored["support"], *stored["query"]], dtype=torch.float64)
    tangent = raw - (raw * batch.z).sum(dim=1, keepdim=True) * batch.z
    assert value == pytest.approx(STORED["loss"]["proto_triplet_m0.5"], abs=1e-9)
    assert raw.abs().max().item() > 0.1
    torch.testing.assert_close(gradient, tangent, rtol=0, atol=1e-9)


def test_at_one_shot_equals_library_triplets_to_the_hardest_support() -> None:
    batch = SAMPLES["balanced"]
    unit = torch.nn.functional.normalize(batch.z)
    y = batch.y.tolist()
    support = {label: y.index(label) for label in set(y)}
    queries = [i for i in range(len(y)) if support[y[i]] != i]
    rivals = [[support[label] for label in support if label != y[i]] for i in queries]
    hardest = [
        min(of, key=lambda j, i=i: (unit[i] - unit[j]).norm().item()) for i, of in zip(queries, rivals, strict=True)
    ]
    library = TripletMarginLoss(margin=0.5, distance=LpDistance(), reducer=MeanReducer())
    triplets = (torch.tensor(queries), torch.tensor([support[y[i]] for i in queries]), torch.tensor(hardest))
    expected = library(unit, batch.y, triplets).item()
    assert expected > 0.1
    # The library takes the plain distance, without the 1e-6 under the root.
    assert proto_triplet.loss(score(batch), margin=0.5, shot=1).item() == pytest.approx(expected, abs=1e-5)


def test_weights_of_one_shot() -> None:
    # Unit supports: an active query has 1 / (Q d) at its own support and the nearest wrong one, and nothing else.
    scores = helpers.circle([0, 100, 200, 40], [0, 1, 2, 0])
    weight = pair_weights(proto_triplet, scores, margin=1.0, shot=1)
    own, wrong = (math.sqrt(2 - 2 * math.cos(math.radians(angle)) + 1e-6) for angle in (40, 60))
    assert weight[3].tolist() == pytest.approx([-1 / own, 1 / wrong, 0, 0], rel=1e-9)
    assert weight[:3].abs().max().item() == 0.0


def test_cosines_among_supports_have_weight_too() -> None:
    scores = score(SAMPLES["balanced"])
    weight = pair_weights(proto_triplet, scores, shot=3)
    support = torch.tensor(
        [sum(y == other for other in SAMPLES["balanced"].y[:i]) < 3 for i, y in enumerate(SAMPLES["balanced"].y)]
    )
    among = scores.pos & support[:, None] & support[None, :]
    assert (weight[among] > 1e-6).any()  # pushed apart: a shorter own prototype is nearer
    assert weight[scores.neg].min().item() >= 0.0


def test_shots_are_counted_in_the_order_of_the_batch_and_none_is_not() -> None:
    batch = SAMPLES["balanced"]
    order = torch.arange(len(batch.y) - 1, -1, -1)
    turned = Embeddings(batch.z[order], batch.y[order])
    plain, episodic = (
        {name: proto_triplet.loss(score(b), shot=s).item() for name, b in (("a", batch), ("b", turned))} for s in (0, 2)
    )
    assert plain["a"] == pytest.approx(plain["b"], rel=1e-12)
    assert abs(episodic["a"] - episodic["b"]) > 1e-3


def test_levels_of_classes_of_different_size() -> None:
    # Three anchors of one class, two of another, at right angles: prototypes of 2 or 1 others against means of 2 or 3.
    (chance,) = [level for level in proto_triplet.SPEC.levels if level.name == "chance"]
    scores = score(Embeddings(torch.eye(5, dtype=torch.float64), torch.tensor([0, 0, 0, 1, 1])))
    counts = Counts(scores.pos.sum(1).numpy(), scores.neg.sum(1).numpy(), 2)
    of_two, of_three = math.sqrt(1.5 + 1e-6), math.sqrt(4 / 3 + 1e-6)
    expected = (3 * 0.5 + 2 * (math.sqrt(2 + 1e-6) - of_three + 0.5)) / 5
    assert of_two > of_three
    assert chance.value(counts, {"margin": 0.5, "shot": 0}) == pytest.approx(expected, rel=1e-12)
    assert proto_triplet.loss(scores).item() == pytest.approx(expected, rel=1e-12)


def test_satisfied_queries_rest() -> None:
    scores = helpers.circle([0, 1, 180, 181], [0, 0, 1, 1])
    (level,) = [level for level in proto_triplet.SPEC.levels if level.name == "inactive"]
    counts = Counts(scores.pos.sum(1).numpy(), scores.neg.sum(1).numpy(), 2)
    assert proto_triplet.loss(scores).item() == level.value(counts, {"margin": 0.5, "shot": 0}) == 0.0
    assert pair_weights(proto_triplet, scores).abs().max().item() == 0.0


@pytest.mark.parametrize("shot", [0, 2])
def test_gradient_is_numerical(shot: int) -> None:
    assert helpers.gradient_is_numerical(proto_triplet, score(helpers.random_batch(12, 3)), shot=shot)


@pytest.mark.parametrize("shot", [0, 1])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_finite_on_degenerate_batches(dtype: torch.dtype, shot: int) -> None:
    assert helpers.not_finite(proto_triplet, dtype, shot=shot) == []
