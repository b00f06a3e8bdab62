"""DuckDB as the jobs use it: files in, files out, bounded memory."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

    from catalog.columns import Kind
    from catalog.store import TableFiles
    from catalog.tables import Table


SQL_TYPES: Final[dict[Kind, str]] = {
    "text": "VARCHAR",
    "date": "DATE",
    "integer": "BIGINT",
    "real": "DOUBLE",
    "reals": "DOUBLE[]",
    "texts": "VARCHAR[]",
    "boolean": "BOOLEAN",
    "bytes": "BLOB",
}


def connect(temporary: Path, *, threads: int = 2, memory: str = "256MB") -> duckdb.DuckDBPyConnection:
    """Open an engine that spills to a folder beyond its memory."""
    import duckdb

    temporary.mkdir(parents=True, exist_ok=True)
    return duckdb.connect(
        config={
            "threads": threads,
            "memory_limit": memory,
            "temp_directory": str(temporary),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
    )


def view(
    engine: duckdb.DuckDBPyConnection,
    name: str,
    table: Table,
    files: Sequence[str],
    *,
    filename: bool = False,
) -> None:
    """Make a view over files of a table, if wanted with each row's ``filename``.

    Without files it is an empty view of the same columns.
    """
    if files:
        options = f"union_by_name = true, filename = {filename}"
        source = f"* FROM read_parquet([{', '.join(map(literal, files))}], {options})"
    else:
        empty = [f"NULL::{SQL_TYPES[c.kind]} AS {quoted(c.name)}" for c in table.columns]
        source = ", ".join([*empty, *(["NULL::VARCHAR AS filename"] if filename else [])]) + " WHERE false"
    engine.execute(f"CREATE OR REPLACE VIEW {quoted(name)} AS SELECT {source}")


def query(sql: str, *given: TableFiles) -> list[tuple[object, ...]]:
    """Ask one question of a few tables of a snapshot."""
    with tempfile.TemporaryDirectory() as spill, connect(Path(spill)) as engine:
        for each in given:
            view(engine, each.table.name, each.table, each.files)
        return engine.execute(sql).fetchall()


def quoted(name: str) -> str:
    """Return a name as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"
