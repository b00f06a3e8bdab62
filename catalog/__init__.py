"""Knows images: what a row is, how headers become rows, series, tables and their snapshots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from catalog.headers import read_header

__all__ = ["read_header"]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: importing the package loads nothing."""
    if name == "read_header":
        from catalog.headers import read_header

        return read_header
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
