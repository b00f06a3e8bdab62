"""Convolutional image filters of IBSI 2: mean, Laws and Laplacian of Gaussian."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpc.lazy import lazily

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

__getattr__ = lazily(__name__, dict.fromkeys(__all__, "linear"))
