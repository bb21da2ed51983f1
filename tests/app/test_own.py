"""Own losses on the page and on the command line: off unless allowed, examined before they join, then a lane."""

import json
import sys
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess, run

import pytest
from streamlit.testing.v1 import AppTest

from app import cli, startup
from app.commands import serve
from app.own_files import listed, name_of, text_in, text_of
from models.custom import REGISTER
from models.examine import CHECKS
from models.own_source import digest_of
from tests.app.boards import LocalBoards
from tests.app.drawn import Opener, press, sound, statuses, table
from tests.conftest import ROOT
from tests.own import RACE, knowing

KEY = f"own:race-{digest_of(RACE)}"


@pytest.fixture
def allowed() -> Iterator[None]:
    with knowing(runs=True):  # the boards of a page test train in this process
        yield


def written(page: AppTest, text: str, name: str = "race") -> AppTest:
    page.text_input(key="own-name").set_value(name)
    page.text_area(key="own-code").set_value(text)
    return sound(page.run())


def report(page: AppTest) -> dict[str, tuple[str, str]]:
    """Check to result and remedy."""
    (drawn,) = [part.value for part in page.table if "Check" in part.value]
    return {row["Check"]: (row["Result"], row["What to mend"]) for row in drawn.to_dict("records")}


def test_no_form_and_no_lane_where_they_are_off(opened: Opener) -> None:
    page = opened(lane=["infonce", KEY])
    assert "own-code" not in [area.key for area in page.text_area]
    (told,) = [warning.value for warning in page.warning]
    assert told.startswith(f"The link's 'lane={KEY}' was ignored: Custom loss code is off on this server;")
    assert statuses(page) == ["ready"]


@pytest.mark.usefixtures("allowed")
def test_a_link_brings_no_code(opened: Opener) -> None:
    page = opened(lane=["infonce", KEY], source=RACE)
    told = [warning.value for warning in page.warning]
    assert len(told) == 2
    assert any("no link carries code" in text for text in told)
    assert REGISTER._known == {}


@pytest.mark.usefixtures("allowed")
def test_written_examined_and_raced(opened: Opener, boards: LocalBoards) -> None:
    page = written(opened(lane=["infonce"]), RACE)
    assert "own-add" not in [button.key for button in page.button]
    page = press(page, "own-examine")
    assert report(page) == dict.fromkeys(CHECKS.values(), ("passed", ""))
    page = press(page, "own-add")
    page = press(page, "step")
    assert [row[1] for row in table(page)] == ["1", "1"]
    lanes = boards.players["board0"].state().lanes
    assert [lane.config.loss.key for lane in lanes] == ["infonce", KEY]
    losses = [lane.summary.curves.loss[0] for lane in lanes if lane.summary is not None]
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)  # it is InfoNCE in other words
    assert page.query_params["lane"] == ["infonce", KEY]
    assert sound(opened(lane=[KEY])).warning == []  # where its code is known, the link works


@pytest.mark.usefixtures("allowed")
def test_what_fails_cannot_be_added(opened: Opener) -> None:
    page = press(written(opened(lane=["infonce"]), "def loss(scores):\n    return scores.s"), "own-examine")
    assert report(page)["returns one number"] == (
        "failed",
        "It returned shape (8, 8); one number is needed: add .mean().",
    )
    assert page.button(key="own-add").disabled
    page = press(written(page, "def loss(scores:"), "own-examine")
    assert report(page)["one function of scores and knobs"][1].startswith("Line 1: ")


@pytest.mark.usefixtures("allowed")
def test_code_changed_after_its_examination_must_be_examined_again(opened: Opener) -> None:
    page = press(written(opened(lane=["infonce"]), RACE), "own-examine")
    assert not page.button(key="own-add").disabled
    page = written(page, RACE.replace("80.0", "70.0"))
    assert page.button(key="own-add").disabled
    assert any("examine it again" in caption.value for caption in page.caption)


@pytest.mark.usefixtures("allowed")
def test_a_file_of_the_folder_comes_into_the_box(opened: Opener, tmp_path: Path) -> None:
    (tmp_path / "My race.py").write_text(RACE, encoding="utf-8")
    (tmp_path / "notes.txt").write_text("no loss", encoding="utf-8")
    REGISTER.allow(tmp_path)
    page = opened(lane=["infonce"])
    assert page.selectbox(key="own-file").options == ["My race.py"]
    page = sound(page.selectbox(key="own-file").set_value("My race.py").run())
    assert (page.text_input(key="own-name").value, page.text_area(key="own-code").value) == ("my_race", RACE)


def test_files_are_read_as_text_within_bounds(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(RACE, encoding="utf-8")
    (tmp_path / ".hidden.py").write_text(RACE, encoding="utf-8")
    (tmp_path / "link.py").symlink_to(tmp_path / "a.py")
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "long.py").write_bytes(b"#" * 90_000)
    (tmp_path / "bytes.py").write_bytes(b"\xff\xfe")
    assert listed(tmp_path) == ["a.py", "bytes.py", "long.py"]
    assert text_in(tmp_path, "a.py") == RACE
    assert listed(tmp_path / "none") == []
    for name, words in (("../a.py", "no file"), ("link.py", "no file")):
        with pytest.raises(ValueError, match=words):
            text_in(tmp_path, name)
    for name, words in (
        ("long.py", "too long"),
        ("bytes.py", "byte 0"),
        ("none.py", "no file"),
        ("folder.py", "no file"),
    ):
        with pytest.raises(ValueError, match=words):
            text_of(tmp_path / name)
    assert [name_of(Path(name)) for name in ("Ab-C 1.py", "é.py", "a" * 40 + ".py")] == ["ab_c_1", "mine", "a" * 31]


def command(*words: object) -> CompletedProcess[str]:
    return run([sys.executable, "-m", "app", *map(str, words)], cwd=ROOT, capture_output=True, text=True, check=False)


def test_examine_on_the_command_line(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.py", tmp_path / "bad.py"
    good.write_text(RACE, encoding="utf-8")
    bad.write_text("def loss(scores):\n    return scores.s.detach().mean()", encoding="utf-8")
    done = command("examine", good)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("passed  ") == len(CHECKS)
    assert done.stdout.endswith(f"own:good-{digest_of(RACE)} may join.\n")
    done = command("examine", bad)
    assert (done.returncode, done.stderr) == (1, "")
    assert "FAILED  has a gradient" in done.stdout
    assert done.stdout.endswith("bad: 1 to mend.\n")
    done = command("examine", bad, "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["passed"]) == (1, False)
    assert [check["key"] for check in told["checks"] if not check["passed"]] == ["gradient"]
    done = command("examine", tmp_path / "none.py")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("there is no file")


def test_train_refuses_one_in_a_config(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"loss": KEY, "source": RACE}), encoding="utf-8")
    done = command("train", "--config", config, "--steps", "1")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Custom loss code is off on this server;")


def options(losses: str | None, allow: bool) -> Namespace:
    return Namespace(losses=losses, allow_custom_loss=allow)


def test_serve_allows_them_only_when_told_to(tmp_path: Path) -> None:
    plain = startup.Settings(home=tmp_path)
    elsewhere = startup.Settings(home=tmp_path, scheduler="tcp://host:8786")
    with knowing(runs=False):
        REGISTER.allowed = False  # `knowing` puts it back; a second patch would outlive it and leave it on
        serve.own_losses(options(None, False), plain)
        assert (REGISTER.allowed, startup._settings().own_losses) == (False, False)
        for given, settings, words in (
            (options(str(tmp_path), False), plain, "--losses needs --allow-custom-loss"),
            (options(None, True), elsewhere, "start without LOSSLAB_SCHEDULER"),
            (options(str(tmp_path / "none"), True), plain, "is no folder"),
        ):
            with pytest.raises(cli.Refused, match=words):
                serve.own_losses(given, settings)
            assert not REGISTER.allowed
        serve.own_losses(options(str(tmp_path), True), plain)
        assert (REGISTER.allowed, REGISTER.folder, startup._settings().own_losses) == (True, tmp_path, True)
        with pytest.raises(ValueError, match="in a limited worker process only"):
            _ = REGISTER.add(RACE, "mine").loss


def test_serve_refuses_on_the_command_line() -> None:
    done = command("serve", "--losses", ".", "--port", "0")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("--losses needs --allow-custom-loss")
