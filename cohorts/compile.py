"""From a definition to SQL: every rule is a column of answers, all answers of a row its bit mask.

The statement has four steps, each a common table: ``tested`` asks every rule of every row, ``judged`` turns
the answers into numbers, ``chosen`` picks one row per patient, study, ... where the definition says so, and
the last one counts (:func:`attrition_query`) or lists (:func:`rows_query`). The text of a rule stands in the
statement as it was written, in brackets of its own, after :mod:`cohorts.sql` has checked it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from catalog.engine import quoted
from cohorts.levels import LEVELS, MEMBER, UNITS, Level
from cohorts.sql import Scope, check_condition, check_order

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cohorts.definition import Definition, Rule

# Names with a space, so that no column of a table is ever called so.
_DEPTH: Final = quoted("the depth")
_LOST: Final = quoted("the lost")
_UNKNOWN: Final = quoted("the unknown")
_KEPT: Final = quoted("the kept")


def check_definition(definition: Definition, columns: frozenset[str] | None = None) -> None:
    """Check the SQL of a definition; the names of columns only where they are given.

    Raises
    ------
    UsageError
        If a rule is not one expression over the columns of its level's view.
    """
    scope = Scope(LEVELS[definition.level].view, columns)
    for rule in definition.rules:
        check_condition(rule.where, scope, f'rule "{rule.name}"')
    if definition.select:
        check_order(definition.select.first_by, scope, "[select] first_by")


def final_depth(definition: Definition) -> int:
    """Return the number of steps that a row of the cohort has passed."""
    return len(definition.rules) + (definition.select is not None)


def condition_query(rule: Rule, level: Level) -> str:
    """Return a query of one column, the answers to one rule."""
    return f"SELECT (\n{rule.where}\n) FROM {level.view}"


def rows_query(definition: Definition, columns: Iterable[str]) -> str:
    """Return the query of the cohort's rows, in no order."""
    cells = ", ".join(map(quoted, columns))
    return f"{_steps(definition)} SELECT {cells} FROM chosen WHERE {_DEPTH} = {final_depth(definition)}"


def attrition_query(definition: Definition) -> str:
    """Return the query of how many rows and members go how far.

    Its columns: ``unit`` (of :data:`cohorts.levels.UNITS`), ``site``, ``depth`` (steps passed before the
    first one failed), ``lost`` (bits of the rules that fail), ``unknown`` (bits of the rules without an
    answer), ``n``, then the number of each finer unit within. For the units above the definition's level
    depth is that of the member's best row, and the masks are null.
    """
    level = LEVELS[definition.level]
    inner = [column for _, column in level.within]
    members = [MEMBER[above.name] for above in level.coarser]
    facts = ", ".join(map(quoted, ("site", *inner, *members)))
    sums = "".join(f", sum({quoted(c)})::BIGINT" for c in inner)
    own = (
        f"SELECT '{level.view}' AS unit, site, {_DEPTH} AS depth, {_LOST} AS lost, {_UNKNOWN} AS unknown, "
        f"count(*) AS n{sums} FROM facts GROUP BY ALL"
    )
    coarser = [_member_counts(above, len(inner)) for above in level.coarser]
    return (
        f"{_steps(definition)}, facts AS MATERIALIZED "
        f"(SELECT {facts}, {_DEPTH}, {_LOST}, {_UNKNOWN} FROM chosen) " + " UNION ALL ".join([own, *coarser])
    )


def count_query(rows: str, level: Level) -> str:
    """Return the query of one row: how many of every unit the given rows hold."""
    own = dict(level.within)
    cells = []
    for unit in UNITS:
        if unit in own:
            cells.append(f"coalesce(sum({quoted(own[unit])}), 0)::BIGINT")
        elif unit == level.view:
            cells.append("count(*)")
        else:
            member = next(MEMBER[a.name] for a in level.coarser if a.view == unit)
            cells.append(
                f"count(DISTINCT CASE WHEN {quoted(member)} IS NOT NULL THEN (site, {quoted(member)}) END)"
            )
    return f"SELECT {', '.join(cells)} FROM ({rows})"


def _member_counts(level: Level, inner: int) -> str:
    member = quoted(MEMBER[level.name])
    nothing = ", NULL" * inner
    best = (
        f"SELECT site, max({_DEPTH}) AS depth FROM facts WHERE {member} IS NOT NULL GROUP BY site, {member}"
    )
    return f"SELECT '{level.view}', site, depth, NULL, NULL, count(*){nothing} FROM ({best}) GROUP BY ALL"


def _steps(definition: Definition) -> str:
    """Return the statement up to ``chosen``: the level's view, with depth and masks of every row."""
    level = LEVELS[definition.level]
    answers = "".join(f", (\n{r.where}\n) AS {_answer(i)}" for i, r in enumerate(definition.rules))
    fails = [_fails(rule, i) for i, rule in enumerate(definition.rules)]
    unknown = [f"{_answer(i)} IS NULL" for i in range(len(definition.rules))]
    judged = f"{_first(fails)} AS {_DEPTH}, {_bits(fails)} AS {_LOST}, {_bits(unknown)} AS {_UNKNOWN}"
    return (
        f"WITH tested AS NOT MATERIALIZED (SELECT *{answers} FROM {level.view}), "
        f"judged AS NOT MATERIALIZED (SELECT *, {judged} FROM tested), "
        f"chosen AS NOT MATERIALIZED ({_choice(definition, level)})"
    )


def _choice(definition: Definition, level: Level) -> str:
    """Return the step that picks one row per member of a level above, among the rows that pass all rules."""
    select = definition.select
    if select is None:
        return "SELECT * FROM judged"
    rules = len(definition.rules)
    passed = f"{_DEPTH} = {rules}"
    member = quoted(MEMBER[select.per])
    ties = ", ".join(map(quoted, level.key))
    # A row that belongs to no known patient cannot be one per patient.
    place = f"row_number() OVER (PARTITION BY {passed}, site, {member} ORDER BY\n{select.first_by}\n, {ties})"
    kept = f"{passed} AND {member} IS NOT NULL AND {place} = 1"
    unknown = f"CASE WHEN {member} IS NULL THEN {1 << rules} ELSE 0 END"
    # The alias lets first_by name columns as a rule may, with the view before them.
    ranked = f"SELECT *, {kept} AS {_KEPT} FROM judged AS {level.view}"
    return (
        f"SELECT * REPLACE ({_DEPTH} + CASE WHEN {_KEPT} THEN 1 ELSE 0 END AS {_DEPTH}, "
        f"{_UNKNOWN} | {unknown} AS {_UNKNOWN}) FROM ({ranked})"
    )


def _answer(index: int) -> str:
    return quoted(f"rule {index}")


def _fails(rule: Rule, index: int) -> str:
    """Return whether a rule drops a row; without an answer an include rule does, an exclude rule does not."""
    return f"{_answer(index)} IS {'NOT TRUE' if rule.kind == 'include' else 'TRUE'}"


def _first(conditions: list[str]) -> str:
    """Return the place of the first condition that holds, or their number."""
    if not conditions:
        return "0"
    cases = " ".join(f"WHEN {c} THEN {i}" for i, c in enumerate(conditions))
    return f"CASE {cases} ELSE {len(conditions)} END"


def _bits(conditions: list[str]) -> str:
    """Return the bits of the conditions that hold, the first one lowest."""
    terms = [f"CASE WHEN {c} THEN {1 << i}::BIGINT ELSE 0 END" for i, c in enumerate(conditions)]
    return f"({' | '.join(terms)})" if terms else "0::BIGINT"
