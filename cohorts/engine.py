"""DuckDB over exactly the files of one snapshot: read only, locked, and bounded in memory and time."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from catalog.engine import literal, quoted
from cohorts.views import file_columns, view_query
from cohorts.worker import Worker
from hpc.errors import CohortiumError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import duckdb
    import polars as pl
    import pyarrow as pa

    from cohorts.views import View

Row = tuple[Any, ...]


class LimitError(CohortiumError, RuntimeError):
    """A query reached its limit of time or memory."""


class UnreadableTableError(CohortiumError, OSError):
    """A file of the catalogue cannot be read."""


def _half_of_memory() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def _usable_cores() -> int:
    return len(os.sched_getaffinity(0))


@dataclass(frozen=True, slots=True)
class Limits:
    """What a query may use.

    Attributes
    ----------
    memory_bytes : int
        Memory; beyond it, the engine spills to the folder for temporary files. Half of the machine's.
    threads : int
        Cores; all that this process may use.
    time_s : float
        Time of one query.
    """

    memory_bytes: int = field(default_factory=_half_of_memory)
    threads: int = field(default_factory=_usable_cores)
    time_s: float = 3600.0

    def __post_init__(self) -> None:
        if self.memory_bytes <= 0 or self.threads <= 0 or self.time_s <= 0:
            raise UsageError(f"limits of a query must be positive, not {self}")


class Engine:
    """A locked connection whose only tables are the views given.

    Parameters
    ----------
    views : mapping of str to View
        The views by name.
    limits : Limits
        What one query may use.
    """

    def __init__(self, views: Mapping[str, View], limits: Limits) -> None:
        self._limits = limits
        self._files = frozenset(f for v in views.values() for f in v.files)
        scratch = tempfile.mkdtemp(prefix="cohortium-")  # made by DuckDB itself, others could read it
        # In a list that the finalizer can empty: it runs at exit too, and DuckDB complains there of
        # connections that outlive its module.
        self._held = [_connect(limits, scratch)]
        weakref.finalize(self, _release, self._held, scratch)
        self._connection.execute("SET parquet_metadata_cache = true")
        for view in views.values():
            self._create(view)
        self._lock()

    def rows(self, query: str) -> list[Row]:
        """Run a query and return all its rows."""
        with self._running() as (cursor, worker):
            found: list[Row] = worker.call(lambda: cursor.execute(query).fetchall())
            return found

    def stream(self, query: str, batch_rows: int = 10_000) -> tuple[list[str], Iterator[Row]]:
        """Run a query; return the names of its columns, and its rows as they come."""
        return self.relation(query).columns, self._streamed(query, batch_rows)

    def frame(self, query: str) -> pl.DataFrame:
        """Run a query and return a polars frame."""
        with self._running() as (cursor, worker):
            found: pl.DataFrame = worker.call(lambda: cursor.sql(query).pl())
            return found

    def batches(self, query: str, batch_rows: int = 122_880) -> Iterator[pa.RecordBatch]:
        """Run a query and give its rows as Arrow batches."""
        with self._running() as (cursor, worker):
            reader = worker.call(lambda: cursor.sql(query).to_arrow_reader(batch_rows))
            while (batch := worker.call(lambda: next(reader, None))) is not None:
                yield batch

    def relation(self, query: str) -> duckdb.DuckDBPyRelation:
        """Return a query as a relation that runs when it is asked; errors in its text are found at once."""
        import duckdb

        try:
            return self._connection.cursor().sql(query)
        except (duckdb.ProgrammingError, duckdb.DataError, duckdb.NotSupportedError) as error:
            if self._names_a_file(error):
                raise self._translated(error) from None
            # No cell was read yet: the message can quote nothing but the query.
            raise UsageError(f"the query is not valid: {error}") from None
        except duckdb.Error as error:
            raise self._translated(error) from None

    @property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        return self._held[0]

    def _streamed(self, query: str, batch_rows: int) -> Iterator[Row]:
        with self._running() as (cursor, worker):
            worker.call(lambda: cursor.execute(query))
            while rows := worker.call(lambda: cursor.fetchmany(batch_rows)):
                yield from rows

    @contextmanager
    def _running(self) -> Iterator[tuple[duckdb.DuckDBPyConnection, Worker]]:
        """A cursor and what makes its calls, within the time limit and with errors of ours."""
        import duckdb

        cursor = self._connection.cursor()
        worker = Worker(cursor.interrupt, self._limits.time_s)
        try:
            yield cursor, worker
        except TimeoutError:
            raise LimitError(f"the query took longer than {self._limits.time_s:g} s; ask for less") from None
        except duckdb.Error as error:
            raise self._translated(error) from None
        finally:
            worker.close()
            cursor.close()

    def _create(self, view: View) -> None:
        import duckdb

        try:
            described = self._connection.execute(file_columns(view)).fetchall() if view.files else []
            query = view_query(view, frozenset(row[0] for row in described))
            self._connection.execute(f"CREATE VIEW {quoted(view.name)} AS {query}")
        except duckdb.Error as error:
            raise self._translated(error) from None

    def _lock(self) -> None:
        # The same text has the same answer everywhere.
        self._connection.execute("SET TimeZone = 'UTC'")
        self._connection.execute("SET default_null_order = 'nulls_last'")
        paths = ", ".join(map(literal, sorted(self._files)))
        self._connection.execute(f"SET allowed_paths = [{paths}]")
        self._connection.execute("SET enable_external_access = false")
        self._connection.execute("SET lock_configuration = true")

    def _names_a_file(self, error: duckdb.Error) -> bool:
        return any(f in str(error) for f in self._files)

    def _translated(self, error: duckdb.Error) -> CohortiumError:
        """Return our error for one of DuckDB's, without the cells that its message may quote."""
        import duckdb

        text = str(error)
        if isinstance(error, duckdb.OutOfMemoryException):
            memory = f"{self._limits.memory_bytes / 2**20:,.0f} MiB"
            return LimitError(f"the query needs more memory than its limit of {memory}; ask for less")
        if isinstance(error, duckdb.IOException) or self._names_a_file(error):
            return UnreadableTableError(
                f"a file of the catalogue cannot be read; `cohortium verify` says which: {text}"
            )
        if isinstance(
            error,
            duckdb.BinderException
            | duckdb.CatalogException
            | duckdb.ParserException
            | duckdb.PermissionException,
        ):
            return UsageError(f"the query is not valid: {text}")
        kind = type(error).__name__.removesuffix("Exception")
        return UsageError(
            f"a cell or value does not fit what the query does with it ({kind}); "
            "TRY_CAST and TRY give null instead"
        )


def _release(held: list[duckdb.DuckDBPyConnection], scratch: str) -> None:
    held.clear()
    shutil.rmtree(scratch, ignore_errors=True)


def _connect(limits: Limits, scratch: str) -> duckdb.DuckDBPyConnection:
    import duckdb

    return duckdb.connect(
        config={
            "memory_limit": f"{limits.memory_bytes}B",
            "threads": limits.threads,
            "temp_directory": scratch,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            "python_enable_replacements": False,  # no query reads a variable of the caller
        }
    )
