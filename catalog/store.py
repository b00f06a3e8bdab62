"""A catalogue on disk: its identity, its snapshots, and the one way to change it.

A snapshot is one immutable JSON file that lists every file of every table. It is created by ``link(2)``,
which succeeds for one writer only, after all it names is durable: a reader sees the whole of a change or
none of it.
"""

from __future__ import annotations

import json
import os
import tomllib
import uuid
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from catalog.tables import DataFile, Table, tables
from hpc.durable import create_exclusive, fsync_folder
from hpc.errors import CohortiumError, ConflictError, MissingError, UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

FORMAT: Final = 1
_COMMIT_ATTEMPTS: Final = 100


class DamagedCatalogError(CohortiumError, ValueError):
    """A file of the catalogue is not what it should be."""


@dataclass(frozen=True, slots=True)
class TableFiles:
    """The files of one table at one snapshot.

    Attributes
    ----------
    table : Table
        The table.
    data : tuple of DataFile
        Its files, with paths relative to the catalogue.
    root : Path
        The catalogue.
    """

    table: Table
    data: tuple[DataFile, ...]
    root: Path

    @property
    def files(self) -> tuple[str, ...]:
        """Absolute paths of the files."""
        return tuple(str(self.root / d.path) for d in self.data)

    @property
    def rows(self) -> int:
        """Number of rows of the table."""
        return sum(d.rows for d in self.data)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A numbered, immutable state of the whole catalogue.

    Attributes
    ----------
    number : int
        1 for the first; 0 for a catalogue that is still empty.
    created : str
        When, ISO 8601, UTC.
    job : str
        The run that made it.
    counts : Mapping
        What that run counted.
    tables : Mapping
        The files of every table.
    """

    number: int
    created: str
    job: str
    counts: Mapping[str, int]
    tables: Mapping[str, TableFiles]


@dataclass(frozen=True, slots=True)
class TableChange:
    """What a commit does to one table: files to add, already in place, and files to drop."""

    add: tuple[DataFile, ...] = ()
    remove: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class Store:
    """A catalogue on disk.

    Attributes
    ----------
    root : Path
        Its folder.
    catalog_id : str
        Its identity, for ever.
    """

    root: Path
    catalog_id: str

    def numbers(self) -> list[int]:
        """Return the numbers of the snapshots, oldest first."""
        names = (p.stem for p in (self.root / "snapshots").glob("*.json"))
        return sorted(int(n) for n in names if n.isdigit())

    def snapshots(self) -> list[Snapshot]:
        """Return every snapshot, oldest first."""
        return [self.snapshot(n) for n in self.numbers()]

    def snapshot(self, number: int | None = None) -> Snapshot:
        """Open a snapshot.

        Parameters
        ----------
        number : int, optional
            Its number; the newest where it is left out.

        Raises
        ------
        MissingError
            If there is no such snapshot.
        DamagedCatalogError
            If its file is damaged.
        """
        if number is None:
            numbers = self.numbers()
            if not numbers:
                return self._read({"number": 0, "created": "", "job": "", "counts": {}, "tables": {}})
            number = numbers[-1]
        path = self.snapshot_path(number)
        try:
            return self._read(json.loads(path.read_bytes()))
        except FileNotFoundError:
            have = ", ".join(map(str, self.numbers())) or "none yet"
            raise MissingError(f"{self.root} has no snapshot {number}; it has: {have}") from None
        except (ValueError, KeyError, TypeError) as error:
            raise DamagedCatalogError(f"{path} is damaged; `cohortium verify` tells what else is") from error

    def snapshot_path(self, number: int) -> Path:
        """Return the file of a snapshot."""
        return self.root / "snapshots" / f"{number:010d}.json"

    def key(self) -> bytes:
        """Return the secret of the catalogue, with which it makes PatientKey."""
        return bytes.fromhex((self.root / "restricted" / "key").read_text(encoding="ascii"))

    def commit(
        self,
        changes: Mapping[str, TableChange],
        *,
        base: Snapshot,
        job: str,
        counts: Mapping[str, int],
        unchanged: Collection[str] = (),
    ) -> Snapshot:
        """Make the next snapshot from the newest one and a change.

        Files that the change adds are in place and durable. Whatever other runs have committed meanwhile is
        kept, as long as it left the files alone that this change drops, and the tables that are `unchanged`.

        Parameters
        ----------
        unchanged : collection of str
            Names of the tables from which the change was derived.

        Raises
        ------
        ConflictError
            If another run dropped one of those files since `base`, or changed one of those tables: read again
            and decide anew.
        """
        for _ in range(_COMMIT_ATTEMPTS):
            newest = self.snapshot()
            for name in unchanged:
                if newest.tables[name].data != base.tables[name].data:
                    raise _changed_since(name, base.number)
            content = {
                "format": FORMAT,
                "catalog_id": self.catalog_id,
                "number": newest.number + 1,
                "created": datetime.now(UTC).isoformat(timespec="seconds"),
                "job": job,
                "counts": dict(counts),
                "tables": {
                    name: [
                        asdict(d)
                        for d in _changed(newest.tables[name], changes.get(name, TableChange()), base.number)
                    ]
                    for name in newest.tables
                },
            }
            path = self.snapshot_path(newest.number + 1)
            if create_exclusive(path, json.dumps(content, indent=1).encode()):
                return self._read(content)
        raise ConflictError(
            f"{self.root}: other runs committed {_COMMIT_ATTEMPTS} times while this one tried; run it again"
        )

    def _read(self, content: Mapping[str, Any]) -> Snapshot:
        return Snapshot(
            content["number"],
            content["created"],
            content["job"],
            content["counts"],
            {
                name: TableFiles(
                    table, tuple(DataFile(**d) for d in content["tables"].get(name, ())), self.root
                )
                for name, table in tables().items()
            },
        )


def _changed(table: TableFiles, change: TableChange, base: int) -> list[DataFile]:
    """Files of a table after a change."""
    gone = change.remove - {d.path for d in table.data}
    if gone:
        raise _changed_since(table.table.name, base)
    return [*(d for d in table.data if d.path not in change.remove), *change.add]


def _changed_since(name: str, base: int) -> ConflictError:
    return ConflictError(f"table {name} changed since snapshot {base}, where this run started; run it again")


def open_store(folder: str | os.PathLike[str]) -> Store:
    """Open a catalogue.

    Raises
    ------
    MissingError
        If the folder is no catalogue.
    DamagedCatalogError
        If its ``catalog.toml`` is damaged or of a newer format.
    """
    root = Path(folder).resolve()
    try:
        content = tomllib.loads((root / "catalog.toml").read_text(encoding="utf-8"))["catalog"]
        form, identity = content["format"], content["id"]
    except (FileNotFoundError, NotADirectoryError):
        raise MissingError(
            f"{folder} is no catalogue: it has no catalog.toml; "
            f"`cohortium scan PATH --catalog {folder} --site NAME` makes one"
        ) from None
    except (KeyError, ValueError, TypeError) as error:
        raise DamagedCatalogError(f"{root / 'catalog.toml'} is damaged") from error
    if form != FORMAT:
        raise DamagedCatalogError(
            f"{folder} has format {form}; this version of cohortium knows format {FORMAT}"
        )
    return Store(root, identity)


def open_or_create_store(folder: str | os.PathLike[str]) -> Store:
    """Open a catalogue, or make an empty one in a new or empty folder."""
    root = Path(folder).resolve()
    if (root / "catalog.toml").exists():
        return open_store(root)
    if root.exists() and not root.is_dir():
        raise UsageError(f"--catalog {folder} is a file; give a folder, new or holding a catalogue")
    names = [p.name for p in root.iterdir()] if root.exists() else []
    # a draft is what another run is making just now
    foreign = [n for n in names if n not in _LAYOUT and not n.startswith(".catalog.toml.")]
    if foreign:
        raise UsageError(f"--catalog {folder} holds other things and no catalogue; give a new folder")
    for name in ("research", "restricted", "snapshots", "staging", "audit"):
        (root / name).mkdir(parents=True, exist_ok=True)
    # What is staged holds identifiers too.
    for private in ("restricted", "staging", "audit"):
        (root / private).chmod(0o700)
    key = root / "restricted" / "key"
    create_exclusive(key, os.urandom(32).hex().encode())
    key.chmod(0o600)
    identity = (
        f'# Identity of a catalogue; do not edit.\n[catalog]\nid = "{uuid.uuid4()}"\nformat = {FORMAT}\n'
    )
    create_exclusive(root / "catalog.toml", identity.encode())
    fsync_folder(root)
    return open_store(root)


_LAYOUT: Final = frozenset({"catalog.toml", "research", "restricted", "snapshots", "staging", "audit"})


def place(store: Store, table: Table, staged: Path, data: DataFile, name: str) -> DataFile:
    """Put a staged file among a table's files by a hard link, so that a repeated commit does no harm.

    Parameters
    ----------
    staged : Path
        The durable file in the staging folder.
    name : str
        Its name among the table's files, unique to its content.

    Returns
    -------
    DataFile
        The same file with its path relative to the catalogue.
    """
    folder = store.root / table.folder
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    try:
        path.hardlink_to(staged)
    except FileExistsError:
        # left by a commit of the same job that was killed before its snapshot
        draft = path.with_suffix(".draft")
        draft.unlink(missing_ok=True)
        draft.hardlink_to(staged)
        draft.replace(path)
    return DataFile(f"{table.folder}/{name}", data.rows, data.size_bytes, data.sha256)
