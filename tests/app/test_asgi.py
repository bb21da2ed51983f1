"""What our middleware does to answers: a page is told where its server is, and nothing else is touched."""

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from app.asgi import BASE, Guard, Message

PAGE = b"<!doctype html><html><head><title>x</title></head></html>"


def answered(kind: bytes, body: list[bytes], *, accept: bytes = b"text/html,*/*") -> tuple[dict[bytes, bytes], bytes]:
    """Headers and body as they arrive, of an app that sends these parts and says what encodings it was offered."""
    sent: list[Message] = []

    async def app(scope: Message, receive: Any, send: Any) -> None:
        offered = dict(scope["headers"]).get(b"accept-encoding", b"none")
        length = b"%d" % sum(map(len, body))
        headers = [(b"content-type", kind), (b"content-length", length), (b"x-offered", offered)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for at, part in enumerate(body):
            await send({"type": "http.response.body", "body": part, "more_body": at < len(body) - 1})

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    asked = [(b"host", b"localhost:1"), (b"accept", accept), (b"accept-encoding", b"gzip")]
    scope = {"type": "http", "path": "/catalogue", "headers": asked}
    asyncio.run(Guard(app, frozenset({"localhost"}))(scope, receive, send))
    assert [message["type"] for message in sent].count("http.response.start") == 1
    assert sent[0]["type"] == "http.response.start"
    return dict(sent[0]["headers"]), b"".join(message.get("body", b"") for message in sent[1:])


@pytest.mark.parametrize("cut", [[len(PAGE)], [7], [19, 23]])
def test_a_page_is_told_where_its_server_is(cut: list[int]) -> None:
    """However its text is cut into parts; before anything else in its head, and once."""
    ends = [0, *cut, len(PAGE)]
    headers, body = answered(b"text/html; charset=utf-8", [PAGE[a:b] for a, b in pairwise(ends)])
    assert body == PAGE.replace(b"<head>", b"<head>" + BASE)
    assert body.count(BASE) == 1
    assert headers[b"content-length"] == b"%d" % len(body)
    assert headers[b"x-offered"] == b"none"  # a packed text could not be changed
    assert headers[b"x-content-type-options"] == b"nosniff"


def test_what_is_no_page_passes_as_it_is() -> None:
    for kind, accept in ((b"application/json", b"text/html,*/*"), (b"text/html", b"*/*")):
        headers, body = answered(kind, [b"<head>", b"{}"], accept=accept)
        assert body == b"<head>{}"
        assert headers[b"content-length"] == b"8"
    assert headers[b"x-offered"] == b"gzip"


def test_an_answer_without_a_body_keeps_its_length() -> None:
    """What HEAD gets: the length is that of the page, and no text comes."""
    headers, body = answered(b"text/html", [b""])
    assert (headers[b"content-length"], body) == (b"0", b"")
