/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The header of the image (vmi-abi.md 1.3, 1.4): what the BIOS enters at POST and what a guest's scan reads. Fields left
 * zero here (length, virtual_top, licence, PCIR and $PnP offsets) are the builder's. Ends in the two jump points, whose code
 * is in init.S; compiled for generation B, before the slots, which are in firmware/rom13/slots.S.
 */
#include "rom.inc"

    .section .header, "ax", @progbits
    .globl rom_image
rom_image:
    .short VMI_ROM_SIGNATURE
    .byte 0                             /* rom_length: builder */

/* POST entry: the BIOS calls image+3 in real mode.
 * In: AX bus/device/function, ES:DI PnP structure, or nothing at all from an old BIOS; none is read.
 * Out: AX = 0, "no boot, display or input device" (Plug and Play BIOS 1.0A, 3.3). Clobbers: flags. Far return.
 * Writes nothing and hooks nothing: the image is the same before and after POST, wherever it was copied to. */
    .code16
    .globl rom_post
    .type rom_post, @function
rom_post:
    xorw %ax, %ax
    lretw
    .size rom_post, . - rom_post
    .code32

    .org rom_image + VMI_ROM_HEADER_vrom_signature_OFFSET
    .long VMI_SIGNATURE
    .byte VMI_API_MINOR, VMI_API_MAJOR
#ifndef VMI_SLOT_SIZE
    .byte 2                             /* jump_slots: vmi_init and get_reloc */
#endif

    .org rom_image + ROM_DESCRIPTOR_OFFSET
    .ascii "openvmi\0"
    .byte ROM_DESCRIPTOR_VERSION
    .globl rom_mode
rom_mode:
    .byte ROM_MODE_DECLINE              /* builder */
    .byte 0                             /* makes the image's bytes add up to 0: builder */
    .byte ROM_MODE_LAST                 /* highest mode that this code knows */
    .short rom_code_end                 /* what follows is the builder's: PCIR, $PnP, strings, padding */
    .short rom_stub_table               /* offset of each call's stub, 0 for none (stubs.S) */
    .short VMI_CALL_COUNT               /* entries of that table */

#ifndef VMI_SLOT_SIZE
    .org rom_image + VMI_ROM_HEADER_vmi_init_OFFSET
    jmp rom_vmi_init
    .org rom_image + VMI_ROM_HEADER_get_reloc_OFFSET
    jmp rom_get_reloc
#endif
    .org rom_image + VMI_ROM_HEADER_SIZE
