"""The row of checkpoints as a picture: valid, constant, and true to the numbers."""

import json
from typing import Any

import pytest

from components.panels import export, timeline


def moment(
    name: str, step: int | None, auc: float | None, severities: tuple[str, ...] = (), **more: Any
) -> dict[str, Any]:
    findings = [{"key": s, "title": s.capitalize(), "severity": s, "confidence": "high"} for s in severities]
    metrics = {"auc": {"name": "AUC", "value": auc, "low": None if auc is None else auc - 0.1, "high": auc}}
    metrics["uniformity"] = {"name": "Uniformity", "value": 2.0, "low": None, "high": None}
    return {"name": name, "step": step, "metrics": metrics, "best_in": [], "findings": findings, **more}


ROW = [
    moment("a", 10, 0.6, ("info", "serious")),
    moment("b", 200, None),
    moment("c", 3000, 0.9, ("warning",), best_in=["auc"]),
]


def test_rows_are_the_numbers_and_the_worst_findings() -> None:
    found = timeline.rows(ROW)
    values = found[found["kind"] == "value"]
    assert values[["x", "value", "low", "high"]].values.tolist() == [[10, 0.6, 0.5, 0.6], [3000, 0.9, 0.8, 0.9]]
    worst = found[found["kind"] == "worst"]
    assert list(zip(worst["x"], worst["worst"], worst["findings"], strict=True)) == [
        (10, "serious", "Info, Serious"), (200, "none", "none"), (3000, "warning", "Warning"),
    ]  # fmt: skip


def test_without_steps_the_axis_counts() -> None:
    row = [{**one, "step": None} for one in ROW]
    assert sorted(set(timeline.rows(row)["x"])) == [1, 2, 3]
    assert "checkpoint, oldest first" in json.dumps(timeline.spec(timeline.has_steps(row)))
    assert "checkpoint, oldest first" not in json.dumps(timeline.spec(timeline.has_steps(ROW)))


def test_words_and_table() -> None:
    assert timeline.sentence(ROW) == "3 checkpoints, a to c. AUC: 0.6 at first, 0.9 at last, best at c."
    assert timeline.sentence([]) == "Checkpoints in a row: there is one alone."
    told = timeline.table(ROW)
    assert list(told.columns) == ["checkpoint", "step", "AUC", "Uniformity", "findings"]
    assert told["findings"].tolist() == ["Info (info); Serious (serious)", "none", "Warning (warning)"]
    assert len(timeline.table([])) == 0


@pytest.mark.parametrize("row", [ROW, ROW[:1], []])
def test_the_picture_is_drawn(row: list[dict[str, Any]]) -> None:
    assert export.png(timeline.figure(row))[:4] == b"\x89PNG"
    json.dumps(timeline.rows(row).to_dict(orient="records"), allow_nan=False)
