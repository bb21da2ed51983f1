"""The report and the notebook of a diagnosis: whole, the same twice, safe with hostile names, and able to run."""

import json
import re
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest

from app import cli
from app.repeat import Given, origin
from app.report import report, shown_panels
from app.report_notebook import report_notebook
from models.checkpoint import Material, ScoreTable
from models.checkpoint.result import Result, examined
from models.checkpoint.view import PANELS
from tests.checkpoint.made import sound

HOSTILE = "</script><img src=http://x.example/a onerror=alert(1)>"
Z, Y = sound(n=120, classes=4, d=8)
FLIPPED = np.where(np.arange(120) < 6, (Y + 1) % 4, Y)


@pytest.fixture(scope="module")
def result() -> Result:
    material = Material(HOSTILE, z=Z, labels=FLIPPED, classes=("a", "b", "c", HOSTILE))
    return examined(material, "infonce", {"temperature": 0.1})


def payload(html: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="report">(.*?)</script>', html, re.S)
    assert found is not None
    told: dict[str, Any] = json.loads(found.group(1))
    return told


def own_part(html: str) -> str:
    """The page without the library."""
    data, _, page = html.split("<script>")
    return data + page


def test_findings_panels_and_marks_stand_in_the_file(result: Result) -> None:
    html = report(result, origin(Given(Path("emb.npz"), loss="infonce")))
    assert len(result.told["findings"]) >= 1
    told = payload(html)
    assert set(told["panels"]) == set(shown_panels(result)) == set(PANELS)
    for one in result.told["findings"]:
        assert f"data-key='{one['key']}'" in html
        assert one["advice"] in html
        assert (
            told["panels"]["score_histogram"]["held"][one["key"]] != told["panels"]["score_histogram"]["spec"]["data"]
        )
        assert told["panels"]["embedding_map"]["marks"][one["key"]] == list(result.marks[one["key"]].items)
    for one in (*result.told["checked"], *result.told["not_checked"]):
        assert one["title"] in html
    assert result.told["fingerprint"] in html
    assert "python -m app diagnose emb.npz --loss infonce" in html


def test_nothing_is_fetched_and_names_are_text(result: Result) -> None:
    html = report(result, origin(Given(Path("emb.npz"))))
    assert "default-src 'none'" in html
    own = own_part(html)
    assert len(own) > 10_000
    assert HOSTILE not in own
    assert "<img" not in own
    assert not re.search(r"<(link|iframe|script)[^>]*(src|href)=", html)
    assert html.count("</script") == 3  # data, library, page


def test_the_same_result_gives_the_same_bytes(result: Result) -> None:
    again = examined(
        Material(HOSTILE, z=Z, labels=FLIPPED, classes=("a", "b", "c", HOSTILE)), "infonce", {"temperature": 0.1}
    )
    where = origin(Given(Path("emb.npz")))
    assert report(result, where) == report(again, where)
    assert report_notebook(result, where) == report_notebook(again, where)


def test_scores_alone_have_a_report_that_says_what_is_missing() -> None:
    rng = np.random.default_rng(0)
    match = rng.random(80) < 0.4
    table = ScoreTable(rng.normal(size=80) + 2.0 * match, match)
    found = examined(Material("scores.csv", scores=table))
    html = report(found, origin(Given(Path("scores.csv"))))
    assert set(payload(html)["panels"]) == {"score_histogram", "roc_curve"}
    assert "There are scores alone, and no embeddings." in html


def test_out_writes_three_files_and_the_notebook_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "emb.npz", embeddings=Z, labels=FLIPPED)
    np.savez(tmp_path / "before.npz", embeddings=Z[:, ::-1], labels=FLIPPED)
    out = tmp_path / "deep" / "out"
    asked = ["--loss", "infonce", "--knob", "temperature=0.2", "--against", str(tmp_path / "before.npz")]
    assert cli.main(["diagnose", str(tmp_path / "emb.npz"), *asked, "--out", str(out)]) == 0
    assert {path.name for path in out.iterdir()} == {"diagnosis.json", "report.html", "notebook.ipynb"}
    told = json.loads((out / "diagnosis.json").read_text(encoding="utf-8"))
    assert payload((out / "report.html").read_text(encoding="utf-8"))["checkpoints"] == ["emb.npz", "before.npz"]
    book = nbformat.read(out / "notebook.ipynb", as_version=4)
    nbformat.validate(book)
    monkeypatch.chdir(out)
    space: dict[str, Any] = {}
    code = [cell.source for cell in book.cells if cell.cell_type == "code"]
    assert len(code) > 8
    for source in code:
        exec(compile(source, "cell", "exec"), space)
    assert json.loads(json.dumps(space["result"].told)) == told
    assert capsys.readouterr().err == ""


def test_the_command_names_everything_that_was_given() -> None:
    given = Given(
        Path("a b.npy"), "embeddings", {"labels": Path("y.csv")}, (Path("c.npy"),), "infonce", {"batch": 64}, 500
    )
    found = origin(given)
    assert found.command == (
        "python -m app diagnose 'a b.npy' --as embeddings --labels y.csv --loss infonce --knob batch=64 "
        "--sample 500 --against c.npy"
    )
    assert "labels=Path('y.csv'), sample=500" in found.code
    assert "against=[read('c.npy')]" in found.code
    own = origin(Given(Path("w.pt"), encoder="mlp", encoder_knobs={"depth": 3}, beside={"config": Path("run.json")}))
    assert own.command == "python -m app diagnose w.pt --config run.json --encoder mlp --encoder-knob depth=3"
    assert "config=Path('run.json'), encoder='mlp', knobs={'depth': 3}" in own.code
