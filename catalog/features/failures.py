"""What of the features job is in ``failures``: a request that could not be answered, named in its message.

Such a row stands for no file. Its message starts with the request, so that a later run knows it again, and a
scan drops it when one of its series changes.
"""

from __future__ import annotations

from typing import Final

STAGE: Final = "features"
_NAMED: Final = r"^series (\S+), (\w+)(?: (\S+) of (\S+))?, settings ([0-9a-f]+): "
_NAMES: Final = "['series_uid', 'source', 'object_uid', 'mask_series', 'settings_hash']"
NOBODY: Final = "unknown"


def failure_message(
    series_uid: str, source: str, object_uid: str, mask_series: str, settings_hash: str, text: str
) -> str:
    """Return the message of a failure: the request, then what went wrong.

    Parameters
    ----------
    series_uid : str
        The series to be measured, or empty where an object belongs to none.
    source : str
        Row of :data:`catalog.masks.MASK_SOURCES`.
    object_uid, mask_series : str
        SOPInstanceUID and SeriesInstanceUID of the SEG or RTSTRUCT, or empty.
    """
    drawn = f" {object_uid} of {mask_series}" if object_uid else ""
    return f"series {series_uid or NOBODY}, {source}{drawn}, settings {settings_hash}: {text}"


def requests() -> str:
    """Return the SQL expression of a message's request: a struct, its texts empty where there are none."""
    pattern = _NAMED.replace("'", "''")
    return f"regexp_extract(message, '{pattern}', {_NAMES})"


def failure_of(series: str) -> str:
    """Return the SQL condition that a row is a failure of this job about one of the series of a subquery."""
    asked = requests()
    return f"(stage = '{STAGE}' AND ({asked}.series_uid IN {series} OR {asked}.mask_series IN {series}))"
