"""Asks questions: definitions, attrition, policy, export, and the root command line."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

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

_HOMES = {
    "Catalog": "access",
    "Cohort": "cohort",
    "CohortSet": "cohort",
    "Definition": "definition",
    "Limits": "engine",
    "Rule": "definition",
    "Select": "definition",
    "open_catalog": "access",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: importing the package loads nothing."""
    if name in _HOMES:
        return getattr(import_module(f"cohorts.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'cohorts' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
