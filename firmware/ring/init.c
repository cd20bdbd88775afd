/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * vmi_init of `ring`: looks whether all is as it must be, builds the hole's page tables and this CPU's area, and puts the
 * guest that called down to CPL 1. Until ring_start has succeeded everything can be undone. Called by ring_enter (entry.S).
 */
#include "shadow_env.h"

#define TABLE_COUNT SHADOW_HOLE_SLOTS
#define TABLE_ENTRIES (1024 >> RING_PAE)
#define AREA_OF(cpu) (VMI_RING_CPUS_OFFSET + (cpu) * VMI_RING_CPU_SIZE)
#define MACHINE(offset) (VMI_WIRE_BAR + (offset))
#define ENTRY 0x63
#define ENTRY_READ_ONLY 0x21
#define PRIVATE_PAGE (VMI_RING_PRIVATE_OFFSET >> 12)
#define OWN_AREA ((RING_AREA - RING_CPU) >> 12)
#define OWN_ALIAS ((RING_ALIAS - RING_CPU) >> 12)
#define OWN_POOL ((RING_POOL_DIRECT - RING_CPU) >> 12)
#define FEATURES 0x18            /* PSE, TSC */
#define wire_header ((volatile struct vmi_wire_header *)VMI_WIRE_BASE)

/* As the guest had it, to be put back. */
static struct {
    struct dtr gdt, idt;
    u32 cr0, cr3, cr4, ldt, tr;
} before;

/* The directory entries of the hole, of each CPU. */
static shadow_entry hole[VMI_RING_CPUS_MAX][SHADOW_HOLE_SLOTS];

static u32 refuse(u32 why)
{
    info_->refusal = why;
    return 0;
}

static struct descriptor guest_descriptor(u32 selector)
{
    const struct descriptor *d = (const struct descriptor *)(before.gdt.base + (selector & 0xfff8));

    return (selector & 4) || !(selector & 0xfff8) || (selector | 7) > before.gdt.limit ? (struct descriptor){ 0, 0 } : *d;
}

/* 32-bit, base 0, limit 4 GiB. */
static u32 flat(u32 selector)
{
    struct descriptor d = guest_descriptor(selector & 0xffff);

    return d.low == 0xffff && (d.high & 0xffdf90ff) == 0x00cf9000;
}

/* Offset in the device of a page table of the hole. */
static u32 table_offset(u32 cpu, u32 table)
{
    u32 page = table * TABLE_ENTRIES;

    if (!table)
        return AREA_OF(cpu) + AREA_TABLE_WINDOW;
    if (page >= PRIVATE_PAGE && page < PRIVATE_PAGE + 0x400)
        return AREA_OF(cpu) + AREA_TABLE_CPU + ((page - PRIVATE_PAGE) / TABLE_ENTRIES << 12);
    if (page >= PRIVATE_PAGE + 0x400 && page < PRIVATE_PAGE + 0x800)
        return AREA_OF(cpu) + AREA_TABLE_GUEST + ((page - PRIVATE_PAGE - 0x400) / TABLE_ENTRIES << 12);
    return VMI_RING_TABLES_OFFSET + (table << 12);
}

/* What a page of the hole is. */
static u32 page_entry(u32 cpu, u32 page)
{
    u32 own = page - PRIVATE_PAGE, shared_page = VMI_RING_SHARED_OFFSET >> 12;

    if (page == shared_page || own == OWN_ALIAS + shared_page)
        return MACHINE(AREA_OF(cpu) + VMI_RING_CPU_SHARED) | ENTRY;
    if (page < VMI_RING_WINDOW_SIZE >> 12)
        return MACHINE(page << 12) | ENTRY_READ_ONLY;
    if (page < PRIVATE_PAGE)
        return MACHINE(page << 12) | ENTRY;
    if (own - OWN_AREA < 16)
        return MACHINE(AREA_OF(cpu) + ((own - OWN_AREA) << 12)) | ENTRY;
    if (own - OWN_ALIAS < 16)
        return MACHINE((own - OWN_ALIAS) << 12) | ENTRY;
    if (own == (RING_APIC - RING_CPU) >> 12)
        return APIC_MACHINE | ENTRY | 0x18;
    if (own == (RING_IO_APIC - RING_CPU) >> 12)
        return IO_APIC_MACHINE | ENTRY | 0x18;
    if (own == (RING_HPET - RING_CPU) >> 12)
        return HPET_MACHINE | ENTRY | 0x18;
    if (own >= OWN_POOL && own - OWN_POOL < info_->pool_pages)
        return MACHINE(VMI_RING_POOL_OFFSET + ((own - OWN_POOL) << 12)) | ENTRY;
    return 0;
}

void build_tables(u32 cpu)
{
    for (u32 table = 0; table < TABLE_COUNT; table++) {
        shadow_entry *entries = (shadow_entry *)RING_AT(table_offset(cpu, table));
        for (u32 i = 0; i < TABLE_ENTRIES; i++)
            entries[i] = page_entry(cpu, table * TABLE_ENTRIES + i);
        hole[cpu][table] = MACHINE(table_offset(cpu, table)) | ENTRY;
    }
}

/* A directory with the guest's entries of now and our hole. -> its machine address. */
static u32 build_boot_root(u32 cpu)
{
    u32 low = wire_header->guest_base & 0xfff00000;
    shadow_entry *root = (shadow_entry *)RING_AT(AREA_OF(cpu) + AREA_BOOT_ROOT);
#if RING_PAE
    u64 *pointers = (u64 *)RING_AT(AREA_OF(cpu) + AREA_BOOT_POINTERS);
    const u64 *theirs = (const u64 *)(low + (before.cr3 & 0xffffffe0));
    memcpy(pointers, theirs, 32);
    memcpy(root, (const void *)(low + ((u32)theirs[3] & 0xfffff000)), 4096);
    pointers[3] = MACHINE(AREA_OF(cpu) + AREA_BOOT_ROOT) | 1;
#else
    memcpy(root, (const void *)(low + (before.cr3 & 0xfffff000)), 4096);
#endif
    for (u32 i = 0; i < SHADOW_HOLE_SLOTS; i++)
        root[TABLE_ENTRIES - SHADOW_HOLE_SLOTS + i] = hole[cpu][i];
    return MACHINE(AREA_OF(cpu) + (RING_PAE ? AREA_BOOT_POINTERS : AREA_BOOT_ROOT));
}

/* The same for another CPU: our hole, and the lowest memory where it is, in which it starts. -> its machine address. */
u32 build_own_root(u32 cpu)
{
    shadow_entry *root = (shadow_entry *)RING_AT(AREA_OF(cpu) + AREA_BOOT_ROOT);
#if RING_PAE
    u64 *pointers = (u64 *)RING_AT(AREA_OF(cpu) + AREA_BOOT_POINTERS);

    pointers[0] = pointers[3] = MACHINE(AREA_OF(cpu) + AREA_BOOT_ROOT) | 1;
#endif
    root[0] = 0xe3;
    for (u32 i = 0; i < SHADOW_HOLE_SLOTS; i++)
        root[TABLE_ENTRIES - SHADOW_HOLE_SLOTS + i] = hole[cpu][i];
    return MACHINE(AREA_OF(cpu) + (RING_PAE ? AREA_BOOT_POINTERS : AREA_BOOT_ROOT));
}

/* Tell the shadows of this CPU. */
void adopt_hole(void)
{
    shadow_set_cpu(cpu_->number, hole[cpu_->number], (struct shadow_queue *)SHARED(count));
}

static u32 look(const frame_t *frame)
{
    u32 features[4];

    asm volatile("sgdt %0" : "=m"(before.gdt));
    asm volatile("sidt %0" : "=m"(before.idt));
    asm volatile("sldt %w0" : "=r"(before.ldt) : "0"(0));
    asm volatile("str %w0" : "=r"(before.tr) : "0"(0));
    before.cr0 = read_cr0();
    before.cr3 = read_cr3();
    before.cr4 = read_cr4();
    cpuid(1, 0, features);
    if ((features[3] & FEATURES) != FEATURES)
        return refuse(VMI_RING_REFUSAL_CPU);
    if (frame->cs & 3 || frame->eflags & EFLAGS_IF || (before.cr0 & (CR0_PG | CR0_WP)) != (CR0_PG | CR0_WP) ||
        !(before.cr4 & CR4_PAE) != !RING_PAE)
        return refuse(VMI_RING_REFUSAL_STATE);
    if (!flat(frame->cs) || !flat(frame->ss) || !flat(frame->ds) || !flat(frame->es))
        return refuse(VMI_RING_REFUSAL_SEGMENTS);
    if (before.gdt.limit >= GDT_OURS * 8)
        return refuse(VMI_RING_REFUSAL_TABLES);
    if (wire_header->cpus > VMI_RING_CPUS_MAX)
        return refuse(VMI_RING_REFUSAL_CPUS);
    if (info_->frames > VMI_RING_FRAMES_MAX || info_->pool_pages < shadow_pool_least(wire_header->cpus))
        return refuse(VMI_RING_REFUSAL_MEMORY);
    return 1;
}

/* The first half, on the guest's stack and page tables. -> a copy of the frame on our own stack, our directory and
 * descriptor tables in use; or 0, nothing has changed. */
frame_t *ring_prepare(frame_t *frame)
{
    frame_t *top = (frame_t *)(RING_STACK_TOP - sizeof *top);
    u32 root;

    memset(bss_start, 0, (u32)(bss_end - bss_start));
    if (!look(frame))
        return 0;
    memset((void *)RING_AT(AREA_OF(0)), 0, VMI_RING_CPU_SIZE);
    memset((void *)RING_AT(VMI_RING_BITMAP_OFFSET), 0, VMI_RING_BITMAP_BITS / 8);
    build_tables(0);
    root = build_boot_root(0);
    write_cr3(root);
    *top = *frame;
    load_gdt(before.gdt.base, before.gdt.limit);
    load_idt(before.idt.base, before.idt.limit);
    monitor_descriptors();
    return top;
}

static u32 lowered(u32 selector)
{
    return selector & 0xfff8 && !(selector & 3) ? selector | 1 : selector;
}

static u32 start_shadows(void)
{
    u32 features[4], bits = 36, mode = SHADOW_MODE_WP;
    struct shadow_config config = {
        .cpus = header_->cpus,
        .frames = info_->frames,
        .pool_machine = MACHINE(VMI_RING_POOL_OFFSET),
        .pool_pages = info_->pool_pages,
        .queue_entries = VMI_RING_QUEUE,
        .bitmap_mask = VMI_RING_BITMAP_BITS - 1,
        .bitmap = (u8 *)(RING_ALIAS + VMI_RING_BITMAP_OFFSET),
        .frame_table = (u16 *)RING_LINEAR(FRAMES),
        .pages = (struct shadow_page *)RING_LINEAR(PAGES),
    };

    cpuid(0x80000000, 0, features);
    if (features[0] >= 0x80000008) {
        cpuid(0x80000008, 0, features);
        bits = features[0] & 0xff;
    }
    config.physical_bits = info_->physical_bits = bits;
    if (!shadow_init(&config, (struct shadow_counters *)info_->shadow))
        return 0;
    if (before.cr4 & CR4_PSE)
        mode |= SHADOW_MODE_PSE;
    if (cpu_->efer & 0x800)
        mode |= SHADOW_MODE_NX;
    cpu_->mode = mode;
    return 1;
}

static void start_registers(void)
{
    u32 value[2] = { 0, 0 };

    shared_->cr0 = before.cr0;
    shared_->cr4 = before.cr4;
    set_cr0(before.cr0);
    set_cr4(before.cr4);
    msr_read(0x174, &cpu_->sysenter_cs);
    msr_read(0x175, value);
    cpu_->sysenter_esp = value[0];
    msr_read(0x176, value);
    cpu_->sysenter_eip = value[0];
    set_sysenter();
    load_ldt(before.ldt);
    cpu_->tr = shared_->tr = before.tr;
    cpu_->life = 1;
}

static void out_byte(u32 port, u32 value)
{
    asm volatile("outb %b0, %w1" ::"a"(value), "Nd"(port));
}

/* From now on real interrupts are on. The BIOS has them at exceptions' vectors, where the CPU pushes no error code; a guest
 * that wants them says where and which, and Python looks at that (ring/irqs.py). */
static void quiet_interrupts(void)
{
    for (u32 chip = 0; chip < 2; chip++) {
        u32 port = chip ? 0xa0 : 0x20;
        out_byte(port, 0x11);
        out_byte(port + 1, chip ? 0x28 : 0x20);
        out_byte(port + 1, chip ? 2 : 4);
        out_byte(port + 1, 1);
        out_byte(port + 1, 0xff);
    }
}

/* The second half, on our own stack. 1 = done: the frame is the guest's at CPL 1; 0 = to be undone. */
u32 ring_start(frame_t *frame)
{
    u32 efer[2] = { 0, 0 }, root;

    msr_read(0xc0000080, efer);
    cpu_->efer = efer[0] & 0x800;
    if (!start_shadows()) {
        refuse(VMI_RING_REFUSAL_MEMORY);
        return 0;
    }
    adopt_hole();
    cpu_->state = CPU_RUNNING;
    shadow_set_mode(0, cpu_->mode);
    root = shadow_set_root(0, before.cr3);
    if (!root) {
        refuse(VMI_RING_REFUSAL_ROOT);
        return 0;
    }
    cpu_->cr3 = before.cr3;
    cpu_->root = root;
    shared_->cr3 = before.cr3;
    start_registers();
    header_written->guest_cr4 = before.cr4;
    frame->cs |= 1;
    frame->ss = lowered(frame->ss & 0xffff);
    frame->ds = lowered(frame->ds & 0xffff);
    frame->es = lowered(frame->es & 0xffff);
    asm volatile("movl %%fs, %0" : "=r"(efer[0]));
    asm volatile("movl %%gs, %0" : "=r"(efer[1]));
    asm volatile("movl %0, %%fs; movl %1, %%gs" ::"r"(lowered(efer[0] & 0xffff)), "r"(lowered(efer[1] & 0xffff)));
    load_es(frame->es);
    frame->eax = 0;
    frame->eflags = EFLAGS_FIXED;   /* the first EnableInterrupts comes to us: what waits is then as it was before */
    shared_->held = 1;
    cpu_->held = 1;
    quiet_interrupts();
    quiet_devices();
    quiet_masters();
    start_others();
    follow_modes();
    return 1;
}

/* As it was before ring_prepare. On the guest's stack again: ours goes with the directory. */
void ring_undo(void)
{
    struct descriptor *task = (struct descriptor *)(before.gdt.base + (before.tr & 0xfff8));

    asm volatile("lgdt %0" ::"m"(before.gdt));
    asm volatile("lidt %0" ::"m"(before.idt));
    if ((before.tr | 7) <= before.gdt.limit && (task->high & 0x1d00) == 0x0900) {
        task->high &= ~0x200u;      /* else the guest's own TR holds what its table has no more */
        asm volatile("ltr %w0" ::"r"(before.tr));
    }
    asm volatile("lldt %w0" ::"r"(before.ldt));
    write_cr0(before.cr0);
    write_cr4(before.cr4);
    write_cr3(before.cr3);
}
