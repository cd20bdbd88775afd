/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The kernel's own page tables: extends what boot.S built (the first 8 MiB stay as they are) to a map of all low
 * memory, with large pages if the CPU has them, and adds a table of fixed mappings below the top that the layer
 * reserves. All stores and announcements go through paravirt operations. Processes: space.c.
 */
#include "memory.h"

#define GUARD_PAGES 2		  /* unmapped above the fixed mappings: the last page of the address space stays empty */
#define TOP_SPACE 0x01000000	  /* kept free of the direct map, for fixed mappings */
#define LARGE_PAGE (1u << PD_SHIFT)

pte_t pte_global, pte_nx;
u32 lowmem_pages;

static pte_t *fixed_table;
static u32 fixed_top;

#if CONFIG_PAE
extern pde_t kernel_pd[];
#endif

static pde_t *kernel_pde(u32 va)
{
#if CONFIG_PAE
	return &kernel_pd[(va >> PD_SHIFT) % PT_ENTRIES];
#else
	return &kernel_root[va >> PD_SHIFT];
#endif
}

u32 fixed_address(enum fixed slot)
{
	return fixed_top - (slot + 1) * PAGE_SIZE;
}

void paging_prepare(void)
{
	u32 room;

	fixed_top = reserved_top - GUARD_PAGES * PAGE_SIZE; /* 0 stands for 4 GiB: the subtraction wraps as it should */
	/* The top may be any page; the mappings below it share one table. */
	if (ALIGN_DOWN(fixed_top - 1, LARGE_PAGE) != ALIGN_DOWN(fixed_address(FIXED_COUNT - 1), LARGE_PAGE))
		fixed_top = ALIGN_DOWN(fixed_top, LARGE_PAGE);
	if (fixed_top < KERNEL_BASE + EARLY_MAP_SIZE + TOP_SPACE)
		panic("the hypervisor reserves everything from %08x up: no room for the kernel", reserved_top);
	room = (ALIGN_DOWN(fixed_top, LARGE_PAGE) - TOP_SPACE - KERNEL_BASE) >> PAGE_SHIFT;
	lowmem_pages = min_u32(ALIGN_DOWN(memory_pages, LARGE_PAGE >> PAGE_SHIFT), room);
	lapic_base = fixed_address(FIXED_APIC);
}

static pte_t *kernel_table(u32 va)
{
	u32 pfn = frame_alloc_zeroed(FRAME_KERNEL);

	if (pfn == 0)
		panic("no memory for the kernel's page tables");
	paging_alloc_pt(pfn);
	set_pde(kernel_pde(va), make_pte(pfn, PTE_P | PTE_W | PTE_A | (CONFIG_PAE ? 0 : PTE_U)));
	return frame_address(pfn);
}

/* The BIOS's window with the ROM, and the kernel, lie in the first 8 MiB, which stays executable. */
static void map_lowmem_piece(u32 va)
{
	pte_t flags = PTE_P | PTE_W | PTE_A | PTE_D | pte_global | pte_nx;
	u32 pfn = virt_to_phys(POINTER(void, va)) >> PAGE_SHIFT;
	pte_t *table;

	if (features.pse) {
		set_pde(kernel_pde(va), make_pte(pfn, flags | PTE_PS));
		return;
	}
	table = kernel_table(va);
	for (u32 i = 0; i < PT_ENTRIES; i++)
		set_pte_at(va + i * PAGE_SIZE, &table[i], make_pte(pfn + i, flags));
}

void paging_init(void)
{
	u32 end = KERNEL_BASE + (lowmem_pages << PAGE_SHIFT);
	u32 root_pfn = virt_to_phys(kernel_root) >> PAGE_SHIFT;

	if (features.pge)
		pte_global = PTE_G;
#if CONFIG_PAE
	if (features.nx)
		pte_nx = (pte_t)1 << 63;
#endif
	paging_init_cpu();
	paging_alloc_pd(root_pfn);
	for (u32 va = KERNEL_BASE + EARLY_MAP_SIZE; va < end; va += LARGE_PAGE)
		map_lowmem_piece(va);
	fixed_table = kernel_table(fixed_address(FIXED_COUNT - 1));
	flush_tlb_global();
}

void paging_init_cpu(void)
{
	u32 cr4 = read_cr4();

	if (features.pse)
		cr4 |= CR4_PSE;
	if (features.pge)
		cr4 |= CR4_PGE;
	if (features.fxsr)
		cr4 |= CR4_OSFXSR;
	write_cr4(cr4);
	if (features.nx)
		native_wrmsr(MSR_EFER, native_rdmsr(MSR_EFER) | EFER_NX);
}

void paging_drop_identity(void)
{
#if CONFIG_PAE
	set_pdpte(&kernel_root[0], 0);
#else
	set_pde(&kernel_root[0], 0);
	set_pde(&kernel_root[1], 0);
#endif
	flush_tlb_global();
}

void fixed_map(enum fixed slot, u32 pfn, pte_t flags)
{
	u32 va = fixed_address(slot);
	pte_t *pte = &fixed_table[(va >> PAGE_SHIFT) % PT_ENTRIES];

	if (*pte & PTE_P) {
		pte_clear(va, pte);
		invlpg(va);
	}
	if (flags & PTE_P)
		set_pte_at(va, pte, make_pte(pfn, flags));
}

void physical_read(u32 physical, void *to, u32 length)
{
	u8 *out = to;

	while (length > 0) {
		u32 offset = physical % PAGE_SIZE, piece = min_u32(length, PAGE_SIZE - offset);

		fixed_map(FIXED_TABLE, physical >> PAGE_SHIFT, PTE_P | PTE_A | pte_nx);
		memcpy(out, POINTER(void, fixed_address(FIXED_TABLE) + offset), piece);
		out += piece;
		physical += piece;
		length -= piece;
	}
	fixed_map(FIXED_TABLE, 0, 0);
}

pte_t *walk(pte_t *root, u32 va, bool *large)
{
	pde_t *pde;

#if CONFIG_PAE
	pdpte_t pdpte = root[va >> PDP_SHIFT];

	if (!(pdpte & PTE_P))
		return NULL;
	pde = (pde_t *)frame_address(pte_pfn(pdpte)) + (va >> PD_SHIFT) % PT_ENTRIES;
#else
	pde = &root[va >> PD_SHIFT];
#endif
	*large = (*pde & (PTE_P | PTE_PS)) == (PTE_P | PTE_PS);
	if (*large)
		return pde;
	if (!(*pde & PTE_P))
		return NULL;
	return (pte_t *)frame_address(pte_pfn(*pde)) + (va >> PAGE_SHIFT) % PT_ENTRIES;
}
