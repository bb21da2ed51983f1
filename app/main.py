"""Page set-up and navigation. Nothing heavy is imported here: the first page must appear at once."""

import streamlit as st

from app import startup


def main() -> None:
    """Show what is being warmed until it is, then the lab."""
    st.set_page_config(page_title="Loss Lab", page_icon="🎯", layout="wide", initial_sidebar_state="collapsed")
    startup.warm()
    if not startup.ready():
        _warming()
        return
    from app.views import lab  # torch and the catalogue come with it, and they are warm only now

    st.navigation([st.Page(lab.page, title="Lab", default=True)], position="hidden").run()


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
