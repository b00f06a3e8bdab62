"""Say per site and scanner what is mapped, unmapped and contradictory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from catalog.vocabulary.rulebook import TARGETS

if TYPE_CHECKING:
    import pyarrow as pa

SCANNER: Final = ("site", "Manufacturer", "ManufacturerModelName")


def report(series: pa.Table) -> pa.Table:
    """Count series per site, scanner and derived column.

    Parameters
    ----------
    series : pyarrow.Table
        Rows of ``series`` with the columns of :func:`catalog.vocabulary.standardise`.

    Returns
    -------
    pyarrow.Table
        Columns site, Manufacturer, ManufacturerModelName, word, mapped, unmapped, contradictory.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    keys = [name for name in SCANNER if name in series.column_names]
    conflict = pc.is_valid(series.column("body_part_conflict"))
    parts = []
    for word in (*TARGETS, "age_years"):
        mapped = pc.is_valid(series.column(f"{word}_rule"))
        cells = {key: series.column(key) for key in keys}
        cells |= {"mapped": mapped, "unmapped": pc.invert(mapped)}
        cells["contradictory"] = conflict if word == "body_part" else pc.and_(conflict, False)  # noqa: FBT003
        grouped = pa.table({k: v if k in keys else v.cast(pa.int64()) for k, v in cells.items()})
        sums = grouped.group_by(keys).aggregate([(n, "sum") for n in ("mapped", "unmapped", "contradictory")])
        names = [n.removesuffix("_sum") for n in sums.column_names]
        sums = sums.rename_columns(names).append_column("word", pa.array([word] * len(sums), pa.string()))
        parts.append(sums.select([*keys, "word", "mapped", "unmapped", "contradictory"]))
    return pa.concat_tables(parts).sort_by([(k, "ascending") for k in (*keys, "word")])
