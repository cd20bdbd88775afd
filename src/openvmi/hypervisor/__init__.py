# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a machine offers a kernel through the ROM, by name; and all that a hypervisor in Python needs.

==================  =====================================================================================
none                no ROM in the machine: bare hardware
declining           the ROM is there with nobody behind it: ``vmi_init`` returns -1, the kernel stays native
native              the ROM is active and serves every call natively, at CPL 0
native13            as native, for guests of either generation: a ROM of API 13.3 lies beside that of 3.0
hosted              as native, and Python can count, trace and answer each call; nothing is asked of it yet
strict              as hosted, and each call is held to the rules that guests have to keep
ring                the kernel runs at CPL 1, on a monitor that it can't reach, and Python decides
FILE.py[:Class]     hosted, or ring, with a :class:`Hypervisor` or a :class:`Ring` from a file behind it
==================  =====================================================================================

The classes are imported when they are first asked for: machines without Python behind them start sooner.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .. import images
from ..errors import UsageError

TYPE_CHECKING = False  # typing takes some milliseconds to import
if TYPE_CHECKING:
    from .answers import Answer, Continue, Debug, Delay, Refuse, Snapshot, Stop, Value
    from .base import Hypervisor
    from .guest import Guest
    from .memory import GuestMemory, GuestMemoryError
    from .ring import End, Fault, Ring
    from .session import Session
    from .tasks import Task
    from .vcpu import Vcpu

HOSTED = "hosted"
STRICT = "strict"
RING = "ring"
# The guests of 2006 look at the first VMI ROM only, mainline Linux goes on to the next. Firmware puts the ROM lowest
# whose file name comes last.
_ROMS: dict[str, tuple[str, ...]] = {
    "none": (),
    "declining": ("openvmi.rom",),
    "native": ("openvmi-native.rom",),
    "native13": ("openvmi-native.rom", images.ROM_13),
    HOSTED: ("openvmi.rom",),
    STRICT: (images.ROM_STRICT,),
    RING: ("openvmi.rom",),
}
NAMES = tuple(_ROMS)
_HOME = {
    "Answer": "answers",
    "Continue": "answers",
    "Debug": "answers",
    "Delay": "answers",
    "End": "ring",
    "Fault": "ring",
    "Guest": "guest",
    "GuestMemory": "memory",
    "GuestMemoryError": "memory",
    "Hypervisor": "base",
    "Refuse": "answers",
    "Ring": "ring",
    "Session": "session",
    "Snapshot": "answers",
    "Stop": "answers",
    "Task": "tasks",
    "Value": "answers",
    "Vcpu": "vcpu",
}

__all__ = [
    "HOSTED",
    "NAMES",
    "RING",
    "STRICT",
    "Answer",
    "Continue",
    "Debug",
    "Delay",
    "End",
    "Fault",
    "Guest",
    "GuestMemory",
    "GuestMemoryError",
    "Hypervisor",
    "Offer",
    "Refuse",
    "Ring",
    "Session",
    "Snapshot",
    "Stop",
    "Task",
    "Value",
    "Vcpu",
    "offer",
    "split_name",
]


@dataclass(frozen=True, slots=True)
class Offer:
    """What the machine offers.

    Args:
        name: one of :data:`NAMES`, or ``FILE.py[:Class]``.
        roms: option ROMs to put into the machine, in order.
        hosted: Python can be behind it.
    """

    name: str
    roms: tuple[Path, ...]
    hosted: bool = False


def offer(name: str, roms: tuple[Path, ...] = ()) -> Offer:
    """Return what hypervisor ``name`` puts into a machine.

    Args:
        name: one of :data:`NAMES`, or ``FILE.py[:Class]``; the file is not looked at.
        roms: option ROMs that stand in for the hypervisor's own image; empty for its own.

    Raises:
        UsageError: no hypervisor has that name, or a ROM was given with ``none``.
        HarnessError: the image has not been built.
    """
    known = HOSTED if split_name(name) else name
    if known not in _ROMS:
        raise UsageError(f"unknown hypervisor {name!r}", help=f"one of: {', '.join(NAMES)}, FILE.py, FILE.py:Class")
    own = _ROMS[known]
    if roms and not own:
        raise UsageError("a machine with hypervisor 'none' has no ROM", help="leave out --rom or --hypervisor none")
    return Offer(name, roms or tuple(images.path(image) for image in own), hosted=known in {HOSTED, STRICT, RING})


def split_name(name: str) -> tuple[str, str] | None:
    """Return file and class of ``FILE.py`` (an empty class) or ``FILE.py:Class``; None for any other name."""
    file, colon, wanted = name.rpartition(":")
    if colon and file.endswith(".py"):
        return file, wanted
    return (name, "") if name.endswith(".py") else None


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    found = globals()[name] = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    return found
