"""Options of the command line to the JSON object that RunConfig checks."""

import argparse
import json
import os
from dataclasses import fields
from pathlib import Path
from typing import Any

from app.cli import Refused
from models.training.config import Part, RunConfig

CONFIG_BYTES = 1_000_000
PARTS = {field.name: field.default.key for field in fields(RunConfig) if isinstance(field.default, Part)}
_EXCLUDES = {
    "config": ("resume", "loss", "data", "label", "method"),
    "resume": ("loss", "data", "label", "method", "steps", "seed", "out"),
}


def exclusive(args: argparse.Namespace) -> None:
    """Raise Refused if two options contradict each other."""
    for first, others in _EXCLUDES.items():
        for other in others:
            if getattr(args, first) is not None and getattr(args, other) is not None:
                raise Refused(f"--{first} and --{other} exclude each other (see python -m app train --help)")
    if args.resume is not None and args.set:
        raise Refused("--resume and --set exclude each other: a run goes on with the settings it was started with")
    if args.force and args.out is None:
        raise Refused("--force needs --out")


def raw_config(args: argparse.Namespace) -> dict[str, Any]:
    """The file, then --loss, --data, --method, --steps, --seed, then --set; raises Refused on what cannot be read."""
    raw = {} if args.config is None else read(Path(args.config))
    for name in ("loss", "data"):
        if getattr(args, name) is not None:
            raw[name] = getattr(args, name)
    if args.method is not None:
        raw["methods"] = args.method
    for name in ("steps", "seed"):
        if getattr(args, name) is not None:
            raw[name] = _value(getattr(args, name))
    for item in sorted(args.set, key=_is_knob):  # parts first, then their knobs
        _set(raw, item)
    return _with_own_file(args, raw)


def _with_own_file(args: argparse.Namespace, raw: dict[str, Any]) -> dict[str, Any]:
    """--data may name a file: only then is what reads it imported."""
    if args.data is None or not (Path(args.data).suffix or os.sep in args.data):
        if args.label is not None:
            raise Refused("--label needs --data FILE: it names the file's column that holds the class")
        return raw
    from app.own_file import with_file

    return with_file(raw, Path(args.data), args.label)


def read(path: Path) -> dict[str, Any]:
    """A JSON object from a file; raises Refused naming the file and what is wrong with it."""
    try:
        raw = json.loads(_text(path))
    except json.JSONDecodeError as error:
        raise Refused(f"--config {path} is not JSON: line {error.lineno}, column {error.colno}: {error.msg}") from None
    except ValueError as error:  # not UTF-8, or a number of thousands of digits
        raise Refused(f"--config {path} is not JSON: {error}") from None
    except RecursionError:
        raise Refused(f"--config {path} is no config: it is nested too deeply") from None
    if not isinstance(raw, dict):
        raise Refused(f"--config {path} must hold a JSON object, got {type(raw).__name__}")
    return raw


def _text(path: Path) -> str:
    """A regular file of limited size: a pipe or a device might never end."""
    if path.is_dir():
        raise Refused(f"--config {path} is a folder; a JSON file is needed")
    if not path.exists():
        raise Refused(f"--config {path}: no such file")
    if not path.is_file():
        raise Refused(f"--config {path} is not a regular file")
    try:
        if path.stat().st_size > CONFIG_BYTES:
            raise Refused(f"--config {path} has {path.stat().st_size} bytes; at most {CONFIG_BYTES} are read")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise Refused(f"--config {path} cannot be read: {error.strerror}") from None


def _is_knob(item: str) -> bool:
    return "." in item.partition("=")[0]


def _set(raw: dict[str, Any], item: str) -> None:
    name, equals, text = item.partition("=")
    if not equals or not name:
        raise Refused(f"--set needs NAME=VALUE, got {item!r}")
    where, dot, knob = name.partition(".")
    if not dot:
        raw[where] = text if where in PARTS else _value(text)
        return
    if where == "methods":
        _set_method(raw, item)
        return
    if where not in PARTS:
        raise Refused(f"--set {item}: {where!r} has no knobs; known: {', '.join(PARTS)}, methods.KEY")
    raw[where] = _with_knob(raw.get(where, PARTS[where]), knob, _value(text))


def _set_method(raw: dict[str, Any], item: str) -> None:
    """methods.KEY.KNOB=VALUE, for a method that the run has."""
    name, _, text = item.partition("=")
    _, _, rest = name.partition(".")
    key, _, knob = rest.partition(".")
    parts = raw.get("methods", [])
    if not isinstance(parts, list):
        return  # RunConfig says what is wrong
    keys = [part.get("key") if isinstance(part, dict) else part for part in parts]
    if not knob or key not in keys:
        raise Refused(f"--set {item}: needs methods.KEY.KNOB=VALUE and --method KEY; methods of this run: {keys}")
    at = keys.index(key)
    raw["methods"] = [*parts[:at], _with_knob(parts[at], knob, _value(text)), *parts[at + 1 :]]


def _with_knob(part: Any, knob: str, value: Any) -> Any:
    """A part with one more knob; what is no part is left to RunConfig, which says what is wrong."""
    part = {"key": part} if isinstance(part, str) else part
    if not isinstance(part, dict) or not isinstance(part.get("knobs", {}), dict):
        return part
    return {**part, "knobs": {**part.get("knobs", {}), knob: value}}


def _value(text: str) -> Any:
    """A number, true or false where the text is one in JSON, else the text: the knob decides what it accepts."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
