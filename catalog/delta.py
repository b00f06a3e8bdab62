"""The Delta Lake logs of a catalogue's tables: a projection of the newest snapshot, for other engines.

Spark, Trino, Polars and Dask read a table of the catalogue through its ``_delta_log``. The snapshot is the
authority: this module compares a log with it and commits the difference, so a log that a killed run left
behind is healed by the next commit or by ``cohortium verify``.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

if TYPE_CHECKING:
    from deltalake.transaction import AddAction

    from catalog.store import Snapshot, TableFiles
    from catalog.tables import DataFile

# Old snapshots stay readable: nothing may expire but by the catalogue's own cleaning.
_CONFIGURATION: Final = {
    "delta.logRetentionDuration": "interval 36500 days",
    "delta.deletedFileRetentionDuration": "interval 36500 days",
    "delta.enableExpiredLogCleanup": "false",
}


def project(snapshot: Snapshot) -> tuple[str, ...]:
    """Bring every table's log to a snapshot.

    Returns
    -------
    tuple of str
        Names of the tables whose log had to be changed.
    """
    return tuple(name for name, files in snapshot.tables.items() if _project_table(files, snapshot))


def behind(snapshot: Snapshot) -> tuple[str, ...]:
    """Names of the tables whose log does not say what a snapshot says."""
    return tuple(n for n, files in snapshot.tables.items() if _logged_names(files) != _names(files))


def _names(files: TableFiles) -> frozenset[str]:
    return frozenset(Path(d.path).name for d in files.data)


def _logged_names(files: TableFiles) -> frozenset[str]:
    from deltalake import DeltaTable

    folder = str(files.root / files.table.folder)
    if not DeltaTable.is_deltatable(folder):
        return frozenset()
    actions = DeltaTable(folder).get_add_actions(flatten=True)
    return frozenset(unquote(path) for path in actions.column("path").to_pylist())


def _project_table(files: TableFiles, snapshot: Snapshot) -> bool:
    from deltalake import CommitProperties, DeltaTable, Schema
    from deltalake.transaction import RemoveAction, create_table_with_add_actions

    folder = files.root / files.table.folder
    schema = Schema.from_arrow(files.table.schema())
    wanted, logged = _names(files), _logged_names(files)
    if wanted == logged:
        return False
    added = [_add(files.root, d) for d in files.data if Path(d.path).name not in logged]
    properties = CommitProperties(custom_metadata={"snapshot": str(snapshot.number)})
    if not DeltaTable.is_deltatable(str(folder)):
        create_table_with_add_actions(
            str(folder), schema, added, configuration=_CONFIGURATION, commit_properties=properties
        )
        return True
    now_ms = time.time_ns() // 1_000_000
    removed = [
        RemoveAction(name, data_change=True, deletion_timestamp=now_ms) for name in sorted(logged - wanted)
    ]
    table = DeltaTable(str(folder))
    table.create_write_transaction([*added, *removed], "append", schema, commit_properties=properties)
    return True


def _add(root: Path, data: DataFile) -> AddAction:
    from deltalake.transaction import AddAction

    path = root / data.path
    changed_ms = path.stat().st_mtime_ns // 1_000_000
    return AddAction(
        path.name,
        data.size_bytes,
        {},
        changed_ms,
        data_change=True,
        stats=json.dumps({"numRecords": data.rows}),
    )
