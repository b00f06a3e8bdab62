"""Commands that ask questions: sql, columns, cohort check, show and list, export."""

from __future__ import annotations

import json
import sys
import time
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from catalog.cli import CatalogOption, SnapshotOption  # noqa: TC001 - Typer reads annotations when it runs
from cohorts.features import features
from hpc.errors import UsageError
from hpc.output import Format, FormatOption, print_table

if TYPE_CHECKING:
    from cohorts.cohort import Cohort

FileArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="The cohort definition, a TOML file.", show_default=False)
]

cohort_app = typer.Typer(help="Check, show and list cohorts.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands to the root command."""
    app.command()(sql)
    app.command()(columns)
    app.command()(features)
    app.add_typer(cohort_app, name="cohort")
    app.command()(export)


def sql(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="One SELECT.", show_default=False)],
    catalog: CatalogOption,
    snapshot: SnapshotOption = None,
    form: FormatOption = Format.TABLE,
    limit: Annotated[int | None, typer.Option(min=0, help="Print at most so many rows.")] = None,
) -> None:
    """Ask the catalogue a question in SQL.

    Tables: instances, series, rois, features, studies, patients; for data managers also files, identity,
    headers, failures and others. `cohortium columns` lists their columns.
    """
    from cohorts.access import open_catalog
    from cohorts.sql import check_query

    opened = open_catalog(catalog, snapshot)
    check_query(query, opened.tables)
    names, rows = opened.engine.stream(query)
    print_table(names, islice(rows, limit), form)


def columns(
    catalog: CatalogOption,
    table: Annotated[
        str | None, typer.Argument(help="A table; all that are there if left out.", show_default=False)
    ] = None,
    snapshot: SnapshotOption = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """List the columns of a table, or of every table; of features with their IBSI codes."""
    from cohorts.access import open_catalog
    from cohorts.sql import did_you_mean

    views = open_catalog(catalog, snapshot).tables
    if table is not None and table not in views:
        raise UsageError(
            f"there is no table {table}{did_you_mean(table, views)}; there are {', '.join(views)}"
        )
    wanted = [views[table]] if table else list(views.values())
    rows = [
        [v.name, c.name, c.kind, c.unit, c.level, c.tag, c.code, c.text] for v in wanted for c in v.columns
    ]
    print_table(["table", "column", "kind", "unit", "level", "tag", "code", "text"], rows, form)


@cohort_app.command("check")
def check(
    file: FileArgument,
    catalog: Annotated[
        Path | None, typer.Option(help="Folder of a catalogue, to check columns and types against.")
    ] = None,
    snapshot: SnapshotOption = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Check a cohort definition, and list its rules as they were understood."""
    from cohorts.access import open_catalog
    from cohorts.compile import check_definition
    from cohorts.definition import Definition

    definition = Definition.read(file)
    check_definition(definition)
    if catalog is not None:
        open_catalog(catalog, snapshot).cohort(definition)
    rows = [[i, r.kind, r.name, r.where.strip()] for i, r in enumerate(definition.rules, 1)]
    if definition.select:
        select = definition.select
        rows.append([len(rows) + 1, "select", f"one per {select.per}", select.first_by.strip()])
    print_table(["step", "kind", "rule", "sql"], rows, form)
    checked = f"against {catalog}" if catalog else "its form alone: columns and types need --catalog"
    sys.stderr.write(f'cohort "{definition.name}" of level {definition.level} is valid, checked {checked}\n')


@cohort_app.command("show")
def show(
    file: FileArgument,
    catalog: CatalogOption,
    snapshot: SnapshotOption = None,
    by: Annotated[Literal["site"] | None, typer.Option(help="Attrition for every site.")] = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Show the attrition of a cohort: what each rule removes, and what remains."""
    cohort = _cohort(file, catalog, snapshot)
    frame = cohort.attrition_by_site if by else cohort.attrition
    names, rows = frame.columns, frame.rows()
    if form is Format.TABLE:
        counts = ", ".join(f"{n:,} {unit}" for unit, n in cohort.counts.items())
        sys.stdout.write(
            f"cohort    {cohort.name}\nkey       {cohort.short_key}\n"
            f"snapshot  {cohort.catalog.snapshot}\nholds     {counts}\n\n"
        )
        # Nobody reads fifteen numbers a line; the other formats have them all.
        finer = {f"removed_{unit}" for unit in cohort.counts} - {f"removed_{cohort.level.view}"}
        print_table([n for n in names if n not in finer], frame.drop(finer).rows())
    else:
        origin = (cohort.key, cohort.catalog.snapshot)
        print_table(["key", "snapshot", *names], ((*origin, *row) for row in rows), form)


@cohort_app.command("list")
def list_rows(
    file: FileArgument,
    catalog: CatalogOption,
    snapshot: SnapshotOption = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """List the rows of a cohort."""
    cohort = _cohort(file, catalog, snapshot)
    names, rows = cohort.catalog.engine.stream(cohort.sql())
    print_table(names, rows, form)


def export(
    file: FileArgument,
    catalog: CatalogOption,
    to: Annotated[Path, typer.Option(help="The folder to make.", show_default=False)],
    form: Annotated[str, typer.Option("--as", help="Format: parquet or csv.", show_default=False)],
    workers: Annotated[int | None, typer.Option(min=1, help="Cores to use; all if left out.")] = None,
    snapshot: SnapshotOption = None,
) -> None:
    """Export a cohort: its rows, a data dictionary and a manifest, in a new folder."""
    from cohorts.export import exporter

    started = time.monotonic()
    exporter(form)
    cohort = _cohort(file, catalog, snapshot, workers)
    done = cohort.export(to, form)
    if done.was_there:
        sys.stderr.write(f"{done.folder} holds this export already; nothing was written\n")
    report = {
        "job": "export",
        "key": cohort.key,
        "snapshot": cohort.catalog.snapshot,
        "as": form,
        "to": str(done.folder),
        "files": len(done.manifest["files"]),
        **done.manifest["counts"],
        "was_there": done.was_there,
        "seconds": round(time.monotonic() - started, 3),
    }
    sys.stdout.write(json.dumps(report, ensure_ascii=False) + "\n")


def _cohort(file: Path, catalog: Path, snapshot: int | None, threads: int | None = None) -> Cohort:
    from cohorts.access import open_catalog
    from cohorts.definition import Definition
    from cohorts.engine import Limits

    definition = Definition.read(file)  # before the catalogue: the nearer mistake first
    limits = Limits() if threads is None else Limits(threads=threads)
    return open_catalog(catalog, snapshot, limits=limits).cohort(definition)
