"""Files that the page offers: made when they are fetched, from what stood on screen when their link was last drawn.

Streamlit's own deferred downloads belong to one run of the script: on a page that is drawn anew twice a second the file
is thrown away before the browser has fetched it. An address here stays the same as long as the session does.
"""

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

from starlette.requests import Request
from starlette.responses import Response

MOST = 1024  # offers in memory; the ones that were drawn longest ago go first
_HEADERS = {"cache-control": "no-store", "content-security-policy": "default-src 'none'"}
Make = Callable[[], bytes]


class Offers:
    """What may be fetched, by ticket and file name."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._made: OrderedDict[tuple[str, str], tuple[str, Make]] = OrderedDict()
        self._lock = Lock()

    def offer(self, ticket: str, name: str, media: str, make: Make) -> str:
        """Put a file on offer, in the place of the last one of that name; returns its address on this server."""
        with self._lock:
            self._made[ticket, name] = (media, make)
            self._made.move_to_end((ticket, name))
            while len(self._made) > self._most:
                self._made.popitem(last=False)
        return f"files/{ticket}/{name}"

    def find(self, ticket: str, name: str) -> tuple[str, Make] | None:
        """Media type and maker of a file; None if it is not on offer."""
        with self._lock:
            return self._made.get((ticket, name))


OFFERS = Offers()


def ticket() -> str:
    """A name that nobody guesses, for the files of one session."""
    return secrets.token_urlsafe(16)


async def answer(request: Request) -> Response:
    """Answer /files/<ticket>/<name> with the file."""
    name = request.path_params["name"]
    found = OFFERS.find(request.path_params["ticket"], name)
    if found is None:
        return Response("This file is not on offer any more: open the menu again and press its link.", 404)
    media, make = found
    try:
        body = await asyncio.to_thread(make)
    except ValueError as error:
        return Response(f"This file cannot be made: {error}", 422)
    disposition = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(body, media_type=media, headers={**_HEADERS, **disposition})
