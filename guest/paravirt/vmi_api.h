/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the back end does differently for the two generations of the interface that it can be compiled for: API 3 of mainline
 * Linux, and API 13.3 of 2006 (vmi-abi.md 0.2, 1.4, 3.2, 3.3, 9). Numbers and layouts differ, too: vmi_abi.h is another then.
 */
#ifndef OPENVMI_PARAVIRT_VMI_API_H
#define OPENVMI_PARAVIRT_VMI_API_H

#include "vmi_abi.h"

#define VMI_IS_13 (VMI_API_MAJOR == 13)

#if VMI_IS_13

/* Where the image is entered, and the lowest address that the kernel leaves to the hypervisor: no header field says it. */
#define VMI_INIT_OF(rom) (ADDRESS(rom) + VMI_SLOT_SIZE * VMI_CALL_Init)
#define VMI_QUERY_OF(rom) (ADDRESS(rom) + VMI_SLOT_SIZE * VMI_CALL_GetRelocationInfo)
#define VMI_TOP_OF(rom) (0u - VMI_HOLE_SIZE)

/* AllocatePage and ReleasePage. A clone is a call with a count; nobody says that a page is zero. */
#define VMI_PAGE_LEAF (VMI_PAGE_PT | (CONFIG_PAE ? VMI_PAGE_PAE : 0))
#define VMI_PAGE_DIRECTORY (VMI_PAGE_PD | (CONFIG_PAE ? VMI_PAGE_PAE : 0))
#define VMI_PAGE_DIRECTORY_IN_USE VMI_PAGE_DIRECTORY
#define VMI_PAGE_ROOT (CONFIG_PAE ? VMI_PAGE_PDP : VMI_PAGE_PD)
#define VMI_PAGE_ROOT_CLONE VMI_PAGE_ROOT

#else

#define VMI_INIT_OF(rom) ADDRESS((rom)->vmi_init)
#define VMI_QUERY_OF(rom) ADDRESS((rom)->get_reloc)
#define VMI_TOP_OF(rom) ((rom)->virtual_top)

#define VMI_PAGE_LEAF (VMI_PAGE_PT | VMI_PAGE_ZEROED | (CONFIG_PAE ? VMI_PAGE_PAE : 0))
#define VMI_PAGE_DIRECTORY (VMI_PAGE_PD | VMI_PAGE_ZEROED | (CONFIG_PAE ? VMI_PAGE_PAE : 0))
/* Not ZEROED, unlike mainline's: the kernel's own root is announced so too, and holds data. */
#define VMI_PAGE_DIRECTORY_IN_USE (VMI_PAGE_DIRECTORY & ~VMI_PAGE_ZEROED)
#define VMI_PAGE_ROOT VMI_PAGE_DIRECTORY
#define VMI_PAGE_ROOT_CLONE (VMI_PAGE_ROOT | VMI_PAGE_CLONE)

#endif

#endif
