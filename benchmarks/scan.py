"""How much less a scan costs than other readers, on the same files in one run: `python benchmarks/scan.py`.

CPU time (user and system) per file, best of the repeats, one process at a time, page cache warm. README.md
beside this file says what is compared.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import re
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from readers import READERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HERE: Final = Path(__file__).parent
SIDE_BY_SIDE: Final = 4096  # files that every reader reads; one batch, one row group
CHECKED: Final = 400  # files whose every attribute is compared with pydicom's
ON_ALL_FILES: Final = ("floor", "ours", "ours, raw headers kept")
SLOW: Final = frozenset({"pydicom", "pydicom, same rows", "dicomsdl", "python-gdcm", "dcmdump"})


def main() -> None:
    options = _options()
    folder = _corpus(options.corpus, options.files)
    every = sorted(_files(folder))
    some = _part_of_each_series(every, SIDE_BY_SIDE)
    report: dict[str, Any] = {"machine": _machine(), "corpus": {"folder": str(folder), "files": len(every)}}
    report["agreement"] = _agreement(random.Random(20).sample(some, min(CHECKED, len(some))))
    report["side_by_side"] = list(_measure(tuple(READERS), some, options.repeats))
    report["whole_corpus"] = list(_measure(ON_ALL_FILES, every, options.repeats))
    if not options.no_job:
        archive = _corpus(options.archive, options.archive_files)
        report["archive"] = {"folder": str(archive), "files": sum(1 for _ in _files(archive))}
        report["job"] = _jobs(archive, report["archive"]["files"], min(options.repeats, 3))
    if options.format == "json":
        print(json.dumps(report, indent=1))
    else:
        _print(report)


def _corpus(folder: Path | None, files: int) -> Path:
    """Return the folder of a corpus, written if it is not there."""
    folder = folder or Path(tempfile.gettempdir()) / f"cohortium-corpus-{files}"
    if not folder.is_dir():
        _say(f"writing {files} files to {folder}")
        command = [sys.executable, HERE / "corpus.py", folder, "--files", str(files)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return folder


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compare the cost of reading DICOM headers.")
    parser.add_argument("corpus", type=Path, nargs="?", help="folder of DICOM files; written if left out")
    parser.add_argument("--archive", type=Path, help="folder for the whole job; written if left out")
    parser.add_argument("--archive-files", type=int, default=100_000, help="size of that folder to write")
    parser.add_argument("--files", type=int, default=20_000, help="size of the corpus to write")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--no-job", action="store_true", help="leave out the whole `cohortium scan`")
    parser.add_argument("--format", choices=("table", "json"), default="table")
    return parser.parse_args()


def _files(folder: Path) -> Iterator[bytes]:
    for parent, _, names in os.walk(os.fsencode(folder)):
        yield from (os.path.join(parent, name) for name in names)  # noqa: PTH118 - bytes


def _part_of_each_series(paths: Sequence[bytes], count: int) -> list[bytes]:
    """Return so many files: the first of every folder, in proportion, so that no kind is left out."""
    folders: dict[bytes, list[bytes]] = {}
    for path in paths:
        folders.setdefault(path.rpartition(b"/")[0], []).append(path)
    part: list[bytes] = []
    seen = 0
    for files in folders.values():
        seen += len(files)
        wanted = round(seen * min(1.0, count / len(paths))) - len(part)
        part += files[:wanted]
    return part


def _machine() -> dict[str, Any]:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    model = models[0] if models else platform.processor()
    return {"processor": model, "cores": len(os.sched_getaffinity(0)), "python": platform.python_version()}


def _agreement(paths: Sequence[bytes]) -> dict[str, Any]:
    _say(f"comparing {len(paths)} files with pydicom")
    with _listing(paths) as name:
        done = subprocess.run(
            [sys.executable, HERE / "agreement.py", name], stdout=subprocess.PIPE, text=True, check=True
        )
    return json.loads(done.stdout)


def _measure(names: Sequence[str], paths: Sequence[bytes], repeats: int) -> Iterator[dict[str, Any]]:
    with _listing(paths) as listing:
        for name in names:
            _say(f"{name}: {len(paths)} files")
            times = min(repeats, 2) if name in SLOW else repeats
            done = subprocess.run(
                [sys.executable, HERE / "readers.py", name, listing, str(times)],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                check=False,
            )
            failed = {"reader": name, "missing": f"ended with exit code {done.returncode}"}
            yield json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else failed


@contextmanager
def _listing(paths: Sequence[bytes]) -> Iterator[str]:
    with tempfile.NamedTemporaryFile() as listing:
        listing.write(b"\0".join(paths))
        listing.flush()
        yield listing.name


def _jobs(folder: Path, files: int, repeats: int) -> list[dict[str, Any]]:
    """Run the whole command, from folders to a snapshot, on one worker and on two."""
    runs = (("serial", 1), ("processes", 1), ("processes", 2))
    best: dict[tuple[str, int], dict[str, Any]] = {}
    for _ in range(repeats):
        for executor, workers in runs:  # in turn, so that a busy minute hits all alike
            _say(f"cohortium scan: {executor}, {workers} worker(s)")
            run = _job(folder, files, executor, workers)
            kept = best.setdefault((executor, workers), run)
            for name in ("seconds", "wall_s", "cpu_us"):
                kept[name] = min(kept[name], run[name])
            kept["read_per_s"] = max(kept["read_per_s"], run["read_per_s"])
    return list(best.values())


def _job(folder: Path, files: int, executor: str, workers: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as catalog:
        command = [
            Path(sys.executable).with_name("cohortium"), "scan", folder,
            "--catalog", Path(catalog) / "catalog", "--site", "benchmark",
            "--executor", executor, "--workers", str(workers),
        ]  # fmt: skip
        log = Path(catalog) / "log"
        start = time.perf_counter()
        with (
            log.open("wb") as err,
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=err) as process,
        ):
            out = process.stdout.read() if process.stdout else b""
            _, status, usage = os.wait4(process.pid, 0)  # with all processes that it has waited for
            process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - start
        rate = re.search(r"read: .* ([0-9,]+)/s done", log.read_text())
    if process.returncode:
        sys.exit(f"cohortium scan ended with exit code {process.returncode}")
    cpu = usage.ru_utime + usage.ru_stime
    return {
        "executor": executor,
        "workers": workers,
        "seconds": json.loads(out.splitlines()[-1])["seconds"],
        "wall_s": round(wall, 2),
        "read_per_s": int(rate[1].replace(",", "")) if rate else 0,
        "cpu_us": round(cpu / files * 1e6, 2),
        "peak_rss_mb": usage.ru_maxrss // 1024,
    }


def _print(report: dict[str, Any]) -> None:
    machine, agreement = report["machine"], report["agreement"]
    print(f"{machine['processor']}, {machine['cores']} cores, Python {machine['python']}")
    print(
        f"{agreement['cells']} cells of {agreement['files']} files compared with pydicom: "
        f"{agreement['different']} different\n"
    )
    for title, rows in (
        ("The same files, one batch", report["side_by_side"]),
        ("The whole corpus, batches of 16,384 files", report["whole_corpus"]),
    ):
        _print_readers(title, rows)
    if "job" in report:
        print(f"The whole job, from folders to a snapshot ({report['archive']['files']} files)")
        heads = f"{'CPU us/file':>14}{'wall s':>9}{'x one':>8}{'read/s':>10}{'x one':>8}{'peak MB':>9}"
        print(f"{'executor':<12}{'workers':>8}{heads}")
        one = next(run for run in report["job"] if run["executor"] == "processes")
        for run in report["job"]:
            print(
                f"{run['executor']:<12}{run['workers']:>8}{run['cpu_us']:>14.1f}{run['wall_s']:>9.2f}"
                f"{one['wall_s'] / run['wall_s']:>8.2f}{run['read_per_s']:>10}"
                f"{run['read_per_s'] / one['read_per_s']:>8.2f}{run['peak_rss_mb']:>9}"
            )


def _print_readers(title: str, rows: Sequence[dict[str, Any]]) -> None:
    present = [row for row in rows if "missing" not in row]
    cost = {row["reader"]: row["cpu_us"] for row in present}
    print(f"{title} ({present[0]['files']} files)")
    heads = ("CPU us/file", "x ours", "x floor", "failed", "peak MB")
    print(f"{'reader':<24}{'version':<10}" + "".join(f"{head:>12}" for head in heads))
    for row in present:
        cpu, ours = row["cpu_us"], cost.get("ours", float("nan"))
        ratios = f"{cpu:>12.1f}{cpu / ours:>12.2f}{cpu / cost['floor']:>12.2f}"
        print(f"{row['reader']:<24}{row['version']:<10}{ratios}{row['failed']:>12}{row['peak_rss_mb']:>12}")
    for row in rows:
        if "missing" in row:
            print(f"{row['reader']:<24}left out: {row['missing']}")
    print()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
