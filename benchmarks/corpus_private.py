"""Private blocks of the benchmark corpus, as long as the makers write them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from catalog.synthetic.encode import uid
from catalog.synthetic.study import code, sequence

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


def csa(ds: Dataset, image: bytes, series: bytes) -> None:
    block = ds.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
    block.add_new(0x08, "CS", "IMAGE NUM 4")
    block.add_new(0x09, "LO", "20240315")
    block.add_new(0x10, "OB", image)
    block.add_new(0x18, "CS", "MR")
    block.add_new(0x19, "LO", "20240315")
    block.add_new(0x20, "OB", series)


def _siemens(ds: Dataset) -> None:
    block = ds.private_block(0x0019, "SIEMENS CT VA0  COAD", create=True)
    for offset in range(0x90, 0xA6):
        block.add_new(offset, "IS" if offset % 2 else "DS", str(offset * 3))
    csa(ds, b"SV10" + bytes(700), b"SV10" + bytes(300))


def _ge(ds: Dataset) -> None:
    block = ds.private_block(0x0009, "GEMS_IDEN_01", create=True)
    for offset, vr, value in ((1, "LO", "CT_LIGHTSPEED"), (2, "SH", "CT01"), (4, "SH", "LightSpeed")):
        block.add_new(offset, vr, value)
    block.add_new(0x27, "SL", 1710498612)
    block.add_new(0xE3, "UI", uid("ge"))
    block = ds.private_block(0x0019, "GEMS_ACQU_01", create=True)
    for offset in (*range(2, 0x30), *range(0x39, 0x60)):
        block.add_new(offset, "DS" if offset % 3 else "SL", str(offset * 1.5) if offset % 3 else offset)
    block = ds.private_block(0x0043, "GEMS_PARM_01", create=True)
    for offset in range(0x10, 0x50):
        value = offset if offset % 4 else [str(offset), "0", "1.5", "2"]
        block.add_new(offset, "SS" if offset % 4 else "DS", value)
    block = ds.private_block(0x0045, "GEMS_HELIOS_01", create=True)
    for offset in range(1, 0x16):
        block.add_new(offset, "SS", offset)
    block = ds.private_block(0x0053, "GEHC_CT_ADVAPP_001", create=True)
    block.add_new(0x20, "IS", "3")
    block.add_new(0x60, "SQ", sequence(code("x", "99GE", "m")))


def _uih(ds: Dataset) -> None:
    block = ds.private_block(0x0065, "Image Private Header", create=True)
    for offset in range(0x40):
        block.add_new(offset, ("SH", "LO", "DS", "IS")[offset % 4], str(offset * 7))
    block.add_new(0x51, "SQ", sequence(code("1", "99UIH", "m"), code("2", "99UIH", "n")))


def _philips(ds: Dataset) -> None:
    block = ds.private_block(0x01F1, "ELSCINT1", create=True)
    for offset in range(1, 0x30):
        block.add_new(offset, "DS" if offset % 2 else "CS", str(offset))
    block = ds.private_block(0x2001, "Philips Imaging DD 001", create=True)
    for offset in range(1, 0x30):
        block.add_new(offset, "FL" if offset % 2 else "SS", offset)
    block.add_new(0x68, "SQ", sequence(code("3", "99P", "m")))


PRIVATE_BLOCKS: Final = {"siemens": _siemens, "ge": _ge, "uih": _uih, "philips": _philips}
