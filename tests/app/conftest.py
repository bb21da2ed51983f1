"""The page without workers: everything warm, and boards of this process."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app import startup
from app.background import Questions
from app.views import lab_panels
from tests.app.boards import LocalBoards
from tests.app.diagnosed import SCRIPT, LocalEngine
from tests.app.drawn import Opener, sound
from tests.conftest import ROOT


@pytest.fixture
def boards(monkeypatch: pytest.MonkeyPatch) -> LocalBoards:
    """The page finds everything warm, and boards of this process."""
    here = LocalBoards()
    # Each run of the test runner would read every installed package's manifest in search of components: half a second.
    monkeypatch.setattr("streamlit.components.v2.manifest_scanner.scan_component_manifests", list)
    monkeypatch.setattr(startup, "warm", lambda: None)
    monkeypatch.setattr(startup, "ready", lambda: True)
    monkeypatch.setattr(startup, "boards", lambda: here)
    monkeypatch.setattr(lab_panels, "REVEAL", (99,))  # all at once: tests run a page once
    return here


@pytest.fixture
def opened(boards: LocalBoards) -> Opener:
    """Open the page at an address; it must not fail."""

    def at_address(**query: str | list[str]) -> AppTest:
        page = AppTest.from_file(str(ROOT / "app" / "main.py"), default_timeout=120)
        for name, value in query.items():
            page.query_params[name.replace("__", ".")] = value
        return sound(page.run())

    return at_address


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalEngine:
    here, questions = LocalEngine(), Questions()
    monkeypatch.setenv("LOSSLAB_HOME", str(tmp_path))
    monkeypatch.setattr(startup, "engine", lambda: here)
    for module in ("app.views.diagnose", "app.views.diagnose_more", "app.views.diagnose_panels"):
        monkeypatch.setattr(f"{module}.questions", lambda: questions)
    return here


@pytest.fixture
def page(boards: LocalBoards, engine: LocalEngine) -> AppTest:
    return sound(AppTest.from_string(SCRIPT, default_timeout=120).run())
