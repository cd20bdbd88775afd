# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads the records in which kernels say of their own code what may become of it.

Sources: ``vmi-abi.md`` 6.2 (``.parainstructions``, the same eight bytes from Linux 2.6.20 to 2.6.36) and 2.8
(``.vmi.annotation`` of the 2006 patches); guest/include/pv_ops.h (``.pv_inline``); Linux include/asm/alternative.h and
uaccess.h (``.altinstructions``, ``__ex_table``). Damaged records are counted and cover nothing.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from ...errors import InputError
from .budget import RECORDS
from .model import Kernel, Section

_SITE = struct.Struct("<IBBH")
_INLINE = struct.Struct("<IIBBH")
_ANNOTATION = struct.Struct("<IIIBBbB")
_FIXUP = struct.Struct("<II")
_SITE_MAX = 254  # Linux's patcher copies a site into a buffer of so many bytes
_CALLS_MAX = 128
_ALTERNATIVE_SIZE = 12
# How the members after the two addresses are packed: one byte of feature, or two from Linux 2.6.37 on.
_ALTERNATIVE_FORMS = (struct.Struct("<IIBBB"), struct.Struct("<IIHBB"))


@dataclass(frozen=True, slots=True)
class Site:
    """A stretch of code that a patcher rewrites.

    Args:
        start: its linear address.
        length: in bytes.
        type: number of the operation, or of the VMI call for an annotation.
        record: name of the section that says so.
        stub: where the code lies that takes its place; 0 if there is none.
    """

    start: int
    length: int
    type: int
    record: str
    stub: int = 0

    @property
    def end(self) -> int:
        """The address after it."""
        return self.start + self.length


@dataclass(frozen=True, slots=True)
class Alternative:
    """Code that replaces other code on CPUs that have a feature.

    Args:
        site: linear address of the code that is replaced.
        start: where the replacement lies.
        length: of the replacement, in bytes.
        feature: Linux's number of the CPU feature.
    """

    site: int
    start: int
    length: int
    feature: int


@dataclass(frozen=True, slots=True)
class Records:
    """All records of a kernel.

    Args:
        sites: of ``.parainstructions``.
        inline: of ``.pv_inline``.
        annotations: of ``.vmi.annotation``.
        alternatives: of ``.altinstructions``.
        fixups: by address of an instruction that may fault, where it goes on then.
        damaged: how many records made no sense, by section.
    """

    sites: tuple[Site, ...]
    inline: tuple[Site, ...]
    annotations: tuple[Site, ...]
    alternatives: tuple[Alternative, ...]
    fixups: dict[int, int]
    damaged: dict[str, int]

    @property
    def entries(self) -> set[int]:
        """Addresses where these records say that code begins."""
        return {
            *self.fixups.values(),
            *(site.stub for site in self.inline),
            *(a.start for a in self.alternatives if a.length),
        }


def read_records(kernel: Kernel) -> Records:
    """Return the records of ``kernel``.

    Raises:
        InputError: there are more than any kernel has.
    """
    sites = _sites(kernel, ".parainstructions", _SITE)
    inline = _sites(kernel, ".pv_inline", _INLINE)
    annotations = _sites(kernel, ".vmi.annotation", _ANNOTATION)
    alternatives = _alternatives(kernel)
    fixups = {at: to for at, to in _records(kernel, "__ex_table", _FIXUP) if _in_code(kernel, at, 1, to)}
    fixups |= {at: to for at, to in _records(kernel, ".ex_table", _FIXUP) if _in_code(kernel, at, 1, to)}
    read = {".parainstructions": sites, ".pv_inline": inline, ".vmi.annotation": annotations}
    damaged = {name: _count(kernel, name) - len(found) for name, found in read.items()}
    damaged[".altinstructions"] = _alternative_count(kernel) - len(alternatives)
    return Records(sites, inline, annotations, alternatives, fixups, {n: c for n, c in damaged.items() if c})


_FORMS = {".parainstructions": _SITE, ".pv_inline": _INLINE, ".vmi.annotation": _ANNOTATION}


def _count(kernel: Kernel, name: str) -> int:
    section = kernel.section(name)
    return -(-len(section.data) // _FORMS[name].size) if section else 0


def _records(kernel: Kernel, name: str, form: struct.Struct) -> Iterator[tuple[int, ...]]:
    section = kernel.section(name)
    if section is not None:
        if len(section.data) > RECORDS * form.size:
            raise InputError(f"more than {RECORDS} records in {name}: this is no kernel's")
        yield from form.iter_unpack(section.data[: len(section.data) // form.size * form.size])


def _in_code(kernel: Kernel, address: int, length: int, *others: int) -> bool:
    section = _code_at(kernel, address)
    fits = section is not None and address + length <= section.end
    return fits and all(_code_at(kernel, other) is not None for other in others)


def _code_at(kernel: Kernel, address: int) -> Section | None:
    section = kernel.section_at(address)
    return section if section is not None and section.code else None


def _sites(kernel: Kernel, name: str, form: struct.Struct) -> tuple[Site, ...]:
    found = []
    for fields in _records(kernel, name, form):
        site = _MAKERS[name](fields)
        stubs = (site.stub,) if site.stub else ()
        if 0 < site.length <= _SITE_MAX and _in_code(kernel, site.start, site.length, *stubs):
            found.append(site)
    return tuple(found)


def _call_site(fields: tuple[int, ...]) -> Site:
    address, kind, length, _ = fields
    return Site(address, length, kind, ".parainstructions")


def _inline_site(fields: tuple[int, ...]) -> Site:
    address, stub, kind, length, _ = fields
    return Site(address, length, kind, ".pv_inline", stub)


def _annotation(fields: tuple[int, ...]) -> Site:
    call, address, _, length, *_ = fields
    # a call number that can't be makes the record damaged
    return Site(address, length if call < _CALLS_MAX else 0, call, ".vmi.annotation")


_MAKERS = {".parainstructions": _call_site, ".pv_inline": _inline_site, ".vmi.annotation": _annotation}


def _alternative_count(kernel: Kernel) -> int:
    section = kernel.section(".altinstructions")
    return -(-len(section.data) // _ALTERNATIVE_SIZE) if section else 0


def _alternatives(kernel: Kernel) -> tuple[Alternative, ...]:
    """Return the records of ``.altinstructions`` in the form in which more of them make sense."""
    section, code = kernel.section(".altinstructions"), kernel.section(".altinstr_replacement")
    if section is None or code is None:
        return ()
    return max((tuple(_alternatives_as(kernel, section, code, form)) for form in _ALTERNATIVE_FORMS), key=len)


def _alternatives_as(kernel: Kernel, section: Section, code: Section, form: struct.Struct) -> Iterator[Alternative]:
    if len(section.data) > RECORDS * _ALTERNATIVE_SIZE:
        raise InputError(f"more than {RECORDS} records in {section.name}: this is no kernel's")
    data = section.data.ljust(_alternative_count(kernel) * _ALTERNATIVE_SIZE, b"\0")  # the last one lacks its padding
    for at in range(0, len(data), _ALTERNATIVE_SIZE):
        site, start, feature, room, length = form.unpack_from(data, at)
        inside = code.address <= start and start + length <= code.end
        nothing = length == 0 and start == 0  # a test of a CPU feature: the site becomes NOPs
        if (inside or nothing) and room > 0 and length <= room and _in_code(kernel, site, room):
            yield Alternative(site, start, length, feature)
