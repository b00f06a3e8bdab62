"""The levels of the DICOM model as a cohort counts them, in one table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

UNITS: Final = ("instances", "series", "studies", "patients")


@dataclass(frozen=True, slots=True)
class Level:
    """A level that a cohort's rows may have.

    Attributes
    ----------
    name : str
        Its name in a definition.
    view : str
        The view whose rows it has, and the unit in which they are counted.
    key : tuple of str
        Columns that tell its rows apart; site is one of them, as identity is per site.
    within : tuple of (str, str)
        Each finer unit, and the column that says how many of it a row holds.
    """

    name: str
    view: str
    key: tuple[str, ...]
    within: tuple[tuple[str, str], ...] = ()

    @property
    def coarser(self) -> tuple[Level, ...]:
        """The levels above it."""
        order = tuple(LEVELS.values())
        return order[order.index(self) + 1 :]


_ROWS: Final = (
    Level("instance", "instances", ("site", "SOPInstanceUID", "uid_version")),
    Level("series", "series", ("site", "SeriesInstanceUID"), (("instances", "n_instances"),)),
    Level(
        "study",
        "studies",
        ("site", "StudyInstanceUID"),
        (("instances", "n_instances"), ("series", "n_series")),
    ),
    Level(
        "patient",
        "patients",
        ("site", "PatientKey"),
        (("instances", "n_instances"), ("series", "n_series"), ("studies", "n_studies")),
    ),
)
LEVELS: Final = {level.name: level for level in _ROWS}

# What tells the members of a level apart within a site.
MEMBER: Final = {"series": "SeriesInstanceUID", "study": "StudyInstanceUID", "patient": "PatientKey"}
