"""Volumes: the files of a series as one array on a regular grid, or a named refusal; never a guess."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from catalog.volumes.errors import VOLUME_REASONS, VolumeError
    from catalog.volumes.load import MAX_VOXELS, load_volume, volume_from_rows
    from catalog.volumes.volume import Volume

__all__ = ["MAX_VOXELS", "VOLUME_REASONS", "Volume", "VolumeError", "load_volume", "volume_from_rows"]

_HOMES: Final = {
    "MAX_VOXELS": "load",
    "VOLUME_REASONS": "errors",
    "Volume": "volume",
    "VolumeError": "errors",
    "load_volume": "load",
    "volume_from_rows": "load",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: importing the package loads nothing."""
    if name in _HOMES:
        return getattr(import_module(f"catalog.volumes.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
