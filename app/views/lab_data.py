"""The form for data of one's own: a file, the roles of its columns, what is taken and refused, and training on it."""

from functools import partial

import streamlit as st

from app import own_data, state
from app.live import Lab
from app.own_data import Upload
from app.startup import trained_on
from app.views import lab_export
from models.own_data import keeping
from models.own_data.assemble import Assembled
from models.own_data.fitting import fitted
from models.own_data.reader import SUFFIXES
from models.own_data.roles import ALLOWED, WORDS

FILE, KEPT = "mine-file", "mine-kept"
_REFUSED = 50  # rows listed


def form(lab: Lab) -> None:
    """Everything below the choice; lanes train on untouched until the press."""
    st.caption(
        "A csv, tsv, parquet, Arrow or npz file with a row for each item, or a zip with a folder of pictures for each "
        "class. Nothing leaves this machine."
    )
    _file(lab)
    lab_export.links(lab, ("A sample file (30 rows)", "sample.csv", "text/csv", own_data.sample))
    upload = lab.page.upload
    if upload is not None:
        _uploaded(lab, upload)
    _kept(lab)


def _file(lab: Lab) -> None:
    """Read a file once, when it comes; the form keeps it while the box is not drawn."""
    file = st.file_uploader("File", type=[suffix[1:] for suffix in SUFFIXES], key=FILE)
    if file is None or (lab.page.upload is not None and lab.page.upload.token == file.file_id):
        return
    with st.spinner(f"Reading {file.size / 1e6:.1f} MB", show_time=True):
        lab.page.upload = own_data.take(file.name, file.file_id, file.getvalue())


def _uploaded(lab: Lab, upload: Upload) -> None:
    if upload.columns is None:
        st.error(upload.problem)
        return
    shown = own_data.pictures(upload.columns)
    if shown is not None:
        st.image(list(shown), width=56)
    cells = own_data.preview(upload.columns)
    if cells:
        st.dataframe(cells, hide_index=True, height="content", key="mine-preview")
    _roles(upload)
    for note in upload.notes:
        st.caption(note)
    with st.spinner("Sorting the rows", show_time=True):  # a million take seconds
        made = upload.made()
    if isinstance(made, str):
        st.error(made)
    else:
        _taken(made)
    st.button(
        "Train on it",
        key="mine-train",
        type="primary",
        disabled=isinstance(made, str),
        on_click=partial(_train, lab, upload),
        help="Every lane starts anew with this data.",
    )


def _roles(upload: Upload) -> None:
    """A box for each column, twelve at most; the others in one line."""
    assert upload.columns is not None, "only a file that was read has roles"
    names = own_data.with_controls(upload.roles)
    with st.container(key="mine-roles"):
        halves = st.columns(2)
        for place, name in enumerate(names):
            allowed = ALLOWED[upload.columns.kinds[name]]
            key = f"mine-role-{upload.token[-8:]}-{place}-{upload.round}"
            halves[place % 2].selectbox(
                name[:60] or "(no name)",
                allowed,
                index=allowed.index(upload.roles[name]),
                format_func=WORDS.__getitem__,
                key=key,
                on_change=partial(_set_role, upload, name, key),
            )
    others = [name for name in upload.columns.names if name not in names]
    if others:
        st.caption(f"{len(others)} more columns: {own_data.summary(upload.roles, others)}")


def _set_role(upload: Upload, name: str, key: str) -> None:
    """Another role; boxes are built anew, since a role that only one column has leaves its last one."""
    upload.roles = upload.roles.with_role(name, str(state.get(key)))
    upload.round += 1


def _taken(made: Assembled) -> None:
    about = made.own.about
    classes = f"{len(about.classes):,} classes" if about.labelled else "no label: two views of an item are a pair"
    views = f", up to {about.views} rows each" if about.views > 1 else ""
    st.markdown(
        f"**{about.rows:,} rows taken**, {about.refused:,} refused: {about.items:,} items{views}; {classes}; "
        f"{about.train:,} items are trained on."
    )
    for note in made.notes:
        st.caption(note)
    if made.refused:
        with st.expander(f"Refused rows ({len(made.refused):,})"):
            rows = made.refused[:_REFUSED]
            st.dataframe(
                {"Line": [row.line for row in rows], "Why": [row.reason for row in rows]},
                hide_index=True,
                key="mine-refused",
            )
            if len(made.refused) > _REFUSED:
                st.caption(f"and {len(made.refused) - _REFUSED:,} more")


def _train(lab: Lab, upload: Upload) -> None:
    made = upload.made()
    if isinstance(made, str) or not state.fresh("mine-train"):
        return
    try:
        key = keeping.keep(made.own)
    except ValueError as error:
        lab.page.refuse(error)
        return
    _use(lab, key)


def _use(lab: Lab, key: str) -> None:
    """Every lane anew with this set; what cannot be is a message, and the lanes that are there train on."""
    try:
        lab.change(lab.setup().with_shared(**fitted(lab.setup().base, key)), play=True)
    except ValueError as error:
        lab.page.refuse(error)


def _kept(lab: Lab) -> None:
    """Sets that were trained on before; they stay until they are deleted."""
    sets = {one.key: one for one in keeping.listed()}
    if not sets:
        return
    total = sum(one.megabytes for one in sets.values())
    st.selectbox(
        f"Kept on this machine ({total:,.1f} MB)",
        list(sets),
        index=None,
        placeholder="Choose one to train on it again or to delete it",
        format_func=lambda key: f"{sets[key].name} · {sets[key].items:,} items · {key}",
        key=KEPT,
    )
    chosen = state.get(KEPT)
    if chosen not in sets:
        return
    with st.container(horizontal=True):
        st.button("Train on this set", key="mine-again", on_click=partial(_use, lab, chosen))
        in_use = trained_on(chosen)
        st.button(
            "Delete",
            key="mine-delete",
            disabled=in_use,
            on_click=partial(_delete, lab, chosen),
            help="A board of this server trains on it." if in_use else "Links and kept runs with it will not open.",
        )


def _delete(lab: Lab, key: str) -> None:
    if trained_on(key):
        lab.page.refuse("A board of this server trains on that set: give it other data first.")
        return
    keeping.delete(key)
