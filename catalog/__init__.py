"""Knows images: what a row is, how headers become rows, series, tables, volumes, masks and features."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpc.lazy import lazily

if TYPE_CHECKING:
    from catalog.headers import read_header
    from catalog.masks import load_masks
    from catalog.radiomics import Settings, compute_features
    from catalog.volumes import load_volume

__all__ = ["Settings", "compute_features", "load_masks", "load_volume", "read_header"]

__getattr__ = lazily(
    __name__,
    {
        "Settings": "radiomics",
        "compute_features": "radiomics",
        "load_masks": "masks",
        "load_volume": "volumes",
        "read_header": "headers",
    },
)
