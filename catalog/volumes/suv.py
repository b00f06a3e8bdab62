"""Standardised uptake values by body weight, from the headers of PET.

SUVbw = activity concentration (Bq/ml) x body weight (g) / dose (Bq), both at the same time (PS3.3 C.8.9.1).
With DecayCorrection START images are corrected to the start of the series, so the dose decays from the
injection until then; with ADMIN they are corrected to the injection. A series whose SeriesTime lies after its
first acquisition was stored anew, so the first acquisition counts (QIBA's recommendation on SUV).
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from catalog.volumes.errors import VolumeError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from catalog.volumes.source import Source

LEAST_DOSE_BQ: Final = 1e4  # what is below was written in another unit
LONGEST_HALF_LIVES: Final = 20  # from injection to scan: beyond, nothing is left to image
DAY: Final = timedelta(days=1)
PHILIPS: Final = "Philips PET Private Group"


def uptake_scale(source: Source, rows: Iterable[int], *, suv: bool) -> tuple[float, str]:
    """Return what rescaled values of a PET series are multiplied with, and the unit that this gives.

    Parameters
    ----------
    source : Source
        The series.
    rows : iterable of int
        Rows of the images in use.
    suv : bool
        Ask for SUVbw; otherwise values stay as they are.

    Raises
    ------
    VolumeError
        ``unknown_suv``: the headers do not allow it.
    """
    rows = sorted(set(rows))
    if not suv:
        return 1.0, str(_one(source, rows, "Units", required=False) or "")
    units = str(_one(source, rows, "Units")).strip().upper()
    if units == "GML":
        return _already_suv(source, rows[0]), "SUVbw"
    if units == "BQML":
        return _by_weight(source, rows), "SUVbw"
    if units == "CNTS":
        return _of_counts(source, rows), "SUVbw"
    raise VolumeError("unknown_suv", f"Units are {units}; SUVbw follows from BQML, GML, or Philips' CNTS")


def _one(source: Source, rows: Iterable[int], name: str, *, required: bool = True) -> Any:
    """Return the only value of an attribute in a series."""
    column = source.column(name)
    values = {column[row] for row in rows} - {None, ""}
    if len(values) > 1:
        raise VolumeError("unknown_suv", f"{name} differs inside the series")
    if not values and required:
        raise VolumeError("unknown_suv", f"{name} is absent")
    return values.pop() if values else None


def _positive(source: Source, rows: Iterable[int], name: str) -> float:
    value = float(_one(source, rows, name))
    if not (math.isfinite(value) and value > 0):
        raise VolumeError("unknown_suv", f"{name} is not above zero")
    return value


def _already_suv(source: Source, row: int) -> float:
    """Return 1 where g/ml is body weight's; SUVType says otherwise for lean mass and the like."""
    kind = str(source.header(row).get("SUVType") or "BW").strip().upper()
    if kind != "BW":
        raise VolumeError("unknown_suv", f"SUVType is {kind}, not BW")
    return 1.0


def _by_weight(source: Source, rows: list[int]) -> float:
    corrected = _one(source, rows, "CorrectedImage", required=False)
    done = {word.strip().upper() for word in str(corrected or "").split("\\")}
    missing = [word for word in ("ATTN", "DECY") if corrected and word not in done]
    if missing:
        raise VolumeError("unknown_suv", f"CorrectedImage lacks {' and '.join(missing)}")
    weight = _positive(source, rows, "PatientWeight")
    dose = _positive(source, rows, "RadionuclideTotalDose")
    if dose < LEAST_DOSE_BQ:
        raise VolumeError("unknown_suv", "RadionuclideTotalDose is too small to be in Bq")
    correction = str(_one(source, rows, "DecayCorrection")).strip().upper()
    if correction == "ADMIN":
        return weight * 1000 / dose
    if correction != "START":
        raise VolumeError(
            "unknown_suv", f"DecayCorrection is {correction}; SUVbw follows from START or ADMIN"
        )
    half_life = _positive(source, rows, "RadionuclideHalfLife")
    seconds = _seconds_after_injection(source, rows)
    if seconds > LONGEST_HALF_LIVES * half_life:
        raise VolumeError("unknown_suv", "the scan starts many half-lives after the injection")
    return weight * 1000 / (dose * 2 ** (-seconds / half_life))


def _seconds_after_injection(source: Source, rows: list[int]) -> float:
    """Return the time from injection to the moment that images are decay-corrected to."""
    start = _start_of_scan(source, rows)
    given = _one(source, rows, "RadiopharmaceuticalStartDateTime", required=False)
    if given:
        injection = _date_time(str(given))
        seconds = (start - injection).total_seconds()
    else:
        injection = _on_day(start.date(), str(_one(source, rows, "RadiopharmaceuticalStartTime")))
        seconds = (start - injection).total_seconds()
        seconds += DAY.total_seconds() if seconds < 0 else 0.0  # injected before midnight
    if seconds < 0:
        raise VolumeError("unknown_suv", "the injection comes after the start of the scan")
    return seconds


def _start_of_scan(source: Source, rows: list[int]) -> datetime:
    """SeriesTime, or the first acquisition where that is earlier."""
    day = _one(source, rows, "SeriesDate", required=False) or _one(
        source, rows, "AcquisitionDate", required=False
    )
    if day is None:
        raise VolumeError("unknown_suv", "SeriesDate and AcquisitionDate are absent")
    start = _on_day(day, str(_one(source, rows, "SeriesTime")))
    dates, times = source.column("AcquisitionDate"), source.column("AcquisitionTime")
    known = range(len(times))  # of the whole series, whichever part of it is in use
    taken = [_on_day(dates[row] or day, times[row]) for row in known if times[row]]
    return min([start, *taken])


def _on_day(day: date, time: str) -> datetime:
    """Join a date and a TM value (PS3.5 6.2), HHMMSS.FFFFFF with parts left out from the right."""
    found = re.fullmatch(r"(\d\d):?(\d\d)?:?(\d\d)?(\.\d{1,6})?", time.strip())
    if not found:
        raise VolumeError("unknown_suv", "a time is not as the standard has it")
    hours, minutes, seconds = (int(part or 0) for part in found.groups()[:3])
    after = timedelta(hours=hours, minutes=minutes, seconds=seconds + float(found.group(4) or 0))
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + after


def _date_time(text: str) -> datetime:
    """Read a DT value; times of one series are told in one zone, so an offset is left out."""
    found = re.fullmatch(r"(\d{8})(\d{2,6}(?:\.\d{1,6})?)(?:[+-]\d{4})?", text.strip())
    if not found:
        raise VolumeError("unknown_suv", "RadiopharmaceuticalStartDateTime has no time of day")
    try:
        day = datetime.strptime(found.group(1), "%Y%m%d").replace(tzinfo=UTC).date()
    except ValueError as error:
        raise VolumeError("unknown_suv", "RadiopharmaceuticalStartDateTime has no such day") from error
    return _on_day(day, found.group(2))


def _of_counts(source: Source, rows: list[int]) -> float:
    """Scale Philips' counts: by its factor to SUVbw, else by its factor to Bq/ml."""
    direct = {_philips(source, row, 0x00) for row in rows}
    if len(direct) == 1 and None not in direct:
        return float(direct.pop() or 0)
    activity = {_philips(source, row, 0x09) for row in rows}
    if len(activity) == 1 and None not in activity:
        return float(activity.pop() or 0) * _by_weight(source, rows)
    raise VolumeError(
        "unknown_suv",
        "Units are CNTS and neither (7053,1000) nor (7053,1009) gives one factor for the series",
    )


def _philips(source: Source, row: int, element: int) -> float | None:
    """Return a factor above zero from Philips' private group (7053,xx00 or xx09), or None."""
    header = source.header(row)
    try:
        block = header.private_block(0x7053, PHILIPS)
    except KeyError:
        return None
    if element not in block:
        return None
    value = block[element].value
    try:
        factor = float(value.decode("ascii") if isinstance(value, bytes) else value)
    except (TypeError, ValueError):
        return None
    return factor if math.isfinite(factor) and factor > 0 else None
