"""Links: instances before series before the frame of reference; ambiguous is reported, never guessed."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pydicom
import pytest

from catalog.masks import Candidate, References, link, read_references

A = Candidate("A", "F", "CT", frozenset({"a1", "a2"}))
B = Candidate("B", "F", "PT", frozenset({"b1"}))
C = Candidate("C", "G", "MR", frozenset({"c1"}))
DOSE = Candidate("D", "G", "RTDOSE", frozenset({"d1"}))


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def refs(instances: str = "", series: str = "", frames: str = "") -> References:
    return References(frozenset(instances.split()), frozenset(series.split()), frozenset(frames.split()))


@pytest.mark.parametrize(
    ("references", "series", "how", "problem"),
    [
        (refs("a1 gone", "B", "G"), "A", "instances", ""),
        (refs("a1 b1", "A", "F"), None, "", "instances_of_several_series"),
        (refs("gone", "B gone", "F"), "B", "series", ""),
        (refs("gone", "A B", "F"), None, "", "several_series"),
        (refs("gone", "gone", "G"), None, "", "series_missing"),
        (refs("gone", "", "G"), "C", "frame_of_reference", ""),
        (refs("", "", "F"), None, "", "shared_frame_of_reference"),
        (refs("", "", "H"), None, "", "nothing_here"),
        (refs(), None, "", "no_references"),
        (refs("d1", "", "G"), "C", "frame_of_reference", ""),
    ],
)
def test_the_order_of_evidence(references: References, series: str | None, how: str, problem: str) -> None:
    for candidates in ((A, B, C, DOSE), (DOSE, C, B, A)):
        answer = link(references, candidates)
        assert (answer.series_uid, answer.how, answer.problem) == (series, how, problem)


def test_candidates_come_from_rows() -> None:
    names = ("SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID", "Modality")
    rows = [("A", "a1", "F", "CT"), ("B", "b1", None, None), ("A", "a2", "F", "CT"), (None, "x", "F", "CT")]
    made = Candidate.from_rows(dict(zip(names, row, strict=True)) for row in rows)
    assert made == (A, Candidate("B", "", "", frozenset({"b1"})))


def test_real_objects_link_as_known(shared_data: Path) -> None:
    """Every SEG and RTSTRUCT of the shared sets, against what is known of each; all series are candidates."""
    with (shared_data / "truth.csv").open() as file:
        candidates = Candidate.from_rows(csv.DictReader(file))
    checked = 0
    with (shared_data / "truth_refs.csv").open() as file:
        for row in csv.DictReader(file):
            with _quiet():
                references = read_references(pydicom.dcmread(shared_data / row["file"], force=True))
            answer = link(references, candidates)
            sharing = row["series_sharing_frame_of_reference"].split("|")
            assert len(references.instances) == int(row["n_referenced_sop"])
            if row["series_of_present_sops"]:
                assert (answer.series_uid, answer.how) == (row["series_of_present_sops"], "instances")
            elif row["referenced_series_present"] == "1":
                assert (answer.series_uid, answer.how) == (row["referenced_series"], "series")
            elif row["referenced_series"]:
                assert answer.problem == "series_missing"
            else:
                assert (answer.series_uid, answer.how) == (sharing[0], "frame_of_reference")
            checked += 1
    assert checked == 33
