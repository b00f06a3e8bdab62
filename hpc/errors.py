"""The base of every error that Cohortium raises on purpose."""

from __future__ import annotations


class CohortiumError(Exception):
    """An error with a message for people: what, where, what was expected, what to do next."""


class UsageError(CohortiumError, ValueError):
    """The command or call was wrong; nothing was done (exit code 2)."""


class MissingError(CohortiumError, FileNotFoundError):
    """Something named does not exist."""


class ConflictError(CohortiumError, RuntimeError):
    """Another run changed or holds what this one needs."""


class InterruptedRunError(CohortiumError, RuntimeError):
    """The run stopped early on request and can be resumed (exit code 75)."""


class WorkerLostError(CohortiumError, ChildProcessError):
    """Worker processes end again and again without finishing anything, or cannot start at all."""


def in_words(error: OSError) -> str:
    """Return what the system says of a full disk, a missing right and the like, and where."""
    return f"{error.strerror or error}" + (f": {error.filename}" if error.filename else "")
