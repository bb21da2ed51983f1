import math

import pytest
import torch

from models.episode import classes, supports
from models.geometry import Embeddings, Scores, score
from models.losses import icnn
from models.sensitivity import pair_weights
from tests.losses import helpers
from tests.losses.test_proto_triplet import distance, episode, mean

SAMPLES = helpers.samples()
STORED = helpers.oracle_numbers("susana_distancia")
SETTINGS = [
    {},
    {"neighbours": 2, "look": 6},
    {"neighbours": 6, "look": 3},
    {"shot": 1},
    {"shot": 2, "official": False},
    {"against": "prototypes", "neighbours": 2},
    {"against": "prototypes", "shot": 2},
    {"against": "prototypes", "shot": 1, "neighbours": 1, "official": False},
]
Row = list[tuple[float, bool]]  # distance and sameness of the targets of one origin, itself first, else rising


def rows_of(batch: Embeddings, against: str, shot: int) -> tuple[list[Row], bool]:
    """What each origin sees, from points; whether the first entry is the origin itself."""
    points = [[value / math.sqrt(sum(v * v for v in row)) for value in row] for row in batch.z.tolist()]
    group = (batch.y if batch.instance is None else batch.instance).tolist()
    n = len(group)
    support = [not shot or group[:i].count(group[i]) < shot for i in range(n)]
    origins = [i for i in range(n) if not shot or not support[i]]
    rows = []
    for i in origins:
        if against == "items":
            seen = [(distance(points[i], points[j]), group[j] == group[i]) for j in range(n) if support[j] and j != i]
        else:
            made_of = {g: [points[j] for j in range(n) if group[j] == g and support[j] and j != i] for g in group}
            seen = [(distance(points[i], mean(of)) if of else math.inf, g == group[i]) for g, of in made_of.items()]
        itself = [(1e-3, True)] if against == "items" and not shot else []
        rows.append(itself + sorted(seen))
    return rows, against == "items" and not shot


def mean_of_means(rows: list[list[float]]) -> float:
    kept = [sum(row) / (len(row) + 1e-7) for row in rows if row]
    return sum(kept) / (len(kept) + 1e-7)


def score_of(rows: list[Row], neighbours: int, look: int, drop: int) -> float:
    available = len(rows[0]) - drop
    k, cut = (available - 1, True) if neighbours + 1 >= available else (neighbours, False)
    if k < 1:
        return 1.0
    looked = [row[drop:][: look or k + 1] for row in rows]
    widest = max([r for row in looked for r, e in row[:k] if not e and r < math.inf], default=0.0)
    same, diff, count = [], [], 0
    for row in looked:
        nearest = min([r for r, e in row if not e and r < math.inf], default=math.inf)
        real = [(r, e) for r, e in row[:k] if r < math.inf]
        scaled = [r / (nearest + 1e-7) for r, _ in real]
        top = max([1.0, *scaled])
        same.append([u / top for u, (_, e) in zip(scaled, real, strict=True) if e])
        diff.append([r / (widest + 1e-7) for r, e in real if not e])
        count += len(same[-1])
    lambda_same = 1.0 - mean_of_means(same) if any(same) else 1.0
    lambda_diff = mean_of_means(diff) if any(diff) else 1.0
    gamma = 1.0 if cut else count / (len(rows) * k)
    return ((lambda_same + lambda_diff) / 2 + gamma) / 2


def oracle(
    batch: Embeddings, neighbours: int = 4, look: int = 0, against: str = "items", shot: int = 0, official: bool = True
) -> float:
    rows, itself = rows_of(batch, against, shot)
    return -math.log(score_of(rows, neighbours, look, int(official or itself))) if rows else 0.0


@pytest.mark.parametrize("knobs", SETTINGS)
@pytest.mark.parametrize("name", [name for name in SAMPLES if name != "all rows equal"])  # its order is arbitrary
def test_equals_plain_loops(name: str, knobs: dict[str, object]) -> None:
    found = icnn.loss(score(SAMPLES[name]), **knobs).item()
    assert found == pytest.approx(oracle(SAMPLES[name], **knobs), rel=1e-9, abs=1e-12)


def test_by_hand() -> None:
    # 0, 60 | 180, 240 deg, one neighbour scored, two looked at. Every row sees its own class at distance 1 and then a
    # wrong one at sqrt 3: lambda_same = 1 - 1 / sqrt 3; none of those scored is wrong: 1; all are right: 1.
    value = icnn.loss(helpers.circle([0, 60, 180, 240], [0, 0, 1, 1]), neighbours=1).item()
    expected = -math.log(((1 - 1 / math.sqrt(3) + 1) / 2 + 1) / 2)
    assert expected == pytest.approx(0.155879, abs=1e-6)
    assert value == pytest.approx(expected, abs=1e-6)


CASES = {
    "icnn_support": (slice(0, 8), {}),
    "icnn_query_vs_protos": (slice(0, 16), {"shot": 2, "against": "prototypes"}),
    "icnn_full": (slice(0, 16), {"look": 4}),  # shot + query
}


@pytest.mark.parametrize("case", CASES)
def test_equals_stored_numbers(case: str) -> None:
    rows, knobs = CASES[case]
    batch = Embeddings(episode().z[rows], episode().y[rows])
    value, gradient = helpers.value_and_gradient(icnn, batch, **knobs)
    stored = STORED["grad"][case]
    raw = torch.tensor([*stored["support"], *(stored["query"] or [])], dtype=torch.float64)
    # The authors use rows as they are; these have length 1, so gradients differ only in the part along a row.
    tangent = raw - (raw * batch.z).sum(dim=1, keepdim=True) * batch.z
    assert value == pytest.approx(STORED["loss"][case], abs=1e-9)
    assert raw.abs().max().item() > 0.05
    torch.testing.assert_close(gradient, tangent, rtol=0, atol=1e-9)


@pytest.mark.parametrize(("case", "available"), [("icnn_support", 7), ("icnn_query_vs_protos", 3), ("icnn_full", 15)])
def test_components_equal_stored_numbers(case: str, available: int) -> None:
    stored = STORED["components"][case]
    knobs = CASES[case][1]
    assert icnn.reach(available, 4, knobs.get("look", 0)) == (stored["k"], stored["ipc"], case.endswith("protos"))


@pytest.mark.parametrize("case", ["icnn_support", "icnn_full"])
def test_parts_equal_stored_numbers(case: str) -> None:
    stored = STORED["components"][case]
    batch = Embeddings(episode().z[CASES[case][0]], episode().y[CASES[case][0]])
    s = score(batch).s
    same = batch.y[:, None] == batch.y[None, :]
    own = torch.eye(len(s), dtype=torch.bool)
    seen = icnn.Neighbours((2.0 - 2.0 * s + 1e-6).sqrt(), same, torch.ones_like(same), own)
    found = icnn.parts(seen, 4, CASES[case][1].get("look", 0), True)
    assert found is not None
    for name in ("lambda_same", "lambda_diff"):
        assert getattr(found, name).item() == pytest.approx(stored[name], abs=1e-9)
    assert found.gamma.item() == pytest.approx(stored["Gamma"], abs=1e-12)
    assert found.score.item() == pytest.approx((stored["Lambda"] + stored["Gamma"]) / 2, abs=1e-9)


def test_purity_has_no_gradient() -> None:
    scores = score(SAMPLES["balanced"])
    s = scores.s.clone().requires_grad_()
    seen = icnn.Neighbours(
        (2.0 - 2.0 * s + 1e-6).sqrt(), ~scores.neg, torch.ones_like(scores.neg), ~(scores.pos | scores.neg)
    )
    found = icnn.parts(seen, 4, 0, True)
    assert found is not None
    assert 0.0 < found.gamma.item() < 1.0
    assert not found.gamma.requires_grad
    assert found.lambda_same.requires_grad


def test_official_step_is_idle_where_the_first_neighbour_is_the_item_itself() -> None:
    for name in ("balanced", "views", "one class large"):
        scores = score(SAMPLES[name])
        left, right = (icnn.loss(scores, official=official) for official in (True, False))
        assert left.item() > 0.1
        torch.testing.assert_close(left, right, rtol=0, atol=0)
        weights = [pair_weights(icnn, scores, official=official) for official in (True, False)]
        torch.testing.assert_close(*weights, rtol=0, atol=0)


def test_official_step_hides_the_right_prototype_and_the_corrected_one_does_not() -> None:
    # Three classes well apart, queries on their prototypes: the nearest is right, and the official step takes it away.
    scores = helpers.circle([0, 120, 240, 2, 122, 242], [0, 1, 2, 0, 1, 2])
    knobs = {"shot": 1, "against": "prototypes", "neighbours": 1}
    official, corrected = (icnn.loss(scores, official=value, **knobs).item() for value in (True, False))
    assert corrected < 0.02
    # Nothing of the own class is left to see: lambda_same counts as 1, lambda_diff is about 1, and k was cut.
    weight = {value: pair_weights(icnn, scores, official=value, **knobs) for value in (True, False)}
    assert weight[True][scores.pos].abs().max().item() == 0.0
    assert weight[False][scores.pos].min().item() < -0.01
    assert official == pytest.approx(oracle(helpers.on_circle([0, 120, 240, 2, 122, 242], [0, 1, 2, 0, 1, 2]), **knobs))


def test_some_positives_are_pushed_and_some_negatives_attracted() -> None:
    weight = pair_weights(icnn, score(SAMPLES["balanced"]))
    scores = score(SAMPLES["balanced"])
    assert (weight[scores.pos] > 1e-6).any()
    assert (weight[scores.neg] < -1e-6).any()
    assert weight[scores.pos].sum().item() < 0 < weight[scores.neg].sum().item()


def test_shots_split_queries_from_supports() -> None:
    scores = score(SAMPLES["balanced"])
    support = supports(classes(scores), 3)
    weight = pair_weights(icnn, scores, shot=3)
    assert weight[support].abs().max().item() == 0.0
    assert weight[:, ~support].abs().max().item() == 0.0
    assert weight[~support][:, support].abs().max().item() > 1e-3


def test_of_rectangular_scores_no_item_is_itself() -> None:
    # Queries against supports as two towers equal the same rows split by shot.
    batch = episode()
    queries, bank = (Embeddings(batch.z[rows], batch.y[rows]) for rows in (slice(8, 16), slice(0, 8)))
    for official in (True, False):
        left = icnn.loss(score(queries, bank), official=official)
        torch.testing.assert_close(left, icnn.loss(score(batch), shot=2, official=official), rtol=1e-12, atol=0)


@pytest.mark.parametrize("knobs", SETTINGS)
def test_gradient_is_numerical(knobs: dict[str, object]) -> None:
    assert helpers.gradient_is_numerical(icnn, score(helpers.random_batch(16, 4)), **knobs)


@pytest.mark.parametrize("knobs", SETTINGS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_finite_on_degenerate_batches(dtype: torch.dtype, knobs: dict[str, object]) -> None:
    assert helpers.not_finite(icnn, dtype, **knobs) == []


def test_not_a_number_is_not_hidden() -> None:
    scores = score(SAMPLES["balanced"])
    spoiled = torch.full_like(scores.s, math.nan)
    assert math.isnan(icnn.loss(Scores(spoiled, scores.pos, scores.neg)).item())
