"""Commands of the engine: doctor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hpc.output import Format, FormatOption, print_table


def register(app: typer.Typer) -> None:
    """Add the commands to the root command."""
    app.command()(doctor)


def doctor(
    folder: Annotated[
        Path,
        typer.Option("--folder", help="Where a catalogue is or will be.", show_default="the current one"),
    ] = Path(),
    form: FormatOption = Format.TABLE,
) -> None:
    """Say what this machine offers to a job: packages, MPI, launcher, cores, memory, file system."""
    from hpc.doctor import examine

    findings = list(examine(folder))
    print_table(("subject", "verdict", "detail"), [(f.subject, f.verdict, f.detail) for f in findings], form)
    if any(finding.verdict == "problem" for finding in findings):
        raise typer.Exit(1)
