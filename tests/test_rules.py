"""What must stand nowhere in the program: code from files, swallowed errors, raw markup, and settings gone missing."""

import ast
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit import config

from app.asgi import streamlit_options

ROOT = Path(__file__).parents[1]
FILES = sorted(path for layer in ("app", "components", "models") for path in (ROOT / layer).rglob("*.py"))
BANNED_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "joblib", "_pickle"}
BANNED_CALLS = {
    "eval",
    "exec",
    "compile",
    "__import__",
    "os.system",
    "os.popen",
    "pd.read_pickle",
    "pandas.read_pickle",
    "torch.jit.load",
    "torch.export.load",
    "yaml.load",
    "np.fromfile",
}
# The one file that may make code from text, and the one that may import it, inside a function.
OWN_CODE, OWN_CODE_USER = "models/own_code.py", "models/custom.py"
# call -> keyword and the one value that makes it safe
MUST_SAY = {
    "torch.load": ("weights_only", True),
    "np.load": ("allow_pickle", False),
    "numpy.load": ("allow_pickle", False),
}
# keyword that no call may set to a true value
MUST_NOT_SAY = {"shell", "unsafe_allow_html", "persist", "allow_pickle"}


def dotted(node: ast.expr) -> str:
    """`a.b.c` of a call's function; empty for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inner = dotted(node.value)
        return f"{inner}.{node.attr}" if inner else ""
    return ""


def keyword(call: ast.Call, name: str) -> object:
    """The literal value of a keyword, None if it is not given, Ellipsis if it is no literal."""
    for item in call.keywords:
        if item.arg == name:
            return item.value.value if isinstance(item.value, ast.Constant) else ...
    return None


def bad_imports(tree: ast.AST) -> list[str]:
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return [f"import {name}" for name in names if name.split(".")[0] in BANNED_MODULES]


def bad_calls(tree: ast.AST) -> list[str]:
    found = []
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = dotted(call.func)
        if name in BANNED_CALLS:
            found.append(name)
        if name in MUST_SAY and keyword(call, MUST_SAY[name][0]) is not MUST_SAY[name][1]:
            found.append(f"{name} without {MUST_SAY[name][0]}={MUST_SAY[name][1]}")
        found += [f"{name}({word}=...)" for word in MUST_NOT_SAY if keyword(call, word) not in (None, False)]
    return found


def swallowed(tree: ast.AST) -> list[str]:
    """Bare `except:`, and handlers of everything whose body does nothing."""
    found = []
    for handler in (node for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler)):
        if handler.type is None:
            found.append(f"bare except in line {handler.lineno}")
        elif dotted(handler.type) in ("Exception", "BaseException") and isinstance(
            handler.body[0], ast.Pass | ast.Continue
        ):
            found.append(f"everything is swallowed in line {handler.lineno}")
    return found


CHECKS: tuple[Callable[[ast.AST], list[str]], ...] = (bad_imports, bad_calls, swallowed)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_banned_construct(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    exempt = ["compile", "exec"] if path == ROOT / OWN_CODE else []
    assert [problem for check in CHECKS for problem in check(tree)] == exempt


def named(tree: ast.AST) -> set[str]:
    """Every module that is imported anywhere in a file, and every text that equals a module's name."""
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names.add(node.value)
    return names


def test_only_one_function_reaches_what_makes_code_from_text() -> None:
    trees = {str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding="utf-8")) for path in FILES}
    assert [name for name, tree in trees.items() if "models.own_code" in named(tree)] == [OWN_CODE_USER]
    functions = [node for node in ast.walk(trees[OWN_CODE_USER]) if isinstance(node, ast.FunctionDef)]
    assert [node.name for node in functions if "models.own_code" in named(node)] == ["loss"]
    top = [node for node in trees[OWN_CODE_USER].body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert "models.own_code" not in {name for node in top for name in named(node)}
    assert len([node for node in ast.walk(trees[OWN_CODE]) if isinstance(node, ast.FunctionDef)]) == 2


def test_nothing_lets_code_run_but_a_worker_and_an_examination() -> None:
    """`runs=True` opens the way to it: the guard of the workers says it, and the process of an examination."""
    says = []
    for path in FILES:
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        calls = [node for node in nodes if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".allow")]
        says += [str(path.relative_to(ROOT)) for call in calls if keyword(call, "runs") not in (None, False)]
    assert says == ["models/engine/guard.py", "models/examination.py"]


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from joblib import load",
        "eval('1')",
        "exec(code, {})",
        "compile(text, 'name', 'exec')",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path)",
        "np.load(path, allow_pickle=flag)",
        "torch.jit.load(path)",
        "subprocess.run(text, shell=True)",
        "st.markdown(text, unsafe_allow_html=True)",
        "st.cache_data(persist='disk')",
        "try:\n    f()\nexcept:\n    raise",
        "try:\n    f()\nexcept Exception:\n    pass",
    ],
)
def test_the_checks_bite(line: str) -> None:
    assert [problem for check in CHECKS for problem in check(ast.parse(line))] != []


@pytest.mark.parametrize(
    "line",
    ["module.eval()", "torch.load(path, weights_only=True)", "np.load(path, allow_pickle=False)", "re.compile('x')"],
)
def test_the_checks_let_safe_lines_pass(line: str) -> None:
    assert [problem for check in CHECKS for problem in check(ast.parse(line))] == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("server.address", "127.0.0.1"),
        ("server.allowedHosts", ["localhost", "127.0.0.1", "[::1]"]),
        ("server.enableXsrfProtection", True),
        ("server.enableCORS", True),
        ("server.enableStaticServing", False),
        ("server.fileWatcherType", "none"),
        ("server.maxUploadSize", 200),
        ("browser.gatherUsageStats", False),
        ("client.showErrorDetails", "none"),
        ("client.toolbarMode", "viewer"),
        ("runner.postScriptGC", False),
        ("runner.magicEnabled", False),
    ],
)
def test_settings(name: str, value: object) -> None:
    assert streamlit_options()[name] == value  # what python -m app passes
    assert config.get_option(name) == value  # what Streamlit itself reads from the file in this folder


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def test_no_machine_paths_in_tracked_text() -> None:
    somebody = re.compile(rb"(?<![\w.])/(?:home|Users|root|work|mnt)/[\w.-]+")
    files = [path for path in tracked() if b"\0" not in path.read_bytes()[:4096]]
    assert len(files) > 50
    assert [str(path.relative_to(ROOT)) for path in files if somebody.search(path.read_bytes())] == []
