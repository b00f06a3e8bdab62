"""A thread for the blocking calls of one query, so that Ctrl-C and a time limit can end them.

DuckDB does not look at signals while it fetches rows, and Python handles them in the main thread alone: the
main thread must be free to wait.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_ASK_AGAIN_S = 0.1


class Worker:
    """Makes calls in its own thread, one at a time.

    Parameters
    ----------
    interrupt : callable
        Makes a running call end soon; asked again until it has, as it may come between two steps.
    time_s : float
        How long the calls may take together.
    """

    def __init__(self, interrupt: Callable[[], None], time_s: float) -> None:
        self._interrupt = interrupt
        self._left_s = time_s
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="query")

    def call(self, work: Callable[[], T]) -> T:
        """Make a call and return what it returns.

        Raises
        ------
        TimeoutError
            If the time is up.
        """
        started = time.monotonic()
        future = self._pool.submit(work)
        try:
            return future.result(max(self._left_s, 0.0))
        finally:
            while not future.done():
                self._interrupt()
                wait([future], _ASK_AGAIN_S)
            self._left_s -= time.monotonic() - started

    def close(self) -> None:
        """End the thread."""
        self._pool.shutdown()
