"""Lists of files: what a walk has found and what is to be read, as Arrow files that many ranks can slice."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pyarrow as pa

BATCH_ROWS: Final = 16_384
Kind = Literal["file", "link", "special", "unreadable"]


@dataclass(slots=True)
class Found:
    """What was found in folders, column by column.

    Attributes
    ----------
    path : list of bytes
        Absolute paths.
    kind : list of Kind
        ``unreadable`` is a folder that could not be listed.
    size, mtime_ns : list of (int or None)
        Of files, where they were asked for.
    error : list of (str or None)
        Class of the error of an unreadable folder.
    """

    path: list[bytes] = field(default_factory=list)
    kind: list[Kind] = field(default_factory=list)
    size: list[int | None] = field(default_factory=list)
    mtime_ns: list[int | None] = field(default_factory=list)
    error: list[str | None] = field(default_factory=list)

    def add(
        self,
        path: bytes,
        kind: Kind,
        size: int | None = None,
        mtime_ns: int | None = None,
        error: str | None = None,
    ) -> None:
        """Add one entry."""
        self.path.append(path)
        self.kind.append(kind)
        self.size.append(size)
        self.mtime_ns.append(mtime_ns)
        self.error.append(error)

    def batch(self) -> pa.RecordBatch:
        """Return what was found as rows."""
        import pyarrow as pa

        schema = listing_schema()
        return pa.record_batch([pa.array(getattr(self, f.name), f.type) for f in schema], schema)


def listing_schema() -> pa.Schema:
    """Schema of a list of files."""
    import pyarrow as pa

    return pa.schema(
        [
            ("path", pa.binary()),
            ("kind", pa.string()),
            ("size", pa.int64()),
            ("mtime_ns", pa.int64()),
            ("error", pa.string()),
        ]
    )


def write_listing(path: Path, batches: Iterable[pa.RecordBatch]) -> int:
    """Write batches of entries, cut to equal batches so that a slice is found without a search.

    Returns
    -------
    int
        Number of entries.
    """
    import pyarrow as pa

    schema = listing_schema()
    rows = 0
    held = pa.table({f.name: pa.array([], f.type) for f in schema})
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        for batch in batches:
            held = pa.concat_tables([held, pa.Table.from_batches([batch]).cast(schema)])
            while held.num_rows >= BATCH_ROWS:
                writer.write_table(held.slice(0, BATCH_ROWS).combine_chunks(), BATCH_ROWS)
                held = held.slice(BATCH_ROWS)
                rows += BATCH_ROWS
        if held.num_rows:
            writer.write_table(held.combine_chunks(), BATCH_ROWS)
            rows += held.num_rows
    return rows


def size_and_time(path: bytes) -> tuple[int | None, int | None]:
    """Return size and modification time (ns) of a file; nothing where it has vanished: reading it says so."""
    try:
        status = os.stat(path, follow_symlinks=False)  # noqa: PTH116 - the path may be no UTF-8
    except OSError:
        return None, None
    return status.st_size, status.st_mtime_ns


def count_rows(path: Path) -> int:
    """Number of entries in a file of a list."""
    import pyarrow as pa

    with pa.memory_map(str(path)) as source, pa.ipc.open_file(source) as reader:
        batches = int(reader.num_record_batches)
        return (batches - 1) * BATCH_ROWS + int(reader.get_batch(batches - 1).num_rows) if batches else 0


@dataclass(frozen=True, slots=True)
class Listing:
    """A list in several files, numbered through.

    Attributes
    ----------
    parts : tuple of (Path, int)
        Its files, with their numbers of entries.
    """

    parts: tuple[tuple[Path, int], ...]

    @property
    def rows(self) -> int:
        """Number of entries."""
        return sum(rows for _, rows in self.parts)

    def slice(self, start: int, stop: int) -> pa.Table:
        """Read the entries ``start`` to ``stop`` (half open)."""
        import pyarrow as pa

        found, first = [], 0
        for path, rows in self.parts:
            low, high = max(start - first, 0), min(stop - first, rows)
            if low < high:
                found.append(_read_slice(path, low, high))
            first += rows
        return pa.concat_tables(found)


def _read_slice(path: Path, start: int, stop: int) -> pa.Table:
    import pyarrow as pa

    with pa.memory_map(str(path)) as source, pa.ipc.open_file(source) as reader:
        first, last = start // BATCH_ROWS, (stop - 1) // BATCH_ROWS
        found = pa.Table.from_batches([reader.get_batch(i) for i in range(first, last + 1)], listing_schema())
        return found.slice(start - first * BATCH_ROWS, stop - start)
