# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The rules that executing a ROM can break, as data. Those of the image's layout are :mod:`openvmi.rom.rules`.

To add a rule: a line in :data:`RULES`, a ``yield`` of its name where it is judged, and a ROM that breaks it and no
other in the tests.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Args:
        id: short name, stable.
        text: the rule, as a sentence.
        sections: of ``vmi-abi.md``; none where each call's own sections say it.
    """

    id: str
    text: str
    sections: tuple[str, ...] = ()


_ALL = (
    Rule("init-answer", "vmi_init returns 0 or -1, whatever the registers hold", ("2.4", "10.1")),
    Rule("answer-type", "a relocation is of a type that a guest can take for this call", ("2.6", "2.7", "3.5")),
    Rule("answer-missing", "a ROM that is active serves what a guest can't do without", ("3.5", "10.1")),
    Rule("answer-group", "calls that belong together are there all or not at all", ("3.5", "10.1")),
    Rule("moved", "the image runs at the address that init is told, where guests of 2006 copy it", ("1.9", "5.1")),
    Rule("answer-target", "a relocation leads into the image, past its header, or into the hole", ("1.9", "2.6")),
    Rule("answer-reserved", "bits 40 to 63 of a relocation are 0", ("2.6",)),
    Rule("answer-unknown", "numbers that are no call are answered NONE", ("10.1",)),
    Rule("answer-stable", "the same question has the same answer", ("2.4", "10.1")),
    Rule("fault", "the code does not fault", ("2.10", "10.1")),
    Rule("endless", "the code comes to an end", ("10.1",)),
    Rule("returned", "a call that does not return does not return"),
    Rule("not-returned", "a call that returns does so, to its caller", ("2.1",)),
    Rule("result", "the result is what the call promises"),
    Rule("effect", "the call does what it promises"),
    Rule("side-effect", "control registers and tables change only by the calls for them"),
    Rule("memory", "no memory changes but what the call is for", ("2.1", "2.2")),
    Rule("rom-written", "the ROM does not write to itself: its window is read-only after POST", ("1.9",)),
    Rule("registers", "registers outside the call's clobbers are kept", ("2.1", "2.2")),
    Rule("flags", "arithmetic flags are kept by calls that don't clobber them", ("2.2",)),
    Rule("system-flags", "IF, IOPL, DF and the other system flags change only by the calls for them", ("2.1", "4.8")),
    Rule("segments-kept", "segment registers are kept", ("2.1",)),
    Rule("segments-assumed", "only the promised segments are relied on", ("2.1", "2.2")),
    Rule("stack-balance", "the return is a plain RET: the caller removes the arguments", ("2.1",)),
    Rule("stack-above", "nothing above the arguments on the stack is touched", ("2.1",)),
    Rule("half-written", "a present entry is never seen half written", ("4.5", "10.1")),
    Rule("entry-form", "the code takes the stack as its relocation type says", ("2.5", "9.14")),
    Rule("transfer", "IRET and SYSEXIT arrive where they are sent, with the flags and the stack given", ("2.5",)),
    Rule("atomic", "no interrupt can come between enabling interrupts and the end of the call", ("2.5", "4.8")),
)
RULES = {rule.id: rule for rule in _ALL}
"""Every rule by its name, in the order of the checks."""
