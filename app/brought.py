"""What was read from a user's files, in words and as plain values."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from models.reading.arrays import Arrays
from models.reading.doors import Brought
from models.reading.onnx import Port, Shapes
from models.reading.relevance import Judged
from models.reading.scores import ScoreTable
from models.reading.weights import TensorFacts, Weights

_SHOWN = 40  # tensors of a table on the screen


def plain(brought: Brought) -> dict[str, Any]:
    """JSON schema: name, door, notes [{code, text}], and of embeddings, scores, weights, shapes what there is.

    embeddings {rows, dimensions, classes, taken_of, array}; relevance {queries, documents, dimensions, judgements,
    relevant}; scores {pairs, matches}; weights [{name, shape, type, norm, mean, nan, infinite, zero, largest, smallest,
    effective_rank}]; shapes {opset, encoder {key, knobs},
    inputs, outputs, operators, tensors, parameters}. What is not defined is null.
    """
    told: dict[str, Any] = {"name": brought.name, "door": brought.door}
    told["notes"] = [{"code": note.code, "text": note.text} for note in brought.notes]
    if brought.arrays is not None:
        told["embeddings"] = _embeddings(brought.arrays)
    if brought.judged is not None:
        told["relevance"] = _judged(brought.judged)
    if brought.scores is not None:
        told["scores"] = _scores(brought.scores)
    if brought.weights is not None:
        told["weights"] = [_tensor(fact) for fact in brought.weights.tensors]
    if brought.shapes is not None:
        told["shapes"] = _shapes(brought.shapes)
    return told


def _embeddings(found: Arrays) -> dict[str, Any]:
    n, d = found.z.shape
    classes = len(found.classes) if found.y is not None else None
    return {"rows": n, "dimensions": d, "classes": classes, "taken_of": found.total, "array": found.array}


def _judged(found: Judged) -> dict[str, Any]:
    (n, d), m = found.queries.shape, len(found.documents)
    told = {"queries": n, "documents": m, "dimensions": d}
    return {**told, "judgements": len(found.grade), "relevant": int((found.grade > 0).sum())}


def _scores(found: ScoreTable) -> dict[str, Any]:
    return {"pairs": len(found.score), "matches": int(found.is_match.sum())}


def _tensor(fact: TensorFacts) -> dict[str, Any]:
    ends = (
        {"largest": fact.singular[0], "smallest": fact.singular[-1]}
        if fact.singular
        else {"largest": None, "smallest": None}
    )
    numbers = {"norm": fact.norm, "mean": fact.mean, **ends, "effective_rank": fact.effective_rank}
    finite = {key: value if value is not None and isfinite(value) else None for key, value in numbers.items()}
    counts = {"nan": fact.nan, "infinite": fact.infinite, "zero": fact.zero}
    return {"name": fact.name, "shape": list(fact.shape), "type": fact.type, **finite, **counts}


def _shapes(found: Shapes) -> dict[str, Any]:
    ports = {"inputs": [_port(port) for port in found.inputs], "outputs": [_port(port) for port in found.outputs]}
    rest = {"operators": found.operators, "tensors": found.tensors, "parameters": found.parameters}
    return {"opset": found.opset, "encoder": found.encoder, **ports, **rest}


def _port(port: Port) -> dict[str, Any]:
    return {"name": port.name, "type": port.type, "shape": None if port.shape is None else list(port.shape)}


def words(brought: Brought) -> list[str]:
    """Lines for the screen."""
    lines = [f"{brought.name}: {_first(brought)}"]
    if brought.weights is not None:
        lines += _table(brought.weights)
    if brought.shapes is not None:
        if brought.shapes.encoder is not None:
            knobs = ", ".join(f"{name} {value}" for name, value in brought.shapes.encoder["knobs"].items())
            lines.append(f"  encoder {brought.shapes.encoder['key']} ({knobs})")
        lines += [f"  {side} {_said(port)}" for side, ports in _sides(brought.shapes) for port in ports]
    return lines + [f"  {note}" for note in brought.notes]


def findings(told: Mapping[str, Any]) -> list[str]:
    """Lines of a diagnosis: scope, findings worst first, what was checked and what was not, metrics."""
    lines = [f"  {text}" for text in told["scope"]]
    for finding in told["findings"]:
        lines.append(f"{finding['severity'].upper()}  {finding['title']} ({finding['confidence']} confidence)")
        lines += [f"    {finding['sentence']}", f"    {finding['advice']}"]
    if not told["findings"]:
        lines.append("No finding.")
    lines.append(f"Checked without a finding: {', '.join(rule['title'] for rule in told['checked']) or 'nothing'}.")
    lines += [f"  not checked: {rule['title']}: {rule['why']}" for rule in told["not_checked"]]
    return [*lines, *(_metric(metric) for metric in told["metrics"]), *timeline(told["timeline"])]


def edits(told: Mapping[str, Any]) -> list[str]:
    """Lines of the edits of a head: every selection with its accuracy before and after."""
    lines = [
        f"Head pruned to {told['kept']} of {told['of']} dimensions: fidelity {_figure(told['fidelity'])}, "
        f"{_figure(told['correlated'])} of the mass of its components correlated."
    ]
    lines += [f"  {row['name']}: accuracy {_figure(row['accuracy'])}" for row in told["pruned"]]
    lines.append(f"Class {told['forget']} unlearnt:")
    return lines + [
        f"  {row['name']}: other classes {_figure(row['accuracy'])}, that class {_figure(row['forgotten'])}"
        for row in told["unlearnt"]
    ]


def _figure(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.3f}"


def timeline(told: Sequence[Mapping[str, Any]]) -> list[str]:
    """A table of checkpoints, oldest first: their main numbers, a star at the best of each, and their findings."""
    if not told:
        return []
    keys = [key for key in _ROW if any(key in one["metrics"] for one in told)]
    table = [["checkpoint", "step", *(told[0]["metrics"][key]["name"] for key in keys), "findings"]]
    for one in told:
        step = "" if one["step"] is None else f"{one['step']:,}"
        found = ", ".join(finding["title"] for finding in one["findings"]) or "none"
        table.append([one["name"], step, *(_cell(one, key) for key in keys), found])
    width = [max(len(row[place]) for row in table) for place in range(len(table[0]))]
    lines = ["  ".join(cell.ljust(wide) for cell, wide in zip(row, width, strict=True)).rstrip() for row in table]
    return ["Timeline, oldest first; * is the best:", *(f"  {line}" for line in lines)]


_ROW = ("auc", "recall_at_1", "map_at_r", "mrr", "ndcg_at_10", "proxy_accuracy", "uniformity", "effective_rank")


def _cell(one: Mapping[str, Any], key: str) -> str:
    value = one["metrics"].get(key, {}).get("value")
    return "–" if value is None else f"{value:.4g}{'*' if key in one['best_in'] else ''}"


def _metric(metric: Mapping[str, Any]) -> str:
    if metric["value"] is None:
        return f"  {metric['name']}  not defined: {metric['why']}"
    interval = "" if metric["low"] is None else f"  [{metric['low']:.4g}, {metric['high']:.4g}]"
    return f"  {metric['name']}  {metric['value']:.4g}{interval}"


def _first(brought: Brought) -> str:
    if brought.arrays is not None:
        n, d = brought.arrays.z.shape
        some = "" if n == brought.arrays.total else f" of {brought.arrays.total:,}"
        classes = "no labels" if brought.arrays.y is None else f"{len(brought.arrays.classes):,} classes"
        return f"{n:,}{some} rows of {d:,} dimensions, {classes}"
    if brought.judged is not None:
        told = _judged(brought.judged)
        sides = f"{told['queries']:,} queries and {told['documents']:,} documents of {told['dimensions']:,} dimensions"
        return f"{sides}, {told['judgements']:,} judgements, {told['relevant']:,} relevant"
    if brought.scores is not None:
        return f"{len(brought.scores.score):,} scores, {int(brought.scores.is_match.sum()):,} of matching pairs"
    if brought.shapes is not None:
        return (
            f"a model of {sum(brought.shapes.operators.values()):,} operators, {brought.shapes.parameters:,} parameters"
        )
    assert brought.weights is not None
    return f"{len(brought.weights.tensors):,} tensors"


def _sides(shapes: Shapes) -> tuple[tuple[str, tuple[Port, ...]], ...]:
    return ("takes", shapes.inputs), ("gives", shapes.outputs)


def _said(port: Port) -> str:
    shape = "of unknown shape" if port.shape is None else "(" + ", ".join(map(str, port.shape)) + ")"
    return f"{port.name} {shape} {port.type}"


def _table(weights: Weights) -> list[str]:
    width = max(len(fact.name) for fact in weights.tensors[:_SHOWN])
    lines = []
    for fact in weights.tensors[:_SHOWN]:
        norm = "not defined" if fact.norm is None else f"{fact.norm:.4g}"
        rank = (
            "" if fact.effective_rank is None else f"  effective rank {fact.effective_rank:.1f} of {len(fact.singular)}"
        )
        shape = "x".join(map(str, fact.shape)) or "one number"
        lines.append(f"  {fact.name:{width}}  {shape}  {fact.type}  norm {norm}{rank}")
    more = len(weights.tensors) - _SHOWN
    return [*lines, f"  and {more:,} more"] if more > 0 else lines
