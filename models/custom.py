"""Losses that a user writes: read here as text and never run here; each is known by a key that names its source.

A process knows none of them until `allow` is called, as `serve --allow-custom-loss` does. The code itself is run by
models.own_code, which only a worker or an examination imports.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from models.own_source import declare, digest_of, own_terms, plain_name
from models.spec import LossSpec

OFF = (
    "Custom loss code is off on this server; on your own machine, start it with: "
    "python -m app serve --allow-custom-loss"
)


class Own:
    """One such loss, with the two things that a loss module has: SPEC and loss."""

    def __init__(self, text: str, spec: LossSpec, runs: bool) -> None:
        """runs: whether this process may run it."""
        self.text, self.SPEC = text, spec
        self._runs = runs
        self._function: Callable[..., Any] | None = None

    @property
    def loss(self) -> Callable[..., Any]:
        """The function itself; raises ValueError in a process that must not run it."""
        if not self._runs:
            raise ValueError("code of an own loss runs in a limited worker process only")
        if self._function is None:
            # It runs foreign text: no process comes here but a limited one.
            from models.own_code import function

            self._function = function(self.text, self.SPEC.key)
        return self._function


class Register:
    """What one process knows of such losses, by keys that are hashes of what they name: nothing in it ever changes."""

    def __init__(self) -> None:
        self.allowed = False
        self.folder: Path | None = None  # whose files are offered
        self._runs = False
        self._known: dict[str, Own] = {}
        self._joined: dict[str, Own] = {}

    def allow(self, folder: Path | None = None, *, runs: bool = False) -> None:
        """From now on such losses are read here; runs: and their code is run here, as in a worker."""
        self.allowed, self.folder, self._runs = True, folder, runs

    def add(self, text: str, name: str) -> Own:
        """Read a loss and know it from now on; raises ValueError saying what is wrong, or that this is off here."""
        if not self.allowed:
            raise ValueError(OFF)
        text, spec = declare(text, name)
        return self._known.setdefault(spec.key, Own(text, spec, self._runs))

    def join(self, own: Own) -> None:
        """Offer a loss that was examined, beside the built-in ones."""
        self._joined[own.SPEC.key] = own

    def joined(self) -> dict[str, LossSpec]:
        """What was examined and is offered, by key."""
        return {key: own.SPEC for key, own in self._joined.items()}

    def find(self, key: str) -> Own:
        """A loss that is known here; raises ValueError if it is not, or if such losses are off."""
        if not self.allowed:
            raise ValueError(OFF)
        if key not in self._known:
            raise ValueError(f"the code of {key} is not known here, and no link carries code: examine it here first")
        return self._known[key]

    def source(self, key: str, text: str) -> str:
        """The code that belongs to a loss's key, empty for a built-in; text that fits the key is taken in.

        Raises ValueError for a mixture of several own losses: a config holds the code of one.
        """
        own = list(dict.fromkeys(own_terms(key)))
        if not own:
            return ""
        if not self.allowed:
            raise ValueError(OFF)
        if len(own) > 1:
            raise ValueError(
                f"a mixture holds one loss of your own at most, got {len(own)}: write them as one function"
            )
        if text and digest_of(text) == own[0].rpartition("-")[2]:
            self.add(text, plain_name(own[0]))
        return self.find(own[0]).text


REGISTER = Register()
