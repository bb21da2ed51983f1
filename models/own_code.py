"""The one place where text that a user wrote becomes code; only a worker or an examination, both limited, import it."""

import __future__

import math
from collections.abc import Callable
from typing import Any

import torch


def function(text: str, key: str) -> Callable[..., Any]:
    """The function `loss` of the text; torch, math and F (torch.nn.functional) are there without an import."""
    # Annotations are left unread, so that a name that stands only there needs no import.
    code = compile(text, f"<{key}>", "exec", flags=__future__.annotations.compiler_flag, dont_inherit=True)
    names: dict[str, Any] = {
        "__name__": "own_loss",
        "torch": torch,
        "math": math,
        "F": torch.nn.functional,
        "print": _drop,
    }
    exec(code, names)
    loss: Callable[..., Any] = names["loss"]
    return loss


def _drop(*_what: object, **_how: object) -> None:
    """Stands in for print: a worker has no screen, and a line a step would fill its log."""
