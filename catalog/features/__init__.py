"""The features job: from series and their regions of interest to rows of IBSI features.

The steps, in order: plan (:mod:`~catalog.features.plan`), compute (:mod:`~catalog.features.compute`), gather
and commit (:mod:`~catalog.features.commit`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpc.lazy import lazily

if TYPE_CHECKING:
    from catalog.features.job import FeatureOptions, FeatureReport, features

__all__ = ["FeatureOptions", "FeatureReport", "features"]

__getattr__ = lazily(__name__, dict.fromkeys(__all__, "job"))
