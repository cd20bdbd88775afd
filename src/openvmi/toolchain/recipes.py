# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What is built from ``firmware/`` and ``guest/``, and how: the ROMs, the ring-3 programs, the kernel's variants.

To add an image: a :class:`Program` here, a line in :func:`build_all`, its name in :data:`openvmi.images.IMAGES`, and
a line in ``docs/architecture.md``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from ..images import GUESTS, LINUX_INITRD, PAYLOADS, RING_PAYLOADS, ROM_13, ROM_STRICT, ROMS, USER_PROGRAMS
from .zig import Program, link

NATIVE_CODE = ("cpu", "interrupts", "mmu", "ports", "tables", "transfer")
PAYLOAD_SMP: Mapping[str, int] = dict(zip(PAYLOADS, (0, 1), strict=True))  # value of PAYLOAD_SMP
RING_PAE: Mapping[str, int] = dict(zip(RING_PAYLOADS, (0, 1), strict=True))  # value of RING_PAE
ROM_MODES: Mapping[str, str] = dict(zip(ROMS, ("decline", "native", "stubs"), strict=True))


@dataclass(frozen=True, slots=True)
class Variant:
    """One build of the bundled kernel.

    Args:
        image: the ELF's file name.
        paravirt: with the paravirt layer; without, every operation is the native instruction.
        pae: three-level paging with 64-bit entries.
        abi: folder of the header of the interface's generation that the layer speaks.
    """

    image: str
    paravirt: bool
    pae: bool
    abi: str


_ABI_D, _ABI_B = "firmware/include", "firmware/include13"
VARIANTS = tuple(
    Variant(name, paravirt="plain" not in name, pae="pae" in name, abi=_ABI_B if "-13" in name else _ABI_D)
    for name in GUESTS
)


def sources(root: Path, *folders: str) -> tuple[str, ...]:
    """Return the C and assembler files below ``folders`` in a fixed order, relative to ``root``."""
    found = (path for folder in folders for path in (root / folder).rglob("*") if path.suffix in {".c", ".S"})
    return tuple(sorted(path.relative_to(root).as_posix() for path in found))


def firmware(root: Path) -> Program:
    """Return how the ROM's ELF is built."""
    return Program(
        name="firmware/rom",
        sources=sources(root, "firmware/rom"),
        script="firmware/rom/rom.ld",
        includes=("firmware/include", "firmware/rom"),
    )


def firmware_13(root: Path) -> Program:
    """Return how the ELF of generation B's ROM is built: its own files, and all of the other's but table and bridge."""
    shared = ("header", "init", *NATIVE_CODE)
    return Program(
        name="firmware/rom13",
        sources=(*sources(root, "firmware/rom13"), *(f"firmware/rom/{name}.S" for name in shared)),
        script="firmware/rom/rom.ld",
        includes=(_ABI_B, "firmware/rom"),
    )


def strict(root: Path) -> Program:
    """Return how the ELF of the ROM is built that tells of calls before ``vmi_init``."""
    base = firmware(root)
    return replace(
        base,
        name="firmware/strict",
        sources=(*base.sources, *sources(root, "firmware/strict")),
        defines=("ROM_STRICT=1",),
    )


def payload(root: Path, smp: int) -> Program:
    """Return how the payload's ELF is built: its own files, and the ROM's native code.

    Args:
        root: the source tree.
        smp: 1 for any number of CPUs, 0 for one, which needs not look which it is.
    """
    return Program(
        name="firmware/payload",
        sources=(*sources(root, "firmware/payload"), *(f"firmware/rom/{name}.S" for name in NATIVE_CODE)),
        script="firmware/payload/payload.ld",
        includes=("firmware/include", "firmware/rom", "firmware/payload"),
        defines=(f"PAYLOAD_SMP={smp}",),
    )


def ring(root: Path, pae: int) -> Program:
    """Return how the ELF of `ring`'s payload is built.

    Args:
        root: the source tree.
        pae: 1 for guests with three levels of page tables, 0 for two.
    """
    return Program(
        name="firmware/ring",
        sources=sources(root, "firmware/ring"),
        script=f"firmware/ring/ring{'-pae' if pae else ''}.ld",
        includes=("firmware/include", "firmware/ring"),
        defines=(f"RING_PAE={pae}",),
        flags=("-ffunction-sections", "-fomit-frame-pointer", "-fno-jump-tables"),
    )


def ring_image(elf: bytes) -> bytes:
    """Return the image of a payload of `ring`: the window's part, zeros up to its room, the monitor's part."""
    from ..abi import wire  # noqa: PLC0415
    from ..rom import loaded_pieces  # noqa: PLC0415

    room = wire.RING_STUBS_PAE_OFFSET - wire.WIRE_CODE_OFFSET
    (_, window), (_, monitor) = (piece for piece in loaded_pieces(elf) if piece[1])
    return window.ljust(room, b"\0") + monitor


def user_program(root: Path, name: str) -> Program:
    """Return how the ring-3 program ``name`` is built."""
    return Program(
        name=f"guest/user/{name}",
        sources=sources(root, "guest/user/lib", f"guest/user/{name}"),
        script="guest/user/user.ld",
        includes=(_ABI_D, "guest/include", "guest/user/lib", f"guest/user/{name}"),
        flags=("-Wl,-s",),
        entry="_start",
    )


def digest(folder: Path) -> str:
    """Return 16 hex digits that change with the files in ``folder``.

    zig's cache does not know which files an assembler source embeds by ``.incbin``: a macro of this value makes it
    assemble again when they change.
    """
    total = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        total.update(path.name.encode() + b"\0" + path.read_bytes())
    return total.hexdigest()[:16]


def kernel(root: Path, variant: Variant, programs: Path) -> Program:
    """Return how the bundled kernel's ``variant`` is built.

    Args:
        root: the source tree.
        variant: which build.
        programs: folder of the ring-3 programs that the kernel embeds.
    """
    folders = ("guest/kernel", "guest/paravirt") if variant.paravirt else ("guest/kernel",)
    return Program(
        name=variant.image,
        sources=sources(root, *folders),
        script="guest/kernel/kernel.ld",
        includes=(variant.abi, "guest/include", "guest/kernel", str(programs)),
        defines=(
            f"CONFIG_PARAVIRT={variant.paravirt:d}",
            f"CONFIG_PAE={variant.pae:d}",
            f"PROGRAMS_DIGEST=0x{digest(programs)}",
        ),
        # Padding before loops is executed, and differs from variant to variant: it would drown the layer's own cost.
        flags=("-falign-loops=1",),
        entry="_start",
    )


def build_roms(root: Path, work: Path, out: Path) -> None:
    """Build ROMs and payloads: ELFs into ``work``, the images of :data:`ROM_MODES` and the payloads into ``out``."""
    from ..abi import wire  # noqa: PLC0415
    from ..rom import RomMetadata, RomMode, build_image, loaded_bytes  # noqa: PLC0415 - loads only when a ROM is built

    elf = work / "rom.elf"
    link(firmware(root), root, elf)
    for name, mode in ROM_MODES.items():
        # a ROM that may find a payload keeps room for it
        top = wire.WIRE_BASE if mode == "decline" else 0
        image = build_image(elf.read_bytes(), RomMetadata(mode=RomMode(mode), virtual_top=top))
        (out / name).write_bytes(image)
    elf = work / "strict.elf"
    link(strict(root), root, elf)
    (out / ROM_STRICT).write_bytes(build_image(elf.read_bytes(), RomMetadata(virtual_top=wire.WIRE_BASE)))
    elf = work / "rom13.elf"
    link(firmware_13(root), root, elf)
    (out / ROM_13).write_bytes(build_image(elf.read_bytes(), RomMetadata(mode=RomMode.STUBS)))
    for name, smp in PAYLOAD_SMP.items():
        elf = work / f"{name}.elf"
        link(payload(root, smp), root, elf)
        (out / name).write_bytes(loaded_bytes(elf.read_bytes(), wire.WIRE_BASE + wire.WIRE_CODE_OFFSET))
    for name, pae in RING_PAE.items():
        elf = work / f"{name}.elf"
        link(ring(root, pae), root, elf)
        (out / name).write_bytes(ring_image(elf.read_bytes()))


def build_user(root: Path, out: Path) -> None:
    """Build the ring-3 programs into ``out/user``, and the initrd that carries them to a Linux."""
    from ..initrd import linux_initrd  # noqa: PLC0415 - only when it is built

    for name in USER_PROGRAMS:
        link(user_program(root, name), root, out / "user" / name)
    (out / LINUX_INITRD).write_bytes(linux_initrd({name: (out / "user" / name).read_bytes() for name in USER_PROGRAMS}))


def build_guests(root: Path, out: Path) -> None:
    """Build every variant of the bundled kernel into ``out``; the ring-3 programs must be there."""

    def build(variant: Variant) -> None:
        link(kernel(root, variant, out / "user"), root, out / variant.image)

    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(build, VARIANTS))


def build_all(root: Path, out: Path | None = None, targets: Iterable[str] = ("rom", "user", "guest")) -> Path:
    """Build images from the source tree.

    Args:
        root: the source tree.
        out: folder for the images; default is the package's own, ``src/openvmi/images``.
        targets: which of ``rom``, ``user``, ``guest``, in this order.

    Returns:
        The folder of the images.

    Raises:
        HarnessError: a source does not compile.
    """
    out = out or root / "src" / "openvmi" / "images"
    work = root / "build"
    for folder in (out, out / "user", work):
        folder.mkdir(parents=True, exist_ok=True)
    steps: Mapping[str, Callable[[], None]] = {
        "rom": lambda: build_roms(root, work, out),
        "user": lambda: build_user(root, out),
        "guest": lambda: build_guests(root, out),
    }
    for target in targets:
        steps[target]()
    return out
