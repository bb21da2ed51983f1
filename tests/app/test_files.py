import asyncio

import pytest
from starlette.requests import Request
from starlette.responses import Response

from app import files
from app.files import Offers


@pytest.fixture(autouse=True)
def offers(monkeypatch: pytest.MonkeyPatch) -> Offers:
    """Offers of this test alone, two at most."""
    found = Offers(most=2)
    monkeypatch.setattr(files, "OFFERS", found)
    return found


def fetch(url: str) -> Response:
    """What the route answers at an address that an offer returned."""
    folder, ticket, name = url.split("/")
    assert folder == "files"
    scope = {"type": "http", "method": "GET", "headers": [], "path_params": {"ticket": ticket, "name": name}}
    return asyncio.run(files.answer(Request(scope)))


def test_a_file_is_made_when_it_is_fetched(offers: Offers) -> None:
    made: list[int] = []

    def make() -> bytes:
        made.append(1)
        return b"a,b\n1,2\n"

    url = offers.offer("t", "scores.csv", "text/csv", make)
    assert made == []
    answer = fetch(url)
    assert (answer.status_code, answer.body, len(made)) == (200, b"a,b\n1,2\n", 1)
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="scores.csv"'
    assert answer.headers["cache-control"] == "no-store"


def test_the_address_stays_and_shows_what_was_offered_last(offers: Offers) -> None:
    first = offers.offer("t", "a.csv", "text/csv", lambda: b"old")
    assert offers.offer("t", "a.csv", "text/csv", lambda: b"new") == first
    assert fetch(first).body == b"new"


def test_what_is_not_on_offer_is_said(offers: Offers) -> None:
    urls = [offers.offer("t", name, "text/csv", lambda: b"x") for name in ("a", "b", "c")]
    assert [fetch(url).status_code for url in urls] == [404, 200, 200]
    assert b"open the menu again" in bytes(fetch(urls[0]).body)
    assert fetch("files/other/b").status_code == 404


def test_a_file_that_cannot_be_made_says_why(offers: Offers) -> None:
    def make() -> bytes:
        raise ValueError("there is no picture of this panel")

    answer = fetch(offers.offer("t", "a.png", "image/png", make))
    assert (answer.status_code, answer.body) == (422, b"This file cannot be made: there is no picture of this panel")


def test_tickets_are_long_and_differ() -> None:
    tickets = [files.ticket() for _ in range(100)]
    assert len(set(tickets)) == 100
    assert min(map(len, tickets)) >= 20
