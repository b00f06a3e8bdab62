"""Convolutional image filters of IBSI 2: mean, Laws and Laplacian of Gaussian."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from catalog.radiomics.filters.linear import (
        FILTERS,
        LaplacianOfGaussian,
        Laws,
        Mean,
        apply_filter,
        filter_from_table,
        filter_to_table,
    )

__all__ = [
    "FILTERS",
    "LaplacianOfGaussian",
    "Laws",
    "Mean",
    "apply_filter",
    "filter_from_table",
    "filter_to_table",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: importing the package loads nothing."""
    if name in __all__:
        return getattr(import_module("catalog.radiomics.filters.linear"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
