"""The browser fixtures bite: what they watch for is really seen."""

from typing import Any

import pytest

from tests.conftest import Server, Watch

pytestmark = pytest.mark.browser


@pytest.fixture
def watched(browser: Any) -> Any:
    """A page and its watch, without the fixture's own verdict."""
    context = browser.new_context()
    yield context.new_page(), Watch(context)
    context.close()


def test_a_request_that_leaves_is_seen(watched: tuple[Any, Watch]) -> None:
    page, watch = watched
    page.goto("about:blank")
    page.evaluate("fetch('http://leaves.invalid/x').catch(() => null)")
    assert watch.foreign == ["http://leaves.invalid/x"]


def test_a_console_error_and_an_exception_are_seen(watched: tuple[Any, Watch]) -> None:
    page, watch = watched
    page.goto("about:blank")
    page.evaluate("console.error('wrong'); console.warn('fine'); setTimeout(() => { throw new Error('thrown') }, 0)")
    page.wait_for_timeout(200)
    assert watch.errors[0] == "wrong"
    assert len(watch.errors) == 2
    assert "thrown" in watch.errors[1]


def test_an_expected_error_is_let_pass(watched: tuple[Any, Watch]) -> None:
    page, watch = watched
    watch.expected.append("on purpose")
    page.goto("about:blank")
    page.evaluate("console.error('failed on purpose')")
    assert watch.errors == []


def test_the_first_page_appears(page: Any, server: Server) -> None:
    page.wait_for_function("document.title === 'Loss Lab'", timeout=60_000)
    assert page.get_by_text("Loss Lab").count()
    assert page.url.startswith(server.url)
