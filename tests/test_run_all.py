"""The runner counts right: a green summary of a red run would be worse than no runner."""

import sys

import pytest

from tests import run_all

PYTEST = run_all.Check("unit tests", ("pytest",), tests=True)
PLAIN = run_all.Check("lint", ("ruff",))


@pytest.mark.parametrize(
    ("check", "code", "output", "expected"),
    [
        (PLAIN, 0, "All checks passed!", (1, 0)),
        (PLAIN, 1, "3 failed", (0, 1)),
        (PYTEST, 0, "....\n12 passed in 3.21s\n", (12, 0)),
        (PYTEST, 1, "F..\n3 failed, 9 passed in 3.21s\n", (9, 3)),
        (PYTEST, 1, "2 failed, 7 passed, 1 error in 3.21s\n", (7, 3)),
        (PYTEST, 0, "9 passed, 2 skipped in 3.21s\n", (9, 2)),  # nothing is meant to be skipped
        (PYTEST, 5, "no tests ran in 0.01s\n", (0, 1)),
        (PYTEST, 2, "1 error in 0.40s\n", (0, 1)),
        (PYTEST, 3, "INTERNALERROR> boom\n", (0, 1)),
        (PYTEST, 1, "the worker crashed\n9 passed in 3.21s\n", (9, 1)),
    ],
)
def test_counts(check: run_all.Check, code: int, output: str, expected: tuple[int, int]) -> None:
    assert run_all.counts(check, code, output) == expected


def test_a_failing_command_is_told_with_its_output(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = run_all.run(run_all.Check("sample", (sys.executable, "-c", "print('the reason'); raise SystemExit(3)")))
    run_all.tell(outcome)
    told = capsys.readouterr().out
    assert (outcome.passed, outcome.failed) == (0, 1)
    assert "FAILED" in told
    assert "the reason" in told


def test_one_thread_a_process_for_whatever_is_run() -> None:
    code = "import os; raise SystemExit(os.environ['OMP_NUM_THREADS'] != '1')"
    assert run_all.run(run_all.Check("sample", (sys.executable, "-c", code))).failed == 0


def test_every_layer_and_kind_of_test_is_run() -> None:
    commands = {check.name: " ".join(check.command) for check in (*run_all.STATIC, *run_all.dynamic())}
    assert {"format", "lint", "types", "unit tests", "browser tests"} <= set(commands)
    assert commands["types"].endswith("mypy models components app")
    assert "not browser" in commands["unit tests"]


def test_a_named_browser_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOSSLAB_CHROMIUM", "/some/chromium")
    assert run_all.has_browser()


def test_nothing_is_installed_where_it_is_not_ours_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    commands: list[object] = []
    monkeypatch.setattr(run_all, "has_browser", lambda: False)
    monkeypatch.setattr(run_all.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(run_all.subprocess, "run", lambda command, **_: commands.append(command))
    run_all.provide_browser()
    assert commands == []
    assert "playwright install --with-deps chromium" in capsys.readouterr().out


def test_as_root_on_debian_the_package_lists_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []
    monkeypatch.setattr(run_all, "has_browser", lambda: False)
    monkeypatch.setattr(run_all.os, "geteuid", lambda: 0)
    monkeypatch.setattr(run_all.Path, "is_file", lambda path: True)
    monkeypatch.setattr(run_all.subprocess, "run", lambda command, **_: commands.append(command))
    run_all.provide_browser()
    assert [command[1] for command in commands] == ["update", "install"]
    assert commands[1][-1] == "chromium"
