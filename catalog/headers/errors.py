"""Errors of reading a single header."""

from __future__ import annotations

from hpc.errors import CohortiumError


class HeaderError(CohortiumError, ValueError):
    """The file is DICOM, or may be, but its header cannot be read or does not say what it is."""


class NotDicomError(CohortiumError, ValueError):
    """The file is no DICOM instance."""


class UnreadableFileError(CohortiumError, OSError):
    """The operating system does not give the file's bytes."""
