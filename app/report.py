"""A diagnosis as one html file that opens without a server or a network: findings, panels that answer, how to repeat.

Panels are the lab's own, their library stands in the file. A press on a finding marks its pairs on every panel. The
same result gives the same bytes, but for the date.
"""

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.metadata import version
from math import isfinite
from typing import Any

import vl_convert

from app.report_page import PAGE, SCRIPT, STYLE
from components.panels import (
    class_matrix,
    embedding_map,
    pair_weights,
    roc_curve,
    score_histogram,
    spectrum,
    timeline,
    tradeoff,
)
from models.checkpoint.result import Result
from models.checkpoint.view import PANELS
from models.diagnostics.brushed import Brushed

MODULES: dict[str, Any] = {
    "score_histogram": score_histogram, "roc_curve": roc_curve, "embedding_map": embedding_map,
    "pair_weights": pair_weights, "class_matrix": class_matrix, "spectrum": spectrum, "tradeoff": tradeoff,
}  # fmt: skip
MARKED = ("score_histogram", "roc_curve", "pair_weights")  # panels that show a brush; the map shows its items
LIBRARIES = ("numpy", "torch", "scikit-learn", "altair", "vl-convert-python")
PRESS = "Point at a picture for numbers. Press a finding to mark it here."


@dataclass(frozen=True)
class Origin:
    """Where a result comes from, so that others can repeat it. Paths are as the code to repeat it shall open them."""

    code: str  # Python that ends with `result = ...`
    command: str  # the same as a line for a shell
    date: str  # ISO, of the day


def report(result: Result, origin: Origin) -> str:
    """The html."""
    told = result.told
    size = f"{told['size']:,} rows of {told['dim']:,} dimensions" if told["dim"] else f"{told['size']:,} scores"
    about = f"{size}. {' '.join(told['scope'])} Loss: {loss_said(told['loss'])}. {origin.date}"
    payload = json.dumps(_payload(result), sort_keys=True, allow_nan=False).replace("<", "\\u003c")
    data = f'<script type="application/json" id="report">{payload}</script>'
    return PAGE.substitute(
        title=escape(f"Diagnosis of {told['name']}"),
        style=STYLE,
        about=escape(about),
        findings=_findings(result),
        panels=_panels(result),
        rest=_rest(result, origin) + data,
        # An end tag inside the library would end its script.
        library=vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;").replace("</script", "<\\/script"),
        script=SCRIPT,
    )


def loss_said(loss: Mapping[str, Any] | None) -> str:
    """`infonce (temperature 0.1), batches of 128`, or `unknown`."""
    if loss is None:
        return "unknown"
    knobs = ", ".join(f"{name} {value}" for name, value in loss["knobs"].items())
    batch = "batch unknown" if loss["batch"] is None else f"batches of {loss['batch']}"
    return f"{loss['key']}{f' ({knobs})' if knobs else ''}, {batch}"


def shown_panels(result: Result) -> list[str]:
    """Panels that have something to draw of the first checkpoint."""
    return [name for name in PANELS if name not in result.views[0].absent]


def options(name: str, result: Result) -> dict[str, Any]:
    """What a panel is drawn with beside its summaries."""
    names = dict(enumerate(result.classes))
    if name == "embedding_map" and names:
        return {"names": names}
    return {"names": result.classes} if name == "class_matrix" and names else {}


def _payload(result: Result) -> dict[str, Any]:
    shown = [view.summary for view in result.views]
    panels = {name: _panel(name, result) for name in shown_panels(result)}
    if result.told["timeline"]:
        panels["timeline"] = _timeline(result.told["timeline"])
    said = {key: _said(mark.brushed, len(mark.items)) for key, mark in result.marks.items() if mark.brushed is not None}
    return {"panels": panels, "said": {**said, "": PRESS}, "checkpoints": [one.label for one in shown]}


def _said(brushed: Brushed, items: int) -> str:
    share = f", {brushed.share_of_push:.1%} of the push" if isfinite(brushed.share_of_push) else ""
    return f"Marked: {brushed.pairs:,} pairs of {items:,} items ({brushed.share_of_pairs:.2%} of all pairs{share})."


def _panel(name: str, result: Result) -> dict[str, Any]:
    module, shown = MODULES[name], [view.summary for view in result.views]
    if name == "embedding_map":
        return _map(result)
    rows = _values(module.rows(shown, **options(name, result)))
    spec = {**module.spec(), "background": "white", "data": {"name": "rows", "values": rows}}
    if name not in MARKED:
        return {"spec": spec}
    held = {
        key: _values(module.rows(shown, brushed=[mark.brushed]))
        for key, mark in result.marks.items()
        if mark.brushed is not None
    }
    return {"spec": spec, "held": held}


def _timeline(told: timeline.Told) -> dict[str, Any]:
    values = _values(timeline.rows(told))
    spec = timeline.spec(timeline.has_steps(told))
    return {"spec": {**spec, "background": "white", "data": {"name": "rows", "values": values}}}


def _map(result: Result) -> dict[str, Any]:
    """The map as small multiples, with a parameter that holds the marked items: the others fade."""
    shown = [view.summary for view in result.views]
    spec = embedding_map.figure(shown, columns=1, **options("embedding_map", result)).to_dict()
    inner = spec["spec"]
    inner |= {"width": 300, "height": 260}
    test = "length(held) === 0 || indexof(held, datum.item) >= 0"
    inner["encoding"]["opacity"] = {"condition": {"test": test, "value": 0.85}, "value": 0.07}
    spec |= {"background": "white", "params": [*spec.get("params", ()), {"name": "held", "value": []}]}
    return {"spec": spec, "marks": {key: list(mark.items) for key, mark in result.marks.items() if mark.items}}


def _values(rows: Any) -> list[dict[str, Any]]:
    """Rows without their empty cells, of which there are many."""
    return [
        {key: value for key, value in row.items() if value is not None and value == value}
        for row in rows.to_dict(orient="records")
    ]


def _findings(result: Result) -> str:
    told = result.told["findings"]
    if not told:
        return "<p><strong>No finding.</strong> What was looked at stands below.</p>"
    return "".join(_finding(one, result) for one in told)


def _finding(one: Mapping[str, Any], result: Result) -> str:
    mark = result.marks[one["key"]]
    head = f"<h3>{escape(one['title'])}</h3><p class='quiet'>{one['severity']}, {one['confidence']} confidence</p>"
    body = [
        f"<p>{escape(one['sentence'])}</p>",
        f"<p class='quiet'>{escape(measured_said(one))}</p>",
        f"<p><strong>Do:</strong> {escape(one['advice'])}</p>",
        f"<p><strong>What would change our mind:</strong> {escape(one['would_change'])}</p>",
    ]
    if mark.brushed is not None:
        body.append("<button type='button' aria-pressed='false'>Mark on the panels</button>")
    if mark.listed:
        most = f"{len(mark.listed):,} of {mark.total:,} {mark.about}"
        body.append(f"<details><summary>{most}</summary>{table(mark.listed)}</details>")
    else:
        body.append(f"<p class='quiet'>{escape(mark.about)}</p>")
    key = escape(one["key"])
    return f"<article class='finding {one['severity']}' data-key='{key}'>{head}{''.join(body)}</article>"


def measured_said(one: Mapping[str, Any]) -> str:
    """`mean cosine 0.97 [0.96, 0.98]; looked for beyond 0.95`."""
    value = "not defined" if one["value"] is None else f"{one['value']:.4g}"
    interval = "" if one["low"] is None or one["high"] is None else f" [{one['low']:.4g}, {one['high']:.4g}]"
    threshold = "" if one["threshold"] is None else f"; the threshold is {one['threshold']:.4g}"
    return f"{one['number']} {value}{interval}{threshold}"


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as an html table; columns are those of all rows."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(_cell(row.get(name)))}</td>' for name in columns)}</tr>" for row in rows
    )
    return f"<div class='wide' tabindex='0'><table><tr>{head}</tr>{body}</table></div>"


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "–" if value is None else str(value)


def _panels(result: Result) -> str:
    shown = [view.summary for view in result.views]
    drawn = [_figure(name, MODULES[name].TITLE, MODULES[name].sentence(shown)) for name in shown_panels(result)]
    absent = [
        f"<p class='quiet'><strong>{escape(name.replace('_', ' '))}</strong>: {escape(why)}</p>"
        for name, why in sorted(result.views[0].absent.items())
    ]
    row = result.told["timeline"]
    first = [_figure("timeline", timeline.TITLE, timeline.sentence(row))] if row else []
    return "".join([*first, *drawn, *absent])


def _figure(name: str, title: str, sentence: str) -> str:
    chart = f"<div class='chart' id='panel-{name}' role='img' aria-label='{escape(title)}'></div>"
    return f"<figure><h3>{escape(title)}</h3>{chart}<figcaption>{escape(sentence)}</figcaption></figure>"


def _rest(result: Result, origin: Origin) -> str:
    told = result.told
    parts = [
        ("What was brought", table([{"": name, "value": value} for name, value in result.facts])),
        ("Numbers", table([_metric(one) for one in told["metrics"]])),
        ("Checked, nothing found", table([_checked(one) for one in told["checked"]])),
        ("Not checked", table([{"what": one["title"], "why": one["why"]} for one in told["not_checked"]])),
        ("Notes of the reader", "".join(f"<p>{escape(note)}</p>" for note in told["notes"]) or "<p>None.</p>"),
        ("Repeat it", f"<pre>{escape(origin.command)}</pre><pre>{escape(origin.code)}</pre>"),
        ("Versions and fingerprint", table([{"": name, "value": value} for name, value in _versions(told)])),
    ]
    return "".join(f"<details open><summary>{title}</summary>{body}</details>" for title, body in parts)


def _metric(one: Mapping[str, Any]) -> dict[str, Any]:
    value = one["why"] if one["value"] is None else f"{one['value']:.4g}"
    interval = "" if one["low"] is None or one["high"] is None else f"[{one['low']:.4g}, {one['high']:.4g}]"
    return {"number": one["name"], "value": value, "95 % interval": interval, "over": one["scope"]}


def _checked(one: Mapping[str, Any]) -> dict[str, Any]:
    return {"what": one["title"], "measured": measured_said(one)}


def _versions(told: Mapping[str, Any]) -> list[tuple[str, str]]:
    known = [(name, version(name)) for name in LIBRARIES]
    return [("SHA-256 of the arrays", told["fingerprint"]), ("schema", told["schema"]),
            ("Python", platform.python_version()), *known]  # fmt: skip
