import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.catalogue import discover
from models.training.config import FIELDS, OPTIMISERS, SAMPLERS, Event, Part, RunConfig

BASE = RunConfig(events=(Event(5, "loss.temperature", 0.2),))
# One change of every field, and of something inside every part.
CHANGES = {
    "data": Part("clusters"),
    "data knob": Part("digits", (("label_flips", 0.1),)),
    "encoder": Part("linear"),
    "encoder knob": Part("mlp", (("dim", 16),)),
    "encoder switch": Part("mlp", (("normalise", True),)),
    "loss": Part("supcon"),
    "loss knob": Part("infonce", (("temperature", 0.11),)),
    "pairing": "views",
    "sampler": Part("uniform"),
    "sampler knob": Part("balanced", (("batch", 64),)),
    "optimiser": Part("sgd"),
    "optimiser knob": Part("adam", (("rate", 0.002),)),
    "steps": 501,
    "seed": 1,
    "events": (),
    "events value": (Event(5, "loss.temperature", 0.3),),
    "events step": (Event(6, "loss.temperature", 0.2),),
    "events knob": (Event(5, "optimiser.rate", 0.2),),
}


def changed(name: str) -> RunConfig:
    return replace(BASE, **{name.split(" ")[0]: CHANGES[name]})


def test_every_field_but_methods_and_source_is_changed_below() -> None:
    assert {name.split(" ")[0] for name in CHANGES} == set(FIELDS) - {"methods", "source"}


@pytest.mark.parametrize("name", CHANGES)
def test_id_changes_with(name: str) -> None:
    assert changed(name).config_id != BASE.config_id


def test_no_two_of_the_changes_have_one_id() -> None:
    assert len({changed(name).config_id for name in CHANGES}) == len(CHANGES)


@pytest.mark.parametrize("name", CHANGES)
def test_json_and_back(name: str) -> None:
    config = changed(name)
    again = RunConfig.from_json(config.to_json())
    assert again == config
    assert hash(again) == hash(config)
    assert again.config_id == config.config_id
    assert set(json.loads(config.to_json())) == set(FIELDS) - {"source"}  # own losses alone bring their code


@given(
    st.sampled_from(sorted(set(discover("data")))),
    st.sampled_from(sorted(SAMPLERS)),
    st.sampled_from(sorted(OPTIMISERS)),
    st.floats(0.01, 1.0),
    st.lists(st.tuples(st.integers(0, 900), st.floats(1e-6, 10.0)), max_size=4),
)
def test_json_keeps_every_number_exactly(
    data: str, sampler: str, optimiser: str, temperature: float, rates: list[tuple[int, float]]
) -> None:
    config = RunConfig(
        data=Part(data),
        loss=Part("infonce", (("temperature", temperature),)),
        sampler=Part(sampler),
        optimiser=Part(optimiser),
        events=tuple(Event(step, "optimiser.rate", rate) for step, rate in rates),
    )
    assert RunConfig.from_json(config.to_json()) == config
    assert RunConfig.from_json(config.to_json()).config_id == config.config_id


def test_short_and_complete_spelling_are_one_config() -> None:
    spelt = RunConfig.from_json('{"loss": {"key": "infonce", "knobs": {"temperature": 0.1}}, "encoder": "mlp"}')
    assert spelt == RunConfig()
    assert RunConfig.from_json("{}").config_id == RunConfig().config_id


def test_order_and_type_of_numbers_do_not_change_the_id() -> None:
    early, late = Event(3, "loss.temperature", 1), Event(8, "loss.temperature", 0.5)
    one = RunConfig(events=(late, early), optimiser=Part("sgd", (("rate", 1), ("momentum", 0))))
    other = RunConfig(
        events=(Event(3, "loss.temperature", 1.0), late), optimiser=Part("sgd", (("momentum", 0.0), ("rate", 1.0)))
    )
    assert one == other
    assert one.config_id == other.config_id


def test_a_later_event_of_the_same_step_and_knob_replaces_the_first() -> None:
    config = RunConfig().with_event(Event(4, "loss.temperature", 0.2)).with_event(Event(4, "loss.temperature", 0.3))
    assert config.events == (Event(4, "loss.temperature", 0.3),)
    assert config.config_id == RunConfig(events=(Event(4, "loss.temperature", 0.3),)).config_id


COMPLAINTS = {
    '{"sead": 1}': "config has no field 'sead'; its fields are: data, encoder, loss",
    '{"seed": -1}': "seed must be a whole number from 0 to 4294967295, got -1",
    '{"seed": 1.5}': "seed must be a whole number from 0 to 4294967295, got 1.5",
    '{"steps": true}': "steps must be a whole number from 1 to 1000000, got True",
    '{"steps": 0}': "steps must be a whole number from 1 to 1000000, got 0",
    '{"pairing": "both"}': "pairing must be one of label, views, got 'both'",
    '{"data": "dogs"}': "no data set called 'dogs'; known: ",
    '{"encoder": "resnet"}': "no encoder called 'resnet'; known: conv, linear",
    '{"loss": "nonesuch"}': "no loss called 'nonesuch'; known: ",
    '{"sampler": "random"}': "no sampler called 'random'; known: balanced, uniform",
    '{"optimiser": "lion"}': "no optimiser called 'lion'; known: adam, adamw, sgd",
    '{"data": {"key": "digits", "knobs": {"label_flips": 2}}}': (
        "data digits.label_flips must be a number from 0 to 0.9, got 2"
    ),
    '{"loss": {"key": "infonce", "knobs": {"temperature": -0.1}}}': (
        "loss infonce.temperature must be a number from 0.01 to 1, got -0.1"
    ),
    '{"loss": {"key": "infonce", "knobs": {"temperature": "cold"}}}': (
        "loss infonce.temperature must be a number from 0.01 to 1, got 'cold'"
    ),
    '{"loss": {"key": "infonce", "knobs": {"temperature": NaN}}}': (
        "loss infonce.temperature must be a number from 0.01 to 1, got nan"
    ),
    '{"loss": {"key": "infonce", "knobs": {"tau": 0.1}}}': "loss infonce has no knob 'tau'; its knobs are: temperature",
    '{"encoder": {"key": "mlp", "knobs": {"dim": 2.5}}}': (
        "encoder mlp.dim must be a whole number from 2 to 512, got 2.5"
    ),
    '{"encoder": {"key": "mlp", "knobs": {"normalise": 1}}}': (
        "encoder mlp.normalise must be one of True, False, got 1"
    ),
    '{"encoder": {"key": "mlp", "knobs": [1]}}': "encoder.knobs must be an object, got [1]",
    '{"encoder": {"name": "mlp"}}': 'encoder must be a key or {"key": ..., "knobs": {...}}, got ',
    '{"methods": "queue"}': "methods must be a list, got 'queue'",
    '{"events": [{"step": 1}]}': 'an event must be {"step": ..., "knob": ..., "value": ...}, got ',
    '{"events": [{"step": -1, "knob": "loss.temperature", "value": 0.1}]}': (
        "event 'loss.temperature': step must be a whole number from 0, got -1"
    ),
    '{"events": [{"step": 1, "knob": "encoder.dim", "value": 8}]}': (
        "event 'encoder.dim': only loss.* and optimiser.* can change while running"
    ),
    '{"events": [{"step": 1, "knob": "loss.margin", "value": 8}]}': (
        "event 'loss.margin': loss has no knob 'margin'; known: temperature"
    ),
    '{"events": [{"step": 1, "knob": "loss.temperature", "value": 8}]}': (
        "loss.temperature must be a number from 0.01 to 1, got 8"
    ),
    "[1]": "config must be a JSON object with fields data, encoder",
    '{"seed": ': "config is not JSON: line 1, column 10: Expecting value",
}


@pytest.mark.parametrize("text", COMPLAINTS)
def test_one_message_names_field_value_and_range(text: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole beginning is compared below
        RunConfig.from_json(text)
    message = str(caught.value)
    assert COMPLAINTS[text] in message
    assert "\n" not in message


def test_python_is_checked_like_json() -> None:
    with pytest.raises(ValueError, match=r"sampler balanced.batch must be a whole number from 4 to 2048, got 3"):
        RunConfig(sampler=Part("balanced", (("batch", 3),)))
