"""Standard words: a labelled sample, published codes, laws."""

from __future__ import annotations

import csv
from pathlib import Path

import pyarrow as pa
import pytest

from catalog.vocabulary import COLUMNS, load_rules, report, standardise
from hpc.errors import UsageError


def words(**columns: str | None) -> dict[str, object]:
    table = pa.table({name: pa.array([value], pa.string()) for name, value in columns.items()})
    return standardise(table, load_rules()).to_pylist()[0]


def test_labelled_sample_is_right_in_95_of_100() -> None:
    with (Path(__file__).parent / "labelled.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    names = ("Modality", "BodyPartExamined", "StudyDescription", "SeriesDescription")
    table = pa.table({n: pa.array([r[n] or None for r in rows], pa.string()) for n in names})
    answers = standardise(table, load_rules()).column("body_part").to_pylist()
    right = sum(a in r["label"].split("/") for a, r in zip(answers, rows, strict=True))
    assert len(rows) >= 300
    assert right / len(rows) >= 0.95


def test_codes_are_those_of_pydicom() -> None:
    from pydicom.sr._concepts_dict import concepts

    known = {code for meanings in concepts["SCT"].values() for code in meanings}
    rules = load_rules().general["body_part"]
    assert {r.code for r in rules} <= known


@pytest.mark.parametrize(
    ("text", "part"),
    [("胸部CT平扫", "CHEST"), ("头颅MRI", "HEAD"), ("腹部+盆腔增强", "ABDOMENPELVIS"), ("腰椎", "LSPINE")],
)
def test_chinese(text: str, part: str) -> None:
    assert words(StudyDescription=text)["body_part"] == part


def test_contradiction_is_reported() -> None:
    row = words(BodyPartExamined="CHEST", SeriesDescription="HEAD")
    assert row["body_part_conflict"] == "HEAD|CHEST" or row["body_part_conflict"] == "CHEST|HEAD"
    assert words(BodyPartExamined="LUNG", SeriesDescription="CHEST")["body_part_conflict"] is None


@pytest.mark.parametrize(("text", "years"), [("064Y", 64.0), ("006M", 0.5), ("", None), ("64", None)])
def test_age(text: str, years: float | None) -> None:
    assert words(PatientAge=text)["age_years"] == years


def test_other_words() -> None:
    row = words(Manufacturer="GE MEDICAL SYSTEMS", ImageType="ORIGINAL\\PRIMARY\\LOCALIZER", Modality="CT")
    assert (row["vendor"], row["is_localizer"], row["is_derived"]) == ("GE", True, False)
    assert words(SeriesDescription="动脉期")["contrast_phase"] == "arterial"
    assert words(SeriesDescription="x")["contrast"] == "unknown"
    assert words(Modality="MR", SeriesDescription="t2_tse_tra")["mr_weighting"] == "T2"
    assert words(Modality="CT", SeriesDescription="t2_tse_tra")["mr_weighting"] is None


@pytest.mark.parametrize(
    ("text", "contrast"),
    [
        ("CT CHEST WO CONTRAST", "no"),
        ("CT CHEST W CONTRAST", "yes"),
        ("CT CHEST WITHOUT IV CONTRAST", "no"),
        ("MRI BREAST W/WO", "unknown"),
        ("MR HEAD W AND WO IV CONTRAST", "unknown"),
        ("MR PROSTATE WO+W CONTRAST", "unknown"),
        ("PORTAL VENOUS", "yes"),
    ],
)
def test_contrast(text: str, contrast: str) -> None:
    assert words(StudyDescription=text)["contrast"] == contrast


def test_order_of_rows_does_not_matter_and_empty_is_fine() -> None:
    table = pa.table({"StudyDescription": ["CT HEAD", "CT CHEST", None, "CT CHEST"]})
    back = table.take([3, 2, 1, 0])
    rows = standardise(table, load_rules()).to_pylist()
    assert standardise(back, load_rules()).to_pylist() == rows[::-1]
    assert tuple(standardise(table.slice(0, 0), load_rules()).column_names) == COLUMNS


def test_site_rules_come_first(tmp_path: Path) -> None:
    (tmp_path / "north").mkdir()
    text = "rule,kind,pattern,value,scheme,code\nours,text,^P4$,CHEST,SCT,816094009\n"
    (tmp_path / "north" / "body_part.csv").write_text(text, encoding="utf-8")
    table = pa.table({"site": ["north", "south"], "StudyDescription": ["p4", "p4"]})
    out = standardise(table, load_rules(tmp_path))
    assert out.column("body_part").to_pylist() == ["CHEST", None]
    assert out.column("body_part_rule").to_pylist() == ["StudyDescription:north:ours", None]


def test_bad_tables_are_refused(tmp_path: Path) -> None:
    (tmp_path / "north").mkdir()
    bad = tmp_path / "north" / "vendor.csv"
    bad.write_text("rule,kind,pattern,value,scheme,code\na,text,(,X,,\n", encoding="utf-8")
    with pytest.raises(UsageError, match="regular expression"):
        load_rules(tmp_path)


def test_report_counts_add_up() -> None:
    table = pa.table(
        {
            "site": ["a", "a", "b"],
            "Manufacturer": ["GE", "GE", None],
            "StudyDescription": ["CT HEAD", None, "x"],
        }
    )
    derived = standardise(table, load_rules())
    for name in derived.column_names:
        table = table.append_column(name, derived.column(name))
    rows = report(table).to_pylist()
    assert {r["mapped"] + r["unmapped"] for r in rows if r["site"] == "a"} == {2}
    assert sum(r["mapped"] for r in rows if r["word"] == "body_part") == 1
