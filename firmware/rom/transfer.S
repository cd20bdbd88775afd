/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Calls 33 IRET and 34 SYSEXIT, natively (vmi-abi.md 2.5): the way back to the interrupted context, whose registers pass
 * through untouched. DS and ES may hold user segments. Entered by CALL or JUMP as get_reloc (init.S) has told the guest.
 */
#include "rom.inc"

    .text

/* IRET, entered by CALL: the return address lies below the frame.
 * In: [ESP] return address, [ESP+4] EIP, CS, EFLAGS and, to ring 3, ESP, SS. No return. CPL 0. */
FUNCTION(rom_iret_call)
    leal 4(%esp), %esp
/* IRET, entered by JUMP: the frame is at ESP. */
    .globl rom_iret
    .type rom_iret, @function
rom_iret:
    iretl
    .size rom_iret, . - rom_iret
END(rom_iret_call)

/* SYSEXIT, by CALL or by JUMP: ESP is replaced, so a return address needs no discarding.
 * In: EDX new EIP, ECX new ESP. No return; interrupts are enabled with the transfer, by STI's shadow. CPL 0. */
FUNCTION(rom_sysexit)
    sti
    sysexitl
END(rom_sysexit)
