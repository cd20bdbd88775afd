/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The i386 as this kernel sees it: selectors, control bits, paging and descriptor formats, and every privileged
 * instruction as an inline `native_*` function. Nothing here knows of VMI. Kernel code calls the operations of
 * paravirt.h instead wherever one exists; only MSRs and port I/O are always native (a hypervisor traps them, so that the
 * fault keeps the instruction's own EIP). Assembler may include it for the constants.
 */
#ifndef OPENVMI_ARCH_H
#define OPENVMI_ARCH_H

#include "types.h"

/* What another kernel that uses the paravirt layer has otherwise (docs/paravirt.md, "What the kernel provides"). */
#if __has_include("pv_config.h")
#include "pv_config.h"
#endif

#ifndef CONFIG_PAE
#define CONFIG_PAE 0
#endif

/* ---- Address space: the kernel and all low memory are mapped at physical + KERNEL_BASE ---- */

#ifndef KERNEL_BASE
#define KERNEL_BASE 0xC0000000
#endif
#define PAGE_SHIFT 12
#define PAGE_SIZE 4096

/* ---- Segments. CS, SS, user CS, user SS follow each other because SYSENTER and SYSEXIT want it so ---- */

#ifndef GDT_KERNEL_CS
#define GDT_KERNEL_CS 1
#define GDT_KERNEL_DS 2
#define GDT_USER_CS 3
#define GDT_USER_DS 4
#define GDT_TSS 5
#define GDT_LDT 6
#endif
#define GDT_PERCPU 7 /* %fs in the kernel: base of this CPU's data */
#define GDT_TLS 8    /* three entries that belong to the running process */
#define GDT_TLS_COUNT 3
#define GDT_ENTRIES 16

#define KERNEL_CS (GDT_KERNEL_CS * 8)
#define KERNEL_DS (GDT_KERNEL_DS * 8)
#define USER_CS (GDT_USER_CS * 8 + 3)
#define USER_DS (GDT_USER_DS * 8 + 3)
#define TSS_SELECTOR (GDT_TSS * 8)
#define LDT_SELECTOR (GDT_LDT * 8)
#define PERCPU_SELECTOR (GDT_PERCPU * 8)

/* High words of descriptors with base 0; bits 5-6 of the access byte are the DPL. */
#define DESC_CODE32 0x00CF9A00
#define DESC_DATA32 0x00CF9200
#define DESC_DPL3 0x00006000
#define DESC_TSS32 0x00008900
#define TSS_SIZE 104 /* struct tss */
#define DESC_LDT 0x00008200
#define GATE_INTERRUPT 0x00008E00
#define GATE_TRAP 0x00008F00

/* ---- Control registers, flags, MSRs ---- */

#define CR0_PE 0x00000001
#define CR0_MP 0x00000002
#define CR0_EM 0x00000004
#define CR0_TS 0x00000008
#define CR0_ET 0x00000010
#define CR0_NE 0x00000020
#define CR0_WP 0x00010000
#define CR0_AM 0x00040000
#define CR0_PG 0x80000000

#define CR4_PSE 0x010
#define CR4_PAE 0x020
#define CR4_PGE 0x080
#define CR4_TSD 0x004
#define CR4_OSFXSR 0x200

#define EFLAGS_FIXED 0x00000002
#define EFLAGS_TF 0x00000100
#define EFLAGS_IF 0x00000200
#define EFLAGS_IOPL 0x00003000

#define MSR_APIC_BASE 0x1B
#define MSR_SYSENTER_CS 0x174
#define MSR_SYSENTER_ESP 0x175
#define MSR_SYSENTER_EIP 0x176
#define MSR_EFER 0xC0000080
#define EFER_NX 0x800

/* CPUID leaf 1, EDX */
#define CPUID_PSE 0x00000008
#define CPUID_TSC 0x00000010
#define CPUID_PAE 0x00000040
#define CPUID_APIC 0x00000200
#define CPUID_SEP 0x00000800
#define CPUID_PGE 0x00002000

/* ---- Paging. The same bits in 4-byte and 8-byte entries; PAE entries add 32 high bits ---- */

#define PTE_P 0x001
#define PTE_W 0x002
#define PTE_U 0x004
#define PTE_A 0x020
#define PTE_D 0x040
#define PTE_PS 0x080 /* in a directory entry: large page */
#define PTE_G 0x100

#if CONFIG_PAE
#define PT_ENTRIES 512
#define PD_SHIFT 21 /* one directory entry maps 2 MiB */
#define PDP_SHIFT 30
#else
#define PT_ENTRIES 1024
#define PD_SHIFT 22 /* one directory entry maps 4 MiB */
#endif

#ifndef __ASSEMBLER__

#if CONFIG_PAE
typedef u64 pte_t;
#else
typedef u32 pte_t;
#endif
typedef pte_t pde_t;   /* page-directory entry */
typedef pte_t pdpte_t; /* page-directory-pointer entry, PAE only */

/** Linear address of low memory at physical address `physical`. */
#define phys_to_virt(physical) ((void *)(uintptr_t)((u32)(physical) + KERNEL_BASE))
/** Physical address of an object in the direct map. */
#define virt_to_phys(virtual) (ADDRESS(virtual) - KERNEL_BASE)

/** What LGDT, LIDT, SGDT and SIDT read and write. */
struct dtr {
	u16 limit;
	u32 base;
} PACKED;

/** A segment descriptor or a gate, as its two words. */
struct descriptor {
	u32 low;
	u32 high;
};

/** 32-bit task-state segment; this kernel uses ss0:esp0 and the I/O bitmap's offset only. */
struct tss {
	u32 link;
	u32 esp0, ss0, esp1, ss1, esp2, ss2;
	u32 cr3, eip, eflags;
	u32 eax, ecx, edx, ebx, esp, ebp, esi, edi;
	u32 es, cs, ss, ds, fs, gs, ldt;
	u16 trap, iomap;
};

_Static_assert(sizeof(struct dtr) == 6, "DTR is 6 bytes");
_Static_assert(offsetof(struct tss, esp0) == 4, "where the CPU looks for the kernel stack");
_Static_assert(sizeof(struct tss) == TSS_SIZE, "struct tss");

/* ---- Interrupt flag ---- */

ALWAYS_INLINE void native_irq_disable(void)
{
	asm volatile("cli" ::: "memory");
}

ALWAYS_INLINE void native_irq_enable(void)
{
	asm volatile("sti" ::: "memory");
}

ALWAYS_INLINE u32 native_save_flags(void)
{
	u32 flags;

	asm volatile("pushfl; popl %0" : "=r"(flags)::"memory");
	return flags;
}

ALWAYS_INLINE void native_restore_flags(u32 flags)
{
	asm volatile("pushl %0; popfl" ::"r"(flags) : "memory", "cc");
}

/* STI holds interrupts off for one more instruction: no wake-up is lost between the two. */
ALWAYS_INLINE void native_safe_halt(void)
{
	asm volatile("sti; hlt" ::: "memory");
}

/* ---- CPU identification, control and debug registers ---- */

ALWAYS_INLINE void native_cpuid(u32 leaf, u32 subleaf, u32 regs[4])
{
	asm volatile("cpuid" : "=a"(regs[0]), "=b"(regs[1]), "=c"(regs[2]), "=d"(regs[3]) : "0"(leaf), "2"(subleaf));
}

#define NATIVE_CONTROL_REGISTER(n)                                        \
	ALWAYS_INLINE u32 native_read_cr##n(void)                         \
	{                                                                 \
		u32 value;                                                \
                                                                          \
		asm volatile("movl %%cr" #n ", %0" : "=r"(value));        \
		return value;                                             \
	}                                                                 \
	ALWAYS_INLINE void native_write_cr##n(u32 value)                  \
	{                                                                 \
		asm volatile("movl %0, %%cr" #n ::"r"(value) : "memory"); \
	}

NATIVE_CONTROL_REGISTER(0)
NATIVE_CONTROL_REGISTER(2)
NATIVE_CONTROL_REGISTER(3)
NATIVE_CONTROL_REGISTER(4)

ALWAYS_INLINE void native_clts(void)
{
	asm volatile("clts");
}

ALWAYS_INLINE void native_wbinvd(void)
{
	asm volatile("wbinvd" ::: "memory");
}

ALWAYS_INLINE u64 native_read_tsc(void)
{
	u32 low, high;

	asm volatile("rdtsc" : "=a"(low), "=d"(high));
	return ((u64)high << 32) | low;
}

/* The register is part of the instruction, so a run-time number needs a choice; DR4 and DR5 are aliases of 6 and 7. */
static inline u32 native_get_dr(u32 n)
{
	u32 value = 0;

	switch (n) {
	case 0: asm volatile("movl %%db0, %0" : "=r"(value)); break;
	case 1: asm volatile("movl %%db1, %0" : "=r"(value)); break;
	case 2: asm volatile("movl %%db2, %0" : "=r"(value)); break;
	case 3: asm volatile("movl %%db3, %0" : "=r"(value)); break;
	case 6: asm volatile("movl %%db6, %0" : "=r"(value)); break;
	case 7: asm volatile("movl %%db7, %0" : "=r"(value)); break;
	default: break;
	}
	return value;
}

static inline void native_set_dr(u32 n, u32 value)
{
	switch (n) {
	case 0: asm volatile("movl %0, %%db0" ::"r"(value)); break;
	case 1: asm volatile("movl %0, %%db1" ::"r"(value)); break;
	case 2: asm volatile("movl %0, %%db2" ::"r"(value)); break;
	case 3: asm volatile("movl %0, %%db3" ::"r"(value)); break;
	case 6: asm volatile("movl %0, %%db6" ::"r"(value)); break;
	case 7: asm volatile("movl %0, %%db7" ::"r"(value)); break;
	default: break;
	}
}

/* ---- Descriptor tables ---- */

ALWAYS_INLINE void native_load_gdt(const struct dtr *dtr)
{
	asm volatile("lgdt %0" ::"m"(*dtr) : "memory");
}

ALWAYS_INLINE void native_load_idt(const struct dtr *dtr)
{
	asm volatile("lidt %0" ::"m"(*dtr) : "memory");
}

ALWAYS_INLINE void native_store_gdt(struct dtr *dtr)
{
	asm volatile("sgdt %0" : "=m"(*dtr));
}

ALWAYS_INLINE void native_store_idt(struct dtr *dtr)
{
	asm volatile("sidt %0" : "=m"(*dtr));
}

ALWAYS_INLINE void native_load_ldt(u32 selector)
{
	asm volatile("lldt %w0" ::"r"(selector) : "memory");
}

ALWAYS_INLINE void native_load_tr(u32 selector)
{
	asm volatile("ltr %w0" ::"r"(selector) : "memory");
}

ALWAYS_INLINE u32 native_store_tr(void)
{
	u32 selector;

	asm volatile("strl %0" : "=r"(selector));
	return selector & 0xFFFF;
}

ALWAYS_INLINE void native_write_descriptor(struct descriptor *table, u32 index, u32 low, u32 high)
{
	volatile struct descriptor *entry = &table[index];

	entry->low = low;
	entry->high = high;
}

/* ---- Paging ---- */

ALWAYS_INLINE void native_invlpg(u32 va)
{
	asm volatile("invlpg (%0)" ::"r"(va) : "memory");
}

ALWAYS_INLINE void native_flush_tlb(void)
{
	native_write_cr3(native_read_cr3());
}

/* Global entries survive a CR3 load; turning CR4.PGE off and on drops them. Without PGE there are none. */
static inline void native_flush_tlb_global(void)
{
	u32 cr4 = native_read_cr4();

	if (!(cr4 & CR4_PGE)) {
		native_flush_tlb();
		return;
	}
	native_write_cr4(cr4 & ~(u32)CR4_PGE);
	native_write_cr4(cr4);
}

/* Page-table entries are changed by exactly these stores, in this order, and the compiler moves no memory access across
 * them. High word first: an entry must never be present with half its address. */
ALWAYS_INLINE void native_set_pte(pte_t *entry, pte_t value)
{
	u32 *words = (u32 *)entry;

#if CONFIG_PAE
	asm volatile("movl %3, %1; movl %2, %0"
		     : "=m"(words[0]), "=m"(words[1])
		     : "ri"((u32)value), "ri"((u32)(value >> 32))
		     : "memory");
#else
	asm volatile("movl %1, %0" : "=m"(words[0]) : "ri"(value) : "memory");
#endif
}

/* Low word first, for the same reason. */
ALWAYS_INLINE void native_pte_clear(pte_t *entry)
{
	u32 *words = (u32 *)entry;

#if CONFIG_PAE
	asm volatile("movl $0, %0; movl $0, %1" : "=m"(words[0]), "=m"(words[1])::"memory");
#else
	asm volatile("movl $0, %0" : "=m"(words[0])::"memory");
#endif
}

/* ---- MSRs and ports: always these, never through paravirt.h ---- */

ALWAYS_INLINE u64 native_rdmsr(u32 msr)
{
	u32 low, high;

	asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return ((u64)high << 32) | low;
}

ALWAYS_INLINE void native_wrmsr(u32 msr, u64 value)
{
	asm volatile("wrmsr" ::"c"(msr), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}

#define PORT_IO(suffix, type, letter)                                                       \
	ALWAYS_INLINE type in##suffix(u16 port)                                             \
	{                                                                                   \
		type value;                                                                 \
                                                                                            \
		asm volatile("in" #suffix " %w1, %" letter "0" : "=a"(value) : "Nd"(port)); \
		return value;                                                               \
	}                                                                                   \
	ALWAYS_INLINE void out##suffix(type value, u16 port)                                \
	{                                                                                   \
		asm volatile("out" #suffix " %" letter "0, %w1" ::"a"(value), "Nd"(port));  \
	}

PORT_IO(b, u8, "b")
PORT_IO(w, u16, "w")
PORT_IO(l, u32, "k")

/* A write to the POST port takes about a microsecond on the ISA bus. */
ALWAYS_INLINE void native_io_delay(void)
{
	asm volatile("outb %%al, $0x80" ::);
}

/* Changes IOPL only. Valid at CPL 0 alone: elsewhere POPF ignores these bits, which is why it is an operation. */
ALWAYS_INLINE void native_set_iopl(u32 mask)
{
	asm volatile("pushfl; andl $0xFFFFCFFF, (%%esp); orl %0, (%%esp); popfl" ::"r"(mask) : "memory", "cc");
}

/* The linear address at which the kernel maps the local APIC's page; the kernel sets it, below `reserved_top`. */
extern u32 lapic_base;

/* Plain MOVs, whatever else the compiler could do with memory: an emulator of device memory decodes these best. */
ALWAYS_INLINE u32 native_apic_read(u32 reg)
{
	u32 value;

	asm volatile("movl %1, %0" : "=r"(value) : "m"(*POINTER(volatile u32, lapic_base + reg)) : "memory");
	return value;
}

ALWAYS_INLINE void native_apic_write(u32 reg, u32 value)
{
	asm volatile("movl %1, %0" : "=m"(*POINTER(volatile u32, lapic_base + reg)) : "ri"(value) : "memory");
}

#endif /* __ASSEMBLER__ */

#endif
