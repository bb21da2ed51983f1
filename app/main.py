"""Page set-up and navigation. Nothing heavy is imported here: the first page must appear at once."""

import streamlit as st

from app import startup

# Room for the names of the pages, and pointers for them: the lab lets presses fall through the rest of the header.
STYLE = """
.stApp .stMainBlockContainer { padding-top: 2.8rem; }
.stApp .stAppHeader { height: 2.6rem; min-height: 2.6rem; background: transparent; pointer-events: none; }
.stApp .stAppHeader a, .stApp .stAppHeader button { pointer-events: auto; }
"""


def main() -> None:
    """Show what is being warmed until it is, then the page that the address names."""
    st.set_page_config(page_title="Loss Lab", page_icon="🎯", layout="wide", initial_sidebar_state="collapsed")
    startup.warm()
    pages = [
        st.Page(_lab, title="Lab", icon=":material/science:", default=True),
        st.Page(_lessons, title="Lessons", icon=":material/school:", url_path="lessons"),
        st.Page(_diagnose, title="Diagnose", icon=":material/troubleshoot:", url_path="diagnose"),
        st.Page(_catalogue, title="Catalogue", icon=":material/menu_book:", url_path="catalogue"),
    ]
    chosen = st.navigation(pages, position="top")
    st.html(f"<style>{STYLE}</style>")
    if startup.ready():
        chosen.run()
    else:
        _warming()


def _lab() -> None:
    from app.views import lab  # torch and the catalogue come with it, and they are warm only now

    lab.page()


def _catalogue() -> None:
    from app.views import catalogue  # the same

    catalogue.page()


def _diagnose() -> None:
    from app.views import diagnose  # the same

    diagnose.page()


def _lessons() -> None:
    from app.views import lessons  # the same

    lessons.page()


def _warming() -> None:
    st.title("Loss Lab")

    @st.fragment(run_every=0.5)
    def progress() -> None:
        stages = startup.progress()
        done = sum(finished for _, finished in stages)
        st.progress(done / max(len(stages), 1), text="Warming up: this happens once per start.")
        for what, finished in stages:
            st.markdown(f"{':material/check:' if finished else ':material/hourglass_empty:'} {what}")
        if startup.failure():
            st.error(startup.failure())
        elif startup.ready():
            st.rerun()

    progress()


main()
