"""A small catalogue of made-up rows, written through the store, and polars frames of the same rows."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa

from catalog.store import Store, TableChange, open_or_create_store, place
from catalog.tables import tables, write_rows

if TYPE_CHECKING:
    from pathlib import Path

Row = dict[str, Any]

# The modalities of grouped series as polars collects them: null where no series has one.
_FOUND = pl.col("Modality").drop_nulls().unique().sort()
MODALITIES = pl.when(_FOUND.count() > 0).then(_FOUND.implode()).alias("modalities")


@dataclass(frozen=True)
class SmallCatalog:
    """The catalogue, and what its tables hold."""

    root: Path
    series: list[Row]
    instances: list[Row]

    def frame(self, table: str) -> pl.DataFrame:
        """The rows of a table, for an oracle that knows nothing of SQL."""
        rows = {"series": self.series, "instances": self.instances}[table]
        return pl.from_arrow(_arrow(table, rows))  # type: ignore[return-value]


def make_rows(n_patients: int = 40, seed: int = 7) -> tuple[list[Row], list[Row]]:
    """Rows of series and instances at three sites, with the gaps and disagreements that real ones have."""
    rng = random.Random(seed)
    series: list[Row] = []
    instances: list[Row] = []
    for patient in range(n_patients):
        site = rng.choice(("north", "south", "västra"))
        # Some files come without PatientID.
        key = None if rng.random() < 0.1 else hashlib.sha256(f"{site}{patient}".encode()).hexdigest()[:32]
        sex = rng.choice(("M", "F", None))
        for study in range(rng.randint(1, 3)):
            study_uid = f"1.2.{patient}.{study}"
            day = None if rng.random() < 0.15 else date(2019, 1, 1) + timedelta(days=rng.randrange(700))
            for number in range(rng.randint(1, 4)):
                row = _series(rng, f"{study_uid}.{number}", number)
                row |= {"site": site, "PatientKey": key, "PatientSex": sex}
                row |= {"StudyInstanceUID": study_uid, "StudyDate": day}
                series.append(row)
                instances += _instances(row, len(instances))
    return series, instances


def _series(rng: random.Random, uid: str, number: int) -> Row:
    modality = rng.choice(("CT", "CT", "MR", "PT", None))
    regular = rng.choice((True, True, False, None))
    return {
        "SeriesInstanceUID": uid,
        "Modality": modality,
        "SeriesNumber": number,
        "SeriesDescription": rng.choice(
            ("Thorax 1,0 B60f", 'a "quoted" name', "胸部平扫", "two\nlines", None)
        ),
        "BodyPartExamined": rng.choice(("CHEST", "HEAD", None)),
        "slice_spacing_mm": rng.choice((0.7, 1.0, 1.5, 5.0, None)),
        "ImageOrientationPatient": rng.choice(([1.0, 0.0, 0.0, 0.0, 1.0, 0.0], None)),
        "geometry_regular": regular,
        "Rows": rng.choice((256, 512, None)),
        "n_instances": rng.randint(1, 5),
        "n_uid_conflicts": 0,
    }


def _instances(series: Row, first: int) -> list[Row]:
    shared = ("site", "PatientKey", "PatientSex", "StudyInstanceUID", "StudyDate", "SeriesInstanceUID")
    copied = {name: series[name] for name in (*shared, "Modality", "Rows")}
    return [
        copied
        | {
            "SOPInstanceUID": f"{series['SeriesInstanceUID']}.{i}",
            "uid_version": 0,
            "file_id": first + i,
            "InstanceNumber": i,
        }
        for i in range(series["n_instances"])
    ]


def write_catalog(root: Path, series: list[Row], instances: list[Row], *, parts: int = 2) -> SmallCatalog:
    """Write the rows as one snapshot, each table in several files."""
    store = open_or_create_store(root)
    rows = {"series": series, "instances": instances}
    changes = {
        name: TableChange(add=tuple(_place(store, name, rows[name][i::parts]) for i in range(parts)))
        for name in rows
    }
    identity = [{"site": r["site"], "PatientKey": r["PatientKey"], "PatientName": "Doe^Jane"} for r in series]
    changes["identity"] = TableChange(add=(_place(store, "identity", identity),))
    store.commit(changes, base=store.snapshot(), job="test", counts={})
    return SmallCatalog(root, series, instances)


def _place(store: Store, name: str, rows: list[Row]) -> Any:
    table = tables()[name]
    folder = store.root / "staging" / name
    folder.mkdir(parents=True, exist_ok=True)
    number = len(list(folder.iterdir()))
    staged = folder / f"{number}.parquet"
    data = write_rows(table, staged, [_arrow(name, rows)])
    return place(store, table, staged, data, f"{name}-{number}.parquet")


def _arrow(name: str, rows: list[Row]) -> pa.Table:
    schema = tables()[name].schema()
    return pa.Table.from_pylist([{n: r.get(n) for n in schema.names} for r in rows], schema=schema)
