"""One mutant against its tests, in a process of its own over a copy of the tree; the tree itself is never changed."""

import os
import shutil
import sys
from dataclasses import dataclass
from importlib import import_module
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
OURS = ("app", "components", "models", "tests")
# Loaded once here and handed on to every trial, which is a fork; nothing of ours is.
SLOW = ("torch", "numpy", "hypothesis", "jaxtyping", "beartype", "sklearn.metrics", "pytorch_metric_learning.losses")
LIMIT_S = 240.0  # a mutant that runs longer has changed something that is seen


@dataclass(frozen=True)
class Part:
    """One source file and the tests that must notice if it is changed."""

    package: str  # "losses" or "methods"
    stem: str

    @property
    def file(self) -> Path:
        """Of the source, in the tree."""
        return Path("models") / self.package / f"{self.stem}.py"

    @property
    def tests(self) -> tuple[str, str]:
        """Its own test file, and that of the contract of which only its key is run."""
        folder = f"tests/{self.package}"
        return f"{folder}/test_{self.stem}.py", f"{folder}/test_contract.py"


@dataclass(frozen=True)
class Verdict:
    """What the tests said; by: the test that failed first, or what else went wrong; empty if nothing did."""

    by: str

    @property
    def caught(self) -> bool:
        """Whether anything failed."""
        return bool(self.by)


class _Watch:
    """pytest plugin: of the contract, keeps what is about this part; remembers the first failure."""

    def __init__(self, part: Part) -> None:
        self.part, self.failed, self.ran = part, "", 0

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[Any]) -> None:
        module = import_module(f"models.{self.part.package}.{self.part.stem}")
        keys = set(module.variants()) if hasattr(module, "variants") else {module.SPEC.key}
        kept = [item for item in items if item.path.name != "test_contract.py" or _key(item) in keys]
        config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
        items[:] = kept

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.ran += report.when == "call"
        self.failed = self.failed or (report.nodeid if report.failed else "")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self.failed = self.failed or (f"loading {report.nodeid}" if report.failed else "")


def _key(item: Any) -> object:
    return item.callspec.params.get("key") if hasattr(item, "callspec") else None


def copy_tree(folder: Path) -> None:
    """The part of the tree that the tests of losses and methods need."""
    for name in OURS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)


def warm_up() -> None:
    """Load what is slow to load and the same for all trials."""
    for name in SLOW:
        import_module(name)


def attempt(folder: Path, part: Part, source: str) -> Verdict:
    """Run the tests of one part with this source in its place, in a copy of the tree that is put back afterwards."""
    path = folder / part.file
    kept = path.read_text(encoding="utf-8")
    path.write_text(source, encoding="utf-8")
    context = get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_in_child, args=(folder, part, theirs))
    child.start()
    theirs.close()
    try:
        told = ours.recv() if ours.poll(LIMIT_S) else f"no end within {LIMIT_S:g} s"
    except EOFError:
        told = "the process ended without a word"
    finally:
        child.kill()
        child.join()
        path.write_text(kept, encoding="utf-8")
    return Verdict(told)


def _in_child(folder: Path, part: Part, told: Connection) -> None:
    _move_to(folder)
    watch = _Watch(part)
    options = ["-x", "-q", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
    code = pytest.main([*options, *part.tests], plugins=[watch])
    told.send("" if code == pytest.ExitCode.OK else watch.failed or f"pytest ended with {code!r}, {watch.ran} run")


def _move_to(folder: Path) -> None:
    """Make the copy the tree of this process, and keep quiet."""
    sys.dont_write_bytecode = True  # two mutants of a second would share one compiled file
    silent = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(silent, stream)
    os.chdir(folder)
    sys.path[:] = [str(folder), *(entry for entry in sys.path if entry and Path(entry).resolve() != ROOT)]
    for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
        del sys.modules[name]
