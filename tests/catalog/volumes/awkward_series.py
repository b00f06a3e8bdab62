"""Series of 20 slices whose every voxel tells where it lies, written as lawful DICOM, then made awkward."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

CT = "1.2.840.10008.5.1.4.1.1.2"
PET = "1.2.840.10008.5.1.4.1.1.128"
ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
SLICES, ROWS, COLUMNS = 20, 48, 64
SPACING_MM = (2.5, 0.8, 0.7)
ORIGIN_MM = np.array([-30.0, 20.0, 100.0])
SHARES = np.array([1.0, 3.0, 7.0])  # of x, y, z in a voxel's value


def field(position: np.ndarray) -> np.ndarray:
    """What the voxel at a position, mm, shows: linear in space, so that interpolation is exact."""
    return (position - ORIGIN_MM) @ SHARES


def plane(position: Sequence[float], rows: int = ROWS, columns: int = COLUMNS) -> np.ndarray:
    """Values of an axial slice, shape (rows, columns)."""
    y, x = np.meshgrid(np.arange(rows) * SPACING_MM[1], np.arange(columns) * SPACING_MM[2], indexing="ij")
    return field(np.asarray(position) + np.stack([x, y, np.zeros_like(x)], axis=-1))


def image(position: Sequence[float], series: str, **changes: object) -> Dataset:
    """One axial CT slice: stored = (value + 1000) * 10, slope 0.1, intercept -1000."""
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = UID(CT), generate_uid()
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = series + ".1", series, series + ".2"
    ds.PatientID, ds.PatientName, ds.Modality = "A", "A", "CT"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PhotometricInterpretation = ROWS, COLUMNS, 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 0
    ds.PixelSpacing, ds.SliceThickness = [SPACING_MM[1], SPACING_MM[2]], SPACING_MM[0]
    ds.ImagePositionPatient = [round(float(p), 6) for p in position]
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.RescaleSlope, ds.RescaleIntercept = 0.1, -1000
    for name, value in changes.items():
        setattr(ds, name, value)
    values = plane([float(p) for p in ds.ImagePositionPatient], ds.Rows, ds.Columns)
    store(ds, values)
    return ds


def store(ds: Dataset, values: np.ndarray) -> None:
    """Put values in, as the object's slope and intercept have them."""
    numbers = np.rint((values - float(ds.RescaleIntercept)) / float(ds.RescaleSlope))
    kind = "<i2" if ds.PixelRepresentation else "<u2"
    ds.PixelData = numbers.astype(kind).tobytes()


def positions(count: int = SLICES, step_mm: float = SPACING_MM[0]) -> np.ndarray:
    return ORIGIN_MM + np.arange(count)[:, None] * np.array([0.0, 0.0, step_mm])


def write(images: Sequence[Dataset], folder: Path, syntax: str = ExplicitVRLittleEndian) -> list[Path]:
    """Write images in an order that says nothing, named by chance."""
    folder.mkdir(parents=True, exist_ok=True)
    shuffled = list(images)
    random.Random(7).shuffle(shuffled)
    paths = []
    for index, ds in enumerate(shuffled):
        meta = FileMetaDataset()
        meta.TransferSyntaxUID = UID(syntax)
        meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
        ds.file_meta = meta
        path = folder / f"{index:03d}.dcm"
        ds.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def regular() -> list[Dataset]:
    series = "1.2.3.9"
    return [image(p, series, InstanceNumber=SLICES - k) for k, p in enumerate(positions())]


def jitter() -> list[Dataset]:
    noise = np.random.default_rng(1).uniform(-0.002, 0.002, (SLICES, 3))
    return [image(p, "1.2.3.1") for p in positions() + noise]


def missing() -> list[Dataset]:
    return [ds for k, ds in enumerate(regular()) if k not in {7, 8}]


def duplicate() -> list[Dataset]:
    return [*regular(), image(positions()[5], regular()[0].SeriesInstanceUID)]


def uneven() -> list[Dataset]:
    steps = np.concatenate([np.arange(10) * 2.5, 22.5 + np.arange(1, 11) * 3.2])
    places = ORIGIN_MM + steps[:, None] * np.array([0.0, 0.0, 1.0])
    return [image(p, "1.2.3.2") for p in places]


def tilted() -> list[Dataset]:
    shift = np.array([0.0, 2.5 * np.tan(np.radians(15)), 0.0])
    return [image(p + k * shift, "1.2.3.3") for k, p in enumerate(positions())]


def two_volumes() -> list[Dataset]:
    images = []
    for number in (1, 2):
        for p in positions():
            ds = image(p, "1.2.3.4", AcquisitionNumber=number)
            store(ds, plane(p) + 100 * (number - 1))
            images.append(ds)
    return images


def with_localizer() -> list[Dataset]:
    images = regular()
    kinds = {
        "ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"],
        "ImageOrientationPatient": [1, 0, 0, 0, 0, -1],
    }
    return [*images, image(ORIGIN_MM, images[0].SeriesInstanceUID, **kinds)]


def slope_per_slice() -> list[Dataset]:
    return [
        image(p, "1.2.3.5", RescaleSlope=round(0.05 + 0.013 * k, 3), RescaleIntercept=0)
        for k, p in enumerate(positions())
    ]


def twelve_bits() -> list[Dataset]:
    """12 of 16 bits, unsigned; the four above hold what is no pixel."""
    images = []
    for p in positions():
        ds = image(p, "1.2.3.6", BitsStored=12, HighBit=11, RescaleSlope=1, RescaleIntercept=-1000)
        numbers = np.frombuffer(ds.PixelData, "<u2")
        ds.PixelData = (numbers | 0xA000).astype("<u2").tobytes()
        images.append(ds)
    return images


def another_size() -> list[Dataset]:
    images = regular()
    images[4] = image(positions()[4], images[0].SeriesInstanceUID, Rows=ROWS // 2)
    return images


def multi_frame(*, slopes: bool = False, per_frame_orientation: bool = False) -> list[Dataset]:
    """One enhanced object, frames from the top down."""
    places = positions()[::-1]
    ds = image(places[0], "1.2.3.7", SOPClassUID=UID(ENHANCED_CT), NumberOfFrames=SLICES)
    for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "RescaleSlope"):
        delattr(ds, name)
    del ds.RescaleIntercept, ds.SliceThickness
    measures, orientation, shared = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = list(SPACING_MM[1:]), SPACING_MM[0]
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    shared.PixelMeasuresSequence = Items([measures])
    if not per_frame_orientation:
        shared.PlaneOrientationSequence = Items([orientation])
    frames, stored = [], []
    for k, place in enumerate(places):
        own, where, rescale = Dataset(), Dataset(), Dataset()
        where.ImagePositionPatient = [float(p) for p in place]
        own.PlanePositionSequence = Items([where])
        if per_frame_orientation:
            own.PlaneOrientationSequence = Items([orientation])
        rescale.RescaleSlope, rescale.RescaleIntercept = (0.1 + 0.01 * k if slopes else 0.1), -1000
        rescale.RescaleType = "HU"
        own.PixelValueTransformationSequence = Items([rescale])
        frames.append(own)
        stored.append(np.rint((plane(place) + 1000) / float(rescale.RescaleSlope)).astype("<u2"))
    ds.SharedFunctionalGroupsSequence = Items([shared])
    ds.PerFrameFunctionalGroupsSequence = Items(frames)
    ds.PixelData = np.stack(stored).tobytes()
    return [ds]


# The twelve series, what becomes of each, and what one may ask for to get a volume all the same.
CASES: dict[str, tuple[Callable[[], list[Dataset]], str | None]] = {
    "regular, InstanceNumber reversed": (regular, None),
    "4 um jitter": (jitter, None),
    "2 of 20 slices missing": (missing, "missing_slices"),
    "one position twice": (duplicate, "duplicate_positions"),
    "spacing changes half way": (uneven, "variable_spacing"),
    "gantry tilt": (tilted, "sheared"),
    "two volumes": (two_volumes, "multiple_volumes"),
    "localizer inside": (with_localizer, "mixed_orientation"),
    "slope per slice": (slope_per_slice, None),
    "12 bits in 16, unsigned": (twelve_bits, None),
    "one slice of another size": (another_size, "mixed_matrix"),
    "enhanced multi-frame, reversed": (multi_frame, None),
}
