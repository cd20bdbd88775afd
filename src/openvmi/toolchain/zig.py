# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The cross toolchain: one command that compiles, assembles and links what runs inside the guest PC."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import HarnessError

# -march=i686: what a VMI guest of 2006 runs on. -g0: debug records hold paths, and the images must not.
BASE_FLAGS = (
    *("-target", "x86-freestanding-none", "-march=i686", "-mregparm=3"),
    *("-mno-sse", "-mno-mmx", "-msoft-float", "-ffreestanding", "-fno-pic"),
    *("-fno-stack-protector", "-fno-sanitize=all", "-fno-asynchronous-unwind-tables", "-fno-unwind-tables"),
    *("-nostdlib", "-static", "-g0", "-O2", "-std=gnu11"),
    *("-Wall", "-Wextra", "-Werror", "-Wno-unused-command-line-argument"),
)
# The linker drops unreferenced sections and adds a build id and unwind tables unless told not to.
LINK_FLAGS = ("-Wl,--no-gc-sections", "-Wl,--build-id=none", "-Wl,--no-eh-frame-hdr")
_LIMIT_SECONDS = 300
_SHOWN_LINES = 30


@dataclass(frozen=True, slots=True)
class Program:
    """One image to be linked.

    Args:
        name: what to call it in messages.
        sources: C and assembler files, relative to the root, in link order.
        script: linker script, relative to the root.
        includes: include directories, relative to the root.
        defines: macros, ``NAME=VALUE``.
        flags: further compiler flags.
        entry: entry symbol; ``0`` for none.
    """

    name: str
    sources: tuple[str, ...]
    script: str
    includes: tuple[str, ...] = ()
    defines: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    entry: str = "0"


def zig_command() -> list[str]:
    """Return the command that runs zig: the PyPI package of this Python, so that the version is the pinned one.

    Raises:
        HarnessError: the package is not installed.
    """
    if importlib.util.find_spec("ziglang") is None:
        raise HarnessError(
            "the cross toolchain is not installed",
            where="ziglang",
            help="pip install 'openvmi[toolchain]', or make, which does it for you",
        )
    return [sys.executable, "-m", "ziglang"]


def arguments(program: Program, output: Path) -> list[str]:
    """Return the compiler's argument list for ``program``, without the compiler's own name."""
    return [
        *BASE_FLAGS,
        *program.flags,
        *(f"-D{define}" for define in program.defines),
        *(f"-I{include}" for include in program.includes),
        *program.sources,
        *LINK_FLAGS,
        f"-Wl,-T,{program.script}",
        f"-Wl,-e,{program.entry}",
        "-o",
        str(output),
    ]


def link(program: Program, root: Path, output: Path) -> None:
    """Compile and link ``program`` into ``output``.

    Args:
        program: what to build.
        root: the source tree; paths in ``program`` are relative to it and the compiler runs there.
        output: the ELF to write; its folder is made.

    Raises:
        HarnessError: the compiler refused, was missing, or took over 300 s; its words are in the message.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    run([*zig_command(), "cc", *arguments(program, output.resolve())], root, program.name)


def run(command: Sequence[str], cwd: Path, name: str) -> None:
    """Run one tool of the toolchain to its end, quietly unless it fails.

    Raises:
        HarnessError: it failed or did not end within 300 s.
    """
    environment = {**os.environ, "LC_ALL": "C", "SOURCE_DATE_EPOCH": "0"}
    try:
        done = subprocess.run(
            command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=_LIMIT_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HarnessError(f"the compiler could not be run: {error}", where=name) from error
    if done.returncode != 0:
        raise HarnessError(f"does not compile:\n{_first_lines(done.stderr)}", where=name)


def _first_lines(text: str) -> str:
    lines = text.strip().splitlines()
    more = [f"... and {len(lines) - _SHOWN_LINES} lines more"] if len(lines) > _SHOWN_LINES else []
    return "\n".join([*lines[:_SHOWN_LINES], *more])
