# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A program of its own, started by ``accel`` with a time limit: what KVM makes of 32-bit guests.

Prints one line: nanoseconds per instruction with legacy paging, then with PAE paging (``-``: does not run), and what
went wrong, if anything.

For each mode it sets paging on with long mode off, reads the registers back (some KVMs drop the bit), and times a
loop of 2000 iterations that ends in an OUT. Structures and numbers: Linux Documentation/virt/kvm/api.rst.
"""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import struct
import sys
import time

_GET_VCPU_MMAP_SIZE = 0xAE04
_CREATE_VM = 0xAE01
_CREATE_VCPU = 0xAE41
_RUN = 0xAE80
_SET_USER_MEMORY_REGION = 0x4020AE46
_SET_TSS_ADDR = 0xAE47
_SET_REGS = 0x4090AE82
_GET_SREGS = 0x8138AE83
_SET_SREGS = 0x4138AE84
_EXIT_IO = 2

_RAM = 0x400000
_CODE = 0x5000
_LOOPS = 2000
_INSTRUCTIONS = 2 * _LOOPS
# mov ecx, 2000; 1: dec ecx; jnz 1b; out 0x80, al; hlt
_PROGRAM = b"\xb9" + struct.pack("<I", _LOOPS) + b"\x49\x75\xfd\xe6\x80\xf4"

_PE, _PG = 1, 1 << 31
_PSE, _PAE = 1 << 4, 1 << 5
_SREGS_SIZE = 312
_CR0 = 224
_CR3 = 240
_CR4 = 248
_EFER = 264


def _segment(kind: int) -> bytes:
    """Return a flat 32-bit segment of type ``kind``: base, limit, selector, type, present, dpl, db, s, l, g, avl."""
    return struct.pack("<QIH10B", 0, 0xFFFFFFFF, 8 if kind == 11 else 16, kind, 1, 0, 1, 1, 0, 1, 0, 0, 0)


def _fill(ram: mmap.mmap) -> None:
    """Write the program and identity maps of the first megabytes: legacy at 0x1000, PAE at 0x2000 and 0x3000."""
    ram[_CODE : _CODE + len(_PROGRAM)] = _PROGRAM
    ram[0x1000:0x1004] = struct.pack("<I", 0x83)  # one 4 MiB page, writable
    ram[0x2000:0x2008] = struct.pack("<Q", 0x3000 | 1)
    ram[0x3000:0x3010] = struct.pack("<QQ", 0x83, 0x200083)  # two 2 MiB pages


def _machine() -> tuple[int, mmap.mmap, mmap.mmap]:
    """Make a VM with one CPU; return the CPU's descriptor, its run page and the RAM."""
    kvm = os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC)
    vm = fcntl.ioctl(kvm, _CREATE_VM, 0)
    fcntl.ioctl(vm, _SET_TSS_ADDR, 0x7FFB0000)
    ram = mmap.mmap(-1, _RAM)
    _fill(ram)
    address = ctypes.addressof(ctypes.c_char.from_buffer(ram))
    fcntl.ioctl(vm, _SET_USER_MEMORY_REGION, struct.pack("<IIQQQ", 0, 0, 0, _RAM, address))
    cpu = fcntl.ioctl(vm, _CREATE_VCPU, 0)
    run = mmap.mmap(cpu, fcntl.ioctl(kvm, _GET_VCPU_MMAP_SIZE, 0))
    return cpu, run, ram


def _enter_mode(cpu: int, cr3: int, cr4: int) -> bool:
    """Turn 32-bit paging on; say whether it stayed on."""
    sregs = bytearray(_SREGS_SIZE)
    fcntl.ioctl(cpu, _GET_SREGS, sregs)
    sregs[0:24] = _segment(11)
    for index in range(1, 6):
        sregs[24 * index : 24 * index + 24] = _segment(3)
    for offset, value in ((_CR0, _PE | _PG | 0x10), (_CR3, cr3), (_CR4, cr4), (_EFER, 0)):
        struct.pack_into("<Q", sregs, offset, value)
    fcntl.ioctl(cpu, _SET_SREGS, bytes(sregs))
    back = bytearray(_SREGS_SIZE)
    fcntl.ioctl(cpu, _GET_SREGS, back)
    return bool(struct.unpack_from("<Q", back, _CR0)[0] & _PG)


def _time_loop(cpu: int, run: mmap.mmap) -> float | None:
    """Run the loop three times; return the best nanoseconds per instruction, None when it does not get to its end."""
    best = None
    for _ in range(3):
        regs = [0] * 18
        regs[16:18] = [_CODE, 2]
        fcntl.ioctl(cpu, _SET_REGS, struct.pack("<18Q", *regs))
        start = time.perf_counter_ns()
        fcntl.ioctl(cpu, _RUN, 0)
        cost = (time.perf_counter_ns() - start) / _INSTRUCTIONS
        if struct.unpack_from("<I", run, 8)[0] != _EXIT_IO:
            return None
        fcntl.ioctl(cpu, _SET_REGS, struct.pack("<18Q", *regs))
        best = cost if best is None else min(best, cost)
    return best


def _probe(cr3: int, cr4: int) -> str:
    try:
        cpu, run, _ram = _machine()
        cost = _time_loop(cpu, run) if _enter_mode(cpu, cr3, cr4) else None
    except OSError as error:
        if error.filename:  # /dev/kvm itself
            raise
        return "-"
    return "-" if cost is None else f"{cost:.1f}"


def main() -> None:
    """Print the line."""
    try:
        line = f"{_probe(0x1000, _PSE)} {_probe(0x2000, _PAE)} "
    except OSError as error:
        line = f"- - KVM can't be used: {error.strerror}"
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
