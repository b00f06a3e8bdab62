"""The table of attributes, as the compiled walker reads it.

A *slot* is one place in a data set whose value is wanted: the tags of the sequences around it, then its own
tag. The sequences make a tree of *contexts*: context 0 is the data set itself, and each wanted sequence leads
from one context to the next. A slot takes the value of the first items alone, or, where a column collects,
the value of every item.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from catalog import columns
from catalog.columns import ATTRIBUTES, META_TRANSFER_SYNTAX, TEXT, Column

if TYPE_CHECKING:
    from catalog.headers.kernel import Bytes, Ints

MEDIA_CLASS: Final = 0x00020002
MEDIA_INSTANCE: Final = 0x00020003
CHARSET: Final = 0x00080005

# Meaning of the columns of the tables below.
KEY_SLOT, KEY_COLLECT, KEY_CHILD = range(3)
CONTEXT_START, CONTEXT_END, CONTEXT_COLLECTS = range(3)
COLUMN_START, COLUMN_END, COLUMN_TRIM, COLUMN_DISTINCT = range(4)

NONE: Final = -1
NEVER: Final = 1 << 40  # greater than any tag; closes the keys of a context
NESTED_CHARSET: Final = -2  # key of SpecificCharacterSet inside an item

KINDS: Final = ("text", "date", "integer", "real", "reals", "texts")
KIND_TEXT, KIND_DATE, KIND_INTEGER, KIND_REAL, KIND_REALS, KIND_TEXTS = range(6)

TRIM_END, TRIM_BOTH, TRIM_NAME = range(
    3
)  # spaces at the end; at both ends; and "=" after the last group of a PN

SHORT_HEADER, LONG_HEADER = 1, 2  # explicit VR: 8 bytes with a 16-bit length, 12 bytes with a 32-bit length
FORM_TEXT, FORM_BINARY, FORM_BYTES = 1, 2, 3

SHORT_VRS: Final = (
    "AE",
    "AS",
    "AT",
    "CS",
    "DA",
    "DS",
    "DT",
    "FD",
    "FL",
    "IS",
    "LO",
    "LT",
    "PN",
    "SH",
    "SL",
    "SS",
    "ST",
    "TM",
    "UI",
    "UL",
    "US",
)
LONG_VRS: Final = ("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV")
BINARY_VRS: Final = frozenset(("AT", "FD", "FL", "SL", "SS", "UL", "US", "SV", "UV"))
BYTES_VRS: Final = frozenset(("OB", "OD", "OF", "OL", "OV", "OW", "UN"))
LEADING_SPACES_COUNT: Final = frozenset(("LT", "ST", "UT"))  # PS3.5 6.2: their leading spaces are text

HIDDEN_CHARSET: Final = Column("", ((CHARSET,),), "CS", TEXT, "instance", "")
TRANSFER_SYNTAX: Final = next(c for c in columns.DERIVED if c.name == "TransferSyntaxUID")
DISTINCT: Final = frozenset(
    {"SOPInstanceUID", "referenced_series"}
)  # rows are never alike; in a list: each value once
META_FALLBACK: Final = {"SOPClassUID": (MEDIA_CLASS,), "SOPInstanceUID": (MEDIA_INSTANCE,)}

UID_IMPLICIT, UID_BIG_ENDIAN, UID_DICOMDIR = 0, 1, 2
SPECIAL_UIDS: Final = (
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.3.10",
    "1.2.840.10008.1.2.1.99",  # the three syntaxes whose data sets are deflated
    "1.2.840.10008.1.2.4.95",
    "1.2.840.10008.1.2.4.205",
)
DEFLATED_UIDS: Final = SPECIAL_UIDS[3:]


class Plan(NamedTuple):
    """Constant tables of the compiled functions; a row per key, context, slot or column.

    Keys are sorted by context, then tag, and NEVER closes each context. Columns are sorted by kind.
    ``column_slots`` lists the slots of each column in the order in which they are asked.
    """

    key_tag: Ints
    key: Ints
    context: Ints
    slot_vr: Ints
    slot_column: Ints
    column: Ints
    column_slots: Ints
    kind_start: Ints  # first column of each kind, and the end of the last
    header_of_vr: Bytes
    form_of_vr: Bytes
    uids: Bytes
    uid_length: Ints
    slot: Ints  # the slots that the kernels themselves must know: SLOT_*


SLOT_CHARSET, SLOT_SYNTAX, SLOT_MEDIA_CLASS, SLOT_MEDIA_INSTANCE, SLOT_CLASS, SLOT_INSTANCE = range(6)


def vr_code(vr: str) -> int:
    """Return the two letters as the 16-bit number that stands in a little-endian file."""
    return ord(vr[0]) | ord(vr[1]) << 8 if vr else 0


@cache
def kernel_columns() -> tuple[Column, ...]:
    """Columns that the compiled functions fill, sorted by kind; the first is the hidden one of charsets."""
    return tuple(sorted((HIDDEN_CHARSET, TRANSFER_SYNTAX, *ATTRIBUTES), key=lambda c: KINDS.index(c.kind)))


def columns_of(kind: int) -> range:
    """Numbers of the columns of a kind."""
    kinds = [KINDS.index(c.kind) for c in kernel_columns()]
    return range(kinds.index(kind), kinds.index(kind) + kinds.count(kind))


def column_paths(column: Column) -> tuple[columns.Path, ...]:
    """Where a column is looked for, the file meta information last."""
    extra = META_FALLBACK.get(column.name)
    return (*column.paths, extra) if extra else column.paths


def _dictionary_vr(path: columns.Path, column: Column) -> str:
    """VR of the last tag of a path: the column's own, unless another attribute stands in for it."""
    if path[-1] == column.paths[0][-1]:
        return column.vr
    from pydicom.datadict import dictionary_VR

    return dictionary_VR(path[-1])[:2]


def _vr_tables() -> tuple[Bytes, Bytes]:
    """Return header and form of every possible pair of VR bytes; 0 where they are no VR."""
    header = np.zeros(1 << 16, np.uint8)
    form = np.zeros(1 << 16, np.uint8)
    for vr in (*SHORT_VRS, *LONG_VRS):
        header[vr_code(vr)] = SHORT_HEADER if vr in SHORT_VRS else LONG_HEADER
        form[vr_code(vr)] = FORM_BINARY if vr in BINARY_VRS else FORM_BYTES if vr in BYTES_VRS else FORM_TEXT
    form[vr_code("SQ")] = 0
    form[0] = FORM_BYTES  # an implicit element: as for UN, the dictionary says what it holds
    return header, form


def _trim(column: Column) -> int:
    if column.vr == "PN":
        return TRIM_NAME
    return TRIM_END if column.vr in LEADING_SPACES_COUNT else TRIM_BOTH


class _Tree:
    """Contexts and slots, numbered as they are met."""

    def __init__(self) -> None:
        self.contexts: dict[columns.Path, int] = {(): 0}
        self.collects: set[columns.Path] = set()
        self.slots: dict[tuple[columns.Path, bool], int] = {}

    def slot(self, path: columns.Path, *, collect: bool) -> int:
        for depth in range(1, len(path)):
            self.contexts.setdefault(path[:depth], len(self.contexts))
            if collect:
                self.collects.add(path[:depth])
        return self.slots.setdefault((path, collect), len(self.slots))

    def keys(self) -> list[tuple[int, int, int, int, int]]:
        """(context, tag, slot, collecting slot, child context), sorted."""
        places = {path for path, _ in self.slots} | {path for path in self.contexts if path}
        rows = [
            (
                self.contexts[path[:-1]],
                path[-1],
                self.slots.get((path, False), NONE),
                self.slots.get((path, True), NONE),
                self.contexts.get(path, NONE),
            )
            for path in places
        ]
        rows += [(c, CHARSET, NESTED_CHARSET, NONE, NONE) for path, c in self.contexts.items() if path]
        rows += [(c, NEVER, NONE, NONE, NONE) for c in self.contexts.values()]
        return sorted(rows)


@cache
def plan() -> Plan:
    """Lay out the tables for all attributes."""
    tree = _Tree()
    slot_vr: dict[int, int] = {}
    slot_column: dict[int, int] = {}
    column_rows: list[tuple[int, ...]] = []
    column_slots: list[int] = []
    for number, column in enumerate(kernel_columns()):
        start = len(column_slots)
        for path in column_paths(column):
            slot = tree.slot(path, collect=column.collect)
            slot_vr[slot] = vr_code(_dictionary_vr(path, column))
            slot_column[slot] = number
            column_slots.append(slot)
        column_rows.append((start, len(column_slots), _trim(column), column.name in DISTINCT))
    known = [
        (CHARSET,),
        (META_TRANSFER_SYNTAX,),
        (MEDIA_CLASS,),
        (MEDIA_INSTANCE,),
        (0x00080016,),
        (0x00080018,),
    ]
    keys = tree.keys()
    starts = np.searchsorted([k[0] for k in keys], np.arange(len(tree.contexts) + 1))
    header, form = _vr_tables()
    uids = np.zeros((len(SPECIAL_UIDS), 64), np.uint8)
    for row, uid in enumerate(SPECIAL_UIDS):
        uids[row, : len(uid)] = np.frombuffer(uid.encode(), np.uint8)
    return Plan(
        key_tag=np.array([k[1] for k in keys], np.int64),
        key=np.array([k[2:] for k in keys], np.int64),
        context=np.array(
            [(starts[i], starts[i + 1] - 1, path in tree.collects) for path, i in tree.contexts.items()],
            np.int64,
        ),
        slot_vr=np.array([slot_vr[s] for s in range(len(tree.slots))], np.int64),
        slot_column=np.array([slot_column[s] for s in range(len(tree.slots))], np.int64),
        column=np.array(column_rows, np.int64),
        column_slots=np.array(column_slots, np.int64),
        kind_start=np.array(
            [*(columns_of(k).start for k in range(len(KINDS))), len(kernel_columns())], np.int64
        ),
        header_of_vr=header,
        form_of_vr=form,
        uids=uids,
        uid_length=np.array([len(u) for u in SPECIAL_UIDS], np.int64),
        slot=np.array([tree.slots[path, False] for path in known], np.int64),
    )
