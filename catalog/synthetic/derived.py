"""SEG and RTSTRUCT of a synthetic chest (PS3.3, A.51 and A.19)."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi, sin, sqrt
from typing import TYPE_CHECKING

import numpy as np
from pydicom.dataset import Dataset

from catalog.synthetic.anatomy import LUNG_X_MM, Chest, Grid, Point
from catalog.synthetic.images import CT_IMAGE, decimals
from catalog.synthetic.study import Series, code, reference, sequence, series_dataset

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
STRUCTURE_SET = "1.2.840.10008.5.1.4.1.1.481.3"
STUDY_COMPONENT = "1.2.840.10008.3.1.2.3.1"


@dataclass(frozen=True, slots=True)
class Segment:
    """A mask of shape ``(z, y, x)`` with its label and SNOMED CT category and type."""

    label: str
    category: tuple[str, str]
    meaning: tuple[str, str]
    mask: NDArray[np.bool_]


def segmentation(series: Series, source: Series, grid: Grid, segments: Sequence[Segment]) -> Dataset:
    """Binary segmentation with one frame per slice that a segment reaches."""
    ds = series_dataset(series)
    _derived(ds, series)
    frames = [(n, z) for n, s in enumerate(segments) for z in np.flatnonzero(s.mask.any(axis=(1, 2)))]
    ds.ImageType = ["DERIVED", "PRIMARY"]
    ds.ContentLabel, ds.ContentDescription, ds.ContentCreatorName = "CHEST", "Lungs and nodule", ""
    ds.SegmentationType = "BINARY"
    ds.SegmentSequence = sequence(*(_segment(n, s) for n, s in enumerate(segments)))
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    _, ds.Rows, ds.Columns = grid.shape
    ds.BitsAllocated = ds.BitsStored = 1
    ds.HighBit = ds.PixelRepresentation = 0
    ds.LossyImageCompression = "00"
    ds.NumberOfFrames = len(frames)
    _dimensions(ds, series)
    ds.SharedFunctionalGroupsSequence = sequence(_shared(grid))
    ds.PerFrameFunctionalGroupsSequence = sequence(
        *(_frame(source, grid, number, int(z)) for number, z in frames)
    )
    referenced = Dataset()
    referenced.SeriesInstanceUID = source.uid
    used = sorted({int(z) for _, z in frames})
    referenced.ReferencedInstanceSequence = sequence(
        *(reference(CT_IMAGE, source.instance_uid(z)) for z in used)
    )
    ds.ReferencedSeriesSequence = sequence(referenced)
    ds.PixelData = _packed(np.stack([segments[n].mask[z] for n, z in frames]))
    return ds


def structure_set(series: Series, source: Series, grid: Grid, chest: Chest) -> Dataset:
    """Contours of the nodule and the right lung, as polygons on the ellipses of each slice."""
    ds = series_dataset(series)
    _derived(ds, series)
    ds.StructureSetLabel = "CHEST"
    ds.StructureSetDate, ds.StructureSetTime = ds.StudyDate, ds.SeriesTime
    ds.ApprovalStatus = "UNAPPROVED"
    ds.ReferencedFrameOfReferenceSequence = sequence(_referenced_frame(source, grid))
    r = chest.nodule_radius_mm
    shapes: tuple[tuple[str, str, Point, Point], ...] = (
        ("GTV-1", "GTV", chest.nodule_mm, (r, r, r)),
        ("Lung_R", "ORGAN", (-LUNG_X_MM, 0.0, 0.0), chest.lung_half_axes_mm),
    )
    rois, contours, observations = [], [], []
    for number, (name, kind, centre, half_axes) in enumerate(shapes, start=1):
        roi = Dataset()
        roi.ROINumber, roi.ROIName, roi.ROIGenerationAlgorithm = number, name, "MANUAL"
        roi.ReferencedFrameOfReferenceUID = series.study.frame_of_reference
        rois.append(roi)
        contour = Dataset()
        contour.ReferencedROINumber, contour.ROIDisplayColor = number, [255, 80 * number, 0]
        contour.ContourSequence = sequence(*_contours(source, grid, centre, half_axes))
        contours.append(contour)
        seen = Dataset()
        seen.ObservationNumber = seen.ReferencedROINumber = number
        seen.RTROIInterpretedType, seen.ROIInterpreter = kind, ""
        observations.append(seen)
    ds.StructureSetROISequence = sequence(*rois)
    ds.ROIContourSequence = sequence(*contours)
    ds.RTROIObservationsSequence = sequence(*observations)
    return ds


def ellipse(centre: Point, half_axes: Point, z: float, points: int = 48) -> list[Point]:
    """Polygon on the section of an ellipsoid at height ``z``; empty where they do not meet."""
    (cx, cy, cz), (ax, ay, az) = centre, half_axes
    scale2 = 1 - ((z - cz) / az) ** 2
    if scale2 <= 0:
        return []
    scale = sqrt(scale2)
    angles = [2 * pi * k / points for k in range(points)]
    return [(cx + ax * scale * cos(a), cy + ay * scale * sin(a), z) for a in angles]


def _derived(ds: Dataset, series: Series) -> None:
    ds.SOPInstanceUID = series.instance_uid(0)
    ds.InstanceNumber = 1
    ds.ContentDate, ds.ContentTime = ds.StudyDate, ds.SeriesTime
    ds.Manufacturer, ds.ManufacturerModelName = "Cohortium", "synthetic"
    ds.SoftwareVersions, ds.DeviceSerialNumber = "1", "1"
    for keyword in ("ProtocolName", "StationName", "PatientPosition"):
        del ds[keyword]


def _segment(index: int, segment: Segment) -> Dataset:
    item = Dataset()
    item.SegmentNumber, item.SegmentLabel = index + 1, segment.label
    item.SegmentAlgorithmType, item.SegmentAlgorithmName = "AUTOMATIC", "formula"
    item.SegmentedPropertyCategoryCodeSequence = sequence(
        code(segment.category[0], "SCT", segment.category[1])
    )
    item.SegmentedPropertyTypeCodeSequence = sequence(code(segment.meaning[0], "SCT", segment.meaning[1]))
    return item


def _dimensions(ds: Dataset, series: Series) -> None:
    organization = Dataset()
    organization.DimensionOrganizationUID = series.study.uid("dimensions", series.number)
    ds.DimensionOrganizationSequence = sequence(organization)
    items = []
    # by segment (0062,000B) within its sequence, then by position (0020,0032) within its own
    for pointer, group in ((0x0062000B, 0x0062000A), (0x00200032, 0x00209113)):
        item = Dataset()
        item.DimensionOrganizationUID = organization.DimensionOrganizationUID
        item.DimensionIndexPointer, item.FunctionalGroupPointer = pointer, group
        items.append(item)
    ds.DimensionIndexSequence = sequence(*items)


def _shared(grid: Grid) -> Dataset:
    measures, orientation, shared = Dataset(), Dataset(), Dataset()
    measures.SliceThickness = measures.SpacingBetweenSlices = f"{grid.spacing_mm[0]:g}"
    measures.PixelSpacing = [f"{step:g}" for step in grid.spacing_mm[1:]]
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    shared.PixelMeasuresSequence = sequence(measures)
    shared.PlaneOrientationSequence = sequence(orientation)
    return shared


def _frame(source: Series, grid: Grid, segment: int, z: int) -> Dataset:
    content, position, identity, derivation, group = (Dataset() for _ in range(5))
    content.DimensionIndexValues = [segment + 1, z + 1]
    position.ImagePositionPatient = decimals(*grid.position_mm(z))
    identity.ReferencedSegmentNumber = segment + 1
    image = reference(CT_IMAGE, source.instance_uid(z))
    purpose = code("121322", "DCM", "Source image for image processing operation")
    image.PurposeOfReferenceCodeSequence = sequence(purpose)
    derivation.SourceImageSequence = sequence(image)
    derivation.DerivationCodeSequence = sequence(code("113076", "DCM", "Segmentation"))
    group.FrameContentSequence = sequence(content)
    group.PlanePositionSequence = sequence(position)
    group.SegmentIdentificationSequence = sequence(identity)
    group.DerivationImageSequence = sequence(derivation)
    return group


def _referenced_frame(source: Series, grid: Grid) -> Dataset:
    series, study, frame = Dataset(), Dataset(), Dataset()
    series.SeriesInstanceUID = source.uid
    series.ContourImageSequence = sequence(
        *(reference(CT_IMAGE, source.instance_uid(z)) for z in range(grid.shape[0]))
    )
    study.ReferencedSOPClassUID = STUDY_COMPONENT
    study.ReferencedSOPInstanceUID = source.study.uid()
    study.RTReferencedSeriesSequence = sequence(series)
    frame.FrameOfReferenceUID = source.study.frame_of_reference
    frame.RTReferencedStudySequence = sequence(study)
    return frame


def _contours(source: Series, grid: Grid, centre: Point, half_axes: Point) -> list[Dataset]:
    contours = []
    for index in range(grid.shape[0]):
        polygon = ellipse(centre, half_axes, grid.position_mm(index)[2])
        if polygon:
            item = Dataset()
            item.ContourImageSequence = sequence(reference(CT_IMAGE, source.instance_uid(index)))
            item.ContourGeometricType = "CLOSED_PLANAR"
            item.NumberOfContourPoints = len(polygon)
            item.ContourData = [text for point in polygon for text in decimals(*point)]
            contours.append(item)
    return contours


def _packed(mask: NDArray[np.bool_]) -> bytes:
    """Frames of a mask, one bit a pixel, lowest bit first (PS3.5, 8.1.1), of even length."""
    packed = np.packbits(mask.reshape(-1), bitorder="little").tobytes()
    return packed + b"\0" * (len(packed) % 2)
