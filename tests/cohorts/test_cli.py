"""The command line as people run it: output, messages and exit codes."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from typer.testing import CliRunner

import cohorts
import cohorts.cli
from hpc.errors import CohortiumError, ConflictError, InterruptedRunError, MissingError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from small_catalog import SmallCatalog

    from cohorts import Catalog

TOML = """
[cohort]
name = "chest-ct"
level = "series"
[[include]]
name = "CT"
where = "Modality = 'CT'"
[[exclude]]
name = "irregular geometry"
where = "NOT geometry_regular"
[select]
per = "patient"
first_by = "StudyDate, slice_spacing_mm"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "chest-ct.toml"
    path.write_text(TOML, encoding="utf-8")
    return path


def cohortium(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, by way of the function that the installed script calls."""
    code = "from cohorts.cli import main; main()"
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def run(small: SmallCatalog) -> Callable[..., str]:
    """Run a command on the small catalogue within this process and return what it prints."""

    def invoke(*arguments: object) -> str:
        result = CliRunner().invoke(cohorts.cli.app, [*map(str, arguments), "--catalog", str(small.root)])
        if result.exception:
            raise result.exception
        return result.stdout

    return invoke


class TestSql:
    QUERY = (
        "SELECT site, Modality, count(*) AS n, min(StudyDate) AS first FROM series GROUP BY ALL ORDER BY ALL"
    )

    def test_json_holds_the_answer(self, run: Callable[..., str], opened: Catalog) -> None:
        rows = json.loads(run("sql", self.QUERY, "--format", "json"))
        expected = opened.sql(self.QUERY).pl()
        found = pl.DataFrame(rows).with_columns(pl.col("first").str.to_date())
        assert_frame_equal(found, expected)

    def test_csv_holds_the_same(self, run: Callable[..., str]) -> None:
        rows = json.loads(run("sql", self.QUERY, "--format", "json"))
        read = list(csv.DictReader(io.StringIO(run("sql", self.QUERY, "--format", "csv"), newline="")))
        assert read == [{k: "" if v is None else str(v) for k, v in r.items()} for r in rows]

    def test_a_table_has_a_line_a_row(self, run: Callable[..., str]) -> None:
        rows = json.loads(run("sql", self.QUERY, "--format", "json"))
        header, *lines = run("sql", self.QUERY).splitlines()
        assert header.split() == ["site", "Modality", "n", "first"]
        assert [line.split()[0] for line in lines] == [r["site"] for r in rows]

    def test_limit(self, run: Callable[..., str]) -> None:
        query = "SELECT SeriesInstanceUID FROM series ORDER BY ALL"
        every = run("sql", query, "--format", "csv").splitlines()
        assert run("sql", query, "--format", "csv", "--limit", 3).splitlines() == every[:4]

    def test_names_of_columns_are_those_of_the_query(self, run: Callable[..., str]) -> None:
        header = run("sql", "SELECT site, site, 1 + 1 FROM series -- remark", "--format", "csv").splitlines()[
            0
        ]
        assert header == "site,site,(1 + 1)"


class TestColumns:
    def test_of_one_table(self, run: Callable[..., str], opened: Catalog) -> None:
        rows = json.loads(run("columns", "studies", "--format", "json"))
        assert [r["column"] for r in rows] == opened.sql("FROM studies").columns
        assert all(r["text"] and r["table"] == "studies" for r in rows)

    def test_of_every_table(self, run: Callable[..., str], opened: Catalog) -> None:
        rows = list(csv.DictReader(io.StringIO(run("columns", "--format", "csv"), newline="")))
        assert {r["table"] for r in rows} == set(opened.tables)
        thickness = next(r for r in rows if r["column"] == "SliceThickness")
        assert (thickness["unit"], thickness["tag"]) == ("mm", "(0018,0050)")

    def test_an_unknown_table(self, run: Callable[..., str]) -> None:
        with pytest.raises(UsageError, match=r"no table sries \(did you mean series\?\)"):
            run("columns", "sries")


class TestCohort:
    def test_show(self, run: Callable[..., str], opened: Catalog, file: Path) -> None:
        cohort = opened.cohort(file)
        rows = pl.DataFrame(json.loads(run("cohort", "show", file, "--format", "json")))
        assert set(rows["key"]) == {cohort.key}
        assert set(rows["snapshot"]) == {1}
        assert_frame_equal(rows.drop("key", "snapshot"), cohort.attrition)
        table = run("cohort", "show", file)
        assert cohort.short_key in table
        assert f"{cohort.counts['series']} series" in table
        last = cohort.attrition.row(-1, named=True)
        assert table.splitlines()[-1].split()[:5] == ["3", "one", "per", "patient", "select"]
        assert table.splitlines()[-1].split()[5] == str(last["instances"])

    def test_show_by_site(self, run: Callable[..., str], opened: Catalog, file: Path) -> None:
        printed = run("cohort", "show", file, "--by", "site", "--format", "csv")
        rows = pl.read_csv(io.StringIO(printed)).drop("key", "snapshot")
        assert_frame_equal(rows, opened.cohort(file).attrition_by_site)

    def test_list(self, run: Callable[..., str], opened: Catalog, file: Path) -> None:
        rows = json.loads(run("cohort", "list", file, "--format", "json"))
        frame = opened.cohort(file).frame()
        assert [r["SeriesInstanceUID"] for r in rows] == frame["SeriesInstanceUID"].to_list()
        assert list(rows[0]) == frame.columns

    def test_check(self, small: SmallCatalog, file: Path) -> None:
        done = cohortium("cohort", "check", file, "--format", "json")
        assert done.returncode == 0
        assert [r["rule"] for r in json.loads(done.stdout)] == ["CT", "irregular geometry", "one per patient"]
        assert "columns and types need --catalog" in done.stderr
        misspelt = TOML.replace("geometry_regular", "geometry_reglar")
        file.write_text(misspelt, encoding="utf-8")
        assert cohortium("cohort", "check", file).returncode == 0
        done = cohortium("cohort", "check", file, "--catalog", small.root)
        assert (done.returncode, done.stdout) == (2, "")
        assert "did you mean geometry_regular?" in done.stderr


class TestExport:
    def test_it_ends_with_one_line_of_json(self, small: SmallCatalog, opened: Catalog, file: Path) -> None:
        to = file.parent / "export"
        arguments = ("export", file, "--catalog", small.root, "--to", to, "--as", "csv", "--workers", 1)
        first, again = cohortium(*arguments), cohortium(*arguments)
        cohort = opened.cohort(file)
        for done, was_there in ((first, False), (again, True)):
            assert done.returncode == 0
            [line] = done.stdout.splitlines()
            report = json.loads(line)
            assert report.pop("seconds") >= 0
            assert report == {
                "job": "export",
                "key": cohort.key,
                "snapshot": 1,
                "as": "csv",
                "to": str(to),
                "files": 3,
                **cohort.counts,
                "was_there": was_there,
            }
        assert (first.stderr, "already" in again.stderr) == ("", True)
        assert pl.read_csv(to / "series.csv").height == cohort.counts["series"]

    def test_another_export_in_its_place(self, small: SmallCatalog, file: Path) -> None:
        done = cohortium("export", file, "--catalog", small.root, "--to", file.parent, "--as", "parquet")
        assert (done.returncode, done.stdout) == (2, "")
        assert "exists and does not hold this export" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["sql", "SELECT 1", "--catalog", "/nowhere"], 2, "/nowhere is no catalogue"),
        (["sql", "SELECT 1", "--catalog", "CATALOG", "--snapshot", "9"], 2, "has no snapshot 9; it has: 1"),
        (["sql", "DROP VIEW series", "--catalog", "CATALOG"], 2, "must be exactly one SELECT; it is: DROP"),
        (["sql", "SELECT Modaliti FROM series", "--catalog", "CATALOG"], 2, "Modality"),
        (["sql", "SELECT lower(1, 2) FROM identity", "--catalog", "CATALOG"], 2, "not valid"),
        (
            ["sql", "SELECT PatientName::INTEGER FROM identity", "--catalog", "CATALOG"],
            2,
            "a cell or value does not fit",
        ),
        (["sql", b"SELECT '\xff'", "--catalog", "CATALOG"], 2, "not valid UTF-8"),
        (["sql", "SELECT 1"], 2, "--catalog"),
        (
            ["cohort", "show", "/nowhere.toml", "--catalog", "CATALOG"],
            2,
            "no cohort definition /nowhere.toml",
        ),
        (["cohort", "shw"], 2, "shw"),
        (["nonsense"], 2, "nonsense"),
    ],
)
def test_wrong_use_is_told_in_one_message(
    small: SmallCatalog, arguments: list[Any], code: int, message: str
) -> None:
    given = [str(small.root) if a == "CATALOG" else os.fsdecode(a) for a in arguments]
    done = cohortium(*given)
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert "Doe" not in done.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError, 2),
        (MissingError, 2),
        (ConflictError, 1),
        (CohortiumError, 1),
        (InterruptedRunError, 75),
    ],
)
def test_exit_codes(
    error: type[CohortiumError],
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail() -> None:
        raise error("what and where")

    monkeypatch.setattr(cohorts.cli, "app", fail)
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO()))
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BytesIO()))
    with pytest.raises(SystemExit) as left:
        cohorts.cli.main()
    assert left.value.code == code
    sys.stderr.seek(0)
    assert sys.stderr.read() == "cohortium: what and where\n"


def test_an_error_of_the_program_shows_its_traceback_without_values() -> None:
    code = (
        "import cohorts.cli as c\n"
        "def broken():\n    name = 'Doe^Jane'\n    return {}['x']\n"
        "c.app.command()(broken)\nc.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "broken"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    assert "KeyError" in done.stderr
    assert "Doe" not in done.stderr


def test_help_names_every_command_and_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom cohorts.cli import main\n"
        "try: main()\nexcept SystemExit as e: assert not e.code\n"
        "heavy = {'duckdb', 'polars', 'pyarrow', 'numpy', 'numba', 'pydicom', 'deltalake', 'mpi4py'}\n"
        "loaded = heavy & set(sys.modules)\nassert not loaded, loaded"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--help"], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    for command in (
        "scan",
        "sql",
        "columns",
        "snapshots",
        "failures",
        "verify",
        "header",
        "cohort",
        "export",
        "doctor",
    ):
        assert f"\n  {command} " in done.stdout


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = (
        "import sys, cohorts\nassert 'duckdb' not in sys.modules and 'typer' not in sys.modules\n"
        "assert callable(cohorts.open_catalog) and 'Definition' in dir(cohorts)\n"
        "try: cohorts.nothing\nexcept AttributeError: pass\nelse: raise SystemExit(1)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_version() -> None:
    from importlib.metadata import version

    assert cohortium("--version").stdout == f"cohortium {version('cohortium')}\n"


def test_a_reader_that_leaves_early_is_no_error(small: SmallCatalog) -> None:
    code = "from cohorts.cli import main; main()"
    query = "SELECT a.* FROM instances a, range(1000)"
    command = [sys.executable, "-c", code, "sql", query, "--catalog", str(small.root), "--format", "csv"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline().startswith(b"site,")
        process.stdout.close()
        assert process.stderr.read() == b""
        process.wait(timeout=30)


def test_ctrl_c_ends_a_query(small: SmallCatalog) -> None:
    code = "from cohorts.cli import main; main()"
    query = "SELECT count(*) FROM range(100000000) a, range(100000) b WHERE (a.range + b.range) % 7 = 3"
    command = [sys.executable, "-c", code, "sql", query, "--catalog", str(small.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            while len(list(Path(f"/proc/{process.pid}/task").iterdir())) == 1:
                time.sleep(0.05)  # the engine has not started its threads
            time.sleep(1)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, out) == (130, b"")
    assert b"Traceback" not in err
