/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The wrong guest's kernel, as far as it is right: page tables, descriptor tables, activation in the order of
 * vmi-abi.md 10.2, another CPU, and the end. What is wrong is in rules.c.
 */
#include "wrong.h"

#define PRESENT_WRITABLE_USER 7
#define COM2 0x2F8
#define PM1A_CONTROL 0x604
#define SLEEP_S5 0x2000
#define ICR_LOW 0x300
#define ICR_HIGH 0x310
#define INIT_IPI 0x4500
#define STARTUP_IPI 0x4600
#define TSS_AVAILABLE 0x8900

struct cpu cpus[2] __attribute__((section(".bss.page")));
struct descriptor idt[512] ALIGNED(4096) __attribute__((section(".bss.page")));
u32 root[1024] ALIGNED(4096) __attribute__((section(".bss.page")));
u32 pool[16][1024] ALIGNED(4096) __attribute__((section(".bss.page")));
static u32 tables[2][1024] ALIGNED(4096) __attribute__((section(".bss.page")));
static u32 apic_table[1024] ALIGNED(4096) __attribute__((section(".bss.page")));
u32 entry[VMI_CALL_COUNT];
u32 ap_root, ap_stack;
volatile u32 ap_state;
static u32 rom;

static void outb(u8 value, u16 port)
{
	asm volatile("outb %0, %1" ::"a"(value), "Nd"(port));
}

void say(const char *text)
{
	while (*text != '\0')
		outb((u8)*text++, COM2);
}

NORETURN void finish(u32 status)
{
	char text[] = "exit 00\n";

	text[5] = (char)('0' + status / 10 % 10);
	text[6] = (char)('0' + status % 10);
	say(text);
	asm volatile("outw %0, %1" ::"a"((u16)SLEEP_S5), "Nd"((u16)PM1A_CONTROL));
	for (;;)
		asm volatile("cli; hlt");
}

static void paging_on(void)
{
	for (u32 i = 0; i < MAPPED_PAGES; i++)
		tables[i / 1024][i % 1024] = i << 12 | PRESENT_WRITABLE_USER;
	apic_table[0] = 0xFEE00000 | PRESENT_WRITABLE_USER;
	root[0] = ADDRESS(tables[0]) | PRESENT_WRITABLE_USER;
	root[1] = ADDRESS(tables[1]) | PRESENT_WRITABLE_USER;
	root[APIC >> 22] = ADDRESS(apic_table) | PRESENT_WRITABLE_USER;
	asm volatile("movl %0, %%cr3; movl %%cr0, %%eax; orl $0x80010000, %%eax; movl %%eax, %%cr0" ::"r"(ADDRESS(root))
		     : "eax", "memory");
}

static void segment(struct descriptor *gdt, u32 selector, u32 base, u32 limit, u32 high)
{
	gdt[selector >> 3] = (struct descriptor){ base << 16 | (limit & 0xFFFF),
						  (base & 0xFF000000) | (base >> 16 & 0xFF) | (limit & 0xF0000) | high };
}

/* Before activation, and for a CPU that does not run yet: nobody has to be told. */
void tables_fill(struct cpu *cpu)
{
	cpu->tss[1] = ADDRESS(cpu->trap_stack) + sizeof cpu->trap_stack;
	cpu->tss[2] = KERNEL_DS;
	segment(cpu->gdt, KERNEL_CS, 0, 0xFFFFF, 0xC09A00);
	segment(cpu->gdt, KERNEL_DS, 0, 0xFFFFF, 0xC09200);
	segment(cpu->gdt, USER_CS, 0, 0xFFFFF, 0xC0FA00);
	segment(cpu->gdt, USER_DS, 0, 0xFFFFF, 0xC0F200);
	segment(cpu->gdt, TSS_SELECTOR, ADDRESS(cpu->tss), 0x67, TSS_AVAILABLE);
	segment(cpu->gdt, RING1_CS, 0, 0xFFFFF, 0xC0BA00);
	segment(cpu->gdt, RING1_DS, 0, 0xFFFFF, 0xC0B200);
	segment(cpu->gdt, SPARE << 3, 0, 0xFFFFF, 0xC09200);
	segment(cpu->gdt, NARROW_DS, 0, 0x00FFF, 0xC09200);
}

static void load_natively(struct cpu *cpu)
{
	struct table_register gdtr = { GDT_ENTRIES * 8 - 1, ADDRESS(cpu->gdt) }, idtr = { 256 * 8 - 1, ADDRESS(idt) };

	asm volatile("lgdt %0; lidt %1; ljmp %2, $1f; 1: movl %3, %%ds; movl %3, %%es; movl %3, %%ss; movl %4, %%fs; "
		     "movl %4, %%gs" ::"m"(gdtr),
		     "m"(idtr), "i"(KERNEL_CS), "r"(KERNEL_DS), "r"(0));
}

/* What a CPU tells as soon as the interface is active. */
void tables_load(struct cpu *cpu)
{
	struct table_register gdtr = { GDT_ENTRIES * 8 - 1, ADDRESS(cpu->gdt) }, idtr = { 256 * 8 - 1, ADDRESS(idt) };

	vmi(VMI_CALL_SetLinearMapping, 0, 0, MAPPED_PAGES, 0, 0);
	vmi(VMI_CALL_SetGDT, ADDRESS(&gdtr), 0, 0, 0, 0);
	vmi(VMI_CALL_SetIDT, ADDRESS(&idtr), 0, 0, 0, 0);
	vmi(VMI_CALL_SetTR, TSS_SELECTOR, 0, 0, 0, 0);
	vmi(VMI_CALL_UpdateKernelStack, KERNEL_DS, cpu->tss[1], 0, 0, 0);
}

static void gates_fill(void)
{
	for (u32 i = 0; i < 256; i++) {
		u32 handler = i == 0x80 ? ADDRESS(system_call) : ADDRESS(trap_entry);

		idt[i] = (struct descriptor){ KERNEL_CS << 16 | (handler & 0xFFFF), (handler & 0xFFFF0000) | 0xEE00 };
	}
	outb(0xFF, 0x21); /* no interrupt will come */
	outb(0xFF, 0xA1);
}

static void query(void)
{
	u64 (*get_reloc)(u32) = (u64(*)(u32))(uintptr_t)(rom + 0x88);

	for (u32 number = 0; number < VMI_CALL_COUNT; number++)
		entry[number] = (u32)get_reloc(number);
}

static bool is(const char *word, const char *text)
{
	while (*word != '\0' && *word == *text)
		word++, text++;
	return *word == '\0' && *text == '\0';
}

/* With what a rule wants done wrong. To ask before vmi_init and call afterwards is right, and is done in one case. */
static bool activate(const char *rule)
{
	u32 (*init)(void) = (u32(*)(void))(uintptr_t)(rom + 0x80);
	bool early = is(rule, "before-init"), kept = is(rule, "addresses-kept");
	u32 answer;

	if (early || kept)
		query();
	if (early && entry[VMI_CALL_SetLazyMode] != 0)
		vmi(VMI_CALL_SetLazyMode, 0, 0, 0, 0, 0);
	if (is(rule, "init-interrupts"))
		asm volatile("sti");
	answer = init();
	asm volatile("cli");
	if (!kept)
		query();
	return answer == 0;
}

/* The kernel's last word on its command line. */
static const char *last_word(const u32 *boot_information)
{
	const char *text = POINTER(const char, boot_information[4]), *word = text;

	for (; *text != '\0'; text++)
		if (*text == ' ')
			word = text + 1;
	return word;
}

void ap_main(void)
{
	load_natively(&cpus[1]);
	tables_load(&cpus[1]);
	ap_state = 1;
	while (ap_state != 2)
		asm volatile("pause");
	break_rule("on the other CPU");
	ap_state = 3;
	for (;;)
		asm volatile("cli; hlt");
}

/* INIT, STARTUP, and a wait for ap_main. */
bool start_ap(void)
{
	volatile u32 *low = POINTER(volatile u32, APIC + ICR_LOW), *high = POINTER(volatile u32, APIC + ICR_HIGH);

	for (u32 i = 0; i < (u32)(trampoline_end - trampoline_start); i++)
		POINTER(u8, TRAMPOLINE)[i] = trampoline_start[i];
	tables_fill(&cpus[1]);
	ap_root = ADDRESS(root);
	ap_stack = ADDRESS(cpus[1].stack) + sizeof cpus[1].stack;
	*high = 1 << 24;
	*low = INIT_IPI;
	*high = 1 << 24;
	*low = STARTUP_IPI | TRAMPOLINE >> 12;
	for (u32 i = 0; ap_state == 0 && i < 400000000; i++)
		asm volatile("pause");
	return ap_state == 1;
}

void kernel_main(const u32 *boot_information)
{
	const char *rule = last_word(boot_information);

	say("hello 1\n");
	paging_on();
	gates_fill();
	tables_fill(&cpus[0]);
	load_natively(&cpus[0]);
	for (rom = VMI_SCAN_FIRST; rom < VMI_SCAN_END; rom += VMI_SCAN_STEP)
		if (*POINTER(u16, rom) == 0xAA55 && *POINTER(u32, rom + 8) == VMI_SIGNATURE)
			break;
	if (rom == VMI_SCAN_END || !activate(rule))
		finish(98);
	tables_load(&cpus[0]);
	finish(break_rule(rule) ? 0 : 97);
}
