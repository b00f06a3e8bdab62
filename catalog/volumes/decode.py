"""Decoding of compressed frames: by imagecodecs where it is installed, else by what pydicom finds.

Neither imagecodecs nor pydicom's own decoders are under the GPL.
"""

from __future__ import annotations

import os
import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from catalog.volumes.errors import VolumeError

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt
    from pydicom.dataset import Dataset

    Stored = npt.NDArray[Any]

_LOSSLESS_JPEG: Final = ("ljpeg_decode", "jpegsof3_decode", "jpeg8_decode")
_JPEG: Final = ("jpeg8_decode", "jpeg_decode")
_J2K: Final = ("jpeg2k_decode",)
_HTJ2K: Final = ("htj2k_decode", "jpeg2k_decode")

# Functions of imagecodecs by transfer syntax (PS3.5 A.4); the first that can is used.
CODECS: Final[dict[str, tuple[str, ...]]] = {
    "1.2.840.10008.1.2.4.50": _JPEG,
    "1.2.840.10008.1.2.4.51": _JPEG,
    "1.2.840.10008.1.2.4.57": _LOSSLESS_JPEG,
    "1.2.840.10008.1.2.4.70": _LOSSLESS_JPEG,
    "1.2.840.10008.1.2.4.80": ("jpegls_decode",),
    "1.2.840.10008.1.2.4.81": ("jpegls_decode",),
    "1.2.840.10008.1.2.4.90": _J2K,
    "1.2.840.10008.1.2.4.91": _J2K,
    "1.2.840.10008.1.2.4.110": ("jpegxl_decode",),
    "1.2.840.10008.1.2.4.111": ("jpegxl_decode",),
    "1.2.840.10008.1.2.4.112": ("jpegxl_decode",),
    "1.2.840.10008.1.2.4.201": _HTJ2K,
    "1.2.840.10008.1.2.4.202": _HTJ2K,
    "1.2.840.10008.1.2.4.203": _HTJ2K,
    "1.2.840.10008.1.2.5": ("dicomrle_decode",),
}
RLE: Final = "1.2.840.10008.1.2.5"
# What a codec or a decoder raises on damaged data, or when it lacks what it needs.
FAULTS: Final = (
    RuntimeError,
    ValueError,
    LookupError,
    TypeError,
    ArithmeticError,
    AttributeError,
    OSError,
    MemoryError,
)


def codecs(syntax: str) -> list[Callable[..., Any]]:
    """Return the functions of imagecodecs for a transfer syntax; none where it is not installed."""
    if syntax not in CODECS:
        return []
    try:
        package = import_module("imagecodecs")
    except ImportError:
        return []
    return [getattr(package, name) for name in CODECS[syntax] if hasattr(package, name)]


def decode(frame: bytes, syntax: str, bits_allocated: int) -> Stored | None:
    """Decode one frame by imagecodecs.

    Returns
    -------
    numpy.ndarray or None
        Stored numbers, shape (rows, columns), or (n,) for RLE; None where no codec is installed.

    Raises
    ------
    VolumeError
        ``pixels_unreadable``: every codec for this transfer syntax refuses.
    """
    refused: Exception | None = None
    for codec in codecs(syntax):
        try:
            if syntax == RLE:
                return np.frombuffer(
                    codec(frame, dtype=f"<u{bits_allocated // 8}"), f"<u{bits_allocated // 8}"
                )
            return np.asarray(codec(frame))
        except ImportError:
            continue
        except FAULTS as error:
            refused = error
    if refused is None:
        return None
    raise VolumeError("pixels_unreadable", f"{syntax}: {type(refused).__name__}") from refused


class Whole:
    """Frames of one file at a time, read and decoded by pydicom."""

    def __init__(self) -> None:
        self._path = b""
        self._dataset: Dataset | None = None

    def frame(self, path: bytes, syntax: str, index: int) -> Stored:
        """Decode one frame.

        Raises
        ------
        VolumeError
            ``decoder_missing`` or ``pixels_unreadable``.
        """
        from pydicom import dcmread
        from pydicom.pixels.decoders.base import get_decoder

        try:
            decoder = get_decoder(syntax)
        except NotImplementedError:
            raise _missing(syntax) from None
        if not decoder.is_available:
            raise _missing(syntax)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                if self._dataset is None or path != self._path:
                    self._path, self._dataset = path, dcmread(os.fsdecode(path), force=True)
                array, _ = decoder.as_array(self._dataset, index=index, raw=True)
        except FAULTS as error:
            raise VolumeError("pixels_unreadable", f"{syntax}: {type(error).__name__}") from error
        return array


def _missing(syntax: str) -> VolumeError:
    return VolumeError(
        "decoder_missing",
        f"nothing installed decodes transfer syntax {syntax}: pip install 'cohortium[pixels]'",
    )
