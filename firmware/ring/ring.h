/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the monitor of `ring` shares among its files: linear addresses, selectors, a CPU's state, and who offers what.
 * The monitor runs at CPL 0 with interrupts off, above the limit of all guest segments; each CPU sees its own area at the
 * same linear address. In the window: stubs.S. Ways in and out: entry.S. Layouts that Python knows, too: vmi_wire.h.
 */
#ifndef OPENVMI_RING_H
#define OPENVMI_RING_H

#include "vmi_abi.h"
#include "vmi_wire.h"

#ifndef RING_PAE
#define RING_PAE 0
#endif

#define RING_AT(offset) (VMI_WIRE_BASE + (offset))
#define RING_LINEAR(name) RING_AT(VMI_RING_##name##_OFFSET)

/* A CPU's own part of the hole: its area, a writable alias of the window, its local APIC, windows to shadows and to guest
 * frames. An emulator's TLB has a place for each page by the low bits of its number: what is used together should differ there,
 * and lie in few pages. */
#define RING_CPU RING_AT(VMI_RING_PRIVATE_OFFSET)
#define RING_AREA (RING_CPU + 0x18000)
#define RING_ALIAS (RING_CPU + 0x30000)
#define RING_APIC (RING_CPU + 0x40000)
#define RING_IO_APIC (RING_CPU + 0x41000)
#define RING_HPET (RING_CPU + 0x42000)
#define HPET_MACHINE 0xfed00000
#define HPET_FRAME (HPET_MACHINE >> 12)
#define APIC_MACHINE 0xfee00000
#define IO_APIC_MACHINE 0xfec00000
#define IO_APIC_FRAME (IO_APIC_MACHINE >> 12)
#define APIC_FRAME (APIC_MACHINE >> 12)
#define RING_SHADOW_WINDOWS (RING_CPU + 0x200000)
#define RING_SHADOW_SLOTS 512
#define RING_GUEST_WINDOWS (RING_CPU + 0x400000)
#define RING_GUEST_SLOTS 256
#define RING_GUEST_TURN 32       /* not the place of the guest's own mapping of the frame */
#define RING_POOL_DIRECT (RING_CPU + 0x828000)
#define RING_POOL_SLOTS (1024 - 0x28)

/* What vmi_wire.h does not name of a CPU's area. Page 0 has the GDT, struct cpu, TSSs and counters, page 6 the end of the stack
 * and the IDT: on each exit these two are used. */
#define AREA_CPU 0x500
#define AREA_FLUSH (AREA_CPU + 164) /* `flush` of struct cpu, for entry.S */
#define AREA_TIMER 0x600         /* time.c */
#define AREA_TSS 0x680
#define AREA_TSS_DOUBLE 0x700
#define AREA_GATES_LOW 0x980     /* the guest's IDT as it is used, the first 64 gates; the others are at AREA_GATES */
#define AREA_TAGS 0xb80          /* what each window to a guest frame shows */
#define AREA_GATES 0x2000        /* the others of these gates; stack of the double fault's task behind them */
#define AREA_DOUBLE_STACK 0x3000
#define AREA_TABLE_WINDOW 0x8000 /* page tables: lowest part of the hole, this CPU's part, windows to guest frames */
#define AREA_TABLE_CPU 0x9000
#define AREA_TABLE_GUEST 0xb000
#define AREA_BOOT_ROOT 0xd000    /* the guest's directory at vmi_init, with our hole; with PAE the pointers behind it */
#define AREA_BOOT_POINTERS 0xe000

#define RING_STACK_TOP (RING_AREA + VMI_RING_CPU_STACK)
#define RING_SHARED (VMI_WIRE_BASE + VMI_RING_SHARED_OFFSET) /* as the guest sees it; the same page for us */
#define SHARED(field) (RING_SHARED + VMI_RING_SHARED_##field##_OFFSET)
#define FRAME(field) VMI_RING_FRAME_##field##_OFFSET

/* Where SYSENTER leads: a frame for IRET that is complete but for the flags, in the page of the GDT, which IRET reads. The
 * hardware's ESP points behind the flags; below is room for the frame of who breaks in there (entry.S: intruder_common). */
#define SYSENTER_WAY (RING_AREA + 0xfe0)
#define SYSENTER_STACK (SYSENTER_WAY + 12)

/* The real GDT: the guest's entries below, ours above. */
#define GDT_ENTRIES 160
#define GDT_OURS 128
#define RING_CS 0x400
#define RING_DS 0x408
#define RING_TSS 0x418
#define RING_TSS_DOUBLE 0x420
#define RING_LDT 0x428
#define RING_GATE 0x431          /* the way in for calls, with the RPL of who uses it */
#define LDT_ENTRIES 512

#define EFLAGS_CF 0x1
#define EFLAGS_FIXED 0x2
#define EFLAGS_TF 0x100
#define EFLAGS_IF 0x200
#define EFLAGS_IOPL 0x3000
#define EFLAGS_NT 0x4000
#define EFLAGS_RF 0x10000
#define EFLAGS_VM 0x20000
#define EFLAGS_VIRTUAL 0x180000  /* VIF, VIP */

#define CR0_PE 0x1
#define CR0_MP 0x2
#define CR0_EM 0x4
#define CR0_TS 0x8
#define CR0_NE 0x20
#define CR0_WP 0x10000
#define CR0_AM 0x40000
#define CR0_PG 0x80000000
#define EFER_NX 0x800
#define CR4_PSE 0x10
#define CR4_PAE 0x20

#ifndef __ASSEMBLER__

#include "shadow.h"

typedef struct vmi_ring_frame frame_t;
typedef struct vmi_ring_shared shared_t;

struct descriptor {
    u32 low, high;
};

struct tss {
    u32 link, esp0, ss0, esp1, ss1, esp2, ss2, cr3, eip, eflags, eax, ecx, edx, ebx, esp, ebp, esi, edi;
    u32 es, cs, ss, ds, fs, gs, ldt;
    unsigned short trap, iomap;
};

struct dtr {
    unsigned short limit;
    u32 base;
} __attribute__((packed));

/* A CPU's state that the guest cannot reach. */
struct cpu {
    u32 number;
    u32 held;              /* vector of the interrupt that is held back, plus one */
    u32 cr3;               /* the guest's, as last loaded */
    u32 root;              /* the shadow's, in the real CR3 */
    u32 gdt_base, gdt_limit, idt_base, idt_limit;
    u32 ldt, ldt_base, ldt_limit, tr;
    u32 sysenter_cs, sysenter_esp, sysenter_eip;
    u32 dr[8];
    u32 mode;              /* SHADOW_MODE_* */
    u32 iopl;
    u32 efer;
    u32 life;              /* how often it has been started */
    u32 ended;
    u32 sysenter_trap;     /* TF of who executed SYSENTER */
    u32 known_code[4], known_stack[4]; /* for each ring, the selector that was found good last */
    u32 pci_address;       /* the guest's address register of PCI configuration space */
    /* Between CPUs. */
    volatile u32 state;    /* CPU_* */
    volatile u32 go;       /* leave the parking place */
    volatile u32 park;     /* go to it, if this is the life that is meant */
    volatile u32 flush;    /* flush the TLB, and clear this */
};
_Static_assert(__builtin_offsetof(struct cpu, flush) == AREA_FLUSH - AREA_CPU, "entry.S clears it");
enum { CPU_ABSENT, CPU_PARKED, CPU_STARTING, CPU_RUNNING };
#define area_of(number) ((struct cpu *)RING_AT(VMI_RING_CPUS_OFFSET + (number) * VMI_RING_CPU_SIZE + AREA_CPU))
_Static_assert(sizeof(struct cpu) <= AREA_TIMER - AREA_CPU && sizeof(struct tss) <= AREA_TSS_DOUBLE - AREA_TSS, "page 0");
#define cpu_ ((struct cpu *)(RING_AREA + AREA_CPU))
#define shared_ ((volatile shared_t *)RING_SHARED)
#define info_ ((struct vmi_ring_info *)RING_LINEAR(INFO))
#define header_ ((volatile const struct vmi_wire_header *)VMI_WIRE_BASE) /* the guest reads it there, too */
#define header_written ((volatile struct vmi_wire_header *)RING_ALIAS)
#define real_gdt ((struct descriptor *)(RING_AREA + VMI_RING_CPU_GDT))
#define real_idt ((struct descriptor *)(RING_AREA + VMI_RING_CPU_IDT))
#define real_ldt ((struct descriptor *)(RING_AREA + VMI_RING_CPU_LDT))
#define real_tss ((struct tss *)(RING_AREA + AREA_TSS))
#define double_tss ((struct tss *)(RING_AREA + AREA_TSS_DOUBLE))

/* The guest's own gate of a vector. */
static inline struct descriptor *gate_of(u32 vector)
{
    return (struct descriptor *)(vector < 64 ? RING_AREA + AREA_GATES_LOW : RING_AREA + AREA_GATES) + vector;
}

static inline u32 read_cr0(void) { u32 value; asm volatile("movl %%cr0, %0" : "=r"(value)); return value; }
static inline u32 read_cr2(void) { u32 value; asm volatile("movl %%cr2, %0" : "=r"(value)); return value; }
static inline u32 read_cr3(void) { u32 value; asm volatile("movl %%cr3, %0" : "=r"(value)); return value; }
static inline u32 read_cr4(void) { u32 value; asm volatile("movl %%cr4, %0" : "=r"(value)); return value; }
static inline void write_cr0(u32 value) { asm volatile("movl %0, %%cr0" ::"r"(value) : "memory"); }
static inline void write_cr3(u32 value) { asm volatile("movl %0, %%cr3" ::"r"(value) : "memory"); }
static inline void write_cr4(u32 value) { asm volatile("movl %0, %%cr4" ::"r"(value) : "memory"); }
static inline void invlpg(u32 address) { asm volatile("invlpg (%0)" ::"r"(address) : "memory"); }

static inline void cpuid(u32 leaf, u32 subleaf, u32 out[4])
{
    asm volatile("cpuid" : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3]) : "0"(leaf), "2"(subleaf));
}

static inline void wrmsr(u32 index, u32 low, u32 high) { asm volatile("wrmsr" ::"c"(index), "a"(low), "d"(high)); }

static inline u64 rdtsc(void)
{
    u32 low, high;
    asm volatile("rdtsc" : "=a"(low), "=d"(high));
    return (u64)high << 32 | low;
}

/* entry.S */
extern const u8 vector_entries[], interrupt_entries[], ring_sysenter[], ring_double_fault[];
extern u8 bss_start[], bss_end[];
struct fix {
    u32 instruction, target;
};
extern const struct fix fix_table[], fix_table_end[];
u32 msr_read(u32 index, u32 value[2]);        /* 1 = it faulted */
u32 msr_write(u32 index, u32 low, u32 high);
void *memcpy(void *to, const void *from, unsigned long count);
void *memset(void *to, int value, unsigned long count);
u32 copy_bytes(void *to, const void *from, u32 count); /* 1 = it faulted; each page once */

/* stubs.S */
extern const u8 sysexit_critical[], sysexit_critical_end[], sysexit_gate[], return_critical[], return_critical_end[], queue_critical[], queue_critical_end[], iret_instruction[];
extern const u32 ring_stubs[];

/* memory.c: guest memory by linear address. 1 = done, 0 = no such memory, and nothing is written of a page. */
u32 guest_read(u32 address, void *to, u32 count);
u32 guest_write(u32 address, const void *from, u32 count);

/* A word of the guest's. */
static inline u32 guest_read32(u32 address, u32 *value)
{
    u32 done = 0;

    if (address > VMI_WIRE_BASE - 4)
        return 0;
    asm volatile("1: movl (%2), %1; incl %0; 2: .pushsection .fix, \"a\", @progbits; .long 1b, 2b; .popsection"
                 : "+r"(done), "=&r"(*value) : "r"(address) : "memory");
    return done;
}

void apply_deferred(void);
void set_root(u32 cr3);

/* descriptors.c */
struct descriptor safe_descriptor(struct descriptor wanted);
u32 turn_descriptor(u32 selector, u32 offset);
void load_gdt(u32 base, u32 limit);
u32 load_ldt(u32 selector);
void load_idt(u32 base, u32 limit);
void write_gate(u32 vector, struct descriptor gate);
void write_descriptor(u32 index, u32 in_ldt, struct descriptor wanted);
const struct descriptor *find_descriptor(u32 selector);
u32 code_selector(u32 selector, u32 ring);    /* 1 = code of that ring, present */
u32 stack_selector(u32 selector, u32 ring);

/* The same; mostly it is the one that was asked about last. */
static inline u32 is_code(u32 selector, u32 ring)
{
    return cpu_->known_code[ring] == selector || code_selector(selector, ring);
}

static inline u32 is_stack(u32 selector, u32 ring)
{
    return cpu_->known_stack[ring] == selector || stack_selector(selector, ring);
}

void set_kernel_stack(u32 selector, u32 esp);
void monitor_descriptors(void);
void set_sysenter(void);

/* patch.c */
void follow_modes(void);

/* trap.c */
void ring_trap(frame_t *frame);
void reflect(frame_t *frame, u32 vector, u32 error);
void release_held(frame_t *frame);
void general_protection(frame_t *frame, u32 error);
_Noreturn void end_guest(u32 reason, u32 address, u32 detail);
#define HAS_ERROR(vector) ((vector) < 32 && (1u << (vector) & 0x00027d00))

/* apic.c */
u32 apic_read(u32 offset);
void apic_write(u32 offset, u32 value);
void end_interrupts(void);
u32 is_device_frame(u32 pfn); /* what is not mapped but emulated: registers of either APIC, and of the HPET */
u32 device_read(u32 gpa);
u32 device_write(frame_t *frame, u32 gpa, u32 value);
void quiet_devices(void);
void send_nmi(u32 number);

/* start.c: the other CPUs */
void start_others(void);
void take_initial_state(u32 address, u32 number);
void drop_initial_state(u32 number);
void guest_init(u32 number);
void guest_startup(u32 number);
void obey_others(u32 from_guest);
_Noreturn void park(void);

/* init.c */
void build_tables(u32 cpu);
u32 build_own_root(u32 cpu);
void adopt_hole(void);

/* ports.c */
#define STRING_TURN 256 /* of a string of ports, until interrupts get a chance */
u32 guest_port(frame_t *frame, u32 out, u32 port, u32 size, u32 *value);
void quiet_masters(void);

/* time.c */
u32 time_interrupt(u32 vector); /* 1 = it was the monitor's own */
u32 time_apic_read(u32 offset, u32 *value); /* 1 = done */
u32 time_apic_write(u32 offset, u32 value);
void time_vector(u32 value);    /* the guest uses this vector */
void time_stolen(u64 cycles);
void time_publish(void);
void time_park(void);
u32 time_call(frame_t *frame, u32 number);
u32 emulate_rdtsc(frame_t *frame);

/* emulate.c: 1 = done */
u32 emulate(frame_t *frame);
u32 user_port(frame_t *frame);
u32 emulate_move(frame_t *frame, u32 gpa, u32 write);

/* segments.c: 1 = done */
u32 turn_segment(frame_t *frame);

/* cpu.c */
void guest_cpuid(u32 leaf, u32 subleaf, u32 out[4]);
u32 guest_rdmsr(u32 index, u32 value[2]);
u32 guest_wrmsr(u32 index, u32 low, u32 high);
u32 set_cr0(u32 value);
u32 set_cr4(u32 value);
u32 set_dr(u32 number, u32 value);
u32 set_efer(u32 low);
u32 get_dr(u32 number);
void halt(frame_t *frame);
u32 guest_iret(frame_t *frame, u32 stack);    /* 1 = done */
void call_iret(frame_t *frame);

/* brain.c */
struct question {
    u32 exit, eax, edx, ecx, ebx, length, more; /* length is s1 of the mailbox, more is s2 */
    u32 unanswered; /* out: there was a question, and nobody to answer it */
};
/* Ask the brain, if it wants to be asked about this exit; counts it. -> VMI_WIRE_ACTION_* or VMI_RING_ACTION_*. */
u32 ask_brain(frame_t *frame, struct question *question);

static inline void count_exit(u32 exit)
{
    ++((u64 *)(RING_AREA + VMI_RING_COUNTERS))[exit];
}

void load_es(u32 selector);
/* A call whose mode is not NATIVE: count, record, ask. -> 1 = answered, 0 = to be done. */
u32 call_mode(frame_t *frame, u32 number, u32 mode);

#endif
#endif
