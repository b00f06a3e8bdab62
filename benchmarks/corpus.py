"""Write a corpus of DICOM files for the benchmarks: `python benchmarks/corpus.py DIR --files 20000`.

Many sites, four makers, ten kinds of objects, eleven transfer syntaxes and eight character sets, in headers
as long as scanners write them. pydicom encodes one file of each series; its copies differ in what differs
from slice to slice, overwritten in the bytes. The same number of files gives the same bytes.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
import warnings
import zlib
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final

import corpus_common as common
import corpus_kinds as kinds
from corpus_common import Recipe
from pydicom import config
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.filewriter import dcmwrite, write_file_meta_info
from pydicom.uid import (
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

SITES: Final = ("aurora", "beacon", "cedar", "delta", "elm", "fjord", "grove", "harbor")
ALL_MAKERS: Final = tuple(common.MAKERS)
CHARSETS: Final = (
    "ISO_IR 100", "", "ISO_IR 100", "GB18030", "ISO_IR 192", "ISO_IR 100", "\\ISO 2022 IR 58", "GBK",
)  # fmt: skip
SYNTAXES: Final = {
    "explicit": ExplicitVRLittleEndian,
    "implicit": ImplicitVRLittleEndian,
    "big": ExplicitVRBigEndian,
    "deflated": DeflatedExplicitVRLittleEndian,
    "jpegls": JPEGLSLossless,
    "j2k": JPEG2000Lossless,
    "j2k-lossy": JPEG2000,
    "rle": RLELossless,
    "jpeg": JPEGBaseline8Bit,
    "jpeg-lossless": JPEGLosslessSV1,
    "htj2k": HTJ2KLossless,
}


@dataclass(frozen=True, slots=True)
class Share:
    """So many files of ten thousand are of a kind and syntax, in series of a length."""

    per_10000: int
    kind: str
    syntax: str
    series: int
    makers: tuple[str, ...] = ALL_MAKERS
    charsets: tuple[str, ...] = CHARSETS


SHARES: Final = (
    Share(4245, "ct", "explicit", 125),
    Share(1300, "ct", "implicit", 125),
    Share(400, "ct", "jpegls", 100),
    Share(400, "ct", "j2k", 100),
    Share(130, "ct", "j2k-lossy", 100),
    Share(180, "ct", "rle", 100),
    Share(90, "ct", "jpeg-lossless", 100),
    Share(50, "ct", "htj2k", 50),
    Share(45, "ct", "explicit", 50, ("uih",), ("\\ISO 2022 IR 87", "\\ISO 2022 IR 149")),
    Share(45, "ct", "deflated", 50),
    Share(25, "ct", "big", 25, ALL_MAKERS, ("ISO_IR 100",)),
    Share(800, "mr", "explicit", 100),
    Share(450, "mr", "implicit", 100),
    Share(300, "mr-csa", "explicit", 100, ("siemens",)),
    Share(650, "pet", "explicit", 150, ("siemens", "ge", "uih")),
    Share(250, "pet", "implicit", 150, ("siemens", "ge", "uih")),
    Share(220, "dx", "explicit", 10),
    Share(80, "dx", "jpeg", 10),
    Share(50, "enhanced-ct", "explicit", 10),
    Share(50, "enhanced-mr", "explicit", 10),
    Share(20, "enhanced-mr", "implicit", 10),
    Share(45, "seg", "explicit", 10, ("uih",)),
    Share(15, "seg", "implicit", 10, ("uih",)),
    Share(25, "rtstruct", "implicit", 5),
    Share(10, "rtstruct", "explicit", 5),
    Share(105, "sr", "explicit", 25),
    Share(20, "sr", "implicit", 25),
)


def plan(files: int) -> Iterator[Recipe]:
    """Series of a corpus of ``files`` files."""
    total = sum(share.per_10000 for share in SHARES)
    due = done = 0.0
    for row, share in enumerate(SHARES):
        due += files * share.per_10000 / total
        for number in range(100_000):
            size = min(share.series, round(due - done))
            if size <= 0:
                break
            done += size
            yield Recipe(
                key=f"{share.kind}-{share.syntax}-{row:02d}-{number:04d}",
                kind=share.kind,
                maker=share.makers[(row + number) % len(share.makers)],
                charset=share.charsets[(row + number) % len(share.charsets)],
                syntax=share.syntax,
                files=size,
            )


def series_folder(recipe: Recipe) -> str:
    """Where a series lies, relative to the corpus."""
    rng = Random(f"folder {recipe.key}")
    site = SITES[rng.randrange(len(SITES))]
    return f"{site}/{rng.randrange(10**6):06d}/{rng.randrange(10**4):04d}/{recipe.key}"


def template(recipe: Recipe) -> tuple[bytes, bytes]:
    """One file of a series with the tokens in place: what precedes the data set, and the data set."""
    ds = kinds.header(recipe)
    syntax = UID(SYNTAXES[recipe.syntax])
    _add_pixels(ds, recipe, encapsulated=syntax.is_encapsulated)
    head, whole = BytesIO(), BytesIO()
    head.write(bytes(128) + b"DICM")
    write_file_meta_info(head, _meta(ds, syntax))
    # deflation follows the overwriting: the template is in plain explicit little endian
    ds.file_meta = _meta(ds, ExplicitVRLittleEndian if syntax.is_deflated else syntax)
    dcmwrite(whole, ds, enforce_file_format=True)
    data = whole.getvalue()
    return head.getvalue(), data[144 + int.from_bytes(data[140:144], "little") :]


def _meta(ds: Dataset, syntax: UID) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.FileMetaInformationGroupLength, meta.FileMetaInformationVersion = 0, b"\0\1"
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    meta.TransferSyntaxUID, meta.ImplementationClassUID = syntax, "1.2.826.0.1.3680043.8.498.1"
    meta.ImplementationVersionName, meta.SourceApplicationEntityTitle = "CORPUS_1", "CT01"
    return meta


def _add_pixels(ds: Dataset, recipe: Recipe, *, encapsulated: bool) -> None:
    rng = Random(f"pixels {recipe.key}")
    size = kinds.PIXEL_BYTES.get(recipe.kind, 0)
    if size and encapsulated:
        ds.PixelData = encapsulate([b"\xff\xd8\xff" + rng.randbytes(1021)], has_bot=rng.random() < 0.5)
        ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
    elif size:
        ds.PixelData = rng.randbytes(size)
        ds["PixelData"].VR = "OW"


def tokens(index: int, rng: Random) -> dict[str, str]:
    """Replace each token by what file ``index`` of a series has in its place, of the same width."""
    seconds = f"{index // 60 % 60:02d}{index % 60:02d}"
    return {
        common.UID_TOKEN: f"{10**11 + rng.randrange(8 * 10**11)}",
        common.NUMBER_TOKEN: f"{index + 1:<5}",
        common.HEIGHT_TOKEN: f"{index * 1.25 - 500.5:<9.3f}",
        common.CURRENT_TOKEN: f"{150 + rng.randrange(300):<5}",
        common.EXPOSURE_TOKEN: f"{50 + rng.randrange(100):<5}",
        common.ACQUIRED_TOKEN: f"10{seconds}.{rng.randrange(10**6):06d}",
        common.MADE_TOKEN: f"11{seconds}.{rng.randrange(10**6):06d}",
    }


def places(data: bytes) -> dict[str, tuple[int, ...]]:
    """Offsets of every token in encoded bytes."""
    found = {}
    for token in tokens(0, Random(0)):
        offsets, at = [], data.find(token.encode())
        while at >= 0:
            offsets.append(at)
            at = data.find(token.encode(), at + 1)
        found[token] = tuple(offsets)
    return found


def write_series(folder: Path, recipe: Recipe) -> tuple[int, int]:
    """Write the files of a series; return how many there are and how many bytes."""
    head, body = template(recipe)
    head_places, body_places = places(head), places(body)
    rng = Random(recipe.key)
    ending = (".dcm", "", ".IMA")[rng.randrange(3)]
    target = folder / series_folder(recipe)
    target.mkdir(parents=True, exist_ok=True)
    written = 0
    for index in range(recipe.files):
        front, back = bytearray(head), bytearray(body)
        for token, text in tokens(index, rng).items():
            value = text.encode()
            for offset in head_places[token]:
                front[offset : offset + len(value)] = value
            for offset in body_places[token]:
                back[offset : offset + len(value)] = value
        content = bytes(front) + (_deflated(back) if recipe.syntax == "deflated" else bytes(back))
        (target / f"{index:05d}{ending}").write_bytes(content)
        written += len(content)
    return recipe.files, written


def _deflated(data: bytes) -> bytes:
    deflate = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    out = deflate.compress(bytes(data)) + deflate.flush()
    return out + b"\0" * (len(out) % 2)


def _job(arguments: tuple[Path, Recipe]) -> tuple[int, int]:
    config.settings.writing_validation_mode = config.IGNORE  # GBK and wide decimals are meant
    warnings.simplefilter("ignore")  # pydicom does not know the escapes of ISO 2022 IR 58
    return write_series(*arguments)


def make_corpus(folder: Path, files: int, workers: int) -> dict[str, float]:
    """Write the corpus and say what it holds."""
    start = time.perf_counter()
    recipes = sorted(plan(files), key=lambda r: -r.files)
    with multiprocessing.Pool(workers) as pool:
        sizes = list(pool.imap_unordered(_job, ((folder, r) for r in recipes)))
    return {
        "files": sum(n for n, _ in sizes),
        "series": len(recipes),
        "bytes": sum(b for _, b in sizes),
        "seconds": round(time.perf_counter() - start, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Write a corpus of DICOM files for the benchmarks.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    print(json.dumps(make_corpus(options.folder, options.files, options.workers)))


if __name__ == "__main__":
    main()
