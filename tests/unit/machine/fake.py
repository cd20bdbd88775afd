# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A QEMU that does what the kernel's command line says: steps ``op=value``, separated by ``;``."""

from __future__ import annotations

import sys
import time
from pathlib import Path

_SOURCE = """\
import os, signal, sys, time
args = sys.argv[1:]
if args == ["--version"]:
    print("QEMU emulator version " + os.environ.get("FAKE_VERSION", "7.2.9 (fake)"))
    sys.exit(int(os.environ.get("FAKE_STATUS", "0")))
values = [args[i + 1] for i, word in enumerate(args) if word in ("-add-fd", "-chardev")]
def number(start):
    found = [value for value in values if value.startswith(start)]
    return int(found[0].split("fd=")[1].split(",")[0])
result, events = number("fd="), number("socket,id=events")
steps = args[args.index("-append") + 1] if "-append" in args else ""
def say(fd, text):
    data = text.encode("latin-1").decode("unicode_escape").encode("latin-1")
    while data:
        data = data[os.write(fd, data):]
def event(reason):
    say(events, '{"event": "SHUTDOWN", "data": {"guest": true, "reason": "%s"}}\\\\n' % reason)
def echo(count):
    os.write(1, os.read(0, int(count)))
def deaf(_):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
ops = {
    "result": lambda text: say(result, text + "\\\\n"), "raw": lambda text: say(result, text),
    "console": lambda text: say(1, text), "stderr": lambda text: say(2, text + "\\\\n"),
    "flood": lambda count: [say(1, "x" * 99 + "\\\\n") for _ in range(int(count))],
    "event": event, "sleep": lambda text: time.sleep(float(text)), "status": lambda text: os._exit(int(text)),
    "signal": lambda text: os.kill(os.getpid(), int(text)), "echo": echo, "deaf": deaf,
}
for step in filter(None, steps.split(";")):
    op, _, value = step.partition("=")
    ops[op](value)
"""


def write_fake(folder: Path, name: str = "qemu-system-i386") -> Path:
    """Put the program ``name`` into ``folder`` and return its path."""
    path = folder / name
    path.write_text(f"#!{sys.executable} -IS\n{_SOURCE}")
    path.chmod(0o755)
    return path


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][:1] != "Z"
    except OSError:
        return False


def gone(pid: int, seconds: float = 3.0) -> bool:
    """Say whether a process ends within some seconds; one that nobody has waited for counts as ended."""
    deadline = time.monotonic() + seconds
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not alive(pid)
