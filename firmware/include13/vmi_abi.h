/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The Virtual Machine Interface (VMI), as data for C and, under __ASSEMBLER__, for assembler.
 * generation B: the patches of March 2006, header API 13.x.
 * Stands alone: includes nothing. Written by `python -m openvmi.abi.generate` from src/openvmi/abi/tables:
 * change the tables, not this file. Registers, clobbers and meaning of each call: docs/reference/abi.
 */
#ifndef VMI_ABI_H
#define VMI_ABI_H

/* numbers of calls, arguments -> results; 64 bits as low+high, s1 is the dword at 4(%esp) at entry */
#define VMI_CALL_Init               4           /* self eax -> status eax */
#define VMI_CALL_CPUID              5           /* leaf eax, subleaf ecx -> a eax, b ebx, c ecx, d edx */
#define VMI_CALL_WRMSR              6           /* index ecx, value eax+edx */
#define VMI_CALL_RDMSR              7           /* index ecx -> value eax+edx */
#define VMI_CALL_SetGDT             8           /* gdtr* eax */
#define VMI_CALL_SetLDT             9           /* selector eax */
#define VMI_CALL_SetIDT             10          /* idtr* eax */
#define VMI_CALL_SetTR              11          /* selector eax */
#define VMI_CALL_GetGDT             12          /* gdtr* eax */
#define VMI_CALL_GetLDT             13          /* -> selector eax */
#define VMI_CALL_GetIDT             14          /* idtr* eax */
#define VMI_CALL_GetTR              15          /* -> selector eax */
#define VMI_CALL_WriteGDTEntry      16          /* table eax, index edx, low ecx, high s1 */
#define VMI_CALL_WriteLDTEntry      17          /* table eax, index edx, low ecx, high s1 */
#define VMI_CALL_WriteIDTEntry      18          /* table eax, index edx, low ecx, high s1 */
#define VMI_CALL_UpdateKernelStack  19          /* tss eax, esp0 edx */
#define VMI_CALL_SetCR0             20          /* value eax */
#define VMI_CALL_SetCR2             21          /* value eax */
#define VMI_CALL_SetCR3             22          /* value eax */
#define VMI_CALL_SetCR4             23          /* value eax */
#define VMI_CALL_GetCR0             24          /* -> value eax */
#define VMI_CALL_GetCR2             25          /* -> value eax */
#define VMI_CALL_GetCR3             26          /* -> value eax */
#define VMI_CALL_GetCR4             27          /* -> value eax */
#define VMI_CALL_INVD               28
#define VMI_CALL_WBINVD             29
#define VMI_CALL_SetDR              30          /* register eax, value edx */
#define VMI_CALL_GetDR              31          /* register eax -> value eax */
#define VMI_CALL_RDPMC              32          /* counter ecx -> value eax+edx */
#define VMI_CALL_RDTSC              33          /* -> value eax+edx */
#define VMI_CALL_CLTS               34
#define VMI_CALL_EnableInterrupts   35
#define VMI_CALL_DisableInterrupts  36
#define VMI_CALL_GetInterruptMask   37          /* -> flags eax */
#define VMI_CALL_SetInterruptMask   38          /* flags eax */
#define VMI_CALL_IRET               39          /* frame frame */
#define VMI_CALL_SYSEXIT            40          /* eip edx, esp ecx */
#define VMI_CALL_Pause              41
#define VMI_CALL_Halt               42
#define VMI_CALL_Reboot             43          /* how eax */
#define VMI_CALL_Shutdown           44
#define VMI_CALL_SetPxE0            45          /* entry* eax, value edx */
#define VMI_CALL_GetPxE             46          /* value eax -> guest eax */
#define VMI_CALL_SwapPxE            47          /* entry* eax, value edx -> old eax */
#define VMI_CALL_SetPxELong0        48          /* value eax+edx, entry* ecx */
#define VMI_CALL_GetPxELong         49          /* value eax+edx -> guest eax+edx */
#define VMI_CALL_SwapPxELongAtomic  50          /* value eax+edx, entry* ecx -> old eax+edx */
#define VMI_CALL_TestAndSetPxEBit   51          /* entry* eax, bit edx -> was eax */
#define VMI_CALL_TestAndClearPxEBit 52          /* entry* eax, bit edx -> was eax */
#define VMI_CALL_AllocatePage       53          /* pfn eax, flags edx, source ecx, first s1, count s2 */
#define VMI_CALL_ReleasePage        54          /* pfn eax, flags edx */
#define VMI_CALL_InvalPage          55          /* va eax */
#define VMI_CALL_FlushTLB           56          /* flags eax */
#define VMI_CALL_FlushDeferredCalls 57          /* mask eax -> result eax */
#define VMI_CALL_SetLinearMapping   58          /* slot eax, va edx, pages ecx, pfn s1 */
#define VMI_CALL_IN                 59          /* port edx -> value eax */
#define VMI_CALL_INB                60          /* port edx -> value eax */
#define VMI_CALL_INW                61          /* port edx -> value eax */
#define VMI_CALL_INS                62          /* to* edi, port edx, count ecx -> to* edi, count ecx */
#define VMI_CALL_INSB               63          /* to* edi, port edx, count ecx -> to* edi, count ecx */
#define VMI_CALL_INSW               64          /* to* edi, port edx, count ecx -> to* edi, count ecx */
#define VMI_CALL_OUT                65          /* value eax, port edx */
#define VMI_CALL_OUTB               66          /* value eax, port edx */
#define VMI_CALL_OUTW               67          /* value eax, port edx */
#define VMI_CALL_OUTS               68          /* from* esi, port edx, count ecx -> from* esi, count ecx */
#define VMI_CALL_OUTSB              69          /* from* esi, port edx, count ecx -> from* esi, count ecx */
#define VMI_CALL_OUTSW              70          /* from* esi, port edx, count ecx -> from* esi, count ecx */
#define VMI_CALL_SetIOPLMask        71          /* mask eax */
#define VMI_CALL_DeactivatePxELongAtomic 72     /* entry* eax -> old eax+edx */
#define VMI_CALL_TestAndSetPxELongBit 73        /* entry* eax, bit edx -> was eax */
#define VMI_CALL_TestAndClearPxELongBit 74      /* entry* eax, bit edx -> was eax */
#define VMI_CALL_SetInitialAPState  75          /* state* eax, apic_id edx */
#define VMI_CALL_APICWrite          76          /* register eax, value edx */
#define VMI_CALL_APICRead           77          /* register eax -> value eax */
#define VMI_CALL_IODelay            78
#define VMI_CALL_GetCycleFrequency  79          /* -> frequency eax+edx */
#define VMI_CALL_GetCycleCounter    80          /* counter eax -> cycles eax+edx */
#define VMI_CALL_SetAlarm           81          /* flags eax, expiry edx+ecx, period s1+s2 */
#define VMI_CALL_CancelAlarm        82          /* counter eax -> armed eax */
#define VMI_CALL_GetWallclockTime   83          /* -> time eax+edx */
#define VMI_CALL_WallclockUpdated   84          /* -> updated eax */
#define VMI_CALL_GetRelocationInfo  85          /* call eax -> reloc eax+edx */
#define VMI_CALL_SetPxE             86          /* value eax, entry* edx, flags ecx */
#define VMI_CALL_SetPxELong         87          /* value eax+edx, entry* ecx, flags s1 */
#define VMI_CALL_COUNT              88          /* numbers are below this */

/* constants */
#define VMI_ROM_SIGNATURE           0xaa55      /* word at +0 of every option ROM: bytes 55 AA */
#define VMI_SIGNATURE               0x696d5663  /* dword at +8 of a VMI ROM: bytes 'cVmi' */
#define VMI_SCAN_FIRST              0xc0000     /* physical address of the first place where a guest looks for a ROM */
#define VMI_SCAN_END                0xe0000     /* physical address where the option-ROM window ends (exclusive) */
#define VMI_SCAN_STEP               0x800       /* distance in bytes between two places where a ROM may begin */
/* where the 2.0 text begins its scan; a ROM from here on satisfies text and guests */
#define VMI_SCAN_FIRST_TEXT         0xc8000
#define VMI_ROM_UNIT                512         /* bytes that rom_length and the PCI image length count in */
#define VMI_PCIR_SIGNATURE          0x52494350  /* dword at +0 of the PCI data structure: bytes 'PCIR' */
#define VMI_PCI_VENDOR              0x15ad      /* PCI vendor that the ROM belongs to (VMware) */
#define VMI_PCI_DEVICE              0x801       /* PCI device that the ROM belongs to (VMI) */
#define VMI_PCIR_LENGTH             24          /* value of the PCI data structure's own length field, bytes */
#define VMI_PCIR_LAST_IMAGE         0x80        /* indicator bit: no further image follows */
#define VMI_PNP_SIGNATURE           0x506e5024  /* dword at +0 of the PnP expansion header: bytes '$PnP' */
#define VMI_PNP_UNIT                16          /* bytes that the PnP header's length field counts in */
#define VMI_IF                      0x200       /* bit of interest in the interrupt mask: EFLAGS.IF */
/* slots of SetLinearMapping, per CPU; slot 0 is the low-memory direct map */
#define VMI_LINEAR_SLOTS            4
#define VMI_STACK_HEADROOM          32          /* free bytes that a guest keeps on its stack wherever it may fault */
#define VMI_API_MAJOR               13          /* a guest takes only a ROM of its own major version */
/* the highest minor version that there was: GetRelocationInfo, and entries written with flags */
#define VMI_API_MINOR               3
#define VMI_SLOT_SIZE               32          /* bytes of code that each call has in the image */
/* number of the first call with a slot; the header lies over slots 0 to 3 */
#define VMI_SLOT_FIRST              4
#define VMI_SLOT_LAST               127         /* number of the last slot */
/* bytes at the top of the linear space that a guest leaves to the hypervisor: no header field says how many */
#define VMI_HOLE_SIZE               0x4000000
#define VMI_LANDING_SIZE            0x4000      /* bytes that a guest reserves for its copy of the image */

/* type byte of a relocation record: what the guest does with a call */
#define VMI_RELOC_NONE              0           /* no implementation: the guest keeps its native code */
#define VMI_RELOC_CALL_REL          1           /* near call to eip */
#define VMI_RELOC_JUMP_REL          2           /* near jump to eip; only for IRET and SYSEXIT */
#define VMI_RELOC_NOP               3           /* nothing to do: the guest erases the site (mainline only) */

/* SetPxE, SetPxELong, UpdatePxE, UpdatePxELong: level, deferral, address */
#define VMI_PXE_PT                  1           /* entry of a leaf page table */
#define VMI_PXE_PD                  2           /* entry of a page directory */
#define VMI_PXE_PDP                 4           /* entry of a page-directory-pointer table */
#define VMI_PXE_PML4                8           /* entry of a 64-bit root; unused on i386 */
/* the entry belongs to the loaded address space; the address bits count */
#define VMI_PXE_CURRENT_AS          0x10
#define VMI_PXE_DEFER               0x20        /* may wait until the next TLB invalidation; only with CURRENT_AS */
#define VMI_PXE_LEVEL_MASK          0xf         /* the four level bits */
#define VMI_PXE_VA_MASK             0xfffff000  /* page-aligned virtual address that the entry maps */

/* FlushTLB: what to flush of the local TLB */
#define VMI_FLUSH_TLB               1           /* non-global entries; always set */
#define VMI_FLUSH_GLOBAL            2           /* global entries too */

/* GetCycleCounter and the alarms: which clock; real = available + stolen */
#define VMI_COUNTER_REAL            0           /* always advances, per VM */
#define VMI_COUNTER_AVAILABLE       1           /* advances while the virtual CPU runs or is halted */
#define VMI_COUNTER_STOLEN          2           /* advances while the virtual CPU could run but does not */

/* SetAlarm: kind and wiring of an alarm */
#define VMI_ALARM_PERIODIC          0x100       /* again after each period; clear: once */
#define VMI_ALARM_LVTT              0x10000     /* wired to the local APIC timer's vector; clear: to IRQ 0 as the PIT */
#define VMI_ALARM_WIRED_IRQ0        0           /* wired to IRQ 0 as the PIT */
#define VMI_ALARM_COUNTER_MASK      0xff        /* which counter the alarm watches: real or available */

/* Reboot: how */
#define VMI_REBOOT_SOFT             0           /* as an INIT IPI: some APIC and CR state stays */
#define VMI_REBOOT_HARD             1           /* as a reset */

/* AllocatePage and ReleasePage: what a page frame is used as */
#define VMI_PAGE_PT                 1           /* leaf page table */
#define VMI_PAGE_PD                 2           /* page directory */
#define VMI_PAGE_PAE                4           /* entries of 8 bytes */
#define VMI_PAGE_PML4               8           /* 64-bit root; unused on i386 */
#define VMI_PAGE_PDP                4           /* page-directory-pointer table: the same bit as PAE */

/* FlushDeferredCalls: which queues to drain (13.3) */
#define VMI_DEFERRED_CPU            0x40        /* CPU state */
#define VMI_DEFERRED_MMU            0x80        /* page-table updates */

/* struct vmi_pcir: size and offsets in bytes */
#define VMI_PCIR_SIZE               24
#define VMI_PCIR_signature_OFFSET   0
#define VMI_PCIR_vendor_OFFSET      4
#define VMI_PCIR_device_OFFSET      6
#define VMI_PCIR_vpd_OFFSET         8
#define VMI_PCIR_length_OFFSET      10
#define VMI_PCIR_revision_OFFSET    12
#define VMI_PCIR_interface_OFFSET   13
#define VMI_PCIR_subclass_OFFSET    14
#define VMI_PCIR_class_code_OFFSET  15
#define VMI_PCIR_image_length_OFFSET 16
#define VMI_PCIR_version_min_OFFSET 18
#define VMI_PCIR_version_maj_OFFSET 19
#define VMI_PCIR_code_type_OFFSET   20
#define VMI_PCIR_indicator_OFFSET   21
#define VMI_PCIR_reserved_OFFSET    22

/* struct vmi_pnp: size and offsets in bytes */
#define VMI_PNP_SIZE                32
#define VMI_PNP_signature_OFFSET    0
#define VMI_PNP_revision_OFFSET     4
#define VMI_PNP_length_OFFSET       5
#define VMI_PNP_next_offs_OFFSET    6
#define VMI_PNP_reserved1_OFFSET    8
#define VMI_PNP_checksum_OFFSET     9
#define VMI_PNP_device_id_OFFSET    10
#define VMI_PNP_manufacturer_offs_OFFSET 14
#define VMI_PNP_product_offs_OFFSET 16
#define VMI_PNP_interface_OFFSET    18
#define VMI_PNP_subclass_OFFSET     19
#define VMI_PNP_class_code_OFFSET   20
#define VMI_PNP_indicators_OFFSET   21
#define VMI_PNP_bcv_OFFSET          22
#define VMI_PNP_disconnect_OFFSET   24
#define VMI_PNP_bev_OFFSET          26
#define VMI_PNP_reserved2_OFFSET    28
#define VMI_PNP_static_resources_OFFSET 30

/* struct vmi_reloc: size and offsets in bytes */
#define VMI_RELOC_SIZE              8
#define VMI_RELOC_eip_OFFSET        0
#define VMI_RELOC_type_OFFSET       4
#define VMI_RELOC_reserved_OFFSET   5

/* struct vmi_dtr: size and offsets in bytes */
#define VMI_DTR_SIZE                6
#define VMI_DTR_limit_OFFSET        0
#define VMI_DTR_base_OFFSET         2

/* struct vmi_ap_state: size and offsets in bytes */
#define VMI_AP_STATE_SIZE           90
#define VMI_AP_STATE_cr0_OFFSET     0
#define VMI_AP_STATE_cr2_OFFSET     4
#define VMI_AP_STATE_cr3_OFFSET     8
#define VMI_AP_STATE_cr4_OFFSET     12
#define VMI_AP_STATE_efer_OFFSET    16
#define VMI_AP_STATE_eip_OFFSET     24
#define VMI_AP_STATE_eflags_OFFSET  28
#define VMI_AP_STATE_eax_OFFSET     32
#define VMI_AP_STATE_ebx_OFFSET     36
#define VMI_AP_STATE_ecx_OFFSET     40
#define VMI_AP_STATE_edx_OFFSET     44
#define VMI_AP_STATE_esp_OFFSET     48
#define VMI_AP_STATE_ebp_OFFSET     52
#define VMI_AP_STATE_esi_OFFSET     56
#define VMI_AP_STATE_edi_OFFSET     60
#define VMI_AP_STATE_cs_OFFSET      64
#define VMI_AP_STATE_ss_OFFSET      66
#define VMI_AP_STATE_ds_OFFSET      68
#define VMI_AP_STATE_es_OFFSET      70
#define VMI_AP_STATE_fs_OFFSET      72
#define VMI_AP_STATE_gs_OFFSET      74
#define VMI_AP_STATE_ldtr_OFFSET    76
#define VMI_AP_STATE_gdtr_limit_OFFSET 78
#define VMI_AP_STATE_gdtr_base_OFFSET 80
#define VMI_AP_STATE_idtr_base_OFFSET 84
#define VMI_AP_STATE_idtr_limit_OFFSET 88

/* struct vmi_iret_frame: size and offsets in bytes */
#define VMI_IRET_FRAME_SIZE         36
#define VMI_IRET_FRAME_eip_OFFSET   0
#define VMI_IRET_FRAME_cs_OFFSET    4
#define VMI_IRET_FRAME_eflags_OFFSET 8
#define VMI_IRET_FRAME_esp_OFFSET   12
#define VMI_IRET_FRAME_ss_OFFSET    16
#define VMI_IRET_FRAME_es_OFFSET    20
#define VMI_IRET_FRAME_ds_OFFSET    24
#define VMI_IRET_FRAME_fs_OFFSET    28
#define VMI_IRET_FRAME_gs_OFFSET    32

/* struct vmi_rom_header: size and offsets in bytes */
#define VMI_ROM_HEADER_SIZE         128
#define VMI_ROM_HEADER_rom_signature_OFFSET 0
#define VMI_ROM_HEADER_rom_length_OFFSET 2
#define VMI_ROM_HEADER_rom_entry_OFFSET 3
#define VMI_ROM_HEADER_rom_pad0_OFFSET 7
#define VMI_ROM_HEADER_vrom_signature_OFFSET 8
#define VMI_ROM_HEADER_api_version_min_OFFSET 12
#define VMI_ROM_HEADER_api_version_maj_OFFSET 13
#define VMI_ROM_HEADER_reserved0_OFFSET 14
#define VMI_ROM_HEADER_reserved1_OFFSET 15
#define VMI_ROM_HEADER_reserved2_OFFSET 16
#define VMI_ROM_HEADER_reserved3_OFFSET 20
#define VMI_ROM_HEADER_pci_header_offs_OFFSET 24
#define VMI_ROM_HEADER_pnp_header_offs_OFFSET 26
#define VMI_ROM_HEADER_rom_pad3_OFFSET 28
#define VMI_ROM_HEADER_reserved_OFFSET 32
#define VMI_ROM_HEADER_elf_header_OFFSET 64

/* struct vmi_annotation: size and offsets in bytes */
#define VMI_ANNOTATION_SIZE         16
#define VMI_ANNOTATION_call_OFFSET  0
#define VMI_ANNOTATION_native_OFFSET 4
#define VMI_ANNOTATION_translation_OFFSET 8
#define VMI_ANNOTATION_native_size_OFFSET 12
#define VMI_ANNOTATION_translation_size_OFFSET 13
#define VMI_ANNOTATION_nops_OFFSET  14
#define VMI_ANNOTATION_pad_OFFSET   15

#ifndef __ASSEMBLER__
_Static_assert(sizeof(unsigned char) == 1, "unsigned char");
_Static_assert(sizeof(unsigned short) == 2, "unsigned short");
_Static_assert(sizeof(unsigned int) == 4, "unsigned int");
_Static_assert(sizeof(unsigned long long) == 8, "unsigned long long");
#define VMI_AT(structure, field, offset) \
    _Static_assert(__builtin_offsetof(struct structure, field) == offset, #structure "." #field)

/* PCI data structure, at pci_header_offs */
struct vmi_pcir {
    unsigned int signature;                 /* 'PCIR' */
    unsigned short vendor;                  /* 0x15AD */
    unsigned short device;                  /* 0x0801 */
    unsigned short vpd;                     /* image offset of vital product data, or of a device list; 0: none */
    unsigned short length;                  /* of this structure: 24 */
    unsigned char revision;                 /* of this structure: 0 */
    unsigned char interface;                /* programming interface; the standard stores it lowest */
    unsigned char subclass;                 /* device sub-class */
    unsigned char class_code;               /* device base class */
    unsigned short image_length;            /* image length in 512-byte units */
    unsigned char version_min;              /* ROM minor version, printed by Linux */
    unsigned char version_maj;              /* ROM major version, printed by Linux */
    unsigned char code_type;                /* 0: PC-AT */
    unsigned char indicator;                /* bit 7: last image */
    unsigned short reserved;                /* 0 */
} __attribute__((packed));
_Static_assert(sizeof(struct vmi_pcir) == VMI_PCIR_SIZE, "vmi_pcir: size");
VMI_AT(vmi_pcir, signature, VMI_PCIR_signature_OFFSET);
VMI_AT(vmi_pcir, vendor, VMI_PCIR_vendor_OFFSET);
VMI_AT(vmi_pcir, device, VMI_PCIR_device_OFFSET);
VMI_AT(vmi_pcir, vpd, VMI_PCIR_vpd_OFFSET);
VMI_AT(vmi_pcir, length, VMI_PCIR_length_OFFSET);
VMI_AT(vmi_pcir, revision, VMI_PCIR_revision_OFFSET);
VMI_AT(vmi_pcir, interface, VMI_PCIR_interface_OFFSET);
VMI_AT(vmi_pcir, subclass, VMI_PCIR_subclass_OFFSET);
VMI_AT(vmi_pcir, class_code, VMI_PCIR_class_code_OFFSET);
VMI_AT(vmi_pcir, image_length, VMI_PCIR_image_length_OFFSET);
VMI_AT(vmi_pcir, version_min, VMI_PCIR_version_min_OFFSET);
VMI_AT(vmi_pcir, version_maj, VMI_PCIR_version_maj_OFFSET);
VMI_AT(vmi_pcir, code_type, VMI_PCIR_code_type_OFFSET);
VMI_AT(vmi_pcir, indicator, VMI_PCIR_indicator_OFFSET);
VMI_AT(vmi_pcir, reserved, VMI_PCIR_reserved_OFFSET);

/* PnP expansion header, at pnp_header_offs; a mainline guest reads the first 18 bytes */
struct vmi_pnp {
    unsigned int signature;                 /* '$PnP' */
    unsigned char revision;                 /* 1 */
    unsigned char length;                   /* in units of 16 bytes: 2 */
    unsigned short next_offs;               /* image offset of the next header; 0: none */
    unsigned char reserved1;                /* 0 */
    unsigned char checksum;                 /* makes the 8-bit sum of the header zero */
    unsigned int device_id;                 /* device identifier */
    unsigned short manufacturer_offs;       /* image offset of the manufacturer's name; 0: none */
    unsigned short product_offs;            /* image offset of the product's name; 0: none */
    unsigned char interface;                /* device type: programming interface; stored as the PCI class */
    unsigned char subclass;                 /* device type: sub-class */
    unsigned char class_code;               /* device type: base class */
    unsigned char indicators;               /* device indicators */
    unsigned short bcv;                     /* boot connection vector; 0: none */
    unsigned short disconnect;              /* disconnect vector; 0: none */
    unsigned short bev;                     /* bootstrap entry vector; 0: not a boot device */
    unsigned short reserved2;               /* 0 */
    unsigned short static_resources;        /* static resource information vector; 0: none */
} __attribute__((packed));
_Static_assert(sizeof(struct vmi_pnp) == VMI_PNP_SIZE, "vmi_pnp: size");
VMI_AT(vmi_pnp, signature, VMI_PNP_signature_OFFSET);
VMI_AT(vmi_pnp, revision, VMI_PNP_revision_OFFSET);
VMI_AT(vmi_pnp, length, VMI_PNP_length_OFFSET);
VMI_AT(vmi_pnp, next_offs, VMI_PNP_next_offs_OFFSET);
VMI_AT(vmi_pnp, reserved1, VMI_PNP_reserved1_OFFSET);
VMI_AT(vmi_pnp, checksum, VMI_PNP_checksum_OFFSET);
VMI_AT(vmi_pnp, device_id, VMI_PNP_device_id_OFFSET);
VMI_AT(vmi_pnp, manufacturer_offs, VMI_PNP_manufacturer_offs_OFFSET);
VMI_AT(vmi_pnp, product_offs, VMI_PNP_product_offs_OFFSET);
VMI_AT(vmi_pnp, interface, VMI_PNP_interface_OFFSET);
VMI_AT(vmi_pnp, subclass, VMI_PNP_subclass_OFFSET);
VMI_AT(vmi_pnp, class_code, VMI_PNP_class_code_OFFSET);
VMI_AT(vmi_pnp, indicators, VMI_PNP_indicators_OFFSET);
VMI_AT(vmi_pnp, bcv, VMI_PNP_bcv_OFFSET);
VMI_AT(vmi_pnp, disconnect, VMI_PNP_disconnect_OFFSET);
VMI_AT(vmi_pnp, bev, VMI_PNP_bev_OFFSET);
VMI_AT(vmi_pnp, reserved2, VMI_PNP_reserved2_OFFSET);
VMI_AT(vmi_pnp, static_resources, VMI_PNP_static_resources_OFFSET);

/* relocation record, as get_reloc returns it in EDX:EAX */
struct vmi_reloc {
    unsigned int eip;                       /* target linear address (EAX) */
    unsigned char type;                     /* relocation type (DL) */
    unsigned char reserved[3];              /* reserved */
} __attribute__((packed));
_Static_assert(sizeof(struct vmi_reloc) == VMI_RELOC_SIZE, "vmi_reloc: size");
VMI_AT(vmi_reloc, eip, VMI_RELOC_eip_OFFSET);
VMI_AT(vmi_reloc, type, VMI_RELOC_type_OFFSET);
VMI_AT(vmi_reloc, reserved, VMI_RELOC_reserved_OFFSET);

/* what LGDT, LIDT, SGDT and SIDT use */
struct vmi_dtr {
    unsigned short limit;                   /* table size in bytes, less one */
    unsigned int base;                      /* linear address of the table */
} __attribute__((packed));
_Static_assert(sizeof(struct vmi_dtr) == VMI_DTR_SIZE, "vmi_dtr: size");
VMI_AT(vmi_dtr, limit, VMI_DTR_limit_OFFSET);
VMI_AT(vmi_dtr, base, VMI_DTR_base_OFFSET);

/* SetInitialAPState: state in which an application processor starts; what is not here is power-on state */
struct vmi_ap_state {
    unsigned int cr0;                       /* PE and PG must be set */
    unsigned int cr2;                       /* last fault address */
    unsigned int cr3;                       /* physical address of the page-table root */
    unsigned int cr4;                       /* PAE as on the other CPUs */
    unsigned long long efer;                /* without LME and LMA */
    unsigned int eip;                       /* first instruction, in paravirtual mode */
    unsigned int eflags;                    /* flags */
    unsigned int eax;                       /* general register */
    unsigned int ebx;                       /* general register */
    unsigned int ecx;                       /* general register */
    unsigned int edx;                       /* general register */
    unsigned int esp;                       /* stack pointer */
    unsigned int ebp;                       /* general register */
    unsigned int esi;                       /* general register */
    unsigned int edi;                       /* general register */
    unsigned short cs;                      /* selector, loaded from the new GDT */
    unsigned short ss;                      /* stack selector */
    unsigned short ds;                      /* selector */
    unsigned short es;                      /* selector */
    unsigned short fs;                      /* selector */
    unsigned short gs;                      /* selector */
    unsigned short ldtr;                    /* LDT selector; 0: none */
    unsigned short gdtr_limit;              /* GDT size in bytes, less one */
    unsigned int gdtr_base;                 /* linear address of this CPU's GDT */
    unsigned int idtr_base;                 /* linear address of the IDT */
    unsigned short idtr_limit;              /* IDT size in bytes, less one */
} __attribute__((packed));
_Static_assert(sizeof(struct vmi_ap_state) == VMI_AP_STATE_SIZE, "vmi_ap_state: size");
VMI_AT(vmi_ap_state, cr0, VMI_AP_STATE_cr0_OFFSET);
VMI_AT(vmi_ap_state, cr2, VMI_AP_STATE_cr2_OFFSET);
VMI_AT(vmi_ap_state, cr3, VMI_AP_STATE_cr3_OFFSET);
VMI_AT(vmi_ap_state, cr4, VMI_AP_STATE_cr4_OFFSET);
VMI_AT(vmi_ap_state, efer, VMI_AP_STATE_efer_OFFSET);
VMI_AT(vmi_ap_state, eip, VMI_AP_STATE_eip_OFFSET);
VMI_AT(vmi_ap_state, eflags, VMI_AP_STATE_eflags_OFFSET);
VMI_AT(vmi_ap_state, eax, VMI_AP_STATE_eax_OFFSET);
VMI_AT(vmi_ap_state, ebx, VMI_AP_STATE_ebx_OFFSET);
VMI_AT(vmi_ap_state, ecx, VMI_AP_STATE_ecx_OFFSET);
VMI_AT(vmi_ap_state, edx, VMI_AP_STATE_edx_OFFSET);
VMI_AT(vmi_ap_state, esp, VMI_AP_STATE_esp_OFFSET);
VMI_AT(vmi_ap_state, ebp, VMI_AP_STATE_ebp_OFFSET);
VMI_AT(vmi_ap_state, esi, VMI_AP_STATE_esi_OFFSET);
VMI_AT(vmi_ap_state, edi, VMI_AP_STATE_edi_OFFSET);
VMI_AT(vmi_ap_state, cs, VMI_AP_STATE_cs_OFFSET);
VMI_AT(vmi_ap_state, ss, VMI_AP_STATE_ss_OFFSET);
VMI_AT(vmi_ap_state, ds, VMI_AP_STATE_ds_OFFSET);
VMI_AT(vmi_ap_state, es, VMI_AP_STATE_es_OFFSET);
VMI_AT(vmi_ap_state, fs, VMI_AP_STATE_fs_OFFSET);
VMI_AT(vmi_ap_state, gs, VMI_AP_STATE_gs_OFFSET);
VMI_AT(vmi_ap_state, ldtr, VMI_AP_STATE_ldtr_OFFSET);
VMI_AT(vmi_ap_state, gdtr_limit, VMI_AP_STATE_gdtr_limit_OFFSET);
VMI_AT(vmi_ap_state, gdtr_base, VMI_AP_STATE_gdtr_base_OFFSET);
VMI_AT(vmi_ap_state, idtr_base, VMI_AP_STATE_idtr_base_OFFSET);
VMI_AT(vmi_ap_state, idtr_limit, VMI_AP_STATE_idtr_limit_OFFSET);

/* what IRET returns through, from ESP up; esp and ss only to user mode, es to gs only to virtual-8086 mode */
struct vmi_iret_frame {
    unsigned int eip;                       /* where to go on */
    unsigned int cs;                        /* real RPL, also when returning to the kernel */
    unsigned int eflags;                    /* IF counts; IOPL does not (SetIOPLMask) */
    unsigned int esp;                       /* stack pointer */
    unsigned int ss;                        /* stack selector */
    unsigned int es;                        /* selector */
    unsigned int ds;                        /* selector */
    unsigned int fs;                        /* selector */
    unsigned int gs;                        /* selector */
} __attribute__((packed));
_Static_assert(sizeof(struct vmi_iret_frame) == VMI_IRET_FRAME_SIZE, "vmi_iret_frame: size");
VMI_AT(vmi_iret_frame, eip, VMI_IRET_FRAME_eip_OFFSET);
VMI_AT(vmi_iret_frame, cs, VMI_IRET_FRAME_cs_OFFSET);
VMI_AT(vmi_iret_frame, eflags, VMI_IRET_FRAME_eflags_OFFSET);
VMI_AT(vmi_iret_frame, esp, VMI_IRET_FRAME_esp_OFFSET);
VMI_AT(vmi_iret_frame, ss, VMI_IRET_FRAME_ss_OFFSET);
VMI_AT(vmi_iret_frame, es, VMI_IRET_FRAME_es_OFFSET);
VMI_AT(vmi_iret_frame, ds, VMI_IRET_FRAME_ds_OFFSET);
VMI_AT(vmi_iret_frame, fs, VMI_IRET_FRAME_fs_OFFSET);
VMI_AT(vmi_iret_frame, gs, VMI_IRET_FRAME_gs_OFFSET);

/* header of the ROM image; the slots of the calls from 4 on follow */
struct vmi_rom_header {
    unsigned short rom_signature;           /* 0xAA55 */
    unsigned char rom_length;               /* image length in 512-byte units (the text: signed) */
    unsigned int rom_entry;                 /* 16-bit code that the BIOS calls at POST */
    unsigned char rom_pad0;                 /* padding */
    unsigned int vrom_signature;            /* 0x696D5663, 'cVmi' */
    unsigned char api_version_min;          /* API minor version */
    unsigned char api_version_maj;          /* API major version: 13 */
    unsigned char reserved0;                /* 0 (API 6.1: 4 KB pages of private data per CPU) */
    unsigned char reserved1;                /* 0 */
    unsigned int reserved2;                 /* 0 */
    unsigned int reserved3;                 /* private use */
    unsigned short pci_header_offs;         /* image offset of the PCI data structure */
    unsigned short pnp_header_offs;         /* image offset of the PnP header; 0: none */
    unsigned int rom_pad3;                  /* reserved by PCI and PnP */
    unsigned char reserved[32];             /* for growth of the header */
    unsigned char elf_header[64];           /* reserved for an ELF header, for symbols */
} __attribute__((packed));
_Static_assert(sizeof(struct vmi_rom_header) == VMI_ROM_HEADER_SIZE, "vmi_rom_header: size");
VMI_AT(vmi_rom_header, rom_signature, VMI_ROM_HEADER_rom_signature_OFFSET);
VMI_AT(vmi_rom_header, rom_length, VMI_ROM_HEADER_rom_length_OFFSET);
VMI_AT(vmi_rom_header, rom_entry, VMI_ROM_HEADER_rom_entry_OFFSET);
VMI_AT(vmi_rom_header, rom_pad0, VMI_ROM_HEADER_rom_pad0_OFFSET);
VMI_AT(vmi_rom_header, vrom_signature, VMI_ROM_HEADER_vrom_signature_OFFSET);
VMI_AT(vmi_rom_header, api_version_min, VMI_ROM_HEADER_api_version_min_OFFSET);
VMI_AT(vmi_rom_header, api_version_maj, VMI_ROM_HEADER_api_version_maj_OFFSET);
VMI_AT(vmi_rom_header, reserved0, VMI_ROM_HEADER_reserved0_OFFSET);
VMI_AT(vmi_rom_header, reserved1, VMI_ROM_HEADER_reserved1_OFFSET);
VMI_AT(vmi_rom_header, reserved2, VMI_ROM_HEADER_reserved2_OFFSET);
VMI_AT(vmi_rom_header, reserved3, VMI_ROM_HEADER_reserved3_OFFSET);
VMI_AT(vmi_rom_header, pci_header_offs, VMI_ROM_HEADER_pci_header_offs_OFFSET);
VMI_AT(vmi_rom_header, pnp_header_offs, VMI_ROM_HEADER_pnp_header_offs_OFFSET);
VMI_AT(vmi_rom_header, rom_pad3, VMI_ROM_HEADER_rom_pad3_OFFSET);
VMI_AT(vmi_rom_header, reserved, VMI_ROM_HEADER_reserved_OFFSET);
VMI_AT(vmi_rom_header, elf_header, VMI_ROM_HEADER_elf_header_OFFSET);

/* record of a call site in the guest's .vmi.annotation section */
struct vmi_annotation {
    unsigned int call;                      /* number of the call */
    unsigned int native;                    /* address of the padded native code */
    unsigned int translation;               /* address of the code that calls the ROM */
    unsigned char native_size;              /* bytes of native code, padding included */
    unsigned char translation_size;         /* bytes of the translation */
    unsigned char nops;                     /* bytes of padding, signed: negative when the native code is longer */
    unsigned char pad;                      /* padding (in mid 2006: offset of the CALL in the translation) */
} __attribute__((packed));
_Static_assert(sizeof(struct vmi_annotation) == VMI_ANNOTATION_SIZE, "vmi_annotation: size");
VMI_AT(vmi_annotation, call, VMI_ANNOTATION_call_OFFSET);
VMI_AT(vmi_annotation, native, VMI_ANNOTATION_native_OFFSET);
VMI_AT(vmi_annotation, translation, VMI_ANNOTATION_translation_OFFSET);
VMI_AT(vmi_annotation, native_size, VMI_ANNOTATION_native_size_OFFSET);
VMI_AT(vmi_annotation, translation_size, VMI_ANNOTATION_translation_size_OFFSET);
VMI_AT(vmi_annotation, nops, VMI_ANNOTATION_nops_OFFSET);
VMI_AT(vmi_annotation, pad, VMI_ANNOTATION_pad_OFFSET);

#undef VMI_AT
#endif /* __ASSEMBLER__ */

#endif /* VMI_ABI_H */
