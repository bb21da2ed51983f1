"""Two towers: an encoder a side, anchors against other sides, graded targets where a loss reads them."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from models.catalogue import discover
from models.diagnostics.summarise import summarise
from models.engine.probe_loss import probe_loss
from models.geometry import Embeddings, Scores, score
from models.objective import Objective
from models.training.config import RunConfig
from models.training.finish import finish
from models.training.run import Run
from models.training.towers import Towers, sides
from tests.training.helpers import differing, differing_fields, part, small

DATA = {"halves": part("halves"), "captions": part("captions"), "queries": part("queries", features=64)}


def two(loss: str = "infonce", data: str = "halves", **fields: object) -> RunConfig:
    return small(loss, data=DATA[data], **fields)


CASES = {
    "halves": two(),
    "captions, graded": two("cwcl", "captions"),
    "queries, graded": two("cwcl", "queries"),
    "reranking": two("sft_rerank", "queries", optimiser=part("sgd")),
    "symmetry": two("symmetry", optimiser=part("adamw")),
    "proxies": two("arcface", "captions"),
    "head": two("cross_entropy"),
    "faces by convolution": small(
        "cwcl", data=part("halves", picture="faces", mirror=True), encoder=part("conv", width=2, dim=8)
    ),
    "spoilt": two("cwcl", sampler=part("uniform", batch=32), seed=3),
}


@pytest.mark.parametrize("name", CASES)
def test_slices_looking_and_keeping_change_nothing(name: str, tmp_path: Path) -> None:
    whole, parts, kept = (Run(CASES[name]) for _ in range(3))
    whole.advance(20)
    parts.advance(7)
    parts.snapshot()
    parts.advance(13)
    kept.advance(7)
    kept.save(tmp_path)
    resumed = Run.load(tmp_path)
    resumed.advance(13)
    assert whole.config.pairing == "towers"
    assert np.isfinite(whole.trace.loss).all()
    assert differing(whole, parts) == []
    assert differing(whole, resumed) == []
    one, other = whole.snapshot(), resumed.snapshot()
    assert differing_fields(one, other) == []
    assert one.other is not None
    assert other.other is not None
    assert one.other.tobytes() == other.other.tobytes()


@pytest.mark.parametrize("name", CASES)
def test_training_moves_every_weight_of_both_towers(name: str) -> None:
    run = Run(CASES[name])
    before = {k: p.detach().clone() for k, p in run.encoder.named_parameters()}
    run.advance(20)
    assert {name.partition(".")[0] for name in before} == {"a", "b"}
    assert [k for k, p in run.encoder.named_parameters() if torch.equal(p, before[k])] == []


def test_towers_have_shapes_and_weights_of_their_own_and_side_a_starts_as_if_alone() -> None:
    run, alone, alike = Run(two("infonce", "captions")), Run(two("infonce", "captions", pairing="label")), Run(two())
    first, second = run.encoder.a, run.encoder.b
    assert (first[1].weight.shape, second[1].weight.shape) == ((16, 64), (16, 128))  # type: ignore[index, union-attr]
    state = alone.encoder.state_dict()
    assert all(torch.equal(t, state[name]) for name, t in first.state_dict().items())  # type: ignore[union-attr]
    assert not torch.equal(alike.encoder.a[1].weight, alike.encoder.b[1].weight)  # type: ignore[index, union-attr]


def test_a_batch_is_both_sides_of_the_same_items_in_the_same_order() -> None:
    run = Run(two("cwcl"))
    x, batch = run.feed.batch(3)
    rows = run.data.train[run.feed._plan.at(3)]
    source = run.data.source
    assert not isinstance(x, torch.Tensor)
    assert source.side is not None
    assert (x[0].numpy() == source.x[rows]).all()
    assert (x[1].numpy() == source.side[rows]).all()
    assert batch.y.tolist() == source.y[rows].tolist() * 2
    assert batch.instance is not None
    assert batch.instance.tolist() == rows.tolist() * 2


@pytest.mark.parametrize("loss", ["infonce", "cwcl", "symmetry", "sft_rerank"])
def test_the_loss_of_a_step_is_that_of_side_a_against_side_b(loss: str) -> None:
    """From the weights by hand: cosines, equal items positive, likeness of the raw left halves as target."""
    run = Run(two(loss))
    rows = run.data.train[run.feed._plan.at(0)]
    source = run.data.source
    assert source.side is not None
    with torch.no_grad():
        a = run.encoder.a(torch.from_numpy(source.x[rows])).numpy()  # type: ignore[operator]
        b = run.encoder.b(torch.from_numpy(source.side[rows])).numpy()  # type: ignore[operator]
    s = np.array([[i @ j / np.sqrt((i @ i) * (j @ j)) for j in b] for i in a])
    raw = source.x.reshape(len(source.x), -1).astype(np.float64)
    raw = (raw - raw.mean(axis=0))[rows]
    target = np.array([[(i @ j / np.sqrt((i @ i) * (j @ j)) + 1) / 2 for j in raw] for i in raw])
    pos = rows[:, None] == rows[None, :]
    module = discover("losses")[loss]
    graded = torch.from_numpy(target) if module.SPEC.graded else None
    expected = module.loss(Scores(torch.from_numpy(s), torch.from_numpy(pos), torch.from_numpy(~pos), graded))
    run.advance(1)
    assert run.trace.loss[0] == pytest.approx(float(expected), rel=1e-4)


def test_a_graded_target_changes_a_loss_that_reads_it_and_reaches_no_other() -> None:
    graded, plain = Run(two("cwcl")), Run(two("cwcl"))
    plain.feed._graded = None
    graded.advance(5)
    plain.advance(5)
    assert graded.trace.loss[0] != plain.trace.loss[0]
    for loss, module in discover("losses").items():
        if module.SPEC.reads == "scores" and loss in ("infonce", "cwcl", "symmetry", "sft_rerank", "supcon"):
            batch = Run(two(loss)).feed.batch(0)[1]
            assert (batch.graded is not None) == module.SPEC.graded


def test_a_target_is_in_0_and_1_and_needs_both_sides() -> None:
    z, y = torch.eye(3), torch.arange(3)
    rows = torch.tensor([[1.0, 0.0], [0.6, 0.8], [1.0, 1e-4]])
    held, bare = Embeddings(z, y, graded=rows), Embeddings(z, y)
    target = score(held, held).target
    assert target is not None
    assert target.max() == 1.0
    assert target[0, 1].item() == pytest.approx(0.6)
    assert score(held, bare).target is None
    assert score(bare, held).target is None
    assert score(bare).target is None


def test_sides_are_halves_of_every_column() -> None:
    both = Embeddings(torch.arange(8.0).view(4, 2), torch.tensor([0, 1, 0, 1]), torch.tensor([5, 6, 5, 6]))
    a, b = sides(both)
    assert a.z.tolist() == [[0, 1], [2, 3]]
    assert b.z.tolist() == [[4, 5], [6, 7]]
    assert (a.instance, b.instance) != (None, None)
    assert torch.equal(score(a, b).pos, torch.eye(2, dtype=torch.bool))
    assert a.sample is None


@pytest.mark.parametrize("data", DATA)
def test_the_probe_is_scored_side_a_against_side_b(data: str) -> None:
    run = Run(two("cwcl", data))
    run.advance(15)
    found, probe, source = run.snapshot(), run.data.probe, run.data.source
    assert source.side is not None
    towers = run.encoder
    assert isinstance(towers, Towers)
    with torch.no_grad():
        a, b = towers.a(torch.from_numpy(source.x[probe])), towers.b(torch.from_numpy(source.side[probe]))
    cosine = torch.nn.functional.cosine_similarity(a[:, None], b[None], dim=2)
    assert found.s == pytest.approx(cosine.numpy(), abs=1e-5)
    assert (found.pos ^ found.neg).all()
    assert found.pos.diagonal().all()
    assert (found.pos == (run.data.pair[probe][:, None] == run.data.pair[probe])).all()
    assert found.z == pytest.approx(a.numpy(), abs=1e-6)
    assert found.other == pytest.approx(b.numpy(), abs=1e-6)
    assert found.lens is not None
    assert found.lens.candidates == "other sides"
    assert found.lens.s.tobytes() == found.s.tobytes()
    assert found.weight is not None
    assert found.lens.target is not None
    assert ((found.lens.target >= 0) & (found.lens.target <= 1)).all()


@pytest.mark.parametrize("loss", ["cwcl", "infonce", "symmetry", "arcface"])
def test_the_loss_on_the_probe_knows_its_target(loss: str) -> None:
    run = Run(two(loss))
    run.advance(3)
    found = run.snapshot()
    value = probe_loss(run, found)
    assert np.isfinite(value)
    objective: Objective = run.objective
    if objective.spec.reads == "scores":
        anchors, others = run._probing.items()
        assert value == pytest.approx(float(objective(anchors, others).detach()), rel=1e-5)
    assert (found.lens is not None and found.lens.target is not None) == objective.spec.graded


def test_trace_summary_and_final_numbers_agree() -> None:
    run = Run(two("infonce", "captions", optimiser=part("adam", rate=0.01)))
    run.advance(120)
    snapshot, measured, final = run.snapshot(), run.measures(), finish(run)
    told = summarise(snapshot)
    for name, value in {
        "auc": told.roc.auc,
        "uniformity": told.plane.uniformity,
        "tolerance": told.plane.tolerance,
    }.items():
        assert measured[name] == pytest.approx(value, abs=1e-6)
        assert final[name] == pytest.approx(value, abs=1e-6)
    assert measured["recall_at_1"] == told.neighbours.recall_at_1 == final["recall_at_1"]
    seen = snapshot.seen
    s, pos = snapshot.s[np.ix_(seen, seen)], snapshot.pos[np.ix_(seen, seen)]
    wins = float(np.mean(s[pos][:, None] > s[~pos][None, :]))
    assert told.roc.auc == pytest.approx(wins, abs=1e-5)
    assert told.roc.low < told.roc.auc < told.roc.high
    assert told.roc.auc > 0.8
    assert measured["auc_unseen"] == pytest.approx(final["auc_unseen"], abs=1e-9)
    assert final["linear_probe"] > 0.8


def test_levels_are_those_of_the_batch() -> None:
    run = Run(two())
    n = 32
    assert run.snapshot().levels["chance"] == pytest.approx(np.log(n))  # one positive, 31 negatives
    flat = run.objective.read_scores(Scores(torch.zeros(n, n), torch.eye(n).bool(), ~torch.eye(n).bool()))
    assert run.snapshot().levels["chance"] == pytest.approx(float(flat))


REFUSED = {
    "towers of data with one side": (
        {"data": part("digits"), "pairing": "towers"},
        "label, views, got 'towers'; digits",
    ),
    "a loss of one tower": (
        {"data": part("halves"), "loss": part("supremix")},
        "supremix needs a batch scored against",
    ),
    "a method": ({"data": part("halves"), "methods": (part("queue"),)}, "method queue cannot stand before two towers"),
    "no such pairing": ({"data": part("halves"), "pairing": "both"}, "one of towers, label, views, got 'both'"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused(name: str) -> None:
    fields, words = REFUSED[name]
    with pytest.raises(ValueError, match=words):
        RunConfig(**fields)  # type: ignore[arg-type]


def test_a_convolution_refuses_the_side_it_cannot_read() -> None:
    with pytest.raises(ValueError, match="but captions is text; choose the MLP"):
        Run(small(data=part("captions"), encoder=part("conv", dim=8)))


def test_two_sided_data_pairs_by_towers_unless_told_otherwise() -> None:
    assert RunConfig(data=part("halves")).pairing == "towers"
    assert RunConfig(data=part("halves"), pairing="label").pairing == "label"
    assert RunConfig().pairing == RunConfig(data=part("emoji")).pairing == "label"
    assert RunConfig.from_json('{"data": "captions"}') == RunConfig(data=part("captions"))
    label = Run(two(pairing="label"))
    label.advance(2)
    assert label.snapshot().other is None


# Ids and numbers as they were before items could have two sides.
BEFORE = {
    "label": (small(), "187d211fa307"),
    "views": (small(pairing="views"), "b0bf5f8151fd"),
    "graded loss": (small("cwcl"), "3159ab53d406"),
    "natural views": (small("cwcl", pairing="views", data=part("emoji", features=64)), "22675f310563"),
    "queue": (small(methods=(part("queue"),)), "366cacf31a03"),
    "default": (RunConfig(), "b2fb7af04b61"),
}


@pytest.mark.parametrize("name", BEFORE)
def test_ids_of_other_runs_have_not_changed(name: str) -> None:
    config, expected = BEFORE[name]
    assert config.config_id == expected


LOSS_BEFORE = {  # at the twelfth step
    "label": 3.3397408,
    "views": 4.1013412,
    "graded loss": 6.7260313,
    "natural views": 8.2631454,
    "queue": 5.8073320,
    "default": 1.7423520,
}


@pytest.mark.parametrize("name", LOSS_BEFORE)
def test_numbers_of_other_runs_have_not_changed(name: str) -> None:
    run = Run(BEFORE[name][0])
    run.advance(12)
    assert run.trace.loss[-1] == pytest.approx(LOSS_BEFORE[name], rel=1e-5)
    assert run.snapshot().other is None
    assert hashlib.sha256(run.config.to_json().encode()).hexdigest()[:12] == BEFORE[name][1]
