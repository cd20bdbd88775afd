# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the commands share that act on a running machine: saying what changed, and whether it is as before."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import click

from ..errors import ExitCode
from ..hypervisor.control_wire import Message
from ..text import printable
from ._output import tell

_NAMES = 6


def spoken(mode: str) -> str:
    """Return a mode as users say it."""
    return "python" if mode == "upcall" else mode


def show(answer: Message, *, as_json: bool) -> int:
    """Print what a change did; return the exit code: 1 when something is not as it was before."""
    if as_json:
        click.echo(json.dumps({key: value for key, value in answer.items() if key != "ok"}, indent=2))
    else:
        for line in (*_changes(answer), *_prints(answer)):
            click.echo(printable(line))
    busy = cast("list[int]", answer.get("outstanding") or [])
    if busy:
        cpus = ", ".join(str(cpu) for cpu in busy)
        tell(f"openvmi: warning: still at a call when the time for that was over: CPU {cpus}; it is done natively")
    same = all(len(set(pair)) == 1 for pair in _fingerprints(answer).values())
    return ExitCode.OK if same else ExitCode.NOT_FINE


def _changes(answer: Message) -> list[str]:
    calls = cast("Mapping[str, list[str]]", answer.get("calls") or {})
    groups: dict[tuple[str, str], list[str]] = {}
    for name, (before, after) in calls.items():
        groups.setdefault((spoken(before), spoken(after)), []).append(name)
    told = [f"{_listed(names)}: {before} -> {after}" for (before, after), names in groups.items()]
    took, pause = (_microseconds(answer.get(key)) for key in ("took", "pause"))
    waited = f"; a call for Python waited at most {pause}" if answer.get("pause") else "; the guest did not wait"
    who = f" ({answer['hypervisor']})" if answer.get("hypervisor") else ""
    return [f"machine {answer.get('name')}{who}: in force after {took}{waited}", *(told or ["nothing changed"])]


def _listed(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= _NAMES else f"{len(names)} calls"


def _microseconds(value: object) -> str:
    return f"{cast('float', value or 0.0) * 1e6:,.0f} us"


def _fingerprints(answer: Message) -> dict[str, list[str]]:
    """Return what is known both before and after."""
    prints = cast("dict[str, list[str]]", answer.get("fingerprints") or {})
    return {name: pair for name, pair in prints.items() if all(pair)}


def _prints(answer: Message) -> list[str]:
    names = {"text": "kernel's code", "dispatch": "dispatch state"}
    if "fingerprints" not in answer:
        return []
    known = _fingerprints(answer)
    lines = []
    for key, name in names.items():
        before, after = known.get(key, ["", ""])
        if not after:
            lines.append(f"{name}: not compared, {_why(key)}")
        elif before == after:
            lines.append(f"{name}: sha256 {after}, the same as before")
        else:
            lines += [f"{name}: sha256 {before} before", f"{name}: sha256 {after} after: NOT THE SAME"]
    return lines


def _why(key: str) -> str:
    if key == "text":
        return "the kernel's file does not say where it is"
    return "the machine was never seen with all calls native"


def absolute(name: str) -> str:
    """Return ``FILE.py[:Class]`` with the file's whole path: the machine's process may stand elsewhere."""
    file, colon, wanted = name.rpartition(":")
    if not (colon and file.endswith(".py")):
        file, colon, wanted = name, "", ""
    return f"{Path(file).absolute()}{colon}{wanted}"


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Return running machines as lines."""
    head = ("NAME", "PID", "GUEST", "CPUS", "UP", "CALLS")
    cells = [head, *(_row(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(head) - 1)]
    return [
        "  ".join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[-1]]) for line in cells
    ]


def _row(row: Mapping[str, Any]) -> tuple[str, ...]:
    modes: dict[str, int] = {}
    for mode in row["modes"].values():
        modes[spoken(mode)] = modes.get(spoken(mode), 0) + 1
    said = ", ".join(f"{count} {mode}" for mode, count in modes.items())
    if row["hypervisor"]:
        said += f" ({row['hypervisor']})"
    if row["state"] != "active":
        said += f"; the guest is {row['state']}"
    if row.get("hanging"):
        said += f"; {row['hanging']} does not come back"
    if row["failure"]:
        said += f"; detached: {row['failure']}"
    up = int(row["uptime"])
    clock = f"{up // 3600}:{up // 60 % 60:02}:{up % 60:02}" if up >= 3600 else f"{up // 60}:{up % 60:02}"
    return (row["name"], str(row["pid"]), Path(row["guest"]).name, str(row["cpus"]), clock, said)
