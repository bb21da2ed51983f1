"""What this set teaches: each pair of types is linked in a sense of its own, and held-out links are found again."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from models.data.graph import TYPES, load
from models.diagnostics.items import Across, pair_scores, snapshot_items
from models.diagnostics.neighbours import first_hits, neighbours
from models.diagnostics.roc import auc
from models.diagnostics.summarise import summarise
from models.engine.probe_loss import probe_loss
from models.geometry import score
from models.training.config import Part, RunConfig
from models.training.finish import finish
from models.training.run import Run
from models.training.towers import sides
from tests.data.helpers import no_network
from tests.training.helpers import differing, part

GATE = (part("class_pair_gate"),)


def config(loss: str = "infonce", methods: tuple[Part, ...] = (), **fields: object) -> RunConfig:
    given = {"data": part("graph"), "encoder": part("mlp", width=32, dim=16), "sampler": part("balanced", batch=128)}
    return RunConfig(**{**given, "loss": part(loss), "methods": methods, **fields})  # type: ignore[arg-type]


def linked(run: Run, rows: np.ndarray) -> set[frozenset[int]]:
    """Links of these rows as unordered pairs of nodes."""
    assert run.data.source.ends is not None
    return {frozenset(pair) for pair in run.data.source.ends[rows].tolist()}


def test_links_join_an_emoji_with_a_node_of_another_type(monkeypatch: pytest.MonkeyPatch) -> None:
    no_network(monkeypatch)
    source = load()
    assert source.ends is not None
    assert source.types is not None
    assert source.side is not None
    kinds = source.types[source.ends]
    assert (kinds == 0).sum(axis=1).tolist() == [1] * len(kinds)
    assert (kinds[:, 0] == source.y).all()
    assert len({frozenset(pair) for pair in source.ends.tolist()}) == len(source.ends) > 4000
    swapped = (source.y != 0).mean()
    assert swapped == pytest.approx(0.5, abs=0.03)
    assert "emoji 1st place medal · keyword medal" in source.texts
    assert {len(TYPES), int(source.types.max()) + 1, len(source.classes)} == {4}
    # Both ends of one node have the same features, whichever side they are on.
    node = source.ends[40, 0]
    there = np.flatnonzero(source.ends[:, 1] == node)
    assert all((source.side[row] == source.x[40]).all() for row in there)
    assert (source.x[:, -4:].argmax(axis=1) == source.y).all()


def test_features_know_nothing_of_links() -> None:
    """Other limits on keywords make other links; a node's features stay what they were."""
    one, other = load(), load(fewest=5)
    assert len(one.y) > len(other.y)
    held = {text.split(" · ")[0]: row for row, text in enumerate(one.texts)}
    shared = [(held[first], row) for row, text in enumerate(other.texts) if (first := text.split(" · ")[0]) in held]
    assert len(shared) > 1000
    assert all((one.x[a] == other.x[b]).all() for a, b in shared)


def test_masks_of_a_batch_are_the_training_links_by_loops() -> None:
    run = Run(config())
    rows = run.data.train[run.feed._plan.at(3).numpy()]
    anchors, others = sides(run.feed.batch(3)[1])
    scores = score(*(type(e)(torch.randn(len(e.y), 4), e.y, node=e.node, stands=e.stands) for e in (anchors, others)))
    known, ends, types = linked(run, run.data.train), run.data.source.ends[rows], run.data.source.types  # type: ignore[index]
    assert types is not None
    for i in range(0, 128, 9):
        for j in range(128):
            alike = types[ends[j, 1]] == types[ends[i, 1]]
            edge = frozenset((int(ends[i, 0]), int(ends[j, 1]))) in known
            assert bool(scores.pos[i, j]) == (edge and alike)
            assert bool(scores.neg[i, j]) == (alike and not edge)
    assert anchors.y.tolist() == types[ends[:, 0]].tolist()
    assert others.y.tolist() == types[ends[:, 1]].tolist()


def test_the_probe_asks_for_held_out_links_and_leaves_known_ones_out() -> None:
    run = Run(config())
    shot = run.snapshot()
    ends, types = run.data.source.ends[run.data.probe], run.data.source.types  # type: ignore[index]
    assert types is not None
    known, asked = linked(run, run.data.train), linked(run, run.data.probe)
    assert not known & asked
    assert shot.pos.diagonal().all()
    apart = 0
    for i in range(0, 400, 13):
        for j in range(400):
            pair, alike = frozenset((int(ends[i, 0]), int(ends[j, 1]))), types[ends[j, 1]] == types[ends[i, 1]]
            assert bool(shot.pos[i, j]) == (pair in asked and alike)
            assert bool(shot.neg[i, j]) == (alike and pair not in asked | known)
            apart += alike and pair in known
    assert apart > 0
    held = snapshot_items(shot, shot.seen)
    assert run.measures()["auc"] == pytest.approx(auc(pair_scores(held.s, held.pos, held.neg)), abs=1e-6)


def test_a_pair_that_does_not_count_is_never_the_nearest() -> None:
    """Side A at 0 degrees; the second other side is nearest and apart, then comes the right one."""
    z, other = np.array([[1.0, 0.0]] * 2), np.array([[0.8, 0.6], [1.0, 0.0]])
    items = Across(other, np.array([[1, -1], [1, 0]])).of(z, np.array([0, 0]), np.array([True, True]))
    assert first_hits(items).tolist() == [1.0, 0.0]
    assert neighbours(items).recall_at_1 == 0.5


def test_the_gate_is_that_of_the_two_types_and_keeps_the_links() -> None:
    run = Run(config(methods=GATE))
    lens = run.snapshot().lens
    plain = Run(config()).snapshot()
    assert lens is not None
    assert lens.candidates == "other sides, gated"
    assert (lens.pos == plain.pos).all()
    assert (lens.neg == plain.neg).all()
    x, both = run.feed.probe_sides()
    gate = run.chain["class_pair_gate"]
    with torch.no_grad():
        anchors, others = sides(type(both)(run.encoder(x), both.y))
        for i, j in ((0, 0), (3, 17), (200, 9)):
            vector = (gate.vector(anchors.y[i]) + gate.vector(others.y[i])) / 2  # type: ignore[operator]
            g = torch.sigmoid(gate.net(vector[None]))[0]  # type: ignore[operator]
            expected = torch.nn.functional.cosine_similarity(g * anchors.z[i], g * others.z[j], dim=0)
            assert lens.s[i, j] == pytest.approx(expected.item(), abs=1e-5)


def test_held_out_links_are_found_again_better_than_at_the_start() -> None:
    run = Run(config(methods=GATE, optimiser=part("adam", rate=0.003)))
    ends, types = run.data.source.ends[run.data.probe], run.data.source.types  # type: ignore[index]
    keyword = np.flatnonzero((types[ends] == 1).any(axis=1))  # type: ignore[index]

    def found() -> float:
        lens = run.snapshot().lens
        assert lens is not None
        return auc(pair_scores(lens.s[keyword], lens.pos[keyword], lens.neg[keyword]))

    before = found()
    run.advance(150)
    assert len(keyword) > 50
    assert before < 0.65
    assert found() > before + 0.15


def test_slices_and_saving_with_a_gate(tmp_path: object) -> None:
    whole, sliced = Run(config(methods=GATE)), Run(config(methods=GATE))
    whole.advance(6)
    sliced.advance(2)
    sliced.snapshot()
    sliced.save(str(tmp_path))
    again = Run.load(str(tmp_path))
    again.advance(4)
    assert differing(whole, again) == []


def test_levels_are_those_of_the_links() -> None:
    """At chance, the loss of a positive is log(1 + its anchor's negatives)."""
    run = Run(config())
    anchors, others = sides(run.feed.batch(0)[1])
    scores = score(*(type(e)(torch.zeros(len(e.y), 4), e.y, node=e.node, stands=e.stands) for e in (anchors, others)))
    expected = run.objective.module.loss(scores)
    assert run.objective.levels(run._counts)["chance"] == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("methods", [(), GATE])
def test_a_page_can_draw_it(methods: tuple[Part, ...]) -> None:
    run = Run(config(methods=methods))
    run.advance(2)
    shot = run.snapshot()
    drawn = summarise(shot)
    assert shot.lens is not None
    assert drawn.weights is not None
    assert drawn.weights.candidates == shot.lens.candidates
    # Read from embeddings, not from the lens: the loss is the same.
    x, both = run.feed.probe_sides()
    with torch.no_grad():
        anchors, others = sides(replace(both, z=run.encoder(x)))
        pool = run.chain.look(anchors, run.feed.x, 2, others)
        assert probe_loss(run, shot) == pytest.approx(run.objective.read(pool.scores, pool.anchors).item(), rel=1e-5)
    assert finish(run)["recall_at_1"] == pytest.approx(run.measures()["recall_at_1"])


def test_what_fits_and_what_is_refused() -> None:
    for loss in ("infonce", "multi_similarity"):
        run = Run(config(loss))
        run.advance(20)
        assert np.isfinite(run.trace.loss).all()
    with pytest.raises(ValueError, match="icnn needs a batch scored against itself, not towers"):
        config("icnn")
    with pytest.raises(ValueError, match="method queue cannot stand before two towers"):
        config(methods=(part("queue"),))
    with pytest.raises(ValueError, match="method class_pair_gate cannot stand before two towers"):
        config(methods=GATE, data=part("halves"))
