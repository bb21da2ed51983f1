"""Data of one's own in a real browser: drop a csv, edit a role, train on it, and see the panels change."""

import re
from pathlib import Path
from typing import Any

import pytest
from sklearn.datasets import load_wine

from tests.browser.lab import LabPage
from tests.conftest import Server

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]


def wine(path: Path) -> Path:
    """178 wines; the cultivar is a number, and a second column would do for a label too."""
    frame = load_wine(as_frame=True).frame
    frame["strong"] = ["strong" if alcohol > 13 else "light" for alcohol in frame["alcohol"]]
    lines = frame.to_csv(index=False).splitlines()
    path.write_text("\n".join([*lines[:20], "12.5,oops", *lines[20:]]), encoding="utf-8")
    return path


def test_a_csv_is_dropped_edited_and_trained_on(context: Any, server: Server, tmp_path: Path) -> None:
    lab = LabPage(context.new_page(), server.url).open()
    page = lab.page
    lab.play()
    lab.press("Data")
    page.get_by_text("Your own data", exact=True).click()
    page.locator(".st-key-mine-file input[type=file]").set_input_files(wine(tmp_path / "wine.csv"))
    train = page.locator(".st-key-mine-train button").first
    train.wait_for()
    assert page.get_by_text(re.compile(r"178 rows taken.*1 refused: 178 items; 3 classes")).count() == 1
    assert page.get_by_text("Nothing leaves this machine").count() == 1
    at = lab.step()
    lab.until(lambda: lab.step() > at, "training that goes on while the form is open")
    assert "data=" not in page.url  # digits still
    box = page.locator(".st-key-mine-roles").get_by_role("combobox", name=re.compile("strong")).first
    option = page.get_by_role("option", name=re.compile("^label"))
    lab.until(lambda: option.count() or box.click() or option.count(), "the open list of roles")
    option.click()
    page.get_by_text(re.compile(r"178 items; 2 classes")).wait_for()
    with page.expect_download() as download:
        page.get_by_role("link", name="A sample file").click()
    assert len(Path(download.value.path()).read_text(encoding="utf-8").splitlines()) == 31
    before = {name: lab.picture(name) for name in ("scores", "map", "roc")}
    train.click()
    lab.until(lambda: "data=own" in page.url, "the set in the address")
    lab.until(lambda: "running" in lab.rows()[0][0] and lab.step() >= 3, "training on it")
    for name, picture in before.items():
        lab.until(lambda name=name, picture=picture: lab.picture(name) != picture, f"another {name}")  # type: ignore[misc]
    key = re.search(r"data=own(?:%3A|:)([0-9a-f]{12})", page.url).group(1)  # type: ignore[union-attr]
    assert (server.home / "own_data" / f"{key}.safetensors").is_file()
    page.keyboard.press("Escape")
    lab.pause()
