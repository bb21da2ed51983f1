"""A zip of pictures: what comes out of it, and which are refused."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from models.reading.images import ACCEPTED, read_images
from models.reading.refused import Limits
from tests.reading.helpers import inside, made, refusal, zipped


def picture(value: Any, height: int = 8, width: int = 6, form: str = "png", **options: Any) -> bytes:
    file = io.BytesIO()
    channels = () if np.isscalar(value) else (len(value),)
    Image.fromarray(np.full((height, width, *channels), value, np.uint8)).save(file, form, **options)
    return file.getvalue()


def read(path: Path, **options: Any) -> Any:
    return inside("images", [path], ACCEPTED, {"folders": True, **options})[1]


def test_grey_pictures_in_class_folders_through_the_process(tmp_path: Path) -> None:
    members = {f"set/{'ab'[k % 2]}/{k}.png": picture(10 * k) for k in range(4)}
    members |= {"__MACOSX/a/._0.png": b"x", "set/a/.DS_Store": b"x"}
    pixels, classes = read_images(made(tmp_path, "a.zip", zipped(members)))
    assert pixels.shape == (4, 8, 6)
    assert pixels[:, 3, 3].tolist() == [0, 10, 20, 30]
    assert classes == ["a", "b", "a", "b"]


def test_sizes_become_the_commonest_and_colour_wins(tmp_path: Path) -> None:
    members = {
        "a/0.png": picture(7),
        "a/1.png": picture(7),
        "b/0.png": picture((200, 0, 0), 30, 9),
        "b/1.jpg": picture(90, 5, 5, "jpeg"),
    }
    found = read(made(tmp_path, "a.zip", zipped(members)))["pixels"]
    assert found.shape == (4, 8, 6, 3)
    assert found[0, 0, 0].tolist() == [7, 7, 7]
    assert found[2, 4, 3].tolist() == [200, 0, 0]
    assert abs(int(found[3, 4, 3, 0]) - 90) <= 2


def test_equally_common_sizes_take_the_smallest_and_large_ones_shrink(tmp_path: Path) -> None:
    two = zipped({"a/0.png": picture(1, 8, 8), "b/0.png": picture(1, 4, 4)})
    assert read(made(tmp_path, "a.zip", two))["pixels"].shape == (2, 4, 4)
    large = zipped({"a/0.png": picture(1, 1024, 512)})
    assert read(made(tmp_path, "b.zip", large))["pixels"].shape == (1, 256, 128)


def test_a_turned_picture_stands_upright_and_clear_parts_are_white(tmp_path: Path) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    members = {"a/0.jpg": picture(50, 8, 4, "jpeg", exif=turned), "a/1.png": picture((0, 0, 0, 0), 4, 8)}
    found = read(made(tmp_path, "a.zip", zipped(members)))["pixels"]
    assert found.shape == (2, 4, 8, 3)
    assert (found[1] == 255).all()


def test_sixteen_bits_keep_the_upper_eight(tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.fromarray(np.full((4, 4), 40_000, np.uint16)).save(file, "png")
    found = read(made(tmp_path, "a.zip", zipped({"a/0.png": file.getvalue()})))["pixels"]
    assert (found == 40_000 // 256).all()


def noise() -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32), np.uint8)).save(file, "png")
    return file.getvalue()


NOISE = noise()


def bomb() -> bytes:
    """A PNG whose header promises 60,000 x 60,000 pixels."""
    head = struct.pack(">2I5B", 60_000, 60_000, 8, 0, 0, 0, 0)
    chunk = b"IHDR" + head
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)) + picture(1)[33:]


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({}, "E184 a.zip has no pictures."),
        ({"a/0.txt": b"x"}, "E181 'a/0.txt' is no PNG or JPEG picture."),
        ({"a/0.png": b"no picture"}, "E181 'a/0.png' is no PNG or JPEG picture, or is damaged."),
        ({"a/0.png": picture(1, form="gif")}, "E181 'a/0.png' is no PNG or JPEG picture"),
        ({"a/0.png": NOISE[:300]}, "E181 'a/0.png' is damaged: it cannot be decoded."),
        ({"a/0.png": bomb()}, "E182 'a/0.png' has more than 16,777,216 pixels. Make it smaller."),
        ({"0.png": picture(1)}, "E183 '0.png' lies in no folder. Put each class into a folder of its name."),
        (
            {"../a/0.png": picture(1)},
            "E123 The archive has a member with an unsafe name ('../a/0.png'). It was not read.",
        ),
        ({f"a/{k}.png": picture(1) for k in range(4)}, "E106 4 pictures; the limit here is 3."),
    ],
)
def test_archives_that_are_refused(tmp_path: Path, members: dict[str, bytes], message: str) -> None:
    path = made(tmp_path, "a.zip", zipped(members))
    assert refusal("images", [path], ACCEPTED, {"folders": True}, Limits(images=3)).startswith(message)


def test_pictures_without_folders_have_no_class(tmp_path: Path) -> None:
    found = read(made(tmp_path, "a.zip", zipped({"0.png": picture(1)})), folders=False)
    assert found["classes"] == [""]
