"""Volumes: the files of a series as one array on a regular grid, or a named refusal; never a guess."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpc.lazy import lazily

if TYPE_CHECKING:
    from catalog.volumes.errors import VOLUME_REASONS, VolumeError
    from catalog.volumes.load import MAX_VOXELS, load_volume, volume_from_rows
    from catalog.volumes.volume import Volume

__all__ = ["MAX_VOXELS", "VOLUME_REASONS", "Volume", "VolumeError", "load_volume", "volume_from_rows"]

__getattr__ = lazily(
    __name__,
    {
        "MAX_VOXELS": "load",
        "VOLUME_REASONS": "errors",
        "Volume": "volume",
        "VolumeError": "errors",
        "load_volume": "load",
        "volume_from_rows": "load",
    },
)
