"""A loss as a card: formula, use, what it reads, paper, knobs, levels, relations, pitfall, status, curve and cost."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from components import theme
from components.panels import weight_picture
from models.shapes import SHAPES, shapes_of
from models.spec import TARGETS, Knob, LossSpec, MethodSpec, Paper

FAMILIES = {
    "softmax": "blue", "pair": "green", "triplet": "violet", "ranking": "orange", "proxy": "yellow",
    "classification": "gray",
}  # fmt: skip
STATUS = {"verified": "green", "partly": "orange", "second-hand": "orange", "unverified": "red", "standard": "green"}
OTHER_STATUS = "library"  # what comes from another library as it is
READS = {
    "scores": "Scores: cosines of pairs, with masks of positives and negatives.",
    "embeddings": "Embeddings with their labels.",
    "logits": "Logits",
}


_DATA = {"binary": "faces", "real": "rotation", "multilabel": "scenes", "preference": "choices"}


def status_of(spec: LossSpec | MethodSpec) -> str:
    """Verification in one word, a key of STATUS or OTHER_STATUS: the status text's first."""
    word = spec.paper.status.replace(",", " ").replace(";", " ").split()[0]
    return word if word in STATUS else OTHER_STATUS


def lab_link(key: str, target: str) -> str:
    """Address of the lab with this loss beside infonce; empty if no data set of the lab has such targets."""
    if target != "class" and target not in _DATA:
        return ""
    data = [("data", _DATA[target])] if target in _DATA else []
    beside = [] if key == "infonce" else [("lane", "infonce")]
    # Such a loss and infonce read the same items, the one their target and the other their class: both lanes have them.
    return "/?" + urlencode([*data, *beside, ("lane", key)])


def card(key: str, spec: LossSpec, fact: Mapping[str, Any] | None, reference_ms: float | None) -> None:
    """Draw it. fact: what was measured of the loss (models.facts), None while it is being measured."""
    with st.container(border=True, key=f"card-{slug(key)}", height="stretch"):
        st.markdown(head(key, spec))
        st.html(_foot(key, spec, fact, reference_ms))
        with st.expander("Paper, knobs, levels, relations, pitfall"):
            st.markdown(details(spec))


def slug(key: str) -> str:
    """The key as part of a CSS class."""
    return key.replace(":", "-")


def head(key: str, spec: LossSpec) -> str:
    """What stands open on a card, as Markdown: name, badges, verification, formula and use."""
    status = status_of(spec)
    colour = STATUS.get(status, "gray")
    badges = (
        f":{FAMILIES.get(spec.family, 'gray')}-badge[{spec.family}] :gray-badge[reads {spec.reads}] "
        f":{colour}-badge[{status}] :gray-badge[{spec.paper.year}]"
    )
    shown = "\n\n".join(f"$$\n{line}\n$$" for line in formula_lines(spec.formula))
    return f"**{spec.name}** `{key}`\n\n{badges}\n\n:small[{spec.paper.status}]\n\n{shown}\n\n{spec.when}"


def formula_lines(formula: str) -> list[str]:
    """A formula as the lines of a card: what it defines besides stands below it, and may break after a comma.

    Within a line KaTeX breaks after relations and operators by itself.
    """
    lines = formula.split(r",\quad")
    return [line.strip().replace(r",\ ", r",\ \allowbreak ") + "," * (line is not lines[-1]) for line in lines]


def _foot(key: str, spec: LossSpec, fact: Mapping[str, Any] | None, reference_ms: float | None) -> str:
    """Curve, cost and link."""
    link = lab_link(key, spec.target)
    opens = (
        f'<a class="opens" href="{escape(link)}">Open in the lab{"" if key == "infonce" else " beside InfoNCE"}</a>'
        if link
        else "<span>The lab has no data with such targets.</span>"
    )
    return (
        f'<div class="foot"><div class="curve">{_curve(spec, fact)}</div><p>{cost(fact, reference_ms)}</p>{opens}</div>'
    )


def _curve(spec: LossSpec, fact: Mapping[str, Any] | None) -> str:
    if fact is None:
        return "<span>Its weight curve is being measured.</span>"
    picture = weight_picture.picture(fact["curve"], spec.name)
    return picture or f"<span>No weight curve: {escape(str(fact['curve']['why_not']))}</span>"


def cost(fact: Mapping[str, Any] | None, reference_ms: float | None) -> str:
    """Cost of a step in words, as HTML."""
    if fact is None:
        return "The cost of a step is being measured."
    if fact["ms"] is None:
        return f"Cost of a step not measured: {escape(str(fact['why_no_cost']))}"
    if not reference_ms:
        return "The cost of a step, beside that of InfoNCE, is being measured."
    return f"A step costs {theme.number(fact['ms'], 2)} ms, {theme.number(fact['ms'] / reference_ms, 2)} × InfoNCE"


def details(spec: LossSpec) -> str:
    """What opens below a card, as Markdown."""
    reads = (
        READS[spec.reads]
        if spec.reads != "logits"
        else f"{TARGETS[spec.target][:1].upper()}{TARGETS[spec.target][1:]}."
    )
    parts = [
        paper_of(spec.paper),
        f"**Verification.** {spec.paper.status}.",
        f"**Reads.** {reads}",
        f"**Fits.** {'; '.join(SHAPES[shape][0] for shape in shapes_of(spec))}.",
        knobs_of(spec.knobs),
        f"**Reference levels.**{_list([f'{level.name}: {level.sentence}' for level in spec.levels])}",
        f"**Relations**, each shown by a test.{_list(list(spec.relations))}",
        f"**Pitfall.** {spec.pitfall}",
    ]
    if spec.convention:
        parts.append(f"**Convention.** {spec.convention}")
    if spec.cost:
        parts.append(f"**Cost.** {spec.cost}")
    if spec.detached:
        parts.append(f"**Held constant in the gradient.** {spec.detached}")
    return "\n\n".join(parts)


def paper_of(paper: Paper) -> str:
    """The paper as a line of Markdown, with year and link."""
    where = f" · [arXiv {paper.arxiv}](https://arxiv.org/abs/{paper.arxiv})" if paper.arxiv else ""
    equation = f"equation {paper.equation}" if paper.equation[:1].isdigit() else paper.equation
    return f"**Paper.** {paper.authors} ({paper.year}): *{paper.title}*{where}" + (f" · {equation}" if equation else "")


def knobs_of(knobs: Sequence[Knob]) -> str:
    """The knobs with what they accept, as a list in Markdown."""
    return f"**Knobs.**{_list([_knob(knob) for knob in knobs])}"


def _list(lines: list[str]) -> str:
    return "\n" + "\n".join(f"- {line}" for line in lines) if lines else " none"


def _knob(knob: Knob) -> str:
    unit = f" ({knob.unit})" if knob.unit else ""
    return f"`{knob.name}`{unit} = {knob.default}, {knob.allowed()}. {knob.help}".rstrip()
