"""Knows images: what a row is, how headers become rows, series, tables, volumes, masks and features."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from catalog.headers import read_header
    from catalog.masks import load_masks
    from catalog.radiomics import Settings, compute_features
    from catalog.volumes import load_volume

__all__ = ["Settings", "compute_features", "load_masks", "load_volume", "read_header"]

_HOMES = {
    "Settings": "radiomics",
    "compute_features": "radiomics",
    "load_masks": "masks",
    "load_volume": "volumes",
    "read_header": "headers",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: importing the package loads nothing."""
    if name in _HOMES:
        return getattr(import_module(f"catalog.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
