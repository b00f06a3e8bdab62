"""The three rooms and their one direction: hpc <- catalog <- cohorts."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
ROOMS = ("hpc", "catalog", "cohorts")
SOURCES = [(room, path) for room in ROOMS for path in sorted((REPOSITORY / room).rglob("*.py"))]


def _imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add((node.module or "").split(".")[0])
    return found


@pytest.mark.parametrize(("room", "path"), SOURCES, ids=[str(p.relative_to(REPOSITORY)) for _, p in SOURCES])
def test_a_room_imports_only_what_stands_to_its_left(room: str, path: Path) -> None:
    allowed = set(ROOMS[: ROOMS.index(room) + 1])
    assert _imported(path) & set(ROOMS) <= allowed


def test_importing_everything_starts_nothing() -> None:
    """No MPI, no compiling, no output, no threads: importing a package is free of effects."""
    modules = [".".join(p.relative_to(REPOSITORY).with_suffix("").parts) for _, p in SOURCES]
    modules = [m.removesuffix(".__init__") for m in modules if not m.endswith("__main__")]
    code = (
        "import sys, threading, importlib\n"
        f"for m in {modules!r}: importlib.import_module(m)\n"
        "assert 'mpi4py.MPI' not in sys.modules\n"
        "assert threading.active_count() == 1, threading.enumerate()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_root_command_loads_nothing_heavy() -> None:
    """`cohortium --help` answers at once because these stay away until a command needs them."""
    code = (
        "import sys, cohorts.cli, cohorts, catalog, hpc\n"
        "heavy = {'numpy', 'numba', 'pyarrow', 'duckdb', 'polars', 'pydicom', 'deltalake', 'mpi4py'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
