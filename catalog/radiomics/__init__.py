"""Radiomic features by the manual of the Image Biomarker Standardisation Initiative (IBSI)."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from catalog.radiomics.compute import EmptyRegionError, compute_features
    from catalog.radiomics.features import FEATURES, Feature
    from catalog.radiomics.settings import Settings

__all__ = ["FEATURES", "EmptyRegionError", "Feature", "Settings", "compute_features"]

_HOMES = {
    "FEATURES": "features",
    "Feature": "features",
    "Settings": "settings",
    "EmptyRegionError": "compute",
    "compute_features": "compute",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: importing the package loads nothing."""
    if name in _HOMES:
        return getattr(import_module(f"catalog.radiomics.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
