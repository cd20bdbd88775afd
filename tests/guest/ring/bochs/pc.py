# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A PC in Bochs, which checks segment limits as hardware does: one run of one kernel, with a time limit.

Its memory reaches over the place of the openvmi device; what lies above what the kernel is told of is the monitor's.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from openvmi.abi import wire
from openvmi.abi.wire import RingInfo
from openvmi.machine.channel import ResultChannel

from .board import BAR

_ALL: Final = (BAR + wire.WIRE_SIZE) >> 20
_ROM_ADDRESS: Final = 0xD0000
_LOOK: Final = 0.02  # seconds
_PATIENCE: Final = 1.0  # seconds for it to end after it was told to
_ATTEMPTS: Final = 8  # to tell it
_WORD: Final = re.compile(r"0x[0-9a-f]+ <[^>]*>:((?:\t0x[0-9a-f]{8})+)", re.MULTILINE)
_TEXT: Final = 0x4000  # bytes of the monitor's image that are surely code
_LOOKED_AT: Final = ((wire.RING_INFO_OFFSET, RingInfo.SIZE), (wire.RING_IMAGE_OFFSET, _TEXT))

_CONFIG: Final = """\
cpu: model={model}, count=1, ips=20000000, reset_on_triple_fault=0, ignore_bad_msrs=0
memory: guest={memory}, host={memory}
romimage: file=board.bin
{rom}
display_library: term
log: bochs.log
panic: action=fatal
error: action=report
info: action=report
debug: action=ignore
com1: enabled=1, mode=file, dev=com1
com2: enabled=1, mode=file, dev=com2
vga: extension=none
sound: waveoutdrv=dummy
speaker: enabled=0
clock: sync=none
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of a run.

    Args:
        result: what the kernel said on its result channel.
        console: and on its console.
        info: what the monitor has told, as it was at the end.
        code: the first bytes of the monitor without PAE, as they were then.
        late: the time limit ended it.
        log: the end of what Bochs has written.
    """

    result: ResultChannel
    console: str
    info: RingInfo
    code: bytes
    late: bool
    log: str


def missing() -> str:
    """Return what is missing for :func:`run`; empty if nothing is."""
    bochs = shutil.which("bochs")
    if bochs is None:
        return "not here: apt-get install bochs bochs-term"
    help_text = subprocess.run([bochs, "--help"], capture_output=True, text=True, check=False, timeout=10)
    return "" if "-rc" in help_text.stdout + help_text.stderr else "this one has no debugger, which looks at memory"


def run(folder: Path, image: bytes, rom: bytes = b"", limit: float = 60, model: str = "core_duo_t2400_yonah") -> Seen:
    """Start a PC with ``image`` as its firmware; wait until its kernel has said its last word, or was ended.

    Args:
        folder: for Bochs's files; it is made.
        image: of :func:`.board.board_image`.
        rom: an option ROM; none if empty.
        limit: seconds.
        model: one of Bochs's CPUs.
    """
    folder.mkdir(parents=True)
    (folder / "board.bin").write_bytes(image)
    (folder / "rom.bin").write_bytes(rom)
    option = f"optromimage1: file=rom.bin, address={_ROM_ADDRESS:#x}" if rom else ""
    (folder / "config").write_text(_CONFIG.format(model=model, memory=_ALL, rom=option))
    looks = [f"xp /{length // 4}wx {BAR + offset:#x}\n" for offset, length in _LOOKED_AT]
    (folder / "commands").write_text("".join(["c\n", *looks, "r\nsreg\nq\n"]))
    with (folder / "words").open("wb") as output:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "bochs", "-q", "-f", "config", "-rc", "commands", "-dbglog", "debugger"],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, "TERM": "vt100"},
        )
        late = _watch(folder, process, limit)
    result = ResultChannel()
    result.feed(_read(folder / "com2"), 0)
    result.finish(0)
    console = _read(folder / "com1").decode("ascii", "replace")
    log = _read(folder / "bochs.log").decode("ascii", "replace")
    memory = _memory(_read(folder / "words"))
    info, code = memory[: RingInfo.SIZE], memory[RingInfo.SIZE :]
    return Seen(result, console, RingInfo.unpack(info), code, late, log[-4000:])


def _read(file: Path) -> bytes:
    return file.read_bytes() if file.exists() else b""


def _watch(folder: Path, process: subprocess.Popen[bytes], limit: float) -> bool:
    """Stop it when there is a reason to; say whether it was the time."""
    end = time.monotonic() + limit
    try:
        while process.poll() is None and time.monotonic() < end and not _is_over(folder):
            time.sleep(_LOOK)
        late = time.monotonic() >= end
        for _ in range(_ATTEMPTS):
            if process.poll() is None:
                process.send_signal(signal.SIGINT)  # back to the debugger, which goes on with its commands
            with suppress(subprocess.TimeoutExpired):
                process.wait(_PATIENCE)
    finally:
        process.kill()
        process.wait()
    return late


def _is_over(folder: Path) -> bool:
    said = ResultChannel()
    said.feed(_read(folder / "com2"), 0)
    return said.ended or b"HLT instruction with IF=0" in _read(folder / "bochs.log")


def _memory(output: bytes) -> bytes:
    """Return what the debugger has shown, in its order."""
    shown = b"".join(
        int(word, 16).to_bytes(4, "little")
        for line in _WORD.findall(output.decode("ascii", "replace"))
        for word in line.split()
    )
    return shown.ljust(sum(length for _, length in _LOOKED_AT), b"\0")
