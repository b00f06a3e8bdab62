"""Volumes with an oblique grid, and SEG and RTSTRUCT objects made on them with highdicom and pydicom."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from catalog.volumes.volume import Volume

SHAPE = (6, 20, 24)
SPACING = (3.0, 0.8, 0.6)
SERIES, FRAME = "1.2.3.4", "1.2.3.5"
INSTANCES = tuple(f"1.2.3.4.{i}" for i in range(SHAPE[0]))
CT, RTSTRUCT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.481.3"


def turned(angle: float) -> Any:
    """Direction of slices, rows and columns, turned about an axis of no plane."""
    axis = np.array([1.0, 2.0, 3.0]) / np.sqrt(14)
    k = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    rotation = np.eye(3) + np.sin(angle) * k + (1 - np.cos(angle)) * k @ k
    return rotation @ np.eye(3)[:, ::-1]


def volume(angle: float = 0.4) -> Volume:
    return Volume(
        np.zeros(SHAPE, np.float32),
        SPACING,
        (-5.0, 7.0, 11.0),
        turned(angle),
        "CT",
        "HU",
        SERIES,
        FRAME,
        INSTANCES,
    )


def images(of: Volume) -> list[Dataset]:
    """CT images of a volume, as highdicom needs them."""
    made = []
    for k in range(of.array.shape[0]):
        image = _dataset(CT, of.sop_instance_uids[k])
        image.Modality, image.SeriesInstanceUID, image.FrameOfReferenceUID = "CT", SERIES, FRAME
        image.InstanceNumber, image.StudyID, image.AccessionNumber = k + 1, "", ""
        image.Rows, image.Columns = of.array.shape[1:]
        image.ImagePositionPatient = _decimal((of.affine @ [k, 0, 0, 1])[:3])
        image.ImageOrientationPatient = _decimal([*of.direction[:, 2], *of.direction[:, 1]])
        image.PixelSpacing = [of.spacing_mm[1], of.spacing_mm[2]]
        image.SliceThickness = of.spacing_mm[0]
        image.BitsAllocated = image.BitsStored = 16
        image.HighBit, image.PixelRepresentation, image.SamplesPerPixel = 15, 0, 1
        image.PhotometricInterpretation = "MONOCHROME2"
        image.PixelData = np.zeros(of.array.shape[1:], np.uint16).tobytes()
        made.append(image)
    return made


def seg(of: Volume, pixels: Any, kind: str, n_segments: int, path: Path, **options: Any) -> Path:
    """A SEG by highdicom on the images of a volume."""
    import highdicom as hd
    from pydicom.sr.codedict import codes

    labels = [
        hd.seg.SegmentDescription(
            i + 1,
            f"part {i + 1}",
            codes.SCT.Organ,
            codes.SCT.Liver,
            hd.seg.SegmentAlgorithmTypeValues.MANUAL,
        )
        for i in range(n_segments)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = hd.seg.Segmentation(
            images(of),
            pixels,
            kind,
            labels,
            generate_uid(),
            1,
            generate_uid(),
            1,
            "a",
            "b",
            "1",
            "2",
            **options,
        )
        made.save_as(path)
    return path


def rtstruct(of: Volume, rois: dict[str, list[tuple[str, Any]]], path: Path, frame: str = FRAME) -> Path:
    """An RTSTRUCT; contours are (kind, points (n, 3) in indices (z, y, x) of the volume)."""
    made = _dataset(RTSTRUCT, generate_uid())
    made.Modality, made.FrameOfReferenceUID, made.SeriesInstanceUID = "RTSTRUCT", frame, generate_uid()
    made.StructureSetROISequence, made.ROIContourSequence = Sequence(), Sequence()
    for number, (name, contours) in enumerate(rois.items(), 1):
        roi, item = Dataset(), Dataset()
        roi.ROINumber, roi.ROIName, roi.ReferencedFrameOfReferenceUID = number, name, frame
        item.ReferencedROINumber, item.ContourSequence = number, Sequence()
        for kind, points in contours:
            contour = Dataset()
            places = np.c_[np.asarray(points, float), np.ones(len(points))] @ of.affine.T
            contour.ContourGeometricType, contour.NumberOfContourPoints = kind, len(points)
            contour.ContourData = _decimal(places[:, :3].ravel())
            item.ContourSequence.append(contour)
        made.StructureSetROISequence.append(roi)
        made.ROIContourSequence.append(item)
    made.save_as(path, enforce_file_format=True)
    return path


def _dataset(sop_class: str, uid: str) -> Dataset:
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID = sop_class
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID = uid
    made.StudyInstanceUID, made.PatientID, made.PatientName = "1.2.3", "p", "p"
    made.PatientBirthDate = made.PatientSex = made.StudyDate = made.StudyTime = ""
    made.ReferringPhysicianName = ""
    return made


def _decimal(values: Any) -> list[str]:
    return [f"{v:.10g}"[:16] for v in np.asarray(values, float)]
