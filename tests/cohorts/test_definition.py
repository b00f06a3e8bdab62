"""Definitions as TOML: order kept, round trip, and nothing unknown ignored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cohorts import Definition, Rule, Select
from cohorts.definition import MOST_RULES
from hpc.errors import MissingError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLE = """
# A remark.
[cohort]
name = "chest"
level = "series"

[[include]]
name = "chest CT"
where = "Modality = 'CT'"

[[exclude]]
name = "irregular geometry"
where = '''
NOT geometry_regular
  -- and not this line:
[[exclude]]
'''

[[ "include" ]]   # quoted, as TOML allows
name = "thin slices"
where = "slice_spacing_mm <= 1.5"

[select]
per = "patient"
first_by = "StudyDate"
"""


def test_rules_keep_the_order_of_the_file() -> None:
    definition = Definition.from_toml(EXAMPLE)
    assert [(r.kind, r.name) for r in definition.rules] == [
        ("include", "chest CT"),
        ("exclude", "irregular geometry"),
        ("include", "thin slices"),
    ]
    assert definition.rules[1].where.endswith("[[exclude]]\n")
    assert definition.select == Select("patient", "StudyDate")
    assert Definition.from_toml(EXAMPLE.replace("\n", "\r\n")) == definition


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)
NAME = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1).filter(str.strip)


@settings(max_examples=300, deadline=None)
@given(
    NAME,
    st.lists(
        st.tuples(NAME, st.sampled_from(["include", "exclude"]), TEXT), max_size=5, unique_by=lambda r: r[0]
    ),
    st.none() | st.builds(Select, st.sampled_from(["study", "patient"]), TEXT),
)
def test_toml_round_trip(name: str, rules: list[tuple], select: Select | None) -> None:
    definition = Definition(name, "series", tuple(Rule(*r) for r in rules), select)
    again = Definition.from_toml(definition.to_toml())
    assert again == definition
    assert again.canonical() == definition.canonical()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ("level =", "levle ="),
            r"does not know levle in \[cohort\] \(did you mean level\?\); it knows name, level",
        ),
        (('level = "series"', ""), "level '' does not exist; it knows instance, series, study, patient"),
        (('"series"', '"scan"'), "level 'scan' does not exist"),
        (('"series"', '"roi"'), 'does not know level "roi"; it knows instance, series'),
        (
            ("[select]", "[combine]"),
            r"does not know \[combine\] in a cohort definition; it knows \[cohort\], \[include",
        ),
        (("[select]", "[split]"), r"does not know \[split\]"),
        (("[select]", "[selekt]"), r"did you mean select\?"),
        (("first_by =", "first ="), r"does not know first in \[select\]"),
        (('"patient"', '"series"'), "per must be above level series: one of study, patient"),
        (('"patient"', '"hospital"'), "per is one of instance, series, study, patient"),
        (
            ('name = "thin slices"', 'label = "pcr"'),
            r"does not know label in \[\[include\]\]; it knows name, where",
        ),
        (('name = "thin slices"', 'name = "x"\nwithin_days = [-7, 7]'), "does not know within_days"),
        (('name = "thin slices"', 'name = "chest CT"'), 'two rules of the name "chest CT"'),
        (('name = "thin slices"', 'name = "two\\nlines"'), "a rule needs a name, one line of text"),
        (('where = "slice_spacing_mm <= 1.5"', ""), 'rule "thin slices": where is missing'),
        (('where = "slice_spacing_mm <= 1.5"', "where = 1"), 'rule "thin slices": where is missing'),
        (('[[ "include" ]]', "[include]"), "not valid TOML"),
        (("[cohort]", "[cohort"), "not valid TOML"),
        (('[cohort]\nname = "chest"\nlevel = "series"', ""), r"needs a section \[cohort\]"),
    ],
)
def test_mistakes_are_named(change: tuple[str, str], message: str) -> None:
    assert change[0] in EXAMPLE
    with pytest.raises(UsageError, match=message):
        Definition.from_toml(EXAMPLE.replace(*change))


def test_rules_given_in_line_have_no_order_and_are_refused() -> None:
    text = 'include = [{name = "a", where = "true"}]\n[cohort]\nname = "x"\nlevel = "series"\n'
    with pytest.raises(UsageError, match=r"under its own line \[\[include\]\]"):
        Definition.from_toml(text)


def test_too_many_rules_are_refused() -> None:
    rules = tuple(Rule(str(i), "include", "true") for i in range(MOST_RULES + 1))
    Definition("x", "series", rules[:-1])
    with pytest.raises(UsageError, match=f"at most {MOST_RULES}"):
        Definition("x", "series", rules)


def test_the_message_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "cohort.toml"
    with pytest.raises(MissingError, match=r"no cohort definition .*cohort\.toml"):
        Definition.read(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match=r"cohort\.toml is not UTF-8"):
        Definition.read(path)
    path.write_text("x = 1", encoding="utf-8")
    with pytest.raises(UsageError, match=r"cohort\.toml: this version does not know \[x\]"):
        Definition.read(path)
    with pytest.raises(UsageError, match="cannot be read"):
        Definition.read(tmp_path)
    path.write_text(EXAMPLE, encoding="utf-8-sig")
    assert Definition.read(path) == Definition.from_toml(EXAMPLE)
