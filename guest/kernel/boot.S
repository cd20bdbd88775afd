/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * From the boot loader to C: multiboot 1 header, first page tables, jump to the high half. The only privileged
 * instructions outside the paravirt layer stand here and in trampoline.S, before there is anything to ask. Goes on
 * in main.c:kernel_main. `kernel_root`, built here, stays the kernel's page directory for good: what a hypervisor
 * puts into it above `reserved_top` when it takes over must survive.
 */
#include "layout.h"

#define PHYS(symbol) (symbol - KERNEL_BASE)
#define MULTIBOOT_MAGIC 0x1BADB002
#define CPU_NEEDED (1 << 15 | 1 << 4 | CONFIG_PAE * CPUID_PAE) /* the compiler's CMOV, and a TSC to tell time by */
#define MULTIBOOT_FLAGS 3 /* modules on page boundaries, memory size wanted */
#define LEAF_FLAGS (PTE_P | PTE_W | PTE_A | PTE_D | PTE_G)
#define TABLE_FLAGS (PTE_P | PTE_W | PTE_U | PTE_A)

	.section .multiboot, "a", @progbits
	.balign 4
	.long MULTIBOOT_MAGIC, MULTIBOOT_FLAGS, -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)

	.section .boot, "ax", @progbits

/* boot_entry: the multiboot entry.
 * In: EAX magic, EBX physical address of the boot information; 32-bit protected mode, flat segments, paging off, IF 0.
 * Out: kernel_main(EAX, EDX = boot information). Clobbers everything. Stack: none yet. CPL 0, physical addresses. */
	.globl boot_entry
boot_entry:
	cld
	movl %eax, %esi
	movl %ebx, %edi
	lgdt PHYS(boot_gdt_physical)
	ljmp $KERNEL_CS, $PHYS(1f)
1:	movl $KERNEL_DS, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	xorl %eax, %eax
	movl %eax, %fs
	movl %eax, %gs
	movl $1, %eax
	cpuid
	notl %edx
	testl $CPU_NEEDED, %edx
	jnz boot_no_cpu
#if CONFIG_PAE
	/* Four large pages map the first 8 MiB; the directory serves address 0 and KERNEL_BASE. */
	movl $PHYS(kernel_pd), %ecx
	movl $(LEAF_FLAGS | PTE_PS), %eax
2:	movl %eax, (%ecx)
	addl $8, %ecx
	addl $(1 << PD_SHIFT), %eax
	cmpl $EARLY_MAP_SIZE, %eax
	jb 2b
	movl $(PHYS(kernel_pd) + PTE_P), %eax
	movl %eax, PHYS(kernel_root)
	movl %eax, PHYS(kernel_root) + 8 * (KERNEL_BASE >> PDP_SHIFT)
	movl %cr4, %eax
	orl $CR4_PAE, %eax
	movl %eax, %cr4
#else
	/* Two tables of 4 KiB pages: they need nothing of the CPU, and 2048 stores take no time. */
	movl $PHYS(kernel_tables), %ecx
	movl $LEAF_FLAGS, %eax
2:	movl %eax, (%ecx)
	addl $4, %ecx
	addl $PAGE_SIZE, %eax
	cmpl $EARLY_MAP_SIZE, %eax
	jb 2b
	movl $(PHYS(kernel_tables) + TABLE_FLAGS), %eax
	movl %eax, PHYS(kernel_root)
	movl %eax, PHYS(kernel_root) + 4 * (KERNEL_BASE >> PD_SHIFT)
	addl $PAGE_SIZE, %eax
	movl %eax, PHYS(kernel_root) + 4
	movl %eax, PHYS(kernel_root) + 4 * (KERNEL_BASE >> PD_SHIFT) + 4
#endif
	movl $PHYS(kernel_root), %eax
	movl %eax, %cr3
	movl $(CR0_PG | CR0_AM | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE), %eax
	movl %eax, %cr0
	ljmp $KERNEL_CS, $boot_high
boot_high:
	lgdt boot_gdt_linear
	movl $(boot_stack + STACK_SIZE), %esp
	movl %esi, %eax
	movl %edi, %edx
	xorl %ebp, %ebp
	pushl $0
	popfl
	call kernel_main
3:	hlt
	jmp 3b

/* Says why on both serial ports (COM1, COM2) and switches the machine off: the C code does not run on this CPU. */
boot_no_cpu:
	movl $PHYS(no_cpu_text), %esi
4:	lodsb
	testb %al, %al
	jz 5f
	movw $CONSOLE_PORT, %dx
	outb %al, %dx
	movw $RESULT_PORT, %dx
	outb %al, %dx
	jmp 4b
5:	movw $ACPI_PM1A_CONTROL, %dx
	movw $ACPI_SLEEP_S5, %ax
	outw %ax, %dx
	hlt
	jmp 5b
no_cpu_text:
#if CONFIG_PAE
	.asciz "hello 1\npanic this kernel needs an i686 CPU with PAE\n"
#else
	.asciz "hello 1\npanic this kernel needs an i686 CPU\n"
#endif

	.balign 8
boot_gdt:
	.long 0, 0
	.long 0x0000FFFF, DESC_CODE32
	.long 0x0000FFFF, DESC_DATA32
boot_gdt_end:
boot_gdt_physical:
	.word boot_gdt_end - boot_gdt - 1
	.long PHYS(boot_gdt)
boot_gdt_linear:
	.word boot_gdt_end - boot_gdt - 1
	.long boot_gdt

	.section .bss.page, "aw", @nobits
	.balign PAGE_SIZE
	.globl kernel_root
kernel_root: /* page directory; with PAE the page that holds the pointer table */
	.skip PAGE_SIZE
#if CONFIG_PAE
	.globl kernel_pd
kernel_pd: /* directory of the fourth GiB, shared by every process */
	.skip PAGE_SIZE
#else
kernel_tables:
	.skip 2 * PAGE_SIZE
#endif
	.globl boot_stack
boot_stack:
	.skip STACK_SIZE
