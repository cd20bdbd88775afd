# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Which accelerator runs the machine, and why: probed, not believed.

/dev/kvm can exist and be useless for 32-bit guests: some nested ones refuse 32-bit paging, or emulate every instruction
and are slower than TCG, while version and capabilities look normal. So a child process really runs a loop
in both paging modes (``_kvm_probe``), once in each boot of the host.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

from ..errors import HarnessError, UsageError
from ._cache import cached

DEVICE = "/dev/kvm"
# name of the kept answer (module _cache)
ANSWER = "kvm"
# Native is about 15 ns including the entry, emulated about 1300: anything between is far from both.
NATIVE_LIMIT_NS = 150.0
_PROBE_LIMIT = 10.0
_PROBE_SCRIPT = os.path.join(os.path.dirname(__file__), "_kvm_probe.py")  # noqa: PTH118, PTH120
_MODE_NAMES = {"legacy": "32-bit", "pae": "PAE"}


@dataclass(frozen=True, slots=True)
class Choice:
    """The accelerator taken.

    Args:
        name: ``tcg`` or ``kvm``.
        reason: one line on why.
    """

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class KvmAnswer:
    """What the probe found.

    Args:
        legacy: nanoseconds per instruction with 32-bit paging; None when such guests don't run.
        pae: the same with PAE paging.
        trouble: why nothing could be measured; empty when it could.
    """

    legacy: float | None
    pae: float | None
    trouble: str

    def refusal(self, paging: str) -> str:
        """Return why KVM does not do for a guest with ``paging`` (``legacy``, ``pae``, ``any``); empty if it does."""
        if self.trouble:
            return self.trouble
        for mode in ("legacy", "pae") if paging == "any" else (paging,):
            cost = self.legacy if mode == "legacy" else self.pae
            if cost is None:
                return f"KVM here does not run guests with {_MODE_NAMES[mode]} paging"
            if cost > NATIVE_LIMIT_NS:
                return f"KVM here emulates {_MODE_NAMES[mode]} guests ({cost:.0f} ns an instruction)"
        return ""


def choose_accelerator(wanted: str = "auto", *, paging: str = "any", icount: bool = False) -> Choice:
    """Return the accelerator for a guest.

    Args:
        wanted: ``auto``, ``tcg`` or ``kvm``.
        paging: paging mode that the guest needs: ``legacy``, ``pae`` or ``any``.
        icount: instructions are to be counted, which only TCG can.

    Raises:
        UsageError: KVM was asked for together with instruction counting.
        HarnessError: KVM was asked for and does not run such guests.
    """
    if wanted == "tcg":
        return Choice("tcg", "TCG was asked for")
    if icount:
        if wanted == "kvm":
            raise UsageError("KVM can't count instructions", help="leave the accelerator to `auto`, or take `tcg`")
        return Choice("tcg", "instructions are counted, which only TCG can")
    answer = probe_kvm()
    refusal = answer.refusal(paging)
    if not refusal:
        return Choice(
            "kvm", "KVM was asked for and works" if wanted == "kvm" else "KVM runs 32-bit guests natively here"
        )
    if wanted == "kvm":
        raise HarnessError(refusal, where=DEVICE, help="leave the accelerator to `auto`, or take `tcg`")
    return Choice("tcg", refusal)


def probe_kvm() -> KvmAnswer:
    """Say what KVM can do on this host; the answer is kept until the host boots again."""
    try:
        stat = os.stat(DEVICE)  # noqa: PTH116 - on the start-up path
    except OSError:
        return KvmAnswer(None, None, f"there is no {DEVICE}")
    if not os.access(DEVICE, os.R_OK | os.W_OK):
        return KvmAnswer(None, None, f"no permission for {DEVICE}")
    key = f"{_boot_id()} {stat.st_rdev} {stat.st_ino} {stat.st_ctime_ns} {sys.implementation.cache_tag}"
    return _parse(cached(ANSWER, key, _run_probe))


def _boot_id() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:  # noqa: PTH123
            return file.readline().strip()
    except OSError:
        return "unknown"


def _run_probe() -> str:
    """Run the probe in a child, since a broken KVM may hang or kill it; return its one line."""
    import subprocess  # noqa: PLC0415 - only when not cached

    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", _PROBE_SCRIPT],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PROBE_LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"- - KVM's probe did not end within {_PROBE_LIMIT:.0f} s"
    if done.returncode:
        return f"- - KVM's probe ended with status {done.returncode}"
    return done.stdout.decode("ascii", "replace").strip()


def _parse(line: str) -> KvmAnswer:
    words = [*line.split(" ", 2), "", "", ""]
    try:
        legacy, pae = (None if word == "-" else float(word) for word in words[:2])
    except ValueError:
        return KvmAnswer(None, None, "KVM's probe gave no answer")
    return KvmAnswer(legacy, pae, words[2])
