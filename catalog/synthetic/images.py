"""CT, MR and PET images of a synthetic chest, as lawful DICOM objects (PS3.3, A.3, A.4, A.21)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydicom.dataset import Dataset

from catalog.synthetic.anatomy import HOUNSFIELD, T1_SIGNAL, UPTAKE_SUV, Grid, Labels, noisy
from catalog.synthetic.study import Series, code, sequence, series_dataset

if TYPE_CHECKING:
    from collections.abc import Iterator


CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"
PET_IMAGE = "1.2.840.10008.5.1.4.1.1.128"

DOSE_BQ = 350e6
HALF_LIFE_S = 6586.2
UPTAKE_S = 3600.0  # from injection to the start of the PET series


def ct_images(
    series: Series, labels: Labels, grid: Grid, kernel: str, noise_hu: float, rng: np.random.Generator
) -> Iterator[Dataset]:
    """Axial CT slices from the feet up."""
    stored = np.clip(noisy(HOUNSFIELD, labels, rng, noise_hu) + 1024, 0, 4095).astype("<u2")
    common = series_dataset(series)
    _acquisition(common, ["ORIGINAL", "PRIMARY", "AXIAL"])
    _ct(common, kernel)
    _pixels(common, grid, bits=12)
    common.RescaleIntercept, common.RescaleSlope, common.RescaleType = "-1024", "1", "HU"
    common.WindowCenter, common.WindowWidth = [40, -600], [400, 1500]
    for index in range(grid.shape[0]):
        ds = _slice(common, series, grid, index)
        ds.InstanceNumber = index + 1 if series.study.scanner.feet_first_numbers else grid.shape[0] - index
        ds.XRayTubeCurrent = 150 + 5 * (index % 20)
        ds.Exposure = 75 + index % 20
        ds.PixelData = stored[index].tobytes()
        yield ds


def localizer(series: Series, labels: Labels, grid: Grid) -> Dataset:
    """Coronal scout view: the mean along y, head up."""
    view = np.clip(HOUNSFIELD[labels].mean(axis=1)[::-1] + 1024, 0, 4095).astype("<u2")
    ds = series_dataset(series)
    _acquisition(ds, ["ORIGINAL", "PRIMARY", "LOCALIZER"])
    _ct(ds, "")
    _pixels(ds, grid, bits=12)
    ds.Rows, ds.Columns = view.shape
    ds.PixelSpacing = [grid.spacing_mm[0], grid.spacing_mm[2]]
    ds.SliceThickness = None
    ds.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]
    ds.ImagePositionPatient = decimals(
        grid.origin_mm[0], 0.0, grid.origin_mm[2] + (grid.shape[0] - 1) * grid.spacing_mm[0]
    )
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "-1024", "1", "HU"
    ds.SOPInstanceUID = series.instance_uid(0)
    ds.InstanceNumber = 1
    ds.PixelData = view.tobytes()
    return ds


def mr_images(series: Series, labels: Labels, grid: Grid, rng: np.random.Generator) -> Iterator[Dataset]:
    """T1-weighted gradient echo slices."""
    stored = np.clip(noisy(T1_SIGNAL, labels, rng, 10.0), 0, 4095).astype("<u2")
    common = series_dataset(series)
    _acquisition(common, ["ORIGINAL", "PRIMARY", "M", "ND"])
    common.ScanningSequence, common.SequenceVariant, common.ScanOptions = "GR", ["SP", "OSP"], ""
    common.MRAcquisitionType = "3D"
    common.RepetitionTime, common.EchoTime, common.FlipAngle = "4.1", "1.9", "10"
    common.EchoTrainLength, common.EchoNumbers, common.MagneticFieldStrength = 1, 1, "1.5"
    common.ImagedNucleus, common.PixelBandwidth = "1H", "490"
    common.InPlanePhaseEncodingDirection = "ROW"
    _pixels(common, grid, bits=12)
    for index in range(grid.shape[0]):
        ds = _slice(common, series, grid, index)
        ds.InstanceNumber = index + 1
        ds.PixelData = stored[index].tobytes()
        yield ds


def pet_images(series: Series, labels: Labels, grid: Grid, rng: np.random.Generator) -> Iterator[Dataset]:
    """FDG slices in Bq/ml, decay corrected to the start of the series; each slice has its own slope.

    Body weight SUV is ``value * weight_kg * 1000 / (dose * 2 ** (-uptake / half-life))``.
    """
    remaining = DOSE_BQ * 2 ** (-UPTAKE_S / HALF_LIFE_S)
    per_suv = remaining / (series.study.person.weight_kg * 1000)
    activity = np.clip(noisy(UPTAKE_SUV, labels, rng, 0.03), 0, None) * per_suv
    common = series_dataset(series)
    _acquisition(common, ["ORIGINAL", "PRIMARY"])
    _pet(common, grid)
    _pixels(common, grid, bits=16)
    common.RescaleIntercept = "0"
    common.LossyImageCompression = "00"
    for index in range(grid.shape[0]):
        ds = _slice(common, series, grid, index)
        slope = round(float(activity[index].max()) / 60000 + 1e-3, 6)
        ds.RescaleSlope = f"{slope:.6f}"
        ds.ImageIndex = ds.InstanceNumber = index + 1
        ds.PixelData = np.round(activity[index] / slope).astype("<u2").tobytes()
        yield ds


def _acquisition(ds: Dataset, image_type: list[str]) -> None:
    ds.ImageType = image_type
    ds.AcquisitionNumber = 1
    ds.AcquisitionDate = ds.ContentDate = ds.SeriesDate
    ds.AcquisitionTime = ds.ContentTime = ds.SeriesTime
    ds.BurnedInAnnotation = "NO"


def _ct(ds: Dataset, kernel: str) -> None:
    ds.KVP = "120"
    ds.ScanOptions = "HELICAL MODE"
    ds.ExposureTime, ds.GantryDetectorTilt, ds.TableHeight = 500, "0", "150"
    ds.DataCollectionDiameter, ds.ReconstructionDiameter = "500", "360"
    ds.SpiralPitchFactor, ds.TotalCollimationWidth, ds.CTDIvol = 1.0, 38.4, 6.5
    if kernel:
        ds.ConvolutionKernel = kernel.split("\\")
    ds.LossyImageCompression = "00"


def _pet(ds: Dataset, grid: Grid) -> None:
    """PET series, isotope and image modules (PS3.3, C.8.9)."""
    tracer = Dataset()
    tracer.Radiopharmaceutical = "Fluorodeoxyglucose"
    start = f"{ds.SeriesDate}09{ds.SeriesTime[2:]}"  # one hour before the series
    tracer.RadiopharmaceuticalStartTime, tracer.RadiopharmaceuticalStartDateTime = start[8:], start
    tracer.RadionuclideTotalDose, tracer.RadionuclideHalfLife = f"{DOSE_BQ:.0f}", str(HALF_LIFE_S)
    tracer.RadionuclideCodeSequence = sequence(code("77004003", "SCT", "^18^Fluorine"))
    tracer.RadiopharmaceuticalCodeSequence = sequence(code("35321007", "SCT", "Fluorodeoxyglucose F^18^"))
    tracer.AdministrationRouteCodeSequence = sequence(code("47625008", "SCT", "Intravenous route"))
    ds.RadiopharmaceuticalInformationSequence = sequence(tracer)
    recumbent = code("102538003", "SCT", "recumbent")
    recumbent.PatientOrientationModifierCodeSequence = sequence(code("40199007", "SCT", "supine"))
    ds.PatientOrientationCodeSequence = sequence(recumbent)
    del ds.PatientPosition  # the codes say it
    ds.PatientGantryRelationshipCodeSequence = sequence(code("102540008", "SCT", "headfirst"))
    ds.Units, ds.CountsSource, ds.SeriesType = "BQML", "EMISSION", ["WHOLE BODY", "IMAGE"]
    ds.NumberOfSlices = grid.shape[0]
    ds.CorrectedImage = ["DECY", "ATTN", "SCAT", "DTIM", "RAN", "NORM"]
    ds.RandomsCorrectionMethod, ds.DecayCorrection, ds.CollimatorType = "DLYD", "START", "NONE"
    ds.AttenuationCorrectionMethod, ds.ScatterCorrectionMethod = "measured, AC CT", "Model-based"
    ds.ReconstructionMethod = "OSEM 3i21s"
    ds.ActualFrameDuration, ds.FrameReferenceTime, ds.DecayFactor = 120000, "60000", "1.006"
    ds.DeadTimeFactor, ds.ScatterFractionFactor = "1.0", "0.3"


def _pixels(ds: Dataset, grid: Grid, *, bits: int) -> None:
    """Image plane and image pixel modules (PS3.3, C.7.6.2 and C.7.6.3)."""
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    _, ds.Rows, ds.Columns = grid.shape
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, bits, bits - 1, 0
    ds.PixelSpacing = decimals(*grid.spacing_mm[1:])
    ds.SliceThickness = f"{grid.spacing_mm[0]:g}"
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]


def _slice(common: Dataset, series: Series, grid: Grid, index: int) -> Dataset:
    ds = Dataset()
    ds.update(common)
    ds.SOPInstanceUID = series.instance_uid(index)
    position = grid.position_mm(index)
    ds.ImagePositionPatient = decimals(*position)
    ds.SliceLocation = f"{position[2]:.3f}"
    return ds


def decimals(*values: float) -> list[str]:
    """Decimal strings (PS3.5, 6.2) of at most four places."""
    return [f"{value:.4f}".rstrip("0").rstrip(".") for value in values]
