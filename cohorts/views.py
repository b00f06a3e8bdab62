"""What a query may read: the tables of a snapshot, and the studies and patients that follow from series.

A column of the series table whose level is study or patient is a column of ``studies`` or ``patients`` as
well, without a line here. Where the series of one study disagree, the smallest value is shown and
``n_distinct_...`` says so.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from catalog.columns import DATE, INTEGER, PATIENT, RESEARCH, STUDY, TEXTS, Column, Kind, Level, Zone
from catalog.engine import SQL_TYPES, literal, quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from catalog.store import Snapshot, Store


@dataclass(frozen=True, slots=True, repr=False)
class View:
    """One table as a query sees it.

    Attributes
    ----------
    name : str
        Its name in SQL.
    zone : Zone
        ``research``, or ``restricted`` for what identifies people or may do so.
    columns : tuple of Column
        Its columns, in order.
    text : str
        One line for people.
    files : tuple of str
        The Parquet files it reads, absolute; none for a view over another one or a table without rows.
    rows : int, optional
        Number of rows, where it is known without asking.
    select : str
        The query it stands for, where it is a view over another one.
    """

    name: str
    zone: Zone
    columns: tuple[Column, ...]
    text: str
    files: tuple[str, ...] = ()
    rows: int | None = None
    select: str = ""

    @property
    def column_names(self) -> frozenset[str]:
        """Names of the columns."""
        return frozenset(c.name for c in self.columns)

    def __repr__(self) -> str:
        rows = "" if self.rows is None else f", {self.rows:,} rows"
        return f"<{self.zone} table {self.name}: {self.text}; {len(self.columns)} columns{rows}>"


def views_of(store: Store, snapshot: Snapshot) -> dict[str, View]:
    """Return every view of a snapshot by name; restricted tables only where the caller may read them."""
    restricted = os.access(store.root / "restricted", os.R_OK | os.X_OK)
    views = [
        View(t.table.name, t.table.zone, t.table.columns, t.table.text, t.files, t.rows)
        for t in snapshot.tables.values()
        if t.table.zone == RESEARCH or restricted
    ]
    series = snapshot.tables["series"].table.columns
    derived = [studies(series), patients(series)]
    research = [v for v in views if v.zone == RESEARCH]
    return {v.name: v for v in (*research, *derived, *(v for v in views if v.zone != RESEARCH))}


def file_columns(view: View) -> str:
    """Return the query that names the columns which the files of a view hold together."""
    return f"DESCRIBE SELECT * FROM {_parquet(view.files)}"


def view_query(view: View, present: frozenset[str]) -> str:
    """Return the query that a view stands for.

    Parameters
    ----------
    present : frozenset of str
        Columns that its files hold; a column that an older scan did not know is null.
    """
    if view.select:
        return view.select
    cells = [
        quoted(c.name) if c.name in present else f"NULL::{SQL_TYPES[c.kind]} AS {quoted(c.name)}"
        for c in view.columns
    ]
    source = f"FROM {_parquet(view.files)}" if view.files else "WHERE false"
    return f"SELECT {', '.join(cells)} {source}"


def _parquet(files: Iterable[str]) -> str:
    return f"read_parquet([{', '.join(map(literal, files))}], union_by_name = true)"


def studies(series: Sequence[Column]) -> View:
    """Return the view of one row per study, from the columns of the series table."""
    return _grouped(
        "studies", "StudyInstanceUID", {PATIENT, STUDY}, series, _STUDY_COLUMNS, "one row per study"
    )


def patients(series: Sequence[Column]) -> View:
    """Return the view of one row per patient of a site, from the columns of the series table.

    Series without PatientKey belong to no known patient and are left out.
    """
    return _grouped("patients", "PatientKey", {PATIENT}, series, _PATIENT_COLUMNS, "one row per patient")


def _grouped(
    name: str,
    key: str,
    levels: set[Level],
    series: Sequence[Column],
    derived: Sequence[tuple[Column, str]],
    text: str,
) -> View:
    keys = {"site", key}
    kept = [c for c in series if c.name in keys or c.level in levels]
    cells = [quoted(c.name) if c.name in keys else _smallest(c.name) for c in kept]
    added = [*derived, *(_distinct(c) for c in kept if c.name in _DISAGREE - keys)]
    cells += [f"{sql} AS {quoted(c.name)}" for c, sql in added]
    key_name = quoted(key)
    select = f'SELECT {", ".join(cells)} FROM series WHERE {key_name} IS NOT NULL GROUP BY "site", {key_name}'
    return View(name, RESEARCH, (*kept, *(c for c, _ in added)), text, select=select)


def _smallest(name: str) -> str:
    return f"min({quoted(name)}) AS {quoted(name)}"


def _distinct(column: Column) -> tuple[Column, str]:
    text = f"number of different values of {column.name} among the series"
    derived = Column(f"n_distinct_{column.name}", (), "", INTEGER, column.level, text)
    return derived, f"count(DISTINCT {quoted(column.name)})"


_DISAGREE: Final = frozenset({"PatientKey", "StudyDate", "PatientSex"})
# Null, not an empty list, where no series has one: a rule then has no answer, instead of a no.
_MODALITIES: Final = 'list_sort(list_distinct(list("Modality") FILTER (WHERE "Modality" IS NOT NULL)))'


def _derived(name: str, kind: Kind, level: Level, text: str, sql: str) -> tuple[Column, str]:
    return Column(name, (), "", kind, level, text), sql


_STUDY_COLUMNS: Final = (
    _derived("modalities", TEXTS, STUDY, "modalities of the series, sorted", _MODALITIES),
    _derived("n_series", INTEGER, STUDY, "number of series", "count(*)"),
    _derived("n_instances", INTEGER, STUDY, "number of instances", "sum(n_instances)::BIGINT"),
)
_PATIENT_COLUMNS: Final = (
    _derived("modalities", TEXTS, PATIENT, "modalities of the series, sorted", _MODALITIES),
    _derived("first_study_date", DATE, PATIENT, "StudyDate of the first study", 'min("StudyDate")'),
    _derived("last_study_date", DATE, PATIENT, "StudyDate of the last study", 'max("StudyDate")'),
    _derived("n_studies", INTEGER, PATIENT, "number of studies", 'count(DISTINCT "StudyInstanceUID")'),
    _derived("n_series", INTEGER, PATIENT, "number of series", "count(*)"),
    _derived("n_instances", INTEGER, PATIENT, "number of instances", "sum(n_instances)::BIGINT"),
)
