"""The command ``cohortium demo``: the whole way on invented hospitals, from files to a training table."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Final

import typer

from hpc.errors import CohortiumError, UsageError

DEFINITION: Final = """\
[cohort]
name = "chest-ct"
level = "series"

[[include]]
name = "CT"
where = "Modality = 'CT'"

[[include]]
name = "at least ten slices"
where = "n_instances >= 10"

[[exclude]]
name = "irregular geometry"
where = "NOT geometry_regular"

[[include]]
name = "slices of 1.5 mm or less"
where = "slice_spacing_mm <= 1.5"
"""
QUESTION: Final = (
    "SELECT site, Modality, count(*) AS series, sum(n_instances) AS images "
    "FROM series GROUP BY ALL ORDER BY ALL"
)
# A few families: the kernels of the others would be compiled first, once per machine.
SETTINGS: Final = """\
families = ["morphology", "statistics"]
"""
MEASURED: Final = (
    "SELECT site, source, r.label, n_voxels, round(morph_volume) AS mm3, round(stat_mean, 1) AS mean "
    "FROM rois r JOIN features f USING (site, roi_key) ORDER BY ALL"
)
NEXT: Final = """\
What to type next:
  cohortium columns series --catalog {catalog}
  cohortium sql "SELECT geometry_reason, count(*) FROM series GROUP BY 1" --catalog {catalog}
  cohortium scan YOUR_FOLDER --catalog MY_CATALOGUE --site my-hospital"""
_SOME_FAILED: Final = 3


def register(app: typer.Typer) -> None:
    """Add the command to the root command."""
    app.command()(demo)


def demo(
    to: Annotated[
        Path, typer.Option("--to", help="Folder to make; a former demonstration is replaced.")
    ] = Path("demo"),
) -> None:
    """Show the whole way on invented hospitals: scan by MPI, ask, measure, define a cohort, export it."""
    started = time.monotonic()
    sites = _make_network(to)
    catalog = to / "CATALOGUE"
    for site, folder in sites.items():
        _show([*_launcher(), "cohortium", "scan", str(folder), "--catalog", str(catalog), "--site", site])
    definition = to / "chest-ct.toml"
    definition.write_text(DEFINITION, encoding="utf-8")
    _show(["cohortium", "sql", QUESTION, "--catalog", str(catalog)])
    _show(["cohortium", "failures", "--catalog", str(catalog)])
    settings = to / "radiomics.toml"
    settings.write_text(SETTINGS, encoding="utf-8")
    _show([*_launcher(), "cohortium", "features", "--catalog", str(catalog), "--settings", str(settings)])
    _show(["cohortium", "sql", MEASURED, "--catalog", str(catalog)])
    _show(["cohortium", "cohort", "show", str(definition), "--catalog", str(catalog)])
    export = to / "chest-ct"
    _show(
        [
            "cohortium",
            "export",
            str(definition),
            "--catalog",
            str(catalog),
            "--to",
            str(export),
            "--as",
            "parquet",
        ]
    )
    _show(["cohortium", "verify", "--catalog", str(catalog)], quiet=True)
    _say(f"\nDone in {time.monotonic() - started:.0f} s: the catalogue is {catalog}, the cohort {export}.")
    _say(NEXT.format(catalog=catalog))


def _make_network(to: Path) -> dict[str, Path]:
    """Write the invented hospitals; pydicom's own test files, as they are, are one more."""
    import pydicom

    from catalog.synthetic import make_network

    if to.exists():
        if not (to / "network").is_dir():
            raise UsageError(f"--to {to} exists and is no former demonstration; name a new folder")
        shutil.rmtree(to)
    network = make_network(to / "network")
    _say(f"Three invented hospitals are in {network.folder}; a fourth are the test files that pydicom ships.")
    return {**network.sites, "pydicom": Path(pydicom.__file__).parent / "data" / "test_files"}


def _launcher() -> list[str]:
    """Start two MPI ranks where MPI is installed; without it the scan uses local processes."""
    beside = Path(sys.executable).parent / "mpiexec"
    if find_spec("mpi4py") and (beside.exists() or shutil.which("mpiexec")):
        return ["mpiexec", "-n", "2"]
    return []


def _show(command: list[str], *, quiet: bool = False) -> None:
    """Print a command as one would type it, and run it."""
    _say(f"\n$ {shlex.join(command)}")
    folder = Path(sys.executable).parent
    found = [
        str(folder / c) if (folder / c).exists() and c in {"mpiexec", "cohortium"} else c for c in command
    ]
    done = subprocess.run(
        found, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL if quiet else None, check=False
    )
    if done.returncode not in {0, _SOME_FAILED}:
        raise CohortiumError(f"the command above ended with exit code {done.returncode}")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
