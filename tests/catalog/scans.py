"""Scans for tests, and how their tables are compared."""

from __future__ import annotations

import shutil
import sys
import textwrap
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from catalog.scan import ScanOptions, ScanReport, scan
from catalog.store import Store, open_or_create_store

# What a run writes of itself; everything else is the same whoever reads the files, and when.
RUN_COLUMNS = ("job",)
BIN = Path(sys.executable).parent
needs_mpi = pytest.mark.skipif(
    not (BIN / "mpiexec").exists() or find_spec("mpi4py") is None,
    reason="needs mpi4py and an MPI in the environment",
)


def scan_serially(path: Path, root: Path, site: str = "a", **options: Any) -> ScanReport:
    report = scan(ScanOptions((path,), root, site, executor="serial", **options))
    assert report is not None
    return report


def frame(store: Store, name: str, number: int | None = None) -> pl.DataFrame:
    """Rows of a table in an order of their own, without what tells the run."""
    table = store.snapshot(number).tables[name]
    rows = pl.concat([pl.read_parquet(f) for f in table.files]) if table.files else pl.DataFrame()
    rows = rows.drop([c for c in RUN_COLUMNS if c in rows.columns])
    keys = [c for c in ("site", "SeriesInstanceUID", "file_id") if c in rows.columns]
    return rows.sort(keys) if keys else rows


def same_tables(one: Store, other: Store) -> None:
    for name in one.snapshot().tables:
        assert frame(one, name).equals(frame(other, name)), name


def images(folder: Path) -> list[Path]:
    """Whole images of a folder, by path."""
    paths = (p for p in sorted(folder.rglob("*")) if p.is_file())
    return [p for p in paths if p.stat().st_size > 20_000 and p.read_bytes()[128:132] == b"DICM"]


def twin(store: Store, root: Path) -> Store:
    """An empty catalogue with the same key, so that its rows can be compared."""
    made = open_or_create_store(root)
    shutil.copy(store.root / "restricted" / "key", root / "restricted" / "key")
    return made


# Python runs this first in every process that finds it on its path.
_PATCHING = """
import importlib.abc, importlib.util, os, signal, sys
class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != "{module}":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        execute = spec.loader.exec_module
        def exec_module(module):
            execute(module)
{patch}
        spec.loader.exec_module = exec_module
        return spec
sys.meta_path.insert(0, Finder())
"""


def patch_workers(folder: Path, module: str, patch: str) -> None:
    """Make processes with this folder on their path patch a module once it is loaded there."""
    code = _PATCHING.format(module=module, patch=textwrap.indent(patch, " " * 12))
    (folder / "sitecustomize.py").write_text(code)
