"""Methods in the catalogue: a card each that says all of its spec, and a link that shows it beside the plain loss."""

from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest
from streamlit.testing.v1 import AppTest

from app.address import from_query
from app.views import catalogue
from components.widgets import loss_card, method_card
from models.catalogue import discover
from models.training.run import Run
from tests.app.boards import LocalBoards
from tests.app.drawn import sound
from tests.app.test_catalogue import SCRIPT, LocalEngine, engine
from tests.conftest import ROOT

__all__ = ["engine"]  # a fixture
METHODS = {key: module.SPEC for key, module in discover("methods").items()}


@pytest.fixture
def page(boards: LocalBoards, engine: LocalEngine) -> AppTest:
    opened = AppTest.from_string(SCRIPT, default_timeout=120)
    sound(opened.run())
    opened.button_group(key="catalogue-view").set_value(catalogue.METHODS)
    return sound(opened.run())


def test_every_method_is_a_card_with_its_link_and_no_loss_is(page: AppTest) -> None:
    heads = [part.value for part in page.markdown if part.value.startswith("**") and "` " not in part.value[:2]]
    shown = [text.split("`")[1] for text in heads if "badge[changes the" in text]
    assert sorted(shown) == sorted(METHODS)
    assert len(list((ROOT / "models" / "methods").glob("[a-z]*.py"))) == len(METHODS)
    assert not any("-badge[reads " in text for text in heads)
    links = unescape(" ".join(part.proto.body for part in page.get("html")))
    assert [key for key, spec in METHODS.items() if f'href="{method_card.lab_link(spec)}"' not in links] == []
    text = "\n".join(part.value for part in page.markdown)
    assert [key for key, spec in METHODS.items() if method_card.details(spec) not in text] == []


@pytest.mark.parametrize("key", sorted(METHODS))
def test_a_card_says_all_that_a_method_says_of_itself(key: str) -> None:
    spec = METHODS[key]
    text = f"{method_card.head(key, spec)}\n{method_card.details(spec)}"
    for part in (
        spec.name, spec.formula, spec.when, spec.pitfall, spec.convention, spec.paper.authors, spec.paper.title,
        str(spec.paper.year), spec.paper.equation, f":small[{spec.paper.status}]", method_card.changes(spec),
        *(knob.name for knob in spec.knobs), *(knob.allowed() for knob in spec.knobs),
    ):  # fmt: skip
        assert part in text
    assert loss_card.status_of(spec) in loss_card.STATUS


@pytest.mark.parametrize("key", sorted(METHODS))
def test_the_link_shows_it_beside_the_plain_loss(key: str) -> None:
    link = method_card.lab_link(METHODS[key])
    assert urlsplit(link).path == "/"
    setup, problems = from_query(parse_qs(urlsplit(link).query))
    assert problems == ()
    plain, changed = setup.lanes
    assert plain.loss == changed.loss
    assert ([part.key for part in plain.methods], [part.key for part in changed.methods]) == ([], [key])


def test_what_the_links_open_trains() -> None:
    for spec in METHODS.values():
        setup, _ = from_query(parse_qs(urlsplit(method_card.lab_link(spec)).query))
        run = Run(setup.lanes[1])
        run.advance(1)
        assert len(run.trace.loss) == 1
