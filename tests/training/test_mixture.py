"""A weighted sum of losses as one lane: what it is made of, that nothing else changed, and knobs while it trains."""

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations_with_replacement
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from models.catalogue import discover, find
from models.custom import REGISTER
from models.geometry import Embeddings, score
from models.objective import Objective
from models.own_source import is_own
from models.sensitivity import pair_weights
from models.spec import Context
from models.training.build import batch_counts
from models.training.config import Event, Part, RunConfig
from models.training.run import Run
from tests.losses.helpers import degenerate_batches, random_batch
from tests.own import RACE, knowing
from tests.training.helpers import differing, part, small

LOSSES = discover("losses")
BATCH = random_batch(16, 4)
READABLE = [key for key, m in LOSSES.items() if m.SPEC.target == "class" and ":" not in key]
PAIRS = list(combinations_with_replacement(READABLE, 2))
ALIKE = [pair for pair in PAIRS if len({LOSSES[key].SPEC.reads for key in pair}) == 1]
APART = [pair for pair in PAIRS if pair not in ALIKE]
# Two of each kind that can be added: reads scores, embeddings, logits; with and without parameters of their own.
MIXES = ["mix:infonce+triplet", "mix:arcface+amcl", "mix:cross_entropy+z_loss", "mix:aldr_kl+cross_entropy"]


def objective(key: str, **knobs: Any) -> Objective:
    torch.manual_seed(0)
    config = RunConfig(loss=Part(key, tuple(knobs.items())))
    return Objective(config.loss, Context(BATCH.z.shape[1], 4, 100)).double()


def weighted(key: str, first: float, second: float) -> dict[str, float]:
    one, two = (term.label for term in find("losses", key).TERMS)
    return {f"{one}.weight": first, f"{two}.weight": second}


def slope(function: Callable[[Embeddings], Tensor]) -> Tensor:
    z = BATCH.z.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(function(replace(BATCH, z=z)), z)
    return gradient


def test_configs_without_a_mixture_keep_their_ids() -> None:
    """Written down before there were mixtures."""
    ids = {key: RunConfig(loss=Part(key)).config_id for key in ("infonce", "arcface", "cross_entropy")}
    assert ids == {"infonce": "b2fb7af04b61", "arcface": "c37598e25157", "cross_entropy": "f0e2d5ffc2d7"}
    assert small().config_id == "187d211fa307"


@pytest.mark.parametrize(
    ("key", "value"),
    [("infonce", 3.323317527770996), ("arcface", 49.25852584838867), ("cross_entropy", 2.0924434661865234)],
)
def test_runs_without_a_mixture_keep_their_numbers(key: str, value: float) -> None:
    """Loss of step 20, written down before there were mixtures; the rest is rounding of other machines."""
    run = Run(small(key))
    run.advance(20)
    assert run.trace.loss[-1] == pytest.approx(value, rel=1e-3)
    assert run.snapshot().terms is None


@pytest.mark.parametrize("key", MIXES)
def test_value_and_gradient_are_the_weighted_sum(key: str) -> None:
    """0.5 and 3 of each: the two terms are read with the other's weight at 0, which leaves it out."""
    whole, one, two = (objective(key, **weighted(key, *weights)) for weights in ((0.5, 3.0), (1.0, 0.0), (0.0, 1.0)))
    expected = 0.5 * one(BATCH).item() + 3.0 * two(BATCH).item()
    assert whole(BATCH).item() == pytest.approx(expected, rel=1e-12)
    assert min(abs(one(BATCH).item()), abs(two(BATCH).item())) > 1e-3
    torch.testing.assert_close(slope(whole), 0.5 * slope(one) + 3.0 * slope(two), rtol=1e-9, atol=1e-12)


def test_scores_by_the_functions_themselves() -> None:
    mixed = objective("mix:infonce+triplet", **{"infonce.temperature": 0.3, "triplet.weight": 0.25})
    scores = score(BATCH)
    infonce, triplet = LOSSES["infonce"], LOSSES["triplet"]
    expected = infonce.loss(scores, temperature=0.3) + 0.25 * triplet.loss(scores)
    assert mixed(BATCH).item() == pytest.approx(expected.item(), rel=1e-12)
    weights = pair_weights(infonce, scores, temperature=0.3) + 0.25 * pair_weights(triplet, scores)
    torch.testing.assert_close(mixed.weights(scores, BATCH), weights)


@pytest.mark.parametrize("key", ["infonce", "arcface", "cross_entropy", "aldr_kl"])
def test_alone_it_is_the_loss_itself(key: str) -> None:
    """After 20 steps, a term of weight 0 beside it; infonce is worked in blocks when alone, so rounding differs."""
    mixed = replace(small(), loss=part(f"mix:{key}+{key}", **{f"{key}_2.weight": 0.0}))
    one, other = Run(small(key)), Run(mixed)
    for run in (one, other):
        run.advance(20)
    assert other.trace.loss == pytest.approx(one.trace.loss, rel=1e-4)
    assert one.trace.loss[0] != pytest.approx(one.trace.loss[-1], rel=1e-3)


@pytest.mark.parametrize("pair", ALIKE, ids="+".join)
def test_any_two_that_read_the_same_can_be_added(pair: tuple[str, str]) -> None:
    """On an ordinary batch and on degenerate ones, each term at its defaults."""
    mixed = objective("mix:" + "+".join(pair))
    for batch in (BATCH, *degenerate_batches().values()):
        wide = torch.nn.functional.pad(batch.z, (0, BATCH.z.shape[1] - batch.z.shape[1])).requires_grad_()
        value = mixed(replace(batch, z=wide, y=batch.y % 4))
        value.backward()
        assert torch.isfinite(value)
        assert wide.grad is not None
        assert torch.isfinite(wide.grad).all()


@pytest.mark.parametrize("pair", APART, ids="+".join)
def test_two_that_read_different_things_are_refused(pair: tuple[str, str]) -> None:
    first, second = (f"{key} reads {LOSSES[key].SPEC.reads}" for key in pair)
    with pytest.raises(ValueError, match=f"{first}, but {second}; they cannot be added"):
        RunConfig(loss=Part("mix:" + "+".join(pair)))


@pytest.mark.parametrize("key", MIXES)
def test_slices_looking_keeping_and_events_change_nothing(key: str, tmp_path: Path) -> None:
    """A weight and a knob of a term change on the way; a run cut up, looked at, kept and resumed is the same run."""
    first = find("losses", key).TERMS[0]
    events = [Event(5, f"loss.{first.label}.weight", 0.3), Event(9, f"loss.{first.label}.weight", 2.0)]
    events += [Event(11, f"loss.{first.label}.{knob.name}", knob.high) for knob in first.spec.knobs if knob.high]
    config = replace(small(), loss=Part(key), events=tuple(events))
    whole, parts, plain = Run(config), Run(config), Run(replace(config, events=()))
    for run in (whole, plain):
        run.advance(20)
    parts.advance(7)
    parts.snapshot()
    parts.save(tmp_path)
    parts = Run.load(tmp_path)
    parts.advance(13)
    assert differing(whole, parts) == []
    assert whole.trace.loss[:5] == plain.trace.loss[:5]
    assert whole.trace.loss[6] != plain.trace.loss[6]
    assert RunConfig.from_json(config.to_json()) == config


def test_a_knob_reaches_its_term_and_no_other() -> None:
    run = Run(replace(small(), loss=Part("mix:arcface+cosface")))
    run.set("loss.cosface.margin", 0.1)
    run.set("loss.arcface.weight", 0.5)
    held = run.objective.own.held
    assert (held["arcface"].margin, held["cosface"].margin) == (0.5, 0.1)
    assert run.objective.own.weights() == {"arcface": 0.5, "cosface": 1.0}
    with pytest.raises(ValueError, match=r"loss has no knob 'infonce\.weight'; known: arcface"):
        run.set("loss.infonce.weight", 0.5)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("mix:infonce", "of 2 to 6 losses, got 'mix:infonce'"),
        ("mix:", "of 2 to 6 losses"),
        ("mix:infonce+", "of 2 to 6 losses"),
        ("mix:" + "+".join(["infonce"] * 7), "of 2 to 6 losses"),
        ("mix:infonce+nope", "no loss called 'nope'"),
        ("mix:infonce+mix:triplet", "holds no other mixture"),
        ("mix:cross_entropy+two_hot", "goes with the target class, but two_hot goes with the target real"),
        ("mix:infonce+arcface", "infonce reads scores, but arcface reads embeddings; they cannot be added"),
    ],
)
def test_refuses(key: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        RunConfig(loss=Part(key))


def test_two_of_one_loss_are_numbered() -> None:
    names = [knob.name for knob in find("losses", "mix:infonce+infonce").SPEC.knobs]
    assert names == ["infonce.temperature", "infonce.weight", "infonce_2.temperature", "infonce_2.weight"]
    cold, warm = {"infonce.temperature": 0.05}, {"infonce_2.temperature": 0.5}
    alone = [LOSSES["infonce"].loss(score(BATCH), temperature=t).item() for t in (0.05, 0.5)]
    assert objective("mix:infonce+infonce", **cold, **warm)(BATCH).item() == pytest.approx(sum(alone), rel=1e-12)


def test_no_loss_has_a_knob_that_would_hide_the_weight() -> None:
    names = {knob.name for module in LOSSES.values() for knob in module.SPEC.knobs}
    assert "temperature" in names
    assert not [name for name in names if name == "weight" or "." in name]


@pytest.mark.parametrize("weights", [(1.0, 1.0), (0.5, 3.0), (0.0, 2.0)])
@pytest.mark.parametrize("key", ["mix:infonce+triplet", "mix:circle+supcon", "mix:cross_entropy+comp_sum"])
def test_levels_are_values_of_the_sum(key: str, weights: tuple[float, float]) -> None:
    """At chance, where all scores are 0."""
    mixed = objective(key, **weighted(key, *weights))
    scores = mixed.view(BATCH)
    assert scores is not None
    declared = mixed.levels(batch_counts(BATCH.y, "label"))
    flat = replace(scores, s=torch.zeros_like(scores.s))
    assert declared["chance"] == pytest.approx(mixed.read(flat, BATCH).item(), rel=1e-9)


def test_what_a_sum_declares() -> None:
    spec = find("losses", "mix:infonce+supcon").SPEC
    assert (spec.pulls_positives, spec.pushes_negatives, spec.rowwise, spec.reads) == (False, True, True, "scores")
    assert find("losses", "mix:infonce+circle").SPEC.detached.startswith("circle: the weights")
    assert find("losses", "mix:cross_entropy+z_loss").SPEC.fewest_classes == 3
    assert (spec.name, spec.formula) == ("InfoNCE + SupCon", r"w_{1}\,L_{1} + w_{2}\,L_{2}")
    assert {level.name for level in spec.levels} == {"chance", "collapse", "perfect"}


def test_a_mixture_takes_methods() -> None:
    run = Run(replace(small(), loss=Part("mix:infonce+triplet"), methods=(Part("queue"),)))
    run.advance(5)
    terms = run.snapshot().terms
    assert terms is not None
    assert (terms.names, terms.gradient) == (("infonce", "triplet"), None)


def test_one_of_your_own_is_added_by_the_name_it_was_given() -> None:
    scores = score(BATCH)
    with knowing(runs=True):
        mine = REGISTER.add(RACE, "mine")
        key = f"mix:infonce+{mine.SPEC.key}"
        mixed = objective(key, **{"infonce.weight": 2.0, "mine.weight": 0.5, "mine.temperature": 0.3})
        expected = 2.0 * LOSSES["infonce"].loss(scores) + 0.5 * mine.loss(scores, temperature=0.3)
        assert mixed(BATCH).item() == pytest.approx(expected.item(), rel=1e-12)
        config = RunConfig(loss=Part(key))
    assert is_own(key)
    assert config.source.strip() == RACE.strip()
    with knowing(runs=False):  # another process: the code comes with the config, and is not run there
        assert RunConfig.from_json(config.to_json()) == config
        with pytest.raises(ValueError, match="limited worker"):
            objective(key)(BATCH)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("other", RACE.replace("0.1", "0.2"), "at most, got 2"),
        ("mine", RACE.replace("temperature", "weight"), "rename it"),
    ],
)
def test_own_losses_that_cannot_be_added(name: str, text: str, words: str) -> None:
    with knowing(runs=False):
        first = "infonce" if name == "mine" else REGISTER.add(RACE, "mine").SPEC.key
        with pytest.raises(ValueError, match=words):
            RunConfig(loss=Part(f"mix:{first}+{REGISTER.add(text, name).SPEC.key}"))
