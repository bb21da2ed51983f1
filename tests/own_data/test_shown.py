"""What stands for an own item: its text in lines that fit, and pictures in their colours."""

from base64 import b64decode
from io import BytesIO

import numpy as np
from PIL import Image

from models.data_common import Source
from models.data_preview import preview, thumbnail_uri


def svg(text: str) -> str:
    source = Source(np.zeros((1, 2), np.float32), np.zeros(1, np.int64), ("a",), texts=(text,))
    return b64decode(thumbnail_uri(source, 0).partition(",")[2]).decode()


def test_a_long_text_is_drawn_as_lines_and_escaped() -> None:
    drawn = svg(
        "wonderful <b>service</b>\x07 and a very friendly welcome for everyone who came that evening, and more " * 3
    )
    assert drawn.count("<text ") == 5
    assert "&lt;b&gt;" in drawn
    assert "<b>" not in drawn
    assert "\x07" not in drawn
    assert "…" in drawn
    assert svg("😀 grinning face").count('font-size="24"') == 1


def test_three_channels_are_a_coloured_picture_and_large_ones_shrink() -> None:
    x = np.zeros((1, 3, 200, 100), np.float32)
    x[:, 0] = 1.0
    shown = preview(Source(x, np.zeros(1, np.int64), ("a",)), 0)
    assert isinstance(shown, bytes)
    picture = Image.open(BytesIO(shown))
    assert (picture.mode, picture.size) == ("RGB", (56, 112))
    assert picture.getpixel((10, 10)) == (255, 0, 0)
