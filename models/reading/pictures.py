"""In the reading process: a zip of pictures in class folders as one array."""

import io
from collections import Counter
from pathlib import PurePosixPath
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from models.reading import zips
from models.reading.refused import MOST_VALUE, Limits, Refused, shown, size

SIDE = 256  # the largest height and width kept, in pixels
_MOST_PIXELS = 1 << 24  # of one picture
_FORMATS = ("PNG", "JPEG")
_ENDINGS = (".png", ".jpg", ".jpeg")
_IGNORED = {"__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini"}
_GREY = ("1", "L", "I;16", "I")


def warm(_options: dict[str, Any]) -> None:
    """Let the decoders load before the limits are set."""
    Image.init()


def task(files: list[IO[bytes]], options: dict[str, Any], limits: Limits) -> tuple[dict[str, Any], dict[str, Any]]:
    """Pixels, and the class of each picture; told: nothing more."""
    name = options["sources"][0][0]
    archive = zips.opened(files[0], name, limits, limits.images * 2)
    entries = [entry for entry in archive.infolist() if not entry.is_dir() and not _ignored(entry.filename)]
    if not entries:
        raise Refused("E184", f"{shown(name)} has no pictures. Put PNG or JPEG files into a folder for each class.")
    if len(entries) > limits.images:
        raise Refused("E106", f"{len(entries):,} pictures; the limit here is {limits.images:,}. Upload a sample.")
    classes = [_class(entry.filename, folders=bool(options["folders"])) for entry in entries]
    heads = [_head(entry.filename, zips.content(archive, entry)) for entry in entries]
    height, width = _size([shape for shape, _ in heads])
    colour = any(colour for _, colour in heads)
    needs = len(entries) * height * width * (3 if colour else 1)
    if needs > limits.matrix_bytes:
        most = f"{size(needs)} of pixels; the limit here is {size(limits.matrix_bytes)}"
        raise Refused(
            "E106", f"{len(entries):,} pictures of {height} x {width} are {most}. Make them smaller or fewer."
        )
    pixels = np.empty((len(entries), height, width, *([3] if colour else [])), np.uint8)
    for place, entry in enumerate(entries):
        pixels[place] = _pixels(entry.filename, zips.content(archive, entry), (height, width), colour=colour)
    return {}, {"pixels": pixels, "classes": classes}


def _ignored(name: str) -> bool:
    return any(part in _IGNORED or part.startswith("._") for part in PurePosixPath(name).parts)


def _class(name: str, *, folders: bool) -> str:
    """The folder a picture lies in; the first is left out if it holds all classes, since only the last one counts."""
    path = PurePosixPath(name)
    if path.suffix.lower() not in _ENDINGS:
        raise Refused("E181", f"'{shown(name, MOST_VALUE)}' is no PNG or JPEG picture. Leave it out of the archive.")
    if folders and len(path.parts) < 2:
        raise Refused(
            "E183", f"'{shown(name, MOST_VALUE)}' lies in no folder. Put each class into a folder of its name."
        )
    return path.parent.name


def _opened(name: str, data: bytes) -> Image.Image:
    large = Refused("E182", f"'{shown(name, MOST_VALUE)}' has more than {_MOST_PIXELS:,} pixels. Make it smaller.")
    try:
        picture = Image.open(io.BytesIO(data), formats=_FORMATS)
    except Image.DecompressionBombError:
        raise large from None
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        raise Refused(
            "E181", f"'{shown(name, MOST_VALUE)}' is no PNG or JPEG picture, or is damaged. Export it again."
        ) from None
    if picture.width * picture.height > _MOST_PIXELS:
        raise large
    return picture


def _head(name: str, data: bytes) -> tuple[tuple[int, int], bool]:
    """Height and width as shown, and whether there is colour; nothing is decoded yet."""
    picture = _opened(name, data)
    try:
        turned = picture.getexif().get(0x0112, 1) in (5, 6, 7, 8)  # in a PNG it may stand behind the pixels
    except (OSError, ValueError, SyntaxError, EOFError):
        raise _damaged(name) from None
    shape = (picture.width, picture.height) if turned else (picture.height, picture.width)
    return shape, picture.mode not in _GREY


def _size(shapes: list[tuple[int, int]]) -> tuple[int, int]:
    """The commonest height and width, of equally common ones the smallest; at most SIDE, the ratio kept."""
    counts = Counter(shapes)
    height, width = min(counts, key=lambda shape: (-counts[shape], shape))
    shrink = min(1.0, SIDE / max(height, width))
    return max(round(height * shrink), 1), max(round(width * shrink), 1)


def _pixels(name: str, data: bytes, shape: tuple[int, int], *, colour: bool) -> NDArray[np.uint8]:
    """One picture, upright, on white where it is clear, scaled to cover the size and cut in the middle."""
    try:
        picture = ImageOps.exif_transpose(_opened(name, data))
        picture.load()
        if picture.mode.startswith("I"):
            picture = Image.fromarray((np.asarray(picture).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))
        if "A" in picture.mode or "transparency" in picture.info:
            clear = picture.convert("RGBA")
            picture = Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear)
        picture = picture.convert("RGB" if colour else "L")
        if picture.size != shape[::-1]:
            picture = ImageOps.fit(picture, shape[::-1], Image.Resampling.BILINEAR)
    except (OSError, ValueError, SyntaxError, EOFError):
        raise _damaged(name) from None
    return np.asarray(picture, np.uint8)


def _damaged(name: str) -> Refused:
    return Refused("E181", f"'{shown(name, MOST_VALUE)}' is damaged: it cannot be decoded. Export it again.")
