"""One reader over a list of files, in a process of its own: `python benchmarks/readers.py NAME LIST REPEATS`.

Prints one line of JSON: CPU time (user and system, children included) and wall time per file, the best of the
repeats; files the reader could not read; its version; the process' peak memory. What each reader delivers:

- the floor opens each file, reads 8 KiB and closes it, in C;
- ours delivers all attributes of the catalogue as rows of Parquet files on disk;
- the peers are asked for the same attributes, as far as they can give them (top level only where they know no
  sequences), and write nothing.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Final

FRONT_BYTES: Final = 8192
ARGUMENTS: Final = 1000  # paths on one command line

Paths = Sequence[bytes]
Reader = Callable[[Paths], int]  # reads every file, returns how many it failed on


def asked() -> tuple[list[str], list[tuple[str, ...]], list[tuple[str, ...]]]:
    """Keywords of the catalogue's attributes: of the top level, of first items, of every item."""
    from pydicom.datadict import keyword_for_tag

    from catalog.columns import ATTRIBUTES

    top, first, every = [], [], []
    for column in ATTRIBUTES:
        for path in column.paths if column.collect else column.paths[:1]:
            words = tuple(keyword_for_tag(tag) for tag in path)
            if column.collect:
                every.append(words)
            elif len(words) == 1:
                top.append(words[0])
            else:
                first.append(words)
    return top, first, every


def floor() -> Reader:
    """Bare open, pread and close, in C; compiled by numba where there is no C compiler."""
    try:
        front = _floor_in_c()
    except (OSError, subprocess.CalledProcessError):
        front = _floor_in_numba()
    buffer = ctypes.create_string_buffer(FRONT_BYTES)

    def read(paths: Paths) -> int:
        table = (ctypes.c_char_p * len(paths))(*paths)
        return 0 if front(table, len(paths), buffer, FRONT_BYTES) > 0 else len(paths)

    return read


def _floor_in_c() -> Callable[..., int]:
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "floor.so"
        source = Path(__file__).with_name("floor.c")
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", library, source], check=True)
        front = ctypes.CDLL(str(library)).read_fronts
    front.restype = ctypes.c_long
    return front


def _floor_in_numba() -> Callable[..., int]:
    import numpy as np
    from numba import njit

    libc = ctypes.CDLL(None)
    c_open, c_pread, c_close = libc.open, libc.pread, libc.close
    c_open.argtypes, c_open.restype = [ctypes.c_void_p, ctypes.c_int, ctypes.c_int], ctypes.c_int
    c_pread.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int64]
    c_pread.restype = ctypes.c_ssize_t
    c_close.argtypes, c_close.restype = [ctypes.c_int], ctypes.c_int

    @njit
    def loop(addresses, buffer, size):
        total = 0
        for i in range(addresses.size):
            fd = c_open(addresses[i], 0o2000000, 0)  # O_RDONLY | O_CLOEXEC
            total += c_pread(fd, buffer.ctypes, size, 0)
            c_close(fd)
        return total

    space = np.empty(FRONT_BYTES, np.uint8)

    def front(table: Any, files: int, _buffer: Any, size: int) -> int:
        pointers = ctypes.cast(table, ctypes.POINTER(ctypes.c_uint64 * files)).contents
        addresses = np.frombuffer(pointers, np.uint64)
        return int(loop(addresses, space, size))

    return front


def ours(*, keep_raw: bool) -> Reader:
    """Rows of every attribute, and raw headers if wanted, to Parquet files as a scan writes them."""
    from catalog.columns import ATTRIBUTES, DERIVED, Column
    from catalog.headers import iter_headers
    from catalog.tables import Table, TableWriter

    place = tuple(c for c in DERIVED if c.name == "TransferSyntaxUID" or c.name.startswith("pixel_"))
    index = Column("index", (), "", "integer", "instance", "position of the file in the list")
    header = Column("header", (), "", "bytes", "instance", "raw header")
    rows = Table("rows", "restricted", (index, *place, *ATTRIBUTES), "every attribute")
    raw = Table("headers", "restricted", (index, header), "raw headers")

    def read(paths: Paths) -> int:
        import pyarrow as pa

        failed = 0
        with tempfile.TemporaryDirectory() as folder:
            writers = [TableWriter(rows, Path(folder) / "rows.parquet")]
            if keep_raw:
                writers.append(TableWriter(raw, Path(folder) / "headers.parquet"))
            for batch in iter_headers(paths, keep_raw=keep_raw):
                writers[0].write(batch.rows)
                if keep_raw:
                    headers = batch.raw.column("header").cast(pa.binary())
                    writers[1].write(pa.table({"index": batch.raw.column("index"), "header": headers}))
                failed += batch.failures.num_rows + batch.others.num_rows
            for writer in writers:
                writer.close()
        return failed

    return read


def pydicom() -> Reader:
    from pydicom import dcmread

    return _each(_follow(lambda path: dcmread(path, stop_before_pixels=True)))


def pydicom_rows() -> Reader:
    """The same rows as ours, by pydicom and pyarrow: cells of the same types, in a Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from agreement import expected
    from pydicom import dcmread

    from catalog.columns import ATTRIBUTES

    schema = pa.schema([(c.name, c.arrow()) for c in ATTRIBUTES])

    def read(paths: Paths) -> int:
        headers = (dcmread(os.fsdecode(path), stop_before_pixels=True) for path in paths)
        rows = [{c.name: expected(ds, c) for c in ATTRIBUTES} for ds in headers]
        with tempfile.TemporaryDirectory() as folder:
            table = pa.Table.from_pylist(rows, schema=schema)
            pq.write_table(table, Path(folder) / "rows.parquet", compression="zstd")
        return len(paths) - len(rows)

    return read


def fastdicom() -> Reader:
    from fastdicom import dcmread

    return _each(_follow(lambda path: dcmread(path, stop_before_pixels=True)))


def _follow(open_file: Callable[[str], Any]) -> Callable[[str], list[Any]]:
    """Read what is asked from an object with pydicom's ways."""
    top, first, every = asked()

    def read(path: str) -> list[Any]:
        ds = open_file(path)
        values = [ds.get(word, None) for word in top]
        for sequence, *rest in first:
            items = ds.get(sequence, None)
            for word in rest:
                items = items[0].get(word, None) if items else None
            values.append(items)
        for sequence, *rest in every:
            found = [ds]
            for word in (sequence, *rest[:-1]):
                found = [item for each in found for item in each.get(word, None) or ()]
            values.append([each.get(rest[-1], None) for each in found])
        return values

    return read


def dicomsdl() -> Reader:
    import dicomsdl as library

    library.set_loglevel(library.LogLevel.ERROR)
    top, first, _ = asked()
    nested = [".0.".join(words) for words in first]

    def read(path: str) -> list[Any]:
        ds = library.open_file(path, 0x7FE00000)
        values = [getattr(ds, word, None) for word in top]
        for words in nested:
            element = ds.getDataElement(words)
            values.append(element.value() if element else None)
        return values

    return _each(read)


def fw_file_rs() -> Reader:
    from fw_file_rs import dcm

    top, first, every = asked()
    words = top + [sequence for sequence, *_ in first + every]
    context = dcm.Context()
    context = context.include_tags(list(dict.fromkeys(words))) or context
    return _each(lambda path: context.parse_header(dcm.read_until_pixels(path)))


def gdcm() -> Reader:
    import gdcm as library
    from pydicom.datadict import tag_for_keyword

    top, _, _ = asked()
    library.Trace.WarningOff()
    library.Trace.ErrorOff()
    tags = [tag_for_keyword(word) for word in top]

    def read(paths: Paths) -> int:
        scanner = library.Scanner()
        for tag in tags:
            scanner.AddTag(library.Tag(tag >> 16, tag & 0xFFFF))
        names = [os.fsdecode(path) for path in paths]
        scanner.Scan(names)
        return sum(not scanner.IsKey(name) for name in names)

    return read


def dcmdump() -> Reader:
    """The whole header as text, to nowhere: searching for the attributes alone takes it longer."""
    subprocess.run(["dcmdump", "--version"], check=True, capture_output=True)

    def read(paths: Paths) -> int:
        failed = 0
        for start in range(0, len(paths), ARGUMENTS):
            command = ["dcmdump", "-q", "-M", "+sb", "7fe0,0010", *paths[start : start + ARGUMENTS]]
            failed += subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode != 0
        return failed

    return read


def _each(read_one: Callable[[str], Any]) -> Reader:
    def read(paths: Paths) -> int:
        failed = 0
        for path in paths:
            try:
                read_one(os.fsdecode(path))
            except Exception:  # noqa: BLE001 - peers raise what they like
                failed += 1
        return failed

    return read


# Name: how to make the reader, and the distribution whose version counts.
READERS: Final[dict[str, tuple[Callable[[], Reader], str]]] = {
    "floor": (floor, ""),
    "ours": (lambda: ours(keep_raw=False), "cohortium"),
    "ours, raw headers kept": (lambda: ours(keep_raw=True), "cohortium"),
    "pydicom": (pydicom, "pydicom"),
    "pydicom, same rows": (pydicom_rows, "pydicom"),
    "fastdicom": (fastdicom, "fastdicom"),
    "fw-file-rs": (fw_file_rs, "fw-file-rs"),
    "dicomsdl": (dicomsdl, "dicomsdl"),
    "python-gdcm": (gdcm, "python-gdcm"),
    "dcmdump": (dcmdump, ""),
}


def version(name: str) -> str:
    """Version of a reader's library, empty for the floor."""
    if name == "dcmdump":
        out = subprocess.run(["dcmdump", "--version"], capture_output=True, text=True, check=True).stdout
        return out.split()[2].lstrip("v")
    return metadata.version(READERS[name][1]) if READERS[name][1] else ""


def cpu_s() -> float:
    """CPU seconds of this process and its finished children."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def peak_kb() -> int:
    """Peak resident memory of this process since it was started (getrusage begins with its parent's)."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0])


def measure(name: str, paths: Paths, repeats: int) -> dict[str, Any]:
    """Read the files again and again; the first time over a few of them warms up caches and compilers."""
    read = READERS[name][0]()
    read(paths[:64])
    cpu, wall, failed = [], [], 0
    for _ in range(repeats):
        before, start = cpu_s(), time.perf_counter()
        failed = read(paths)
        cpu.append(cpu_s() - before)
        wall.append(time.perf_counter() - start)
    return {
        "reader": name,
        "version": version(name),
        "files": len(paths),
        "failed": failed,
        "cpu_us": round(min(cpu) / len(paths) * 1e6, 2),
        "wall_us": round(min(wall) / len(paths) * 1e6, 2),
        "peak_rss_mb": peak_kb() // 1024,
    }


def main() -> None:
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    name, listing, repeats = sys.argv[1:]
    paths = Path(listing).read_bytes().split(b"\0")
    try:
        result = measure(name, paths, int(repeats))
    except (ImportError, FileNotFoundError) as missing:
        result = {"reader": name, "missing": str(missing)}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
