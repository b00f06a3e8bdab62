from __future__ import annotations

import sys
from pathlib import Path

import pytest

import cohorts

sys.path.insert(0, str(Path(__file__).parent))
from small_catalog import SmallCatalog, make_rows, write_catalog


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> SmallCatalog:
    """A catalogue of made-up rows; tests leave it as it is."""
    return write_catalog(tmp_path_factory.mktemp("small") / "a catalogue", *make_rows())


@pytest.fixture(scope="session")
def opened(small: SmallCatalog) -> cohorts.Catalog:
    return cohorts.open_catalog(small.root)
