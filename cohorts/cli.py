"""The command ``cohortium``: gathers the commands of the three rooms and turns errors into exit codes."""

from __future__ import annotations

import sys
from io import TextIOWrapper
from typing import Annotated, NoReturn

import typer

import catalog.cli
import cohorts.commands
import cohorts.demo
import hpc.cli
from hpc.errors import CohortiumError, InterruptedRunError, MissingError, UsageError, in_words
from hpc.launch import detect

FAILED = 1
WRONG_USE = 2
RESUME_ME = 75
INTERRUPTED = 130

app = typer.Typer(
    name="cohortium",
    help="DICOM archives become a versioned catalogue, questions cohorts, and cohorts training sets.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # a traceback with local variables would show patients' values
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for _room in (catalog.cli, cohorts.commands, cohorts.demo, hpc.cli):
    _room.register(app)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - the signature of a Typer callback
    if wanted:
        from importlib.metadata import version

        typer.echo(f"cohortium {version('cohortium')}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; the exit code says how it ended.

    0 done, 1 failed, 2 wrong use, 3 done but some inputs failed, 75 stopped early and can be resumed,
    130 interrupted by Ctrl-C.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a path may hold what the terminal's encoding does not
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except CohortiumError as error:
        _fail(str(error), exit_code(error))
    except OSError as error:  # a full disk, a folder without permission: the system's words say it
        _fail(in_words(error), FAILED)
    except RuntimeError as error:
        if str(error) != "Query interrupted":  # how DuckDB passes Ctrl-C on
            raise
        sys.exit(INTERRUPTED)


def _fail(message: str, code: int) -> NoReturn:
    """Say what is wrong, and end; of many ranks that the same mistake stops, the first speaks."""
    if code != WRONG_USE or detect().rank == 0:
        sys.stderr.write(f"cohortium: {message}\n")
    sys.exit(code)


def exit_code(error: CohortiumError) -> int:
    """Return the exit code of a run that an error ended."""
    if isinstance(error, InterruptedRunError):
        return RESUME_ME
    return WRONG_USE if isinstance(error, UsageError | MissingError) else FAILED
