"""Headers of DICOM files as rows: fast where files keep to the standard, careful where they do not."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

__all__ = ["HeaderBatch", "iter_headers", "read_header"]


@dataclass(frozen=True, slots=True)
class HeaderBatch:
    """What became of some of the files; each ends in exactly one of the tables.

    Attributes
    ----------
    rows : pyarrow.Table
        A row per DICOM instance, in no particular order: ``index`` (position in the list of paths),
        ``size``, ``mtime_ns``, ``header_bytes`` (where the pixel data element starts, or the size),
        ``reader`` (``kernel`` or ``pydicom``), ``text_repaired``, ``TransferSyntaxUID``, ``pixel_offset`` (of
        the value), ``pixel_length`` (null where it is compressed), ``pixel_truncated``, then every column of
        :data:`catalog.columns.ATTRIBUTES`. Text is dictionary-encoded where values repeat.
    raw : pyarrow.Table or None
        Row for row beside ``rows``: ``index`` and ``header``, the bytes of the file before its pixel data;
        null where they are more than 1 MiB.
    failures : pyarrow.Table
        ``index``, ``size``, ``mtime_ns``, ``stage``, ``error``, ``message``.
    others : pyarrow.Table
        ``index``, ``size``, ``mtime_ns``, ``kind``: ``not_dicom``, ``dicomdir`` or ``special``.
    """

    rows: pa.Table
    raw: pa.Table | None
    failures: pa.Table
    others: pa.Table


def iter_headers(
    paths: Sequence[bytes],
    *,
    keep_raw: bool = True,
    progress: npt.NDArray[np.int64] | None = None,
    force_slow: bool = False,
) -> Iterator[HeaderBatch]:
    """Read many headers in batches that are bounded in memory: 32 MiB of headers.

    Parameters
    ----------
    paths : sequence of bytes
        The files.
    keep_raw : bool
        Return the raw headers as well.
    progress : numpy.ndarray, optional
        Its first number is set to the position of a file before that is opened, so that another process can
        tell which file killed this one.
    force_slow : bool
        Read every file with pydicom.

    Yields
    ------
    HeaderBatch
        Batches, in the order of the files.
    """
    from catalog.headers.batches import Reader

    return Reader(paths, keep_raw=keep_raw, progress=progress, force_slow=force_slow).batches()


def read_header(path: str | os.PathLike[str]) -> dict[str, object]:
    """Read one header: every attribute of the catalogue by its name.

    Parameters
    ----------
    path : str or path-like
        A DICOM file.

    Returns
    -------
    dict
        As a row of :attr:`HeaderBatch.rows`, in Python's types; None where there is no value.

    Raises
    ------
    hpc.errors.MissingError
        There is no such file.
    catalog.headers.errors.UnreadableFileError
        The operating system refuses it.
    catalog.headers.errors.NotDicomError
        It is no DICOM instance.
    catalog.headers.errors.HeaderError
        Its header is damaged, cut off, or lacks the identity of the object.
    """
    from catalog.headers.errors import HEADER_FAULTS, HeaderError, NotDicomError, UnreadableFileError
    from hpc.errors import MissingError

    batch = next(iter_headers([os.fsencode(path)], keep_raw=False))
    if batch.rows.num_rows:
        return {name: value for name, value in batch.rows.to_pylist()[0].items() if name != "index"}
    if batch.others.num_rows:
        kind = batch.others.column("kind")[0].as_py().replace("_", " ")
        raise NotDicomError(f"{path}: no DICOM instance ({kind}); give a file that holds an image or object")
    failure = batch.failures.to_pylist()[0]
    if failure["error"] == "FileVanishedError":
        raise MissingError(f"{path}: no such file")
    refused = failure["error"] not in HEADER_FAULTS
    raise (UnreadableFileError if refused else HeaderError)(f"{path}: {failure['message']}")
