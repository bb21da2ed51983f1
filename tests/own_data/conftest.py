"""A home folder of its own for every test of own data."""

from pathlib import Path

import pytest

from models.settings import Settings


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Sets are kept in a new folder, and found there."""
    monkeypatch.setenv("LOSSLAB_HOME", str(tmp_path / "home"))
    return Settings.from_environment()
