# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The cpio writer: fields, alignment, order, a round trip through an independent reader, and what it refuses."""

from __future__ import annotations

import gzip
import stat
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openvmi.errors import InputError
from openvmi.initrd import DEVICE_NODES, TRAILER, Entry, cpio, linux_initrd

FIELDS = (
    *("inode", "mode", "uid", "gid", "links", "mtime", "size"),
    *("archive_major", "archive_minor", "major", "minor", "name_size", "checksum"),
)
REGULAR = stat.S_IFREG | 0o644
FOLDER = stat.S_IFDIR | 0o755


@dataclass(frozen=True)
class Record:
    offset: int
    name: str
    data: bytes
    fields: dict[str, int]


def read(archive: bytes) -> list[Record]:
    """Read a newc archive as init/initramfs.c does, the trailer included."""
    records: list[Record] = []
    at = 0
    while not records or records[-1].name != TRAILER:
        assert at % 4 == 0
        assert archive[at : at + 6] == b"070701"
        numbers = [int(archive[at + 6 + 8 * i : at + 14 + 8 * i], 16) for i in range(13)]
        fields = dict(zip(FIELDS, numbers, strict=True))
        name_at = at + 110
        name_end = name_at + fields["name_size"]
        assert archive[name_end - 1] == 0
        data_at = (name_end + 3) & ~3
        data_end = data_at + fields["size"]
        name = archive[name_at : name_end - 1].decode()
        records.append(Record(at, name, archive[data_at:data_end], fields))
        at = (data_end + 3) & ~3
    assert at == len(archive)
    return records


def test_the_fields_of_a_file() -> None:
    record, trailer = read(cpio([Entry("init", stat.S_IFREG | 0o755, b"hello")]))
    assert record.name == "init"
    assert record.data == b"hello"
    assert record.fields == {
        **dict.fromkeys(FIELDS, 0),
        "inode": 1,
        "mode": 0o100755,
        "links": 1,
        "size": 5,
        "name_size": 5,
    }
    assert trailer.name == TRAILER
    assert trailer.fields["size"] == 0


def test_the_exact_bytes_of_a_small_archive() -> None:
    header = b"070701" + b"00000001" + b"000081A4" + b"00000000" * 2 + b"00000001" + b"00000000" + b"00000003"
    header += b"00000000" * 4 + b"00000002" + b"00000000"
    assert cpio([Entry("a", REGULAR, b"xyz")]).startswith(header + b"a\0" + b"xyz\0" + b"070701")


def test_device_nodes_carry_their_numbers() -> None:
    nodes = {record.name: record for record in read(linux_initrd({"init": b""}))}
    found = {
        name: (nodes[name].fields["major"], nodes[name].fields["minor"], stat.S_ISCHR(nodes[name].fields["mode"]))
        for name in ("dev/console", "dev/null", "dev/ttyS0", "dev/ttyS1")
    }
    assert found == {
        "dev/console": (5, 1, True),
        "dev/null": (1, 3, True),
        "dev/ttyS0": (4, 64, True),
        "dev/ttyS1": (4, 65, True),
    }


def test_folders_come_before_what_is_in_them() -> None:
    names = [record.name for record in read(linux_initrd({"init": b"i", "dev-x": b"", "usr/bin/tool": b"t"}))]
    assert names.index("dev") < names.index("dev/console")
    assert names.index("usr") < names.index("usr/bin") < names.index("usr/bin/tool")
    assert names[-1] == TRAILER


def test_programs_are_executable() -> None:
    record = next(record for record in read(linux_initrd({"init": b"i"})) if record.name == "init")
    assert record.fields["mode"] == 0o100755


def test_compressed_archive_is_the_same_and_carries_no_time() -> None:
    programs = {"init": b"i" * 5000}
    packed = linux_initrd(programs, gzip=True)
    assert gzip.decompress(packed) == linux_initrd(programs)
    assert packed[4:8] == bytes(4)
    assert packed == linux_initrd(programs, gzip=True)


NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=30).filter(
    lambda name: name not in {".", "..", TRAILER}
)


@given(st.dictionaries(NAMES, st.binary(max_size=70)), st.randoms())
def test_round_trip(files: dict[str, bytes], random: object) -> None:
    entries = [Entry(name, REGULAR, data) for name, data in files.items()]
    archive = cpio(entries)
    records = read(archive)[:-1]
    assert {record.name: record.data for record in records} == files
    assert [record.name for record in records] == sorted(files)
    assert len({record.fields["inode"] for record in records}) == len(files)
    random.shuffle(entries)  # type: ignore[attr-defined] # hypothesis hands out a random.Random
    assert cpio(entries) == archive


@pytest.mark.parametrize(
    "name", ["", "/init", "a//b", "a/", "./a", "a/../b", "..", ".", "a\0b", TRAILER, "x" * 4096, "\ud800"]
)
def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(InputError):
        cpio([Entry(name, REGULAR)])


def test_the_longest_name_is_taken() -> None:
    assert read(cpio([Entry("x" * 4095, REGULAR)]))[0].fields["name_size"] == 4096


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (Entry("a", 0o755), "no type of file"),
        (Entry("a", 0o1100644), "no type of file"),
        (Entry("a", FOLDER, b"data"), "holds data"),
        (Entry("a", stat.S_IFCHR | 0o600, b"data", (1, 3)), "holds data"),
        (Entry("a", stat.S_IFLNK | 0o777), "target"),
        (Entry("a", REGULAR, device=(1, 3)), "device numbers"),
        (Entry("a", stat.S_IFCHR | 0o600, device=(-1, 3)), "32 bits"),
        (Entry("a", stat.S_IFBLK | 0o600, device=(1, 1 << 32)), "32 bits"),
        (Entry("dev/a", REGULAR), "folder"),
    ],
)
def test_impossible_entries_are_refused(entry: Entry, words: str) -> None:
    with pytest.raises(InputError, match=words):
        cpio([entry])


def test_a_file_is_not_a_folder() -> None:
    with pytest.raises(InputError, match="folder"):
        cpio([Entry("dev", REGULAR), Entry("dev/a", REGULAR)])


def test_the_same_name_twice_is_refused() -> None:
    with pytest.raises(InputError, match="twice"):
        cpio([Entry("a", REGULAR, b"1"), Entry("a", REGULAR, b"2")])


def test_programs_may_not_hide_a_device_node() -> None:
    with pytest.raises(InputError, match="twice"):
        linux_initrd({"init": b"", DEVICE_NODES[0].name: b""})


def test_an_initrd_needs_an_init() -> None:
    with pytest.raises(InputError, match="/init"):
        linux_initrd({"true": b""})
