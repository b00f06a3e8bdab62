"""Standard words beside what hospitals write; rules are data in ``rules/``."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "Rules": "rulebook",
    "load_rules": "rulebook",
    "standardise": "words",
    "COLUMNS": "words",
    "report": "reporting",
}
__all__ = ["COLUMNS", "Rules", "load_rules", "report", "standardise"]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name in _HOMES:
        return getattr(import_module(f"catalog.vocabulary.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
