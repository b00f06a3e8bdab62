"""Derive standard words from the columns of ``series``: each distinct text is looked at once.

``vendor`` and not ``manufacturer``: SQL ignores case, and ``Manufacturer`` holds what DICOM says.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from catalog.vocabulary.rulebook import TARGETS, Rule, Rules

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

Pair = tuple[str, str]

SERIES_TEXTS: Final = ("SeriesDescription", "ProtocolName")
# What is said of the series comes before what is said of the study.
BODY_PART_SOURCES: Final = (
    "AnatomicRegionCodeValue",
    "AnatomicRegionCodeMeaning",
    "SeriesDescription",
    "ProtocolName",
    "BodyPartExamined",
    "StudyDescription",
    "RequestedProcedureDescription",
)
TEXTS: Final = (*SERIES_TEXTS, "StudyDescription", "RequestedProcedureDescription")
CONFLICT: Final = "body_part_conflict"
COLUMNS: Final = (
    *(name for t in (*TARGETS, "age_years") for name in (t, f"{t}_rule")),
    CONFLICT,
)
TRUNK: Final = {
    frozenset(["HEAD", "NECK"]): "HEADNECK",
    frozenset(["NECK", "CHEST"]): "NECKCHEST",
    frozenset(["CHEST", "ABDOMEN"]): "CHESTABDOMEN",
    frozenset(["ABDOMEN", "PELVIS"]): "ABDOMENPELVIS",
    frozenset(["CHEST", "ABDOMEN", "PELVIS"]): "CHESTABDPELVIS",
    frozenset(["NECK", "CHEST", "ABDOMEN"]): "NECKCHESTABDOMEN",
    frozenset(["NECK", "CHEST", "ABDOMEN", "PELVIS"]): "NECKCHESTABDPELV",
}
PARTS: Final = {word: parts for parts, word in TRUNK.items()}
ALONE: Final = ("PHANTOM", "WHOLEBODY", "BREAST", "CSPINE", "TSPINE", "LSPINE", "SPINE")
DAYS: Final = {"D": 365.25, "W": 365.25 / 7, "M": 12.0, "Y": 1.0}  # parts of a year


@lru_cache(maxsize=1 << 18)
def normalised(text: str) -> str:
    """Upper case, one width (NFKC), separators as single spaces."""
    return re.sub(r"[\s_^/,.()\-:;|]+", " ", unicodedata.normalize("NFKC", text).upper()).strip()


def standardise(series: pa.Table, rules: Rules) -> pa.Table:
    """Derive the standard words of each row.

    Parameters
    ----------
    series : pyarrow.Table
        Rows of ``series`` or of a part of its columns; a column that lacks counts as null.
    rules : Rules
        See :func:`catalog.vocabulary.load_rules`.

    Returns
    -------
    pyarrow.Table
        :data:`COLUMNS`, one row per row of ``series`` and in its order; ``<name>_rule`` is
        ``source:rule``, null where no rule spoke.
    """
    import pyarrow as pa

    regions = [_body_part_of(series, rules, source) for source in BODY_PART_SOURCES]
    found = {"body_part": _first(regions, len(series))}
    found |= {t: _target(series, rules, t) for t in TARGETS if t != "body_part"}
    found["age_years"] = _looked_up(series, rules, "PatientAge", lambda text, _: age(text))
    cells: dict[str, pa.Array] = {}
    for target, (values, names) in found.items():
        cells[target] = _typed(values, target)
        cells[f"{target}_rule"] = pa.array(names, pa.string())
    cells["contrast"] = cells["contrast"].fill_null("unknown")
    cells[CONFLICT] = _conflicts([values for values, _ in regions])
    return pa.table({name: cells[name] for name in COLUMNS})


def age(text: str) -> Pair | None:
    """Years of an age string (PS3.5, AS: nnnD, nnnW, nnnM or nnnY)."""
    match = re.fullmatch(r"(\d{1,3})([DWMY])", text.strip().upper())
    return (repr(int(match[1]) / DAYS[match[2]]), "age-string") if match else None


def body_part(text: str, rules: tuple[Rule, ...], *, code: bool = False) -> Pair | None:
    """Word of every region that a text names together, and the names of the rules."""
    plain = normalised(text)
    hits = [r for r in rules if (r.code == plain if code else r.pattern.search(plain))]
    if not hits:
        return None
    if ":" in hits[0].name:  # a site's rule has the last word
        return hits[0].value, hits[0].name
    values = {r.value for r in hits}
    single = next((word for word in ALONE if word in values), None)
    parts = frozenset().union(*(PARTS.get(v, frozenset([v])) for v in values))
    word = single or TRUNK.get(parts) or hits[0].value
    return word, "+".join(r.name for r in hits)


def first_match(text: str, rules: tuple[Rule, ...]) -> Pair | None:
    """Value and name of the first rule whose pattern occurs."""
    plain = normalised(text)
    upper = text.strip().upper()
    hit = next((r for r in rules if r.pattern.search(plain) or r.pattern.search(upper)), None)
    return (hit.value, hit.name) if hit else None


def _target(series: pa.Table, rules: Rules, target: str) -> tuple[Any, Any]:
    answers = []
    kinds = dict.fromkeys(r.kind for s in ("", *rules.sites) for r in rules.of(target, s))
    ordered = sorted(kinds, key=lambda kind: kind in {"text", "series"})  # attributes before texts
    for kind in ordered:
        for source in {"text": TEXTS, "series": SERIES_TEXTS}.get(kind, (kind,)):

            def look(text: str, site: str, kind: str = kind) -> Pair | None:
                return first_match(text, tuple(r for r in rules.of(target, site) if r.kind == kind))

            answers.append(_looked_up(series, rules, source, look))
    values, names = _first(answers, len(series))
    if target == "mr_weighting" and "Modality" in series.column_names:
        other = np.array([m != "MR" for m in series.column("Modality").to_pylist()], dtype=bool)
        values[other] = names[other] = None
    return values, names


def _body_part_of(series: pa.Table, rules: Rules, source: str) -> tuple[Any, Any]:
    code = source == "AnatomicRegionCodeValue"
    return _looked_up(series, rules, source, lambda t, s: body_part(t, rules.of("body_part", s), code=code))


def _looked_up(
    series: pa.Table, rules: Rules, source: str, look: Callable[[str, str], Pair | None]
) -> tuple[Any, Any]:
    """Look at each distinct (text, site) once; object arrays of values and of ``source:rule``."""
    if source not in series.column_names:
        empty = np.full(len(series), None, dtype=object)
        return empty, empty.copy()
    texts = series.column(source).combine_chunks().dictionary_encode()
    sites = _sites(series, rules)
    text_words, site_words = texts.dictionary.to_pylist(), sites.dictionary.to_pylist()
    at = texts.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    pairs = at * max(len(site_words), 1) + sites.indices.to_numpy(zero_copy_only=False)
    if len(site_words) == 1:  # the usual case needs no sorting; -1 picks the last, which is left null
        distinct, back = np.append(np.arange(len(text_words)), -1), at
    else:
        distinct, back = np.unique(np.where(at < 0, -1, pairs), return_inverse=True)
    values, names = (np.full(len(distinct), None, dtype=object) for _ in range(2))
    for i, pair in enumerate(distinct.tolist()):
        if pair >= 0:
            answer = look(text_words[pair // len(site_words)], site_words[pair % len(site_words)])
            if answer:
                values[i], names[i] = answer[0], f"{source}:{answer[1]}"
    return values[back], names[back]


def _sites(series: pa.Table, rules: Rules) -> pa.DictionaryArray:
    """Site of each row where it has rules of its own, else empty: texts are shared by the others."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if "site" not in series.column_names or not rules.sites:
        return pa.array([""] * len(series), pa.string()).dictionary_encode()
    site = series.column("site").combine_chunks()
    own = pc.is_in(site, value_set=pa.array(list(rules.sites), pa.string()))
    return pc.if_else(own, site, "").fill_null("").dictionary_encode()


def _first(answers: list[tuple[Any, Any]], n: int) -> tuple[Any, Any]:
    values, names = (np.full(n, None, dtype=object) for _ in range(2))
    for value, name in answers:
        free = _absent(values)
        values[free], names[free] = value[free], name[free]
    return values, names


def _absent(values: Any) -> Any:
    return np.array([v is None for v in values], dtype=bool)


def _typed(values: Any, target: str) -> pa.Array:
    import pyarrow as pa

    if target == "age_years":
        return pa.array(values, pa.string()).cast(pa.float64())
    if target in {"is_localizer", "is_derived"}:
        return pa.array([None if v is None else v == "true" for v in values], pa.bool_())
    return pa.array(values, pa.string())


def _conflicts(sides: list[Any]) -> pa.Array:
    """``CHEST|HEAD`` where two sources name regions that share nothing; null elsewhere."""
    import pyarrow as pa

    result = np.full(len(sides[0]), None, dtype=object)
    for i, left in enumerate(sides):
        for right in sides[i + 1 :]:
            differ = np.flatnonzero((left != right) & ~_absent(left) & ~_absent(right))
            for at in differ.tolist():
                if result[at] is None and _disjoint(left[at], right[at]):
                    result[at] = f"{left[at]}|{right[at]}"
    return pa.array(result, pa.string())


def _disjoint(left: str, right: str) -> bool:
    if "WHOLEBODY" in {left, right} or {left, right} == {"BREAST", "CHEST"}:
        return False
    return not PARTS.get(left, frozenset([left])) & PARTS.get(right, frozenset([right]))
