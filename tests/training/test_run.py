import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models.geometry import Embeddings
from models.training.config import Event, RunConfig
from models.training.run import Diverged, Run
from tests.training.helpers import differing, differing_fields, finite, part, small

# Every encoder, every optimiser, both pairings, both samplers, losses with and without weights of their own, all kinds
# of views.
CASES = {
    "mlp adam": small(),
    "linear sgd": small(encoder=part("linear", dim=8), optimiser=part("sgd", momentum=0.9)),
    "conv adamw": small(data=part("mnist1d", items=300), encoder=part("conv", width=4, dim=8), optimiser=part("adamw")),
    "uniform": small("supcon", sampler=part("uniform", batch=32)),
    "views of points": small(pairing="views"),
    "views of images": small(
        pairing="views", data=part("faces"), encoder=part("conv", width=2, dim=8), optimiser=part("sgd")
    ),
    "natural views": small(pairing="views", data=part("emoji", features=64)),
    "proxies": small("arcface"),
    "head": small("cross_entropy", optimiser=part("adamw")),
    "events": small(events=(Event(3, "loss.temperature", 0.5), Event(11, "optimiser.rate", 0.01))),
    "spoilt": small(data=part("clusters", items=60, label_flips=0.2, duplicates=0.3, imbalance=3.0), seed=4),
}


def sliced(config: RunConfig) -> Run:
    run = Run(config)
    run.advance(7)
    run.snapshot()
    run.advance(13)
    return run


@pytest.mark.parametrize("name", CASES)
def test_slices_and_looking_change_nothing(name: str, tmp_path: Path) -> None:
    whole, parts, kept = Run(CASES[name]), sliced(CASES[name]), Run(CASES[name])
    whole.advance(20)
    kept.advance(7)
    kept.save(tmp_path)
    resumed = Run.load(tmp_path)
    resumed.advance(13)
    assert len(whole.trace.loss) == 20
    assert whole.step == 20
    assert differing(whole, parts) == []
    assert differing(whole, resumed) == []
    assert differing_fields(whole.snapshot(), resumed.snapshot()) == []


@pytest.mark.parametrize("name", CASES)
def test_training_moves_every_weight(name: str) -> None:
    run = Run(CASES[name])
    before = {k: p.detach().clone() for k, p in run.encoder.named_parameters()}
    run.advance(20)
    assert [k for k, p in run.encoder.named_parameters() if torch.equal(p, before[k])] == []
    assert np.isfinite(run.trace.loss).all()


def record(run: Run) -> str:
    run.advance(12)
    return f"{[x.hex() for x in run.trace.loss]} {run.checksums()}"


def test_a_fresh_process_gives_the_same_numbers() -> None:
    code = (
        "import sys, torch; torch.set_num_threads(1); from models.training.run import Run; "
        "from models.training.config import RunConfig; from tests.training.test_run import record; "
        "[sys.stdout.write(record(Run(RunConfig.from_json(text))) + chr(10)) for text in sys.argv[1:]]"
    )
    configs = [CASES[name] for name in ("mlp adam", "natural views", "head")]
    command = [sys.executable, "-c", code, *(config.to_json() for config in configs)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [record(Run(config)) for config in configs]


def test_a_run_leaves_the_global_generators_alone() -> None:
    torch.manual_seed(1)
    expected = torch.rand(3, generator=torch.Generator().manual_seed(1))
    run = Run(CASES["views of points"])
    run.advance(3)
    run.snapshot()
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("other", ["supcon", "triplet", "arcface", "cross_entropy"])
@pytest.mark.parametrize("pairing", ["label", "views"])
def test_lanes_with_different_losses_start_alike(other: str, pairing: str) -> None:
    one, two = Run(small(pairing=pairing)), Run(small(other, pairing=pairing))
    assert one.checksums() == two.checksums()
    assert differing_fields(replace(one.snapshot(), weight=None), replace(two.snapshot(), weight=None)) == []


CHANGES = {
    "weights": {"encoder": part("mlp", width=17, dim=8)},
    "batches": {"sampler": part("uniform", batch=32)},
    "views": {"data": part("clusters", items=30, view_strength=0.6)},
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_checksum_changes_with_what_it_stands_for_and_nothing_else(name: str) -> None:
    one, two = Run(small(pairing="views")).checksums(), Run(small(pairing="views", **CHANGES[name])).checksums()
    assert one[name] != two[name]
    untouched = {"weights": ("batches", "views"), "batches": ("weights",), "views": ("weights", "batches")}[name]
    assert [one[k] for k in untouched] == [two[k] for k in untouched]


def test_another_seed_changes_weights_batches_and_views() -> None:
    one, two = Run(small(pairing="views")).checksums(), Run(small(pairing="views", seed=1)).checksums()
    assert [name for name in one if one[name] == two[name]] == []
    assert Run(small()).checksums()["views"] == "none"


def _batch(run: Run, step: int) -> Embeddings:
    """A training batch, embedded."""
    x, batch = run.feed.batch(step)
    return replace(batch, z=run.encoder(x))


def test_views_of_one_step_are_the_same_for_all_losses_and_differ_from_step_to_step() -> None:
    one, two = Run(small(pairing="views")), Run(small("triplet", pairing="views"))
    first, again, later = _batch(one, 0), _batch(two, 0), _batch(one, 1)
    assert torch.equal(first.z, again.z)
    assert not torch.equal(first.z, later.z)
    assert first.instance is not None
    assert first.instance.tolist() == list(range(32)) * 2


def test_a_pair_of_views_shows_the_same_item_twice() -> None:
    run = Run(small(pairing="views", data=part("clusters", items=30, view_strength=0.0)))
    batch = _batch(run, 0)
    assert torch.equal(batch.z[:32], batch.z[32:])
    assert torch.equal(batch.y[:32], batch.y[32:])


def test_knobs_set_while_running_are_events_that_replay() -> None:
    live = Run(small())
    live.advance(5)
    live.set("loss.temperature", 0.7)
    live.set("optimiser.rate", 0.02)
    live.advance(5)
    live.set("loss.temperature", 0.05)
    live.advance(5)
    replayed = Run(RunConfig.from_json(live.config.to_json()))
    replayed.advance(15)
    plain = Run(small())
    plain.advance(15)
    assert len(live.config.events) == 3
    assert live.config.config_id != small().config_id
    assert differing(live, replayed) == []
    assert plain.trace.loss[:5] == live.trace.loss[:5]
    assert plain.trace.loss[5:] != live.trace.loss[5:]


def test_a_knob_set_on_a_paused_run_shows_at_once(tmp_path: Path) -> None:
    run = Run(small())
    run.advance(4)
    before = run.snapshot()
    run.set("loss.temperature", 1)
    after = run.snapshot()
    run.save(tmp_path)
    assert differing_fields(before, after) == ["weight"]
    assert "temperature 1" in after.label
    assert differing_fields(Run.load(tmp_path).snapshot(), after) == []


def test_a_bad_knob_changes_nothing() -> None:
    run = Run(small())
    with pytest.raises(ValueError, match=r"loss.temperature must be a number from 0.01 to 1, got 9"):
        run.set("loss.temperature", 9)
    assert run.config == small()


@pytest.mark.parametrize("momentum", [0.0, 0.999])
def test_divergence_keeps_sound_weights_and_a_lower_rate_goes_on(momentum: float) -> None:
    config = small("cross_entropy", encoder=part("mlp", depth=6, width=64), optimiser=part("sgd", momentum=momentum))
    run = Run(config)
    run.set("optimiser.rate", 10.0)
    with pytest.raises(
        Diverged, match=r"^Step \d+: .* is not finite .*weights of step 0 are kept. Lower the"
    ) as caught:
        run.advance(200)
    failed = caught.value
    assert failed.step > 0
    assert f"Step {failed.step}: {failed.tensor} is not finite" in str(failed)
    assert f"last finite loss: {failed.last_loss:.4g} at step {failed.step - 1}" in str(failed)
    assert (failed.kept, run.step, len(run.trace.loss)) == (0, 0, 0)
    assert finite(run)
    run.set("optimiser.rate", 0.01)
    run.advance(60)
    fresh = Run(run.config)
    fresh.advance(60)
    assert differing(run, fresh) == []  # what failed has left no trace
    assert np.isfinite(run.trace.loss).all()


def test_divergence_late_goes_back_to_the_last_sound_copy() -> None:
    config = small("cross_entropy", encoder=part("mlp", depth=6, width=64), optimiser=part("sgd", rate=0.01))
    run = Run(config)
    run.advance(120)
    run.set("optimiser.rate", 10.0)
    with pytest.raises(Diverged) as caught:
        run.advance(500)
    assert caught.value.kept in (50, 100)
    assert run.step == caught.value.kept == len(run.trace.loss)
    calm = Run(config)
    calm.advance(run.step)
    run.config = config
    assert differing(run, calm) == []


def test_divergence_in_the_gradient_names_the_tensor() -> None:
    run = Run(small())
    run.advance(2)
    layer = run.encoder[1]  # type: ignore[index]
    layer.bias.register_hook(lambda grad: grad * float("inf"))
    with pytest.raises(Diverged, match=r"^Step 2: the gradient of encoder.1.bias is not finite"):
        run.advance(1)
    assert finite(run)


def test_divergence_at_the_first_step_stays_there() -> None:
    run = Run(small())
    with torch.no_grad():
        run.encoder[1].weight.fill_(float("nan"))  # type: ignore[index]
    with pytest.raises(Diverged, match=r"^Step 0: the loss is not finite \(no finite loss yet\)"):
        run.advance(1)
    assert run.step == 0


def test_measures_stand_at_fixed_steps() -> None:
    run = Run(small())
    for n in (3, 30, 18, 80):
        run.advance(n)
    assert run.trace.measured_step == [0, 10, 20, 30, 40, 50, 100]
    assert all(len(column) == 7 for column in run.trace.measured.values())


def test_snapshot_shows_the_probe() -> None:
    run = Run(small())
    snapshot = run.snapshot()
    x = torch.from_numpy(run.data.source.x[run.data.probe])
    with torch.no_grad():
        z = run.encoder(x.to(run.device)).cpu()
    unit = z / z.norm(dim=1, keepdim=True)
    assert np.allclose(snapshot.s, (unit @ unit.T).numpy(), atol=1e-5)
    assert (snapshot.item == run.data.probe).all()
    same = snapshot.y[:, None] == snapshot.y[None]
    assert (snapshot.neg == ~same).all()
    assert (snapshot.pos == (same & ~np.eye(len(same), dtype=bool))).all()
    assert snapshot.weight is not None
    assert snapshot.weight.shape == snapshot.s.shape
