"""What the tests of the features job share."""

from __future__ import annotations

from pathlib import Path

import pytest

from catalog.scan import ScanOptions, scan
from catalog.synthetic import Network


@pytest.fixture(scope="session")
def scanned(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue without features; read only."""
    root = tmp_path_factory.mktemp("scanned") / "catalogue"
    for site, folder in network.sites.items():
        scan(ScanOptions((folder,), root, site, executor="serial"))
    return root
