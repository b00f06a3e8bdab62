"""The command ``cohortium features``: the series are chosen by a rule, which only this room can check."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from catalog.cli import SOME_FAILED, CatalogOption
from hpc.errors import UsageError
from hpc.run import ExecutorName  # noqa: TC001 - Typer reads annotations when it runs

if TYPE_CHECKING:
    import pyarrow as pa

    from catalog.radiomics import Settings


def features(
    catalog: CatalogOption,
    where: Annotated[
        str | None,
        typer.Option(
            metavar="SQL", help="Which series: a condition over the table series.", show_default=False
        ),
    ] = None,
    masks: Annotated[
        str, typer.Option(help="Where regions come from: seg, rtstruct, lungs, whole.")
    ] = "seg,rtstruct",
    settings: Annotated[
        str | None,
        typer.Option(
            metavar="FILE_OR_PRESET",
            help="A TOML file, or ibsi-a to ibsi-e, ct-lung, pet, mr.",
            show_default=False,
        ),
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; all cores if left out.")] = None,
    executor: Annotated[
        ExecutorName, typer.Option(help="What runs it; auto finds a launcher by itself.")
    ] = "auto",
    memory: Annotated[float, typer.Option(min=0.1, help="GiB that a worker may need for a series.")] = 4.0,
    *,
    retry: Annotated[bool, typer.Option("--retry", help="Try again what has failed before.")] = False,
) -> None:
    """Compute IBSI features of the regions of interest of series, into the tables rois and features.

    Also under a launcher: mpiexec -n 4 cohortium features ...; srun cohortium features ...
    Run again after a kill, it goes on; run again later, it measures only what is new or has changed.
    """
    from hpc.signals import install

    install()
    from catalog.features import FeatureOptions
    from catalog.features import features as run

    report = run(
        FeatureOptions(
            catalog,
            _settings(settings),
            tuple(filter(None, (m.strip() for m in masks.split(",")))),
            partial(choose_series, catalog, where) if where is not None else None,
            workers,
            executor,
            int(memory * 2**30),
            retry,
        )
    )
    if report is None:
        return
    sys.stdout.write(json.dumps(report.as_dict()) + "\n")
    if report.failures:
        sys.stderr.write(f"{report.failures} requests failed: cohortium failures --catalog {catalog}\n")
        raise typer.Exit(SOME_FAILED)


def choose_series(catalog: Path, where: str, snapshot: int) -> pa.Table:
    """Return the keys of the series for which a condition holds.

    Parameters
    ----------
    catalog : Path
        Folder of the catalogue.
    where : str
        One SQL expression over the columns of ``series``, as in a rule of a cohort.
    snapshot : int
        Number of the snapshot to ask; 0 for a catalogue that is still empty.

    Returns
    -------
    pyarrow.Table
        Columns site and SeriesInstanceUID.

    Raises
    ------
    UsageError
        If the condition is not valid or not allowed.
    """
    import pyarrow as pa

    from cohorts.access import open_catalog
    from cohorts.sql import Scope, check_condition

    opened = open_catalog(catalog, snapshot or None)
    check_condition(where, Scope("series", opened.tables["series"].column_names), "--where")
    batches = list(opened.engine.batches(f"SELECT site, SeriesInstanceUID FROM series WHERE (\n{where}\n)"))
    schema = pa.schema([("site", pa.string()), ("SeriesInstanceUID", pa.string())])
    return pa.Table.from_batches(batches).cast(schema) if batches else schema.empty_table()


def _settings(given: str | None) -> Settings:
    """Read settings from a file, or take a preset; an existing file goes before a preset of its name."""
    from catalog.radiomics import Settings

    if given is None:
        return Settings()
    if Path(given).is_file():
        return Settings.from_toml(Path(given))
    if Path(given).suffix:
        raise UsageError(f"--settings {given}: there is no such file")
    return Settings.preset(given)
