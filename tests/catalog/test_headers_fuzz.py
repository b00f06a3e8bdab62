"""Mutated headers, read with every array index checked."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
MUTANTS = 200_000


@pytest.mark.timeout(240)
def test_mutated_headers_never_leave_their_buffers(tmp_path: Path) -> None:
    """The script exits with an error where the reader raises, loses a file, or contradicts it."""
    script = REPOSITORY / "benchmarks" / "fuzz_headers.py"
    done = subprocess.run(
        [sys.executable, str(script), str(MUTANTS), "--slow", "0.01"],
        capture_output=True, text=True, check=False, cwd=REPOSITORY,
        env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    found = ast.literal_eval(done.stdout)
    assert found["mutants"] >= MUTANTS
    assert len(found["verdicts"]) >= 6, "the mutants reach every part of the reader"
    assert sum(found["translated"].values()) >= MUTANTS // 50
    assert len(found["translated"]) >= 4


def test_bounds_are_really_checked(tmp_path: Path) -> None:
    """The check that the other test relies on finds an index that is out of bounds."""
    code = (
        "import numpy as np\n"
        "from catalog.headers.elements import load\n"
        "from catalog.headers.kernel import overlapping_words\n"
        "words = overlapping_words(np.zeros(64, np.uint8))\n"
        "load(words, 56)\n"
        "try:\n    load(words, 57)\nexcept IndexError:\n    print('checked')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY,
        env=os.environ | {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)},
    )  # fmt: skip
    assert done.stdout == "checked\n"
