"""Pixels of frames as values: read into a buffer that is used again, then one pass into the volume."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from catalog.volumes.decode import FAULTS, Whole, codecs, decode
from catalog.volumes.errors import VolumeError
from catalog.volumes.kernel import rescale, rescale_16, rescale_whole
from catalog.volumes.source import n_frames

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    from catalog.volumes.source import Frames, Source

    Stored = npt.NDArray[Any]

NATIVE: Final = frozenset({"1.2.840.10008.1.2", "1.2.840.10008.1.2.1"})  # little endian, as this machine
BY_PYDICOM: Final = frozenset({"1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"})  # big endian, deflated


def check_pixels(source: Source, rows: Iterable[int]) -> None:
    """Refuse images that hold no single number per pixel, or not all of their pixels.

    Raises
    ------
    VolumeError
        ``colour``, ``unsupported_pixels``, ``pixels_truncated``.
    """
    for row in sorted(set(rows)):
        photometric = str(source.column("PhotometricInterpretation")[row] or "")
        if (source.column("SamplesPerPixel")[row] or 1) != 1 or "PALETTE" in photometric:
            raise VolumeError("colour", f"images are {photometric or 'of several samples'}, not grey")
        low, stored, allocated = _bits(source, row)
        signed = source.column("PixelRepresentation")[row]
        if allocated not in {8, 16, 32} or signed not in {0, 1} or not 0 <= low <= low + stored <= allocated:
            raise VolumeError(
                "unsupported_pixels",
                f"{allocated} bits allocated, {stored} stored, lowest {low}; integers are read",
            )
        length, size = source.column("pixel_length")[row], frame_bytes(source, row)
        short = length is not None and length < n_frames(source, row) * size
        if short or source.column("pixel_truncated")[row]:
            raise VolumeError("pixels_truncated", f"{os.fsdecode(source.paths[row])}: pixel data are cut off")


def check_rescale(source: Source, frames: Frames) -> None:
    """Refuse values that follow from stored numbers by a table, or by a slope that is none.

    Raises
    ------
    VolumeError
        ``unsupported_pixels``.
    """
    if not (np.isfinite(frames.slope) & np.isfinite(frames.intercept) & (frames.slope != 0)).all():
        raise VolumeError("unsupported_pixels", "a rescale slope is zero or no number")
    slopes = source.column("RescaleSlope")
    without = next((int(row) for row in frames.row if slopes[row] is None), None)
    # A table and a slope exclude each other (PS3.3 C.11.1), so one header of those without a slope tells.
    if without is not None and "ModalityLUTSequence" in source.header(without):
        raise VolumeError("unsupported_pixels", "values follow from a Modality LUT Sequence")


def frame_bytes(source: Source, row: int) -> int:
    """Size of one uncompressed frame."""
    pixels = source.column("Rows")[row] * source.column("Columns")[row]
    return int(pixels * (source.column("BitsAllocated")[row] or 0) // 8)


def _bits(source: Source, row: int) -> tuple[int, int, int]:
    """Lowest bit in use, how many are in use, how many are allocated (PS3.5 8.1.1)."""
    allocated = int(source.column("BitsAllocated")[row] or 0)
    stored = int(source.column("BitsStored")[row] or allocated)
    high = source.column("HighBit")[row]
    return (stored if high is None else int(high) + 1) - stored, stored, allocated


def read_values(source: Source, frames: Frames, factor: float) -> npt.NDArray[np.float32]:
    """Read frames of one matrix in their order.

    Parameters
    ----------
    source : Source
        The series.
    frames : Frames
        What to read.
    factor : float
        Rescaled values are multiplied with it.

    Returns
    -------
    numpy.ndarray
        float32, shape (n, rows, columns).

    Raises
    ------
    VolumeError
        ``pixels_unreadable``, ``decoder_missing``.
    """
    first = int(frames.row[0])
    shape = source.column("Rows")[first], source.column("Columns")[first]
    out = np.empty((len(frames), *shape), np.float32)
    reader = _Reader(source)
    try:
        for k in range(len(frames)):
            row, frame = int(frames.row[k]), int(frames.frame[k])
            stored, low = reader.frame(row, frame)
            if stored.size != out[k].size:
                raise VolumeError(
                    "pixels_unreadable", f"{os.fsdecode(source.paths[row])}: a frame of another size"
                )
            slope, intercept = frames.slope[k] * factor, frames.intercept[k] * factor
            _write(stored, low, source, row, slope, intercept, out[k].reshape(-1))
    finally:
        reader.close()
    return out


def _write(
    stored: Stored,
    low: int,
    source: Source,
    row: int,
    slope: float,
    intercept: float,
    out: npt.NDArray[np.float32],
) -> None:
    """Choose the pass that fits the bits in use."""
    width = stored.itemsize * 8
    bits = min(int(source.column("BitsStored")[row] or width), width)
    signed = bool(source.column("PixelRepresentation")[row])
    stored = stored.view(f"u{stored.itemsize}")
    if bits == width:
        rescale_whole(stored.view(f"i{stored.itemsize}") if signed else stored, slope, intercept, out)
    elif signed and width == 16:
        rescale_16(stored, width - bits, width - bits - low, slope, intercept, out)
    else:
        sign = 1 << (bits - 1) if signed else 0
        rescale(stored, low, (1 << bits) - 1, sign, slope, intercept, out)


class _Reader:
    """Stored pixels of one frame after another; keeps the file and the buffer of the last."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._buffer = np.empty(0, np.uint8)
        self._open = (-1, -1)  # row, descriptor
        self._encoded: tuple[int, list[bytes]] = (-1, [])
        self._whole = Whole()

    def close(self) -> None:
        if self._open[1] >= 0:
            os.close(self._open[1])
        self._open = (-1, -1)

    def frame(self, row: int, frame: int) -> tuple[Stored, int]:
        """Return stored numbers, shape (n,), and the lowest bit in use."""
        source = self._source
        syntax = str(source.column("TransferSyntaxUID")[row] or "")
        low, _, allocated = _bits(source, row)
        if syntax in NATIVE:
            return self._native(row, frame).view(f"<u{allocated // 8}"), low
        if syntax in BY_PYDICOM:
            return _flat(self._whole.frame(source.paths[row], syntax, frame)), low
        decoded = decode(self._fragments(row)[frame], syntax, allocated) if codecs(syntax) else None
        if decoded is None:
            decoded = self._whole.frame(source.paths[row], syntax, frame)
        shape = source.column("Rows")[row], source.column("Columns")[row]
        if decoded.ndim > 1 and decoded.shape != shape:
            raise VolumeError(
                "pixels_unreadable", f"{os.fsdecode(source.paths[row])}: a frame of another size"
            )
        return _flat(decoded), 0  # what codecs give starts at bit 0

    def _native(self, row: int, frame: int) -> npt.NDArray[np.uint8]:
        size = frame_bytes(self._source, row)
        if len(self._buffer) != size:
            self._buffer = np.empty(size, np.uint8)
        self._fill(row, self._source.column("pixel_offset")[row] + frame * size, self._buffer)
        return self._buffer

    def _fill(self, row: int, offset: int, buffer: npt.NDArray[np.uint8]) -> None:
        path = self._source.paths[row]
        try:
            if self._open[0] != row:
                self.close()
                self._open = (row, os.open(path, os.O_RDONLY | os.O_CLOEXEC))
            done, view = 0, buffer.data
            while done < len(buffer):
                got = os.preadv(self._open[1], [view[done:]], offset + done)
                if not got:
                    raise VolumeError(
                        "pixels_unreadable", f"{os.fsdecode(path)}: shorter than its header says"
                    )
                done += got
        except OSError as error:
            raise VolumeError("pixels_unreadable", f"{os.fsdecode(path)}: {error.strerror}") from error

    def _fragments(self, row: int) -> list[bytes]:
        """Encoded frames of one file (PS3.5 A.4)."""
        if self._encoded[0] == row:
            return self._encoded[1]
        from pydicom.encaps import generate_frames

        source, count = self._source, n_frames(self._source, row)
        path, offset = source.paths[row], source.column("pixel_offset")[row]
        table = None
        if count > 1 and source.header(row).get("ExtendedOffsetTable"):
            header = source.header(row)
            table = (header.ExtendedOffsetTable, header.ExtendedOffsetTableLengths)
        try:
            content = np.empty(Path(os.fsdecode(path)).stat().st_size - offset, np.uint8)
            self._fill(row, offset, content)
            encoded = list(generate_frames(content.tobytes(), number_of_frames=count, extended_offsets=table))
        except FAULTS as error:
            if isinstance(error, VolumeError):
                raise
            raise VolumeError("pixels_unreadable", f"{os.fsdecode(path)}: {type(error).__name__}") from error
        if len(encoded) < count:
            raise VolumeError("pixels_truncated", f"{os.fsdecode(path)}: frames are missing")
        self._encoded = (row, encoded)
        return encoded


def _flat(array: Stored) -> Stored:
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(-1)
