# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Files of every kind become kernels, or a clear error in bounded time and memory."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openvmi.check.lint import lint, parse_kernel, read_kernel
from openvmi.check.lint.kallsyms import find_kallsyms
from openvmi.check.lint.model import Section
from openvmi.check.lint.unpack import MAX_UNPACKED
from openvmi.errors import InputError

from .kernels import BASE, CLI, DATA, LABEL, OBJECT, RET, Builder, Piece, bzimage, one

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
}


def small() -> bytes:
    return (
        Builder()
        .text(Piece("f", CLI + RET))
        .part(".data", BASE + 0x1000, Piece("d", bytes(8), OBJECT), flags=DATA)
        .elf()
    )


@pytest.mark.parametrize("packer", PACKERS.values(), ids=PACKERS)
def test_bzimages(packer: Callable[[bytes], bytes]) -> None:
    kernel = parse_kernel(bzimage(packer(small())))
    assert one(lint(kernel), "f+0x0").hit.rule.id == "cli"
    assert "from a bzImage" in kernel.origin


def test_an_old_bzimage_is_searched() -> None:
    assert lint(parse_kernel(bzimage(gzip.compress(small()), version=0x207))).findings


@pytest.mark.parametrize(
    ("magic", "name"), [(b"\x89LZO\0", "lzo"), (b"\x02\x21\x4c\x18", "lz4"), (b"\x28\xb5\x2f\xfd", "zstd")]
)
def test_what_python_cannot_unpack_is_named(magic: bytes, name: str) -> None:
    with pytest.raises(InputError, match=f"packed with {name}") as caught:
        parse_kernel(bzimage(magic + bytes(64)))
    assert "vmlinux" in caught.value.help


@pytest.mark.parametrize("packer", PACKERS.values(), ids=PACKERS)
@pytest.mark.parametrize("keep", [20, -10])
def test_truncated_payloads(packer: Callable[[bytes], bytes], keep: int) -> None:
    with pytest.raises(InputError):
        parse_kernel(bzimage(packer(small())[:keep]))


def _bomb_of(packer: object, flush: Callable[[], bytes], compress: Callable[[bytes], bytes]) -> bytes:
    del packer
    out = io.BytesIO()
    for _ in range((MAX_UNPACKED >> 20) + 1):
        out.write(compress(bytes(1 << 20)))
    out.write(flush())
    return out.getvalue()


@pytest.mark.parametrize("kind", ["gzip", "xz"])
def test_a_bomb_is_put_down(kind: str) -> None:
    if kind == "gzip":
        packer = zlib.compressobj(9, wbits=31)
        bomb = _bomb_of(packer, packer.flush, packer.compress)
    else:
        squeezer = lzma.LZMACompressor(preset=0)
        bomb = _bomb_of(squeezer, squeezer.flush, squeezer.compress)
    assert len(bomb) < MAX_UNPACKED // 50
    began = time.monotonic()
    with pytest.raises(InputError, match="more than 64 MiB"):
        parse_kernel(bzimage(bomb))
    assert time.monotonic() - began < 10


def test_a_dictionary_that_wants_gigabytes() -> None:
    greedy = b"\x5d\x00\x00" + struct.pack("<H", 0xC000) + b"\xff" * 8 + bytes(32)
    with pytest.raises(InputError, match="damaged lzma payload"):
        parse_kernel(bzimage(greedy))


def patched(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


@pytest.mark.parametrize(
    ("at", "new", "words"),
    [
        (0, b"\x7fXXX", "neither an ELF file nor a bzImage"),
        (4, b"\x02", "not a 32-bit"),
        (5, b"\x02", "not a 32-bit"),
        (18, b"\x3e", "another architecture"),
        (16, b"\x01", "not linked"),
        (28, b"\xff\xff\xff\x7f", "program headers"),
        (32, b"\xff\xff\xff\x7f", "section headers"),
        (46, b"\x29", "section headers"),
    ],
)
def test_headers_that_lie(at: int, new: bytes, words: str) -> None:
    with pytest.raises(InputError, match=words):
        parse_kernel(patched(small(), at, new))


@pytest.mark.parametrize(
    ("member", "value", "words"),
    [
        (12, 0xFFFFFFFF, "impossibly large"),
        (16, 0x7FFFFFFF, "truncated"),
        (20, 0x7FFFFFFF, "impossibly large"),
        (12, BASE + 0x1000, "overlap"),
    ],
)
def test_section_headers_that_lie(member: int, value: int, words: str) -> None:
    data = small()
    table = struct.unpack_from("<I", data, 32)[0]
    with pytest.raises(InputError, match=words):
        parse_kernel(patched(data, table + 40 + member, struct.pack("<I", value)))


def test_many_sections_of_the_same_bytes_are_not_all_read() -> None:
    data = small()
    table, count = struct.unpack_from("<I", data, 32)[0], 4000
    big = data + bytes(32 << 20)
    headers = b"".join(
        struct.pack("<10I", 0, 1, 2, 0x10000 * index, len(data), 32 << 20, 0, 0, 1, 0) for index in range(count)
    )
    head = struct.pack("<I", len(big)) + data[36:48] + struct.pack("<HH", count, 0)
    del table
    with pytest.raises(InputError, match="impossibly large"):
        parse_kernel(big[:32] + head + big[52:] + headers)


@pytest.mark.parametrize("pieces", [1, 50])
def test_more_findings_than_any_kernel_has(pieces: int) -> None:
    builder = Builder().text(*[Piece(f"f{at}", CLI * (30_000 // pieces)) for at in range(pieces)])
    with pytest.raises(InputError, match="more than 10000 sensitive instructions"):
        builder.lint()


def test_a_stretch_too_long_for_a_function_is_in_doubt() -> None:
    report = Builder().text(Piece("f", CLI + b"\x90" * (1 << 18) + RET)).lint()
    assert one(report, "f+0x0").doubt == "more than 256 KiB without a symbol"


def test_without_section_headers_the_segments_are_read() -> None:
    data = patched(small(), 32, bytes(4))
    report = lint(parse_kernel(patched(data, 48, bytes(4))))
    assert report.findings
    assert all(finding.doubt for finding in report.findings)


@pytest.mark.parametrize("content", [b"", b"\x7fELF", b"x" * 4096])
def test_files_that_are_no_kernels(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "kernel"
    file.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_kernel(file)
    assert caught.value.where == str(file)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for file in (tmp_path, tmp_path / "none", Path("/dev/zero")):
        with pytest.raises(InputError, match="can't be read"):
            read_kernel(file)


def kernel_with_everything() -> bytes:
    """Return a kernel that has every kind of record, for others to damage."""
    records = struct.pack("<IBBH", BASE, 0, 1, 0) * 3
    return (
        Builder(entry=0x00100000)
        .text(
            Piece("f", CLI + RET + b"\x0f\x22\xc0\xe8\0\0\0\0"),
            Piece("vmi_x", b"\xa3\0\0\x10\xc0" + RET),
            Piece("l", CLI, LABEL),
        )
        .part(".parainstructions", BASE + 0x1000, Piece("", records), flags=DATA)
        .part(".pv_inline", BASE + 0x2000, Piece("", records), flags=DATA)
        .part(".vmi.annotation", BASE + 0x3000, Piece("", records), flags=DATA)
        .part(".altinstructions", BASE + 0x4000, Piece("", records), flags=DATA)
        .part(".altinstr_replacement", BASE + 0x5000, Piece("", CLI * 8))
        .part("__ex_table", BASE + 0x6000, Piece("", records), flags=DATA)
        .part(".data", BASE + 0x7000, Piece("pv_irq_ops", struct.pack("<II", BASE, BASE + 1), OBJECT), flags=DATA)
        .elf()
    )


def lints_or_says_why(data: bytes) -> None:
    with contextlib.suppress(InputError):
        lint(parse_kernel(data))


@settings(max_examples=150, deadline=2000)
@given(st.data())
def test_damaged_kernels(data: st.DataObject) -> None:
    content = bytearray(kernel_with_everything())
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(content) - 4))
        value = data.draw(st.one_of(st.sampled_from((0, 1, 0x7FFFFFFF, 0xFFFFFFFF, BASE)), st.integers(0, 0xFFFFFFFF)))
        struct.pack_into("<I", content, at, value)
    lints_or_says_why(bytes(content))


@settings(max_examples=60, deadline=2000)
@given(st.integers(0, 4000))
def test_truncated_kernels(length: int) -> None:
    lints_or_says_why(kernel_with_everything()[:length])


@settings(max_examples=60, deadline=2000)
@given(st.binary(min_size=1, max_size=400))
def test_any_bytes_as_code(code: bytes) -> None:
    """All offsets of a finding lie in the code, and what covers it is not claimed in doubt."""
    report = Builder(entry=0x00100000).text(Piece("f", code), Piece("g", code, LABEL)).lint()
    for finding in report.findings:
        assert BASE <= finding.hit.address < finding.hit.end <= BASE + 2 * len(code)
        assert finding.open or not finding.doubt


@settings(max_examples=60, deadline=2000)
@given(st.binary(max_size=300), st.integers(0x200, 0x20F))
def test_any_bytes_as_payload(payload: bytes, version: int) -> None:
    lints_or_says_why(bzimage(payload, version=version))


# ---- Symbols that Linux carries for itself ----


def kallsyms(names: dict[int, str]) -> bytes:
    """Return the tables as scripts/kallsyms.c writes them, each character its own token."""
    pad = b"\0"

    def aligned(data: bytes) -> bytes:
        return data + pad * (-len(data) % 4)

    entries = [bytes([len(name)]) + name.encode() for name in names.values()]
    markers = b"".join(struct.pack("<I", len(b"".join(entries[:at]))) for at in range(0, len(entries), 256))
    tokens = [bytes([code]) if chr(code).isprintable() and code < 127 else b"xyz" for code in range(256)]
    index = b"".join(struct.pack("<H", sum(len(token) + 1 for token in tokens[:at])) for at in range(256))
    addresses = b"".join(struct.pack("<I", address) for address in names)
    table = addresses + struct.pack("<I", len(names)) + aligned(b"".join(entries)) + markers
    return table + aligned(b"".join(token + pad for token in tokens)) + index


def test_kallsyms() -> None:
    names = {BASE + 16 * at: f"tfunction_{at}" for at in range(300)} | {BASE + 0x8000: "dvariable"}
    section = Section(".rodata", BASE + 0x10000, bytes(64) + kallsyms(names) + bytes(64), code=False)
    found = find_kallsyms(section)
    assert [(symbol.address, symbol.name) for symbol in found[:300]] == [
        (address, name[1:]) for address, name in names.items() if name[0] == "t"
    ]
    assert {symbol.name: symbol.address for symbol in found[300:]} == {
        "kallsyms_addresses": BASE + 0x10000 + 64,
        "kallsyms_num_syms": BASE + 0x10000 + 64 + 4 * 301,
    }


def test_kallsyms_that_contradict_themselves() -> None:
    content = kallsyms({BASE + 16 * at: f"tf{at}" for at in range(300)})
    assert find_kallsyms(Section(".rodata", BASE, content, code=False))
    for at in (len(content) - 1, 4 * 300, 4 * 300 + 4, 7):  # the tokens' offsets, the count, a name, an address
        damaged = content[:at] + bytes([content[at] ^ 0x55]) + content[at + 1 :]
        assert not find_kallsyms(Section(".rodata", BASE, damaged, code=False)), at


def test_a_stripped_kernel_takes_its_symbols_from_there() -> None:
    text = Piece("native_cli", b"\xe8\x0b\0\0\0" + CLI + RET + b"\x90" * 9), Piece("other", CLI + RET)
    table = kallsyms({BASE: "tnative_cli", BASE + 16: "tother"})
    builder = Builder().text(*text).part(".rodata", BASE + 0x1000, Piece("", table), flags=2)
    report = builder.lint(symbols=False)
    assert "kallsyms" in report.notes[0]
    assert [(finding.place, finding.doubt) for finding in report.findings] == [
        ("native_cli+0x5", "nothing is seen to lead there"),
        ("other+0x0", ""),
    ]


def test_a_bare_memory_image() -> None:
    table = {BASE: "tf", BASE + 16: "t_etext", BASE + 32: "t_sinittext", BASE + 48: "t_einittext"}
    image = (b"\xe8\x02\0\0\0\xfa\xc3" + CLI + RET).ljust(64, b"\x90") + kallsyms(table)
    kernel = parse_kernel(bzimage(gzip.compress(image)))
    assert "bare memory image" in kernel.origin
    assert one(lint(kernel), "f+0x7").hit.address == BASE + 7
    with pytest.raises(InputError, match="bare memory image") as caught:
        parse_kernel(bzimage(gzip.compress(image[:64])))
    assert "vmlinux" in caught.value.help


@settings(max_examples=60, deadline=2000)
@given(st.data())
def test_damaged_kallsyms(data: st.DataObject) -> None:
    content = bytearray(kallsyms({BASE + 16 * at: f"tf{at}" for at in range(40)}))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    find_kallsyms(Section(".rodata", BASE, bytes(content), code=False))
