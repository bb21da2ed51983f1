"""All boards of a server, by ids that cannot be guessed: made, found, copied, paused when left, later released."""

import secrets
import threading
import time
from collections.abc import Mapping, Sequence

from models.engine.checkpoint import Keeper, Stored, last_packed, purge, stored, stored_ids
from models.engine.cluster import Engine
from models.engine.lanes import Kept
from models.engine.line import Line
from models.engine.player import Player
from models.engine.quota import QuotaError, check_lanes
from models.settings import Settings
from models.training.config import RunConfig

__all__ = ["Boards", "QuotaError"]
_CHECK_S = 1.0
_WATCHED_S = 15.0  # a page looks every second or two; a tab in the background may look less often


class Boards:
    """Thread-safe. A board that nobody looks at is paused after `idle_s`, and released after `forget_s`."""

    def __init__(self, engine: Engine, settings: Settings | None = None) -> None:
        self._engine, self._settings = engine, settings or engine.settings
        self._folder = self._settings.folder("boards")
        purge(self._folder, (), time.time())
        self._keeper = Keeper(self._folder)
        self._lock = threading.RLock()
        self._players: dict[str, Player] = {}
        self._seen: dict[str, float] = {}
        self._line = Line()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="boards", daemon=True)
        self._thread.start()

    def create(self, configs: Sequence[RunConfig]) -> Player:
        """A new board, paused at step 0; raises QuotaError if there is no room for it."""
        return self._open(secrets.token_hex(8), configs, {})

    def get(self, board_id: str) -> Player | None:
        """A board that is open here."""
        with self._lock:
            return self._players.get(board_id)

    def look(self, board_id: str) -> None:
        """Somebody looks at this board now."""
        with self._lock:
            if board_id in self._players:
                self._seen[board_id] = time.monotonic()

    def copy(self, board_id: str) -> Player:
        """A board of one's own with the same lanes at the same step, paused; raises ValueError if there is no such."""
        player = self.get(board_id) or self.restore(board_id)
        if player is None:
            raise ValueError("there is no such board any more")
        lanes = player.packed()
        kept = {index: (f"lane-{index}", packed) for index, (_, packed) in enumerate(lanes)}
        return self._open(secrets.token_hex(8), [config for config, _ in lanes], kept)

    def restore(self, board_id: str) -> Player | None:
        """Open a board from disk, paused at its last checkpoint; None if there is none.

        Raises ValueError if it is damaged, QuotaError if there is no room.
        """
        open_here = self.get(board_id)
        if open_here is not None:
            return open_here
        self._keeper.flush()
        found = stored(self._folder, board_id)
        if found is None:
            return None
        kept = {
            index: (lane, last_packed(self._folder, board_id, lane, config))
            for index, (lane, config) in enumerate(found.lanes)
        }
        return self._open(board_id, [config for _, config in found.lanes], kept)

    def wait(self, who: str) -> int:
        """Turns that somebody has to wait before a board of theirs may train; 0: now, and `leave` once it does.

        Ask every second or two: who does not ask loses the place.
        """
        return self._line.place(who, self._settings.boards - self._training())

    def leave(self, who: str) -> None:
        """They wait no longer."""
        self._line.leave(who)

    def open_ids(self) -> list[str]:
        """Boards that are open here."""
        with self._lock:
            return list(self._players)

    def listed(self) -> list[Stored]:
        """Boards on disk that can be restored, the last written first; damaged ones are left out."""
        self._keeper.flush()
        boards = []
        for board_id in stored_ids(self._folder):
            try:
                boards.append(stored(self._folder, board_id))
            except ValueError:
                continue
        return [board for board in boards if board is not None]

    def release(self, board_id: str) -> None:
        """Close a board here; its checkpoint stays on disk."""
        with self._lock:
            player = self._players.pop(board_id, None)
            self._seen.pop(board_id, None)
        if player is not None:
            player.close()

    def close(self) -> None:
        """Pause and keep all boards, then end."""
        self._closed.set()
        self._thread.join(5.0)
        for board_id in self.open_ids():
            self.release(board_id)
        self._keeper.close()

    def _open(self, board_id: str, configs: Sequence[RunConfig], kept: Mapping[int, Kept]) -> Player:
        check_lanes(self._settings, configs)
        self._make_room()
        with self._lock:
            if board_id in self._players:
                return self._players[board_id]
            player = Player(self._engine, board_id, configs, keeper=self._keeper, admit=self._admit, kept=kept)
            self._players[board_id] = player
            self._seen[board_id] = time.monotonic()
        return player

    def _make_room(self) -> None:
        """Release the board that was left longest ago, if all places are taken; QuotaError if all are in use."""
        with self._lock:
            if len(self._players) < self._settings.sessions:
                return
            now = time.monotonic()
            left = [key for key, seen in self._seen.items() if now - seen > self._settings.idle_s]
        if not left:
            raise QuotaError(f"All {self._settings.sessions} places on this server are taken; try again later.")
        self.release(min(left, key=lambda key: self._seen[key]))

    def _training(self) -> int:
        with self._lock:
            return sum(player.training for player in self._players.values())

    def _admit(self) -> None:
        training = self._training()
        if training >= self._settings.boards:
            raise QuotaError(f"{training} boards are training now, as many as this server takes; pause one first.")

    def _watch(self) -> None:
        """See to boards that nobody looks at."""
        while not self._closed.wait(min(_CHECK_S, self._settings.idle_s / 4)):
            now = time.monotonic()
            with self._lock:
                ages = {key: now - seen for key, seen in self._seen.items()}
            self._give_way(ages)
            for board_id, age in ages.items():
                player = self.get(board_id)
                if player is not None and age > self._settings.forget_s:
                    self.release(board_id)
                elif player is not None and age > self._settings.idle_s and player.training:
                    player.rest()

    def _give_way(self, ages: Mapping[str, float]) -> None:
        """Boards that nobody looks at train on, but slowly while somebody looks at another one that trains."""
        players = {key: player for key in ages if (player := self.get(key)) is not None}
        watched = any(ages[key] < _WATCHED_S and player.training for key, player in players.items())
        for key, player in players.items():
            player.gives_way = watched and ages[key] >= _WATCHED_S
