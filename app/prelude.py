"""The first seconds of the page: the stored recording, drawn by the document itself until the lab stands.

A browser needs seconds to build the lab, however soon the server answers. The document that loads it therefore brings
the recording's histograms and maps along, some fifty kilobytes, with a script that plays them and steps aside.
"""

import json
from base64 import b64encode
from collections.abc import Awaitable, Callable, MutableMapping
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from app.view import REPLAY_RATE, recording
from components import theme
from models.diagnostics.summary import Summary

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
SCRIPT, LOOK = (Path(__file__).parent / "assets" / f"prelude.{kind}" for kind in ("js", "css"))
POINTS, COARSE, LEVELS = 120, 2, 255  # points of a map, bins drawn as one, and the levels that one byte holds
END = b"</body>"
NOT_AS_STORED = (b"etag", b"last-modified", b"content-length")
NOT_ASKED = (b"if-none-match", b"if-modified-since", b"accept-encoding")


def markup(lanes: tuple[tuple[Summary, ...], ...]) -> str:
    """What stands at the end of the document: look, frame, data and script; nothing is fetched."""
    shown = [_lane(index, frames) for index, frames in enumerate(lanes)]
    ink = {"positive": theme.POSITIVE, "negative": theme.NEGATIVE, "classes": theme.CLASSES, "dash": theme.DASH}
    data = {"rate": REPLAY_RATE, "lanes": shown, "ink": ink}
    last = " and ".join(f"{lane['name']}, AUC {lane['auc'][-1]:.3f}" for lane in shown)
    told = f"Recording of a real run: {last} at step {shown[0]['steps'][-1]}. The lab is loading."
    return (
        f"<style>{LOOK.read_text(encoding='utf-8')}</style>"
        f'<div id="prelude" role="img" aria-label="{escape(told)}"></div>'
        # "<" is written as an escape of JSON, so that no text can end the element.
        f'<script type="application/json" id="prelude-data">{json.dumps(data).replace("<", chr(92) + "u003c")}</script>'
        f"<script>{SCRIPT.read_text(encoding='utf-8')}</script>"
    )


def _lane(index: int, frames: tuple[Summary, ...]) -> dict[str, Any]:
    rows = np.linspace(0, len(frames[0].points.y) - 1, POINTS).astype(int)
    xy = np.stack([frame.points.xy[rows] for frame in frames])
    reach = np.abs(xy).max(axis=(1, 2), keepdims=True)  # as the map does: each frame fills its square
    return {
        "name": theme.name(index, frames[0].label),
        "colour": theme.colour(index),
        "steps": [frame.step for frame in frames],
        "auc": [round(float(frame.roc.auc), 3) for frame in frames],
        "histograms": _bytes(np.stack([_densities(frame) for frame in frames])),
        "bins": len(frames[0].scores.positive) // COARSE,
        "points": _bytes((xy / reach + 1) / 2),
        "classes": [int(label) for label in frames[0].points.y[rows]],
    }


def _densities(frame: Summary) -> np.ndarray:
    """(2, bins) positives and negatives as shares, scaled to the higher of both peaks."""
    sides = [side.reshape(-1, COARSE).sum(1) / side.sum() for side in (frame.scores.positive, frame.scores.negative)]
    both: np.ndarray = np.stack(sides) / np.max(sides)
    return both


def _bytes(values: np.ndarray) -> str:
    """Values in [0, 1] as one byte each."""
    return b64encode((values * LEVELS).round().astype(np.uint8).tobytes()).decode("ascii")


class Prelude:
    """ASGI middleware: puts the recording into the lab's document, for whoever opens it without a link of their own."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass everything on; the document alone comes back changed."""
        opening = scope["type"] == "http" and scope["method"] == "GET" and scope["path"] == "/"
        text = made() if opening and not scope["query_string"] else b""
        if not text:
            await self._app(scope, receive, send)
            return
        asked = [(name, value) for name, value in scope["headers"] if name.lower() not in NOT_ASKED]
        await self._app({**scope, "headers": asked}, receive, _with_text(send, text))


def _with_text(send: Send, text: bytes) -> Send:
    """Hold the start of the answer back until its whole body is there."""
    held: list[Message] = []

    async def wrapped(message: Message) -> None:
        held.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            start, body = held[0], b"".join(part.get("body", b"") for part in held[1:])
            headers = [(name, value) for name, value in start["headers"] if name.lower() not in NOT_AS_STORED]
            if start["status"] == 200:
                body = body.replace(END, text + END, 1)
            headers.append((b"content-length", b"%d" % len(body)))
            await send({**start, "headers": headers})
            await send({"type": "http.response.body", "body": body})

    return wrapped


_MADE: list[bytes] = []


def rehearse() -> None:
    """Make the text once, behind the first page: it needs the recording."""
    _MADE[:] = [markup(recording()).encode()]


def made() -> bytes:
    """The text, or nothing while the server still warms up: then the page tells what is being done."""
    return _MADE[0] if _MADE else b""
