"""Everything that must hold, in order, with a line and the seconds of each; ends with what passed and what failed.

Format, lint and types run beside each other, then the unit tests on two processes, then the browser tests and the
lessons one after another. Nothing is skipped and nothing stops early; the exit code is 1 if anything failed.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PYTHON = sys.executable
BIN = Path(sys.executable).parent
LAYERS = ("models", "components", "app")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ENVIRONMENT = {
    **os.environ,
    "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}",
    # Several processes share the cores: threads of one would only slow the others.
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"),
}
COUNT = re.compile(r"(\d+) (passed|failed|error|errors|skipped|xfailed|xpassed)\b")


@dataclass(frozen=True)
class Check:
    """One command and what it stands for."""

    name: str
    command: tuple[str, ...]
    tests: bool = False  # pytest: its own counts are added up


@dataclass(frozen=True)
class Outcome:
    """How one check ended."""

    check: Check
    passed: int
    failed: int
    seconds: float
    output: str


STATIC = (
    Check("format", (PYTHON, "-m", "ruff", "format", "--check", ".")),
    Check("lint", (PYTHON, "-m", "ruff", "check", ".")),
    Check("types", (PYTHON, "-m", "mypy", *LAYERS)),
)
PYTEST = (PYTHON, "-m", "pytest", "-q")


def dynamic() -> tuple[Check, ...]:
    """The test runs; lessons are trained by the tests in their own folder, once there is one."""
    lessons = ROOT / "tests" / "lessons"
    apart = (f"--ignore={lessons}",) if lessons.is_dir() else ()
    checks = [
        Check("unit tests", (*PYTEST, "-n", "2", "-m", "not browser", *apart), tests=True),
        Check("browser tests", (*PYTEST, "-m", "browser", *apart), tests=True),
    ]
    if lessons.is_dir():
        checks.append(Check("lessons", (*PYTEST, "-n", "2", str(lessons)), tests=True))
    return tuple(checks)


def run(check: Check) -> Outcome:
    """Run one check to its end and count what it says."""
    begun = time.monotonic()
    done = subprocess.run(
        check.command,
        cwd=ROOT,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    passed, failed = counts(check, done.returncode, done.stdout)
    return Outcome(check, passed, failed, time.monotonic() - begun, done.stdout)


def counts(check: Check, code: int, output: str) -> tuple[int, int]:
    """Passed and failed. A test that was skipped or expected to fail counts as failed: none is meant to exist."""
    if not check.tests:
        return int(code == 0), int(code != 0)
    found = dict.fromkeys(("passed", "failed"), 0)
    last = [line for line in output.splitlines() if COUNT.search(line)][-1:]
    for number, kind in COUNT.findall("".join(last)):
        found["passed" if kind == "passed" else "failed"] += int(number)
    # 5: no test was collected, which is a failure too: this runner expects some of every kind.
    failed = found["failed"] or int(code != 0)
    return found["passed"], failed


def tell(outcome: Outcome) -> None:
    """One line; everything the check said, if it failed."""
    word = "ok" if outcome.failed == 0 else "FAILED"
    number = f"{outcome.passed} passed, {outcome.failed} failed" if outcome.check.tests else ""
    print(f"{outcome.check.name:14} {word:7} {outcome.seconds:7.1f} s  {number}".rstrip(), flush=True)
    if outcome.failed:
        print(outcome.output, flush=True)


def has_browser() -> bool:
    """Chromium by LOSSLAB_CHROMIUM, on the path, or Playwright's own."""
    named = os.environ.get("LOSSLAB_CHROMIUM")
    if named or any(shutil.which(name) for name in BROWSERS):
        return True
    asked = "from playwright.sync_api import sync_playwright as p\nwith p() as q: print(q.chromium.executable_path)"
    path = subprocess.run([PYTHON, "-c", asked], capture_output=True, text=True, check=False).stdout.strip()
    return bool(path) and Path(path).is_file()


def provide_browser() -> None:
    """Install Chromium where that is ours to do: as root on Debian. Elsewhere the browser tests fail and say how."""
    if has_browser():
        return
    if os.name == "posix" and os.geteuid() == 0 and Path("/etc/debian_version").is_file():
        print("no browser found: installing chromium", flush=True)
        for command in (["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", "chromium"]):
            subprocess.run(command, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, check=False)
    if not has_browser():
        print(f"no browser found: run `{BIN / 'python'} -m playwright install --with-deps chromium`", flush=True)


def main() -> int:
    """Run everything; 0 if all of it holds."""
    begun = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        outcomes = []
        for outcome in pool.map(run, STATIC):
            tell(outcome)
            outcomes.append(outcome)
    provide_browser()
    for check in dynamic():
        outcomes.append(run(check))
        tell(outcomes[-1])
    failed = sum(outcome.failed for outcome in outcomes)
    passed = sum(outcome.passed for outcome in outcomes)
    wrong = [outcome.check.name for outcome in outcomes if outcome.failed]
    if wrong:
        print(f"not in order: {', '.join(wrong)}")
    print(f"{passed} passed, {failed} failed in {time.monotonic() - begun:.0f} s")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
