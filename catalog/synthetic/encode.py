"""From a pydicom data set to the bytes of a file: transfer syntaxes, undeclared text, damage."""

from __future__ import annotations

from io import BytesIO
from typing import Final

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import (
    PYDICOM_IMPLEMENTATION_UID,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MediaStorageDirectoryStorage,
    RLELossless,
    generate_uid,
)

SYNTAXES: Final = {
    "implicit": ImplicitVRLittleEndian,
    "explicit": ExplicitVRLittleEndian,
    "deflated": DeflatedExplicitVRLittleEndian,
    "rle": RLELossless,
}
TEXT_VRS: Final = frozenset({"PN", "LO", "SH", "LT", "ST", "UT"})


def uid(*words: object) -> str:
    """UID that depends on the words alone."""
    return str(generate_uid(entropy_srcs=[str(word) for word in words]))


def encode(dataset: Dataset, syntax: str = "explicit") -> bytes:
    """Bytes of a DICOM file (PS3.10) in one of :data:`SYNTAXES`."""
    if syntax == "rle":
        dataset.file_meta = _meta(dataset.SOPClassUID, dataset.SOPInstanceUID, ExplicitVRLittleEndian)
        dataset.compress(RLELossless, encoding_plugin="pydicom", generate_instance_uid=False)
    else:
        dataset.file_meta = _meta(dataset.SOPClassUID, dataset.SOPInstanceUID, SYNTAXES[syntax])
    return _file(dataset)


def media_directory(name: str) -> bytes:
    """Bytes of a DICOMDIR (PS3.3, F.3) that names no file."""
    dataset = Dataset()
    dataset.FileSetID = name
    dataset.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity = 0
    dataset.OffsetOfTheLastDirectoryRecordOfTheRootDirectoryEntity = 0
    dataset.FileSetConsistencyFlag = 0
    dataset.DirectoryRecordSequence = []
    dataset.file_meta = _meta(MediaStorageDirectoryStorage, uid("media", name), ExplicitVRLittleEndian)
    return _file(dataset)


def undeclare(dataset: Dataset, encoding: str) -> None:
    """Store the text of the top level in an encoding that the data set does not name, as some scanners do."""
    del dataset.SpecificCharacterSet
    for element in list(dataset):
        text = str(element.value)
        if element.VR in TEXT_VRS and not text.isascii():
            raw = text.encode(encoding)
            raw += b" " * (len(raw) % 2)
            dataset[element.tag] = RawDataElement(
                element.tag, element.VR, len(raw), raw, 0, is_implicit_VR=False, is_little_endian=True
            )


def without_preamble(file: bytes) -> bytes:
    """Return the data set alone: no preamble, no file meta information, as some exports write it."""
    return file[_data_set_start(file) :]


def cut_in_header(file: bytes) -> bytes:
    """Return a file that ends inside the value of its SOP instance UID."""
    start = file.index(b"\x08\x00\x18\x00", _data_set_start(file))
    return file[: start + 24]


def cut_in_pixels(file: bytes) -> bytes:
    """Return a file that has lost its last 1,000 bytes of pixel data."""
    return file[:-1000]


def _meta(sop_class: str, instance: str, syntax: str) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(sop_class)
    meta.MediaStorageSOPInstanceUID = UID(instance)
    meta.TransferSyntaxUID = UID(syntax)
    meta.ImplementationClassUID = PYDICOM_IMPLEMENTATION_UID
    meta.ImplementationVersionName = "COHORTIUM"
    return meta


def _file(dataset: Dataset) -> bytes:
    buffer = BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def _data_set_start(file: bytes) -> int:
    # the first element of the meta information is its length, as a UL value of 4 bytes (PS3.10, 7.1)
    return 144 + int.from_bytes(file[140:144], "little")
