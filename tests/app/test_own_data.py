"""Data of one's own on the page: a file dropped, its roles edited, rows refused, lanes trained on it, sets deleted."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app import own_data
from models.catalogue import find
from models.own_data import keeping
from models.own_data.columns import Columns
from models.own_data.roles import Roles, guess_roles
from tests.app.boards import LocalBoards
from tests.app.drawn import Opener, press, sound, statuses, table
from tests.own_data.helpers import digits, grid
from tests.own_data.helpers import table as columns_of

ROWS = [f"{k},{k % 7}.5,{'x' if k % 2 else 'y'},{'tall' if k % 3 else 'small'}" for k in range(60)]
CSV = "\n".join(["a,b,side,label", *ROWS[:10], "5", "oops,1,x,tall", *ROWS[10:]]).encode()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOSSLAB_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def form(opened: Opener) -> Callable[..., AppTest]:
    """The lab with the form for own data open."""

    def at(**query: Any) -> AppTest:
        page = opened(**{"lane": ["infonce", "supcon"], **query})
        return sound(group(page, "from").set_value("Your own data").run())

    return at


def group(page: AppTest, key: str) -> Any:
    return next(part for part in page.button_group if str(part.key).startswith(key))


def dropped(page: AppTest, content: bytes = CSV, name: str = "mine.csv") -> AppTest:
    page.file_uploader(key="mine-file").set_value((name, content, "text/csv"))
    return sound(page.run())


def roles(page: AppTest) -> dict[str, str]:
    return {box.label: str(box.value) for box in page.selectbox if str(box.key).startswith("mine-role-")}


def give(page: AppTest, column: str, role: str) -> AppTest:
    box = next(box for box in page.selectbox if box.label == column and str(box.key).startswith("mine-role-"))
    return sound(box.set_value(role).run())


def taken(page: AppTest) -> str:
    return next(part.value for part in page.markdown if "rows taken" in part.value)


def keys_in_use(boards: LocalBoards) -> set[str]:
    return {lane.config.data.key for lane in boards.players["board0"].state().lanes}


def test_a_file_is_previewed_with_roles_and_refused_rows(form: Callable[..., AppTest]) -> None:
    page = dropped(form())
    assert roles(page) == {"a": "feature", "b": "feature", "side": "ignore", "label": "label"}
    assert taken(page).startswith("**60 rows taken**, 2 refused: 60 items; 2 classes; 40 items")
    first, refused = (
        frame.value
        for frame in page.dataframe
        if set(frame.value.columns) <= {"a", "b", "side", "label", "Line", "Why"}
    )
    assert first["label"].tolist() == ["small", "tall", "tall", "small", "tall"]
    assert refused["Line"].tolist() == [12, 13]
    assert refused["Why"].tolist()[1] == "column 'a' holds 'oops', which is not a number"
    assert sum("Nothing leaves this machine" in caption.value for caption in page.caption) == 1


def test_lanes_train_on_until_the_press_and_then_on_the_new_data(
    form: Callable[..., AppTest], boards: LocalBoards
) -> None:
    page = press(form(), "step20")
    page = give(dropped(page), "side", "label")
    assert roles(page) == {"a": "feature", "b": "feature", "side": "label", "label": "ignore"}
    assert [row[1] for row in table(page)] == ["20", "20"]
    assert keys_in_use(boards) == {"digits"}
    page = press(page, "mine-train")
    (key,) = keys_in_use(boards)
    module = find("data", key)
    assert (module.SPEC.name, module.about.classes) == ("mine.csv (own)", ("x", "y"))
    lane = boards.players["board0"].state().lanes[0]
    assert (lane.config.sampler["batch"], lane.config.pairing) == (32, "label")
    assert [row[1] for row in table(page)] == ["5", "5"]
    assert statuses(page) == ["running", "running"]
    assert len(page.get("vega_lite_chart")) >= 5
    assert page.query_params["data"] in (key, [key])
    assert module.SPEC.teaches in [caption.value for caption in page.caption]


def test_a_link_with_it_opens_where_it_is_kept(
    form: Callable[..., AppTest], boards: LocalBoards, opened: Opener
) -> None:
    page = press(dropped(form()), "mine-train")
    query = {name.replace(".", "__"): page.query_params[name] for name in page.query_params if name != "live"}
    again = opened(**query)
    assert [warning.value for warning in again.warning] == []
    assert boards.players["board1"].state().lanes[0].config.data.key in keys_in_use(boards)


def test_a_link_to_a_set_that_is_not_here_is_one_message(opened: Opener, boards: LocalBoards) -> None:
    page = opened(lane="infonce", data="own:0123456789ab")
    (told,) = [warning.value for warning in page.warning]
    assert "the data set own:0123456789ab is not on this server" in told
    assert told.endswith("digits is used.")
    assert keys_in_use(boards) == {"digits"}


@pytest.mark.parametrize(
    ("content", "name", "words"),
    [
        (b"\x89PNG\r\n\x1a\n0000", "mine.csv", "E102 mine.csv is not a CSV text"),
        (b"", "mine.csv", "E101 mine.csv is empty"),
        (b"PK\x05\x06" + bytes(18), "mine.zip", "E184 mine.zip has no pictures"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_message_and_nothing_stops(
    form: Callable[..., AppTest], home: Path, content: bytes, name: str, words: str
) -> None:
    page = dropped(press(form(), "step20"), content, name)
    assert [error.value for error in page.error if error.value.startswith(words)] != []
    assert [row[1] for row in table(page)] == ["20", "20"]
    assert "mine-train" not in [button.key for button in page.button]
    assert list((home / "uploads").iterdir()) == []  # what was uploaded is gone
    page = dropped(page)  # the next good one works
    assert not page.button(key="mine-train").disabled


def test_roles_that_make_no_set_are_a_message(form: Callable[..., AppTest]) -> None:
    page = dropped(form())
    for column in ("a", "b"):
        page = give(page, column, "ignore")
    assert [error.value for error in page.error] == [
        "E191 no column is a feature: give a column of numbers, pictures or text that role."
    ]
    assert page.button(key="mine-train").disabled
    assert not give(page, "b", "feature").button(key="mine-train").disabled


def test_a_full_budget_is_a_message(form: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "FREE_MB", 1 << 40)
    page = press(press(dropped(form()), "step"), "mine-train")
    assert any(error.value.startswith("E128 the disk has") for error in page.error)
    assert [row[1] for row in table(page)] == ["1", "1"]
    assert keeping.listed() == []


def test_kept_sets_are_used_again_and_deleted(form: Callable[..., AppTest], boards: LocalBoards) -> None:
    page = press(dropped(form()), "mine-train")
    (key,) = keys_in_use(boards)
    page = sound(page.selectbox(key="mine-kept").set_value(key).run())
    assert page.button(key="mine-delete").disabled  # a board trains on it
    page = sound(group(page, "from").set_value("Built-in sets").run())
    box = next(box for box in page.selectbox if str(box.key).startswith("data-"))
    assert box.value is None
    page = sound(box.set_value("digits").run())
    assert keys_in_use(boards) == {"digits"}
    page = sound(group(page, "from").set_value("Your own data").run())
    page = sound(page.selectbox(key="mine-kept").set_value(key).run())
    page = press(page, "mine-again")
    assert keys_in_use(boards) == {key}
    boards.players.clear()
    keeping.delete(key)
    assert keeping.listed() == []


def test_without_labels_views_are_paired_and_every_panel_is_drawn(
    form: Callable[..., AppTest], boards: LocalBoards
) -> None:
    text = "a,b\n" + "\n".join(f"{a:.4f},{b:.4f}" for a, b in grid(60))
    page = press(
        dropped(form(panels="scores,roc,tradeoff,map,weights,curves,statistics,spectrum"), text.encode()), "mine-train"
    )
    config = boards.players["board0"].state().lanes[0].config
    assert (config.pairing, config.sampler.key) == ("views", "uniform")
    assert "no label: two views of an item are a pair" in taken(page)
    assert statuses(page) == ["running", "running"]


def test_the_sample_is_thirty_rows_that_can_be_trained_on(form: Callable[..., AppTest], boards: LocalBoards) -> None:
    lines = own_data.sample().decode().splitlines()
    assert len(lines) == 31
    assert lines[0].startswith("mean_radius,mean_texture,")
    page = dropped(form(), own_data.sample(), "sample.csv")
    assert roles(page)["diagnosis"] == "label"
    assert taken(page).startswith("**30 rows taken**, 0 refused: 30 items; 2 classes; 20 items")
    press(page, "mine-train")
    assert find("data", keys_in_use(boards).pop()).about.classes == ("benign", "malignant")


def test_wide_files_have_twelve_boxes_and_a_summary() -> None:
    columns = columns_of(
        {**{f"e{k}": grid(40)[:, 0] for k in range(384)}, "note": ["n"] * 40, "label": ["a", "b"] * 20}
    )
    found = guess_roles(columns)
    named = own_data.with_controls(found)
    assert len(named) == 12
    assert {"label", "note"} < set(named)
    others = [name for name in columns.names if name not in named]
    assert own_data.summary(found, others) == "e10 … e383: feature (374)"
    assert own_data.summary(Roles((("a", "text"),)), ["a"]) == "a: text (1)"


def test_previews_show_numbers_vectors_and_pictures() -> None:
    columns = Columns({"e": grid(40, 5), "t": ["x" * 100] * 40, **digits(40).values}, np.arange(40))
    cells = own_data.preview(columns)
    assert list(cells) == ["e", "t", "class"]
    assert [len(column) for column in cells.values()] == [5, 5, 5]
    assert cells["e"][0].endswith(", … (5)")
    assert cells["t"][0] == "x" * 80
    shown = own_data.pictures(columns)
    assert shown is not None
    assert shown.shape == (5, 8, 8)
    assert own_data.pictures(columns_of({"a": [1.0]})) is None
