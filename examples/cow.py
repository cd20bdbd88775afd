# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Who makes which page writable: function and task.

openvmi run --hypervisor examples/cow.py --append '-- check'
"""

from openvmi.hypervisor import GuestMemoryError, Hypervisor, Vcpu

WRITABLE, USER, BOTH = 2, 4, 7  # bits of an entry; both and present


class Cow(Hypervisor):
    """Logs each entry for a program's page that becomes writable, and was there before without being so."""

    def set_pxe(self, vcpu: Vcpu, value: int, entry: int, flags: int) -> None:
        """Compare with what is there."""
        if flags & 1 and value & BOTH == BOTH:  # of a page table, not of a directory
            try:
                before = vcpu.memory.entry(entry)
            except GuestMemoryError:
                return  # a table that is not mapped where the kernel says: nothing to compare with
            if not before & WRITABLE:
                was = f"was read-only at {before & ~0xFFF & 0xFFFFFFFF:#x}" if before & 1 else "is new"
                print(f"{vcpu.task} {vcpu.function}: page {value & ~0xFFF & (1 << 52) - 1:#x} is writable, {was}")

    def set_pxe_long(self, vcpu: Vcpu, value: int, entry: int, flags: int) -> None:
        """Do the same with PAE."""
        self.set_pxe(vcpu, value, entry, flags)
