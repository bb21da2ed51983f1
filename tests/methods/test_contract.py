"""What every method promises and every SPEC declares, checked on all methods that the catalogue finds."""

import inspect
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch

from models.diagnostics.summarise import summarise
from models.engine.probe_loss import probe_loss
from models.geometry import Embeddings
from models.spec import PLACES
from models.training.config import Part, RunConfig
from models.training.run import Diverged, Run
from tests.losses.helpers import degenerate_batches, random_batch, two_views
from tests.methods.helpers import LOSS, METHODS, Bench, loss_for, settings
from tests.training.helpers import differing, differing_fields, part, small

EVERY = pytest.mark.parametrize("key", METHODS)
PAIRING = pytest.mark.parametrize("pairing", ["label", "views"])
ORDINARY = {"labels": random_batch(12, 3, d=4), "views": two_views(6, d=4)}


def config_of(key: str, **fields: object) -> RunConfig:
    return small(loss_for(key), **{"methods": (Part(key),), **fields})


def test_there_are_methods_and_they_are_keyed_by_their_spec() -> None:
    assert len(METHODS) > 1
    assert {key: module.SPEC.key for key, module in METHODS.items()} == {key: key for key in METHODS}


@EVERY
@PAIRING
def test_slices_looking_and_keeping_change_nothing(key: str, pairing: str, tmp_path: Path) -> None:
    whole, parts, kept = (Run(config_of(key, pairing=pairing)) for _ in range(3))
    whole.advance(20)
    parts.advance(7)
    parts.snapshot()
    parts.advance(13)
    kept.advance(7)
    kept.save(tmp_path)
    resumed = Run.load(tmp_path)
    resumed.advance(13)
    assert differing(whole, parts) == []
    assert differing(whole, resumed) == []
    one, other = whole.snapshot(), resumed.snapshot()
    assert differing_fields(one, other) == []
    assert one.levels == other.levels
    assert one.lens is not None
    assert other.lens is not None
    assert one.lens.weight.tobytes() == other.lens.weight.tobytes()


@EVERY
@PAIRING
def test_it_makes_a_difference_and_the_start_is_shared(key: str, pairing: str) -> None:
    bare = Run(small(loss_for(key), pairing=pairing))
    changed = Run(config_of(key, pairing=pairing))
    assert bare.checksums() == changed.checksums()
    bare.advance(3)
    changed.advance(3)
    assert (np.asarray(bare.trace.loss) != np.asarray(changed.trace.loss)).any()
    assert changed.label == f"{bare.label} + {METHODS[key].SPEC.name}"


@EVERY
@PAIRING
def test_the_lens_shows_what_the_loss_reads(key: str, pairing: str) -> None:
    run = Run(config_of(key, pairing=pairing))
    run.advance(3)
    snapshot = run.snapshot()
    lens = snapshot.lens
    assert lens is not None
    assert len(lens.s) in (len(snapshot.y), int(snapshot.seen.sum()))
    assert lens.s.shape == lens.pos.shape == lens.neg.shape == lens.weight.shape
    assert np.isfinite(lens.weight).all()
    assert np.abs(lens.weight[lens.pos]).max() > 0
    assert np.abs(lens.weight[lens.neg]).max() > 0
    assert snapshot.weight is None
    assert snapshot.why_no_weight


@EVERY
@PAIRING
def test_the_page_can_be_drawn(key: str, pairing: str) -> None:
    run = Run(config_of(key, pairing=pairing))
    run.advance(3)
    snapshot = run.snapshot()
    summary = summarise(snapshot)
    assert summary.weights is not None
    assert summary.weights.heat.max() > 0
    assert np.isfinite(probe_loss(run, snapshot))


@EVERY
def test_what_failed_leaves_no_trace_in_its_state(key: str) -> None:
    run, calm = Run(config_of(key)), Run(config_of(key))
    run.advance(60)
    hook = next(run.encoder.parameters()).register_hook(lambda gradient: gradient * torch.inf)
    with pytest.raises(Diverged) as caught:
        run.advance(1)
    hook.remove()
    assert caught.value.kept == 50
    run.advance(8)
    calm.advance(58)
    assert differing(run, calm) == []


@EVERY
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", degenerate_batches())
def test_finite_where_pairs_are_missing(key: str, dtype: torch.dtype, name: str) -> None:
    batch = degenerate_batches(dtype)[name]
    bench = Bench(key, 2, dtype)
    for _ in range(3):
        value, gradients = bench.step(batch)
        assert value.dtype == dtype
        assert torch.isfinite(value)
        assert gradients
        assert all(bool(torch.isfinite(gradient).all()) for gradient in gradients)


@EVERY
@pytest.mark.parametrize("name", [*ORDINARY, "all rows equal"])
def test_finite_at_both_ends_of_every_knob(key: str, name: str) -> None:
    batch = {**ORDINARY, **degenerate_batches()}[name]
    batch = Embeddings(batch.z.float(), batch.y, batch.instance)
    for knobs in settings(key):
        bench = Bench(key, batch.z.shape[1], torch.float32, **knobs)
        for _ in range(3):
            value, gradients = bench.step(batch)
            assert torch.isfinite(value), knobs
            assert all(bool(torch.isfinite(gradient).all()) for gradient in gradients), knobs


@EVERY
def test_the_batch_is_left_alone(key: str) -> None:
    for batch in ORDINARY.values():
        before = [batch.z.clone(), batch.y.clone()]
        Bench(key, 4).step(batch)
        assert all(torch.equal(now, then) for now, then in zip((batch.z, batch.y), before, strict=True))


@EVERY
def test_state_survives_save_and_load(key: str) -> None:
    first, second = Bench(key, 4), Bench(key, 4)
    first.step(ORDINARY["labels"])
    second.modules.load_state_dict(first.modules.state_dict())
    second.number = first.number
    assert first.step(ORDINARY["labels"])[0].item() == second.step(ORDINARY["labels"])[0].item()


@EVERY
def test_a_run_leaves_the_global_generators_alone(key: str) -> None:
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002 - the global generator is what must not be touched
    expected = torch.rand(3, generator=torch.Generator().manual_seed(1))
    run = Run(config_of(key))
    run.advance(2)
    run.snapshot()
    assert torch.equal(torch.rand(3), expected)
    assert np.random.rand() == np.random.RandomState(1).rand()  # noqa: NPY002


@EVERY
def test_it_refuses_losses_that_it_cannot_stand_before(key: str) -> None:
    refused = [kind for kind in LOSS if kind not in METHODS[key].SPEC.reads]
    assert refused
    for kind in refused:
        with pytest.raises(
            ValueError, match=rf"method {key} needs a loss that reads .*, but {LOSS[kind]} reads {kind}"
        ):
            small(LOSS[kind], methods=(Part(key),))


PAIRS = list(combinations(METHODS, 2))


def fit(one: str, other: str) -> bool:
    """Whether two methods may stand in one run."""
    left, right = METHODS[one].SPEC, METHODS[other].SPEC
    return left.place != right.place and bool(set(left.reads) & set(right.reads))


@pytest.mark.parametrize(("one", "other"), [pair for pair in PAIRS if fit(*pair)])
@PAIRING
def test_methods_at_different_places_work_together(one: str, other: str, pairing: str, tmp_path: Path) -> None:
    config = small("infonce", methods=(Part(one), Part(other)), pairing=pairing)
    assert config.config_id == small("infonce", methods=(Part(other), Part(one)), pairing=pairing).config_id
    run, kept = Run(config), Run(config)
    run.advance(12)
    kept.advance(5)
    kept.snapshot()
    kept.save(tmp_path)
    resumed = Run.load(tmp_path)
    resumed.advance(7)
    assert np.isfinite(run.trace.loss).all()
    assert differing(run, resumed) == []


@pytest.mark.parametrize(
    ("one", "other"), [pair for pair in PAIRS if METHODS[pair[0]].SPEC.place == METHODS[pair[1]].SPEC.place]
)
def test_two_methods_at_one_place_are_refused(one: str, other: str) -> None:
    with pytest.raises(ValueError, match=r"needs a loss that reads|both change the"):
        small("infonce", methods=(Part(one), Part(other)))


@EVERY
def test_twice_the_same_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match=f"methods {key} and {key} both change the {METHODS[key].SPEC.place}"):
        config_of(key, methods=(Part(key), Part(key)))


@EVERY
def test_config_goes_through_json_and_has_an_id_of_its_own(key: str) -> None:
    config = config_of(key)
    assert RunConfig.from_json(config.to_json()) == config
    assert config.config_id != small(loss_for(key)).config_id
    knob = METHODS[key].SPEC.knobs[0]
    changed = config_of(key, methods=(part(key, **{knob.name: (knob.choices or (knob.low,))[-1]}),))
    assert changed.config_id != config.config_id
    with pytest.raises(ValueError, match=f"method.* {key} has no knob 'nonesuch'"):
        config_of(key, methods=(part(key, nonesuch=1),))


def test_configs_without_methods_keep_their_ids() -> None:
    assert RunConfig().config_id == "b2fb7af04b61"
    assert RunConfig(loss=Part("arcface"), pairing="views", seed=3).config_id == "adf38c870348"


@EVERY
def test_defaults_are_in_range_and_those_of_the_class(key: str) -> None:
    module = METHODS[key]
    given = inspect.signature(module.Method).parameters
    named = {name: p.default for name, p in given.items() if p.kind is inspect.Parameter.KEYWORD_ONLY}
    assert named == {knob.name: knob.default for knob in module.SPEC.knobs}
    assert [p.name for p in given.values() if p.kind is not inspect.Parameter.KEYWORD_ONLY] == ["context"]
    for knob in module.SPEC.knobs:
        assert knob.check(knob.default) == knob.default
        assert type(named[knob.name]) is type(knob.default)
        assert knob.choices or knob.low < knob.high
        assert not knob.log or knob.low > 0


@EVERY
def test_spec_is_complete(key: str) -> None:
    spec = METHODS[key].SPEC
    texts = {name: getattr(spec, name) for name in ("name", "formula", "when", "pitfall", "convention")}
    texts |= {name: getattr(spec.paper, name) for name in ("authors", "title", "equation", "status")}
    texts |= {f"{knob.name}.help": knob.help for knob in spec.knobs}
    assert [name for name, text in texts.items() if not text.strip()] == []
    assert spec.knobs
    assert spec.place in PLACES
    assert set(spec.reads) <= set(LOSS)
    assert spec.formula.count("{") == spec.formula.count("}")
