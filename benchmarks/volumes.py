"""What a volume costs here and elsewhere, same files, same run: `python benchmarks/volumes.py`.

Reads a CT of 300 slices of 512 x 512 from uncompressed DICOM into a rescaled array (z, y, x). Each reader
runs in a process of its own; CPU time is user and system, best of the repeats, page cache warm. The first
call, which pays for imports and for loading compiled code, stands apart. Readers that are not installed are
left out. The same 4,096 voxels, drawn by chance, are compared between readers.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

Reader = Callable[[Sequence[str]], Any]
PLACES: Final = 4096  # voxels whose values every reader reports


def main() -> None:
    options = _options()
    if options.reader:
        print(json.dumps(_measure(options.reader, options.folder, options.repeats)))
        return
    folder = options.folder or _corpus(options.slices)
    results = {name: _in_a_process(name, folder, options.repeats) for name in READERS}
    ours = results["cohortium"]
    print("| reader | CPU s | ratio | wall s | first call CPU s | peak MiB | voxels that differ |")
    print("|---|---|---|---|---|---|---|")
    for name, one in results.items():
        if one is None:
            print(f"| {name} | not installed | | | | | |")
            continue
        differ = sum(a != b for a, b in zip(one["sample"], ours["sample"], strict=True))
        print(
            f"| {name} | {one['cpu_s']:.3f} | {one['cpu_s'] / ours['cpu_s']:.1f} | {one['wall_s']:.3f} "
            f"| {one['first_s']:.2f} | {one['peak_mib']:.0f} | {differ} of {PLACES} |"
        )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?", type=Path, help="one series; without it, one is written")
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--reader", help=argparse.SUPPRESS)
    return parser.parse_args()


def _corpus(slices: int) -> Path:
    """Return the folder of a CT, written if it is not there: smooth anatomy and noise, 12 bits of 16."""
    folder = Path(tempfile.gettempdir()) / f"cohortium-ct-{slices}"
    if folder.is_dir():
        return folder
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    rng = np.random.default_rng(300)
    y, x = np.mgrid[-1:1:512j, -1:1:512j]
    part = Path(tempfile.mkdtemp(dir=folder.parent))
    series, study, frame = (generate_uid() for _ in range(3))
    for k in rng.permutation(slices):
        ds = Dataset()
        ds.SOPClassUID, ds.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", generate_uid()
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = study, series, frame
        ds.Modality, ds.PatientID, ds.PatientName = "CT", "benchmark", "benchmark"
        ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PhotometricInterpretation = 512, 512, 1, "MONOCHROME2"
        ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
        ds.PixelSpacing, ds.SliceThickness, ds.InstanceNumber = [0.7, 0.7], 1, int(slices - k)
        ds.ImagePositionPatient, ds.ImageOrientationPatient = [0, 0, int(k)], [1, 0, 0, 0, 1, 0]
        ds.RescaleSlope, ds.RescaleIntercept = 1, -1024
        body = 1024 * (x**2 + y**2 < 0.8) + 40 * np.cos(9 * x + k / 40) + rng.normal(60, 25, (512, 512))
        ds.PixelData = np.clip(body, 0, 4095).astype("<u2").tobytes()
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = (
            ds.SOPClassUID,
            ds.SOPInstanceUID,
        )
        ds.save_as(part / f"{len(list(part.iterdir())):05d}.dcm", enforce_file_format=True)
    return part.rename(folder)


def _in_a_process(name: str, folder: Path, repeats: int) -> Any:
    command = [sys.executable, __file__, str(folder), "--reader", name, "--repeats", str(repeats)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        if "ModuleNotFoundError" not in done.stderr:
            sys.stderr.write(done.stderr)
        return None
    return json.loads(done.stdout.splitlines()[-1])


def _measure(name: str, folder: Path, repeats: int) -> dict[str, Any]:
    """Time one reader: the first call apart, which pays for imports and for loading compiled code."""
    files = [str(path) for path in sorted(folder.iterdir())]
    for path in files:
        Path(path).read_bytes()
    taken, array = [], np.zeros(0)
    for _ in range(repeats + 1):
        del array
        cpu, wall = _cpu(), time.perf_counter()
        array = READERS[name](files)
        taken.append((_cpu() - cpu, time.perf_counter() - wall))
    places = np.random.default_rng(1).integers(0, array.size, PLACES)
    return {
        "cpu_s": min(cpu for cpu, _ in taken[1:]),
        "wall_s": min(wall for _, wall in taken[1:]),
        "first_s": taken[0][0],
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "sample": array.reshape(-1)[places].astype(float).tolist(),
    }


def _cpu() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def ours(files: Sequence[str]) -> Any:
    from catalog.volumes import load_volume

    return load_volume(files).array


def simpleitk(files: Sequence[str]) -> Any:
    """SimpleITK, files sorted by its own reader of series."""
    import SimpleITK as sitk  # noqa: N813 - as everybody calls it

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(Path(files[0]).parent)))
    reader.SetOutputPixelType(sitk.sitkFloat32)
    return sitk.GetArrayFromImage(reader.Execute())


def pydicom_by_hand(files: Sequence[str]) -> Any:
    """A loop that someone who knows pydicom writes: few tags, raw bytes, no checks of geometry."""
    import pydicom

    tags = ["ImagePositionPatient", "RescaleSlope", "RescaleIntercept", "Rows", "Columns", "PixelData"]
    slices = [pydicom.dcmread(file, specific_tags=tags) for file in files]
    slices.sort(key=lambda ds: float(ds.ImagePositionPatient[2]))
    out = np.empty((len(slices), slices[0].Rows, slices[0].Columns), np.float32)
    for k, ds in enumerate(slices):
        stored = np.frombuffer(ds.PixelData, "<u2").reshape(out.shape[1:])
        np.multiply(stored, np.float32(ds.RescaleSlope), out=out[k])
        out[k] += np.float32(ds.RescaleIntercept)
    return out


def pydicom_as_shown(files: Sequence[str]) -> Any:
    """The loop of pydicom's own examples."""
    import pydicom
    from pydicom.pixels import apply_modality_lut

    slices = sorted(
        (pydicom.dcmread(file) for file in files), key=lambda ds: float(ds.ImagePositionPatient[2])
    )
    return np.stack([apply_modality_lut(ds.pixel_array, ds) for ds in slices]).astype(np.float32)


def by_highdicom(files: Sequence[str]) -> Any:
    import highdicom
    import pydicom

    volume = highdicom.get_volume_from_series([pydicom.dcmread(file) for file in files], dtype=np.float64)
    upwards = volume.affine[2, 0] > 0
    return volume.array if upwards else volume.array[::-1]


READERS: Final[dict[str, Reader]] = {
    "cohortium": ours,
    "pydicom, by hand": pydicom_by_hand,
    "pydicom, as in its examples": pydicom_as_shown,
    "SimpleITK": simpleitk,
    "highdicom": by_highdicom,
}


if __name__ == "__main__":
    main()
