/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a declining ROM does before it declines: looks for the openvmi device, maps its memory into the hole above
 * virtual_top, and enters the payload that lies there. Entered from init.S by the jump points' code. All state is in the
 * device and in the guest's page directory; layouts are in vmi_wire.h. Linux reads BARs with decoding on, so the device is
 * hidden from it (a function 1 without a function 0) and its address given here.
 */
#include "rom.inc"
#include "vmi_wire.h"

#define HEADER(field) (VMI_WIRE_BASE + VMI_WIRE_HEADER_##field##_OFFSET)
#define PCI_ENABLE 0x80000000
#define PCI_COMMAND 0x04
#define PCI_BAR2 0x18                   /* 64 bits: and 0x1c */
#define PCI_MEMORY 0x02
#define CR4_PAE 0x20
#define PTE_P_W_A 0x23
#define PTE_A_D 0x60
/* The hole's page directory entries point to page tables in the device: no large pages, so no CR4.PSE is needed on any
 * CPU, and an INVLPG elsewhere does not flush a large page's whole span. */
#define ENTRY_LEGACY (VMI_WIRE_BAR + VMI_WIRE_TABLES_OFFSET + PTE_P_W_A)
#define ENTRY_PAE (VMI_WIRE_BAR + VMI_WIRE_TABLES_PAE_OFFSET + PTE_P_W_A)

    .text

/* rom_bridge: vmi_init of a ROM that declines when alone.
 * In: EDX = linear address of the image. Out: EAX = 0 the payload is entered, -1 stay native. Clobbers: EAX, EDX, ECX, flags.
 * Stack: 36 bytes, and the payload's. CPL 0, interrupts off, DS flat; low memory, where the page directory in use has to be,
 * is mapped as the ROM is: so many bytes above its physical address. */
FUNCTION(rom_bridge)
    movl %cr0, %eax
    testl %eax, %eax
    jns .Lno_paging
    pushl %ebx
    pushl %esi
    pushl %edi
    pushl %ebp
    movl %edx, %ebp
    call rom_find_device
    jnz .Ldecline
    movl %ebp, %ecx
    call rom_hole_entry
    jnz .Ldecline
    movl $ENTRY_LEGACY, %eax
    movl $VMI_WIRE_SIZE >> 22, %ecx
    cmpl $4, %esi
    je 1f
    movl $ENTRY_PAE, %eax
    movl $VMI_WIRE_SIZE >> 21, %ecx
1:  movl (%edi), %edx                   /* free, or ours from a call before this one? */
    testb $1, %dl
    jz 2f
    xorl %eax, %edx
    testl $~PTE_A_D, %edx
    jnz .Ldecline
2:  pushl %ecx
    pushl %edi
3:  cmpl $4, %esi
    je 4f
    movl $0, 4(%edi)
4:  movl %eax, (%edi)
    addl $0x1000, %eax
    addl %esi, %edi
    loop 3b
    popl %edi
    popl %ecx
    call rom_enter
    testl %eax, %eax
    jz .Lbridged
5:  movl $0, (%edi)                     /* as it was */
    addl %esi, %edi
    loop 5b
    movl %cr3, %eax
    movl %eax, %cr3
.Ldecline:
    orl $-1, %eax
.Lbridged:
    popl %ebp
    popl %edi
    popl %esi
    popl %ebx
    ret
.Lno_paging:
    orl $-1, %eax
    ret
END(rom_bridge)

/* rom_enter: the memory is mapped; is it ours, do we speak the same, and does the payload say yes?
 * In: EBP = linear address of the image. Out: EAX = 0 entered. Clobbers: EAX, EDX, flags. */
FUNCTION(rom_enter)
    cmpl $VMI_WIRE_MAGIC_LOW, HEADER(magic_low)
    jne 2f                              /* somebody else's memory: not a word into it */
    cmpl $VMI_WIRE_MAGIC_HIGH, HEADER(magic_high)
    jne 2f
    movl $VMI_WIRE_VERSION, HEADER(guest_version)
    movl $VMI_WIRE_HASH, HEADER(guest_hash)
    movl %ebp, HEADER(guest_base)
    movl $VMI_WIRE_GUEST_BAD_VERSION, %edx
    cmpl $VMI_WIRE_VERSION, HEADER(version)
    jne 1f
    incl %edx                           /* BAD_HASH */
    cmpl $VMI_WIRE_HASH, HEADER(hash)
    jne 1f
    incl %edx                           /* BAD_SIZE */
    cmpl $VMI_WIRE_SIZE, HEADER(size)
    jne 1f
    movl HEADER(init), %eax
    subl $(VMI_WIRE_BASE + VMI_WIRE_CODE_OFFSET), %eax
    cmpl $VMI_WIRE_CODE_SIZE, %eax
    jae 1f
    movl $VMI_WIRE_GUEST_ACTIVE, HEADER(guest_state) /* now: a payload may give the header to be read only */
    pushl %ecx
    call *HEADER(init)
    popl %ecx
    movl $VMI_WIRE_GUEST_BAD_PAYLOAD, %edx
    testl %eax, %eax
    jnz 1f
    ret
1:  movl %edx, HEADER(guest_state)
2:  orl $-1, %eax
    ret
END(rom_enter)

/* rom_find_device: look at every function of bus 0 and give the device its address.
 * In: nothing. Out: ZF set if it is there. Clobbers: EAX, EBX, EDX, flags. Stack: 4 bytes. CPL 0.
 * Others of the same make have an address from the BIOS; ours has none, or the one that it was given here before. */
FUNCTION(rom_find_device)
#if ROM_IN_PLACE                        /* no device: a board has put its memory there, and BARs are not to be looked at */
    cmpl %eax, %eax
    ret
#endif
    movl $0xcf8, %edx
    inl %dx, %eax
    pushl %eax
    movl $PCI_ENABLE, %ebx
1:  movb $0, %bl
    call rom_pci_select
    inl %dx, %eax
    cmpl $VMI_WIRE_PCI_ID, %eax
    jne 2f
    movb $PCI_BAR2, %bl
    call rom_pci_select
    inl %dx, %eax
    andb $0xf0, %al
    jz 3f
    cmpl $VMI_WIRE_BAR, %eax
    je 3f
2:  addl $0x100, %ebx
    testl $0x10000, %ebx
    jz 1b
    jmp 4f
3:  movl $VMI_WIRE_BAR, %eax
    outl %eax, %dx
    movb $PCI_BAR2 + 4, %bl
    call rom_pci_select
    xorl %eax, %eax
    outl %eax, %dx
    movb $PCI_COMMAND, %bl
    call rom_pci_select
    inl %dx, %eax
    orb $PCI_MEMORY, %al
    outw %ax, %dx
    xorl %ebx, %ebx
4:  popl %eax
    movl $0xcf8, %edx
    outl %eax, %dx
    testl %ebx, %ebx
    ret
END(rom_find_device)

/* rom_pci_select. In: EBX = configuration address. Out: EDX = data port. Clobbers: EAX, flags. */
FUNCTION(rom_pci_select)
    movl %ebx, %eax
    movl $0xcf8, %edx
    outl %eax, %dx
    movb $0xfc, %dl
    ret
END(rom_pci_select)

/* rom_hole_entry: where is the hole's first page directory entry?
 * In: ECX = linear address of the image. Out: EDI = linear address of the entry, ESI = size of an entry; ZF clear if there
 * is no such directory. Clobbers: EDX, ECX, flags. */
FUNCTION(rom_hole_entry)
    andl $0xfff00000, %ecx              /* the image is below 1 MiB: ECX = linear less physical */
    movl %cr3, %edi
    movl %cr4, %edx
    testb $CR4_PAE, %dl
    jnz 1f
    andl $0xfffff000, %edi
    leal (VMI_WIRE_BASE >> 22) * 4(%ecx, %edi), %edi
    movl $4, %esi
    cmpl %esi, %esi
    ret
1:  andl $0xffffffe0, %edi
    addl %ecx, %edi
    movl 8 * (VMI_WIRE_BASE >> 30)(%edi), %edx
    movl 8 * (VMI_WIRE_BASE >> 30) + 4(%edi), %edi
    movl $8, %esi
    andl $0x7fffffff, %edi
    jnz 2f                              /* above 4 GiB: out of reach */
    movl %edx, %edi
    notl %edx
    andl $0xfffff000, %edi
    leal ((VMI_WIRE_BASE >> 21) & 511) * 8(%ecx, %edi), %edi
    testb $1, %dl                       /* present: ZF set */
2:  ret
END(rom_hole_entry)

/* rom_bridge_reloc: get_reloc of a ROM that declines when alone. Goes on in the payload if vmi_init has entered it, which the
 * page directory tells without a fault.
 * In: EAX = call number, ECX = linear address of the image. Out: EAX, EDX as get_reloc. Clobbers: EAX, EDX, ECX, flags. */
FUNCTION(rom_bridge_reloc)
    movl %cr0, %edx
    testl %edx, %edx
    jns 3f
    pushl %esi
    pushl %edi
    call rom_hole_entry
    jnz 2f
    movl $ENTRY_LEGACY, %ecx
    cmpl $4, %esi
    je 1f
    movl $ENTRY_PAE, %ecx
1:  xorl (%edi), %ecx
    testl $~PTE_A_D, %ecx
2:  popl %edi
    popl %esi
    jnz 3f
    cmpl $VMI_WIRE_MAGIC_LOW, HEADER(magic_low)
    jne 3f
    jmp *HEADER(get_reloc)
3:  xorl %eax, %eax
    xorl %edx, %edx
    ret
END(rom_bridge_reloc)
