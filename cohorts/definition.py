"""A cohort definition: named inclusion and exclusion rules in their order, as TOML or built in Python."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from cohorts.levels import LEVELS
from cohorts.sql import did_you_mean
from hpc.errors import MissingError, UsageError

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

RuleKind = Literal["include", "exclude"]

MOST_RULES: Final = 60  # a row's answers are the bits of one signed 64-bit integer
MOST_BYTES: Final = 1_000_000
_KINDS: Final = ("include", "exclude")
_RULE_HEADER: Final = re.compile(r"^[ \t]*\[\[[ \t]*(['\"]?)(include|exclude)\1[ \t]*\]\]", re.MULTILINE)
_NOT_IN_A_NAME: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_COHORT_KEYS: Final = ("name", "level")
_RULE_KEYS: Final = ("name", "where")
_SELECT_KEYS: Final = ("per", "first_by")
_SECTIONS: Final = ("cohort", "include", "exclude", "select")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes
    ----------
    name : str
        What attrition calls it.
    kind : {"include", "exclude"}
        An include rule keeps the rows for which `where` is true. An exclude rule drops them, and keeps
        those for which it is false or unknown.
    where : str
        A yes-or-no expression in SQL over the columns of the definition's level.
    """

    name: str
    kind: RuleKind
    where: str

    def __post_init__(self) -> None:
        _check_name(self.name, "a rule")
        if self.kind not in _KINDS:
            raise UsageError(f'rule "{self.name}": kind is include or exclude, not {self.kind!r}')
        if not isinstance(self.where, str) or not self.where.strip():
            raise UsageError(f'rule "{self.name}": where is missing; write an expression such as Rows >= 512')


@dataclass(frozen=True, slots=True)
class Select:
    """One row for each study, patient, ..., the first in an order.

    Attributes
    ----------
    per : str
        A level above that of the definition.
    first_by : str
        What to order by, as after ORDER BY; unknown values come last, and ties go to the smaller UID.
    """

    per: str
    first_by: str

    def __post_init__(self) -> None:
        if not isinstance(self.per, str) or self.per not in LEVELS:
            raise UsageError(f"[select] per is one of {', '.join(LEVELS)}, not {self.per!r}")
        if not isinstance(self.first_by, str) or not self.first_by.strip():
            raise UsageError("[select] first_by is missing; write columns to order by, such as StudyDate")


@dataclass(frozen=True, slots=True)
class Definition:
    """A cohort definition.

    Attributes
    ----------
    name : str
        Its name.
    level : str
        What its rows are: instance, series, study or patient.
    rules : tuple of Rule
        The rules in the order in which attrition shows them.
    select : Select, optional
        One row per study, patient, ..., after the rules.

    Raises
    ------
    UsageError
        If it makes no sense. Whether its SQL does is known with a catalogue at hand.
    """

    name: str
    level: str
    rules: tuple[Rule, ...] = ()
    select: Select | None = None

    def __post_init__(self) -> None:
        _check_name(self.name, "a cohort")
        object.__setattr__(self, "rules", tuple(self.rules))
        if self.level == "roi":
            raise UsageError(f'cohort "{self.name}": this version does not know level "roi"; {_levels()}')
        if not isinstance(self.level, str) or self.level not in LEVELS:
            raise UsageError(f'cohort "{self.name}": level {self.level!r} does not exist; {_levels()}')
        names = [r.name for r in self.rules]
        twice = next((n for n in names if names.count(n) > 1), None)
        if twice is not None:
            raise UsageError(f'cohort "{self.name}" has two rules of the name "{twice}"; rename one')
        if len(names) > MOST_RULES:
            raise UsageError(f'cohort "{self.name}" has {len(names)} rules; at most {MOST_RULES} are read')
        above = [level.name for level in LEVELS[self.level].coarser]
        if self.select and self.select.per not in above:
            expected = f"one of {', '.join(above)}" if above else "nothing, as no level is above it"
            raise UsageError(f"[select] per must be above level {self.level}: {expected}")

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Definition:
        """Read a definition from a TOML file.

        Raises
        ------
        MissingError
            If there is no such file.
        UsageError
            If it is no definition.
        """
        try:
            with Path(path).open("rb") as file:
                content = file.read(MOST_BYTES + 1)
        except FileNotFoundError:
            raise MissingError(f"there is no cohort definition {path}") from None
        except OSError as error:
            raise UsageError(f"cohort definition {path} cannot be read: {error.strerror}") from None
        if len(content) > MOST_BYTES:
            raise UsageError(f"{path} is larger than {MOST_BYTES:,} bytes and no cohort definition")
        try:
            return cls.from_toml(content.decode("utf-8-sig"))
        except UnicodeDecodeError:
            raise UsageError(f"{path} is not UTF-8 text and no cohort definition") from None
        except UsageError as error:
            raise UsageError(f"{path}: {error}") from None

    @classmethod
    def from_toml(cls, text: str) -> Definition:
        """Build a definition from the text of a TOML file.

        Raises
        ------
        UsageError
            If it is no TOML, or holds what this version does not know.
        """
        text = text.replace("\r\n", "\n")
        try:
            content = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise UsageError(f"not valid TOML: {error}") from None
        _check_keys(content, _SECTIONS, "a cohort definition", "[{}]")
        cohort = _table(content, "cohort")
        _check_keys(cohort, _COHORT_KEYS, "[cohort]")
        select = None
        if "select" in content:
            chosen = _table(content, "select")
            _check_keys(chosen, _SELECT_KEYS, "[select]")
            select = Select(chosen.get("per", ""), chosen.get("first_by", ""))
        return cls(cohort.get("name", ""), cohort.get("level", ""), _rules(content, text), select)

    def to_toml(self) -> str:
        """Return the text of a TOML file from which the same definition is read."""
        lines = ["[cohort]", f"name = {_toml(self.name)}", f"level = {_toml(self.level)}"]
        for rule in self.rules:
            lines += ["", f"[[{rule.kind}]]", f"name = {_toml(rule.name)}", f"where = {_toml(rule.where)}"]
        if self.select:
            lines += ["", "[select]", f"per = {_toml(self.select.per)}"]
            lines.append(f"first_by = {_toml(self.select.first_by)}")
        return "\n".join(lines) + "\n"

    def canonical(self) -> dict[str, Any]:
        """Return what the definition means, for its key: equal for two files that mean the same."""
        select = self.select and {"per": self.select.per, "first_by": self.select.first_by.strip()}
        rules = [{"name": r.name, "kind": r.kind, "where": r.where.strip()} for r in self.rules]
        return {"name": self.name, "level": self.level, "rules": rules, "select": select}


def _check_name(name: object, what: str) -> None:
    if not isinstance(name, str) or not name.strip() or _NOT_IN_A_NAME.search(name):
        raise UsageError(f"{what} needs a name, one line of text, not {name!r}")


def _levels() -> str:
    return f"it knows {', '.join(LEVELS)}"


def _table(content: Mapping[str, Any], section: str) -> Mapping[str, Any]:
    table = content.get(section)
    if not isinstance(table, dict):
        raise UsageError(f"a cohort definition needs a section [{section}]")
    return table


def _check_keys(table: Mapping[str, Any], known: tuple[str, ...], where: str, shown: str = "{}") -> None:
    for key in table:
        if key not in known:
            allowed = ", ".join(shown.format(k) for k in known)
            hint = did_you_mean(key, known)
            raise UsageError(
                f"this version does not know {shown.format(key)} in {where}{hint}; it knows {allowed}"
            )


def _rules(content: Mapping[str, Any], text: str) -> tuple[Rule, ...]:
    """Rules in the order of the text; TOML itself keeps include and exclude apart."""
    waiting = {kind: list(_tables(content, kind)) for kind in _KINDS}
    headers = list(_RULE_HEADER.finditer(text))
    if len(headers) != sum(map(len, waiting.values())):  # a string may hold a line that looks like one
        headers = [m for m in headers if _is_outside_strings(text[: m.start()])]
    order = [m[2] for m in headers]
    if any(order.count(kind) != len(waiting[kind]) for kind in _KINDS):
        raise UsageError("write each rule under its own line [[include]] or [[exclude]]")
    return tuple(_rule(waiting[kind].pop(0), kind) for kind in order)


def _tables(content: Mapping[str, Any], kind: str) -> list[Any]:
    given = content.get(kind, [])
    if not isinstance(given, list):
        raise UsageError(f"write a rule under [[{kind}]], in double brackets")
    return given


def _is_outside_strings(before: str) -> bool:
    """Whether a line that looks like a header is one: what stands before it is whole TOML."""
    try:
        tomllib.loads(before)
    except tomllib.TOMLDecodeError:
        return False
    return True


def _rule(given: object, kind: str) -> Rule:
    if not isinstance(given, dict):
        raise UsageError(f"write a rule under [[{kind}]], with name and where")
    _check_keys(given, _RULE_KEYS, f"[[{kind}]]")
    return Rule(given.get("name", ""), cast("RuleKind", kind), given.get("where", ""))


def _toml(text: str) -> str:
    """Return a text as a basic TOML string; JSON's escapes are TOML's, but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
