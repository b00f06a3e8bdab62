"""The features job: from series and their regions of interest to rows of IBSI features.

The steps, in order: plan (:mod:`~catalog.features.plan`), compute (:mod:`~catalog.features.compute`), gather
and commit (:mod:`~catalog.features.commit`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from catalog.features.job import FeatureOptions, FeatureReport, features

__all__ = ["FeatureOptions", "FeatureReport", "features"]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: importing the package loads nothing."""
    if name in __all__:
        from catalog.features import job

        return getattr(job, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
