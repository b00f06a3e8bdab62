"""Asks questions: definitions, attrition, policy, export, and the root command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpc.lazy import lazily

if TYPE_CHECKING:
    from cohorts.access import Catalog, open_catalog
    from cohorts.cohort import Cohort, CohortSet
    from cohorts.definition import Definition, Rule, Select
    from cohorts.engine import Limits

__all__ = [
    "Catalog",
    "Cohort",
    "CohortSet",
    "Definition",
    "Limits",
    "Rule",
    "Select",
    "export",
    "open_catalog",
]

__getattr__ = lazily(
    __name__,
    {
        "Catalog": "access",
        "Cohort": "cohort",
        "CohortSet": "cohort",
        "Definition": "definition",
        "Limits": "engine",
        "Rule": "definition",
        "Select": "definition",
        "open_catalog": "access",
    },
)


def __dir__() -> list[str]:
    return sorted(__all__)
