"""Errors of reading a single header."""

from __future__ import annotations

from typing import Final

from hpc.errors import CohortiumError

# Names of errors in the failures table that speak of the header; all others are the operating system's.
HEADER_FAULTS: Final = frozenset(
    {"DamagedHeader", "EmptyFile", "HeaderTooLong", "MissingIdentity", "TruncatedHeader"}
)


class HeaderError(CohortiumError, ValueError):
    """The file is DICOM, or may be, but its header cannot be read or does not say what it is."""


class NotDicomError(CohortiumError, ValueError):
    """The file is no DICOM instance."""


class UnreadableFileError(CohortiumError, OSError):
    """The operating system does not give the file's bytes."""
