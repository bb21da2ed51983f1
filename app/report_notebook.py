"""The same diagnosis as a Jupyter notebook: it reads the files again, and draws with the lab's panels."""

from app import notebook
from app.report import Origin, loss_said, measured_said, shown_panels
from models.checkpoint.result import Result


def report_notebook(result: Result, origin: Origin) -> str:
    """The notebook as JSON. It runs with the repository as working directory or installed where Python finds it."""
    told = result.told
    head = f"# Diagnosis of {told['name']}\n\n{' '.join(told['scope'])} Loss: {loss_said(told['loss'])}. {origin.date}"
    cells = [notebook.text(head), notebook.code(origin.code)]
    cells.append(notebook.code(f'assert result.told["fingerprint"] == "{told["fingerprint"]}", "these are other data"'))
    for one in told["findings"]:
        words = f"## {one['title']}\n\n*{one['severity']}, {one['confidence']} confidence.* {one['sentence']}\n\n"
        words += f"{measured_said(one)}\n\n**Do:** {one['advice']}\n\n"
        cells.append(notebook.text(f"{words}**What would change our mind:** {one['would_change']}"))
        if result.marks[one["key"]].listed:
            cells.append(notebook.code(f'pd.DataFrame(result.marks["{one["key"]}"].listed)'))
    if not told["findings"]:
        cells.append(notebook.text(f"**No finding** among {len(told['checked'])} that were looked for."))
    panels = shown_panels(result)
    setup = ["import pandas as pd", "", f"from components.panels import {', '.join(sorted(panels))}", ""]
    cells.insert(2, notebook.code("\n".join([*setup, "shown = [view.summary for view in result.views]"])))
    cells += [notebook.code(f"{name}.figure(shown)") for name in panels]
    if told["timeline"]:
        row = 'result.told["timeline"]'
        drawing = f"from components.panels import timeline\n\ntimeline.figure({row})"
        cells += [notebook.code(drawing), notebook.code(f"timeline.table({row})")]
    cells.append(notebook.code('pd.DataFrame(result.told["metrics"])'))
    return notebook.assembled(cells)
