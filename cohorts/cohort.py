"""A cohort: a definition evaluated on one snapshot, and what set operations make of cohorts."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from catalog.engine import quoted
from cohorts.attrition import Attrition
from cohorts.compile import (
    attrition_query,
    check_definition,
    condition_query,
    count_query,
    rows_query,
)
from cohorts.levels import LEVELS, UNITS, Level
from hpc.errors import CohortiumError, UsageError

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    import polars as pl

    from catalog.columns import Column
    from cohorts.access import Catalog
    from cohorts.definition import Definition
    from cohorts.export import Export

KEY_FORMAT: Final = 1
POLICY: Final = "none"  # no agreement limits what a cohort may hold yet
_OPERATORS: Final = {"or": "UNION", "and": "INTERSECT", "minus": "EXCEPT"}


class RowSet(ABC):
    """Rows of one level of one snapshot: a cohort, or a set operation on cohorts.

    Attributes
    ----------
    catalog : Catalog
        Where its rows come from.
    """

    catalog: Catalog

    @property
    @abstractmethod
    def key(self) -> str:
        """64 hexadecimal digits that stand for definition, catalogue, snapshot and policy together."""

    @property
    @abstractmethod
    def level(self) -> Level:
        """The level of its rows."""

    @property
    @abstractmethod
    def name(self) -> str:
        """What people call it."""

    @property
    @abstractmethod
    def counts(self) -> Mapping[str, int]:
        """Number of instances, series, studies and patients."""

    @abstractmethod
    def rows_sql(self, columns: tuple[str, ...]) -> str:
        """Return the query of its rows, in no order."""

    @abstractmethod
    def origin(self) -> dict[str, Any]:
        """Return what it was made from, for a manifest: plain values only."""

    @property
    def short_key(self) -> str:
        """The first 16 digits of the key, enough for people."""
        return self.key[:16]

    @property
    def columns(self) -> tuple[Column, ...]:
        """Columns of its rows."""
        return self.catalog.tables[self.level.view].columns

    def sql(self) -> str:
        """Return the query of its rows, ordered by their keys."""
        order = ", ".join(map(quoted, self.level.key))
        names = tuple(c.name for c in self.columns)
        return f"SELECT * FROM ({self.rows_sql(names)}) ORDER BY {order}"

    def frame(self) -> pl.DataFrame:
        """Return its rows, ordered by their keys."""
        return self.catalog.engine.frame(self.sql())

    def export(self, to: str | os.PathLike[str], form: str = "parquet") -> Export:
        """Write its rows, with a data dictionary and a manifest, to a new folder.

        Parameters
        ----------
        to : path
            The folder; it must not exist, unless it holds this very export already.
        form : str
            One of :data:`cohorts.export.EXPORTERS`.

        Raises
        ------
        UsageError
            If the format is not known, or the folder exists.
        """
        from cohorts.export import export

        return export(self, to, form)

    def __or__(self, other: RowSet) -> CohortSet:
        return CohortSet(self, "or", other)

    def __and__(self, other: RowSet) -> CohortSet:
        return CohortSet(self, "and", other)

    def __sub__(self, other: RowSet) -> CohortSet:
        return CohortSet(self, "minus", other)

    def __repr__(self) -> str:
        place = f"snapshot {self.catalog.snapshot}, level {self.level.name}"
        return f"<cohort {self.name!r} {self.short_key}, {place}>"


@dataclass(frozen=True, eq=False, repr=False)
class Cohort(RowSet):
    """A definition evaluated on one snapshot.

    Attributes
    ----------
    definition : Definition
        The definition.
    catalog : Catalog
        The catalogue at one snapshot.

    Raises
    ------
    UsageError
        If a rule does not fit the catalogue: an unknown column, or no yes-or-no expression.
    """

    definition: Definition
    catalog: Catalog

    def __post_init__(self) -> None:
        check_definition(self.definition, self.catalog.tables[self.level.view].column_names)
        for rule in self.definition.rules:
            try:
                [kind] = self.catalog.engine.relation(condition_query(rule, self.level)).types
            except UsageError as error:
                raise UsageError(f'rule "{rule.name}": {error}') from None
            if str(kind) != "BOOLEAN":
                raise UsageError(f'rule "{rule.name}" is no yes-or-no question: its answer is {kind}')

    @cached_property
    def key(self) -> str:
        """64 hexadecimal digits that stand for definition, catalogue, snapshot and policy together."""
        return _digest(
            {
                "format": KEY_FORMAT,
                "catalog": self.catalog.catalog_id,
                "snapshot": self.catalog.snapshot,
                "policy": POLICY,
                "definition": self.definition.canonical(),
            }
        )

    @property
    def level(self) -> Level:
        """The level of its rows."""
        return LEVELS[self.definition.level]

    @property
    def name(self) -> str:
        """Name of the definition."""
        return self.definition.name

    @property
    def counts(self) -> Mapping[str, int]:
        """Number of instances, series, studies and patients.

        Patients are counted by PatientKey: rows without one belong to no known patient. At level instance
        an object that came with two contents under one UID counts twice, as it has two rows.
        """
        return self._counted.counts()

    @property
    def attrition(self) -> pl.DataFrame:
        """One row per step: what remains, what it removes, what it alone removes, what was unknown."""
        return self._counted.frame()

    @property
    def attrition_by_site(self) -> pl.DataFrame:
        """The same for every site."""
        return self._counted.frame_by_site()

    def rows_sql(self, columns: tuple[str, ...]) -> str:
        """Return the query of its rows, in no order."""
        return rows_query(self.definition, columns)

    def origin(self) -> dict[str, Any]:
        """Return the text of the definition, and the attrition."""
        return {
            "policy": POLICY,
            "definition": self.definition.to_toml(),
            "attrition": self._counted.total(),
            "attrition_by_site": self._counted.sites,
        }

    @cached_property
    def _counted(self) -> Attrition:
        try:
            rows = self.catalog.engine.rows(attrition_query(self.definition))
        except UsageError as error:
            raise self._blamed(error) from None
        return Attrition.from_rows(self.definition, rows)

    def _blamed(self, error: CohortiumError) -> CohortiumError:
        """Return the error with the name of the first rule that fails alone as well."""
        for rule in self.definition.rules:
            try:
                self.catalog.engine.rows(
                    f"SELECT count(*) FROM ({condition_query(rule, self.level)}) AS t(x) WHERE x"
                )
            except UsageError as own:
                return UsageError(f'rule "{rule.name}": {own}')
        return error


@dataclass(frozen=True, eq=False, repr=False)
class CohortSet(RowSet):
    """What a set operation makes of two cohorts, or of sets of cohorts.

    Attributes
    ----------
    left, right : RowSet
        Its parts, of one level and one snapshot.
    operator : {"or", "and", "minus"}
        ``or``: rows of either; ``and``: rows of both; ``minus``: rows of the left that are not in the right.

    Raises
    ------
    UsageError
        If the parts differ in level, catalogue or snapshot.
    """

    left: RowSet
    operator: str
    right: RowSet
    catalog: Catalog = field(init=False)

    def __post_init__(self) -> None:
        a, b = self.left, self.right
        object.__setattr__(self, "catalog", a.catalog)
        if a.level != b.level:
            raise UsageError(
                f"cohorts of one level can be combined; {a.name!r} is of level {a.level.name}, "
                f"{b.name!r} of level {b.level.name}"
            )
        places = [(x.catalog.catalog_id, x.catalog.snapshot) for x in (a, b)]
        if places[0] != places[1]:
            raise UsageError(
                f"cohorts of one catalogue and snapshot can be combined; {a.name!r} is of snapshot "
                f"{a.catalog.snapshot}, {b.name!r} of {b.catalog.snapshot} of {b.catalog.root}"
            )

    @cached_property
    def key(self) -> str:
        """64 hexadecimal digits that stand for the operation and the keys of its parts."""
        keys = [self.left.key, self.right.key]
        parts = keys if self.operator == "minus" else sorted(keys)
        return _digest({"format": KEY_FORMAT, "operator": self.operator, "parts": parts})

    @property
    def level(self) -> Level:
        """The level of its rows."""
        return self.left.level

    @property
    def name(self) -> str:
        """The names of its parts and what is between them."""
        return f"({self.left.name} {self.operator} {self.right.name})"

    @cached_property
    def counts(self) -> Mapping[str, int]:
        """Number of instances, series, studies and patients."""
        names = tuple(c.name for c in self.columns)
        [row] = self.catalog.engine.rows(count_query(self.rows_sql(names), self.level))
        return dict(zip(UNITS, row, strict=True))

    def rows_sql(self, columns: tuple[str, ...]) -> str:
        """Return the query of its rows, in no order."""
        keys = ", ".join(map(quoted, self.level.key))
        members = f" {_OPERATORS[self.operator]} ".join(
            f"(SELECT {keys} FROM ({part.rows_sql(self.level.key)}))" for part in (self.left, self.right)
        )
        cells = ", ".join(map(quoted, columns))
        return f"SELECT {cells} FROM {self.level.view} SEMI JOIN ({members}) AS members USING ({keys})"

    def origin(self) -> dict[str, Any]:
        """Return the operation and what its parts were made from."""
        parts = [{"key": part.key, **part.origin()} for part in (self.left, self.right)]
        return {"operator": self.operator, "parts": parts}


def _digest(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
