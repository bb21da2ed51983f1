"""What the page's tests read from Streamlit's test runner, and what they press in it."""

from collections.abc import Callable
from typing import Any

from streamlit.testing.v1 import AppTest

Opener = Callable[..., AppTest]


def sound(page: AppTest) -> AppTest:
    """The same page, drawn without an exception."""
    assert [error.value for error in page.exception] == []
    assert "incident" not in " ".join(error.value for error in page.error)
    return page


def table(page: AppTest) -> list[list[str]]:
    """Rows of the numbers table, cell by cell."""
    text = next(part.value for part in page.markdown if part.value.startswith("| lane | step |"))
    return [[cell.strip() for cell in line.strip("| ").split("|")] for line in text.splitlines()[2:]]


def statuses(page: AppTest) -> list[str]:
    return [row[0].split("] ")[1] for row in table(page)]


def pick(page: AppTest, key: str, value: Any) -> AppTest:
    """Choose in the select box whose key begins so; the value is an option's position."""
    box = next(box for box in page.selectbox if str(box.key).startswith(key))
    return sound(box.select_index(value).run())


def press(page: AppTest, key: str) -> AppTest:
    button = next(button for button in page.button if str(button.key).startswith(key))
    return sound(button.click().run())


def widgets(page: AppTest) -> list[Any]:
    return [*page.slider, *page.select_slider, *page.selectbox, *page.toggle]
