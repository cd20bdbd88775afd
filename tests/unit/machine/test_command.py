# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU's command line, word by word."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from openvmi.errors import UsageError
from openvmi.machine import Drive, MachineConfig, Nic, SharedDevice, qemu_command, shell_line
from openvmi.machine.command import Endpoints, qemu_options

ENDS = Endpoints(result=10, events=11, qmp=12, ram=13)
BINARY = Path("/bin/qemu")


def test_plain_machine() -> None:
    config = MachineConfig(kernel="k", append="a b")
    assert qemu_command(config, BINARY, "tcg", ENDS) == [
        "/bin/qemu",
        *("-nodefaults", "-no-user-config"),
        *("-display", "none"),
        "-no-reboot",
        *("-machine", "pc,accel=tcg"),
        *("-cpu", "qemu32"),
        *("-smp", "1,sockets=1,cores=1,threads=1"),
        *("-m", "128M"),
        *("-kernel", "k"),
        *("-append", "a b"),
        *("-add-fd", "fd=10,set=1"),
        *("-chardev", "stdio,id=console,signal=off"),
        *("-chardev", "file,id=result,path=/dev/fdset/1,append=on"),
        *("-serial", "chardev:console"),
        *("-serial", "chardev:result"),
        *("-chardev", "socket,id=events,fd=11"),
        *("-mon", "chardev=events,mode=control"),
        *("-chardev", "socket,id=qmp,fd=12"),
        *("-mon", "chardev=qmp,mode=control"),
    ]


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"cpus": 4}, [("-smp", "4,sockets=4,cores=1,threads=1")]),
        ({"icount": True}, [("-icount", "shift=0,sleep=off"), ("-rtc", "base=2026-01-01,clock=vm")]),
        (
            {"share_memory": True},
            [
                ("-machine", "pc,accel=tcg,memory-backend=ram"),
                ("-object", "memory-backend-file,id=ram,size=128M,mem-path=/proc/self/fd/13,share=on"),
            ],
        ),
        ({"initrd": Path("i,j")}, [("-initrd", "i,j")]),
        ({"option_roms": ("a,b", "c")}, [("-option-rom", "a,,b"), ("-option-rom", "c")]),
        ({"option_roms": ("a=b,c",)}, [("-option-rom", "romfile=a=b,,c")]),
        (
            {"drives": (Drive(path="d,1", read_only=True),)},
            [
                ("-drive", "id=disk0,if=none,format=raw,file=d,,1,readonly=on"),
                ("-device", "virtio-blk-pci,drive=disk0"),
            ],
        ),
        (
            {"nics": (Nic(forward=((8080, 80),)),)},
            [
                ("-netdev", "user,id=net0,restrict=on,hostfwd=tcp:127.0.0.1:8080-:80"),
                ("-device", "virtio-net-pci,netdev=net0,romfile="),
            ],
        ),
        ({"nics": (Nic(outside=True),)}, [("-netdev", "user,id=net0,restrict=off")]),
        ({"extra_args": ("-d", "int")}, [("-d",), ("int",)]),
    ],
    ids=lambda value: str(value)[:40],
)
def test_option(changes: dict[str, object], wanted: list[tuple[str, ...]]) -> None:
    options = qemu_options(MachineConfig(kernel="k", **changes), "tcg", ENDS)  # type: ignore[arg-type] # rows of a table
    assert [option for option in options if option in wanted] == wanted


def test_shell_line_is_for_people() -> None:
    line = shell_line(MachineConfig(kernel="a b", append="it's", share_memory=True), BINARY, "tcg")
    words = shlex.split(line.replace("\\\n", ""))
    assert words == qemu_command(MachineConfig(kernel="a b", append="it's", share_memory=True), BINARY, "tcg")
    assert "fd=" not in line
    assert "stdio,id=console" in words
    assert "\n  -kernel 'a b' \\\n" in line


def test_shared_device() -> None:
    config = MachineConfig(kernel="k", shared_device=SharedDevice(size=1 << 20, wake_port=0x5A0))
    ends = Endpoints(result=10, events=11, qmp=12, shared=14, wake=15)
    options = qemu_options(config, "tcg", ends)
    memory = f"memory-backend-file,id=shared,size={1 << 20},mem-path=/proc/self/fd/14,share=on"
    wanted = [
        ("-global", "migration.store-global-state=off"),
        ("-object", memory),
        ("-device", "ivshmem-plain,memdev=shared,master=on,addr=1e.1"),
        ("-add-fd", "fd=15,set=2"),
        ("-chardev", "file,id=wake,path=/dev/fdset/2,append=on"),
        ("-device", "isa-debugcon,chardev=wake,iobase=0x5a0"),
    ]
    start = options.index(wanted[0])
    assert options[start : start + len(wanted)] == wanted
    assert "ivshmem-plain" in shell_line(config, BINARY, "tcg")


@pytest.mark.parametrize(("size", "port"), [(0, 0), (4095, 0), (12288, 0), (4096, -1), (4096, 0x10000)])
def test_shared_device_out_of_range(size: int, port: int) -> None:
    with pytest.raises(UsageError):
        SharedDevice(size=size, wake_port=port)
