"""The recording within the document: what it says, where it is put, and that nothing else changes."""

import asyncio
import json
import re
from base64 import b64decode
from typing import Any

import numpy as np
import pytest

from app import prelude
from app.view import recording

PAGE = b"<html><body>lab</body></html>"


def served(path: str = "/", query: bytes = b"", status: int = 200) -> tuple[dict[bytes, bytes], bytes, list[bytes]]:
    """Headers, body, and the names of the headers that the page behind was asked with."""
    asked: list[bytes] = []
    got: list[dict[str, Any]] = []

    async def behind(scope: Any, receive: Any, send: Any) -> None:
        asked.extend(name for name, _ in scope["headers"])
        start = [(b"content-length", b"%d" % len(PAGE)), (b"etag", b"old"), (b"content-type", b"text/html")]
        await send({"type": "http.response.start", "status": status, "headers": start})
        await send({"type": "http.response.body", "body": PAGE[:9], "more_body": True})
        await send({"type": "http.response.body", "body": PAGE[9:]})

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        got.append(message)

    headers = [(b"host", b"127.0.0.1"), (b"if-none-match", b"old"), (b"accept-encoding", b"gzip")]
    scope = {"type": "http", "method": "GET", "path": path, "query_string": query, "headers": headers}
    asyncio.run(prelude.Prelude(behind)(scope, receive, send))
    return dict(got[0]["headers"]), b"".join(part["body"] for part in got[1:]), asked


@pytest.fixture(scope="module", autouse=True)
def rehearsed() -> None:
    prelude.rehearse()


def test_stands_at_the_end_of_the_document_with_its_true_length() -> None:
    headers, body, asked = served()
    assert body.startswith(b"<html><body>lab<style>")
    assert body.endswith(b"</script></body></html>")
    assert headers[b"content-length"] == str(len(body)).encode()
    assert b"etag" not in headers  # that of the document without it
    assert asked == [b"host"]


@pytest.mark.parametrize(
    ("path", "query", "status"), [("/catalogue", b"", 200), ("/", b"live=x", 200), ("/", b"", 304)]
)
def test_everything_else_passes_unchanged(path: str, query: bytes, status: int) -> None:
    assert served(path, query, status)[1] == PAGE


def test_shows_the_numbers_of_the_recording() -> None:
    text = prelude.markup(recording())
    found = re.search(r'<script type="application/json" id="prelude-data">(.*?)</script>', text)
    assert found is not None
    data = json.loads(found.group(1))
    for shown, frames in zip(data["lanes"], recording(), strict=True):
        assert shown["steps"] == [frame.step for frame in frames]
        assert shown["auc"][-1] == pytest.approx(frames[-1].roc.auc, abs=5e-4)
        heights = np.frombuffer(b64decode(shown["histograms"]), np.uint8).reshape(len(frames), 2, shown["bins"])
        counts = frames[-1].scores.negative.reshape(shown["bins"], -1).sum(1)
        peak = max(
            side.reshape(shown["bins"], -1).sum(1).max() / side.sum()
            for side in (frames[-1].scores.positive, frames[-1].scores.negative)
        )
        assert heights[-1, 1] / 255 == pytest.approx(counts / counts.sum() / peak, abs=0.003)
        assert len(b64decode(shown["points"])) == len(frames) * prelude.POINTS * 2
        assert len(shown["classes"]) == prelude.POINTS
    assert f"AUC {recording()[0][-1].roc.auc:.3f}" in text.partition("</div>")[0]


def test_is_small_enough_to_come_with_the_document() -> None:
    assert len(prelude.markup(recording())) < 100_000
