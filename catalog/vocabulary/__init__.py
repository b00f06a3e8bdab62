"""Standard words beside what hospitals write; rules are data in ``rules/``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpc.lazy import lazily

if TYPE_CHECKING:
    from catalog.vocabulary.reporting import report
    from catalog.vocabulary.rulebook import Rules, load_rules
    from catalog.vocabulary.words import COLUMNS, standardise


__all__ = ["COLUMNS", "Rules", "load_rules", "report", "standardise"]

__getattr__ = lazily(
    __name__,
    {
        "Rules": "rulebook",
        "load_rules": "rulebook",
        "standardise": "words",
        "COLUMNS": "words",
        "report": "reporting",
    },
)
