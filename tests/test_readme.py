"""The README says what is so: its number, its quoted file, its lists, its commands and its links."""

import re

import pytest

from app.lesson_file import lessons
from models.catalogue import discover
from tests import refresh_readme as readme

TEXT = readme.README.read_text(encoding="utf-8")


def test_the_number_is_what_the_command_gives() -> None:
    # Processors round differently, and 500 steps carry that into the fourth digit.
    assert float(readme.region(TEXT, "auc")) == pytest.approx(readme.auc(), abs=2e-3)


def test_the_quoted_loss_is_the_file_byte_for_byte() -> None:
    (path,) = readme.files(TEXT)
    assert path.startswith("models/losses/")
    assert readme.region(TEXT, f"file {path}") == readme.quoted(path)


def test_the_list_is_made_from_the_specs() -> None:
    table = readme.region(TEXT, "losses")
    keys = re.findall(r"[|·] `([a-z0-9_]+)` \(", table)
    assert sorted(keys) == [key for key in discover("losses") if ":" not in key]
    assert table == readme.losses()


def test_the_lessons_are_those_that_there_are() -> None:
    table = readme.region(TEXT, "lessons")
    assert re.findall(r"^\| (\d+) \|", table, re.MULTILINE) == [str(lesson.number) for lesson in lessons()]
    assert "not measured" not in table
    assert table == readme.lessons()


def test_it_is_short_and_its_links_lead_somewhere() -> None:
    assert len(TEXT.splitlines()) < 200
    links = [link for link in re.findall(r"\]\(([^)]+)\)", TEXT) if not link.startswith("https://")]
    assert "LICENSE" in links
    assert [link for link in links if not (readme.ROOT / link).is_file()] == []


def test_the_named_folders_and_files_exist() -> None:
    named = re.findall(r"`((?:app|components|models|tests)(?:/[\w.]+)*)`", TEXT)
    assert len(named) > 8
    assert [name for name in named if not (readme.ROOT / name).exists()] == []
    assert "Apache License" in (readme.ROOT / "LICENSE").read_text(encoding="utf-8")[:400]
