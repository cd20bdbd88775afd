# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What happened in one run, for people in a line and for programs in a dictionary (``openvmi run --json``)."""

from __future__ import annotations

import re

from . import __version__
from .abi import Call
from .boot import Request
from .machine import Plan
from .machine.outcome import Outcome
from .report import Report

# A foreign kernel does not report; what mainline's VMI code prints is the next best thing (arch/x86/kernel/vmi_32.c).
_FOUND = re.compile(r"VMI: Found (.*?), API version (\S+), ROM version (\S+)")
_REFUSED = re.compile(r"VMI: (?!Found|Timer|Initialized)(.*)|(VMI ROM failed to initialize!?)")
_ACTIVE = re.compile(r"Booting paravirtualized kernel on vmi")


def summary_line(outcome: Outcome, report: Report) -> str:
    """Return one sentence for the end of a run."""
    parts = [outcome.reason]
    userland = outcome.times.marks.get("userland")
    if userland is not None:
        parts.append(f"userland after {userland / 1e9:.3f} s")
    parts.append(f"ended after {outcome.times.duration / 1e9:.3f} s")
    if report.summary is not None:
        parts.append(f"{report.summary.passed} checks passed, {report.summary.failed} failed")
    vmi = report.info.get("vmi")
    if vmi is not None:
        parts.append(f"VMI {vmi}")
    return "; ".join(parts)


def account(  # noqa: PLR0913 - each is a source of its own
    plan: Plan,
    request: Request,
    outcome: Outcome,
    report: Report,
    *,
    console: str = "",
    hosted: dict[str, object] | None = None,
) -> dict[str, object]:
    """Return everything that is known about a run, as plain data.

    Args:
        plan: the machine.
        request: what was asked for.
        outcome: how it ended.
        report: what the guest said.
        console: the console's text, for what a foreign kernel printed about the ROM.
        hosted: what is known about the Python behind the machine; None if there was none.
    """
    userland = outcome.times.since_command("userland")
    return {
        "openvmi": __version__,
        "how": str(outcome.how),
        "reason": outcome.reason,
        "exit_code": int(outcome.exit_code),
        "status": outcome.status,
        "seconds": {
            "command_to_qemu": outcome.times.to_start / 1e9,
            "command_to_userland": None if userland is None else userland / 1e9,
            "qemu": outcome.times.duration / 1e9,
            "marks": {name: at / 1e9 for name, at in outcome.times.marks.items()},
        },
        "machine": {
            "kernel": str(plan.config.kernel),
            "kernel_kind": plan.kernel.kind,
            "kernel_version": plan.kernel.version,
            "initrd": None if plan.config.initrd is None else str(plan.config.initrd),
            "append": plan.config.append,
            "memory_mib": plan.config.memory_mib,
            "cpus": plan.config.cpus,
            "qemu": str(plan.qemu.path),
            "accelerator": plan.accel.name,
            "accelerator_reason": plan.accel.reason,
        },
        "hypervisor": request.hypervisor,
        "roms": [str(path) for path in plan.config.option_roms],
        "rom": rom_state(report, console, offered=bool(plan.config.option_roms)),
        "calls": [
            {"number": call.number, "name": _call_name(call.number), "type": call.type, "eip": call.eip}
            for call in report.calls
        ],
        "sites": {name: {"sites": count.sites, "patched": count.patched} for name, count in report.sites.items()},
        "info": dict(report.info),
        "checks": {name: {"passed": count.passed, "failed": count.failed} for name, count in report.checks.items()},
        "fails": list(report.fails),
        "benchmarks": {
            name: {"operations": bench.operations, "ticks": list(bench.ticks)} for name, bench in report.benches.items()
        },
        "odd_lines": list(report.odd),
        "console_tail": list(outcome.console_tail),
        "console_log": None if outcome.log is None else str(outcome.log),
        "warnings": list(outcome.warnings),
        "hosted": hosted,
    }


def rom_state(report: Report, console: str, *, offered: bool) -> dict[str, object]:
    """Return whether the guest found a ROM and took it.

    ``source`` says who told: the guest's ``report``, the ``console`` of a Linux, or nobody (None).
    """
    if "rom" in report.info or "vmi" in report.info:
        found = report.info.get("rom", "none")
        vmi = report.info.get("vmi", "")
        return {
            "source": "report",
            "offered": offered,
            "found": found.startswith("found"),
            "accepted": vmi.startswith("active"),
            "state": vmi,
            "version": report.info.get("rom-version"),
            "product": report.info.get("rom-product"),
        }
    match = _FOUND.search(console)
    if match is None:
        return {"source": None, "offered": offered, "found": None, "accepted": None, "state": None}
    active = _ACTIVE.search(console) is not None
    refused = _REFUSED.search(console)
    why = "" if refused is None else (refused[1] or refused[2] or "").strip()
    return {
        "source": "console",
        "offered": offered,
        "found": True,
        "accepted": active,
        "state": "active" if active else why,
        "version": match[2],
        "product": match[1],
    }


def _call_name(number: int) -> str:
    try:
        return Call(number).name
    except ValueError:
        return "unknown"
