"""Radiomic features by the manual of the Image Biomarker Standardisation Initiative (IBSI)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpc.lazy import lazily

if TYPE_CHECKING:
    from catalog.radiomics.compute import EmptyRegionError, compute_features
    from catalog.radiomics.features import FEATURES, Feature
    from catalog.radiomics.settings import Settings

__all__ = ["FEATURES", "EmptyRegionError", "Feature", "Settings", "compute_features"]

__getattr__ = lazily(
    __name__,
    {
        "FEATURES": "features",
        "Feature": "features",
        "Settings": "settings",
        "EmptyRegionError": "compute",
        "compute_features": "compute",
    },
)
