"""Requests to stop: a batch system's warning or a user's Ctrl-C lets running tasks finish."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types import FrameType

STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)


class _Request:
    asked = False


def install() -> None:
    """Handle SIGTERM, SIGUSR1 and SIGINT as requests to stop; call it first thing in a command.

    Before it, each of these signals ends the process, and a batch system may send one during start-up.
    A second SIGINT raises KeyboardInterrupt: stop at once.
    """
    for each in STOP_SIGNALS:
        signal.signal(each, _note)


def ignore() -> None:
    """Leave the signals to another process: a manager decides for its worker processes."""
    for each in STOP_SIGNALS:
        signal.signal(each, signal.SIG_IGN)


def end_with_parent(*, wanted: bool) -> None:
    """Have the kernel kill this process when its parent dies, or no longer; Linux alone can (prctl(2))."""
    if sys.platform == "linux":
        import ctypes

        set_parent_death_signal = 1  # PR_SET_PDEATHSIG
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL if wanted else 0)


def request_stop() -> None:
    """Ask this process's run to stop, as a signal would."""
    _Request.asked = True


def stop_requested() -> bool:
    """Return whether the run was asked to stop."""
    return _Request.asked


def _note(number: int, _frame: FrameType | None) -> None:
    if number == signal.SIGINT and _Request.asked:
        raise KeyboardInterrupt
    _Request.asked = True
