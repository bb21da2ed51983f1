import math
from collections import Counter

import numpy as np
import pytest
import torch

from models.geometry import Embeddings, Scores, score
from models.losses.infonce import loss
from models.method_common import Pool
from models.methods.class_pair_gate import draw_partners, gated_cosine, partner_masks
from models.training.run import Run
from tests.losses.helpers import on_circle, oracle_numbers, random_batch
from tests.methods.helpers import made, moment, plain
from tests.training.helpers import part, small

STORED = oracle_numbers("simlap_gated_renormalised")


def test_literal_numbers_of_the_authors() -> None:
    inputs = STORED["inputs"]
    z, gate = (torch.tensor(inputs[name], dtype=torch.float64, requires_grad=True) for name in ("z", "gate"))
    y, partner = torch.tensor(inputs["y1"]), torch.tensor(inputs["y2"])
    value = loss(Scores(gated_cosine(z, z, gate), *partner_masks(y, partner, y)), temperature=0.1)
    value.backward()
    assert STORED["hyperparameters"]["tau"] == 0.1
    assert value.item() == pytest.approx(STORED["loss"], abs=1e-6)
    assert torch.allclose(z.grad, torch.tensor(STORED["grad"]["z"]).double(), atol=1e-6)
    assert torch.allclose(gate.grad, torch.tensor(STORED["grad"]["gate"]).double(), atol=1e-6)


def oracle(z: list[list[float]], y: list[int], partner: list[int], gate: list[list[float]], t: float) -> float:
    """Mean over all (i, p), y_p the partner class of i, of log(1 + sum_n e^(l_in - l_ip)), by forming gated rows."""
    terms = []
    for i, own in enumerate(y):
        mine = [g * a for g, a in zip(gate[i], z[i], strict=True)]
        logit = []
        for other in z:
            theirs = [g * a for g, a in zip(gate[i], other, strict=True)]
            inner = sum(a * b for a, b in zip(mine, theirs, strict=True))
            logit.append(inner / (math.hypot(*mine) * math.hypot(*theirs)) / t)
        negatives = [logit[n] for n in range(len(y)) if y[n] not in (own, partner[i])]
        for p in range(len(y)):
            if y[p] == partner[i]:
                terms.append(math.log(1 + sum(math.exp(n - logit[p]) for n in negatives)))
    return sum(terms) / len(terms)


@pytest.mark.parametrize("kind", ["arbitrary", "identical", "distinct"])
@pytest.mark.parametrize("gate", ["mean", "product", "none"])
def test_the_method_before_infonce_by_plain_loops(kind: str, gate: str) -> None:
    batch = random_batch(14, 4, seed=2)
    method = made("class_pair_gate", 6, partner=kind, gate=gate)
    (pool,) = method.change(plain(batch), moment(batch.z, seed=3))
    partner = draw_partners(batch.y, kind, np.random.default_rng(3))
    gates = method.gates(batch.y, partner).tolist()  # type: ignore[operator]
    expected = oracle(batch.z.tolist(), batch.y.tolist(), partner.tolist(), gates, 0.2)
    assert loss(pool.pairs, temperature=0.2).item() == pytest.approx(expected, abs=1e-9)


def test_by_hand() -> None:
    # (3, 4) and (4, 3) have cosine 24/25; a gate that shuts the second number leaves 1, one that halves it gives
    # (3, 2) and (4, 1.5), cosine (12 + 3) / sqrt(13 * 18.25) = 0.973841.
    z = torch.tensor([[3.0, 4.0], [4.0, 3.0]], dtype=torch.float64)
    for second, expected in ((1.0, 0.96), (0.0, 1.0), (0.5, 0.973841)):
        gate = torch.tensor([[1.0, second]], dtype=torch.float64).repeat(2, 1)
        assert gated_cosine(z, z, gate)[0, 1].item() == pytest.approx(expected, abs=1e-6)


def test_an_open_gate_with_identical_partners_is_the_cosine_by_label_and_the_item_itself() -> None:
    batch = on_circle([0, 20, 90, 140, 200], [0, 0, 1, 1, 2])
    method = made("class_pair_gate", 2, partner="identical", gate="none")
    (pool,) = method.change(plain(batch), moment(batch.z))
    bare = score(batch)
    assert torch.allclose(pool.pairs.s, bare.s, atol=1e-9)
    assert torch.equal(pool.pairs.neg, bare.neg)
    assert torch.equal(pool.pairs.pos, bare.pos | torch.eye(5, dtype=torch.bool))


def test_masks_by_plain_loops() -> None:
    y, partner, others = [0, 0, 1, 2], [0, 1, 2, 2], [0, 1, 2, 3, -1]
    pos, neg = partner_masks(*(torch.tensor(labels) for labels in (y, partner, others)))
    for i in range(4):
        for j in range(5):
            assert bool(pos[i, j]) == (others[j] == partner[i])
            assert bool(neg[i, j]) == (others[j] not in (y[i], partner[i]))


def test_partners_are_drawn_as_said() -> None:
    y = torch.tensor([0] * 6 + [4] * 3 + [7] * 3)
    rng = np.random.default_rng(0)
    drawn = [draw_partners(y, "distinct", rng) for _ in range(300)]
    assert all(bool((partner != y).all()) for partner in drawn)
    of_first = Counter(int(partner[0]) for partner in drawn)
    assert set(of_first) == {4, 7}
    assert abs(of_first[4] - 150) < 4 * math.sqrt(300 / 4)  # four standard errors of a fair coin
    assert Counter(draw_partners(y, "arbitrary", rng).tolist()) == Counter(y.tolist())
    assert torch.equal(draw_partners(y, "identical", rng), y)
    assert torch.equal(draw_partners(torch.tensor([5, 5]), "distinct", rng), torch.tensor([5, 5]))


@pytest.mark.parametrize("gate", ["mean", "product"])
def test_the_gate_of_two_classes_does_not_know_their_order(gate: str) -> None:
    method = made("class_pair_gate", 6, gate=gate)
    one, other = torch.tensor([0, 1, 2]), torch.tensor([3, 1, 5])
    forth, back = method.gates(one, other), method.gates(other, one)  # type: ignore[operator]
    assert torch.equal(forth, back)
    assert ((forth > 0) & (forth < 1)).all()
    assert not torch.allclose(forth[0], forth[2])


def test_rows_that_belong_to_no_class_are_negatives() -> None:
    batch = random_batch(4, 2)
    strangers = Embeddings(random_batch(3, 1, seed=1).z, torch.tensor([-1, 0, 1]))
    method = made("class_pair_gate", 6)
    (pool,) = method.change(Pool(batch, strangers, score(batch, strangers)), moment(batch.z))
    assert pool.pairs.neg[:, 0].all()
    assert not pool.pairs.pos[:, 0].any()


def test_arbitrary_pairs_need_the_gate() -> None:
    """Cosine within classes less that between them, of the bare embedding: without a gate there is nearly none."""
    gap = {}
    for gate in ("mean", "none"):
        run = Run(
            small(
                data=part("digits"), sampler=part("balanced", batch=64), methods=(part("class_pair_gate", gate=gate),)
            )
        )
        run.advance(150)
        measured = run.measures()
        gap[gate] = measured["pos_mean"] - measured["neg_mean"]
    assert gap["mean"] > gap["none"] + 0.1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_row_that_the_gate_shuts_off_has_cosine_0(dtype: torch.dtype) -> None:
    anchors = torch.tensor([[1.0, 0.0], [0.6, 0.8]], dtype=dtype)
    others = torch.tensor([[0.0, 1.0], [0.0, 0.0], [1.0, 0.0]], dtype=dtype)
    gate = torch.tensor([[1.0, 0.0], [1.0, 1.0]], dtype=dtype)
    expected = torch.tensor([[0.0, 0.0, 1.0], [0.8, 0.0, 0.6]], dtype=dtype)
    torch.testing.assert_close(gated_cosine(anchors, others, gate), expected, rtol=1e-5, atol=1e-5)
