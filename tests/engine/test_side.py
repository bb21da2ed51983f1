from dataclasses import replace

import numpy as np
import pytest

from models.diagnostics.summarise import summarise
from models.engine.registry import Boards
from models.training.config import Part
from tests.engine.helpers import eventually, loaded, plain, settled, small, state_of


def test_sweep_gives_the_numbers_of_plain_runs_beside_the_live_lane(boards: Boards) -> None:
    player = boards.create([small(0.1)])
    player.sweep("lane-0", "temperature", [0.05, 0.5], 40)
    player.step(10)
    sweep = eventually(lambda: s if (s := player.state().sweep) and not s.running else None)
    assert (sweep.kind, sweep.knob, sweep.steps, sweep.done) == ("sweep", "temperature", 40, 2)
    for cell, temperature in zip(sweep.cells, (0.05, 0.5), strict=True):
        run = plain(small(temperature), 40)
        assert cell.value == temperature
        assert cell.outcome is not None
        assert cell.outcome.step == 40
        assert cell.outcome.summary.roc.auc == summarise(run.snapshot()).roc.auc
        assert cell.outcome.metrics["loss"] == run.trace.loss[-1]
    settled(player, 10)
    assert state_of(player) == plain(small(0.1), 10).pack()[0]


def test_repeat_trains_every_lane_with_every_seed(boards: Boards) -> None:
    player = boards.create([small(0.1), small(0.5)])
    player.repeat([0, 7], 20)
    repeat = eventually(lambda: s if (s := player.state().repeat) and not s.running else None)
    assert [(cell.lane, cell.value) for cell in repeat.cells] == [
        ("lane-0", 0),
        ("lane-0", 7),
        ("lane-1", 0),
        ("lane-1", 7),
    ]
    losses = [cell.outcome.metrics["loss"] for cell in repeat.cells]
    assert losses == [plain(small(t, seed=s), 20).trace.loss[-1] for t in (0.1, 0.5) for s in (0, 7)]


def test_cancel_stops_even_the_run_under_way(boards: Boards) -> None:
    player = boards.create([small()])
    loaded(player)
    player.sweep(0, "temperature", [0.1, 0.2], 1_000_000)
    player.cancel()
    sweep = eventually(lambda: s if (s := player.state().sweep) and s.message == "Cancelled." else None)
    assert not sweep.running
    assert sweep.done == 0
    # The one side worker takes the next job only if the million steps were given up.
    player.sweep(0, "temperature", [0.3], 5)
    sweep = eventually(lambda: s if (s := player.state().sweep) and not s.running else None)
    assert sweep.cells[0].outcome.step == 5


def test_sweep_refuses_what_it_cannot_run(boards: Boards) -> None:
    player = boards.create([small()])
    with pytest.raises(ValueError, match="no knob 'margin' to sweep"):
        player.sweep(0, "margin", [0.1], 5)
    with pytest.raises(ValueError, match="temperature must be"):
        player.sweep(0, "temperature", [99.0], 5)
    with pytest.raises(ValueError, match="from 1 to 200"):
        player.sweep(0, "temperature", [], 5)
    with pytest.raises(ValueError, match="steps must be"):
        player.repeat([0], 0)
    assert player.state().sweep is None


def test_failed_run_of_a_sweep_is_told_and_the_others_go_on(boards: Boards) -> None:
    too_large = replace(small(), sampler=Part("uniform", (("batch", 2048),)))
    player = boards.create([small(), too_large])
    player.repeat([0], 5)
    repeat = eventually(lambda: s if (s := player.state().repeat) and not s.running else None)
    assert repeat.cells[0].outcome.step == 5
    assert repeat.cells[1].outcome is None
    assert "sampler.batch 2048" in repeat.cells[1].error


def test_umap_comes_with_a_later_state_and_starts_from_the_last_map(boards: Boards) -> None:
    player = boards.create([small()])
    player.step(100)
    settled(player, 100)
    player.request_umap("lane-0")
    first = eventually(lambda: lane if (lane := player.state().lanes[0]).umap is not None else None)
    assert first.umap.method == "UMAP"
    assert first.umap_step == 100
    assert first.umap.xy.shape == (len(first.summary.points.y), 2)
    assert np.isfinite(first.umap.xy).all()
    assert first.umap.trustworthiness > 0.8
    player.step(1)
    settled(player, 101)
    player.request_umap(0)
    second = eventually(lambda: lane if (lane := player.state().lanes[0]).umap_step == 101 else None)
    moved = np.linalg.norm(second.umap.xy - first.umap.xy, axis=1)
    assert np.median(moved) < 0.25 * first.umap.xy.std()
