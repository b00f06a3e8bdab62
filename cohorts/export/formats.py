"""The export formats, in one table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from catalog.engine import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from catalog.columns import Column
    from cohorts.cohort import RowSet

Write = Callable[["RowSet", Path], int]


@dataclass(frozen=True, slots=True)
class Exporter:
    """One export format.

    Attributes
    ----------
    name : str
        Its name, as ``--as`` takes it.
    text : str
        One line for people.
    write : callable
        Writes the rows of a cohort to files in a folder and returns their number.
    """

    name: str
    text: str
    write: Write


def write_parquet(rows: RowSet, folder: Path) -> int:
    """Write the rows to one Parquet file; its fields carry what the data dictionary says."""
    import pyarrow.parquet as pq

    schema = _schema(rows)
    path = folder / f"{rows.level.view}.parquet"
    written = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for part in _tables(rows.sql(), rows, schema):
            writer.write_table(part)
            written += part.num_rows
    return written


def write_csv(rows: RowSet, folder: Path) -> int:
    r"""Write the rows to one CSV file: RFC 4180 with ``\n``, UTF-8, a header, texts quoted, nulls empty.

    The values of a list are joined by a backslash, as DICOM joins values.
    """
    import pyarrow as pa
    from pyarrow import csv

    cells = ", ".join(_joined(c) for c in rows.columns)
    schema = pa.schema([(c.name, pa.string() if _is_list(c) else c.arrow()) for c in rows.columns])
    written = 0
    with csv.CSVWriter(folder / f"{rows.level.view}.csv", schema) as writer:
        for part in _tables(f"SELECT {cells} FROM ({rows.sql()})", rows, schema):
            writer.write_table(part)
            written += part.num_rows
    return written


EXPORTERS: Final = {
    e.name: e
    for e in (
        Exporter("parquet", "the cohort's rows as one Parquet file", write_parquet),
        Exporter("csv", "the cohort's rows as one CSV file", write_csv),
    )
}


def _tables(query: str, rows: RowSet, schema: pa.Schema) -> Iterator[pa.Table]:
    import pyarrow as pa

    for batch in rows.catalog.engine.batches(query):
        yield pa.Table.from_batches([batch]).cast(schema)


def _schema(rows: RowSet) -> pa.Schema:
    import pyarrow as pa

    fields = [
        pa.field(c.name, c.arrow(), metadata={"text": c.text, "unit": c.unit, "tag": c.tag})
        for c in rows.columns
    ]
    return pa.schema(fields, metadata={"cohort_key": rows.key})


def _is_list(column: Column) -> bool:
    return column.kind in {"reals", "texts"}


def _joined(column: Column) -> str:
    name = quoted(column.name)
    if not _is_list(column):
        return name
    return f"array_to_string(list_transform({name}, lambda x: coalesce(x::VARCHAR, '')), '\\') AS {name}"
