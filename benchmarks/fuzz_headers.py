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
TRANSLATED = (b"1.2.840.10008.1.2.2\0", b"1.2.840.10008.1.2.1.99")
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
    """First bytes of every file of the folders; a fifth of them are deflated or big-endian."""
    files = sorted(path for folder in folders for path in folder.rglob("*") if path.is_file())
    found = [data for path in files if len(data := path.read_bytes()[:LONGEST]) > 200]
    rare = [data for data in found if any(uid in data[:500] for uid in TRANSLATED)]
    return found + rare * (len(found) // (4 * max(1, len(rare))))


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

    def translate(self, mutants: list[bytes]) -> Counter[int]:
        """Translate those that are deflated or big-endian, and walk them; return how many ended how."""
        from catalog.headers.arrays import rows_table
        from catalog.headers.batches import Batch
        from catalog.headers.kernel import overlapping_words
        from catalog.headers.reading import walk_translated
        from catalog.headers.translate import translate

        batch, verdicts = Batch(BATCH, 1), Counter[int]()
        for data in mutants:
            header = translate(data, len(data), self._plan)
            if header is not None:
                words = overlapping_words(header.buffer)
                place = (words, header.start, header.have, header.size, header.meta)
                verdicts[walk_translated(*place, self._plan, batch.rows, batch.scratch)] += 1
        rows_table(batch.rows).validate(full=True)
        return verdicts


def run(count: int, seed: int, slow_share: float, folders: list[Path]) -> tuple[Counter[int], Counter[int]]:
    """Fuzz; raises where the reader does."""
    from catalog.headers import iter_headers

    found = sources(folders)
    mutate, verdicts, translated = Mutator(found, seed), Counter[int](), Counter[int]()
    chance = np.random.default_rng(seed)
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        target = Target(Path(folder))
        began = time.monotonic()
        for number in range(-(-count // BATCH)):
            mutants = [mutate() for _ in range(BATCH)]
            target.write(mutants)
            verdicts += target.read(keep_raw=number % 2)
            translated += target.translate(mutants)
            if chance.random() < slow_share:
                ended = sum(
                    b.rows.num_rows + b.failures.num_rows + b.others.num_rows
                    for b in iter_headers(target.paths)
                )
                assert ended == BATCH, ended
            if sys.stderr.isatty() or number % 1000 == 999:
                print(f"{(number + 1) * BATCH:,} in {time.monotonic() - began:.0f} s", file=sys.stderr)
    return verdicts, translated


def main() -> None:
    import pydicom

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=1_000_000)
    parser.add_argument("folders", type=Path, nargs="*")
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--slow", type=float, default=0.01, help="share of batches that pydicom reads too")
    options = parser.parse_args()
    folders = options.folders or [Path(pydicom.__file__).parent / "data" / "test_files"]
    verdicts, translated = run(options.count, options.seed, options.slow, folders)
    result = {"mutants": verdicts.total(), "verdicts": verdicts, "translated": translated}
    print({n: dict(sorted(v.items())) if isinstance(v, Counter) else v for n, v in result.items()})


if __name__ == "__main__":
    main()
