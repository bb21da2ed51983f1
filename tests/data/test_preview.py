from base64 import b64decode
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from models.data_common import Source
from models.data_preview import preview, thumbnail_uri


def source(x: np.ndarray, **more: object) -> Source:
    return Source(x.astype(np.float32), np.zeros(len(x), np.int64), ("a",), **more)  # type: ignore[arg-type]


def picture(png: bytes | str) -> np.ndarray:
    assert isinstance(png, bytes)
    return np.asarray(Image.open(BytesIO(png)))


def test_an_image_is_shown_pixel_by_pixel() -> None:
    x = np.array([[[[0.0, 1.0], [0.5, 0.25]]]])
    shown = picture(preview(source(x), 0))
    assert shown.shape == (56, 56)
    corners = [shown[0, 0], shown[0, -1], shown[-1, 0], shown[-1, -1]]
    assert corners == [0, 255, 128, 64]


def test_a_signal_is_a_line_that_falls_with_it() -> None:
    x = np.stack([np.linspace(1, 0, 40), np.linspace(0, 1, 40)])[:, None]
    dark = picture(preview(source(x), 0)) < 128
    first, last = np.flatnonzero(dark[:, 4]).mean(), np.flatnonzero(dark[:, -5]).mean()
    assert first < 10  # high values are at the top
    assert last > 45


def test_points_are_bars_up_and_down() -> None:
    dark = picture(preview(source(np.array([[1.0, -1.0]])), 0)) < 128
    assert dark[:28, :50].mean() > 0.8
    assert dark[30:, :50].mean() == 0
    assert dark[30:, 60:110].mean() > 0.8


def test_a_text_is_itself_and_its_thumbnail_is_safe_svg() -> None:
    words = source(np.zeros((1, 4)), texts=("🐈 <cat> & co · Katze",))
    assert preview(words, 0) == "🐈 <cat> & co · Katze"
    head, _, body = thumbnail_uri(words, 0).partition(",")
    svg = b64decode(body).decode()
    assert head == "data:image/svg+xml;base64"
    assert "🐈" in svg
    assert "&lt;cat&gt; &amp; co" in svg
    assert "<cat>" not in svg


def test_images_beside_features_are_shown_instead() -> None:
    both = source(np.zeros((1, 4)), images=np.ones((1, 7, 7)))
    assert (picture(preview(both, 0)) == 255).all()
    assert picture(preview(both, 0)).shape == (56, 56)


def test_thumbnail_holds_the_same_png() -> None:
    one = source(np.ones((1, 1, 8, 8)))
    assert b64decode(thumbnail_uri(one, 0).partition("base64,")[2]) == preview(one, 0)


@pytest.mark.parametrize("row", [-1, 1])
def test_no_such_row(row: int) -> None:
    with pytest.raises(ValueError, match="row must be a whole number from 0 to 0"):
        preview(source(np.zeros((1, 4))), row)
