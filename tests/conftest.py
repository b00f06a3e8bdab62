"""What the whole suite shares: sets of real DICOM where they are, a synthetic network everywhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from catalog.synthetic import Network, make_network

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real, public DICOM sets with known truth, beside the repository; skips where they are missing."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the shared sets of real DICOM are not beside the repository")
    return folder


@pytest.fixture(scope="session")
def network(tmp_path_factory: pytest.TempPathFactory) -> Network:
    """Three invented hospitals with known truth; read only."""
    return make_network(tmp_path_factory.mktemp("network"))
