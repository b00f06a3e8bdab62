"""The gate: what SQL it lets through, and that nothing else passes."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cohorts.sql import RULE_CHARACTERS, Scope, check_condition, check_order, check_query
from hpc.errors import UsageError

VIEWS = ("instances", "series", "studies", "patients")
COLUMNS = ("Modality", "Rows", "StudyDate", "slice_spacing_mm", "ImageType", "positions")
SERIES = Scope("series", frozenset(COLUMNS))

GOOD_QUERIES = [
    "SELECT 1",
    "FROM series",
    "SELECT Modality, count(*) FROM series GROUP BY 1 ORDER BY 2 DESC LIMIT 3",
    "SELECT s.*, i.Rows FROM series s JOIN instances i USING (SeriesInstanceUID) WHERE s.Rows > 3;",
    "WITH thin AS (SELECT * FROM series WHERE Rows > 3) SELECT * FROM thin ORDER BY ALL",
    "WITH RECURSIVE r AS (SELECT 1 n UNION ALL SELECT n + 1 FROM r WHERE n < 5) FROM r",
    "SELECT * FROM (VALUES (1), (2)) v(x) EXCEPT SELECT Rows FROM series",
    "SELECT * FROM series WHERE SeriesInstanceUID IN (SELECT SeriesInstanceUID FROM instances)",
    "SELECT unnest(range(3)), row_number() OVER (PARTITION BY site ORDER BY Rows) FROM series QUALIFY true",
    "SELECT CAST(Rows AS DECIMAL(9, 1)), Rows::INTEGER[], {'a': [1, 2]}, CASE WHEN x THEN 1 END FROM series",
    "SELECT extract(year FROM StudyDate), trim(Modality), Modality SIMILAR TO 'C.', now(), current_date",
    "SELECT quantile_cont(Rows, 0.5), string_agg(Modality, ',' ORDER BY Rows), median(Rows) FROM series",
    "SELECT DISTINCT ON (site) * EXCLUDE (Rows) FROM series TABLESAMPLE 10%",
]
HOSTILE_QUERIES = [
    "",
    "   ",
    "-- nothing",
    "SELECT 1; SELECT 2",
    "SELECT 1; DROP VIEW series",
    "DROP VIEW series",
    "CREATE TABLE x AS SELECT 1",
    "INSERT INTO series SELECT * FROM series",
    "COPY series TO '/tmp/x.csv'",
    "COPY (SELECT 1) TO '/tmp/x.parquet' (USE_TMP_FILE false)",
    "EXPORT DATABASE '/tmp/x'",
    "ATTACH '/tmp/x.db' AS x",
    "PRAGMA database_list",
    "SET threads = 1",
    "RESET memory_limit",
    "INSTALL httpfs",
    "LOAD httpfs",
    "CALL duckdb_settings()",
    "EXPLAIN ANALYZE SELECT 1",
    "DESCRIBE series",
    "SHOW TABLES",
    "SELECT * FROM (DESCRIBE series)",
    "SUMMARIZE series",
    "PIVOT series ON Modality",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_parquet('/tmp/*.parquet')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM parquet_scan('x')",
    "SELECT * FROM glob('/*')",
    "SELECT * FROM '/etc/passwd'",
    'SELECT * FROM "/tmp/x.parquet"',
    "SELECT * FROM 'https://example.org/x.parquet'",
    "SELECT * FROM query('SELECT 1')",
    "SELECT * FROM query_table('series')",
    "SELECT * FROM duckdb_views()",
    "SELECT * FROM duckdb_views",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM pg_catalog.pg_class",
    "SELECT * FROM sqlite_master",
    "SELECT * FROM memory.main.series",
    "SELECT * FROM identity",
    "SELECT (SELECT PatientName FROM identity LIMIT 1) FROM series",
    "SELECT 1 UNION SELECT PatientName FROM identity",
    "WITH a AS (SELECT * FROM duckdb_views), duckdb_views AS (SELECT 1) SELECT * FROM a",
    'WITH a AS (SELECT * FROM DUCKDB_VIEWS), "DuckDB_Views" AS (SELECT 1) SELECT * FROM a',
    "SELECT getenv('HOME')",
    "SELECT current_setting('allowed_paths')",
    "SELECT getvariable('x')",
    "SELECT json_execute_serialized_sql('x')",
    "SELECT write_log('x')",
    "SELECT sleep_ms(100000)",
    "SELECT pg_get_viewdef(1)",
    "SELECT list_transform([1], lambda x: getenv('HOME'))",
    "SELECT count(*) FILTER (WHERE getenv('HOME') = '/') FROM series",
    "SELECT ?",
    "SELECT $name",
    "SELECT '\udcff'",
    "SELECT 1\0",
    "SELECT " + "(" * 30_000 + "1" + ")" * 30_000,
    "SELECT " + "NOT " * 20_000 + "true",
    "SELECT '" + "x" * 200_000 + "'",
]
GOOD_CONDITIONS = [
    ("Modality = 'CT' AND NOT (Rows > 3 OR Rows IS NULL)", {"Modality", "Rows"}),
    ("series.Rows BETWEEN 256 AND 512", {"Rows"}),
    ('"Rows" IN (256, 512) -- with a remark', {"Rows"}),
    ("lower(Modality) LIKE 'c%' /* another */ OR Modality ~ 'M.'", {"Modality"}),
    ("StudyDate >= DATE '2020-01-01' AND year(StudyDate) < 2024", {"StudyDate"}),
    ("CASE Modality WHEN 'CT' THEN slice_spacing_mm <= 1.5 ELSE true END", {"Modality", "slice_spacing_mm"}),
    ("len(list_filter(positions, lambda z: z > 1)) > 0 AND positions[1] > 2", {"positions"}),
    ("try_cast(Modality AS INTEGER) IS NOT DISTINCT FROM 3", {"Modality"}),
    ("ImageType ILIKE '%mosaic%' COLLATE nocase", {"ImageType"}),
    ("$$a ' b$$ = Modality", {"Modality"}),
]
HOSTILE_CONDITIONS = [
    "",
    "true) UNION SELECT (1",
    "true) FROM identity --",
    "true) OR (true",
    "1) IS NULL) OR ((1",
    "true; DROP VIEW series",
    "true --\n; DROP VIEW series",
    "true /*",
    "true, false",
    "true AS x",
    "true FROM identity",
    "true LIMIT 1",
    "true ORDER BY 1",
    "true WHERE true",
    "*",
    "COLUMNS('R.*') > 1",
    "EXISTS (SELECT 1 FROM identity)",
    "Rows IN (SELECT 1)",
    "Rows > ALL (SELECT 1)",
    "count(*) > 1",
    "sum(Rows) > 1",
    "row_number() OVER () = 1",
    "random() < 0.5",
    "now() > StudyDate",
    "current_date > StudyDate",
    "uuid() = Modality",
    "getenv('HOME') = '/'",
    "current_setting('threads') = 1",
    "read_text('/etc/passwd') = 'x'",
    "pg_catalog.lower(Modality) = 'a'",
    "identity.PatientName = 'x'",
    "PatientName = 'x'",
    "series = 1",
    "rowid = 1",
    '"rule 0"',
    "#1",
    "?",
    "$x = 1",
    "DEFAULT",
    "Modality = '\udcff'",
    "true\0",
    "(" * 4_000 + "true" + ")" * 4_000 + " AND",
    "true OR Modality = '" + "x" * RULE_CHARACTERS + "'",
]


@pytest.mark.parametrize("query", GOOD_QUERIES)
def test_a_plain_select_passes(query: str) -> None:
    check_query(query, VIEWS)


@pytest.mark.parametrize("query", HOSTILE_QUERIES, ids=lambda q: q[:40].encode("ascii", "replace").decode())
def test_any_other_query_is_refused(query: str) -> None:
    with pytest.raises(UsageError):
        check_query(query, VIEWS)


@pytest.mark.parametrize(("text", "columns"), GOOD_CONDITIONS)
def test_an_expression_passes_and_tells_its_columns(text: str, columns: set[str]) -> None:
    assert check_condition(text, SERIES, "rule") == columns


@pytest.mark.parametrize("text", HOSTILE_CONDITIONS, ids=lambda t: t[:40].encode("ascii", "replace").decode())
def test_anything_but_one_expression_over_the_columns_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        check_condition(text, SERIES, "rule")


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("StudyDate", {"StudyDate"}),
        (
            "StudyDate DESC NULLS LAST, abs(Rows - 512), series.Modality -- newest",
            {"StudyDate", "Rows", "Modality"},
        ),
    ],
)
def test_an_order_passes_and_tells_its_columns(text: str, columns: set[str]) -> None:
    assert check_order(text, SERIES, "order") == columns


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "1",
            "'x'",
            "ALL",
            "StudyDate,",
            "StudyDate LIMIT 1",
            "Rows) , (Rows",
            "random()",
            "Rows OFFSET 2",
        ),
        *("Rows;", "(SELECT 1)", "StudyTime", "count(*)", "Rows UNION SELECT 1", "?"),
    ],
)
def test_anything_but_an_order_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        check_order(text, SERIES, "order")


def test_a_misspelt_column_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(UsageError, match=r"no column slice_spacing \(did you mean slice_spacing_mm\?\)"):
        check_condition("slice_spacing < 2", SERIES, "rule")


def test_a_misspelt_table_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(UsageError, match=r"no table sries \(did you mean series\?\)"):
        check_query("SELECT * FROM sries", VIEWS)


PIECES = st.sampled_from(
    [
        *(
            "(",
            ")",
            ",",
            ";",
            "--",
            "/*",
            "*/",
            "'",
            '"',
            "$$",
            "\n",
            "1",
            "true",
            "Rows",
            "Modality",
            "'CT'",
            "=",
        ),
        *(
            "AND",
            "OR",
            "NOT",
            "IN",
            "AS",
            "x",
            "FROM",
            "series",
            "SELECT",
            "UNION",
            "ALL",
            "WHERE",
            "LIMIT",
            "?",
        ),
        *(
            "ORDER BY",
            "[",
            "]",
            "{",
            "}",
            ":",
            "::",
            "INT",
            "*",
            "lambda",
            "CASE",
            "WHEN",
            "THEN",
            "END",
            "EXCEPT",
        ),
    ]
)


@settings(max_examples=1500, deadline=None)
@given(st.lists(PIECES, max_size=9).map(" ".join))
def test_what_passes_is_one_value_for_each_row_and_no_more(text: str) -> None:
    try:
        check_condition(text, SERIES, "rule")
    except UsageError:
        return
    with duckdb.connect() as con:
        con.execute("CREATE TABLE series AS SELECT 'CT' AS Modality, range AS Rows FROM range(3)")
        try:
            before, *_, after = con.execute(
                f"SELECT 'a', Rows, (\n{text}\n) AS r, 'b' FROM series"
            ).fetchall()
        except duckdb.Error:
            return  # of the wrong types, which the binder says before anything runs
        assert (len(before), before[0], before[-1], before[1], after[1]) == (4, "a", "b", 0, 2)
