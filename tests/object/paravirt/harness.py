# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The paravirt layer in an emulator: the test kernel of ``probe.c``, a synthetic ROM, and what happens in between."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import capstone
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection
from unicorn import unicorn_const as uc_const
from unicorn import x86_const as x86
from unicorn.unicorn import Uc

from openvmi.abi import Call, RelocType
from openvmi.toolchain import Program, link

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
KERNEL_BASE = 0xC0000000
WINDOW = KERNEL_BASE + 0xC0000
ROM = KERNEL_BASE + 0xC8000
MEMORY_SIZE = 0x400000
STACK = KERNEL_BASE + 0x3F0000
RETURN = KERNEL_BASE + 0x1000  # holds HLT
SCRATCH = KERNEL_BASE + 0x2000
CALL_COUNT = len(Call)
REGISTERS = ("eax", "ebx", "ecx", "edx", "esi", "edi", "ebp", "esp", "eflags")
FLAG_CALLS = frozenset({29, 30, 31, 32})
CLOBBER_BITS = {"eax": 1, "ecx": 2, "edx": 4, "ebx": 8}

# Offsets in the synthetic ROM.
INIT_CODE, RELOC_CODE, RELOC_TABLE, STUBS, STRINGS = 0x100, 0x120, 0x200, 0x800, 0x1800
PCI_HEADER, PNP_HEADER = 0x1900, 0x1940


@dataclass(frozen=True, slots=True)
class Site:
    """One record of ``.parainstructions``: a call site."""

    address: int
    type: int
    length: int
    clobbers: int


@dataclass(frozen=True, slots=True)
class InlineSite:
    """One record of ``.pv_inline``: native code that may become a call of its stub."""

    address: int
    stub: int
    type: int
    length: int


@dataclass(frozen=True, slots=True)
class RomCall:
    """A call that arrived in the ROM: arguments by register, then the stack above the return address."""

    call: int
    eax: int
    edx: int
    ecx: int
    stack: tuple[int, int]


def symbols(elf: ELFFile) -> dict[str, int]:
    """Return the symbols of ``elf`` by name."""
    table = elf.get_section_by_name(".symtab")
    assert isinstance(table, SymbolTableSection)
    return {symbol.name: symbol["st_value"] for symbol in table.iter_symbols()}


def build(out: Path, *, paravirt: bool, pae: bool, abi: str = "firmware/include") -> Path:
    """Link the test kernel, for the generation whose header is in the folder ``abi``, and return its path."""
    folders = [ROOT / "guest" / "paravirt"] if paravirt else []
    layer = [path for folder in folders for path in sorted(folder.iterdir()) if path.suffix in {".c", ".S"}]
    sources = [*layer, HERE / "probe.c", HERE / "sites.S"]
    elf = out / f"probe-{paravirt:d}{pae:d}.elf"
    link(
        Program(
            name="paravirt probe",
            sources=tuple(path.relative_to(ROOT).as_posix() for path in sources),
            script=(HERE / "probe.ld").relative_to(ROOT).as_posix(),
            includes=(abi, "guest/include"),
            defines=(f"CONFIG_PARAVIRT={paravirt:d}", f"CONFIG_PAE={pae:d}"),
            flags=("-fno-optimize-sibling-calls",),
        ),
        ROOT,
        elf,
    )
    return elf


def rom_image(
    answers: Mapping[int, RelocType] | None = None,
    *,
    default: RelocType = RelocType.CALL_REL,
    init_result: int = 0,
    frequency: int = 2_000_000_000,
) -> bytearray:
    """Make a ROM for address :data:`ROM` whose stubs destroy what the interface lets them destroy.

    Args:
        answers: relocation types by call number; the rest get ``default``.
        default: what ``get_reloc`` answers otherwise.
        init_result: what ``vmi_init`` returns, as 32 bits.
        frequency: what call 66 returns.
    """
    image = bytearray(0x2000)
    struct.pack_into("<HB", image, 0, 0xAA55, len(image) // 512)
    struct.pack_into("<IBB", image, 8, 0x696D5663, 0, 3)
    struct.pack_into("<IHHHH", image, 0x10, 0xFC000000, 0, STRINGS, PCI_HEADER, PNP_HEADER)
    image[STRINGS : STRINGS + 4] = b"GPL\0"
    image[STRINGS + 16 : STRINGS + 24] = b"A maker\0"
    image[STRINGS + 32 : STRINGS + 42] = b"A product\0"
    struct.pack_into("<4sHH", image, PCI_HEADER, b"PCIR", 0x15AD, 0x0801)
    struct.pack_into("<BB", image, PCI_HEADER + 18, 7, 1)
    struct.pack_into("<4s", image, PNP_HEADER, b"$PnP")
    struct.pack_into("<HH", image, PNP_HEADER + 14, STRINGS + 16, STRINGS + 32)
    _put_code(image, init_result)
    for call in range(CALL_COUNT):
        kind = (answers or {}).get(call, default)
        eip = ROM + STUBS + 16 * call if kind in {RelocType.CALL_REL, RelocType.JUMP_REL} else 0
        struct.pack_into("<II", image, RELOC_TABLE + 8 * call, eip, kind)
        image[STUBS + 16 * call : STUBS + 16 * call + 16] = _stub(call, frequency)
    return image


def _put_code(image: bytearray, init_result: int) -> None:
    image[0x80:0x85] = b"\xe9" + struct.pack("<i", INIT_CODE - 0x85)
    image[0x88:0x8D] = b"\xe9" + struct.pack("<i", RELOC_CODE - 0x8D)
    image[INIT_CODE : INIT_CODE + 6] = b"\xb8" + struct.pack("<I", init_result) + b"\xc3"
    table = ROM + RELOC_TABLE
    code = b"\x8b\x14\xc5" + struct.pack("<I", table + 4)  # mov table+4(,%eax,8), %edx
    code += b"\x8b\x04\xc5" + struct.pack("<I", table)  # mov table(,%eax,8), %eax
    code += b"\xb9\x11\x11\x11\x11\xc3"  # mov $0x11111111, %ecx; ret
    image[RELOC_CODE : RELOC_CODE + len(code)] = code


def _stub(call: int, frequency: int) -> bytes:
    if call in FLAG_CALLS:
        code = b"\xb8\x00\x02\x00\x00\xc3" if call == Call.GetInterruptMask else b"\xc3"
    elif call in {Call.IRET, Call.SYSEXIT}:
        code = b"\x90\xf4"  # not a bare native instruction: must be reached by a transfer
    else:
        low = frequency & 0xFFFFFFFF if call == Call.GetCycleFrequency else 0xFFFF0000 + call
        high = frequency >> 32 if call == Call.GetCycleFrequency else 0xDDDD0000 + call
        code = struct.pack("<BIBIBI", 0xB8, low, 0xBA, high, 0xB9, 0xCCCC0000 + call) + b"\xc3"
    return code.ljust(16, b"\xcc")


@dataclass(slots=True)
class Guest:
    """The test kernel loaded at its linked addresses, paging off, CPL 0.

    Args:
        elf: what :func:`build` made.
        rom: bytes for address :data:`ROM`, or nothing.
        stubs: offset in it of the code of call 0, 16 bytes for each.
        count: calls whose code is there.
    """

    elf: Path
    rom: bytes = b""
    stubs: int = STUBS
    count: int = CALL_COUNT
    symbols: dict[str, int] = field(init=False)
    sections: dict[str, tuple[int, bytes]] = field(init=False)
    rom_calls: list[RomCall] = field(init=False)
    uc: Any = field(init=False)  # the emulator: a library without types

    def __post_init__(self) -> None:
        self.uc = Uc(uc_const.UC_ARCH_X86, uc_const.UC_MODE_32)  # type: ignore[no-untyped-call]
        self.uc.mem_map(KERNEL_BASE, MEMORY_SIZE)
        self.symbols, self.sections, self.rom_calls = {}, {}, []
        with self.elf.open("rb") as file:
            elf = ELFFile(file)
            for segment in elf.iter_segments(type="PT_LOAD"):
                self.uc.mem_write(segment["p_vaddr"], segment.data())
            for section in elf.iter_sections():
                self.sections[section.name] = (section["sh_addr"], section.data())
            self.symbols |= symbols(elf)
        self.uc.mem_write(RETURN, b"\xf4")
        if self.rom:
            self.uc.mem_write(ROM, bytes(self.rom))
            last = ROM + self.stubs + 16 * self.count - 1
            self.uc.hook_add(uc_const.UC_HOOK_CODE, self._enter_rom, begin=ROM + self.stubs, end=last)

    def _enter_rom(self, _uc: object, address: int, _size: int, _data: object) -> None:
        offset = address - ROM - self.stubs
        if offset % 16 == 0:
            stack = struct.unpack("<II", self.uc.mem_read(self.uc.reg_read(x86.UC_X86_REG_ESP) + 4, 8))
            values = self.registers()
            self.rom_calls.append(RomCall(offset // 16, values["eax"], values["edx"], values["ecx"], stack))

    def registers(self) -> dict[str, int]:
        return {name: self.uc.reg_read(getattr(x86, f"UC_X86_REG_{name.upper()}")) for name in REGISTERS}

    def set_registers(self, **values: int) -> None:
        for name, value in values.items():
            self.uc.reg_write(getattr(x86, f"UC_X86_REG_{name.upper()}"), value)

    def call(self, name: str, *arguments: int) -> int:
        """Call function ``name`` by regparm(3) and return EDX:EAX."""
        stacked = list(arguments[3:])
        esp = STACK - 4 * len(stacked)
        self.uc.mem_write(esp, struct.pack(f"<{len(stacked)}I", *stacked))
        self.uc.mem_write(esp - 4, struct.pack("<I", RETURN))
        self.set_registers(**dict(zip(("eax", "edx", "ecx"), arguments, strict=False)), esp=esp - 4, eflags=2)
        self.uc.emu_start(self.symbols[name], RETURN, timeout=2_000_000)
        values = self.registers()
        return values["edx"] << 32 | values["eax"]

    def boot(self) -> None:
        self.call("boot")

    def run_site(self, site: Site | InlineSite, **registers: int) -> dict[str, int]:
        """Execute ``site`` with patterns in all registers but ``registers``; return all of them afterwards."""
        patterns = {name: 0x5A000000 + index for index, name in enumerate(REGISTERS[:7])}
        self.set_registers(**patterns, esp=STACK, eflags=2)
        self.set_registers(**registers)
        self.uc.ctl_flush_tb()  # code translated before doesn't know that it shall stop at the site's end
        self.uc.emu_start(site.address, site.address + site.length, timeout=2_000_000)
        return self.registers()

    def read(self, address: int, length: int) -> bytes:
        return bytes(self.uc.mem_read(address, length))

    def word(self, name: str) -> int:
        return int(struct.unpack("<I", self.read(self.symbols[name], 4))[0])

    def set_word(self, name: str, value: int) -> None:
        self.uc.mem_write(self.symbols[name], struct.pack("<I", value))

    def text(self, address: int) -> str:
        return self.read(address, 128).split(b"\0", 1)[0].decode()

    def panic(self) -> str | None:
        """Return what the layer gave up with, if it did."""
        address = self.word("panic_text")
        return self.text(address) if address else None

    def report(self) -> list[str]:
        self.call("make_report")
        return self.read(self.symbols["report"], self.word("report_length")).decode().splitlines()

    def sites(self) -> Iterator[Site]:
        """Yield the patch-site records."""
        _, data = self.sections[".parainstructions"]
        return (Site(*fields) for fields in struct.iter_unpack("<IBBH", data))

    def inline_sites(self) -> Iterator[InlineSite]:
        """Yield the records of inline sites."""
        _, data = self.sections[".pv_inline"]
        return (InlineSite(*fields[:4]) for fields in struct.iter_unpack("<IIBBH", data))

    def inline_site(self, operation: str) -> InlineSite:
        """Return the first inline site of ``operation``."""
        return next(site for site in self.inline_sites() if self.operations()[site.type] == operation)

    def operations(self) -> list[str]:
        """Return the operations' names, by type."""
        count = max(site.type for site in self.sites()) + 1
        table = self.read(self.symbols["pv_infos"], 12 * count)
        return [self.text(name) for name, _call_name, _call in struct.iter_unpack("<III", table)]

    def site(self, operation: str) -> Site:
        """Return the first call site of ``operation``; that of a stub, if it has inline sites."""
        return next(site for site in self.sites() if self.operations()[site.type] == operation)

    def template(self, site: Site) -> bytes:
        """Return the native code of the operation of ``site``."""
        start, end = struct.unpack("<II", self.read(self.symbols["pv_natives"] + 8 * site.type, 8))
        return self.read(start, end - start)


def decode(code: bytes, address: int = 0) -> list[capstone.CsInsn]:
    """Decode all of ``code``; fail if a part is no instruction."""
    engine = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_32)
    engine.detail = True
    instructions = list(engine.disasm(code, address))
    assert sum(instruction.size for instruction in instructions) == len(code), code.hex()
    return instructions
