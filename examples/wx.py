# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""No page of a program is both writable and executable.

    openvmi run --kernel guest-pae --cpu qemu32,+nx --hypervisor examples/wx.py

Only with PAE on a CPU that has no-execute pages; without, each page that can be read can be executed, and this
hypervisor says so and does nothing. A writable page loses the right to be executed: who jumps there is killed.
"""

from openvmi.hypervisor import Continue, Hypervisor, Vcpu

WX = 7  # present, writable, user: executable as well, unless NO_EXECUTE is set
NO_EXECUTE = 1 << 63


class WriteXorExecute(Hypervisor):
    """Sets the no-execute bit of each writable page of a program, once the kernel itself has used that bit."""

    refused = 0
    works = False  # the bit is reserved, and faults, in a kernel that has not switched it on

    def set_pxe_long(self, vcpu: Vcpu, value: int, entry: int, flags: int) -> Continue | None:
        """Change an entry before it is written."""
        self.works = self.works or bool(value & NO_EXECUTE)
        if not (self.works and flags & 1 and value & WX == WX and not value & NO_EXECUTE):
            return None
        self.refused += 1
        print(f"refused: {vcpu.task} {vcpu.function}: writable and executable, entry {entry:#x}")
        return Continue(value=value | NO_EXECUTE)

    def update_pxe_long(self, vcpu: Vcpu, entry: int, flags: int) -> None:
        """Change an entry that the kernel has written itself; it flushes the TLB afterwards."""
        changed = self.set_pxe_long(vcpu, vcpu.memory.entry(entry), entry, flags)
        if changed is not None:
            vcpu.memory.write_entry(entry, changed.arguments["value"])

    def stopped(self, outcome: object) -> None:
        """Say what it came to."""
        del outcome
        print(
            f"wx: {self.refused} refused"
            if self.works
            else "wx: no PAE, or no no-execute bit: nothing could be refused"
        )
