"""The address restores everything, and one bad field costs one message."""

from urllib.parse import parse_qs, urlencode

import pytest

from app.address import DEFAULT_LANES, DEFAULT_PANELS, MAX_LANES, Query, Setup, default_setup, from_query, to_query
from models.training.config import Event, Part, RunConfig


def through_the_address_bar(setup: Setup) -> Query:
    return parse_qs(urlencode(to_query(setup), doseq=True))


def rich() -> Setup:
    base = RunConfig(
        data=Part("digits", (("label_flips", 0.2), ("view_strength", 0.25))),
        encoder=Part("mlp", (("dim", 16),)),
        sampler=Part("uniform", (("batch", 64),)),
        optimiser=Part("sgd", (("rate", 0.02),)),
        pairing="views",
        steps=700,
        seed=41,
    )
    setup = Setup((base,), ("roc", "map")).with_lane(Part("triplet", (("margin", 0.3), ("reduction", "mean"))))
    first = (
        setup.lanes[0].with_event(Event(120, "loss.temperature", 0.05)).with_event(Event(130, "optimiser.rate", 0.5))
    )
    return Setup((first, *setup.lanes[1:]), setup.panels)


@pytest.mark.parametrize("setup", [default_setup(), rich()], ids=["default", "rich"])
def test_the_link_restores_the_setup_exactly(setup: Setup) -> None:
    assert from_query(through_the_address_bar(setup)) == (setup, ())


def test_a_default_setup_has_a_short_address() -> None:
    assert set(to_query(default_setup())) == {"lane"}


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"seed": ["-1"]}, ("seed=-1", "from 0 to", "0 is used")),
        ({"steps": ["many"]}, ("steps=many", "whole number", "500 is used")),
        ({"data": ["mnist9000"]}, ("data=mnist9000", "known:", "digits")),
        ({"data.label_flips": ["2"]}, ("data.label_flips=2", "from 0 to 0.9", "0.0 is used")),
        ({"sampler.batch": ["1"]}, ("sampler.batch=1", "from 4 to 2048", "128 is used")),
        ({"encoder.normalise": ["perhaps"]}, ("encoder.normalise=perhaps", "one of")),
        ({"pairing": ["guess"]}, ("pairing=guess", "label, views", "label is used")),
        ({"panels": ["roc,scroes"]}, ("panels=scroes", "scores, roc")),
        ({"lane": ["infonce;temperature=abc"]}, ("temperature=abc", "from 0.01 to 1", "0.1 is used")),
        ({"lane": ["infonce;margin=1"]}, ("margin=1", "no knob 'margin'")),
        ({"lane": ["infonce", "nonesuch"]}, ("lane=nonesuch", "no loss called")),
        ({"lane": ["infonce;5@loss.temperature=9"]}, ("temperature=9", "from 0.01 to 1")),
        ({"lane": ["infonce;five@loss.temperature=0.2"]}, ("five@loss.temperature=0.2",)),
        ({"lane": ["infonce"] * (MAX_LANES + 1)}, ("at most 4 lanes",)),
        ({"colour": ["blue"]}, ("colour=blue", "no such field")),
    ],
)
def test_a_bad_field_costs_one_message(query: Query, words: tuple[str, ...]) -> None:
    setup, problems = from_query(query)
    assert len(problems) == 1
    assert all(word in problems[0] for word in words), problems[0]
    assert setup.lanes


def test_the_rest_of_a_bad_link_still_holds() -> None:
    setup, problems = from_query({"seed": ["7"], "lane": ["supcon;temperature=0.2"], "data": ["no"], "steps": ["0"]})
    assert len(problems) == 2
    assert (setup.base.seed, setup.base.loss.number("temperature")) == (7, 0.2)


def test_an_empty_lane_list_takes_the_default_lanes() -> None:
    setup, problems = from_query({"seed": ["3"]})
    assert problems == ()
    assert [lane.loss.key for lane in setup.lanes] == [part.key for part in DEFAULT_LANES]
    assert setup.panels == DEFAULT_PANELS


def test_lanes_share_everything_but_the_loss() -> None:
    setup = default_setup().with_shared(seed=5, data=Part("digits", (("duplicates", 0.1),)))
    assert {lane.seed for lane in setup.lanes} == {5}
    assert {lane.data["duplicates"] for lane in setup.lanes} == {0.1}
    assert len({lane.loss for lane in setup.lanes}) == 2
