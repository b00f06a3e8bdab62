"""Commands of the catalogue: scan, snapshots, failures, verify, header."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hpc.errors import MissingError, UsageError
from hpc.output import Format, FormatOption, print_table
from hpc.run import ExecutorName

if TYPE_CHECKING:
    from catalog.store import Store, TableFiles

SOME_FAILED = 3

CatalogOption = Annotated[
    Path, typer.Option("--catalog", help="Folder of the catalogue.", show_default=False)
]
SnapshotOption = Annotated[int | None, typer.Option(help="Number of a snapshot; the newest if left out.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the root command."""
    for command in (scan, snapshots, failures, verify, header):
        app.command()(command)


def scan(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Folders of the site's files.", show_default=False)
    ],
    catalog: Annotated[
        Path, typer.Option(help="Folder of the catalogue; made if it is new.", show_default=False)
    ],
    site: Annotated[str, typer.Option(help="Name of the hospital.", show_default=False)],
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; all cores if left out.")] = None,
    executor: Annotated[
        ExecutorName, typer.Option(help="What runs it; auto finds a launcher by itself.")
    ] = "auto",
    *,
    headers: Annotated[bool, typer.Option(help="Keep raw headers in the restricted zone.")] = True,
    restart: Annotated[
        bool, typer.Option("--restart", help="Drop what an interrupted scan of the site left.")
    ] = False,
    accept_empty: Annotated[
        bool, typer.Option("--accept-empty", help="Believe that every known file has vanished.")
    ] = False,
) -> None:
    """Read the headers of DICOM files into the catalogue.

    Also under a launcher: mpiexec -n 4 cohortium scan ...; srun cohortium scan ...
    Run again after a kill, it goes on; run again later, it reads only what has changed.
    """
    from hpc.signals import install

    install()
    from catalog.scan import ScanOptions
    from catalog.scan import scan as run

    report = run(ScanOptions(tuple(paths), catalog, site, workers, executor, headers, restart, accept_empty))
    if report is None:
        return
    sys.stdout.write(json.dumps(report.as_dict()) + "\n")
    if report.failures:
        sys.stderr.write(f"{report.failures} inputs failed: cohortium failures --catalog {catalog}\n")
        raise typer.Exit(SOME_FAILED)


def snapshots(catalog: CatalogOption, form: FormatOption = Format.TABLE) -> None:
    """List the snapshots of the catalogue."""
    store = _open(catalog)
    found = store.snapshots()
    names = list(found[-1].tables) if found else []
    rows = [[s.number, s.created, s.job, *(s.tables[n].rows for n in names)] for s in found]
    print_table(["snapshot", "created", "job", *names], rows, form)


def failures(
    catalog: CatalogOption, snapshot: SnapshotOption = None, form: FormatOption = Format.TABLE
) -> None:
    """List the files and folders that could not be read."""
    from catalog.engine import query

    columns = ("site", "stage", "error", "message", "size", "path", "job")
    table = _restricted(_open(catalog), snapshot, "failures")
    rows = query(f"SELECT {', '.join(columns)} FROM failures ORDER BY site, path", table)
    print_table(columns, rows, form)


def verify(
    catalog: CatalogOption, snapshot: SnapshotOption = None, form: FormatOption = Format.TABLE
) -> None:
    """Check all digests, counts and references of a snapshot."""
    from catalog.verify import verify as check

    checks = list(check(_open(catalog), snapshot))
    broken = [c for c in checks if c.problem]
    print_table(("subject", "problem"), [(c.subject, c.problem or "none") for c in checks], form)
    sys.stderr.write(f"{len(checks)} checks, {len(broken)} problems\n")
    if broken:
        raise typer.Exit(1)


def header(
    uid: Annotated[str, typer.Argument(metavar="SOP_INSTANCE_UID", show_default=False)],
    catalog: CatalogOption,
    snapshot: SnapshotOption = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Show the whole header of an object, as it was read."""
    from catalog.archive import find_headers

    store = _open(catalog)
    for name in ("headers", "files"):
        _restricted(store, snapshot, name)
    found = find_headers(store.snapshot(snapshot), uid)
    if not found:
        raise MissingError(f"no object {uid} in {catalog}; `cohortium sql` finds the UIDs that there are")
    if form is Format.JSON:
        sys.stdout.write(json.dumps([f.dataset.to_json_dict() for f in found], ensure_ascii=False) + "\n")
        return
    for each in found:
        if len(found) > 1:
            sys.stdout.write(f"# site {each.site}, version {each.uid_version}\n")
        sys.stdout.write(f"{each.dataset}\n")


def _open(catalog: Path) -> Store:
    from catalog.store import open_store

    return open_store(catalog)


def _restricted(store: Store, number: int | None, name: str) -> TableFiles:
    """A restricted table, if this user may read it."""
    table = store.snapshot(number).tables[name]
    if not os.access(store.root / "restricted", os.R_OK | os.X_OK):
        raise UsageError(f"table {name} is restricted: only those may read it who manage the data")
    return table
