"""Back from the catalogue to the archive: headers as they were read."""

from __future__ import annotations

import tempfile
import warnings
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from catalog.engine import connect, view
from hpc.errors import MissingError

if TYPE_CHECKING:
    from pydicom import Dataset

    from catalog.store import Snapshot


@dataclass(frozen=True, slots=True)
class Header:
    """The header of one object.

    Attributes
    ----------
    site : str
        The hospital it came from.
    uid_version : int
        Which content under its SOPInstanceUID.
    dataset : pydicom.Dataset
        Every element before the pixel data.
    """

    site: str
    uid_version: int
    dataset: Dataset


def find_headers(snapshot: Snapshot, uid: str) -> list[Header]:
    """Find the headers of an object: one, or several where sites or contents share the UID.

    Parameters
    ----------
    snapshot : Snapshot
        Where to look; its restricted tables must be readable.
    uid : str
        SOPInstanceUID.

    Raises
    ------
    MissingError
        If a header was not kept (it is too long, or the scan was told so) and its file is gone.
    """
    with tempfile.TemporaryDirectory() as spill, connect(Path(spill)) as engine:
        for name in ("files", "headers"):
            table = snapshot.tables[name]
            view(engine, name, table.table, table.files)
        rows = engine.execute(
            """SELECT f.site, f.uid_version, h.header, coalesce(f.path_bytes, encode(f.path))
            FROM files f LEFT JOIN headers h USING (site, file_id)
            WHERE f.SOPInstanceUID = ? AND f.is_primary ORDER BY 1, 2""",
            [uid],
        ).fetchall()
    return [Header(site, version, _dataset(raw, path)) for site, version, raw, path in rows]


def _dataset(raw: bytes | None, path: bytes) -> Dataset:
    from pydicom import dcmread

    file = Path(path.decode("utf-8", "surrogateescape"))
    if raw is None and not file.exists():
        raise MissingError("the header was not kept and its file is gone; scan the site again")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd headers are shown as they are
        return dcmread(file if raw is None else BytesIO(raw), stop_before_pixels=True, force=True)
