"""Read many files in batches of bounded size, by the kernels and, where they leave a file, by pydicom."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from catalog.headers import HeaderBatch
from catalog.headers.arrays import rows_table
from catalog.headers.cells import (
    R_HEADER,
    R_INDEX,
    R_MTIME,
    R_PIXEL_LENGTH,
    R_PIXEL_OFFSET,
    R_RAW,
    R_SIZE,
    R_SOURCE,
    R_TRUNCATED,
    SOURCE_KERNEL,
    SOURCE_SLOW,
    Rows,
    new_rows,
    store_row,
)
from catalog.headers.distinct import ROWS
from catalog.headers.elements import (
    DAMAGED,
    DICOMDIR,
    DONE,
    FOUND_SLOT,
    FOUND_WIDTH,
    FULL,
    HEADER_END,
    NO_IDENTITY,
    NOT_DICOM,
    ODD_FRAME,
    PIXEL_LENGTH,
    PIXEL_OFFSET,
    TRUNCATED,
    UNUSUAL,
    VALUE_WIDTH,
)
from catalog.headers.framing import LARGEST
from catalog.headers.kernel import SLACK, overlapping_words
from catalog.headers.reading import (
    DIRECTORY,
    EMPTY,
    OPEN_FAILED,
    RAW_LIMIT,
    READ_FAILED,
    ROOM,
    SPECIAL,
    TOO_LONG,
    Scratch,
    new_scratch,
    read_many,
    walk_translated,
)
from catalog.headers.slots import NONE, Plan, plan
from catalog.headers.slow import Fault, Header, NotAnInstance, Noted, read_slowly
from catalog.headers.system import FLAGS
from catalog.headers.translate import WINDOW, translate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from catalog.headers.kernel import Bytes, Ints, Words

MOST_ROWS = 16_384
MOST_ROWS_WITH_RAW = 2048  # their headers fill the buffer
BUFFER: Final = 16 << 20
SCALES: Final = (1, 4, 32)  # of what a single header may need; beyond the last it is not read
SLOW: Final = frozenset({ODD_FRAME, DAMAGED, UNUSUAL})
OTHERS: Final = {NOT_DICOM: "not_dicom", DICOMDIR: "dicomdir", SPECIAL: "special"}
FAULTS: Final = {
    NO_IDENTITY: ("MissingIdentity", "the data set has no SOPInstanceUID (0008,0018)"),
    TRUNCATED: ("TruncatedHeader", "the file ends inside an element before the pixel data"),
    EMPTY: ("EmptyFile", "the file has no bytes"),
    TOO_LONG: ("HeaderTooLong", "the header needs more reads than any header should"),
    FULL: ("HeaderTooLong", "the header holds more than any header should"),
    DIRECTORY: ("IsADirectoryError", "the path is a directory"),
}

FAILURES: Final = pa.schema(
    [
        ("index", pa.int64()),
        ("size", pa.int64()),
        ("mtime_ns", pa.int64()),
        ("stage", pa.string()),
        ("error", pa.string()),
        ("message", pa.string()),
    ]
)
OTHER_FILES: Final = pa.schema(
    [("index", pa.int64()), ("size", pa.int64()), ("mtime_ns", pa.int64()), ("kind", pa.string())]
)


@dataclass(frozen=True, slots=True)
class _File:
    """A file that needs a second look."""

    index: int
    path: bytes
    size: int
    mtime_ns: int


class Batch:
    """Rows, raw headers and misses of the files that are read together."""

    def __init__(self, capacity: int, scale: int) -> None:
        self.rows: Rows = new_rows(capacity, scale)
        self.buffer: Bytes = np.empty(min(BUFFER, capacity << 15) + ROOM * (scale + 1), np.uint8)
        self.words: Words = overlapping_words(self.buffer)
        self.raw_ends: Ints = np.zeros(capacity + 1, np.int64)
        self.scratch: Scratch = new_scratch(self.rows)
        self.slow_raw: list[bytes | None] = []
        self.failures: list[tuple[object, ...]] = []
        self.others: list[tuple[object, ...]] = []

    def __len__(self) -> int:
        return int(self.rows.counters[ROWS])

    def fail(self, file: _File, error: str, message: str) -> None:
        """Add a row of failures."""
        self.failures.append((file.index, file.size, file.mtime_ns, "read", error, message))

    def miss(self, file: _File, verdict: int, error: int) -> None:
        """Say what became of a file that the kernels did not make a row of."""
        if verdict in (OPEN_FAILED, READ_FAILED) and error == errno.ENXIO:  # how sockets refuse to be opened
            verdict = SPECIAL
        if verdict in OTHERS:
            self.others.append((file.index, file.size, file.mtime_ns, OTHERS[verdict]))
        elif verdict in FAULTS:
            self.fail(file, *FAULTS[verdict])
        elif verdict == OPEN_FAILED:  # nothing is known of a file that cannot be opened
            self.failures.append((file.index, None, None, "read", *_os_fault(error)))
        else:
            self.fail(file, *_os_fault(error))

    def finish(self, *, keep_raw: bool) -> HeaderBatch:
        """Make the tables."""
        table = rows_table(self.rows)
        return HeaderBatch(
            rows=table,
            raw=self._raw(table.column("index")) if keep_raw else None,
            failures=_table(self.failures, FAILURES),
            others=_table(self.others, OTHER_FILES),
        )

    def _raw(self, index: pa.ChunkedArray) -> pa.Table:
        kept = len(self) - len(self.slow_raw)
        valid = np.packbits(self.rows.record[:kept, R_RAW] == 1, bitorder="little")
        buffers = [pa.py_buffer(valid), pa.py_buffer(self.raw_ends[: kept + 1]), pa.py_buffer(self.buffer)]
        chunks = [pa.Array.from_buffers(pa.large_binary(), kept, buffers)]
        if self.slow_raw:
            chunks.append(pa.array(self.slow_raw, pa.large_binary()))
        return pa.table({"index": index, "header": pa.chunked_array(chunks)})


def _table(rows: list[tuple[object, ...]], schema: pa.Schema) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else [()] * len(schema)
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema=schema)


class Reader:
    """Reads a list of files and yields batches.

    Parameters are those of :func:`catalog.headers.iter_headers`.
    """

    def __init__(
        self, paths: Sequence[bytes], *, keep_raw: bool, progress: Ints | None, force_slow: bool
    ) -> None:
        self._paths = paths
        self._keep_raw = keep_raw
        self._progress: Ints = progress if progress is not None else np.zeros(1, np.int64)
        self._force_slow = force_slow
        self._most = MOST_ROWS_WITH_RAW if keep_raw else MOST_ROWS
        self._plan: Plan = plan()

    def batches(self) -> Iterator[HeaderBatch]:
        """Yield batches until every file has ended somewhere."""
        first = 0
        while first < len(self._paths):
            batch = Batch(min(self._most, len(self._paths) - first), SCALES[0])
            if self._force_slow:
                outcome = self._examine(first)
            else:
                outcome = self._read(batch, first, self._paths[first : first + self._most])
            for place in np.flatnonzero(outcome[:, 0] != DONE).tolist():
                verdict, size, mtime, error = outcome[place].tolist()
                file = _File(first + place, self._paths[first + place], size, mtime)
                if verdict == FULL or (verdict in SLOW and not self._add_slowly(batch, file)):
                    yield self._alone(file)
                elif verdict not in SLOW:
                    batch.miss(file, verdict, error)
            first += len(outcome)
            if len(batch) or batch.failures or batch.others:
                yield batch.finish(keep_raw=self._keep_raw)
            del batch  # its buffers go before those of the next are made

    def _read(self, batch: Batch, first: int, paths: Sequence[bytes]) -> Ints:
        """Let the kernels read files; return verdict, size, mtime_ns and error of those they reached."""
        outcome = np.zeros((len(paths), 4), np.int64)
        ends = np.cumsum([len(path) + 1 for path in paths])
        done = read_many(
            np.frombuffer(b"\0".join(paths) + b"\0", np.uint8).copy(),
            np.concatenate([[0], ends[:-1]]).astype(np.int64),
            first,
            int(self._keep_raw),
            batch.buffer,
            batch.words,
            batch.raw_ends,
            outcome,
            self._progress,
            self._plan,
            batch.rows,
            batch.scratch,
        )
        return outcome[:done]

    def _examine(self, first: int) -> Ints:
        """Give every file to the slow path, whatever the kernels would say of it."""
        paths = self._paths[first : first + self._most]
        outcome = np.zeros((len(paths), 4), np.int64)
        for place, path in enumerate(paths):
            try:
                found = os.stat(path)  # noqa: PTH116 - a path of bytes
            except OSError as error:
                outcome[place] = OPEN_FAILED, 0, 0, error.errno or 0
                continue
            kind = stat.S_IFMT(found.st_mode)
            verdict = ODD_FRAME if found.st_size else EMPTY
            if kind != stat.S_IFREG:
                verdict = DIRECTORY if kind == stat.S_IFDIR else SPECIAL
            outcome[place] = verdict, found.st_size, found.st_mtime_ns, 0
        return outcome

    def _add_slowly(self, batch: Batch, file: _File) -> bool:
        """Read a file with pydicom and add its row, or say why not; False where the row does not fit."""
        self._progress[0] = file.index
        try:
            if not self._force_slow and self._add_translated(batch, file):
                return True
            data = _head(file.path, LARGEST)
            header = read_slowly(data, file.size, self._plan)
        except NotAnInstance as other:
            batch.others.append((file.index, file.size, file.mtime_ns, str(other)))
            return True
        except Fault as fault:
            batch.fail(file, fault.error, fault.message)
            return True
        except OSError as error:
            batch.fail(file, *_os_fault(error.errno or 0))
            return True
        if not _store(header, self._plan, batch.rows):
            return False
        record = batch.rows.record[len(batch) - 1]
        record[[R_INDEX, R_SIZE, R_MTIME]] = file.index, file.size, file.mtime_ns
        record[[R_HEADER, R_PIXEL_OFFSET, R_PIXEL_LENGTH]] = (
            header.header_bytes,
            header.pixel_offset,
            header.pixel_length,
        )
        record[[R_TRUNCATED, R_SOURCE, R_RAW]] = header.truncated, SOURCE_SLOW, 0
        batch.slow_raw.append(self._raw(file, header.header_bytes, data))
        return True

    def _add_translated(self, batch: Batch, file: _File) -> bool:
        """Add the row of a deflated or big-endian header; False where it is left to pydicom."""
        data = _head(file.path, WINDOW)
        header = translate(data, file.size, self._plan)
        if header is None:
            return False
        words = overlapping_words(header.buffer)
        place = (words, header.start, header.have, header.size, header.meta)
        if walk_translated(*place, self._plan, batch.rows, batch.scratch) != DONE:
            return False
        end, offset, length = file.size, NONE, NONE
        if header.in_file:
            end, offset, length = batch.scratch.state[[HEADER_END, PIXEL_OFFSET, PIXEL_LENGTH]].tolist()
        record = batch.rows.record[len(batch) - 1]
        record[[R_INDEX, R_SIZE, R_MTIME]] = file.index, file.size, file.mtime_ns
        record[[R_HEADER, R_PIXEL_OFFSET, R_PIXEL_LENGTH]] = end, offset, length
        record[[R_TRUNCATED, R_SOURCE, R_RAW]] = offset + length > file.size, SOURCE_KERNEL, 0
        batch.slow_raw.append(self._raw(file, end, data))
        return True

    def _raw(self, file: _File, end: int, data: bytes) -> bytes | None:
        """Return the header to be kept of a file whose first bytes are known."""
        if not self._keep_raw or end > RAW_LIMIT:
            return None
        return data[:end] if end <= len(data) else _head(file.path, end)

    def _alone(self, file: _File) -> HeaderBatch:
        """Read a file whose notes are too many for a common batch in one of its own, with more room."""
        for scale in SCALES[1:]:
            batch = Batch(1, scale)
            if self._force_slow:
                verdict, error = ODD_FRAME, 0
            else:
                verdict, _, _, error = self._read(batch, file.index, [file.path])[0].tolist()
            if verdict in SLOW:
                if self._add_slowly(batch, file):
                    break
            elif verdict != FULL:
                if verdict != DONE:
                    batch.miss(file, verdict, error)
                break
        else:
            batch.miss(file, FULL, 0)
        return batch.finish(keep_raw=self._keep_raw)


def _head(path: bytes, size: int) -> bytes:
    """Return the first bytes of a file."""
    with os.fdopen(os.open(path, FLAGS), "rb", buffering=0) as file:
        return file.read(size)


def _os_fault(number: int) -> tuple[str, str]:
    """Name and sentence of an error of the operating system."""
    error = type(OSError(number, "")).__name__
    if number == errno.ENOENT:
        error = "FileVanishedError"
    return error, f"the operating system says: {os.strerror(number)}"


def _store(header: Header, plan: Plan, rows: Rows) -> bool:
    """Let the kernels write the row of a header that pydicom took apart; False where it does not fit."""
    arena = bytearray()
    values = np.full((len(plan.slot_vr), VALUE_WIDTH), NONE, np.int64)
    found = np.full((len(header.collected), FOUND_WIDTH), NONE, np.int64)
    for noted in header.first:
        values[noted.slot] = _place(noted, arena)
    for at, noted in enumerate(header.collected):
        found[at, :VALUE_WIDTH] = _place(noted, arena)
        found[at, FOUND_SLOT] = noted.slot
    size = len(arena)
    words = overlapping_words(np.frombuffer(bytes(arena) + bytes(SLACK), np.uint8).copy())
    return bool(store_row(words, values, found, len(found), size, plan, rows))


def _place(noted: Noted, arena: bytearray) -> tuple[int, int, int, int, int]:
    """Put a value, and its character set, at the end of the arena; return its V_* fields."""
    start = len(arena)
    arena += noted.raw
    charset = noted.charset or b""
    arena += charset
    return (
        start,
        len(noted.raw),
        noted.code,
        start + len(noted.raw),
        NONE if noted.charset is None else len(charset),
    )
