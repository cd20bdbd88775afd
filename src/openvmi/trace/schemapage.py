# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes ``docs/reference/trace-schema.md``: what each number of a trace file means, from the tables.

``python -m openvmi.trace.schemapage [FILE]``; a test says when the page is not as the code is.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from .container import BLOCK, HEAD, MAGIC, MAX_PAYLOAD, MAX_SCHEMA, VERSION, BlockKind
from .event import FIELDS, RECORD_SIZE, Kind
from .schema import ArgumentInfo, TraceMeta

PAGE: Final = Path(__file__).resolve().parents[3] / "docs" / "reference" / "trace-schema.md"
_HEAD: Final = """<!--
SPDX-FileCopyrightText: 2026 The openvmi authors
SPDX-License-Identifier: GPL-2.0-or-later
-->
# Trace schema

Written by `python -m openvmi.trace.schemapage` from the tables: change those, not this page. In prose:
[trace.md](../trace.md). Every trace file carries the same as JSON.
"""


def page() -> str:
    """Return the page."""
    return "\n".join([_HEAD, *_file(), *_record(), *_calls()]) + "\n"


def _file() -> Iterator[str]:
    yield f"""## File

Format version {VERSION}. Head: {HEAD.size} bytes (magic `{MAGIC.hex(" ").upper()}`, version, length and CRC-32 of the
schema), then the schema, at most {MAX_SCHEMA:,} bytes of JSON. Then blocks: {BLOCK.size} bytes of header and at most
{MAX_PAYLOAD:,} bytes of payload each. All numbers are little-endian.

| block | number |
|---|---|"""
    for kind in BlockKind:
        yield f"| {kind.name} | {int(kind)} |"
    yield ""


def _record() -> Iterator[str]:
    yield f"## Record: {RECORD_SIZE} bytes\n\n| offset | type | field | meaning |\n|---|---|---|---|"
    for field in FIELDS:
        yield f"| {field.offset} | {field.type} | `{field.name}` | {field.doc} |"
    yield "\n| kind | number |\n|---|---|"
    for kind in Kind:
        yield f"| {kind.name} | {int(kind)} |"
    yield ""


def _calls() -> Iterator[str]:
    yield """## Calls

What the registers of a record hold, by call. Arguments in other places (the stack, EBX) are not recorded; results are
not known before the call is done.

| number | call | `eax` | `edx` | `ecx` | not recorded |
|---|---|---|---|---|---|"""
    for number, info in sorted(TraceMeta().calls.items()):
        cells = [_held(info.takes, register) for register in ("eax", "edx", "ecx")]
        missing = ", ".join(f"{each.name} ({', '.join(each.at)})" for each in info.takes if not each.recorded)
        yield f"| {number} | {info.name} | {' | '.join(cells)} | {missing} |"


def _held(arguments: Sequence[ArgumentInfo], register: str) -> str:
    for each in arguments:
        if each.recorded and register in each.at:
            half = "" if len(each.at) == 1 else (", low half", ", high half")[each.at.index(register)]
            return f"{each.name}: {each.type}{half}"
    return ""


if __name__ == "__main__":
    Path(sys.argv[1] if len(sys.argv) > 1 else PAGE).write_text(page())
