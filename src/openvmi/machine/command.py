# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""From a configuration to the words of QEMU's command line: pure, and printable.

Why the channels are what they are:

* The console is QEMU's own stdin and stdout, and the result channel an inherited pipe. A pipe holds 64 KiB or more
  however small the writes are; a socket counts every one-byte write of the UART as a whole buffer and is full after 278
  of them, and then the guest sees a busy transmitter, which would make instruction counts depend on the host.
* Two QMP monitors: ``events`` is only listened to, by the wait loop, for the reason of a shutdown; ``qmp`` belongs to
  the qemu.qmp library, which is loaded when somebody uses it. Neither disturbs the other.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from .config import Drive, MachineConfig, Nic, StrPath

Option = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Endpoints:
    """File descriptors that QEMU inherits, by their numbers.

    Args:
        result: write end of the result channel's pipe.
        events: socket of the monitor that only tells events.
        qmp: socket of the monitor that takes commands.
        ram: memfd of the guest's RAM, or None when it is not shared.
        shared: memfd of the shared device's memory, or None when there is no such device.
        wake: write end of the pipe behind the device's wake port, or None.
    """

    result: int
    events: int
    qmp: int
    ram: int | None = None
    shared: int | None = None
    wake: int | None = None


def qemu_command(config: MachineConfig, binary: StrPath, accel: str, endpoints: Endpoints | None = None) -> list[str]:
    """Return the argument vector that runs ``config``.

    Args:
        config: the machine.
        binary: QEMU.
        accel: ``tcg`` or ``kvm``, already chosen.
        endpoints: descriptors to use; None gives a command for a person: console on the terminal, result channel on
            stderr, no monitors.
    """
    return [os.fspath(binary), *(word for option in qemu_options(config, accel, endpoints) for word in option)]


def qemu_options(config: MachineConfig, accel: str, endpoints: Endpoints | None = None) -> list[Option]:
    """Return the options of :func:`qemu_command`, each with its value as one entry."""
    return [
        *_board(config, accel, endpoints),
        *_boot(config),
        *(option for index, drive in enumerate(config.drives) for option in _drive(index, drive)),
        *(option for index, nic in enumerate(config.nics) for option in _nic(index, nic)),
        *_shared_device(config, endpoints),
        *(_printable_channels() if endpoints is None else _channels(endpoints)),
        *((argument,) for argument in config.extra_args),
    ]


def shell_line(config: MachineConfig, binary: StrPath, accel: str) -> str:
    """Return the command as a line for a shell, one option and its value on each line."""
    from shlex import join  # noqa: PLC0415 - only when printed

    options = qemu_options(config, accel)
    return " \\\n  ".join([join([os.fspath(binary)]), *(join(option) for option in options)])


def _board(config: MachineConfig, accel: str, endpoints: Endpoints | None) -> list[Option]:
    memory = ",memory-backend=ram" if config.share_memory else ""
    board: list[Option] = [
        ("-nodefaults",),
        ("-no-user-config",),
        ("-display", "none"),
        ("-no-reboot",),  # a reset ends the machine, and the event tells it from a power-off
        ("-machine", f"pc,accel={accel}{memory}"),
        ("-cpu", config.cpu_model),
        ("-smp", f"{config.cpus},sockets={config.cpus},cores=1,threads=1"),
        ("-m", f"{config.memory_mib}M"),
    ]
    if config.share_memory:
        board.append(("-object", _memory_backend(config, endpoints)))
    if config.icount:
        board += [("-icount", "shift=0,sleep=off"), ("-rtc", "base=2026-01-01,clock=vm")]
    return board


def _memory_backend(config: MachineConfig, endpoints: Endpoints | None) -> str:
    if endpoints is None or endpoints.ram is None:
        return f"memory-backend-memfd,id=ram,size={config.memory_mib}M,share=on"
    return f"memory-backend-file,id=ram,size={config.memory_mib}M,mem-path=/proc/self/fd/{endpoints.ram},share=on"


def _boot(config: MachineConfig) -> list[Option]:
    boot: list[Option] = [("-kernel", os.fspath(config.kernel))]
    if config.initrd is not None:
        boot.append(("-initrd", os.fspath(config.initrd)))
    if config.append:
        boot.append(("-append", config.append))
    boot += [("-option-rom", _rom(path)) for path in config.option_roms]
    return boot


def _drive(index: int, drive: Drive) -> list[Option]:
    read_only = "on" if drive.read_only else "off"
    return [
        ("-drive", f"id=disk{index},if=none,format=raw,file={_value(drive.path)},readonly={read_only}"),
        ("-device", f"virtio-blk-pci,drive=disk{index}"),
    ]


def _nic(index: int, nic: Nic) -> list[Option]:
    forwards = "".join(f",hostfwd=tcp:127.0.0.1:{host}-:{guest}" for host, guest in nic.forward)
    restrict = "off" if nic.outside else "on"
    return [
        ("-netdev", f"user,id=net{index},restrict={restrict}{forwards}"),
        # without its boot ROM, which would take the window at 0xC0000 away from ours
        ("-device", f"virtio-net-pci,netdev=net{index},romfile="),
    ]


def _shared_device(config: MachineConfig, endpoints: Endpoints | None) -> list[Option]:
    device = config.shared_device
    if device is None:
        return []
    if endpoints is None or endpoints.shared is None:
        memory = f"memory-backend-memfd,id=shared,size={device.size},share=on"
    else:
        path = f"/proc/self/fd/{endpoints.shared}"
        memory = f"memory-backend-file,id=shared,size={device.size},mem-path={path},share=on"
    # function 1 without a function 0: see config.SharedDevice; QEMU saves the memory of a master alone, and a machine
    # that is saved while it is stopped goes on when it is loaded, if the file does not say how it was
    stopped = ("-global", "migration.store-global-state=off")
    options: list[Option] = [
        stopped,
        ("-object", memory),
        ("-device", "ivshmem-plain,memdev=shared,master=on,addr=1e.1"),
    ]
    if device.wake_port:
        if endpoints is None or endpoints.wake is None:
            options.append(("-chardev", "null,id=wake"))
        else:
            options += [
                ("-add-fd", f"fd={endpoints.wake},set=2"),
                ("-chardev", "file,id=wake,path=/dev/fdset/2,append=on"),
            ]
        options.append(("-device", f"isa-debugcon,chardev=wake,iobase={device.wake_port:#x}"))
    return options


def _channels(endpoints: Endpoints) -> list[Option]:
    return [
        ("-add-fd", f"fd={endpoints.result},set=1"),
        ("-chardev", "stdio,id=console,signal=off"),
        ("-chardev", "file,id=result,path=/dev/fdset/1,append=on"),
        ("-serial", "chardev:console"),
        ("-serial", "chardev:result"),
        ("-chardev", f"socket,id=events,fd={endpoints.events}"),
        ("-mon", "chardev=events,mode=control"),
        ("-chardev", f"socket,id=qmp,fd={endpoints.qmp}"),
        ("-mon", "chardev=qmp,mode=control"),
    ]


def _printable_channels() -> list[Option]:
    return [
        ("-chardev", "stdio,id=console"),
        ("-chardev", "file,id=result,path=/dev/stderr,append=on"),
        ("-serial", "chardev:console"),
        ("-serial", "chardev:result"),
    ]


def _rom(path: StrPath) -> str:
    # without its name, a value that holds an equals sign would be taken for another option
    return ("romfile=" if "=" in os.fspath(path) else "") + _value(path)


def _value(path: StrPath) -> str:
    """Write a path as the value of a sub-option, where a comma is written twice."""
    return os.fspath(path).replace(",", ",,")
