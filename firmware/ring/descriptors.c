/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The real GDT, LDT, IDT and TSS of a CPU. The guest's descriptors are copied with their privilege raised from 0 to 1 and
 * their limits cut at the end of the window; what would lead past the monitor (gates, TSSs) is left out. Gates of the IDT
 * lead to the monitor, but for those that ring 3 may use and that keep interrupts as they are: these go straight to ring 1.
 */
#include "ring.h"

#define PRESENT 0x8000u
#define DPL(descriptor) ((descriptor).high >> 13 & 3)
#define NOT_SYSTEM 0x1000u
#define CODE 0x0800u
#define DOWN 0x0400u       /* data: expands down; code: conforming */
#define WRITABLE 0x0200u
#define ACCESSED 0x0100u
#define GRANULAR 0x800000u
#define BIG 0x400000u
#define GATE_INTERRUPT 0x0e00u
#define GATE_TRAP 0x0f00u
#define WINDOW_END (VMI_WIRE_BASE + VMI_RING_WINDOW_SIZE)

static const struct descriptor null;

static u32 base_of(struct descriptor d)
{
    return d.low >> 16 | (d.high & 0xff) << 16 | (d.high & 0xff000000);
}

/* Offset of the last byte. */
static u32 limit_of(struct descriptor d)
{
    u32 limit = (d.low & 0xffff) | (d.high & 0xf0000);

    return d.high & GRANULAR ? limit << 12 | 0xfff : limit;
}

/* No more than `last` bytes behind the base; with at least what is asked for where `down`. */
static struct descriptor with_limit(struct descriptor d, u32 last)
{
    if (last > 0xfffff) {
        d.high |= GRANULAR;
        last >>= 12;
    } else {
        d.high &= ~GRANULAR;
    }
    d.low = (d.low & 0xffff0000) | (last & 0xffff);
    d.high = (d.high & ~0xf0000u) | (last & 0xf0000);
    return d;
}

static struct descriptor cut(struct descriptor d)
{
    u32 base = base_of(d), last = limit_of(d);

    if (base >= WINDOW_END)
        return null;
    if (!(d.high & CODE) && d.high & DOWN) {
        /* offsets above the limit: all must wrap to below the base */
        if (!(d.high & BIG))
            return base < WINDOW_END - 0x10000 ? d : null;
        if (last < 0u - base - 1)
            d = with_limit(d, base ? (0u - base - 1) | 0xfff : ~0u);
        return d;
    }
    if (last <= WINDOW_END - 1 - base)
        return d;
    /* in pages: what is left of the last one is given up */
    return with_limit(d, (WINDOW_END - base) >= 0x100000 ? ((WINDOW_END - base) & ~0xfffu) - 1 : WINDOW_END - 1 - base);
}

struct descriptor safe_descriptor(struct descriptor d)
{
    if (!(d.high & PRESENT))
        return d.high & NOT_SYSTEM ? d : null;
    if (!(d.high & NOT_SYSTEM))
        return null;
    if (!DPL(d))
        d.high |= 1 << 13;
    d.high &= ~0x200000u; /* no 64-bit code */
    return cut(d);
}

/* What a selector means; 0 if it means none of the guest's. */
const struct descriptor *find_descriptor(u32 selector)
{
    u32 index = selector >> 3;

    if (selector & 4)
        return index < LDT_ENTRIES && index * 8 + 7 <= cpu_->ldt_limit && cpu_->ldt ? &real_ldt[index] : 0;
    return index && index < GDT_OURS ? &real_gdt[index] : 0;
}

u32 code_selector(u32 selector, u32 ring)
{
    const struct descriptor *d = find_descriptor(selector & 0xffff);

    if (!d || (d->high & (PRESENT | NOT_SYSTEM | CODE)) != (PRESENT | NOT_SYSTEM | CODE) || (selector & 3) != ring)
        return 0;
    if (d->high & DOWN ? DPL(*d) > ring : DPL(*d) != ring)
        return 0;
    cpu_->known_code[ring] = selector;
    return 1;
}

u32 stack_selector(u32 selector, u32 ring)
{
    const struct descriptor *d = find_descriptor(selector & 0xffff);

    if (!d || (d->high & (PRESENT | NOT_SYSTEM | CODE | WRITABLE)) != (PRESENT | NOT_SYSTEM | WRITABLE) ||
        (selector & 3) != ring || DPL(*d) != ring)
        return 0;
    cpu_->known_stack[ring] = selector;
    return 1;
}

/* The tables have changed: no selector is known to be good. ES, FS and GS are the guest's while we run: what has changed in
 * the tables must change in them. */
static void reload_segments(void)
{
    for (u32 ring = 0; ring < 4; ring++)
        cpu_->known_code[ring] = cpu_->known_stack[ring] = ~0u;
    asm volatile("1: movl %%es, %%eax; 2: movl %%eax, %%es; jmp 4f; 3: xorl %%eax, %%eax; jmp 2b; 4:"
                 ".pushsection .fix, \"a\", @progbits; .long 2b, 3b; .popsection" ::: "eax");
    asm volatile("1: movl %%fs, %%eax; 2: movl %%eax, %%fs; jmp 4f; 3: xorl %%eax, %%eax; jmp 2b; 4:"
                 ".pushsection .fix, \"a\", @progbits; .long 2b, 3b; .popsection" ::: "eax");
    asm volatile("1: movl %%gs, %%eax; 2: movl %%eax, %%gs; jmp 4f; 3: xorl %%eax, %%eax; jmp 2b; 4:"
                 ".pushsection .fix, \"a\", @progbits; .long 2b, 3b; .popsection" ::: "eax");
}

void load_gdt(u32 base, u32 limit)
{
    u32 entries = (limit + 1) / 8;
    struct descriptor d;

    for (u32 i = 1; i < GDT_OURS; i++) {
        if (i >= entries || !guest_read(base + i * 8, &d, 8))
            d = null;
        real_gdt[i] = safe_descriptor(d);
    }
    cpu_->gdt_base = shared_->gdt_base = base;
    cpu_->gdt_limit = shared_->gdt_limit = limit;
    reload_segments();
}

/* In: the guest's selector. 1 = done, 0 = it is no LDT. */
u32 load_ldt(u32 selector)
{
    struct descriptor d, ldt;
    u32 base = 0, limit = 0;

    selector &= 0xffff;
    if (selector & ~3u) {
        if (selector & 4 || (selector | 7) > cpu_->gdt_limit || !guest_read(cpu_->gdt_base + (selector & ~7u), &d, 8) ||
            (d.high & 0x9f00) != 0x8200)
            return 0;
        base = base_of(d);
        limit = limit_of(d);
        if (limit > LDT_ENTRIES * 8 - 1)
            limit = LDT_ENTRIES * 8 - 1;
    }
    cpu_->ldt = selector & ~3u;
    cpu_->ldt_base = base;
    cpu_->ldt_limit = limit;
    shared_->ldt = selector;
    for (u32 i = 0; i < LDT_ENTRIES; i++) {
        if (!cpu_->ldt || i * 8 + 7 > limit) {
            if (!real_ldt[i].high && !real_ldt[i].low)
                continue;
            d = null;
        } else if (!guest_read(base + i * 8, &d, 8)) {
            d = null;
        }
        real_ldt[i] = safe_descriptor(d);
    }
    ldt = (struct descriptor){ (RING_AREA + VMI_RING_CPU_LDT) << 16 | (cpu_->ldt ? limit & 0xffff : 0),
                               ((RING_AREA + VMI_RING_CPU_LDT) & 0xff000000) |
                                   ((RING_AREA + VMI_RING_CPU_LDT) >> 16 & 0xff) | 0x8200 };
    real_gdt[RING_LDT >> 3] = ldt;
    asm volatile("lldt %w0" ::"r"(cpu_->ldt ? RING_LDT : 0));
    reload_segments();
    return 1;
}

void write_descriptor(u32 index, u32 in_ldt, struct descriptor wanted)
{
    if (in_ldt) {
        if (index >= LDT_ENTRIES)
            return;
        real_ldt[index] = safe_descriptor(wanted);
    } else {
        if (!index || index >= GDT_OURS)
            return;
        real_gdt[index] = safe_descriptor(wanted);
    }
    reload_segments();
}

/* A data segment of all 4 GiB with a base has two ends: what lies above the base, and by negative offsets, as thread-local
 * storage has it, what lies below. A limit that is cut leaves the first; expanding down, it leaves the second. Give the guest
 * the one that `offset` is in. 1 = done, 0 = it has that one, or there are no two. */
u32 turn_descriptor(u32 selector, u32 offset)
{
    struct descriptor *now = (struct descriptor *)find_descriptor(selector), d;
    u32 table = selector & 4 ? cpu_->ldt_base : cpu_->gdt_base;

    if (!now || !guest_read(table + (selector & 0xfff8), &d, 8))
        return 0;
    if ((d.high & (PRESENT | NOT_SYSTEM | CODE | DOWN | BIG)) != (PRESENT | NOT_SYSTEM | BIG) || limit_of(d) != ~0u || !base_of(d))
        return 0;
    if (offset >= 0u - base_of(d)) {
        d = with_limit(d, 0);
        d.high |= DOWN;
    }
    d = safe_descriptor(d);
    if (now->low == d.low && !((now->high ^ d.high) & ~(u32)ACCESSED))
        return 0;
    *now = d;
    reload_segments();
    return 1;
}

static struct descriptor gate(u32 selector, u32 eip, u32 type)
{
    return (struct descriptor){ selector << 16 | (eip & 0xffff), (eip & 0xffff0000) | type };
}

/* Is there code of the kernel's at a gate's offset? Elsewhere the CPU would fault, or an emulator without limits go there. */
static u32 is_code_at(u32 selector, u32 offset)
{
    const struct descriptor *d = find_descriptor(selector);

    return code_selector(selector, 1) && !base_of(*d) && offset <= limit_of(*d);
}

/* The guest's gate: what the monitor gives it of a vector, or what ring 3 reaches by INT. */
void write_gate(u32 vector, struct descriptor d)
{
    u32 dpl = DPL(d), type = d.high & 0x1f00, selector = (d.low >> 16 & ~3u) | 1, offset = (d.low & 0xffff) | (d.high & 0xffff0000);
    u32 entry = vector < 32 ? (u32)vector_entries + vector * 16 : (u32)interrupt_entries + (vector - 32) * 8;

    vector &= 0xff;
    *gate_of(vector) = d;
    if (vector == 8)
        return;
    if (d.high & PRESENT && dpl == 3 && type == GATE_TRAP && is_code_at(selector, offset) && !HAS_ERROR(vector) &&
        vector != 2 && vector != 18 && vector != 1)
        real_idt[vector] = gate(selector, offset, PRESENT | 3 << 13 | GATE_TRAP);
    else
        real_idt[vector] = gate(RING_CS, entry, PRESENT | (d.high & PRESENT && dpl == 3 ? 3 << 13 : 0) | GATE_INTERRUPT);
}

void load_idt(u32 base, u32 limit)
{
    struct descriptor d;

    for (u32 i = 0; i < 256; i++) {
        if (i * 8 + 7 > limit || !guest_read(base + i * 8, &d, 8))
            d = null;
        write_gate(i, d);
    }
    cpu_->idt_base = shared_->idt_base = base;
    cpu_->idt_limit = shared_->idt_limit = limit;
}

/* Where ring 3 enters ring 1 with. A selector that is no stack becomes one that faults when it is used. */
void set_kernel_stack(u32 selector, u32 esp)
{
    selector = (selector & 0xfffc) | 1;
    real_tss->ss1 = is_stack(selector, 1) ? selector : 0;
    real_tss->esp1 = esp <= VMI_WIRE_BASE ? esp : 0x1000; /* no push by the CPU itself into our memory */
}

/* Where SYSENTER leads: see ring_sysenter. */
void set_sysenter(void)
{
    u32 *way = (u32 *)SYSENTER_WAY, cs = (cpu_->sysenter_cs & 0xfffc) | 1;
    u32 good = cpu_->sysenter_cs & 0xfffc && code_selector(cs, 1) && stack_selector(cs + 8, 1);

    way[0] = cpu_->sysenter_eip;
    way[1] = cs;
    way[3] = cpu_->sysenter_esp;
    way[4] = cs + 8;
    shared_->sysexit_cs = (cs + 16) | 3;
    shared_->sysexit_ss = (cs + 24) | 3;
    wrmsr(0x174, good && cpu_->sysenter_eip < VMI_WIRE_BASE ? RING_CS : 0, 0);
    wrmsr(0x175, SYSENTER_STACK, 0);
    wrmsr(0x176, (u32)ring_sysenter, 0);
}

static void system_descriptor(u32 selector, u32 base, u32 limit, u32 type)
{
    real_gdt[selector >> 3] = (struct descriptor){ base << 16 | limit, (base & 0xff000000) | (base >> 16 & 0xff) | type };
}

extern const u8 ring_gate[];

/* All that is ours in a CPU's tables, and the tables loaded. The guest's part of the GDT is there. */
void monitor_descriptors(void)
{
    struct dtr dtr = { GDT_ENTRIES * 8 - 1, (u32)real_gdt };

    real_gdt[RING_CS >> 3] = (struct descriptor){ 0x0000ffff, 0x00cf9b00 };
    real_gdt[RING_DS >> 3] = (struct descriptor){ 0x0000ffff, 0x00cf9300 };
    system_descriptor(RING_TSS, (u32)real_tss, sizeof(struct tss) - 1, 0x8900);
    system_descriptor(RING_TSS_DOUBLE, (u32)double_tss, sizeof(struct tss) - 1, 0x8900);
    real_gdt[RING_GATE >> 3] = gate(RING_CS, (u32)ring_gate, PRESENT | 1 << 13 | 0x0c01);
    real_tss->esp0 = RING_STACK_TOP;
    real_tss->ss0 = RING_DS;
    real_tss->iomap = 0xffff;
    *double_tss = (struct tss){ .esp = RING_AREA + AREA_DOUBLE_STACK, .eip = (u32)ring_double_fault, .eflags = EFLAGS_FIXED,
                                .cs = RING_CS, .ss = RING_DS, .ds = RING_DS, .es = RING_DS, .iomap = 0xffff };
    double_tss->cr3 = VMI_WIRE_BAR + VMI_RING_CPUS_OFFSET + cpu_->number * VMI_RING_CPU_SIZE +
                      (RING_PAE ? AREA_BOOT_POINTERS : AREA_BOOT_ROOT);
    real_idt[8] = gate(RING_TSS_DOUBLE, 0, PRESENT | 0x0500);
    asm volatile("lgdt %0" ::"m"(dtr));
    dtr = (struct dtr){ 256 * 8 - 1, (u32)real_idt };
    asm volatile("lidt %0" ::"m"(dtr));
    asm volatile("ltr %w0" ::"r"(RING_TSS));
}
