from collections.abc import Iterator

import pytest

from models.engine.cluster import Engine
from models.engine.registry import Boards
from models.settings import Settings
from tests.engine.helpers import WAIT_S


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    home = tmp_path_factory.mktemp("engine") / "home"
    return Settings(home=home, workers=2, side_workers=1, nice=0, lanes=3, checkpoint_s=0.2, summary_s=0.2)


@pytest.fixture(scope="session")
def engine(settings: Settings) -> Iterator[Engine]:
    running = Engine.start(settings)
    running.client.wait_for_workers(3, timeout=WAIT_S)
    yield running
    running.close()


@pytest.fixture
def boards(engine: Engine, settings: Settings) -> Iterator[Boards]:
    opened = Boards(engine, settings)
    yield opened
    opened.close()
