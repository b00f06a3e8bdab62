"""Compile every kernel once, so that no rank of a cluster has to: ``python -m catalog.radiomics.warm_up``."""

from __future__ import annotations

import sys
import time


def warm_up() -> float:
    """Compute features of small regions so that all kernels are compiled and kept on disk.

    Returns
    -------
    float
        Seconds it took.
    """
    import numpy as np

    from catalog.radiomics.compute import compute_features
    from catalog.radiomics.settings import AGGREGATIONS, Settings

    start = time.perf_counter()
    noise = np.random.default_rng(0)
    image = noise.normal(0, 100, (10, 12, 16)).round()
    mask = np.zeros(image.shape, bool)
    mask[2:8, 2:10, 2:13] = True
    for dtype in (np.int16, np.float32):
        for settings in (
            Settings(aggregations=AGGREGATIONS, bin_width=25.0, autocorrelation=True),
            Settings(aggregations=AGGREGATIONS, bin_number=300, spacing_mm=0.8, autocorrelation=False),
        ):
            compute_features(image.astype(dtype), mask, settings)
    return time.perf_counter() - start


if __name__ == "__main__":
    sys.stdout.write(f"kernels compiled in {warm_up():.1f} s\n")
