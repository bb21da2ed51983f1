from pathlib import Path

import pytest

from models.settings import Settings


def test_defaults_are_those_of_the_local_profile() -> None:
    given = Settings.from_environment({})
    assert (given.lanes, given.boards, given.sessions, given.steps) == (4, 10, 60, 1_000_000)
    assert (given.idle_s, given.forget_s, given.checkpoint_s) == (600.0, 86_400.0, 2.0)
    assert given.workers >= 1
    assert given.home == Path.home() / ".losslab"
    assert given.scheduler == ""


def test_environment_overrides() -> None:
    given = Settings.from_environment(
        {"LOSSLAB_LANES": "2", "LOSSLAB_IDLE_S": "1.5", "LOSSLAB_HOME": "/x/y", "LOSSLAB_SCHEDULER": "tcp://h:8786"}
    )
    assert given == Settings(home=Path("/x/y"), scheduler="tcp://h:8786", lanes=2, idle_s=1.5, workers=given.workers)
    assert isinstance(given.lanes, int)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("LOSSLAB_LANES", "0", "LOSSLAB_LANES must be a whole number from 1 to 16, got '0'"),
        ("LOSSLAB_LANES", "2.5", "LOSSLAB_LANES must be a whole number from 1 to 16, got '2.5'"),
        ("LOSSLAB_WORKERS", "many", "LOSSLAB_WORKERS must be a whole number from 1 to 512, got 'many'"),
        ("LOSSLAB_IDLE_S", "nan", r"LOSSLAB_IDLE_S must be a number from 1 to 1e\+07, got 'nan'"),
        ("LOSSLAB_SCHEDULER", "host:8786", "LOSSLAB_SCHEDULER must be an address like tcp://host:8786"),
    ],
)
def test_bad_values_name_variable_and_range(name: str, value: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Settings.from_environment({name: value})


def test_folders_are_made_for_this_user_alone(tmp_path: Path) -> None:
    folder = Settings(home=tmp_path / "home").folder("boards")
    assert folder.is_dir()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert folder.parent.stat().st_mode & 0o777 == 0o700
