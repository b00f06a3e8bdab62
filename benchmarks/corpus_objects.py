"""Multi-frame objects, structure sets, radiographs and reports of the benchmark corpus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corpus_common import CT, Recipe
from pydicom.dataset import Dataset

from catalog.synthetic.study import code, reference, sequence

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random


def pixels(ds: Dataset, size: int, bits: int = 16) -> None:
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.Rows, ds.Columns = 1, "MONOCHROME2", size, size
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = (
        bits,
        min(bits, 12),
        min(bits, 12) - 1,
        0,
    )


def projection(ds: Dataset, _recipe: Recipe, _rng: Random) -> None:
    """Radiograph with an icon, whose pixel data lie inside the header."""
    pixels(ds, 64)
    ds.KVP, ds.ViewPosition, ds.ImagerPixelSpacing = "80", "PA", ["0.139", "0.139"]
    ds.PresentationIntentType = "FOR PRESENTATION"
    ds.ViewCodeSequence = sequence(code("R-10206", "SRT", "AP"))
    ds.AnatomicRegionSequence = sequence(code("T-D3000", "SRT", "Chest"))
    icon = Dataset()
    pixels(icon, 64, 8)
    icon.PixelData = bytes(4096)
    icon["PixelData"].VR = "OB"
    ds.IconImageSequence = sequence(icon)


def _frames(ds: Dataset, frames: int, per_frame: Callable[[int], Dataset]) -> None:
    """Functional groups of a multi-frame object (PS3.3, C.7.6.16)."""
    shared, measures, orientation, anatomy = (Dataset() for _ in range(4))
    measures.PixelSpacing, measures.SliceThickness, measures.SpacingBetweenSlices = (
        ["0.7", "0.7"],
        "1.5",
        "1.5",
    )
    orientation.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    anatomy.AnatomicRegionSequence, anatomy.FrameLaterality = sequence(code("T-D3000", "SRT", "Chest")), "U"
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = sequence(measures), sequence(orientation)
    shared.FrameAnatomySequence = sequence(anatomy)
    ds.SharedFunctionalGroupsSequence = sequence(shared)
    ds.PerFrameFunctionalGroupsSequence = sequence(*(per_frame(k) for k in range(frames)))
    ds.NumberOfFrames = frames


def _frame(index: int) -> Dataset:
    content, plane, window, rescale, group = (Dataset() for _ in range(5))
    content.FrameAcquisitionNumber, content.StackID, content.InStackPositionNumber = 1, "1", index + 1
    content.DimensionIndexValues, content.FrameAcquisitionDuration = [1, index + 1], 500.0
    content.FrameReferenceDateTime = f"2024031510{index % 60:02d}00.000000"
    plane.ImagePositionPatient = ["-180.5", "-180.5", f"{index * 1.5:.2f}"]
    window.WindowCenter, window.WindowWidth = "40", "400"
    rescale.RescaleIntercept, rescale.RescaleSlope, rescale.RescaleType = "-1024", "1", "HU"
    group.FrameContentSequence, group.PlanePositionSequence = sequence(content), sequence(plane)
    group.FrameVOILUTSequence, group.PixelValueTransformationSequence = sequence(window), sequence(rescale)
    return group


def _diffusion_frame(index: int) -> Dataset:
    group, echo, diffusion, direction = _frame(index), Dataset(), Dataset(), Dataset()
    echo.EffectiveEchoTime = 30.0
    direction.DiffusionGradientOrientation = [0.1, 0.2, 0.97]
    diffusion.DiffusionBValue, diffusion.DiffusionDirectionality = 1000.0, "DIRECTIONAL"
    diffusion.DiffusionGradientDirectionSequence = sequence(direction)
    group.MREchoSequence, group.MRDiffusionSequence = sequence(echo), sequence(diffusion)
    return group


def enhanced_ct(ds: Dataset, _recipe: Recipe, _rng: Random) -> None:
    pixels(ds, 16)
    _frames(ds, 100, _frame)


def enhanced_mr(ds: Dataset, _recipe: Recipe, _rng: Random) -> None:
    pixels(ds, 16)
    _frames(ds, 100, _diffusion_frame)


def segmentation(ds: Dataset, recipe: Recipe, _rng: Random) -> None:
    pixels(ds, 32, 1)
    ds.SegmentationType, ds.ContentLabel, ds.ContentCreatorName = "BINARY", "SEG", "AI"
    segments = []
    for number in range(1, 6):
        item = Dataset()
        item.SegmentNumber, item.SegmentLabel = number, f"organ {number}"
        item.SegmentAlgorithmType, item.SegmentAlgorithmName = "AUTOMATIC", "net"
        item.SegmentedPropertyCategoryCodeSequence = sequence(code("T-D0050", "SRT", "Tissue"))
        item.SegmentedPropertyTypeCodeSequence = sequence(code("T-62000", "SRT", "Liver"))
        segments.append(item)
    ds.SegmentSequence = sequence(*segments)
    referenced = Dataset()
    referenced.SeriesInstanceUID = recipe.uid("source")
    images = (reference(CT, recipe.uid("source", k)) for k in range(80))
    referenced.ReferencedInstanceSequence = sequence(*images)
    ds.ReferencedSeriesSequence = sequence(referenced)
    _frames(ds, 80, _frame)


def structure_set(ds: Dataset, recipe: Recipe, rng: Random) -> None:
    ds.StructureSetLabel, ds.StructureSetDate, ds.StructureSetTime = "RS", "20240316", "101010"
    series, study, frame = Dataset(), Dataset(), Dataset()
    series.SeriesInstanceUID = recipe.uid("source")
    series.ContourImageSequence = sequence(*(reference(CT, recipe.uid("source", k)) for k in range(120)))
    study.ReferencedSOPClassUID, study.ReferencedSOPInstanceUID = (
        "1.2.840.10008.3.1.2.3.1",
        recipe.uid("study"),
    )
    study.RTReferencedSeriesSequence = sequence(series)
    frame.FrameOfReferenceUID = recipe.uid("frame")
    frame.RTReferencedStudySequence = sequence(study)
    ds.ReferencedFrameOfReferenceSequence = sequence(frame)
    rois, contours, observations = [], [], []
    for number in range(1, 13):
        roi, contour, seen = Dataset(), Dataset(), Dataset()
        roi.ROINumber, roi.ROIName, roi.ROIGenerationAlgorithm = number, f"ROI_{number}", "MANUAL"
        roi.ReferencedFrameOfReferenceUID = recipe.uid("frame")
        contour.ROIDisplayColor, contour.ReferencedROINumber = ["255", "0", "0"], number
        contour.ContourSequence = sequence(*(_contour(recipe, rng, z) for z in range(40)))
        seen.ObservationNumber = seen.ReferencedROINumber = number
        seen.RTROIInterpretedType, seen.ROIInterpreter = "ORGAN", ""
        rois.append(roi)
        contours.append(contour)
        observations.append(seen)
    ds.StructureSetROISequence = sequence(*rois)
    ds.ROIContourSequence = sequence(*contours)
    ds.RTROIObservationsSequence = sequence(*observations)


def _contour(recipe: Recipe, rng: Random, z: int) -> Dataset:
    item = Dataset()
    item.ContourImageSequence = sequence(reference(CT, recipe.uid("source", z)))
    item.ContourGeometricType, item.NumberOfContourPoints = "CLOSED_PLANAR", 60
    item.ContourData = [f"{rng.random() * 300:.2f}" for _ in range(180)]
    return item


def report(ds: Dataset, _recipe: Recipe, rng: Random) -> None:
    ds.ValueType, ds.ContinuityOfContent = "CONTAINER", "SEPARATE"
    ds.ConceptNameCodeSequence = sequence(code("113701", "DCM", "X-Ray Radiation Dose Report"))
    ds.CompletionFlag, ds.VerificationFlag = "COMPLETE", "UNVERIFIED"
    ds.ContentSequence = sequence(*(_content(rng, 2) for _ in range(5)))


def _content(rng: Random, depth: int) -> Dataset:
    item = Dataset()
    item.RelationshipType = "CONTAINS"
    item.ConceptNameCodeSequence = sequence(code(str(rng.randrange(10**6)), "DCM", "concept"))
    if depth:
        item.ValueType = "CONTAINER"
        item.ContentSequence = sequence(*(_content(rng, depth - 1) for _ in range(4)))
    else:
        measured = Dataset()
        measured.NumericValue, measured.MeasurementUnitsCodeSequence = (
            "12.3",
            sequence(code("mGy", "UCUM", "mGy")),
        )
        item.ValueType, item.MeasuredValueSequence = "NUM", sequence(measured)
    return item
