"""A method as a card: what it changes, formula, use, paper, knobs, pitfall, and a link that tries it out."""

from html import escape
from urllib.parse import urlencode

import streamlit as st

from components.widgets import loss_card
from models.catalogue import find
from models.spec import MethodSpec

CHANGES = {
    "candidates": "What anchors are compared with: the batch is no longer all.",
    "heads": "The embeddings: the loss reads what further heads make of them.",
    "scores": "The scores: rows are mixed, moved or gated before they are compared.",
}
MARGINS = "What is added to the loss of the logits; the scores stay as they are."
READS = {"scores": "pair scores", "embeddings": "embeddings", "logits": "logits"}
PLAIN = {"scores": "infonce", "logits": "cross_entropy", "embeddings": "arcface"}  # to be tried on, by what they read


def plain_loss(spec: MethodSpec) -> str:
    """Key of the loss on which a method is tried out."""
    return PLAIN[spec.reads[0]]


def lab_link(spec: MethodSpec) -> str:
    """Address of the lab with that loss, and beside it the same with this method."""
    loss = plain_loss(spec)
    return "/?" + urlencode([("lane", loss), ("lane", f"{loss};methods.{spec.key}")])


def changes(spec: MethodSpec) -> str:
    """What a method changes, in one sentence."""
    return CHANGES[spec.place] if spec.candidates else MARGINS


def card(key: str, spec: MethodSpec) -> None:
    """Draw it."""
    with st.container(border=True, key=f"card-method-{key}", height="stretch"):
        st.markdown(head(key, spec))
        st.html(
            f'<div class="foot"><p><a class="opens" href="{escape(lab_link(spec))}">Try it: '
            f"{escape(find('losses', plain_loss(spec)).SPEC.name)} with it and without</a></p></div>"
        )
        with st.expander("Paper, knobs, pitfall, convention"):
            st.markdown(details(spec))


def head(key: str, spec: MethodSpec) -> str:
    """What stands open on a card, as Markdown: name, badges, verification, what it changes, formula and use."""
    status = loss_card.status_of(spec)
    colour = loss_card.STATUS.get(status, "gray")
    reads = " or ".join(READS[kind] for kind in spec.reads)
    return (
        f"**{spec.name}** `{key}`\n\n:violet-badge[changes the {spec.place}] :gray-badge[before {reads}] "
        f":{colour}-badge[{status}] :gray-badge[{spec.paper.year}]\n\n:small[{spec.paper.status}]\n\n"
        f"**Changes.** {changes(spec)}\n\n$$\n{spec.formula}\n$$\n\n{spec.when}"
    )


def details(spec: MethodSpec) -> str:
    """What opens below a card, as Markdown."""
    return "\n\n".join(
        [
            loss_card.paper_of(spec.paper),
            f"**Verification.** {spec.paper.status}.",
            loss_card.knobs_of(spec.knobs),
            f"**Pitfall.** {spec.pitfall}",
            f"**Convention.** {spec.convention}",
        ]
    )
