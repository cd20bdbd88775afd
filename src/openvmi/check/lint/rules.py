# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The instructions that matter, as data, and how the decoder names them.

Sources: ``vmi-abi.md`` 4.16 for the sensitive ones, Intel SDM volume 2 (each instruction's "Protected Mode Exceptions")
and volume 3, 5.9 for the privileged ones. To add one: a rule in :data:`RULES`, and its names in :data:`_MNEMONICS` or
:data:`_CODES`; a test assembles each.
"""

from __future__ import annotations

from functools import cache

from iced_x86 import Code, Mnemonic, OpCodeInfo, Register

from .model import Effect, Rule

_T, _S, _D = Effect.TRAPS, Effect.SILENT, Effect.DEPENDS
_C = "vmi-abi.md 4.16"
_P = "Intel SDM 3, 5.9"
_IOPL = "Intel SDM 1, 19.5"
_2 = "Intel SDM 2"

_SELECTOR_FAULT = "may fault on a wrong RPL: the kernel's CPL is not 0"

RULES = (
    Rule("cli", _T, "clears IF, which needs CPL <= IOPL", _IOPL, "DisableInterrupts"),
    Rule("sti", _T, "sets IF, which needs CPL <= IOPL", _IOPL, "EnableInterrupts"),
    Rule("in", _T, "reads a port, which needs CPL <= IOPL", _IOPL, "IN"),
    Rule("out", _T, "writes a port, which needs CPL <= IOPL", _IOPL, "OUT"),
    Rule("hlt", _T, "privileged", _P, "Halt"),
    Rule("lgdt", _T, "privileged", _P, "SetGDT"),
    Rule("lidt", _T, "privileged", _P, "SetIDT"),
    Rule("lldt", _T, "privileged", _P, "SetLDT"),
    Rule("ltr", _T, "privileged", _P, "SetTR"),
    Rule("lmsw", _T, "privileged", _P, "SetCR0"),
    Rule("clts", _T, "privileged", _P, "CLTS"),
    Rule("mov-to-cr", _T, "privileged", _P, "SetCR0, SetCR2, SetCR3, SetCR4"),
    Rule("mov-from-cr", _T, "privileged", _P, "GetCR0, GetCR2, GetCR3, GetCR4"),
    Rule("mov-to-dr", _T, "privileged", _P, "SetDR"),
    Rule("mov-from-dr", _T, "privileged", _P, "GetDR"),
    Rule("invlpg", _T, "privileged", _P, "InvalPage"),
    Rule("invd", _T, "privileged", _P, "WBINVD"),
    Rule("wbinvd", _T, "privileged", _P, "WBINVD"),
    Rule("rdmsr", _T, "privileged", _P, "RDMSR"),
    Rule("wrmsr", _T, "privileged", _P, "WRMSR"),
    Rule("sysexit", _T, "privileged", _P, "SYSEXIT"),
    Rule("sysret", _T, "privileged", _P),
    Rule("monitor", _T, "privileged: an invalid opcode elsewhere", _2),
    Rule("mwait", _T, "privileged: an invalid opcode elsewhere", _2),
    Rule("privileged", _T, "privileged", _2),
    Rule("pushf", _S, "shows the hardware's IF, always 1, and another IOPL", _C, "GetInterruptMask"),
    Rule("popf", _S, "can't change IF and IOPL, and does not say so", _C, "SetInterruptMask, SetIOPLMask"),
    Rule("sgdt", _S, "shows the shadow table's place and size", _C, "GetGDT"),
    Rule("sidt", _S, "shows the shadow table's place and size", _C, "GetIDT"),
    Rule("sldt", _S, "shows the shadow LDT's selector", _C, "GetLDT"),
    Rule("str", _S, "shows the shadow TSS's selector", _C, "GetTR"),
    Rule("smsw", _S, "shows the hardware's CR0", _2, "GetCR0"),
    Rule("lar", _S, "shows an altered DPL, and RPL and CPL take part", _C),
    Rule("lsl", _S, "shows an altered limit, and RPL and CPL take part", _C),
    Rule("verr", _S, "its answer depends on CPL and on an altered DPL", _2),
    Rule("verw", _S, "its answer depends on CPL and on an altered DPL", _2),
    Rule("read-cs-ss", _S, "shows another RPL than 0 in CS or SS", _C),
    Rule("cpuid", _S, "shows the hardware's CPU, not the guest's", "vmi-abi.md 3.1, call 0", "CPUID"),
    Rule("read-segment", _D, "shows what was loaded, unless the hypervisor altered its RPL", _C),
    Rule("write-ss", _D, _SELECTOR_FAULT, _C),
    Rule("lss", _D, _SELECTOR_FAULT, _C),
    Rule("iret", _D, "can't change IF and IOPL, and may fault on the return's RPL", _C, "IRET"),
    Rule("arpl", _D, "works, but the kernel's selectors have another RPL", _C),
    Rule("far-transfer", _D, "may fault on the selector's RPL", "vmi-abi.md 4.2"),
    Rule("rdtsc", _D, "faults if the hypervisor sets CR4.TSD, else shows the hardware's counter", _2, "RDTSC"),
    Rule("rdpmc", _D, "faults unless CR4.PCE is set, then shows the hardware's counter", _2, "RDPMC"),
    Rule("sysenter", _D, "enters at CPL 0 what the hypervisor put into the MSRs", _2),
)
"""Every rule: those that trap, those that are silent, those that depend."""

BY_ID = {rule.id: rule for rule in RULES}

_MNEMONICS = {
    **{
        name: name.lower()
        for name in (
            *("CLI", "STI", "HLT", "LGDT", "LIDT", "LLDT", "LTR", "LMSW", "CLTS", "INVLPG", "INVD", "WBINVD", "RDMSR"),
            *("WRMSR", "SGDT", "SIDT", "SLDT", "STR", "SMSW", "LAR", "LSL", "VERR", "VERW", "CPUID", "LSS", "ARPL"),
            *("RDTSC", "RDPMC", "SYSENTER", "SYSEXIT", "SYSRET", "IRET", "MONITOR", "MWAIT", "IN", "OUT"),
        )
    },
    **dict.fromkeys(("INSB", "INSW", "INSD"), "in"),
    **dict.fromkeys(("OUTSB", "OUTSW", "OUTSD"), "out"),
    **dict.fromkeys(("PUSHF", "PUSHFD"), "pushf"),
    **dict.fromkeys(("POPF", "POPFD"), "popf"),
    **dict.fromkeys(("IRETD",), "iret"),
    **dict.fromkeys(("RETF",), "far-transfer"),
    **dict.fromkeys(("SYSCALL",), "sysenter"),
    **dict.fromkeys(("RDTSCP",), "rdtsc"),
    **dict.fromkeys(("WBNOINVD",), "wbinvd"),
    **dict.fromkeys(("XSETBV", "RSM", "INVPCID", "INVLPGA", "GETSEC", "VMLAUNCH", "VMRESUME", "VMXON"), "privileged"),
    **dict.fromkeys(("VMXOFF", "VMPTRLD", "VMPTRST", "VMCLEAR", "VMREAD", "VMWRITE", "INVEPT"), "privileged"),
    **dict.fromkeys(("INVVPID", "VMRUN", "VMLOAD", "VMSAVE", "STGI", "CLGI", "SKINIT"), "privileged"),
}
_CODES = {
    **dict.fromkeys(("MOV_CR_R32",), "mov-to-cr"),
    **dict.fromkeys(("MOV_R32_CR",), "mov-from-cr"),
    **dict.fromkeys(("MOV_DR_R32",), "mov-to-dr"),
    **dict.fromkeys(("MOV_R32_DR",), "mov-from-dr"),
    **dict.fromkeys(("MOV_TR_R32", "MOV_R32_TR"), "privileged"),
    **dict.fromkeys(("PUSHW_CS", "PUSHD_CS", "PUSHW_SS", "PUSHD_SS"), "read-cs-ss"),
    **dict.fromkeys((f"PUSH{size}_{name}S" for size in "WD" for name in "DEFG"), "read-segment"),
    **dict.fromkeys(("POPW_SS", "POPD_SS"), "write-ss"),
    **dict.fromkeys(("JMP_PTR1616", "JMP_PTR1632", "JMP_M1616", "JMP_M1632"), "far-transfer"),
    **dict.fromkeys(("CALL_PTR1616", "CALL_PTR1632", "CALL_M1616", "CALL_M1632"), "far-transfer"),
}
_FROM_SEGMENT = ("MOV_RM16_SREG", "MOV_R32M16_SREG")
_TO_SEGMENT = ("MOV_SREG_RM16", "MOV_SREG_R32M16")


@cache
def rules_by_code() -> dict[int, Rule | None]:
    """Return the rule of each opcode that the decoder knows and that may matter.

    None stands for the moves from and to segment registers, of which :func:`segment_rule` tells.
    """
    wanted = {getattr(Mnemonic, name): BY_ID[rule] for name, rule in _MNEMONICS.items()}
    codes = [value for name, value in vars(Code).items() if name.isupper()]
    found: dict[int, Rule | None] = {
        code: wanted[mnemonic] for code in codes if (mnemonic := OpCodeInfo(code).mnemonic) in wanted
    }
    found.update({getattr(Code, name): BY_ID[rule] for name, rule in _CODES.items()})
    found.update(dict.fromkeys((getattr(Code, name) for name in (*_FROM_SEGMENT, *_TO_SEGMENT)), None))
    return found


def segment_rule(code: int, first: int, second: int) -> Rule | None:
    """Return the rule of a move between a register or memory and a segment register, or None if it is harmless.

    Args:
        code: the decoder's number of it.
        first: the register that is its first operand.
        second: the register that is its second operand.
    """
    if code in {getattr(Code, name) for name in _FROM_SEGMENT}:
        return BY_ID["read-cs-ss" if second in {Register.CS, Register.SS} else "read-segment"]
    return BY_ID["write-ss"] if first == Register.SS else None
