# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What is told about kernels, initrds and ROMs before anything starts."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openvmi.errors import ExitCode, InputError, OpenVmiError, UsageError
from openvmi.machine import Drive, MachineConfig, check_inputs, inspect_kernel

from .builders import bzimage, elf32, multiboot, multiboot_header, option_rom

LONG_MODE = b"\x90" * 64 + bytes.fromhex("b9800000c0 0f32 0fbae808 0f30") + b"\x90" * 4016


@pytest.fixture
def write(tmp_path: Path) -> Callable[[bytes], Path]:
    def write_file(data: bytes) -> Path:
        path = tmp_path / "file"
        path.write_bytes(data)
        return path

    return write_file


def test_bzimage_is_understood(write: Callable[[bytes], Path]) -> None:
    info = inspect_kernel(write(bzimage()))
    assert (info.kind, info.version, info.needs) == ("bzImage", "2.6.32 test", 0x300000)
    assert (info.append_limit, info.initrd_limit) == (2047, 0x7FFFFFFF)


def test_old_protocol_has_old_limits(write: Callable[[bytes], Path]) -> None:
    info = inspect_kernel(write(bzimage(version=0x202)))
    assert (info.append_limit, info.initrd_limit, info.needs) == (255, 0x37FFFFFF, 0x101000)


def test_no_setup_sectors_mean_four(write: Callable[[bytes], Path]) -> None:
    assert inspect_kernel(write(bzimage(setup_sects=0))).kind == "bzImage"


def test_unpadded_bzimage_is_whole(write: Callable[[bytes], Path]) -> None:
    assert inspect_kernel(write(bzimage(syssize=257)[:-15] + bytes(16))).kind == "bzImage"


def test_gzip_payload_tells_the_unpacked_size(write: Callable[[bytes], Path]) -> None:
    image = bytearray(bzimage(version=0x209))
    start = 5 * 512 + 16
    struct.pack_into("<II", image, 0x248, 16, 1000)
    image[start : start + 2] = b"\x1f\x8b"
    struct.pack_into("<I", image, start + 996, 5000)
    assert inspect_kernel(write(bytes(image))).needs == 0x100000 + 5000
    struct.pack_into("<I", image, start + 996, 0xFFFFFFFF)
    assert inspect_kernel(write(bytes(image))).needs == 0x101000


def test_multiboot_is_understood(write: Callable[[bytes], Path]) -> None:
    info = inspect_kernel(write(multiboot(memory=0x5000)))
    assert (info.kind, info.needs) == ("multiboot", 0x105000)


def test_multiboot_with_addresses_needs_no_elf(write: Callable[[bytes], Path]) -> None:
    addresses = struct.pack("<5I", 0x100000, 0x100000, 0, 0x180000, 0x100020)
    info = inspect_kernel(write(multiboot_header(1 << 16) + addresses + bytes(100)))
    assert info.needs == 0x180000


BAD_KERNELS = {
    "truncated": (bzimage()[:-16], "truncated bzImage: 6640 bytes, and its header announces 6656"),
    "ends in header": (bzimage()[:0x206], "truncated bzImage: it ends in its setup header"),
    "protocol": (bzimage(version=0x201), "boot protocol 2.01 is too old"),
    "64-bit flag": (bzimage(version=0x20C, xloadflags=1), "a 64-bit kernel, and this is a 32-bit machine"),
    "64-bit code": (bzimage(system=LONG_MODE), "a 64-bit kernel, and this is a 32-bit machine"),
    "64-bit elf": (multiboot(bits=2, machine=62), "a 64-bit ELF kernel, and this is a 32-bit machine"),
    "arm": (multiboot(machine=40), "for another architecture (machine 40)"),
    "elf without header": (elf32(bytes(64)), "a 32-bit ELF file without a multiboot 1 header"),
    "wrong checksum": (elf32(multiboot_header(checksum=0)), "without a multiboot 1 header"),
    "late header": (elf32(multiboot_header(), offset=8192), "without a multiboot 1 header"),
    "cut segment": (multiboot()[:-1], "a truncated ELF kernel: 4108 bytes, and segment 0 ends at 4109"),
    "bare header": (multiboot_header() + bytes(100), "without load addresses, in a file that is not ELF"),
    "impossible": (
        multiboot_header(1 << 16) + struct.pack("<5I", 0x1000, 0x2000, 0, 0, 0) + bytes(99),
        "load addresses are impossible",
    ),
    "cut addresses": (multiboot_header(1 << 16), "it ends in its header"),
    "past the file": (
        multiboot_header(1 << 16) + struct.pack("<5I", 0x1000, 0x1000, 0x9000, 0, 0) + bytes(99),
        "it ends before its load address does",
    ),
    "gzip": (b"\x1f\x8b\x08" + bytes(99), "not a kernel: a gzip file"),
    "cpio": (b"070701" + bytes(99), "a cpio archive (an initrd?)"),
    "rom": (option_rom(), "an option ROM"),
    "text": (b"hello\n", "a text file"),
    "zeros": (bytes(9000), "unknown data"),
    "disk": (bytes(510) + b"\x55\xaa", "a boot sector or disk image"),
    "empty": (b"", "the kernel is empty"),
}


@pytest.mark.parametrize("name", BAD_KERNELS)
def test_bad_kernel_is_told_apart(name: str, write: Callable[[bytes], Path]) -> None:
    data, message = BAD_KERNELS[name]
    with pytest.raises(InputError) as caught:
        inspect_kernel(write(data))
    assert message in str(caught.value)
    assert caught.value.exit_code == ExitCode.USAGE


def test_missing_and_odd_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        inspect_kernel(tmp_path / "none")
    with pytest.raises(InputError, match="Is a directory"):
        inspect_kernel(tmp_path)
    with pytest.raises(InputError, match="can't read the kernel"):
        inspect_kernel("a\0b")


@pytest.mark.timeout(5)
@pytest.mark.parametrize("place", ["kernel", "initrd", "option_roms", "drives"])
def test_a_pipe_is_not_waited_for(place: str, kernel: Path, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    value = {"option_roms": (fifo,), "drives": (Drive(path=fifo),)}.get(place, fifo)
    with pytest.raises(InputError, match="it is a pipe or a device, not a file"):
        check_inputs(config(**{"kernel": kernel, place: value}))


def test_a_table_of_large_entries_is_not_read(write: Callable[[bytes], Path]) -> None:
    image = bytearray(multiboot())
    struct.pack_into("<HH", image, 42, 0xFFFF, 0xFFFF)
    path = write(bytes(image))
    os.truncate(path, 5 << 30)
    with pytest.raises(InputError, match="no room for its program headers"):
        inspect_kernel(path)


@pytest.fixture(scope="session")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("noise") / "file"


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 700), st.sampled_from([bzimage(), multiboot()]), st.integers(0, 5000))
def test_damaged_kernels_give_an_answer(scratch: Path, noise: bytes, offset: int, good: bytes, length: int) -> None:
    data = bytearray(good)
    data[offset : offset + len(noise)] = noise
    scratch.write_bytes(data[: len(data) - length])
    try:
        info = inspect_kernel(scratch)
    except InputError:
        return
    assert info.needs >= 0


def config(kernel: object, **changes: object) -> MachineConfig:
    return MachineConfig(kernel=kernel, **changes)  # type: ignore[arg-type] # checked by each test's use


def test_memory_too_small_for_the_kernel(write: Callable[[bytes], Path]) -> None:
    with pytest.raises(UsageError, match="8 MiB of memory are too small") as caught:
        check_inputs(config(write(bzimage(init_size=9 << 20)), memory_mib=8))
    assert caught.value.help == "give at least 10 MiB"


def test_help_is_given_only_when_there_is_any(write: Callable[[bytes], Path], tmp_path: Path) -> None:
    path = write(multiboot(memory=0xD0000000))
    with pytest.raises(UsageError, match="4096 MiB of memory are too small") as caught:
        check_inputs(config(path, memory_mib=4096))
    assert caught.value.help == "give at least 3329 MiB, and at most 3583"
    check_inputs(config(path, memory_mib=3583))
    with pytest.raises(UsageError) as caught:
        check_inputs(config(write(multiboot(memory=0xFFF00000 - 0x100000)), memory_mib=64))
    assert caught.value.help.startswith("no amount of memory is enough")
    initrd = tmp_path / "initrd"
    initrd.touch()
    os.truncate(initrd, 1 << 40)
    with pytest.raises(UsageError) as caught:
        check_inputs(config(write(multiboot()), initrd=initrd))
    assert caught.value.help.startswith("no amount of memory is enough")


@pytest.mark.parametrize("name", ["a b", "a,b"])
def test_initrd_of_a_multiboot_kernel_is_a_list_to_qemu(
    name: str, kernel: Path, tmp_path: Path, write: Callable[[bytes], Path]
) -> None:
    initrd = tmp_path / name
    initrd.write_bytes(b"x")
    with pytest.raises(UsageError, match="can't have blanks or commas"):
        check_inputs(config(kernel, initrd=initrd))
    check_inputs(config(write(bzimage()), initrd=initrd))


@pytest.mark.parametrize("place", ["kernel", "initrd", "option_roms", "drives"])
def test_console_is_not_written_over_an_input(place: str, kernel: Path, tmp_path: Path) -> None:
    file, link = tmp_path / "in", tmp_path / "link"
    file.write_bytes(kernel.read_bytes() if place == "kernel" else option_rom())
    link.hardlink_to(file)
    value = {"option_roms": (file,), "drives": (Drive(path=file),)}.get(place, file)
    with pytest.raises(UsageError, match="one of the machine's own files"):
        check_inputs(config(**{"kernel": kernel, place: value, "console_log": link}))
    check_inputs(config(**{"kernel": kernel, place: value, "console_log": tmp_path / "new"}))


def test_initrd_larger_than_memory(kernel: Path, tmp_path: Path) -> None:
    initrd = tmp_path / "initrd"
    initrd.touch()
    with pytest.raises(InputError, match="the initrd is empty"):
        check_inputs(config(kernel, initrd=initrd))
    with initrd.open("wb") as file:
        file.truncate(9 << 20)
    with pytest.raises(UsageError, match="an initrd of 9437184 bytes is larger than the memory of 8 MiB") as caught:
        check_inputs(config(kernel, initrd=initrd, memory_mib=8))
    assert "give at least" in caught.value.help
    with pytest.raises(UsageError, match="no room for kernel and initrd"):
        check_inputs(config(kernel, initrd=initrd, memory_mib=10))
    check_inputs(config(kernel, initrd=initrd, memory_mib=16))


def test_initrd_above_what_the_kernel_takes(write: Callable[[bytes], Path], tmp_path: Path) -> None:
    initrd = tmp_path / "initrd"
    initrd.write_bytes(bytes(2 << 20))
    with pytest.raises(UsageError, match="no room") as caught:
        check_inputs(config(write(bzimage(initrd_max=0x3FFFFF)), initrd=initrd))
    assert caught.value.help == "this kernel takes an initrd only below 0x3fffff"


def test_the_help_for_an_initrd_is_enough(kernel: Path, tmp_path: Path) -> None:
    initrd = tmp_path / "initrd"
    with initrd.open("wb") as file:
        file.truncate(20 << 20)
    with pytest.raises(UsageError) as caught:
        check_inputs(config(kernel, initrd=initrd, memory_mib=8))
    check_inputs(config(kernel, initrd=initrd, memory_mib=int(caught.value.help.split()[3])))


def test_append_in_any_encoding(write: Callable[[bytes], Path]) -> None:
    path = write(bzimage(cmdline_size=3))
    check_inputs(config(path, append=os.fsdecode(b"\xff\xfe\xfd")))
    with pytest.raises(UsageError, match="has 4 bytes"):
        check_inputs(config(path, append="\u20acx"))


def test_append_longer_than_the_kernel_takes(write: Callable[[bytes], Path]) -> None:
    path = write(bzimage())
    check_inputs(config(path, append="x" * 2047))
    with pytest.raises(UsageError, match="has 2048 bytes, and this kernel takes 2047"):
        check_inputs(config(path, append="x" * 2048))


BAD_ROMS = {
    "not one": (b"\x7fELF" + bytes(999), "does not begin with 55 AA"),
    "short": (option_rom()[:1000], "its header says 2048 bytes, it has 1000"),
    "no length": (b"\x55\xaa\0" + bytes(99), "its header says 0 bytes"),
    "checksum": (option_rom()[:-1] + b"\x99", "wrong checksum"),
    "too large": (option_rom(0x20000), "too large for an option ROM"),
}


@pytest.mark.parametrize("name", BAD_ROMS)
def test_bad_rom_is_refused(name: str, kernel: Path, tmp_path: Path) -> None:
    data, message = BAD_ROMS[name]
    rom = tmp_path / "rom"
    rom.write_bytes(data)
    with pytest.raises(InputError, match=message):
        check_inputs(config(kernel, option_roms=(rom,)))


def test_roms_share_the_window(kernel: Path, tmp_path: Path) -> None:
    rom = tmp_path / "rom"
    rom.write_bytes(option_rom(0x8000))
    check_inputs(config(kernel, option_roms=(rom,) * 3))
    with pytest.raises(UsageError, match="131072 bytes together"):
        check_inputs(config(kernel, option_roms=(rom,) * 4))


def test_drive_has_whole_sectors(kernel: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.write_bytes(bytes(1000))
    with pytest.raises(InputError, match="whole sectors"):
        check_inputs(config(kernel, drives=(Drive(path=disk),)))
    with pytest.raises(InputError, match="can't read the disk image"):
        check_inputs(config(kernel, drives=(Drive(path=tmp_path / "none"),)))


@pytest.mark.parametrize(
    "changes",
    [
        {"memory_mib": 0},
        {"memory_mib": 1 << 20},
        {"cpus": 0},
        {"cpus": 65},
        {"accel": "hvf"},
        {"paging": "none"},
        {"timeout": 0.0},
        {"timeout": float("nan")},
        {"timeout": float("inf")},
        {"append": "a\0b"},
        {"append": "\ud800"},
        {"append": b"x"},
        {"memory_mib": 128.5},
        {"memory_mib": "128"},
        {"exit_grace": float("nan")},
        {"exit_grace": float("inf")},
        {"exit_grace": -1},
        {"timeout": "5"},
        {"console_log": "a\0b"},
        {"qemu": "a\0b"},
        {"initrd": 7},
        {"extra_args": ("a\0b",)},
        {"extra_args": "-s"},
        {"option_roms": "file"},
        {"option_roms": (3,)},
        {"drives": ("disk",)},
        {"cpu_model": None},
    ],
    ids=str,
)
def test_numbers_out_of_range(changes: dict[str, object]) -> None:
    with pytest.raises(OpenVmiError) as caught:
        config(Path("kernel"), **changes)
    assert caught.value.exit_code == ExitCode.USAGE
