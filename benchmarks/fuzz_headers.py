"""Mutate headers by the million and read them, with every array index checked.

    python benchmarks/fuzz_headers.py [COUNT] [--seed N] [--slow SHARE] [FOLDER ...]

Headers of the folders (pydicom's own test files where none is given) are cut, spliced, and overwritten with
what breaks parsers: extreme lengths, delimiters, other VRs. Each mutant is written to a file in memory and
read by the compiled reader; a share of them by the whole reader, pydicom included. Whatever raises, reads out
of bounds, or gives a row that contradicts its file ends the run. The exit code says so.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

os.environ["NUMBA_BOUNDSCHECK"] = "1"  # before numba is imported; such code has a cache of its own
os.environ.setdefault("NUMBA_CACHE_DIR", str(Path(tempfile.gettempdir()) / f"cohortium-fuzz-{os.getuid()}"))

import numpy as np

LONGEST = 40_000  # bytes of a source; longer headers are cut
BATCH = 256
SPECIALS = [
    b"\xff\xff\xff\xff",
    b"\x00\x00\x00\x00",
    b"\xff\xff\xff\x7f",
    b"\xfe\xff\xff\xff",
    b"\xff\xff",
    b"\xfe\xff\x00\xe0\xff\xff\xff\xff",
    b"\xfe\xff\x00\xe0\x00\x00\x00\x00",
    b"\xfe\xff\x0d\xe0\x00\x00\x00\x00",
    b"\xfe\xff\xdd\xe0\x00\x00\x00\x00",
    b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 192",
    b"\x08\x00\x15\x11SQ\x00\x00\xff\xff\xff\xff",
    b"\xe0\x7f\x10\x00OW\x00\x00\xff\xff\xff\xff",
    b"\x00\x52\x30\x92SQ\x00\x00\xff\xff\xff\xff",
    b"\\",
    b"\x1b$)C",
    *(vr.encode() for vr in ["SQ", "UN", "OB", "UT", "DS", "IS", "US", "FD", "PN", "XX"]),
    b"\x00\x00",
]


class Mutator:
    """Makes broken headers out of sound ones, reproducibly."""

    def __init__(self, sources: list[bytes], seed: int) -> None:
        self._sources = sources
        self._rng = np.random.default_rng(seed)

    def __call__(self) -> bytes:
        data = bytearray(self._source())
        for _ in range(int(self._rng.integers(1, 4))):
            self._mutate(data)
        return bytes(data)

    def _source(self) -> bytes:
        return self._sources[int(self._rng.integers(len(self._sources)))]

    def _place(self, data: bytearray) -> int:
        """Return a place: mostly after the preamble, where something can be broken."""
        low = 128 if len(data) > 200 and self._rng.random() < 0.97 else 0
        return int(self._rng.integers(low, max(low + 1, len(data))))

    def _mutate(self, data: bytearray) -> None:
        kind, at = int(self._rng.integers(8)), self._place(data)
        if kind == 0:
            del data[at:]
        elif kind == 1:
            for _ in range(int(self._rng.integers(1, 20))):
                if data:
                    data[self._place(data) % len(data)] = int(self._rng.integers(256))
        elif kind in (2, 3):
            special = SPECIALS[int(self._rng.integers(len(SPECIALS)))]
            data[at : at + len(special) * (kind == 2)] = special
        elif kind == 4:
            del data[at : at + int(self._rng.integers(1, 40))]
        elif kind == 5:
            data[at:at] = data[at : at + int(self._rng.integers(1, 400))]
        elif kind == 6:
            other = self._source()
            data[at:] = other[int(self._rng.integers(max(1, len(other)))) :][: LONGEST * 2 - at]
        elif at + 8 < len(data):  # a length a little too short or too long
            data[at + 6] = (data[at + 6] + int(self._rng.integers(-8, 9))) & 0xFF


def sources(folders: list[Path]) -> list[bytes]:
    """First bytes of every file of the folders."""
    files = sorted(path for folder in folders for path in folder.rglob("*") if path.is_file())
    return [data for path in files if len(data := path.read_bytes()[:LONGEST]) > 200]


class Target:
    """A batch of files that are rewritten again and again, and the compiled reader over them."""

    def __init__(self, folder: Path) -> None:
        from catalog.headers.slots import plan

        self._plan = plan()
        self.paths = [os.fsencode(folder / f"{k}.dcm") for k in range(BATCH)]
        self._files = [os.open(path, os.O_RDWR | os.O_CREAT, 0o600) for path in self.paths]
        ends = np.cumsum([len(path) + 1 for path in self.paths])
        self._places = np.concatenate([[0], ends[:-1]]).astype(np.int64)
        self._joined = np.frombuffer(b"\0".join(self.paths) + b"\0", np.uint8).copy()

    def write(self, mutants: list[bytes]) -> None:
        for file, data in zip(self._files, mutants, strict=True):
            os.ftruncate(file, 0)
            os.pwrite(file, data, 0)

    def read(self, *, keep_raw: int) -> Counter[int]:
        """Read all files by the kernels; return how many ended how."""
        from catalog.headers.arrays import rows_table
        from catalog.headers.batches import Batch
        from catalog.headers.reading import read_many

        batch = Batch(BATCH, 1)
        outcome = np.zeros((BATCH, 4), np.int64)
        done = read_many(
            self._joined, self._places, 0, keep_raw, batch.buffer, batch.words, batch.raw_ends, outcome,
            np.zeros(1, np.int64), self._plan, batch.rows, batch.scratch,
        )  # fmt: skip
        assert done == BATCH, done
        table = rows_table(batch.rows)
        table.validate(full=True)
        size, header = table.column("size").to_numpy(), table.column("header_bytes").to_numpy()
        assert (header <= size).all()
        assert table.column("SOPInstanceUID").null_count == 0
        return Counter(outcome[:, 0].tolist())


def run(count: int, seed: int, slow_share: float, folders: list[Path]) -> Counter[int]:
    """Fuzz; raises where the reader does."""
    from catalog.headers import iter_headers

    found = sources(folders)
    mutate, verdicts = Mutator(found, seed), Counter[int]()
    chance = np.random.default_rng(seed)
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        target = Target(Path(folder))
        began = time.monotonic()
        for number in range(-(-count // BATCH)):
            target.write([mutate() for _ in range(BATCH)])
            verdicts += target.read(keep_raw=number % 2)
            if chance.random() < slow_share:
                ended = sum(
                    b.rows.num_rows + b.failures.num_rows + b.others.num_rows
                    for b in iter_headers(target.paths)
                )
                assert ended == BATCH, ended
            if sys.stderr.isatty() or number % 1000 == 999:
                print(f"{(number + 1) * BATCH:,} in {time.monotonic() - began:.0f} s", file=sys.stderr)
    return verdicts


def main() -> None:
    import pydicom

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=1_000_000)
    parser.add_argument("folders", type=Path, nargs="*")
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--slow", type=float, default=0.01, help="share of batches that pydicom reads too")
    options = parser.parse_args()
    folders = options.folders or [Path(pydicom.__file__).parent / "data" / "test_files"]
    verdicts = run(options.count, options.seed, options.slow, folders)
    print({"mutants": verdicts.total(), "verdicts": dict(sorted(verdicts.items()))})


if __name__ == "__main__":
    main()
