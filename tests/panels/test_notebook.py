"""The example notebook runs from top to bottom and shows a picture for every panel it names."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import components.panels

HERE = Path(components.panels.__file__).parent
ROOT = HERE.parent.parent


# The kernel's own sockets and loops are closed by the garbage collector, at a moment nobody chooses.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_notebook_runs_and_draws() -> None:
    notebook = nbformat.read(HERE / "example.ipynb", as_version=4)
    NotebookClient(notebook, timeout=200, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    kinds = [kind for output in outputs for kind in output.get("data", {}) if kind == "image/png"]
    assert len(kinds) == 6
    assert outputs[-1]["data"]["text/plain"].startswith("(True,")


def test_notebook_is_kept_without_outputs() -> None:
    notebook = nbformat.read(HERE / "example.ipynb", as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert len(code) >= 10
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
