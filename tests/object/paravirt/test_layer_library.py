# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The paravirt layer as a library: what docs/paravirt.md says that a kernel provides is enough, and all is needed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from openvmi import kit
from openvmi.errors import HarnessError
from openvmi.toolchain import Program, link

ROOT = Path(__file__).resolve().parents[3]
VERSION = "1"  # of a layer that wants exactly what follows: more, or other names, are another version
PROVIDED = {
    "pv_panic": "void pv_panic(const char *text) { (void)text; for (;;) ; }",
    "pv_cpu_index": "u32 pv_cpu_index(void) { return 0; }",
    "tsc_khz": "u32 tsc_khz;",
    "lapic_base": "u32 lapic_base;",
}
USES = """
void kernel(u32 *out);
void kernel(u32 *out)
{
	paravirt_probe();
	paravirt_activate();
	out[0] = clock_khz();
	out[1] = apic_read(0x20);
	set_pte_at(0, (pte_t *)out, 0x1003);
	irq_enable();
}
void *memcpy(void *to, const void *from, size_t length) { (void)from; (void)length; return to; }
void *memset(void *to, int byte, size_t length) { (void)byte; (void)length; return to; }
"""
SCRIPT = """
SECTIONS {
	. = 0x100000;
	.text : { *(.text .text.*) *(.text.pv) }
	.rodata : { *(.rodata .rodata.*) }
	.parainstructions : { pv_sites_start = .; *(.parainstructions) pv_sites_end = .; }
	.pv_inline : { pv_inline_start = .; *(.pv_inline) pv_inline_end = .; }
	.data : { *(.data .data.*) }
	.bss : { *(.bss .bss.*) *(COMMON) }
}
"""
CONFIG = """
#define KERNEL_BASE 0x80000000
#define GDT_KERNEL_CS 2
#define GDT_KERNEL_DS 3
#define GDT_USER_CS 4
#define GDT_USER_DS 5
#define GDT_TSS 6
#define GDT_LDT 7
"""


def build(folder: Path, *, without: str = "", script: str = SCRIPT, pae: int = 0, config: str = CONFIG) -> Path:
    kit.write(folder / "layer", kit.layer())
    own = [text for name, text in PROVIDED.items() if name != without]
    (folder / "kernel.c").write_text("\n".join(['#include "paravirt.h"', *own, USES]))
    (folder / "kernel.ld").write_text(script)
    if config:
        (folder / "pv_config.h").write_text(config)
    sources = sorted(path.relative_to(folder).as_posix() for path in (folder / "layer").glob("*.[cS]"))
    program = Program(
        name="a kernel",
        sources=("kernel.c", *sources),
        script="kernel.ld",
        includes=("layer/include", "."),
        defines=("CONFIG_PARAVIRT=1", f"CONFIG_PAE={pae}"),
        entry="kernel",
    )
    link(program, folder, folder / "kernel.elf")
    return folder / "kernel.elf"


@pytest.mark.parametrize("pae", [0, 1])
def test_what_is_documented_is_enough(tmp_path: Path, pae: int) -> None:
    assert build(tmp_path, pae=pae).stat().st_size > 10_000
    assert kit.layer_version(kit.layer()).split(".")[0] == VERSION


@pytest.mark.parametrize("name", PROVIDED)
def test_none_of_it_can_be_left_out(tmp_path: Path, name: str) -> None:
    with pytest.raises(HarnessError, match=rf"undefined symbol: {name}\b"):
        build(tmp_path, without=name)


def test_the_linker_script_has_its_part(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="pv_sites_"):
        build(tmp_path, script=re.sub(r"pv_sites_(start|end) = \.;", "", SCRIPT))


def test_another_layout_reaches_the_layer(tmp_path: Path) -> None:
    """With pv_config.h the ROM is looked for at its KERNEL_BASE + 0xC0000, without at 3 GiB + 0xC0000."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    there, default = (0x800C0000).to_bytes(4, "little"), (0xC00C0000).to_bytes(4, "little")
    moved = build(tmp_path / "a").read_bytes()
    plain = build(tmp_path / "b", config="").read_bytes()
    assert (there in moved, default in moved) == (True, False)
    assert (there in plain, default in plain) == (False, True)


def test_the_page_names_all_that_is_provided() -> None:
    page = (ROOT / "docs" / "paravirt.md").read_text()
    section = page[page.index("### What the kernel provides") :]
    for name in (*PROVIDED, *re.findall(r"#define (\w+)", CONFIG), *re.findall(r"pv_\w+_(?:start|end)", SCRIPT)):
        assert name in section, name
