"""Cohorts against polars, which computes the same without SQL, and the laws of attrition."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from small_catalog import MODALITIES, make_rows, write_catalog

import cohorts
from cohorts import Definition, Rule, Select
from cohorts.levels import UNITS
from hpc.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from small_catalog import SmallCatalog

    from cohorts import Catalog, Cohort

# Each rule in SQL, and as polars understands it.
CT = Rule("CT", "include", "Modality = 'CT'"), pl.col("Modality") == "CT"
THIN = Rule("thin", "include", "slice_spacing_mm <= 1.5"), pl.col("slice_spacing_mm") <= 1.5
IRREGULAR = Rule("irregular", "exclude", "NOT geometry_regular"), ~pl.col("geometry_regular")
LATE = Rule("late", "exclude", "StudyDate >= DATE '2020-06-01'"), pl.col("StudyDate") >= date(2020, 6, 1)
NOT_HEAD = Rule("head", "exclude", "BodyPartExamined = 'HEAD'"), pl.col("BodyPartExamined") == "HEAD"
LARGE = Rule("large", "include", "Rows >= 512"), pl.col("Rows") >= 512
MIDDLE = (
    Rule("middle", "include", "InstanceNumber BETWEEN 1 AND 3"),
    pl.col("InstanceNumber").is_between(1, 3),
)
WOMEN = Rule("women", "include", "PatientSex = 'F'"), pl.col("PatientSex") == "F"
MANY = Rule("many", "include", "n_series >= 2"), pl.col("n_series") >= 2
HAS_CT = (
    Rule("has CT", "include", "list_contains(modalities, 'CT')"),
    pl.col("modalities").list.contains("CT"),
)
BUSY = Rule("busy", "exclude", "n_studies > 2"), pl.col("n_studies") > 2

CASES = {
    "series": [CT, THIN, IRREGULAR, LATE, NOT_HEAD, LARGE],
    "instance": [LARGE, MIDDLE, LATE],
    "study": [WOMEN, MANY, HAS_CT, LATE],
    "patient": [WOMEN, BUSY, HAS_CT],
}
KEYS = {
    "instance": ["site", "SOPInstanceUID", "uid_version"],
    "series": ["site", "SeriesInstanceUID"],
    "study": ["site", "StudyInstanceUID"],
    "patient": ["site", "PatientKey"],
}


def definition_of(level: str, select: Select | None = None) -> Definition:
    return Definition("case", level, tuple(rule for rule, _ in CASES[level]), select)


def grouped(series: pl.DataFrame, key: str) -> pl.DataFrame:
    """Studies or patients from series rows."""
    return (
        series.filter(pl.col(key).is_not_null())
        .group_by("site", key)
        .agg(
            *([] if key == "PatientKey" else [pl.col("PatientKey").min(), pl.col("StudyDate").min()]),
            pl.col("PatientSex").min(),
            MODALITIES,
            pl.col("StudyInstanceUID").n_unique().alias("n_studies"),
            pl.len().cast(pl.Int64).alias("n_series"),
            pl.col("n_instances").sum(),
        )
    )


def level_rows(small: SmallCatalog, level: str) -> pl.DataFrame:
    """All rows of a level, computed without SQL."""
    if level in {"instance", "series"}:
        return small.frame({"instance": "instances", "series": "series"}[level])
    return grouped(small.frame("series"), {"study": "StudyInstanceUID", "patient": "PatientKey"}[level])


def survives(rule: Rule, expression: pl.Expr) -> pl.Expr:
    """Whether a row passes: an include rule needs a yes, an exclude rule a yes to drop it."""
    yes = expression.fill_null(value=False)
    return yes if rule.kind == "include" else ~yes


def count(rows: pl.DataFrame, level: str) -> dict[str, int]:
    """How many of every unit the rows hold."""
    inner = {
        "series": ["instances"],
        "study": ["instances", "series"],
        "patient": ["instances", "series", "studies"],
    }
    counts = {unit: int(rows[f"n_{unit}"].sum()) for unit in inner.get(level, [])}
    for unit, key in zip(
        UNITS, ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "PatientKey"), strict=True
    ):
        if unit not in counts:
            counts[unit] = rows.filter(pl.col(key).is_not_null()).select("site", key).unique().height
    return {unit: counts[unit] for unit in UNITS}


@pytest.mark.parametrize("level", CASES)
def test_attrition_agrees_with_polars(small: SmallCatalog, opened: Catalog, level: str) -> None:
    cohort = opened.cohort(definition_of(level))
    rows = level_rows(small, level)
    own = {"instance": "instances", "series": "series", "study": "studies", "patient": "patients"}[level]
    expected = [{"step": 0, "kind": "start", **count(rows, level), "lost_unknown": 0, "kept_unknown": 0}]
    remaining = rows
    for number, (rule, expression) in enumerate(CASES[level], 1):
        others = [survives(r, e) for r, e in CASES[level] if r is not rule]
        unknown = int(remaining.select(expression.is_null().sum()).item())
        alone = rows.filter(*others).filter(~survives(rule, expression)).height
        remaining = remaining.filter(survives(rule, expression))
        include = rule.kind == "include"
        expected.append(
            {"step": number, "rule": rule.name, "kind": rule.kind, **count(remaining, level)}
            | {"removed_by_this_alone": alone}
            | {"lost_unknown": unknown if include else 0, "kept_unknown": 0 if include else unknown}
        )
    found = cohort.attrition
    for want, got, before in zip(
        expected, found.rows(named=True), [None, *found.rows(named=True)], strict=False
    ):
        assert {k: got[k] for k in want} == want
        removed = {unit: before[unit] - got[unit] if before else 0 for unit in UNITS}
        assert {unit: got[f"removed_{unit}"] for unit in UNITS} == removed
        assert got["lost_false"] + got["lost_unknown"] == removed[own]
    assert found.height == len(expected)
    assert cohort.counts == count(remaining, level)
    frame = cohort.frame()
    assert_frame_equal(frame.select(KEYS[level]), remaining.select(KEYS[level]).sort(KEYS[level]))


@pytest.mark.parametrize("level", ["instance", "series", "study"])
def test_one_per_patient_takes_the_first_known_one(small: SmallCatalog, opened: Catalog, level: str) -> None:
    cohort = opened.cohort(definition_of(level, Select("patient", "StudyDate DESC")))
    passed = level_rows(small, level).filter(*(survives(r, e) for r, e in CASES[level]))
    first = (
        passed.filter(pl.col("PatientKey").is_not_null())
        .sort(["StudyDate", *KEYS[level]], descending=[True, *[False] * len(KEYS[level])], nulls_last=True)
        .unique(["site", "PatientKey"], keep="first", maintain_order=True)
    )
    assert_frame_equal(cohort.frame().select(KEYS[level]), first.select(KEYS[level]).sort(KEYS[level]))
    last = cohort.attrition.row(-1, named=True)
    assert (last["kind"], last["rule"]) == ("select", "one per patient")
    assert {unit: last[unit] for unit in UNITS} == count(first, level) == cohort.counts
    assert last["lost_unknown"] == passed["PatientKey"].null_count()
    # The rules themselves lose what they lose without the selection.
    plain = opened.cohort(definition_of(level)).attrition
    assert_frame_equal(cohort.attrition[:-1], plain)


@pytest.mark.parametrize("level", CASES)
def test_sites_add_up_to_the_whole(opened: Catalog, level: str) -> None:
    select = Select("patient", "StudyDate") if level != "patient" else None
    cohort = opened.cohort(definition_of(level, select))
    numbers = [c for c in cohort.attrition.columns if c not in {"step", "rule", "kind"}]
    sums = cohort.attrition_by_site.group_by("step", "rule", "kind").agg(pl.col(numbers).sum()).sort("step")
    assert_frame_equal(sums.select(cohort.attrition.columns), cohort.attrition)
    assert set(cohort.attrition_by_site["site"]) == {"north", "south", "västra"}


def test_the_order_of_rules_changes_the_steps_but_not_the_rows(opened: Catalog) -> None:
    definition = definition_of("series")
    turned = Definition("case", "series", definition.rules[::-1])
    a, b = opened.cohort(definition), opened.cohort(turned)
    assert_frame_equal(a.frame(), b.frame())
    alone = dict(a.attrition.select("rule", "removed_by_this_alone").rows())
    assert dict(b.attrition.select("rule", "removed_by_this_alone").rows()) == alone
    assert a.key != b.key


def test_no_rules_are_all_rows(small: SmallCatalog, opened: Catalog) -> None:
    cohort = opened.cohort(Definition("all", "instance"))
    assert cohort.counts == count(small.frame("instances"), "instance")
    assert cohort.attrition.height == 1
    assert cohort.frame().shape == (len(small.instances), len(opened.tables["instances"].columns))


def test_a_cohort_may_be_empty(opened: Catalog) -> None:
    cohort = opened.cohort(Definition("none", "series", (Rule("no", "include", "Rows < 0"),)))
    assert cohort.counts == dict.fromkeys(UNITS, 0)
    assert cohort.frame().height == 0
    assert cohort.frame().schema == opened.cohort(Definition("all", "series")).frame().schema


def test_an_empty_catalogue_has_empty_cohorts(tmp_path: Path) -> None:
    opened = cohorts.open_catalog(write_catalog(tmp_path / "c", [], [], parts=0).root)
    for level in CASES:
        select = None if level == "patient" else Select("patient", "StudyDate")
        cohort = opened.cohort(definition_of(level, select))
        assert cohort.counts == dict.fromkeys(UNITS, 0)
        assert cohort.attrition["series"].to_list() == [0] * cohort.attrition.height
        assert cohort.attrition_by_site.height == 0
        assert (cohort | cohort).counts == dict.fromkeys(UNITS, 0)


class TestKey:
    """The key stands for definition, catalogue and snapshot, and for nothing else."""

    def test_it_is_stable(self, small: SmallCatalog, opened: Catalog) -> None:
        key = opened.cohort(definition_of("series")).key
        assert key == cohorts.open_catalog(small.root).cohort(definition_of("series")).key
        assert len(key) == 64

    def test_a_file_and_python_give_the_same(self, opened: Catalog, tmp_path: Path) -> None:
        definition = definition_of("series", Select("study", "SeriesNumber"))
        path = tmp_path / "d.toml"
        path.write_text("# remark\n" + definition.to_toml().replace("\n\n", "\n\n\n"), encoding="utf-8")
        assert opened.cohort(path).key == opened.cohort(str(path)).key == opened.cohort(definition).key

    def test_every_change_of_the_definition_changes_it(self, opened: Catalog) -> None:
        rules = (CT[0], THIN[0])
        keys = {
            opened.cohort(d).key
            for d in (
                Definition("a", "series", rules),
                Definition("b", "series", rules),
                Definition("a", "series", rules[::-1]),
                Definition("a", "series", rules[:1]),
                Definition("a", "series", (CT[0], Rule("thin", "exclude", THIN[0].where))),
                Definition("a", "series", (CT[0], Rule("thin", "include", "slice_spacing_mm < 1.5"))),
                Definition("a", "series", rules, Select("patient", "StudyDate")),
                Definition("a", "series", rules, Select("study", "StudyDate")),
                Definition("a", "series", rules, Select("study", "StudyDate DESC")),
            )
        }
        assert len(keys) == 9

    def test_a_new_snapshot_changes_it_and_the_old_one_still_answers(self, tmp_path: Path) -> None:
        series, instances = make_rows(10, seed=1)
        more_series, more_instances = make_rows(10, seed=2)
        root = write_catalog(tmp_path / "c", series, instances).root
        old = cohorts.open_catalog(root).cohort(definition_of("series"))
        before = old.counts, old.key
        write_catalog(root, more_series, more_instances)
        new = cohorts.open_catalog(root).cohort(definition_of("series"))
        pinned = cohorts.open_catalog(root, snapshot=1).cohort(definition_of("series"))
        assert new.key != old.key
        assert new.attrition["series"][0] == len(series) + len(more_series)
        assert before == (pinned.counts, pinned.key)

    def test_another_catalogue_has_another(
        self, small: SmallCatalog, opened: Catalog, tmp_path: Path
    ) -> None:
        twin = cohorts.open_catalog(write_catalog(tmp_path / "c", small.series, small.instances).root)
        a, b = (c.cohort(definition_of("series")) for c in (opened, twin))
        assert a.counts == b.counts
        assert a.key != b.key
        with pytest.raises(UsageError, match="one catalogue and snapshot"):
            _ = a | b


class TestSets:
    """Set operations against Python's own sets of keys."""

    @staticmethod
    def keys(rows: cohorts.Cohort | cohorts.CohortSet) -> set[tuple]:
        return set(rows.frame().select(rows.level.key).rows())

    @pytest.fixture
    def parts(self, opened: Catalog) -> list[Cohort]:
        rules = (CT[0], THIN[0], Rule("women", "include", "PatientSex = 'F'"))
        return [opened.cohort(Definition(r.name, "series", (r,))) for r in rules]

    def test_operations_agree_with_sets(self, parts: list[Cohort]) -> None:
        a, b, c = parts
        for combined, keys in (
            (a | b, self.keys(a) | self.keys(b)),
            (a & b, self.keys(a) & self.keys(b)),
            (a - b, self.keys(a) - self.keys(b)),
            ((a | b) - c, (self.keys(a) | self.keys(b)) - self.keys(c)),
            (a - (b & c), self.keys(a) - (self.keys(b) & self.keys(c))),
        ):
            frame = combined.frame()
            assert self.keys(combined) == keys
            assert frame.height == len(keys) > 0
            assert combined.counts == count(frame, "series")
            assert frame.columns == a.frame().columns

    def test_keys_follow_the_parts(self, parts: list[Cohort]) -> None:
        a, b, _ = parts
        assert (a | b).key == (b | a).key
        assert (a & b).key == (b & a).key
        assert len({(a - b).key, (b - a).key, (a | b).key, (a & b).key, a.key, b.key}) == 6

    def test_instances_are_told_apart_by_version(self, tmp_path: Path) -> None:
        series, instances = make_rows(3)
        instances.append(instances[0] | {"uid_version": 1, "file_id": 10**6, "InstanceNumber": 99})
        opened = cohorts.open_catalog(write_catalog(tmp_path / "c", series, instances).root)
        every = opened.cohort(Definition("all", "instance"))
        other = opened.cohort(Definition("other", "instance", (Rule("v", "include", "uid_version = 1"),)))
        assert (every - other).counts["instances"] == len(instances) - 1
        assert (every & other).frame()["InstanceNumber"].to_list() == [99]

    def test_levels_do_not_mix(self, opened: Catalog) -> None:
        a, b = (opened.cohort(Definition(x, x)) for x in ("series", "study"))
        with pytest.raises(UsageError, match="'series' is of level series, 'study' of level study"):
            _ = a & b


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("Rows", 'rule "r" is no yes-or-no question: its answer is BIGINT'),
        ("Modality", "its answer is VARCHAR"),
        (
            "slice_spacing <= 1",
            r'rule "r": series has no column slice_spacing \(did you mean slice_spacing_mm\?\)',
        ),
        ("Rows + 'a' > lower(Rows, 3)", 'rule "r": the query is not valid'),
        ("PatientName = 'Doe'", "series has no column PatientName"),
    ],
)
def test_rules_that_do_not_fit_are_named(opened: Catalog, rule: str, message: str) -> None:
    definition = Definition("x", "series", (CT[0], Rule("r", "include", rule)))
    with pytest.raises(UsageError, match=message):
        opened.cohort(definition)


def test_a_cell_that_breaks_a_rule_is_not_quoted(opened: Catalog) -> None:
    rules = (CT[0], Rule("number", "include", "CAST(SeriesDescription AS INTEGER) > 1"))
    with pytest.raises(UsageError, match=r'rule "number": a cell or value does not fit.*TRY_CAST') as caught:
        _ = opened.cohort(Definition("x", "series", rules)).counts
    assert "Thorax" not in str(caught.value)
    with pytest.raises(UsageError, match="a cell or value does not fit"):
        opened.cohort(Definition("x", "series", rules)).frame()


def test_rules_and_orders_may_name_the_view_and_span_lines(opened: Catalog) -> None:
    rule = Rule(
        "r", "include", "series.Modality = 'CT' -- a remark\n AND\n series.Rows > 1 /* more */ -- end"
    )
    order = Select("patient", "series.StudyDate -- oldest\n, series.Rows DESC -- largest")
    plain = Definition("x", "series", (Rule("r", "include", "Modality = 'CT' AND Rows > 1"),))
    plain = Definition("x", "series", plain.rules, Select("patient", "StudyDate, Rows DESC"))
    written = opened.cohort(Definition("x", "series", (rule,), order))
    assert_frame_equal(written.frame(), opened.cohort(plain).frame())
    assert_frame_equal(written.attrition, opened.cohort(plain).attrition)


def test_sixty_rules_fit_in_the_mask(opened: Catalog) -> None:
    rules = tuple(Rule(str(i), "include", f"SeriesNumber <> {i}") for i in range(60))
    cohort = opened.cohort(Definition("x", "series", rules, Select("patient", "StudyDate")))
    steps = cohort.attrition
    assert steps["removed_series"].sum() == steps["series"][0] - cohort.counts["series"]
    assert steps["series"][-2] == 0  # every series has a number below 60
    assert steps["removed_by_this_alone"].sum() == steps["series"][0]


def test_reprs_are_plain(opened: Catalog) -> None:
    cohort = opened.cohort(definition_of("series"))
    assert repr(cohort) == f"<cohort 'case' {cohort.key[:16]}, snapshot 1, level series>"
    assert "snapshot 1" in repr(opened)
    assert repr(opened.tables["studies"]).startswith("<research table studies: one row per study")
