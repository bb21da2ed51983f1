"""Arrows point down only: app -> components -> models. The whole house is read as syntax trees, nothing is imported."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAYERS = ("app", "components", "models")
FILES = sorted(path for layer in LAYERS for path in (ROOT / layer).rglob("*.py"))
SCREEN = {"streamlit", "plotly", "altair", "vl_convert"}
# part of the tree -> what it must not import, by the first name or by a dotted beginning
FORBIDDEN = {
    "models": SCREEN | {"app", "components"},
    "models/diagnostics": {"torch", "safetensors.torch"},
    "components": {"app"},
    "components/panels": {"streamlit", "torch", "models.training.run", "models.objective", "models.sensitivity"},
    "components/theme.py": {"streamlit", "torch"},
}
MAY_IMPORT = {
    "losses": {
        "models.geometry",
        "models.spec",
        "models.fused_softmax",
        "models.episode",
        "models.contest",
        "models.classification",
    },
    "methods": {"models.geometry", "models.spec", "models.method_common"},
}


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Level and full dotted name of every import, wherever it stands; `from a import b` gives a.b."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.level, f"{node.module}.{alias.name}") for alias in node.names)


def below(name: str, parent: str) -> bool:
    return name == parent or name.startswith(f"{parent}.")


def targets(path: Path, known: set[str]) -> set[str]:
    """Modules of ours that a file imports at its top level (not for type checking, not in a function)."""
    found = set()
    for node in tree_of(path).body:
        for _, name in imports(node) if isinstance(node, ast.Import | ast.ImportFrom) else ():
            found |= {name, name.rpartition(".")[0]} & known
    return found - {name_of(path)}


def broken(files: list[Path], forbidden: set[str]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in files
        for _, name in imports(tree_of(path))
        if any(below(name, parent) for parent in forbidden)
    ]


def test_there_is_something_to_read() -> None:
    assert len(FILES) > 30
    assert {path.relative_to(ROOT).parts[0] for path in FILES} == set(LAYERS)


@pytest.mark.parametrize("part", FORBIDDEN)
def test_layers(part: str) -> None:
    folder = ROOT / part
    files = [path for path in FILES if path == folder or folder in path.parents]
    assert files
    assert broken(files, FORBIDDEN[part]) == []


def test_streamlit_only_in_app_and_widgets() -> None:
    others = [path for path in FILES if path.relative_to(ROOT).parts[:2] != ("components", "widgets")]
    assert broken([path for path in others if path.relative_to(ROOT).parts[0] != "app"], {"streamlit"}) == []


def test_imports_are_absolute() -> None:
    relative = [str(path.relative_to(ROOT)) for path in FILES for level, _ in imports(tree_of(path)) if level]
    assert relative == []


def test_no_cycles() -> None:
    known = {name_of(path) for path in FILES}
    graph = {name_of(path): targets(path, known) for path in FILES}
    assert sum(map(len, graph.values())) > 50
    assert len(list(TopologicalSorter(graph).static_order())) == len(known)  # raises CycleError naming the cycle


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_loss_or_method_imports_no_other(package: str) -> None:
    files = [path for path in (ROOT / "models" / package).glob("*.py") if path.stem != "__init__"]
    ours = [
        (path.stem, name)
        for path in files
        for _, name in imports(tree_of(path))
        if name.split(".")[0] in LAYERS and not any(below(name, allowed) for allowed in MAY_IMPORT[package])
    ]
    assert files
    assert ours == []


@pytest.mark.parametrize(
    "path", [*FILES, *sorted((ROOT / "tests").rglob("*.py"))], ids=lambda p: str(p.relative_to(ROOT))
)
def test_files_are_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_functions_are_short(path: Path) -> None:
    functions = [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    long = [node.name for node in functions if (node.end_lineno or 0) - node.body[0].lineno + 1 > 50]
    assert long == []


@pytest.mark.parametrize("package", ["losses", "data", "encoders", "methods"])
def test_every_part_has_its_test_file(package: str) -> None:
    parts = {path.stem for path in (ROOT / "models" / package).glob("*.py")} - {"__init__"}
    tested = {path.stem.removeprefix("test_") for path in (ROOT / "tests" / package).glob("test_*.py")}
    assert parts
    assert parts - tested == set()
