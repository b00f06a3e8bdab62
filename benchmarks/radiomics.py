"""Features of a nodule, an organ and both lungs: ours and pictologics', CPU time on one thread, peak memory.

One command: ``python benchmarks/radiomics.py FOLDER [--pictologics PYTHON]``; the CT is made on first use.
Ours gets the whole volume; pictologics gets it cropped to the region, as suits it best.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

OURS = """
import json, resource, sys, time
import numpy as np
start = time.process_time()
from catalog.radiomics import Settings, compute_features
folder, region, pairs = sys.argv[1:]
image, mask = np.load(f"{folder}/ct.npy"), np.load(f"{folder}/mask_{region}.npy")
from catalog.radiomics import compute
imported = time.process_time() - start
settings = Settings(aggregations=("3d_v_mrg",), autocorrelation=pairs == "pairs")
if pairs != "pairs":
    settings = Settings(aggregations=("3d_v_mrg",), autocorrelation=False)
start = time.process_time()
values = compute_features(image, mask, settings, spacing_mm=(1.0, 0.7, 0.7))
first = time.process_time() - start
times = []
for _ in range(3 if region == "lungs" else 9):
    start = time.process_time()
    compute_features(image, mask, settings, spacing_mm=(1.0, 0.7, 0.7))
    times.append(time.process_time() - start)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([min(times), peak, sum(v is not None for v in values.values()), first, imported]))
"""
PICTOLOGICS = """
import json, os, resource, sys, time
os.environ["PICTOLOGICS_DISABLE_WARMUP"] = "1"
import numpy as np
start = time.process_time()
from pictologics import Image, RadiomicsPipeline
imported = time.process_time() - start
folder, region, pairs = sys.argv[1:]
image, mask = np.load(f"{folder}/ct.npy"), np.load(f"{folder}/mask_{region}.npy")
where = np.argwhere(mask)
box = tuple(slice(max(0, a - 10), b + 11) for a, b in zip(where.min(0), where.max(0)))
def make(array):
    turned = np.ascontiguousarray(array[box].transpose(2, 1, 0))
    return Image(array=turned, spacing=(0.7, 0.7, 1.0), origin=(0, 0, 0))
crop, roi = make(image.astype(np.float64)), make(mask.astype(np.uint8))
families = ["intensity", "morphology", "texture", "histogram", "ivh"]
options = {"include_spatial_intensity": pairs == "pairs", "include_local_intensity": pairs == "pairs"}
steps = [{"step": "discretise", "params": {"method": "FBS", "bin_width": 25.0}},
         {"step": "extract_features", "params": {"families": families, **options}}]
pipeline = RadiomicsPipeline()
pipeline.add_config("bench", steps)
def run():
    start = time.process_time()
    values = pipeline.run(crop, roi, config_names=["bench"])["bench"]
    return time.process_time() - start, values
first, values = run()
times = [run()[0] for _ in range(1 if region == "lungs" else 5)]
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([min(times), peak, len(values), first, imported]))
"""


def _run(python: str, code: str, *words: str, **extra: str) -> list[float] | str:
    threads = dict.fromkeys(("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    done = subprocess.run(
        [python, "-c", code, *words],
        env={**os.environ, **threads, **extra},
        capture_output=True,
        text=True,
        check=False,
    )
    return json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else done.stderr.splitlines()[-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the CT is, or will be made")
    parser.add_argument("--pictologics", metavar="PYTHON", help="interpreter that has pictologics")
    options = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parent))
    from radiomics_ct import REGIONS, make

    if not (options.folder / "mask_lungs.npy").is_file():
        print("making the CT (about a minute and 3 GB)", flush=True)
        make(options.folder)
    with tempfile.TemporaryDirectory() as cold:
        found = _run(sys.executable, OURS, str(options.folder), "nodule", "pairs", NUMBA_CACHE_DIR=cold)
        print("first use, cold:", found if isinstance(found, str) else f"{found[3]:.1f} CPU s compiling")
    print("region  pairs | ours: s, MB, features, import s | pictologics: same | ratio of times, of memory")
    for pairs in ("without", "pairs"):
        for region in REGIONS:
            ours = _run(sys.executable, OURS, str(options.folder), region, pairs)
            peer: list[float] | str = "missing"
            if options.pictologics:
                peer = _run(options.pictologics, PICTOLOGICS, str(options.folder), region, pairs)
            _tell(region, pairs, ours, peer)


def _tell(region: str, pairs: str, ours: list[float] | str, peer: list[float] | str) -> None:
    cells = [
        found if isinstance(found, str) else f"{found[0]:.4f} {found[1]:.0f} {found[2]:.0f} {found[4]:.2f}"
        for found in (ours, peer)
    ]
    ratio = "-"
    if not isinstance(ours, str) and not isinstance(peer, str):
        ratio = f"{peer[0] / ours[0]:.2f} {peer[1] / ours[1]:.2f}"
    print(f"{region:7} {pairs:7} | {cells[0]} | {cells[1]} | {ratio}", flush=True)


if __name__ == "__main__":
    main()
