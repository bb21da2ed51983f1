"""What the lab looks like, beyond what Streamlit gives."""

STYLE = """
.stMainBlockContainer { padding-top: 1.6rem; padding-bottom: 2rem; }
.journeys { display: flex; gap: 1rem; flex-wrap: wrap; font-size: 0.875rem; }
.journeys a { color: inherit; text-decoration: underline; }
/* The first charts are to be seen without scrolling. */
.stMainBlockContainer > .stVerticalBlock { gap: 0.5rem; }
.stVerticalBlock:has(> .stLayoutWrapper .st-key-grid) { gap: 0.5rem; }
[class*="st-key-lane-"] { gap: 0.25rem; padding: 0.5rem 0.9rem; }
.stAppHeader { background: transparent; pointer-events: none; height: 2rem; }
.stAppHeader button { pointer-events: auto; }
.st-key-numbers, .st-key-confusion { overflow-x: auto; }
.spoken { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
.st-key-grid [data-testid="stHtml"]:has(.spoken) { position: absolute; }
.st-key-numbers table { font-size: 0.85rem; }
.st-key-confusion table { font-size: 0.75rem; }
.st-key-confusion td, .st-key-confusion th { padding: 0.15rem 0.35rem; }
/* The page ticks twice a second: that a script runs is not news. A lost connection is, and still shows. */
[data-testid="stStatusWidget"]:has([data-testid^="stStatusWidgetRunning"]) { visibility: hidden; }
.files { display: flex; gap: 0.5rem; flex-wrap: wrap; margin: 0; }
.files .file { border: 1px solid rgba(128, 128, 128, 0.6); border-radius: 0.5rem; padding: 0.3rem 0.7rem; }
.files .file { color: inherit; text-decoration: none; }
.files .file:hover, .files .file:focus-visible { border-color: #3457d5; text-decoration: underline; }
/* Contrast of 4.5 and more in both themes: the dark one's primary colour is for text, white does not suit it. */
.stButton button[kind="primary"] { background-color: #3457d5; border-color: #3457d5; }
.stButton kbd { opacity: 1; }
/* A tooltip of Streamlit's own draws its button twice, at every tick. */
.st-key-grid [class*="st-key-menu-"] { position: relative; }
.st-key-grid [class*="st-key-menu-"]:hover::after {
  content: "Options, table, files"; position: absolute; right: 0; top: 100%; z-index: 9; white-space: nowrap;
  padding: 0.1rem 0.5rem; border-radius: 0.3rem; font-size: 0.8rem; background: #262730; color: #fff;
}
@media (max-width: 640px) { .st-key-clock > .st-key-cursor { flex: 1 0 100%; } }
[data-testid="stCaptionContainer"] { opacity: 0.8; }
"""
