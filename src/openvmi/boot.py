# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""From what a user asks for to a machine's configuration: which kernel, which initrd, which words, which ROM.

The bundled kernels have names (:data:`BUNDLED`); a path is anybody's kernel. A Linux without an initrd gets ours, whose
``/init`` is the same program that the bundled kernel runs, and reports the same way.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from . import images
from .errors import InputError, UsageError
from .hypervisor import RING, STRICT, offer, split_name
from .machine import Machine, MachineConfig

TYPE_CHECKING = False  # typing takes some milliseconds to import
if TYPE_CHECKING:
    from .hypervisor.base import Hypervisor
    from .hypervisor.session import Session

# name on the command line: (image, paging mode that it needs)
BUNDLED = {
    "guest": ("guest.elf", "legacy"),
    "guest-pae": ("guest-pae.elf", "pae"),
    "plain": ("guest-plain.elf", "legacy"),
    "plain-pae": ("guest-plain-pae.elf", "pae"),
    "guest-13": ("guest-13.elf", "legacy"),
    "guest-13-pae": ("guest-13-pae.elf", "pae"),
}
DEFAULT_KERNEL = "guest"
# The console where we listen, and a panic that ends the machine: VMI kernels reboot after 1 s, and know no -1.
LINUX_WORDS = "console=ttyS0 panic=1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to boot.

    Args:
        kernel: name of a bundled kernel, or path of a bzImage or multiboot kernel.
        hypervisor: name from :data:`openvmi.hypervisor.NAMES`, or ``FILE.py[:Class]``.
        initrd: initial ramdisk; None for our own when the kernel is a Linux.
        append: command line; for the bundled guests, the words of ``/init`` stand after ``--``.
        roms: option ROMs in place of the hypervisor's own.
        symbols: where a hypervisor in Python has the kernel's symbols from; None for wherever there are some.
        memory_mib: guest RAM in MiB.
        cpus: virtual CPUs.
        cpu_model: QEMU's name of the CPU.
        accel: ``auto``, ``tcg`` or ``kvm``.
        icount: count instructions; TCG only.
        timeout: wall-clock limit in seconds.
        console: file for the console, or None.
    """

    kernel: str = DEFAULT_KERNEL
    hypervisor: str = "native"
    initrd: Path | None = None
    append: str = ""
    roms: tuple[Path, ...] = ()
    symbols: Path | None = None
    memory_mib: int = 128
    cpus: int = 1
    cpu_model: str = "qemu32"
    accel: str = "auto"
    icount: bool = False
    timeout: float = 60.0
    console: Path | None = None


def configure(request: Request) -> MachineConfig:
    """Return the machine that ``request`` asks for; starts nothing.

    Raises:
        InputError: the kernel is neither a bundled one nor a file, or the hypervisor's file is not there.
        UsageError: a number out of range, or parts that don't fit together.
        HarnessError: a bundled image has not been built.
    """
    offered = offer(request.hypervisor, request.roms)
    kernel, paging = kernel_of(request.kernel)
    bundled = paging != "any"
    linux = not bundled and _is_linux(kernel)
    ours = linux and request.initrd is None
    config = MachineConfig(
        kernel=kernel,
        initrd=images.path("linux-initrd.cpio") if ours else request.initrd,
        append=f"{LINUX_WORDS} {request.append}".rstrip() if linux else request.append,
        memory_mib=request.memory_mib,
        cpus=request.cpus,
        cpu_model=request.cpu_model,
        option_roms=offered.roms,
        accel=request.accel,
        paging=paging,
        icount=request.icount,
        timeout=request.timeout,
        expect_report=bundled or ours,
        console_log=request.console,
    )
    if not offered.hosted:
        return config
    named = split_name(request.hypervisor)
    if named is not None and not Path(named[0]).is_file():
        raise InputError("no such file", where=named[0])
    from .hypervisor.session import hosted_config  # noqa: PLC0415 - only with Python behind the machine

    return hosted_config(config)


def machine_of(request: Request) -> Machine | Session:
    """Return what ``request`` asks for, ready for a ``with`` statement and ``wait()``; with Python, a session.

    Raises:
        As :func:`configure` and :func:`hypervisor_of`.
    """
    config = configure(request)
    if not offer(request.hypervisor, request.roms).hosted:
        return Machine(config)
    from .hypervisor.session import Session  # noqa: PLC0415

    return Session(hypervisor_of(request), config, symbols=request.symbols)


def hypervisor_of(request: Request) -> Hypervisor:
    """Return a new hypervisor of the kind that ``request`` names; ``hosted``'s decides nothing, ``strict``'s judges.

    For ``ring`` with instructions counted it is one that is not asked: its monitor goes by its own rules.

    Raises:
        InputError, UsageError: as :func:`openvmi.hypervisor.load.load_hypervisor`, or instructions are to be counted.
    """
    from .hypervisor.base import Hypervisor  # noqa: PLC0415

    if request.hypervisor == RING:
        from .hypervisor.ring import Ring  # noqa: PLC0415

        return Ring().unasked() if request.icount else Ring()
    if request.hypervisor == STRICT:
        from .hypervisor.strict.brain import Strict  # noqa: PLC0415

        hypervisor: Hypervisor = Strict()
    elif split_name(request.hypervisor) is None:
        return Hypervisor()
    else:
        from .hypervisor.load import load_hypervisor  # noqa: PLC0415

        hypervisor = load_hypervisor(request.hypervisor)
    routed = hypervisor.routed()
    if request.icount and routed:
        raise UsageError(
            f"instructions can't be counted while Python answers {routed[0].name}: a waiting guest executes some, too",
            where=request.hypervisor,
            help="leave out --icount, or set `modes` to count calls instead of overriding their methods",
        )
    return hypervisor


def kernel_of(name: str) -> tuple[Path, str]:
    """Return the path of kernel ``name`` and the paging mode that it needs (``any`` when it is not ours).

    A file wins over a bundled kernel of the same name only when it is written as a path, with a slash.

    Raises:
        InputError: neither a bundled kernel nor a file.
        HarnessError: the bundled image has not been built.
    """
    if name in BUNDLED:
        image, paging = BUNDLED[name]
        return images.path(image), paging
    path = Path(name)
    if not os.path.exists(path):  # noqa: PTH110 - pathlib's way raises when the name is too long
        raise InputError("no such kernel", where=name, help=f"a file, or one of: {', '.join(BUNDLED)}")
    return path, "any"


def _is_linux(kernel: Path) -> bool:
    """Say whether the file has the boot header of a Linux (Linux Documentation/x86/boot.txt)."""
    if not kernel.is_file():
        return False  # a pipe would be waited for
    try:
        with kernel.open("rb") as file:
            return file.read(0x206)[0x202:] == b"HdrS"
    except OSError:
        return False  # the machine's own inspection says what is wrong
