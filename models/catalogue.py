"""The folder is the registry: a module under models/<package> that has a SPEC is offered; nothing is listed by hand."""

from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from pkgutil import iter_modules
from types import MappingProxyType
from typing import Any

from models.custom import REGISTER
from models.own_data import kept
from models.own_source import MIX, is_own

_WORDS = {"losses": "loss", "methods": "method", "data": "data set", "encoders": "encoder"}


@lru_cache
def discover(package: str) -> Mapping[str, Any]:
    """Map key to module for `losses`, `methods`, `data` or `encoders`.

    A module offers one part by SPEC, or several by `variants()`: a dict of keys to objects that look like a module.
    """
    folder = import_module(f"models.{package}")
    found: dict[str, Any] = {}
    for info in sorted(iter_modules(folder.__path__), key=lambda info: info.name):
        module = import_module(f"models.{package}.{info.name}")
        if hasattr(module, "variants"):
            found.update(module.variants())
        elif hasattr(module, "SPEC"):
            found[module.SPEC.key] = module
    return MappingProxyType(found)


def find(package: str, key: str) -> Any:
    """Return one part, or raise ValueError naming the keys there are; own parts and mixtures go by their keys."""
    if package == "losses" and key.startswith(MIX):
        return import_module("models.mixture").mixture(key)
    if package == "losses" and is_own(key):
        return REGISTER.find(key)
    if package == "data" and kept.is_own_data(key):
        return kept.find(key)
    parts = discover(package)
    if key not in parts:
        known = [name for name in parts if ":" not in name]
        raise ValueError(f"no {_WORDS[package]} called {key!r}; known: {', '.join(known)}")
    return parts[key]
