"""Opening a catalogue to ask it questions."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from catalog.store import open_store
from cohorts.definition import Definition
from cohorts.engine import Engine, Limits
from cohorts.sql import check_query
from cohorts.views import View, views_of

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping
    from pathlib import Path

    import duckdb

    from cohorts.cohort import Cohort


@dataclass(frozen=True, eq=False, repr=False)
class Catalog:
    """A catalogue at one snapshot.

    Attributes
    ----------
    root : Path
        Its folder.
    catalog_id : str
        Its identity.
    snapshot : int
        Number of the snapshot; 0 for a catalogue that is still empty.
    tables : mapping of str to View
        What a query may read, by name.
    engine : Engine
        What runs the queries.
    """

    root: Path
    catalog_id: str
    snapshot: int
    tables: Mapping[str, View]
    engine: Engine

    def sql(self, query: str) -> duckdb.DuckDBPyRelation:
        """Ask a question in SQL.

        Parameters
        ----------
        query : str
            One SELECT over the tables; it can read nothing else and write nothing.

        Returns
        -------
        duckdb.DuckDBPyRelation
            Runs when it is asked, by ``.pl()``, ``.fetchall()``, ``.to_arrow_table()``, ...

        Raises
        ------
        UsageError
            If the query is not valid or not allowed.
        """
        check_query(query, self.tables)
        return self.engine.relation(query)

    def cohort(self, definition: Definition | str | os.PathLike[str]) -> Cohort:
        """Evaluate a cohort definition on this snapshot.

        Parameters
        ----------
        definition : Definition or path
            The definition, or the TOML file that holds it.

        Raises
        ------
        UsageError
            If the definition is not valid, or does not fit this catalogue.
        MissingError
            If there is no such file.
        """
        from cohorts.cohort import Cohort

        if not isinstance(definition, Definition):
            definition = Definition.read(definition)
        return Cohort(definition, self)

    def __repr__(self) -> str:
        rows = ", ".join(f"{v.rows:,} {v.name}" for v in self.tables.values() if v.rows is not None)
        return f"<catalogue {self.root}, snapshot {self.snapshot}: {rows}>"


def open_catalog(
    path: str | os.PathLike[str], snapshot: int | None = None, *, limits: Limits | None = None
) -> Catalog:
    """Open a catalogue to ask it questions.

    Parameters
    ----------
    path : path
        Folder of the catalogue.
    snapshot : int, optional
        Number of a snapshot; the newest where it is left out. What is opened stays at this snapshot.
    limits : Limits, optional
        What one query may use: half of the memory, all cores, and an hour where it is left out.

    Raises
    ------
    MissingError
        If the folder is no catalogue, or has no such snapshot.
    """
    store = open_store(path)
    state = store.snapshot(snapshot)
    views = views_of(store, state)
    engine = Engine(views, limits or Limits())
    return Catalog(store.root, store.catalog_id, state.number, MappingProxyType(views), engine)
