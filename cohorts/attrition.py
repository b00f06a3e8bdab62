"""Attrition: how much of what each rule removes, from the counts of rows by bit mask."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from cohorts.levels import LEVELS, UNITS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import polars as pl

    from cohorts.definition import Definition

COLUMNS: Final = {
    "step": "0 for all rows of the level, then the rules in their order, then the selection",
    "rule": "name of the rule",
    "kind": "start, include, exclude or select",
    **{unit: f"{unit} that remain" for unit in UNITS},
    **{f"removed_{unit}": f"{unit} that this step removes" for unit in UNITS},
    "removed_by_this_alone": "rows of the level that pass every other rule",
    "lost_false": "rows that this step removes because the answer was known",
    "lost_unknown": "rows that this step removes because an include rule had no answer",
    "kept_unknown": "rows that this step keeps because an exclude rule had no answer",
}
_TEXTS: Final = ("site", "rule", "kind")


@dataclass(slots=True)
class _Tally:
    """Counts of one site, by the number of steps passed and by step."""

    by_depth: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    alone: Counter[int] = field(default_factory=Counter)
    lost_unknown: Counter[int] = field(default_factory=Counter)
    kept_unknown: Counter[int] = field(default_factory=Counter)

    def remaining(self, unit: str, step: int) -> int:
        """Return how many of the unit have passed that many steps."""
        return sum(n for depth, n in self.by_depth[unit].items() if depth >= step)


@dataclass(frozen=True, slots=True)
class Attrition:
    """Attrition of one cohort, per site.

    Attributes
    ----------
    definition : Definition
        The definition.
    sites : mapping of str to list of dict
        For each site, one row per step; :data:`COLUMNS` are its keys.
    """

    definition: Definition
    sites: Mapping[str, list[dict[str, Any]]]

    @classmethod
    def from_rows(cls, definition: Definition, rows: Iterable[Sequence[Any]]) -> Attrition:
        """Build it from the rows of :func:`cohorts.compile.attrition_query`."""
        tallies: dict[str, _Tally] = defaultdict(_Tally)
        for unit, site, depth, lost, unknown, n, *within in rows:
            tally = tallies[site]
            tally.by_depth[unit][depth] += n
            if lost is not None:
                _count_row(tally, definition, (depth, lost, unknown), n, within)
        return cls(definition, {site: _steps(definition, tallies[site]) for site in sorted(tallies)})

    def total(self) -> list[dict[str, Any]]:
        """Return one row per step, all sites together."""
        total = _steps(definition=self.definition, tally=_Tally())
        for steps in self.sites.values():
            for sums, step in zip(total, steps, strict=True):
                sums.update({k: sums[k] + v for k, v in step.items() if k not in {*_TEXTS, "step"}})
        return total

    def counts(self) -> dict[str, int]:
        """Return how many of every unit remain in the end."""
        last = self.total()[-1]
        return {unit: last[unit] for unit in UNITS}

    def frame(self) -> pl.DataFrame:
        """Return one row per step."""
        return _frame(self.total(), tuple(COLUMNS))

    def frame_by_site(self) -> pl.DataFrame:
        """Return one row per site and step."""
        rows = [{"site": site, **step} for site, steps in self.sites.items() for step in steps]
        return _frame(rows, ("site", *COLUMNS))


def _count_row(
    tally: _Tally, definition: Definition, masks: tuple[int, int, int], n: int, within: Sequence[int]
) -> None:
    """Count rows of the definition's own level that share their masks."""
    depth, lost, unknown = masks
    for (unit, _), count in zip(LEVELS[definition.level].within, within, strict=True):
        tally.by_depth[unit][depth] += count or 0
    if lost.bit_count() == 1:
        tally.alone[lost.bit_length() - 1] += n
    steps = len(definition.rules) + (definition.select is not None)
    if lost == 0 and depth < steps:
        tally.alone[depth] += n
    if depth < steps and unknown >> depth & 1:
        tally.lost_unknown[depth] += n
    for index, rule in enumerate(definition.rules[:depth]):
        if rule.kind == "exclude" and unknown >> index & 1:
            tally.kept_unknown[index] += n


def _steps(definition: Definition, tally: _Tally) -> list[dict[str, Any]]:
    level = LEVELS[definition.level]
    named = [(f"all {level.view}", "start"), *((r.name, r.kind) for r in definition.rules)]
    if definition.select:
        named.append((f"one per {definition.select.per}", "select"))
    steps = []
    for number, (name, kind) in enumerate(named):
        remaining = {unit: tally.remaining(unit, number) for unit in UNITS}
        before = {unit: tally.remaining(unit, max(number - 1, 0)) for unit in UNITS}
        removed = {f"removed_{unit}": before[unit] - remaining[unit] for unit in UNITS}
        unknown = tally.lost_unknown[number - 1]
        steps.append(
            {
                "step": number,
                "rule": name,
                "kind": kind,
                **remaining,
                **removed,
                "removed_by_this_alone": tally.alone[number - 1],
                "lost_false": removed[f"removed_{level.view}"] - unknown,
                "lost_unknown": unknown,
                "kept_unknown": tally.kept_unknown[number - 1],
            }
        )
    return steps


def _frame(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> pl.DataFrame:
    import polars as pl

    schema = {c: pl.String() if c in _TEXTS else pl.Int64() for c in columns}
    return pl.DataFrame(rows, schema=schema)
