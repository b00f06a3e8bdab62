"""The tables of a catalogue: their columns, their zone, and how their rows are written.

Every table is a folder of Parquet files. Which of the files count is said by a snapshot alone
(:mod:`catalog.store`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from catalog.columns import (
    BOOLEAN,
    BYTES,
    INSTANCE,
    INTEGER,
    RESEARCH,
    RESTRICTED,
    TEXT,
    Column,
    Zone,
    identity_columns,
    instance_columns,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pyarrow as pa

ROW_GROUP_ROWS: Final = 122_880
# Nearly every value differs: a dictionary would be as large as the values.
_ALL_DIFFERENT: Final = frozenset(
    {
        "SOPInstanceUID",
        "path",
        "file_id",
        "mtime_ns",
        "size",
        "header",
        "frame_positions",
        "frame_orientations",
    }
)
_FRONT_CODED: Final = frozenset({"SOPInstanceUID", "path"})
# Columns by which readers leave row groups out; statistics of all would cost a quarter of the writing.
_PRUNED_BY: Final = frozenset(
    {"site", "file_id", "path", "PatientKey", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"}
    | {"roi_key", "settings_hash"}
    | {"Modality", "StudyDate", "BodyPartExamined", "slice_spacing_mm", "n_instances"}
)
# Of headers, which repeat each other, a higher level is smaller and faster.
_LEVELS: Final = {"headers": 2}
_BLOOM_FILTERED: Final = frozenset({"SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "PatientKey"})


@dataclass(frozen=True, slots=True)
class Table:
    """One table of a catalogue.

    Attributes
    ----------
    name : str
        Name of the table and of its folder.
    zone : Zone
        ``research`` or ``restricted``: the folder above it, and so who may read it.
    columns : tuple of Column
        Its columns, in order.
    text : str
        One line for people.
    """

    name: str
    zone: Zone
    columns: tuple[Column, ...]
    text: str

    @property
    def folder(self) -> str:
        """Folder of the table's files, relative to the catalogue."""
        return f"{self.zone}/{self.name}"

    def schema(self) -> pa.Schema:
        """Arrow schema of the table's rows; a feature's IBSI code is metadata of its field."""
        import pyarrow as pa

        return pa.schema(
            [
                pa.field(c.name, c.arrow(), metadata={"ibsi_code": c.code} if c.code else None)
                for c in self.columns
            ]
        )


def _restricted(name: str, kind: Any, text: str, unit: str = "") -> Column:
    return Column(name, (), "", kind, INSTANCE, text, RESTRICTED, unit)


_SITE: Final = Column("site", (), "", TEXT, "patient", "the hospital that contributed the file")
_FILE: Final = (
    _SITE,
    _restricted("file_id", INTEGER, "stands for the file; unique within a site"),
    _restricted("path", TEXT, "where the file is"),
    _restricted("path_bytes", BYTES, "the same, where it is no UTF-8; null otherwise"),
    _restricted("size", INTEGER, "size of the file", "bytes"),
    _restricted("mtime_ns", INTEGER, "when it was last changed, since 1970", "ns"),
)
_JOB: Final = _restricted("job", TEXT, "the run that read the file")
_UIDS: Final = (
    Column("SOPInstanceUID", (), "UI", TEXT, INSTANCE, "identity of the object"),
    Column("SeriesInstanceUID", (), "UI", TEXT, "series", "identity of the series"),
)


@cache
def tables() -> dict[str, Table]:
    """Every table of a catalogue by name."""
    from catalog.features.columns import ROI_COLUMNS, feature_columns
    from catalog.series import SERIES_COLUMNS

    rows = (
        Table("instances", RESEARCH, instance_columns(), "one row per DICOM object"),
        Table("series", RESEARCH, SERIES_COLUMNS, "one row per series, with its geometry"),
        Table("rois", RESEARCH, ROI_COLUMNS, "one row per region of interest of a series"),
        Table("features", RESEARCH, feature_columns(), "one row per region of interest and settings"),
        Table(
            "files",
            RESTRICTED,
            (
                *_FILE,
                *_UIDS,
                _restricted(
                    "uid_version", INTEGER, "which content under this SOPInstanceUID, as in instances"
                ),
                _restricted(
                    "is_primary", BOOLEAN, "true for the file that instances was read from, false for a copy"
                ),
                _restricted(
                    "content", TEXT, "digest of the data set, where it was compared with another file's"
                ),
                _restricted("header_bytes", INTEGER, "where the pixel data element starts", "bytes"),
                _restricted("reader", TEXT, "kernel or pydicom"),
                _restricted("text_repaired", BOOLEAN, "true where the declared character set did not fit"),
                _JOB,
            ),
            "one row per DICOM file that was read",
        ),
        Table("identity", RESTRICTED, identity_columns(), "what identifies people, one row per DICOM file"),
        Table(
            "headers",
            RESTRICTED,
            (
                _SITE,
                _restricted("file_id", INTEGER, "the file"),
                *_UIDS,
                _restricted("header", BYTES, "raw header"),
            ),
            "raw header bytes, one row per DICOM file",
        ),
        Table(
            "failures",
            RESTRICTED,
            (
                *_FILE,
                _restricted("stage", TEXT, "what was being done"),
                _restricted("error", TEXT, "class of the error"),
                _restricted("message", TEXT, "what went wrong, without a patient's values"),
                _JOB,
            ),
            "one row per file, folder or region that could not be done",
        ),
        Table(
            "others",
            RESTRICTED,
            (*_FILE, _restricted("kind", TEXT, "not_dicom, dicomdir, link or special"), _JOB),
            "one row per file that holds no DICOM object",
        ),
    )
    return {t.name: t for t in rows}


@dataclass(frozen=True, slots=True)
class DataFile:
    """One Parquet file of a table.

    Attributes
    ----------
    path : str
        Relative to the catalogue (or to a shard, while it is staged).
    rows : int
        Its number of rows.
    size_bytes : int
        Its size.
    sha256 : str
        Digest of its bytes.
    """

    path: str
    rows: int
    size_bytes: int
    sha256: str


class TableWriter:
    """Writes rows of one table to one Parquet file, a row group at a time.

    Parameters
    ----------
    table : Table
        The table whose rows they are.
    path : Path
        The file to write; it must not be read before :meth:`close`.
    """

    def __init__(self, table: Table, path: Path) -> None:
        self._table = table
        self._path = path
        self._rows = 0
        self._writer: Any = None

    def write(self, rows: pa.Table) -> None:
        """Append rows as one or more row groups; dictionary-encoded texts are written as they are."""
        import pyarrow as pa

        if self._writer is None:
            self._open(pa.schema([rows.schema.field(c.name) for c in self._table.columns]))
        self._writer.write_table(rows.select(self._schema.names).cast(self._schema), ROW_GROUP_ROWS)
        self._rows += rows.num_rows

    def close(self) -> DataFile:
        """Finish the file and describe it."""
        if self._writer is None:
            self._open(self._table.schema())
        self._writer.close()
        return describe(self._path, self._rows)

    def _open(self, given: pa.Schema) -> None:
        """Start the file; the first rows decide which texts come as dictionaries."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        wanted = self._table.schema()
        coded = {f.name for f in given if pa.types.is_dictionary(f.type) and f.type.value_type == pa.string()}
        self._schema = pa.schema([given.field(f.name) if f.name in coded else f for f in wanted])
        names = set(wanted.names)
        front_coded = names & _FRONT_CODED - coded
        blooms = names & _BLOOM_FILTERED if self._table.name in {"instances", "series"} else ()
        self._writer = pq.ParquetWriter(
            self._path,
            self._schema,
            compression="zstd",
            compression_level=_LEVELS.get(self._table.name, 1),
            write_statistics=[n for n in wanted.names if n in _PRUNED_BY],
            use_dictionary=[n for n in wanted.names if n not in _ALL_DIFFERENT - coded],
            column_encoding=dict.fromkeys(front_coded, "DELTA_BYTE_ARRAY"),
            bloom_filter_options={n: {"ndv": ROW_GROUP_ROWS, "fpp": 0.01} for n in blooms},
            store_schema=any(field.metadata for field in wanted),
        )


def describe(path: Path, rows: int) -> DataFile:
    """Describe a finished file: its name, rows, size and digest."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return DataFile(path.name, rows, path.stat().st_size, digest)


def write_rows(table: Table, path: Path, parts: Iterable[pa.Table]) -> DataFile:
    """Write all parts to one file of the table."""
    writer = TableWriter(table, path)
    for part in parts:
        writer.write(part)
    return writer.close()
