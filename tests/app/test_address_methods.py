"""Methods and mixtures in the address: restored exactly, and one message for each field that cannot be used."""

from dataclasses import replace
from urllib.parse import parse_qs, urlencode

import pytest

from app.address import DEFAULT_PANELS, MIXTURE, Query, Setup, default_setup, from_query, to_query
from models.catalogue import discover
from models.training.config import Event, Part, RunConfig, part_knobs

QUEUE = Part("queue", (("size", 64), ("momentum", 0.9)))
GATE = Part("class_pair_gate", (("partner", "distinct"),))
MIX = Part("mix:infonce+triplet", (("infonce.temperature", 0.2), ("triplet.weight", 0.25)))


def through_the_address_bar(setup: Setup) -> Query:
    return parse_qs(urlencode(to_query(setup), doseq=True))


def rich() -> Setup:
    plain = RunConfig(seed=7)
    first = replace(plain, methods=(Part("multi_head"), QUEUE, GATE)).with_event(Event(12, "loss.temperature", 0.3))
    mixed = replace(plain, loss=MIX, methods=(Part("feature_transform", (("begin", 40),)),))
    mixed = mixed.with_event(Event(30, "loss.infonce.weight", 2.0)).with_event(Event(40, "loss.triplet.margin", 0.5))
    return Setup((first, plain, mixed), (*DEFAULT_PANELS, MIXTURE))


def test_the_link_restores_methods_mixtures_and_their_changes() -> None:
    setup = rich()
    assert from_query(through_the_address_bar(setup)) == (setup, ())


def test_the_address_says_what_is_not_default() -> None:
    assert to_query(rich()) == {
        "seed": "7",
        "lane": [
            "infonce;methods.queue;methods.queue.size=64;methods.queue.momentum=0.9;methods.multi_head;"
            "methods.class_pair_gate;methods.class_pair_gate.partner=distinct;12@loss.temperature=0.3",
            "infonce",
            "mix:infonce+triplet;infonce.temperature=0.2;triplet.weight=0.25;methods.feature_transform;"
            "methods.feature_transform.begin=40;30@loss.infonce.weight=2.0;40@loss.triplet.margin=0.5",
        ],
    }


@pytest.mark.parametrize("key", sorted(discover("methods")))
@pytest.mark.parametrize("end", ["low", "high"])
def test_every_knob_of_every_method_comes_back(key: str, end: str) -> None:
    knobs = {
        knob.name: (knob.choices[-1 if end == "high" else 0] if knob.choices else getattr(knob, end))
        for knob in part_knobs("methods", key)
    }
    assert knobs
    loss = "infonce" if "scores" in discover("methods")[key].SPEC.reads else "cross_entropy"
    setup = Setup((RunConfig(loss=Part(loss), methods=(Part(key, tuple(knobs.items())),)),))
    assert from_query(through_the_address_bar(setup)) == (setup, ())
    assert setup.base.methods[0].values == knobs


def test_a_knob_of_a_method_names_the_method_too() -> None:
    setup, problems = from_query({"lane": ["infonce;methods.queue.size=64"]})
    assert (problems, setup.base.methods) == ((), (Part("queue", (("momentum", 0.99), ("size", 64))),))


def test_a_plus_sign_that_became_a_space_is_one_again() -> None:
    setup, problems = from_query(parse_qs("lane=mix:infonce+triplet"))
    assert (problems, setup.base.loss.key) == ((), "mix:infonce+triplet")


@pytest.mark.parametrize(
    ("lane", "words"),
    [
        ("infonce;methods.que", ("methods.que'", "no method called 'que'", "no such method is used")),
        ("infonce;methods.que;methods.que.size=3;methods.que.x=1", ("no method called 'que'",)),
        ("infonce;methods.queue=3", ("no method called 'queue=3'",)),
        ("infonce;methods.queue.size=0", ("queue.size=0", "from 1 to 65536", "512 is used")),
        ("infonce;methods.queue.size=many", ("queue.size=many", "whole number")),
        ("infonce;methods.queue.length=3", ("methods.queue.length=3", "queue has no knob 'length'", "its default")),
        ("cross_entropy;methods.queue", ("methods.queue'", "needs a loss that reads scores", "no such method")),
        ("infonce;methods.mixup_pairs;methods.class_pair_gate", ("methods.class_pair_gate", "both change the scores")),
        ("infonce;9@methods.queue.size=64", ("9@methods.queue.size=64", "only loss.* and optimiser.*")),
        ("mix:infonce+triplet;triplet.weight=-1", ("triplet.weight=-1", "from 0 to 100", "1.0 is used")),
        ("mix:infonce+triplet;weight=1", ("weight=1", "no knob 'weight'")),
        ("mix:infonce+arcface", ("mix:infonce+arcface", "they cannot be added", "no lane is used")),
        ("mix:infonce+nope", ("no loss called 'nope'",)),
    ],
)
def test_a_bad_field_costs_one_message(lane: str, words: tuple[str, ...]) -> None:
    setup, problems = from_query({"lane": [lane, "supcon"]})
    assert len(problems) == 1, problems
    assert all(word in problems[0] for word in words), problems[0]
    assert setup.lanes[-1] == RunConfig(loss=Part("supcon"))


def test_the_rest_of_a_lane_with_a_bad_method_still_holds() -> None:
    setup, problems = from_query({"lane": ["infonce;temperature=0.2;methods.no;methods.queue;methods.queue.size=x"]})
    assert len(problems) == 2
    assert setup.base.loss["temperature"] == 0.2
    assert setup.base.methods == (Part("queue", (("momentum", 0.99), ("size", 512))),)


def test_two_towers_refuse_a_method_and_keep_the_lane() -> None:
    setup, problems = from_query({"data": ["captions"], "lane": ["infonce;methods.queue"]})
    assert [("cannot stand before two towers" in problem) for problem in problems] == [True]
    assert (setup.base.pairing, setup.base.methods) == ("towers", ())


def test_a_mixture_brings_its_panel_and_takes_it_along() -> None:
    plain = default_setup()
    mixed = plain.with_lane(MIX)
    assert (plain.panels, mixed.panels) == (DEFAULT_PANELS, (*DEFAULT_PANELS, MIXTURE))
    assert mixed.without_lane(2).panels == DEFAULT_PANELS
    assert "panels" not in to_query(mixed)
    assert from_query({"lane": [MIX.key]})[0].panels == (*DEFAULT_PANELS, MIXTURE)


def test_chosen_panels_stay_and_a_mixture_joins_them() -> None:
    chosen = replace(default_setup(), panels=("roc", "spectrum"))
    assert chosen.with_lane(Part("supcon")).panels == ("roc", "spectrum")
    assert chosen.with_lane(MIX).panels == ("roc", "spectrum", MIXTURE)
    without = replace(default_setup().with_lane(MIX), panels=DEFAULT_PANELS)  # somebody closed it
    assert to_query(without)["panels"] == ",".join(DEFAULT_PANELS)
    assert from_query(through_the_address_bar(without))[0].panels == DEFAULT_PANELS


def test_a_new_lane_takes_no_method_from_the_first() -> None:
    setup = Setup((RunConfig(methods=(QUEUE,)),)).with_lane(Part("cross_entropy"))
    assert [lane.methods for lane in setup.lanes] == [(Part("queue", (("momentum", 0.9), ("size", 64))),), ()]
