"""What may stand in the text of an own loss, and what follows from it without running it: key, knobs, spec."""

import ast
import re
from hashlib import sha256
from math import isfinite

from models.spec import Knob, LossSpec, Paper, Value

OWN = "own:"
MIX = "mix:"  # a loss with this prefix is made from others: see models.mixture
MOST_CHARACTERS, MOST_KNOBS = 20_000, 12
IMPORTS = ("torch", "math", "typing", "jaxtyping", "models.geometry", "models.fused_softmax")
EXAMPLE = '''\
"""Softplus of the gap between every negative and the mean positive, at a temperature."""


def loss(scores, *, temperature=0.1, margin=0.0, reduction="mean"):
    """Push each negative below its anchor's mean positive."""
    pos, neg = scores.pos.to(scores.s.dtype), scores.neg.to(scores.s.dtype)
    pull = (scores.s * pos).sum(1, keepdim=True) / pos.sum(1, keepdim=True).clamp(min=1)
    gap = F.softplus((scores.s - pull + margin) / temperature) * neg
    total = (gap * (pos.sum(1, keepdim=True) > 0)).sum()
    return total / neg.sum().clamp(min=1) if reduction == "mean" else total
'''
_NAME = re.compile(r"[a-z][a-z0-9_]{0,30}")
_KEY = re.compile(rf"{OWN}{_NAME.pattern}-[0-9a-f]{{8}}")
_SMALL, _LARGE = 1e-6, 1e6  # of a knob's default


def is_own(key: str) -> bool:
    """True for a key of an own loss, known or not, and for a mixture that holds one."""
    return bool(own_terms(key))


def own_terms(key: str) -> list[str]:
    """The own losses that a key names: itself, or those among the terms of a mixture."""
    return [term for term in key.removeprefix(MIX).split("+") if term.startswith(OWN)]


def plain_name(key: str) -> str:
    """What its author called a loss; for a built-in one its key."""
    return key.removeprefix(OWN).rpartition("-")[0] if key.startswith(OWN) else key


def digest_of(text: str) -> str:
    """Eight hexadecimal digits that change with the code."""
    return sha256(_tidy(text).encode()).hexdigest()[:8]


def declare(text: str, name: str) -> tuple[str, LossSpec]:
    """The text as it is kept, and what it says of itself; raises ValueError naming line and remedy."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"a loss's name is 1 to 31 of a-z, 0-9 and _, a letter first; got {name[:40]!r}")
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"the code has {len(text)} characters; at most {MOST_CHARACTERS} are read")
    text = _tidy(text)
    tree = _parsed(text)
    functions = [node for node in tree.body if _checked(node) and isinstance(node, ast.FunctionDef)]
    losses = [node for node in functions if node.name == "loss"]
    if len(losses) != 1:
        raise ValueError(f"one function called loss is needed: def loss(scores, *, ...); found {len(losses)}")
    words = ast.get_docstring(losses[0]) or ast.get_docstring(tree) or "A loss of your own."
    said = _constants(tree)
    return text, LossSpec(
        key=f"{OWN}{name}-{digest_of(text)}",
        name=f"{name.replace('_', ' ')} (own)",
        family="own",
        reads="scores",
        paper=Paper("yourself", 0, name, status="your own code"),
        knobs=_knobs(losses[0]),
        formula=r"L(s)",
        when=re.sub(r"[^\w ,.;:()=+/-]", "", words.splitlines()[0])[:200],
        pitfall="Your own code: it was examined, not proven.",
        rowwise=False,
        one_tower=said.get("ONE_TOWER") is True,
        detached=str(said.get("DETACHED", "")),
    )


def _tidy(text: str) -> str:
    return text.replace("\r\n", "\n").rstrip() + "\n"


def _parsed(text: str) -> ast.Module:
    try:
        return ast.parse(text)
    except SyntaxError as error:
        where = f"Line {error.lineno}: " if error.lineno else ""
        raise ValueError(f"{where}{error.msg}.") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"the code cannot be read as Python: {error or type(error).__name__}") from None


def _checked(node: ast.stmt) -> bool:
    """True if such a statement may stand at the top; raises ValueError if it may not."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
        foreign = [name for name in names if not any(name == ours or name.startswith(f"{ours}.") for ours in IMPORTS)]
        if foreign:
            raise ValueError(f"Line {node.lineno}: import {foreign[0]} is not possible; use {', '.join(IMPORTS)}.")
        return True
    if isinstance(node, ast.FunctionDef) and not node.decorator_list:
        return True
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True
    if isinstance(node, ast.Assign) and _literal(node.value) is not None:
        return True
    raise ValueError(f"Line {node.lineno}: only imports, plain functions and constants stand beside the function loss.")


def _literal(node: ast.expr | None) -> object:
    """A constant's value; None if it is none."""
    try:
        return ast.literal_eval(node) if node is not None else None
    except (ValueError, TypeError):
        return None


def _constants(tree: ast.Module) -> dict[str, object]:
    assigned = [node for node in tree.body if isinstance(node, ast.Assign)]
    return {target.id: _literal(node.value) for node in assigned for target in node.targets if _is_name(target)}  # type: ignore[attr-defined]


def _is_name(node: ast.expr) -> bool:
    return isinstance(node, ast.Name)


def _knobs(function: ast.FunctionDef) -> tuple[Knob, ...]:
    """A knob for each keyword-only argument, with a range made from its default."""
    given = function.args
    if [item.arg for item in (*given.posonlyargs, *given.args)] != ["scores"] or given.defaults:
        raise ValueError(f"Line {function.lineno}: write def loss(scores, *, temperature=0.1): knobs come after the *.")
    if given.vararg or given.kwarg:
        raise ValueError(f"Line {function.lineno}: name every knob; *args and **kwargs tell no range.")
    if len(given.kwonlyargs) > MOST_KNOBS:
        raise ValueError(f"Line {function.lineno}: {len(given.kwonlyargs)} knobs; at most {MOST_KNOBS} are offered.")
    pairs = zip(given.kwonlyargs, given.kw_defaults, strict=True)
    return tuple(_knob(item, _literal(default), function) for item, default in pairs)


def _knob(item: ast.arg, default: object, function: ast.FunctionDef) -> Knob:
    if isinstance(default, bool):
        return Knob(item.arg, default, choices=(True, False))
    if isinstance(default, str):
        return Knob(item.arg, default, choices=_choices(item, default, function))
    if not isinstance(default, int | float):
        raise ValueError(f"Line {item.lineno}: knob {item.arg} needs a number, a text or True/False as its default.")
    if not isfinite(default) or not (default == 0 or _SMALL <= abs(default) <= _LARGE):
        raise ValueError(f"Line {item.lineno}: the default of {item.arg} must be 0 or from 1e-6 to 1e6 in size.")
    low, high, log = _range(item.arg, default)
    return Knob(item.arg, default, low, high, log=log)


def _range(name: str, default: float) -> tuple[float, float, bool]:
    """Low, high and whether steps are geometric: a tenth to ten times a positive number, both signs of others."""
    if default < 0:
        return 2 * default, -2 * default, False
    if isinstance(default, int):
        return (1, max(10 * default, 10), False) if default else (0, 10, False)
    if "margin" in name:
        return 0.0, max(2.0, 2 * default), False
    if default == 0.0:
        return -1.0, 1.0, False
    return float(f"{default / 10:.6g}"), float(f"{default * 10:.6g}"), True


def _choices(item: ast.arg, default: str, function: ast.FunctionDef) -> tuple[Value, ...]:
    """The texts of its Literal, or else those it is compared with in the body; the default first."""
    if isinstance(item.annotation, ast.Subscript):
        inside = item.annotation.slice
        texts = [_literal(node) for node in (inside.elts if isinstance(inside, ast.Tuple) else [inside])]
    else:
        compared = [node for node in ast.walk(function) if isinstance(node, ast.Compare)]
        texts = [
            _literal(side)
            for node in compared
            if any(isinstance(side, ast.Name) and side.id == item.arg for side in (node.left, *node.comparators))
            for side in (node.left, *node.comparators)
        ]
    return tuple(dict.fromkeys([default, *(text for text in texts if isinstance(text, str))]))
