"""Every attribute of the catalogue, in one table.

A row of :data:`ATTRIBUTES` is a column of the catalogue that says what DICOM says; its name is the DICOM
keyword (PS3.6). The table is all there is to a new attribute: schema, extraction, ``cohortium columns``,
documentation and tests follow from it. Derived columns, in snake_case, stand with what derives them
(:mod:`catalog.series`, :data:`DERIVED`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    import pyarrow as pa

Kind = Literal["text", "date", "integer", "real", "reals", "texts", "boolean", "bytes"]
Level = Literal["patient", "study", "series", "instance", "roi"]
Zone = Literal["research", "restricted"]

TEXT: Final = "text"  # several values are joined by a backslash, as DICOM stores them
DATE: Final = "date"
INTEGER: Final = "integer"
REAL: Final = "real"
REALS: Final = "reals"  # a list, for attributes of several numbers
TEXTS: Final = "texts"  # a list, collected from every item of a sequence
BOOLEAN: Final = "boolean"
BYTES: Final = "bytes"

PATIENT: Final = "patient"
STUDY: Final = "study"
SERIES: Final = "series"
INSTANCE: Final = "instance"
ROI: Final = "roi"
RESEARCH: Final = "research"
RESTRICTED: Final = "restricted"

Path = tuple[int, ...]

SHARED_GROUPS: Final = 0x52009229
PER_FRAME_GROUPS: Final = 0x52009230


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the catalogue.

    Attributes
    ----------
    name : str
        DICOM keyword, or a snake_case name for a derived column.
    paths : tuple of Path
        Where the value is looked for: each path is the tags of sequences, outermost first, then the tag
        of the value. The first path with a value wins; in a sequence the first item counts. Empty for a
        derived column.
    vr : str
        Value representation of the tag (PS3.5), or empty.
    kind : Kind
        What a cell holds; :meth:`arrow` gives the Arrow type.
    level : Level
        The level of the DICOM model at which the value should be constant.
    text : str
        One line for people.
    zone : Zone
        ``restricted`` for what identifies a person or may do so.
    unit : str
        Unit of the value, or empty.
    collect : bool
        True where every item of every sequence on the path gives a value: the cell is a list.
    code : str
        IBSI code of a radiomic feature, with that of its aggregation, or empty.
    """

    name: str
    paths: tuple[Path, ...]
    vr: str
    kind: Kind
    level: Level
    text: str
    zone: Zone = RESEARCH
    unit: str = ""
    collect: bool = False
    code: str = ""

    @property
    def tag(self) -> str:
        """The tag of the first path as ``(gggg,eeee)``, or empty for a derived column."""
        return f"({self.paths[0][-1] >> 16:04X},{self.paths[0][-1] & 0xFFFF:04X})" if self.paths else ""

    def arrow(self) -> pa.DataType:
        """Arrow type of the column; signed integers only, as Delta Lake knows no others."""
        import pyarrow as pa

        types = {
            "text": pa.string(),
            "date": pa.date32(),
            "integer": pa.int64(),
            "real": pa.float64(),
            "reals": pa.list_(pa.float64()),
            "texts": pa.list_(pa.string()),
            "boolean": pa.bool_(),
            "bytes": pa.binary(),
        }
        return types[self.kind]


def attribute(
    keyword: str,
    tag: int,
    vr: str,
    kind: Kind,
    level: Level,
    text: str,
    zone: Zone = RESEARCH,
    *,
    unit: str = "",
    also: tuple[Path, ...] = (),
) -> Column:
    """Column of an attribute of the top level, with other places where multi-frame objects keep it."""
    return Column(keyword, ((tag,), *also), vr, kind, level, text, zone, unit)


def nested(
    keyword: str, path: Path, vr: str, kind: Kind, level: Level, text: str, *, unit: str = ""
) -> Column:
    """Column of an attribute that lives in the first item of a sequence."""
    return Column(keyword, (path,), vr, kind, level, text, unit=unit)


def collected(name: str, paths: tuple[Path, ...], vr: str, kind: Kind, level: Level, text: str) -> Column:
    """Column that lists the attribute over every item of a sequence."""
    return Column(name, paths, vr, kind, level, text, collect=True)


def frame_groups(sequence: int, tag: int) -> tuple[Path, Path]:
    """Return where the functional groups hold it: shared, else of the first frame (PS3.3 C.7.6.16)."""
    return (SHARED_GROUPS, sequence, tag), (PER_FRAME_GROUPS, sequence, tag)


META_TRANSFER_SYNTAX: Final = 0x00020010

# fmt: off
ATTRIBUTES: Final[tuple[Column, ...]] = (
    # SOP common
    attribute("SOPClassUID", 0x00080016, "UI", TEXT, INSTANCE, "kind of object"),
    attribute("SOPInstanceUID", 0x00080018, "UI", TEXT, INSTANCE, "identity of the object"),
    attribute("ImageType", 0x00080008, "CS", TEXT, INSTANCE, "ORIGINAL or DERIVED, PRIMARY or SECONDARY, and what the maker adds"),
    attribute("SpecificCharacterSet", 0x00080005, "CS", TEXT, INSTANCE, "character sets that the file declares"),
    attribute("InstanceCreationDate", 0x00080012, "DA", DATE, INSTANCE, "when the object was made"),
    # patient
    attribute("PatientName", 0x00100010, "PN", TEXT, PATIENT, "name", RESTRICTED),
    attribute("PatientID", 0x00100020, "LO", TEXT, PATIENT, "the hospital's number for the patient", RESTRICTED),
    attribute("IssuerOfPatientID", 0x00100021, "LO", TEXT, PATIENT, "who gave the number", RESTRICTED),
    attribute("OtherPatientIDs", 0x00101000, "LO", TEXT, PATIENT, "further numbers", RESTRICTED),
    attribute("PatientBirthDate", 0x00100030, "DA", DATE, PATIENT, "date of birth", RESTRICTED),
    attribute("PatientSex", 0x00100040, "CS", TEXT, PATIENT, "M, F or O"),
    attribute("PatientAge", 0x00101010, "AS", TEXT, STUDY, "age string, such as 064Y"),
    attribute("PatientSize", 0x00101020, "DS", REAL, STUDY, "height", unit="m"),
    attribute("PatientWeight", 0x00101030, "DS", REAL, STUDY, "weight", unit="kg"),
    attribute("PatientComments", 0x00104000, "LT", TEXT, PATIENT, "free text about the patient", RESTRICTED),
    attribute("AdditionalPatientHistory", 0x001021B0, "LT", TEXT, STUDY, "free text", RESTRICTED),
    attribute("PatientIdentityRemoved", 0x00120062, "CS", TEXT, PATIENT, "YES where the sender removed the identity"),
    # study
    attribute("StudyInstanceUID", 0x0020000D, "UI", TEXT, STUDY, "identity of the study"),
    attribute("StudyDate", 0x00080020, "DA", DATE, STUDY, "when the study started"),
    attribute("StudyTime", 0x00080030, "TM", TEXT, STUDY, "when the study started, HHMMSS.FFFFFF"),
    attribute("StudyID", 0x00200010, "SH", TEXT, STUDY, "the scanner's or department's number", RESTRICTED),
    attribute("AccessionNumber", 0x00080050, "SH", TEXT, STUDY, "the information system's number for the order", RESTRICTED),
    attribute("StudyDescription", 0x00081030, "LO", TEXT, STUDY, "what was examined"),
    attribute("ReferringPhysicianName", 0x00080090, "PN", TEXT, STUDY, "who asked for it", RESTRICTED),
    attribute("RequestedProcedureDescription", 0x00321060, "LO", TEXT, STUDY, "what was ordered"),
    # series
    attribute("SeriesInstanceUID", 0x0020000E, "UI", TEXT, SERIES, "identity of the series"),
    attribute("Modality", 0x00080060, "CS", TEXT, SERIES, "CT, MR, PT, ..."),
    attribute("SeriesNumber", 0x00200011, "IS", INTEGER, SERIES, "number within the study"),
    attribute("SeriesDate", 0x00080021, "DA", DATE, SERIES, "when the series started"),
    attribute("SeriesTime", 0x00080031, "TM", TEXT, SERIES, "when the series started, HHMMSS.FFFFFF"),
    attribute("SeriesDescription", 0x0008103E, "LO", TEXT, SERIES, "what the series shows"),
    attribute("ProtocolName", 0x00181030, "LO", TEXT, SERIES, "protocol on the scanner"),
    attribute("BodyPartExamined", 0x00180015, "CS", TEXT, SERIES, "body part as sent"),
    attribute("Laterality", 0x00200060, "CS", TEXT, SERIES, "R or L of a paired body part"),
    attribute("PatientPosition", 0x00185100, "CS", TEXT, SERIES, "HFS, FFS, ..."),
    attribute("OperatorsName", 0x00081070, "PN", TEXT, SERIES, "who ran the scanner", RESTRICTED),
    attribute("PerformingPhysicianName", 0x00081050, "PN", TEXT, SERIES, "who did the procedure", RESTRICTED),
    attribute("PerformedProcedureStepDescription", 0x00400254, "LO", TEXT, SERIES, "what was done"),
    attribute("FrameOfReferenceUID", 0x00200052, "UI", TEXT, SERIES, "coordinate system; series that share it are aligned"),
    # equipment
    attribute("Manufacturer", 0x00080070, "LO", TEXT, SERIES, "maker as sent"),
    attribute("ManufacturerModelName", 0x00081090, "LO", TEXT, SERIES, "model as sent"),
    attribute("InstitutionName", 0x00080080, "LO", TEXT, SERIES, "where it stands", RESTRICTED),
    attribute("InstitutionAddress", 0x00080081, "ST", TEXT, SERIES, "where it stands", RESTRICTED),
    attribute("StationName", 0x00081010, "SH", TEXT, SERIES, "name of the machine", RESTRICTED),
    attribute("DeviceSerialNumber", 0x00181000, "LO", TEXT, SERIES, "serial number of the machine"),
    attribute("SoftwareVersions", 0x00181020, "LO", TEXT, SERIES, "versions of its software"),
    attribute("BurnedInAnnotation", 0x00280301, "CS", TEXT, INSTANCE, "YES where text may be burned into the pixels"),
    # image
    attribute("InstanceNumber", 0x00200013, "IS", INTEGER, INSTANCE, "number within the series; says nothing of place"),
    attribute("AcquisitionNumber", 0x00200012, "IS", INTEGER, INSTANCE, "number of the acquisition"),
    attribute("AcquisitionDate", 0x00080022, "DA", DATE, INSTANCE, "when the data were taken"),
    attribute("AcquisitionTime", 0x00080032, "TM", TEXT, INSTANCE, "when the data were taken, HHMMSS.FFFFFF"),
    attribute("AcquisitionDateTime", 0x0008002A, "DT", TEXT, INSTANCE, "when the data were taken, YYYYMMDDHHMMSS.FFFFFF"),
    attribute("ContentDate", 0x00080023, "DA", DATE, INSTANCE, "when the image was made"),
    attribute("ContentTime", 0x00080033, "TM", TEXT, INSTANCE, "when the image was made, HHMMSS.FFFFFF"),
    attribute("TemporalPositionIdentifier", 0x00200100, "IS", INTEGER, INSTANCE, "number of the time point"),
    attribute("ImageComments", 0x00204000, "LT", TEXT, INSTANCE, "free text", RESTRICTED),
    # image plane
    attribute("ImagePositionPatient", 0x00200032, "DS", REALS, INSTANCE, "centre of the first pixel, LPS; the first frame's where there are many", unit="mm", also=(*frame_groups(0x00209113, 0x00200032),)),
    attribute("ImageOrientationPatient", 0x00200037, "DS", REALS, INSTANCE, "direction cosines of a row, then of a column, LPS", also=(*frame_groups(0x00209116, 0x00200037),)),
    attribute("PixelSpacing", 0x00280030, "DS", REALS, INSTANCE, "between rows, then between columns", unit="mm", also=(*frame_groups(0x00289110, 0x00280030),)),
    attribute("SliceThickness", 0x00180050, "DS", REAL, INSTANCE, "nominal thickness", unit="mm", also=(*frame_groups(0x00289110, 0x00180050),)),
    attribute("SpacingBetweenSlices", 0x00180088, "DS", REAL, INSTANCE, "as sent; the measured one is in series", unit="mm", also=(*frame_groups(0x00289110, 0x00180088),)),
    attribute("SliceLocation", 0x00201041, "DS", REAL, INSTANCE, "as sent; relative to a point the maker chose", unit="mm"),
    attribute("ImagerPixelSpacing", 0x00181164, "DS", REALS, INSTANCE, "at the detector, between rows, then between columns", unit="mm"),
    # image pixel
    attribute("Rows", 0x00280010, "US", INTEGER, INSTANCE, "height in pixels"),
    attribute("Columns", 0x00280011, "US", INTEGER, INSTANCE, "width in pixels"),
    attribute("NumberOfFrames", 0x00280008, "IS", INTEGER, INSTANCE, "frames of a multi-frame object"),
    attribute("SamplesPerPixel", 0x00280002, "US", INTEGER, INSTANCE, "1, or 3 in colour"),
    attribute("PhotometricInterpretation", 0x00280004, "CS", TEXT, INSTANCE, "meaning of the samples"),
    attribute("BitsAllocated", 0x00280100, "US", INTEGER, INSTANCE, "bits per sample as stored"),
    attribute("BitsStored", 0x00280101, "US", INTEGER, INSTANCE, "bits per sample in use"),
    attribute("HighBit", 0x00280102, "US", INTEGER, INSTANCE, "highest bit in use"),
    attribute("PixelRepresentation", 0x00280103, "US", INTEGER, INSTANCE, "0 unsigned, 1 signed"),
    attribute("RescaleIntercept", 0x00281052, "DS", REAL, INSTANCE, "value = stored x slope + intercept", also=(*frame_groups(0x00289145, 0x00281052),)),
    attribute("RescaleSlope", 0x00281053, "DS", REAL, INSTANCE, "value = stored x slope + intercept", also=(*frame_groups(0x00289145, 0x00281053),)),
    attribute("RescaleType", 0x00281054, "LO", TEXT, INSTANCE, "unit of the rescaled values", also=(*frame_groups(0x00289145, 0x00281054),)),
    attribute("WindowCenter", 0x00281050, "DS", REALS, INSTANCE, "display windows: centres", also=(*frame_groups(0x00289132, 0x00281050),)),
    attribute("WindowWidth", 0x00281051, "DS", REALS, INSTANCE, "display windows: widths", also=(*frame_groups(0x00289132, 0x00281051),)),
    attribute("LossyImageCompression", 0x00282110, "CS", TEXT, INSTANCE, "01 where pixels were once compressed with loss"),
    # CT and X-ray
    attribute("KVP", 0x00180060, "DS", REAL, INSTANCE, "tube voltage", unit="kV", also=(*frame_groups(0x00189325, 0x00180060),)),
    attribute("XRayTubeCurrent", 0x00181151, "IS", INTEGER, INSTANCE, "tube current", unit="mA", also=(*frame_groups(0x00189321, 0x00189330),)),
    attribute("ExposureTime", 0x00181150, "IS", INTEGER, INSTANCE, "exposure time", unit="ms", also=(*frame_groups(0x00189321, 0x00189328),)),
    attribute("Exposure", 0x00181152, "IS", INTEGER, INSTANCE, "exposure", unit="mAs", also=(*frame_groups(0x00189321, 0x00189332),)),
    attribute("ConvolutionKernel", 0x00181210, "SH", TEXT, INSTANCE, "reconstruction kernel", also=(*frame_groups(0x00189314, 0x00181210),)),
    attribute("ReconstructionDiameter", 0x00181100, "DS", REAL, INSTANCE, "diameter of the reconstructed region", unit="mm", also=(*frame_groups(0x00189314, 0x00181100),)),
    attribute("DataCollectionDiameter", 0x00180090, "DS", REAL, INSTANCE, "diameter of the measured region", unit="mm"),
    attribute("GantryDetectorTilt", 0x00181120, "DS", REAL, INSTANCE, "tilt of the gantry as sent", unit="deg"),
    attribute("ScanOptions", 0x00180022, "CS", TEXT, INSTANCE, "options of the scan"),
    attribute("SpiralPitchFactor", 0x00189311, "FD", REAL, INSTANCE, "pitch", also=(*frame_groups(0x00189308, 0x00189311),)),
    attribute("TotalCollimationWidth", 0x00189307, "FD", REAL, INSTANCE, "width of all detector rows", unit="mm"),
    attribute("TableSpeed", 0x00189309, "FD", REAL, INSTANCE, "speed of the table", unit="mm/s", also=(*frame_groups(0x00189308, 0x00189309),)),
    attribute("ExposureModulationType", 0x00189323, "CS", TEXT, INSTANCE, "modulation of the tube current", also=(*frame_groups(0x00189321, 0x00189323),)),
    attribute("CTDIvol", 0x00189345, "FD", REAL, INSTANCE, "dose index", unit="mGy", also=(*frame_groups(0x00189321, 0x00189345),)),
    attribute("ViewPosition", 0x00185101, "CS", TEXT, INSTANCE, "AP, PA, LL, ... of a projection"),
    # MR
    attribute("MagneticFieldStrength", 0x00180087, "DS", REAL, INSTANCE, "field strength", unit="T"),
    attribute("ScanningSequence", 0x00180020, "CS", TEXT, INSTANCE, "SE, IR, GR, EP, RM"),
    attribute("SequenceVariant", 0x00180021, "CS", TEXT, INSTANCE, "variant of the sequence"),
    attribute("SequenceName", 0x00180024, "SH", TEXT, INSTANCE, "the maker's name of the sequence"),
    attribute("MRAcquisitionType", 0x00180023, "CS", TEXT, INSTANCE, "2D or 3D"),
    attribute("RepetitionTime", 0x00180080, "DS", REAL, INSTANCE, "repetition time", unit="ms", also=(*frame_groups(0x00189112, 0x00180080),)),
    attribute("EchoTime", 0x00180081, "DS", REAL, INSTANCE, "echo time", unit="ms", also=(*frame_groups(0x00189114, 0x00189082),)),
    attribute("EchoNumbers", 0x00180086, "IS", INTEGER, INSTANCE, "which echo"),
    attribute("InversionTime", 0x00180082, "DS", REAL, INSTANCE, "inversion time", unit="ms", also=(*frame_groups(0x00189115, 0x00189079),)),
    attribute("FlipAngle", 0x00181314, "DS", REAL, INSTANCE, "flip angle", unit="deg", also=(*frame_groups(0x00189112, 0x00181314),)),
    attribute("EchoTrainLength", 0x00180091, "IS", INTEGER, INSTANCE, "echoes per excitation", also=(*frame_groups(0x00189112, 0x00180091),)),
    attribute("PixelBandwidth", 0x00180095, "DS", REAL, INSTANCE, "bandwidth", unit="Hz/px"),
    attribute("InPlanePhaseEncodingDirection", 0x00181312, "CS", TEXT, INSTANCE, "ROW or COL"),
    attribute("DiffusionBValue", 0x00189087, "FD", REAL, INSTANCE, "diffusion weighting", unit="s/mm2", also=(*frame_groups(0x00189117, 0x00189087),)),
    attribute("ImagedNucleus", 0x00180085, "SH", TEXT, INSTANCE, "nucleus, such as 1H"),
    # PET and nuclear medicine
    attribute("Units", 0x00541001, "CS", TEXT, SERIES, "BQML, CNTS, GML, ..."),
    attribute("DecayCorrection", 0x00541102, "CS", TEXT, SERIES, "NONE, START or ADMIN"),
    attribute("CorrectedImage", 0x00280051, "CS", TEXT, SERIES, "corrections that were made"),
    attribute("SeriesType", 0x00541000, "CS", TEXT, SERIES, "STATIC, DYNAMIC, GATED or WHOLE BODY, then IMAGE or REPROJECTION"),
    attribute("ReconstructionMethod", 0x00541103, "LO", TEXT, SERIES, "reconstruction"),
    attribute("ActualFrameDuration", 0x00181242, "IS", INTEGER, INSTANCE, "duration of the frame", unit="ms"),
    attribute("FrameReferenceTime", 0x00541300, "DS", REAL, INSTANCE, "time of the frame's average from the series' reference time", unit="ms"),
    attribute("NumberOfSlices", 0x00540081, "US", INTEGER, SERIES, "slices of a PET volume"),
    # contrast
    attribute("ContrastBolusAgent", 0x00180010, "LO", TEXT, SERIES, "contrast agent"),
    attribute("ContrastBolusRoute", 0x00181040, "LO", TEXT, SERIES, "how it was given"),
    attribute("ContrastBolusVolume", 0x00181041, "DS", REAL, SERIES, "how much", unit="ml"),
    attribute("ContrastBolusStartTime", 0x00181042, "TM", TEXT, SERIES, "when, HHMMSS.FFFFFF"),
    # derived objects
    attribute("SegmentationType", 0x00620001, "CS", TEXT, INSTANCE, "BINARY, FRACTIONAL or LABELMAP"),
    attribute("StructureSetLabel", 0x30060002, "SH", TEXT, INSTANCE, "label of an RTSTRUCT"),
    attribute("DoseUnits", 0x30040002, "CS", TEXT, INSTANCE, "GY or RELATIVE"),
    attribute("DoseSummationType", 0x3004000A, "CS", TEXT, INSTANCE, "PLAN, BEAM, ..."),
    attribute("CompletionFlag", 0x0040A491, "CS", TEXT, INSTANCE, "PARTIAL or COMPLETE report"),
    attribute("VerificationFlag", 0x0040A493, "CS", TEXT, INSTANCE, "VERIFIED or UNVERIFIED report"),
    # coded and nested values
    nested("AnatomicRegionCodeValue", (0x00082218, 0x00080100), "SH", TEXT, SERIES, "anatomic region: code"),
    nested("AnatomicRegionCodingScheme", (0x00082218, 0x00080102), "SH", TEXT, SERIES, "anatomic region: scheme"),
    nested("AnatomicRegionCodeMeaning", (0x00082218, 0x00080104), "LO", TEXT, SERIES, "anatomic region: meaning"),
    nested("ProcedureCodeValue", (0x00081032, 0x00080100), "SH", TEXT, STUDY, "procedure: code"),
    nested("ProcedureCodeMeaning", (0x00081032, 0x00080104), "LO", TEXT, STUDY, "procedure: meaning"),
    nested("Radiopharmaceutical", (0x00540016, 0x00180031), "LO", TEXT, SERIES, "tracer as text"),
    nested("RadiopharmaceuticalCodeMeaning", (0x00540016, 0x00540304, 0x00080104), "LO", TEXT, SERIES, "tracer: meaning"),
    nested("RadionuclideCodeMeaning", (0x00540016, 0x00540300, 0x00080104), "LO", TEXT, SERIES, "nuclide: meaning"),
    nested("RadionuclideTotalDose", (0x00540016, 0x00181074), "DS", REAL, SERIES, "injected activity", unit="Bq"),
    nested("RadionuclideHalfLife", (0x00540016, 0x00181075), "DS", REAL, SERIES, "half-life", unit="s"),
    nested("RadiopharmaceuticalStartTime", (0x00540016, 0x00181072), "TM", TEXT, SERIES, "injection, HHMMSS.FFFFFF"),
    nested("RadiopharmaceuticalStartDateTime", (0x00540016, 0x00181078), "DT", TEXT, SERIES, "injection, with the date"),
    nested("ConceptNameCodeMeaning", (0x0040A043, 0x00080104), "LO", TEXT, INSTANCE, "title of a report"),
    # lists over all items
    collected(
        "referenced_series",
        (
            (0x00081115, 0x0020000E),  # SEG and other images: ReferencedSeriesSequence
            (0x30060010, 0x30060012, 0x30060014, 0x0020000E),  # RTSTRUCT: RTReferencedSeriesSequence
            (0x0040A375, 0x00081115, 0x0020000E),  # SR: CurrentRequestedProcedureEvidenceSequence
            (0x0040A385, 0x00081115, 0x0020000E),  # SR: PertinentOtherEvidenceSequence
        ),
        "UI",
        TEXTS,
        INSTANCE,
        "SeriesInstanceUIDs that the object says it was made from",
    ),
    collected("segment_labels", ((0x00620002, 0x00620005),), "LO", TEXTS, INSTANCE, "labels of the segments of a SEG"),
    collected("segment_meanings", ((0x00620002, 0x0062000F, 0x00080104),), "LO", TEXTS, INSTANCE, "coded meanings of the segments"),
    collected("roi_names", ((0x30060020, 0x30060026),), "LO", TEXTS, INSTANCE, "names of the ROIs of an RTSTRUCT"),
    collected(
        "frame_positions",
        ((PER_FRAME_GROUPS, 0x00209113, 0x00200032),),
        "DS",
        REALS,
        INSTANCE,
        "ImagePositionPatient of every frame, one after another, mm",
    ),
    collected(
        "frame_orientations",
        ((PER_FRAME_GROUPS, 0x00209116, 0x00200037),),
        "DS",
        REALS,
        INSTANCE,
        "ImageOrientationPatient of every frame, where it is not shared",
    ),
)
# fmt: on

DERIVED: Final[tuple[Column, ...]] = (
    Column("site", (), "", TEXT, PATIENT, "the hospital that contributed the object"),
    Column("PatientKey", (), "", TEXT, PATIENT, "stands for the patient: a keyed hash of site and PatientID"),
    Column("file_id", (), "", INTEGER, INSTANCE, "the file it was read from; unique within a site"),
    Column(
        "uid_version",
        (),
        "",
        INTEGER,
        INSTANCE,
        "0, or 1, 2, ... for other contents under the same SOPInstanceUID",
    ),
    Column(
        "TransferSyntaxUID", ((META_TRANSFER_SYNTAX,),), "UI", TEXT, INSTANCE, "how the object is encoded"
    ),
    Column(
        "pixel_offset",
        (),
        "",
        INTEGER,
        INSTANCE,
        "where the value of the pixel data starts in the file",
        unit="bytes",
    ),
    Column(
        "pixel_length",
        (),
        "",
        INTEGER,
        INSTANCE,
        "its length in the file; null where it is compressed",
        unit="bytes",
    ),
    Column("pixel_truncated", (), "", BOOLEAN, INSTANCE, "true where the file ends before its pixel data do"),
)


@cache
def instance_columns() -> tuple[Column, ...]:
    """Columns of the ``instances`` table, in order."""
    return (*DERIVED, *(c for c in ATTRIBUTES if c.zone == RESEARCH))


@cache
def identity_columns() -> tuple[Column, ...]:
    """Columns of the restricted ``identity`` table, in order: keys, then what identifies."""
    keys = ("site", "PatientKey", "file_id")
    uids = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
    by_name = {c.name: c for c in (*DERIVED, *ATTRIBUTES)}
    return (*(by_name[n] for n in (*keys, *uids)), *(c for c in ATTRIBUTES if c.zone == RESTRICTED))
