"""How the items of a data set look and are called: class names, and small pictures by address."""

import asyncio
from base64 import b64decode
from functools import lru_cache

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from models.catalogue import find
from models.data_preview import thumbnail_uri
from models.training.config import Part, part_knobs
from models.training.dataset import load_source

_HEADERS = {"cache-control": "max-age=86400", "content-security-policy": "default-src 'none'"}
Own = tuple[tuple[str, object], ...]  # the data set's own knobs, corruption left out


def _own(part: Part) -> Own:
    own = {knob.name for knob in find("data", part.key).SPEC.knobs}
    return tuple((name, value) for name, value in part.knobs if name in own)


@lru_cache(maxsize=64)
def class_names(part: Part) -> dict[int, str]:
    """Class names by label; read without the items where the data set names its classes beforehand."""
    named = getattr(find("data", part.key), "CLASSES", None)
    return dict(enumerate(load_source(part.key, _own(part)).classes if named is None else named))


def names(part: Part) -> tuple[str, ...]:
    """Class names in the order of their labels, empty where a label has none."""
    named = class_names(part)
    return tuple(named.get(k, "") for k in range(max(named, default=-1) + 1))


def picture_of(part: Part, item: str) -> str | None:
    """Address of the picture of an item, given by its number or by what will stand for it.

    None where the set's own knobs are not the defaults, which alone are served.
    """
    defaults = {knob.name: knob.default for knob in part_knobs("data", part.key)}
    if any(value != defaults[name] for name, value in _own(part)):
        return None
    return f"items/{part.key}/{item}"


def pictures(part: Part, items: np.ndarray) -> dict[int, str] | None:
    """Addresses of the items' pictures; None where there are none."""
    found = {int(item): picture_of(part, str(int(item))) for item in items}
    return {item: address for item, address in found.items() if address} or None


@lru_cache(maxsize=4096)
def _picture(key: str, row: int) -> tuple[str, bytes]:
    """(media type, bytes); raises ValueError if there is no such data set or item."""
    knobs = tuple((knob.name, knob.default) for knob in find("data", key).SPEC.knobs)
    head, _, body = thumbnail_uri(load_source(key, knobs), row).partition(",")
    return head.removeprefix("data:").removesuffix(";base64"), b64decode(body)


async def picture(request: Request) -> Response:
    """Answer /items/<data set>/<row> with a small picture."""
    key, row = request.path_params["key"], request.path_params["row"]
    try:
        media, body = await asyncio.to_thread(_picture, key, row)
    except ValueError as error:
        return Response(str(error), 404)
    return Response(body, media_type=media, headers=_HEADERS)
