"""The only file that touches session_state and the address."""

import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import streamlit as st
from streamlit.runtime import exists, get_instance
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.scriptrunner_utils.script_requests import ScriptRequestType

from app.address import Setup, default_setup, from_query, to_query
from app.clock import Clock
from app.files import ticket
from app.own_data import Upload
from models.examine import Report

_PAGE, _DUE = "page", "due-"
CROWD_S = 5.0  # whoever has not drawn for so long is not counted
ECHO_S = 3.0  # an echo comes as late as this on a busy machine
MESSAGE_S = 15.0  # a refusal stands on the page so long
_LIVE = "live"  # the address field that names the board of a live page


@dataclass
class PageState:
    """What one browser session looks at. Training itself belongs to the board, not to the session."""

    setup: Setup
    problems: tuple[str, ...] = ()
    board: str | None = None  # None: the stored recording is shown
    opened: float = field(default_factory=time.monotonic)
    linked: bool = False  # the address asked for something: start from it, not from the recording
    message: str = ""  # what was refused last
    refused: float = 0.0  # and when
    speed: float | None = None  # steps a second of a board to come; None: as fast as it goes
    drive: str = ""  # the button that stands on the page: Play or Pause
    seen: tuple[object, ...] = ()  # the moments of the lanes that were drawn last
    values: dict[str | int, Any] = field(default_factory=dict)  # of the controls, at the last tick
    draws: int = 0  # how often the panels were drawn: the first times not all at once
    ticket: str = field(default_factory=ticket)  # names the files that this session may fetch
    choices: dict[str, Any] = field(default_factory=dict)  # of controls that are not always drawn
    echoes: dict[str, float] = field(default_factory=dict)  # presses that came with a tick, and when
    ticking: set[str] = field(default_factory=set)  # the fragments that tick by themselves, as a run names them
    upload: Upload | None = None  # a file of data on the form
    held: str | None = None  # the board that was told of a brush
    brushes: int = 0  # brushes taken away: charts that show one are mounted anew
    passport: tuple[int, int] | None = None  # lane and id of the item whose passport is open
    map_held: Any = None  # the map as it stands while somebody draws on it
    own: Report | None = None  # the last examination of a loss written here
    own_drawn: Report | None = None  # the one that stands on the page
    added: int = 0  # lanes added so far: names the box that adds the next
    clock: Clock = field(default_factory=Clock)  # which step is shown
    round: int = 0  # grows when widgets must be built anew from the setup

    def refuse(self, reason: object) -> None:
        """Keep why a command was not carried out; a run of the page that is cut short must not lose it."""
        self.message, self.refused = str(reason), time.monotonic()

    def refusal(self) -> str:
        """What was refused last, for as long as it takes to read; then empty."""
        return self.message if time.monotonic() - self.refused < MESSAGE_S else ""


def page() -> PageState:
    """The page's state; the first call of a session reads the address."""
    if _PAGE not in st.session_state:
        query = {name: st.query_params.get_all(name) for name in st.query_params}
        board = query.pop(_LIVE, [None])[0]
        linked = bool(query)
        setup, problems = from_query(query) if linked else (default_setup(), ())
        st.session_state[_PAGE] = PageState(setup, problems, board, linked=linked)
    state: PageState = st.session_state[_PAGE]
    return state


def publish(setup: Setup, board: str | None) -> None:
    """Write the address, if it changed; the recording has none."""
    if board is None:
        wanted: dict[str, str | list[str]] = {}
    else:
        wanted = {**to_query(setup), _LIVE: board}
    present = {name: st.query_params.get_all(name) for name in st.query_params}
    if present != {name: value if isinstance(value, list) else [value] for name, value in wanted.items()}:
        st.query_params.from_dict(wanted)


def address_field(name: str) -> str | None:
    """A field of the address of a page other than the lab's."""
    return st.query_params.get(name)


def put_address_field(name: str, value: str | None) -> None:
    """Write such a field; None takes it away."""
    if value is None:
        st.query_params.pop(name, None)
    else:
        st.query_params[name] = value


def link(setup: Setup) -> str:
    """The part of an address after the question mark that restores this setup for somebody else."""
    return urlencode(to_query(setup), doseq=True)


@st.cache_resource
def _watchers() -> dict[str, str]:
    """Which session watches which board; in memory only."""
    return {}


def watched_elsewhere(board: str) -> bool:
    """True if another session, still connected, has this board open: then this one takes a copy."""
    context = get_script_run_ctx()
    mine = context.session_id if context is not None else ""
    other = _watchers().get(board, mine)
    return other != mine and exists() and get_instance().is_active_session(other)


def watch(board: str) -> None:
    """Say that this session watches the board."""
    context = get_script_run_ctx()
    if context is not None:
        _watchers()[board] = context.session_id


@st.cache_resource
def _drawing() -> dict[str, float]:
    """When each session drew last, by the monotonic clock; in memory only."""
    return {}


def crowd() -> int:
    """How many sessions, this one included, have drawn in the last seconds."""
    context, now, seen = get_script_run_ctx(), time.monotonic(), _drawing()
    if context is not None:
        seen[context.session_id] = now
    for session, last in list(seen.items()):
        if now - last > CROWD_S:
            seen.pop(session, None)
    return max(len(seen), 1)


def get(key: str, default: Any = None) -> Any:
    """A widget's value by key."""
    return st.session_state.get(key, default)


def known(key: str) -> bool:
    """True once anything was put there."""
    return key in st.session_state


def choice(key: str, default: Any) -> Any:
    """A widget's value by key, kept while the widget is not drawn: Streamlit forgets it then."""
    kept = page().choices
    if key in st.session_state:
        kept[key] = st.session_state[key]
    return kept.get(key, default)


def put(key: str, value: Any) -> None:
    """Set a widget's value before it is drawn."""
    st.session_state[key] = value


def dark() -> bool:
    """True if the browser shows the dark theme."""
    return getattr(st.context.theme, "type", "light") == "dark"


def fresh(key: str) -> bool:
    """False for the second delivery of one press, for buttons outside the fragment that ticks.

    A tick that leaves the browser just after a press carries the press too, and the press itself follows: what arrives
    with a tick counts, and the next delivery by itself is its echo.
    """
    context, now, echoes = get_script_run_ctx(), time.monotonic(), page().echoes
    if context is not None and page().ticking.issuperset(context.fragment_ids_this_run or ("the page",)):
        echoes[key] = now
        return True
    return now - echoes.pop(key, -ECHO_S) >= ECHO_S


def ticks() -> bool:
    """Called by the fragments that tick, so that `fresh` knows them; True if this one runs by itself."""
    context = get_script_run_ctx()
    alone = context is not None and len(context.fragment_ids_this_run or ()) == 1
    if context is not None and alone:
        page().ticking.update(context.fragment_ids_this_run or ())
    return alone


def touched() -> bool:
    """True if a control of the page has another value than at the last call."""
    values = {key: value for key, value in st.session_state.items() if key != _PAGE and not str(key).startswith(_DUE)}
    before, page().values = page().values, values
    return values != before


def asked_again() -> bool:
    """True while another run waits for this one to end.

    Streamlit lets a press of a fragment cut no other run short, and tells of it nowhere else.
    """
    context = get_script_run_ctx()
    requests = None if context is None else context.script_requests
    return requests is not None and requests._state is ScriptRequestType.RERUN


def due(key: str, seconds: float) -> bool:
    """True at most once in so many seconds, for things that a tick asks for."""
    now, key = time.monotonic(), f"{_DUE}{key}"
    if now - st.session_state.get(key, -seconds) < seconds:
        return False
    st.session_state[key] = now
    return True
