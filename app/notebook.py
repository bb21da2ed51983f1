"""A lesson as a Jupyter notebook (nbformat 4) that trains its runs and draws its panels."""

import json
from typing import Any

from app.lesson import Lesson, Place
from models.diagnostics import readings

MODULES = {
    "scores": "score_histogram",
    "roc": "roc_curve",
    "tradeoff": "tradeoff",
    "map": "embedding_map",
    "weights": "pair_weights",
    "curves": "curves",
    "statistics": "score_statistics",
    "spectrum": "spectrum",
    "mixture": "mixture",
    "classes": "class_matrix",
}


def notebook(lesson: Lesson) -> str:
    """The notebook as JSON. It runs with the repository as working directory or installed where Python finds it."""
    cells = [text(f"# {lesson.title}\n\nPaper: {lesson.paper} (text {lesson.status})."), code(_setup(lesson))]
    for part in lesson.body:
        cells += [text(part)] if isinstance(part, str) else _place(lesson, part)
    cells.append(code(_claims(lesson)))
    return assembled(cells)


def assembled(cells: list[dict[str, Any]]) -> str:
    """Cells as a notebook for Python 3, numbered."""
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    about = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return json.dumps({"cells": cells, "metadata": about, "nbformat": 4, "nbformat_minor": 5}, indent=1)


def _place(lesson: Lesson, place: Place) -> list[dict[str, Any]]:
    if place.kind == "question":
        return [text(f"**Predict.** {lesson.question(place.name).text}")]
    if place.kind == "run":
        return [code(_training(lesson))]
    if place.kind == "panel":
        return [code(f"{MODULES[place.name]}.figure(list(shown.values()))")]
    return [text(f"Change `{place.name}` in `CONFIGS` above and run on from there.")]


def _setup(lesson: Lesson) -> str:
    panels = sorted({MODULES[name] for name in lesson.panels})
    configs = {run.name: json.loads(run.config.to_json()) for run in lesson.runs}
    return "\n".join(
        [
            "import json",
            "",
            "import torch",
            "",
            f"from components.panels import {', '.join(panels)}",
            "from models.diagnostics import readings",
            "from models.diagnostics.summarise import summarise",
            "from models.training.config import RunConfig",
            "from models.training.run import Run",
            "",
            "torch.set_num_threads(1)",
            f'CONFIGS = json.loads(r"""{json.dumps(configs, indent=1)}""")',
        ]
    )


def _training(lesson: Lesson) -> str:
    return "\n".join(
        [
            "shown = {}",
            "for name, config in CONFIGS.items():",
            "    run = Run(RunConfig.from_json(json.dumps(config)))",
            f"    run.advance({lesson.steps})",
            "    shown[name] = summarise(run.snapshot())",
        ]
    )


def _claims(lesson: Lesson) -> str:
    """Both sides of every claim for this one seed; the page and RESULTS.md tell them over several."""
    lines = []
    for claim in lesson.claims:
        sides = [side for side in (claim.left, claim.right) if isinstance(side, str)]
        said = json.dumps(f"{claim.statement} [{readings.says(claim.measure)}]")
        found = ", ".join(f"{json.dumps(s)}, readings.read(shown[{json.dumps(s)}], {claim.measure!r})" for s in sides)
        lines.append(f"print({said}, {found})")
    return "\n".join(lines)


def file_name(lesson: Lesson) -> str:
    """What the file is called when it is kept."""
    return f"{lesson.number:02d}_{lesson.slug}.ipynb"


def text(source: str) -> dict[str, Any]:
    """A cell of Markdown."""
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def code(source: str) -> dict[str, Any]:
    """A cell of Python that has not run."""
    return {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": source}
