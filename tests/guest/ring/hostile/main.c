/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The harness of the hostile kernel: boots as the bundled one does, up to the tick; then makes the one attempt that the
 * command line names, says what came of it, looks whether the hypervisor still serves it, and switches off.
 */
#include "hostile.h"
#include "internal.h"
#include "process.h"

extern u8 boot_stack[];
extern const u8 hostile_entries[][16], hostile_call[];
extern u32 caught_vector, caught_error, caught_eip, caught_cs, escape_ss;
u32 hostile_try(action *what, u32 argument);
u32 call_any(u32 function, const u32 *arguments);
NORETURN void kernel_main(u32 magic, u32 boot_info);

const u32 secrets[] = {
	VMI_WIRE_CPUS_OFFSET, VMI_WIRE_RINGS_OFFSET, VMI_RING_IMAGE_OFFSET, VMI_RING_INFO_OFFSET, VMI_RING_TABLES_OFFSET,
	VMI_RING_FRAMES_OFFSET, VMI_RING_CPUS_OFFSET, VMI_RING_CPUS_OFFSET + VMI_RING_CPU_GDT,
	VMI_RING_CPUS_OFFSET + VMI_RING_CPU_IDT, VMI_RING_POOL_OFFSET, VMI_WIRE_SIZE - PAGE_SIZE,
};
const u32 secret_count = ARRAY_SIZE(secrets);

static u32 tries, faults, leaks;
static u8 entry_stack[PAGE_SIZE] ALIGNED(16); /* ring 3 comes in on it: ours is in use */

u32 pv_cpu_index(void)
{
	return this_cpu()->number;
}

u32 random32(void)
{
	static u32 state;

	if (state == 0)
		state = option_number("seed", 1) * 2654435761u + 1;
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state;
}

struct caught try(action *what, u32 argument)
{
	struct caught caught = { .vector = NONE };

	if (hostile_try(what, argument) == 0)
		return caught;
	return (struct caught){ caught_vector, caught_error, caught_eip, caught_cs, read_cr2() };
}

void held(const char *what, struct caught caught, bool leak)
{
	tries++;
	faults += caught.vector != NONE;
	leaks += leak;
	if (leak || tries <= 12)
		result("info %s %s %d %x %x", leak ? "leak" : "try", what, (int)caught.vector, caught.error, caught.address);
}

u32 vmi_call(u32 number, u32 a, u32 d, u32 c, u32 s1, u32 s2)
{
	u32 arguments[5] = { a, d, c, s1, s2 };
	struct vmi_reloc_answer answer = vmi_get_reloc(number);

	return answer.type == VMI_RELOC_NONE ? 0 : call_any(answer.eip, arguments);
}

pde_t *directory_of(u32 va)
{
#if CONFIG_PAE
	return frame_address(pte_pfn(kernel_root[va >> PDP_SHIFT]));
#else
	(void)va;
	return kernel_root;
#endif
}

pde_t *pde_of(u32 va)
{
	return directory_of(va) + SLOT_OF(va);
}

static pte_t try_table[PT_ENTRIES] ALIGNED(PAGE_SIZE);

pte_t *entry_of(u32 va)
{
	bool large = false;
	pte_t *found = walk(kernel_root, va, &large);

	if (found != NULL || large)
		return found;
	paging_alloc_pt(virt_to_phys(try_table) >> PAGE_SHIFT);
	set_pde(pde_of(va), make_pte(virt_to_phys(try_table) >> PAGE_SHIFT, PTE_P | PTE_W | PTE_U | PTE_A));
	return &try_table[(va >> PAGE_SHIFT) % PT_ENTRIES];
}

void user_load(const void *code, u32 length)
{
	static u32 pages[2];

	for (u32 i = 0; i < 2; i++) {
		u32 va = USER_CODE + i * PAGE_SIZE;

		if (pages[i] == 0)
			pages[i] = frame_alloc_zeroed(FRAME_USER);
		set_pte_at(va, entry_of(va), make_pte(pages[i], PTE_P | PTE_W | PTE_U | PTE_A | PTE_D));
	}
	memcpy(frame_address(pages[0]), code, length);
	flush_tlb();
}

/* ---- Boot, as guest/kernel/main.c has it ---- */

static void no_line(const char *line)
{
	result("%s", line);
}

static void early_boot(u32 magic, u32 boot_info)
{
	console_init();
	result("hello 1");
	result("mark kernel");
	bootinfo_init(magic, boot_info);
	paravirt_probe();
	paging_prepare();
	paravirt_lowmem_pages = lowmem_pages;
	paravirt_activate();
	features_init();
	descriptors_prepare(0);
	idt_init();
	descriptors_init(0);
	sched_init_cpu(ADDRESS(boot_stack));
	frames_init(lowmem_pages);
	paging_init();
}

/* From now on every exception ends a try. */
static void catch_exceptions(void)
{
	asm volatile("movl %%ss, %0" : "=r"(escape_ss));
	for (u32 i = 0; i < 32; i++)
		set_gate(i, (void (*)(void))(uintptr_t)hostile_entries[i], GATE_INTERRUPT | (i == 3 ? DESC_DPL3 : 0));
	set_gate(VECTOR_SYSCALL, (void (*)(void))(uintptr_t)hostile_call, GATE_TRAP | DESC_DPL3);
}

static const struct attempt *find(const char *name)
{
	static const struct attempt *const lists[] = { memory_attempts, segment_attempts, flow_attempts, device_attempts,
						       call_attempts, sensitive_attempts, race_attempts, chipset_attempts, pae_attempts,
						       alarm_attempts };

	for (u32 i = 0; i < ARRAY_SIZE(lists); i++)
		for (const struct attempt *attempt = lists[i]; attempt->name != NULL; attempt++)
			if (strncmp(attempt->name, name, strlen(attempt->name)) == 0 &&
			    (name[strlen(attempt->name)] == ' ' || name[strlen(attempt->name)] == '\0'))
				return attempt;
	return NULL;
}

/* What the hypervisor must still do for us: a question that goes to Python, and a page-table entry. */
static bool served(void)
{
	static u32 page[PT_ENTRIES] ALIGNED(PAGE_SIZE);
	u32 regs[4], va = TRY_VA + 0x300000;

	cpuid(0, 0, regs);
	if (regs[0] == 0 || regs[0] > 0x100)
		return false;
	page[5] = 0x600DF00D;
	set_pte_at(va, entry_of(va), make_pte(virt_to_phys(page) >> PAGE_SHIFT, PTE_P | PTE_W | PTE_A | PTE_D));
	return POINTER(volatile u32, va)[5] == 0x600DF00D;
}

void kernel_main(u32 magic, u32 boot_info)
{
	const struct attempt *attempt;

	early_boot(magic, boot_info);
	pic_init();
	catch_exceptions();
	paravirt_report_lines(no_line);
	attempt = option("try") == NULL ? NULL : find(option("try"));
	if (attempt == NULL)
		panic("no such attempt");
	result("info cpl %u", kernel_rpl);
	irq_disable();
	update_kernel_stack(&this_cpu()->tss, ADDRESS(entry_stack) + sizeof entry_stack);
	attempt->run();
	result("info tries %u %u %u", tries, faults, leaks);
	if (!served())
		panic("the hypervisor serves us no more");
	result("summary %u %u", tries - leaks, leaks);
	result("exit %u", leaks != 0);
	power_off();
}
