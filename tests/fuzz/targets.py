# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What is fuzzed: everything that reads a file, as a function of its bytes, with files to begin from.

A target returns, whatever the bytes are: a file that is refused is refused by an OpenVmiError with words. Anything else
that it raises is a defect, and so are more than :data:`SECONDS` or :data:`MEGABYTES`. To add one: a function and a
line in :data:`TARGETS`; both fuzzers (``__main__.py`` and ``test_fuzz.py``) take it from there.
"""

from __future__ import annotations

import gzip
import io
import lzma
import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from openvmi.check.lint import as_json, as_sarif, lines, lint, parse_kernel, read_baseline, write_baseline
from openvmi.check.lint.kallsyms import find_kallsyms as lint_kallsyms
from openvmi.check.lint.model import Section
from openvmi.check.rom import check_rom, formats
from openvmi.errors import OpenVmiError
from openvmi.hypervisor.kallsyms import find_kallsyms
from openvmi.initrd import Entry, cpio
from openvmi.machine import MachineConfig, check_inputs
from openvmi.machine.channel import ResultChannel
from openvmi.report import parse_report
from openvmi.rom import RomMetadata, RomMode, check, explain, parse, rebuild, summary
from openvmi.trace import Filter, Source, TraceReader
from openvmi.trace.counts import parse_counts
from openvmi.trace.export import exporter
from openvmi.trace.symbols import parse_symbols

from ..unit.check.rom_model import Model
from ..unit.hosted.test_kallsyms import SYMBOLS, tables
from ..unit.lint.kernels import BASE, CLI, DATA, LABEL, MIXED, OBJECT, RET, Builder, Piece, branch
from ..unit.lint.kernels import bzimage as lint_bzimage
from ..unit.machine.builders import bzimage, multiboot, multiboot_header, option_rom
from ..unit.trace.builders import story, symbols, write_trace

SECONDS = 10
"""That one input may take."""
MEGABYTES = 500
"""That the process may have, the fuzzer's own included."""


@dataclass(frozen=True)
class Target:
    """Something that reads a file.

    Args:
        run: reads it; raises nothing but for a defect.
        seeds: makes files that it takes, or nearly.
        largest: bytes of an input that the fuzzer tries.
    """

    run: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]
    largest: int = 1 << 16


# ---- Option ROMs ----


def rom(data: bytes) -> None:
    """Read, explain, verify and rebuild an option ROM, as `openvmi rom` does."""
    with suppress(OpenVmiError):
        file = parse(data)
        assert all(section.title for section in explain(data))
        assert summary(file)
        assert all(str(finding) for finding in check(file))
    with suppress(OpenVmiError):
        rebuild(data, RomMetadata(mode=RomMode.NATIVE))


def check_any_rom(data: bytes) -> None:
    """Hold a ROM to the interface, executing its code."""
    with suppress(OpenVmiError):
        report = check_rom(data)
        assert formats.text(report, "x").endswith("\n")
        assert formats.junit(report, "x").startswith("<?xml")
        assert formats.tap(report).startswith("TAP version 13\n1..")


def roms() -> list[bytes]:
    return [Model().image(), Model(init="ebfe").image(), option_rom(), option_rom() + Model().image()]


# ---- Kernels ----


def kernel(data: bytes) -> None:
    """Lint a kernel, and write the findings in each form."""
    with suppress(OpenVmiError):
        report = lint(parse_kernel(data))
        new = list(report.findings)
        assert list(lines("x", report, new))
        assert as_json("x", report, new, 0)
        assert as_sarif("x", report.findings, new)
        assert write_baseline(new)


def payload(data: bytes) -> None:
    """Lint what a bzImage unpacks to: the fuzzer can't make its way through a compressor."""
    kernel(lint_bzimage(gzip.compress(data, 1)))


def kernels() -> list[bytes]:
    branches = branch(0xE8, BASE, BASE + 6) + RET + CLI + RET
    paravirt = struct.pack("<II", BASE, BASE + 6) + struct.pack("<IBBH", BASE, 1, 6, 0)
    plain = Builder().text(Piece("f", branches), Piece("g", CLI + RET, LABEL), Piece("", bytes(20)))
    full = (
        Builder(entry=0x100000)
        .text(Piece("startup_32", branches), Piece("native_cli", CLI + RET), Piece("start_pv_cli", CLI, LABEL))
        .part(".data", BASE + 0x1000, Piece("pv_irq_ops", paravirt, OBJECT), flags=DATA)
        .part(".parainstructions", BASE + 0x2000, Piece("", paravirt[8:] * 2), flags=2)
        .part("__ex_table", BASE + 0x3000, Piece("", struct.pack("<II", BASE, BASE + 6)), flags=2)
        .part(".altinstructions", BASE + 0x4000, Piece("", struct.pack("<IIBBBB", BASE, BASE, 1, 5, 5, 0)), flags=2)
        .part(".vmi.annotation", BASE + 0x5000, Piece("", struct.pack("<IIBBBB", 1, BASE, 1, 0, 0, 0)), flags=2)
        .part(".mixed", BASE + 0x6000, Piece("h", CLI + RET, LABEL), flags=MIXED)
    )
    bare = Builder().text(Piece("", b"\x90" * 64)).part(".rodata", BASE + 0x1000, Piece("", tables(SYMBOLS)), flags=2)
    elfs = [plain.elf(), full.elf(), full.elf(symbols=False), bare.elf(symbols=False)]
    return [*elfs, tables(SYMBOLS)]


def packed_kernels() -> list[bytes]:
    elf = kernels()[1]
    packed = [gzip.compress(elf), lzma.compress(elf), lzma.compress(elf, lzma.FORMAT_ALONE)]
    return [*kernels(), *(lint_bzimage(one) for one in packed), lint_bzimage(packed[0], version=0x207)]


@contextmanager
def as_file(data: bytes) -> Iterator[Path]:
    """Return a path with these bytes behind it, on no disk."""
    descriptor = os.memfd_create("input")
    try:
        os.write(descriptor, data)
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


def machine(data: bytes) -> None:
    """Look at what is to be booted: as a kernel, an initrd and an option ROM."""
    with as_file(data) as path, suppress(OpenVmiError):
        info = check_inputs(MachineConfig(kernel=path))
        assert info.kind in {"bzImage", "multiboot"}
    with as_file(data) as path, as_file(bzimage()) as good, suppress(OpenVmiError):
        check_inputs(MachineConfig(kernel=good, initrd=path, option_roms=(path,)))


def bootable() -> list[bytes]:
    addresses = multiboot_header(1 << 16) + struct.pack("<5I", 0x100000, 0x100000, 0, 0x180000, 0x100020)
    packed = bzimage(system=gzip.compress(bytes(4096)))
    return [bzimage(), bzimage(version=0x202), packed, multiboot(), multiboot(memory=1 << 20), addresses, option_rom()]


# ---- Symbols, traces, and small texts ----


def symbol_file(data: bytes) -> None:
    with suppress(OpenVmiError):
        assert len(parse_symbols(data))


def memory(data: bytes) -> None:
    """Look for Linux's own symbols in memory, as the lint and as a hypervisor do."""
    assert all(name for _, name in find_kallsyms(data))
    assert isinstance(lint_kallsyms(Section("x", 0, data, code=False)), list)


def trace(data: bytes) -> None:
    """Read a trace as tables and in the formats of others."""
    with as_file(data) as path, suppress(OpenVmiError), TraceReader(path) as reader:
        assert sum(1 for _ in reader.events()) <= len(data)
        source = Source(reader, Filter(), reader.symbols())
        for form in ("json", "folded", "flame", "html", "counts"):
            exporter(form)(source, io.BytesIO())


def traces() -> list[bytes]:
    path = Path(f"/dev/shm/openvmi-seed.{os.getpid()}")  # noqa: S108 - gone again before anybody knows its name
    try:
        return [write_trace(path, story()[:40], table=table).read_bytes() for table in (None, symbols())]
    finally:
        path.unlink(missing_ok=True)


def words(data: bytes) -> None:
    """Read the small texts: counts, a baseline, a guest's report."""
    with suppress(OpenVmiError):
        parse_counts(data)
    with suppress(OpenVmiError):
        read_baseline(data)
    channel = ResultChannel()
    channel.feed(data, 1)
    channel.finish(2)
    parse_report(channel.lines)


def texts() -> list[bytes]:
    return [
        b'{"format": "openvmi counts", "version": 1, "calls": {"SetPxE": 1}, "callers": {"SetPxE": {"f": 1}}}',
        b'{"version": 1, "findings": [{"function": "f", "rule": "cli", "count": 1}]}',
        b"hello 1\nmark kernel\ninfo rom found 0xc0000\nreloc 38 CALL_REL 0xc00c8000\ncheck a 1 0\nexit 0\n",
    ]


def archive(data: bytes) -> None:
    """Write an initrd of entries with any names and modes."""
    entries = [
        Entry(piece[6:].decode("utf-8", "surrogateescape"), int.from_bytes(piece[:4], "little"), piece[4:6])
        for piece in data.split(b"\n")
    ]
    with suppress(OpenVmiError):
        assert cpio(entries).startswith(b"070701")


def archives() -> list[bytes]:
    folder, file, link = (struct.pack("<I", mode) for mode in (0o40755, 0o100644, 0o120777))
    return [folder + b"\0\0dev", folder + b"\0\0dev\n" + file + b"hidev/x\n" + link + b"hilink"]


TARGETS = {
    "rom": Target(rom, roms),
    "check": Target(check_any_rom, roms, 1 << 14),
    "kernel": Target(kernel, packed_kernels),
    "payload": Target(payload, kernels),
    "machine": Target(machine, bootable),
    "symbols": Target(symbol_file, lambda: [*kernels(), b"c1000000 T _text\nc1001000 t f [module]\n"]),
    "memory": Target(memory, lambda: [tables(SYMBOLS[:300]), bytes(64) + tables(SYMBOLS[:3])]),
    "trace": Target(trace, traces),
    "words": Target(words, texts, 1 << 12),
    "archive": Target(archive, archives, 1 << 12),
}
