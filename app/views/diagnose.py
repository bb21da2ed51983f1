"""Diagnose: three doors for a checkpoint of one's own, and what is wrong with it, worst first."""

from collections.abc import Callable
from functools import partial
from typing import Any

import streamlit as st

from app import state
from app.background import questions
from app.brought import words
from app.diagnosing import Asked, Case, Given
from app.views import diagnose_more, diagnose_result
from models.catalogue import discover, find
from models.checkpoint.planted import SAMPLES
from models.engine import diagnosing
from models.reading import arrays, encoder, onnx, relevance, table
from models.reading.doors import Brought
from models.spec import Knob, Value

CASE, SAMPLE = "diagnose-case", "diagnose-sample"
POLL_S = 0.4
UNKNOWN = "Unknown"
ASKED_KNOBS = ("temperature", "margin")  # of a loss, asked for on the page; others have their default
DOORS = {"embeddings": "Embeddings", "scores": "Scores only", "model": "Model + data"}
SENTENCES = {
    "embeddings": "One row an item, and which belong together: labels, pairs, or queries with relevant documents.",
    "scores": "A table with a score for each pair and whether the pair matches: histogram, ROC and threshold.",
    "model": "An ONNX file, or weights of an encoder of the lab, and what it shall embed; without data, its report.",
}
FILES = {
    "embeddings": ("Embeddings", [*arrays.ACCEPTED, ".pt"]),
    "scores": ("Scores", list(table.ACCEPTED)),
    "model": ("Model", [*onnx.ACCEPTED, *encoder.ACCEPTED]),
}
_QRELS = [*relevance.JUDGEMENTS, ".qrels", ".trec", ".txt"]
BESIDE: dict[str, tuple[tuple[str, str, list[str]], ...]] = {
    "embeddings": (
        ("labels", "Labels, if they are in another file", list(arrays.ACCEPTED)),
        ("pairs", "Or pairs of rows, and whether each matches", list(table.ACCEPTED)),
        ("relevance", "Or relevance of documents to queries: query, document, grade", _QRELS),
        ("documents", "Documents, if the queries are in another file", list(relevance.ACCEPTED)),
    ),
    "scores": (),
    "model": (
        ("data", "Data for it", list(onnx.DATA)),
        ("labels", "Labels, if they are in another file", list(arrays.ACCEPTED)),
        ("config", "Config of the run (run.json, or Configs of the lab), of weights alone", list(encoder.CONFIG)),
        ("proxies", "Class weights, if they are in another file", list(encoder.PROXIES)),
    ),
}
MORE = {
    "embeddings": "Labels, pairs, relevance or documents in another file; other checkpoints",
    "scores": "Other checkpoints",
    "model": "Data to embed, labels, config or encoder of weights, other checkpoints",
}
Brings = tuple[str, Callable[[], Given]]  # a name that tells these files from others, and the files
STYLE = """
.stMainBlockContainer { padding-bottom: 2rem; }
.files a { margin-right: 1rem; }
[class*="st-key-finding-"] p, [class*="st-key-diagnose"] p { overflow-wrap: anywhere; }
[class*="st-key-finding-"] { font-size: 0.92rem; }
"""


def page() -> None:
    """Doors, what was read, and what was found."""
    st.html(f"<style>{STYLE}</style>")
    if not state.known(SAMPLE) and state.address_field("sample") == "embeddings":
        state.put(SAMPLE, "embeddings")  # a link that shows at once what comes out here
    st.markdown("### Diagnose a checkpoint of your own")
    st.caption("Is the model sick, and is it the loss? Nothing leaves this machine.")
    door = str(
        st.segmented_control(
            "What you have",
            list(DOORS),
            format_func=DOORS.__getitem__,
            default="embeddings",
            key="diagnose-door",
            label_visibility="collapsed",
            required=True,
        )
    )
    st.markdown(SENTENCES[door])
    given = _files(door)
    asked = _loss() if door != "scores" else Asked()
    case = _case(given, asked)
    if case is not None:
        _shown(case)


def _files(door: str) -> Brings | None:
    """What lies in the boxes, or the sample that was pressed."""
    label, kinds = FILES[door]
    types = [kind[1:] for kind in kinds]
    with st.container(key="diagnose-files"):
        main = st.file_uploader(label, types, key=f"diagnose-file-{door}", on_change=_drop_sample)
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button("Try a sample", key=f"diagnose-try-{door}", on_click=partial(state.put, SAMPLE, door),
                      help="A small encoder trained here on digits, with a fault planted in it.")  # fmt: skip
            st.caption("More than 200 MB: `python -m app diagnose FILE --out DIR` reads it without this page.")
        with st.expander(MORE[door], key=f"diagnose-more-{door}"):
            beside = {role: st.file_uploader(said, [kind[1:] for kind in accepted], key=f"diagnose-{role}-{door}")
                      for role, said, accepted in BESIDE[door]}  # fmt: skip
            named = _encoder() if door == "model" else ""
            others = st.file_uploader(
                "Other checkpoints of the same items, oldest first: before and after, or A and B",
                types,
                accept_multiple_files=True,
                key=f"diagnose-against-{door}",
            )
    if state.get(SAMPLE) == door:
        return _sample(door)
    if main is None:
        return None
    given = {role: box for role, box in beside.items() if box is not None}
    token = "/".join([door, named, main.file_id, *(box.file_id for box in (*given.values(), *others))])
    return token, lambda: Given(
        _content(main),
        "" if door == "embeddings" else door,
        {role: _content(box) for role, box in given.items()},
        tuple(map(_content, others)),
        named,
    )


def _encoder() -> str:
    """The encoder that weights belong to, where no config says it; empty: none was chosen."""
    chosen = st.selectbox(
        "Or the encoder that the weights belong to",
        ["", *discover("encoders")],
        format_func=lambda key: find("encoders", key).SPEC.name if key else "Its config says it, or it is ONNX",
        key="diagnose-encoder",
        help="Its sizes are read from the weights.",
    )
    return str(chosen or "")


def _content(box: Any) -> tuple[str, bytes]:
    return box.name, box.getvalue()


def _drop_sample() -> None:
    state.put(SAMPLE, None)


def _sample(door: str) -> Brings | None:
    """The sample, made once by a side worker however many sessions press it."""
    assert door in SAMPLES
    answer = questions().ask(("diagnose-sample", door), diagnosing.sample, lambda: (door,))
    if answer.problem:
        st.error(answer.problem)
    if answer.pending:
        st.caption("A side worker trains the sample's encoder.")
        diagnose_more.wait()
    if answer.value is None:
        return None
    files = list(answer.value.items())
    beside = {"data": files[1]} if len(files) > 1 else {}
    return f"sample/{door}", lambda: Given(files[0], "" if door == "embeddings" else door, beside)


def _loss() -> Asked:
    """Which loss it was trained with; unknown keeps going."""
    keys = [key for key, module in discover("losses").items() if module.SPEC.reads == "scores" and ":" not in key]
    with st.container(horizontal=True, vertical_alignment="bottom", key="diagnose-loss-form"):
        chosen = st.selectbox(
            "Trained with",
            [UNKNOWN, *keys],
            format_func=lambda key: key if key == UNKNOWN else find("losses", key).SPEC.name,
            key="diagnose-loss",
            help="Its reference levels and the weight of every pair become known. Unknown is fine.",
        )
        if chosen in (None, UNKNOWN):
            return Asked()
        knobs: list[tuple[str, Value]] = []
        for knob in find("losses", str(chosen)).SPEC.knobs:
            if knob.name in ASKED_KNOBS:
                knobs.append((knob.name, _number(str(chosen), knob)))
        batch = int(
            st.number_input("Batch", 0, 65536, 0, key="diagnose-batch", help="Items of a batch; 0 if you do not know.")
        )
    return Asked(str(chosen), (*knobs, *((("batch", batch),) if batch >= 2 else ())))


def _number(loss: str, knob: Knob) -> float:
    low, high, default = (float(end) for end in (knob.low or 0.0, knob.high or 1.0, knob.default))
    return float(
        st.number_input(
            knob.name.capitalize(), low, high, default, step=(high - low) / 100, format="%.4g",
            key=f"diagnose-{knob.name}-{loss}", help=knob.help,
        )
    )  # fmt: skip


def _case(given: Brings | None, asked: Asked) -> Case | None:
    """The session's case: a new one for other files, measured anew for another loss."""
    token, case = state.get(CASE, (None, None))
    if given is None:
        if case is not None:
            case.cancel()
        state.put(CASE, (None, None))
        return None
    if token != given[0]:
        if case is not None:
            case.cancel()
        case = Case(given[1](), asked)
        state.put(CASE, (given[0], case))
    elif case.asked != asked:
        case.measure(asked)
    found: Case = case
    return found


def _shown(case: Case) -> None:
    case.poll()
    if case.problem or case.cancelled:
        _stopped(case)
    if case.pending:
        _progress(case)
    if case.facts:
        st.markdown("\n".join(f"- **{name}**: {diagnose_result.plain(value)}" for name, value in case.facts))
    if case.brought is not None:
        _read(case, case.brought)
    if case.result is not None:
        diagnose_result.show(case, case.result)


def _stopped(case: Case) -> None:
    """Why there is no newer result, and the way to go on."""
    if case.problem:
        st.error(diagnose_result.plain(case.problem))
    else:
        st.info("Cancelled. What was shown stays.")
    if case.material is not None:
        st.button("Measure again", key="diagnose-again", on_click=partial(case.measure, case.asked))


def _read(case: Case, brought: Brought) -> None:
    """What the reader remarked; of weights, and of a model without data, all there is."""
    for note in brought.notes:
        st.caption(diagnose_result.plain(str(note)))
    if case.read_only:
        st.code("\n".join(words(brought)), language=None)
        st.caption("This is all that can be told without embeddings: give data, or a matrix named `embeddings`.")


def _progress(case: Case) -> None:
    """What is being done, with a way to stop it; the page is drawn anew when there is something to show."""
    began = (case.material is None, case.result)

    @st.fragment(run_every=POLL_S)
    def look() -> None:
        if case.poll() or (case.material is None, case.result) != began:
            st.rerun()
        what, share = case.doing()
        with st.container(horizontal=True, vertical_alignment="center", key="diagnose-progress"):
            st.progress(min(share, 1.0), text=diagnose_result.plain(what))
            st.button("Cancel", key="diagnose-cancel", on_click=case.cancel)

    look()
