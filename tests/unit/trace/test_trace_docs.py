# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The page on traces says what the code does."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path
from struct import Struct

from openvmi.abi.wire import RecordKind, WireRecord
from openvmi.trace import FIELDS, Kind, TraceMeta, schemapage
from openvmi.trace.container import BLOCK, HEAD, MAGIC, VERSION, BlockHeader, BlockKind
from openvmi.trace.export import FORMATS
from openvmi.trace.schema import ArgumentInfo, to_json

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "trace.md").read_text()


def rows(columns: int) -> list[list[str]]:
    """Return the cells of all table rows with so many columns."""
    lines = [line.strip("|").split("|") for line in PAGE.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line] for line in lines if len(line) == columns]


def test_the_record() -> None:
    wanted = [[str(field.offset), field.type, f"`{field.name}`", field.doc] for field in FIELDS]
    assert [row for row in rows(4) if row[1].startswith("u") and row[0].isdigit()] == wanted


def test_the_block_header() -> None:
    sizes = [Struct(f"<{code}").size for code in re.findall(r"\d*[sHIQ]", BLOCK.format)]
    found = [(int(row[0]), int(row[1]), row[2].strip("`")) for row in rows(4) if row[0].isdigit() and row[1].isdigit()]
    assert found == [(sum(sizes[:i]), sizes[i], name) for i, name in enumerate(BlockHeader._fields)]
    assert ", ".join(f"{int(kind)} {kind.name}" for kind in BlockKind) in PAGE


def test_the_head() -> None:
    found = [(int(row[0]), row[1]) for row in rows(3) if row[0].isdigit()]
    assert found == [(0, "8"), (8, "4"), (12, "4"), (16, "4"), (HEAD.size, "")]
    assert MAGIC.hex(" ").upper() in PAGE
    assert f"Version {VERSION}." in PAGE


def test_every_key_of_the_schema_is_named() -> None:
    schema = json.loads(to_json(TraceMeta()))
    keys = {*schema, *schema["record"], *schema["record"]["fields"][0], *(field.name for field in fields(ArgumentInfo))}
    text = PAGE[PAGE.index("**Schema**") : PAGE.index("**Blocks**")]
    assert not {key for key in keys if f"`{key}`" not in text}


def test_the_schema_page_is_what_the_tables_say() -> None:
    assert schemapage.PAGE.read_text() == schemapage.page(), "python -m openvmi.trace.schemapage"


def test_a_record_is_what_the_payload_writes() -> None:
    assert {field.name: field.offset for field in FIELDS} == WireRecord.OFFSETS
    assert {int(kind) for kind in Kind} == {int(kind) for kind in RecordKind}


def test_every_export_has_a_row() -> None:
    assert [row[0].strip("`") for row in rows(3) if row[0].startswith("`") and row[0].strip("`") in FORMATS] == [
        *FORMATS
    ]
