"""Links of data with two sides: the pairing that suits the data is left out, and what it refuses costs one message."""

from urllib.parse import parse_qs, urlencode

import pytest

from app.address import Setup, from_query, to_query
from models.training.config import Part, RunConfig


@pytest.mark.parametrize("pairing", ["towers", "label", "views"])
def test_the_link_keeps_the_pairing(pairing: str) -> None:
    setup = Setup((RunConfig(data=Part("halves"), loss=Part("cwcl"), pairing=pairing),))
    query = parse_qs(urlencode(to_query(setup), doseq=True))
    assert ("pairing" in query) == (pairing != "towers")
    assert from_query(query) == (setup, ())


def test_one_sided_data_refuse_towers() -> None:
    setup, problems = from_query({"data": ["digits"], "pairing": ["towers"], "lane": ["cwcl"]})
    assert len(problems) == 1
    assert "label, views" in problems[0]
    assert setup.base.pairing == "label"


def test_a_loss_of_one_tower_costs_a_message_and_its_lane() -> None:
    setup, problems = from_query({"data": ["halves"], "lane": ["supremix", "cwcl"]})
    assert len(problems) == 1
    assert "supremix needs a batch scored against itself" in problems[0]
    assert [lane.loss.key for lane in setup.lanes] == ["cwcl"]
    assert setup.base.pairing == "towers"
