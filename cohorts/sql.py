"""The gate in front of SQL that people write: one SELECT, or one expression over the columns of a view.

The engine's own parser reads the text; what it understood is checked against lists of what is allowed, and
the text itself, never a rewriting of it, is what runs. The engine behind is locked as well
(:mod:`cohorts.engine`), but a locked DuckDB still lets ``COPY`` write over a file that it may read, so the
gate is not an ornament.
"""

from __future__ import annotations

import atexit
import json
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from catalog.engine import quoted
from cohorts.functions import QUERY_FUNCTIONS, RULE_FUNCTIONS, TABLE_FUNCTIONS
from hpc.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    import duckdb

QUERY_CHARACTERS: Final = 100_000
RULE_CHARACTERS: Final = 10_000

# Classes of expressions as DuckDB's parser names them.
_EXPRESSIONS: Final = frozenset(
    (
        *("BETWEEN", "CASE", "CAST", "COLLATE", "COLUMN_REF", "COMPARISON", "CONJUNCTION", "CONSTANT"),
        *("FUNCTION", "LAMBDA", "OPERATOR", "TYPE"),
    )
)
_REFUSED: Final = {
    "PARAMETER": "a placeholder such as ? or $1; write the value itself",
    "POSITIONAL_REFERENCE": "a position such as #1; write the column's name",
    "STAR": "a star; write the columns' names",
    "SUBQUERY": "a query within; a rule is asked of one row at a time",
    "WINDOW": "a window function; a rule is asked of one row at a time",
}
_ALLOWED_NODES: Final = frozenset(
    (
        *("BASE_TABLE", "EMPTY", "EXPRESSION_LIST", "JOIN", "SUBQUERY", "TABLE_FUNCTION"),
        *("SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"),
        *("DISTINCT_MODIFIER", "LIMIT_MODIFIER", "LIMIT_PERCENT_MODIFIER", "ORDER_MODIFIER"),
        *("ORDER_DEFAULT", "ASCENDING", "DESCENDING"),
    )
)
_CLOCK: Final = frozenset(
    {"current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"}
)

Tree = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Scope:
    """What a rule may speak of.

    Attributes
    ----------
    view : str
        The view whose rows it is asked of.
    columns : frozenset of str, optional
        Names of the columns; without them, as when no catalogue is at hand, names are not checked.
    """

    view: str
    columns: frozenset[str] | None = None


def check_query(text: str, views: Collection[str]) -> None:
    """Check that a query is one SELECT over the catalogue's views and nothing else.

    Raises
    ------
    UsageError
        If it is not, saying why.
    """
    import duckdb

    _check_text(text, "the query", QUERY_CHARACTERS)
    try:
        kinds = [s.type.name for s in duckdb.extract_statements(text)]
    except duckdb.Error as error:
        raise UsageError(f"the query is not valid SQL: {error}") from None
    if kinds != ["SELECT"]:
        given = ", ".join(kinds) or "nothing"
        raise UsageError(f"the query must be exactly one SELECT; it is: {given}")
    tree = _parse(text, "the query")
    named = {name.lower() for name in _common_tables(tree)}
    taken = named & _system_views()
    if taken:
        raise UsageError(
            f"the query gives a part of itself the name {min(taken)} of a system view; rename it"
        )
    for node in _nodes(tree):
        _check_query_node(node, {v.lower() for v in views} | named, views)


def check_condition(text: str, scope: Scope, what: str) -> frozenset[str]:
    """Check that a text is one expression over the columns of a view.

    Parameters
    ----------
    text : str
        The expression, as it stands after WHERE.
    scope : Scope
        The view and its columns.
    what : str
        How messages name the text, such as ``rule "chest CT"``.

    Returns
    -------
    frozenset of str
        Names of the columns it asks for, as written.

    Raises
    ------
    UsageError
        If it is not, saying why.
    """
    _check_text(text, what, RULE_CHARACTERS)
    view = quoted(scope.view)
    bare = _parse(f"SELECT {text}\nFROM {view}", what)
    # A text that closes a bracket it did not open, or that holds more than one expression, does not mean
    # the same within brackets and without.
    if bare != _parse(f"SELECT (\n{text}\n) FROM {view}", what):
        raise UsageError(f"{what} must be one expression, such as Modality = 'CT' AND Rows >= 512")
    return _check_expressions(bare["select_list"], scope, what)


def check_order(text: str, scope: Scope, what: str) -> frozenset[str]:
    """Check that a text is what may stand after ORDER BY; return the columns it asks for.

    Raises
    ------
    UsageError
        If it is not, saying why.
    """
    _check_text(text, what, RULE_CHARACTERS)
    start = f"SELECT 1 FROM {quoted(scope.view)}"
    # Read as it will run: with more to order by behind it.
    tree, base = _parse(f"{start} ORDER BY\n{text}\n, 1", what), _parse(start, what)
    modifiers = tree.pop("modifiers")
    base.pop("modifiers")
    if tree != base or [m["type"] for m in modifiers] != ["ORDER_MODIFIER"]:
        raise UsageError(f"{what} must be columns to order by, such as StudyDate, SeriesNumber DESC")
    used: set[str] = set()
    for order in modifiers[0]["orders"][:-1]:
        names = _check_expressions([order["expression"]], scope, what)
        if not names:
            raise UsageError(f"{what} orders by something that is the same for every row; name a column")
        used |= names
    return frozenset(used)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a hint at the nearest known name, or nothing."""
    by_lower = {k.lower(): k for k in known}
    near = get_close_matches(name.lower(), by_lower, n=1, cutoff=0.7)
    return f" (did you mean {by_lower[near[0]]}?)" if near else ""


def _check_text(text: str, what: str, most: int) -> None:
    if len(text) > most:
        raise UsageError(f"{what} has {len(text):,} characters; at most {most:,} are read")
    if "\0" in text or not text.strip():
        raise UsageError(f"{what} is empty or holds a zero byte; write SQL")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{what} is not valid UTF-8") from None


@cache
def _parser() -> duckdb.DuckDBPyConnection:
    import duckdb

    atexit.register(_parser.cache_clear)  # DuckDB complains where a connection outlives its module
    return duckdb.connect(config={"threads": 1, "enable_external_access": False, "lock_configuration": True})


@cache
def _system_views() -> frozenset[str]:
    rows = _parser().execute("SELECT lower(view_name) FROM duckdb_views() WHERE internal").fetchall()
    return frozenset(name for (name,) in rows)


def _parse(text: str, what: str) -> Tree:
    """Return the only statement of the text as DuckDB understands it, without places in the text."""
    import duckdb

    try:
        [[serialized]] = _parser().cursor().execute("SELECT json_serialize_sql(?)", [text]).fetchall()
        answer = json.loads(serialized, object_hook=_without_places)
    except RecursionError:
        raise UsageError(f"{what} is nested too deeply") from None
    except duckdb.Error as error:
        raise UsageError(f"{what} is not valid SQL: {error}") from None
    if answer["error"]:
        raise UsageError(f"{what} is not valid SQL: {answer['error_message']}")
    if len(answer["statements"]) != 1:
        raise UsageError(f"{what} must be one piece of SQL, without a semicolon")
    node: Tree = answer["statements"][0]["node"]
    return node


def _without_places(node: Tree) -> Tree:
    node.pop("query_location", None)
    node.pop("query_location_length", None)
    return node


def _nodes(tree: object) -> Iterator[Tree]:
    """Walk over every object of a tree; without recursion, as the text decides how deep it is."""
    stack = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            yield node
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)


def _common_tables(tree: Tree) -> Iterator[str]:
    for node in _nodes(tree):
        if "cte_map" in node:
            yield from (entry["key"] for entry in node["cte_map"]["map"])


def _check_query_node(node: Tree, tables: Collection[str], views: Collection[str]) -> None:
    kind = node.get("type")
    if "class" in node:
        if node["class"] == "PARAMETER":
            raise UsageError(f"the query holds {_REFUSED['PARAMETER']}")
        if node["class"] == "FUNCTION":
            _check_function(node, QUERY_FUNCTIONS | TABLE_FUNCTIONS, "the query")
    elif kind == "SHOW_REF":
        raise UsageError("SHOW and DESCRIBE are not answered here; `cohortium columns` lists columns")
    elif kind == "TABLE_FUNCTION":
        _check_function(node["function"], TABLE_FUNCTIONS, "the query", "reads from")
    elif kind == "BASE_TABLE":
        _check_table(node, tables, views)
    elif isinstance(kind, str) and kind not in _ALLOWED_NODES and not kind.endswith("_TYPE_INFO"):
        raise UsageError(f"the query holds {kind}, which is not allowed here")


def _check_table(node: Tree, tables: Collection[str], views: Collection[str]) -> None:
    name = node["table_name"]
    if node["schema_name"] or node["catalog_name"] or node["at_clause"] or name.lower() not in tables:
        full = ".".join(filter(None, (node["catalog_name"], node["schema_name"], name)))
        raise UsageError(
            f"there is no table {full}{did_you_mean(name, views)}; the catalogue has: {', '.join(views)}"
        )


def _check_function(node: Tree, allowed: frozenset[str], what: str, does: str = "calls") -> None:
    name = node["function_name"].lower()
    # The parser itself writes "main" where the syntax stands for a function, as {'a': 1} does.
    if node["schema"] not in {"", "main"} or node["catalog"]:
        raise UsageError(f"{what} {does} {name} of a schema; leave the schema out")
    if name not in allowed:
        raise UsageError(f"{what} {does} {name}, which is not allowed here{did_you_mean(name, allowed)}")


def _check_expressions(trees: list[Tree], scope: Scope, what: str) -> frozenset[str]:
    """Check every part of expressions over a view; return the columns they ask for."""
    parameters = {p for node in _nodes(trees) for p in _lambda_parameters(node)}
    used = set()
    for node in _nodes(trees):
        kind = node.get("class")
        if kind is None:
            continue
        if kind not in _EXPRESSIONS:
            raise UsageError(f"{what} holds {_REFUSED.get(kind, kind)}")
        if kind == "FUNCTION":
            _check_function(node, RULE_FUNCTIONS, what)
        elif kind == "COLUMN_REF":
            names = node["column_names"]
            if names[0] not in parameters:
                used.add(_check_column(names, scope, what))
    return frozenset(used)


def _lambda_parameters(node: Tree) -> Iterator[str]:
    if node.get("class") == "LAMBDA":
        for part in _nodes(node["lhs"]):
            yield from part.get("column_names", ())


def _check_column(names: list[str], scope: Scope, what: str) -> str:
    name = names[-1]
    if name.lower() in _CLOCK:
        raise UsageError(
            f"{what} asks for {name}, so its answer would change by itself; write DATE '2024-05-01'"
        )
    qualified = len(names) == 2 and names[0].lower() == scope.view.lower()
    known = scope.columns is None or name.lower() in {c.lower() for c in scope.columns}
    if (len(names) == 1 or qualified) and known:
        return name
    raise UsageError(
        f"{what}: {scope.view} has no column {'.'.join(names)}{did_you_mean(name, scope.columns or ())}; "
        f"`cohortium columns {scope.view}` lists them"
    )
