"""Rule tables: CSV files of patterns, in the package and per site in a folder of the catalogue."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hpc.errors import UsageError

TARGETS: Final = (
    "body_part",
    "vendor",
    "contrast",
    "contrast_phase",
    "kernel_class",
    "mr_weighting",
    "is_localizer",
    "is_derived",
)
FIELDS: Final = ("rule", "kind", "pattern", "value", "scheme", "code")


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of a table: the values of ``kind`` that match ``pattern`` mean ``value``.

    Attributes
    ----------
    name, kind, value : str
        Name, ``text`` (any description), ``series`` (series' own texts) or a column, and the standard word.
    pattern : re.Pattern
        Searched in the upper-case text.
    scheme, code : str
        ``SCT`` or ``RID`` with its code, or empty.
    """

    name: str
    kind: str
    pattern: re.Pattern[str]
    value: str
    scheme: str
    code: str


@dataclass(frozen=True, slots=True)
class Rules:
    """Rules of each target, general ones and those of sites, which come first."""

    general: dict[str, tuple[Rule, ...]]
    sites: dict[str, dict[str, tuple[Rule, ...]]]

    def of(self, target: str, site: str) -> tuple[Rule, ...]:
        """Rules of a target at a site, in order of precedence."""
        return (*self.sites.get(site, {}).get(target, ()), *self.general.get(target, ()))


def load_rules(folder: Path | None = None) -> Rules:
    """Read the package's rules and those of ``folder/SITE/*.csv``.

    Raises
    ------
    hpc.errors.UsageError
        If a file has other columns, an unknown name, or a pattern that is no regular expression.
    """
    sites = (
        {} if folder is None else {p.name: _read_folder(p) for p in sorted(folder.iterdir()) if p.is_dir()}
    )
    general = _read_folder(Path(__file__).parent / "rules")
    return Rules(general, {s: {t: _named(r, s) for t, r in rules.items()} for s, rules in sites.items()})


def _named(rules: tuple[Rule, ...], site: str) -> tuple[Rule, ...]:
    return tuple(Rule(f"{site}:{r.name}", r.kind, r.pattern, r.value, r.scheme, r.code) for r in rules)


def _read_folder(folder: Path) -> dict[str, tuple[Rule, ...]]:
    return {path.stem: _read(path) for path in sorted(folder.glob("*.csv"))}


def _read(path: Path) -> tuple[Rule, ...]:
    if path.stem not in TARGETS:
        raise UsageError(f"{path.name} is no table of rules; expected one of {', '.join(TARGETS)}")
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != FIELDS:
            raise UsageError(f"{path.name} has other columns than {', '.join(FIELDS)}")
        return tuple(_rule(row, f"{path.name}, line {reader.line_num}") for row in reader)


def _rule(row: dict[str, str], where: str) -> Rule:
    if None in row or None in row.values():
        raise UsageError(f"{where}: expected {len(FIELDS)} cells; put a pattern with a comma in quotes")
    try:
        pattern = re.compile(row["pattern"])
    except re.error as error:
        raise UsageError(f"{where}: the pattern is no regular expression: {error}") from error
    return Rule(row["rule"], row["kind"], pattern, row["value"], row["scheme"], row["code"])
