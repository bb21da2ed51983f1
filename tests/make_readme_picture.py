"""Drives the real app in a real browser and writes the moving picture of README.md.

python -m tests.make_readme_picture
"""

import io
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

from tests.conftest import CHROMIUM_ARGS, ROOT, Server, chromium_path, start_server, stop_server

TARGET = ROOT / "app" / "assets" / "readme.webp"
VIEW = {"width": 1400, "height": 1000}
WIDTH = 1000  # of the picture, pixels
FRAMES, EVERY_MS, HOLD_MS = 28, 700, 2500
MOST_BYTES = 2_000_000
START_MS = 120_000


def frames(server: Server) -> list[Image.Image]:
    """Press Play on the first page and photograph what follows."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=CHROMIUM_ARGS)
        page = browser.new_context(viewport=VIEW).new_page()
        page.goto(server.url)
        play = page.get_by_role("button", name="Play")
        play.wait_for(timeout=START_MS)
        page.locator("canvas").first.wait_for(timeout=START_MS)
        play.click()
        page.get_by_role("button", name="Pause").wait_for(timeout=START_MS)
        pictures = [shot(page) for _ in range(FRAMES)]
        browser.close()
    return pictures


def shot(page: Any) -> Image.Image:
    """One picture after a short wait."""
    page.wait_for_timeout(EVERY_MS)
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    return picture.resize((WIDTH, round(WIDTH * picture.height / picture.width)), Image.Resampling.LANCZOS)


def encode(pictures: list[Image.Image], quality: int) -> bytes:
    """An endless WebP; the last frame stays longer."""
    durations = [EVERY_MS // 2] * (len(pictures) - 1) + [HOLD_MS]
    file = io.BytesIO()
    pictures[0].save(
        file, "WEBP", save_all=True, append_images=pictures[1:], duration=durations, loop=0, quality=quality, method=6
    )
    return file.getvalue()


def smallest(pictures: list[Image.Image]) -> bytes:
    """The best quality that fits; raises ValueError if none does."""
    for quality in (80, 65, 50, 35):
        data = encode(pictures, quality)
        if len(data) < MOST_BYTES:
            return data
    raise ValueError(f"even at quality 35 the picture has {len(data)} bytes; take fewer than {len(pictures)} frames")


def main() -> None:
    """Start the app, drive it, stop it, write the file."""
    with tempfile.TemporaryDirectory() as folder:
        server = start_server(Path(folder))
        try:
            pictures = frames(server)
        finally:
            stop_server(server)
    data = smallest(pictures)
    TARGET.write_bytes(data)
    sys.stdout.write(f"{TARGET.relative_to(ROOT)}: {len(pictures)} frames, {len(data)} bytes\n")


if __name__ == "__main__":
    main()
