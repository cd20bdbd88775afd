/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * As data for C and, under __ASSEMBLER__, for assembler: the wire: memory shared by payload and brain.
 * Stands alone: includes nothing. Written by `python -m openvmi.abi.generate` from src/openvmi/abi/tables:
 * change the tables, not this file.
 */
#ifndef VMI_WIRE_H
#define VMI_WIRE_H

/* of all tables, these and the interface's: two that differ don't talk to each other */
#define VMI_WIRE_HASH 0xd4ac6e90

/* constants */
#define VMI_WIRE_VERSION            1           /* of these tables */
#define VMI_WIRE_MAGIC_LOW          0x6e65706f  /* 'open', the first half of the header's magic */
#define VMI_WIRE_MAGIC_HIGH         0x696d76    /* 'vmi' and a NUL, the second half */
#define VMI_WIRE_BASE               0xfe000000  /* linear address of the hole: virtual_top of the ROM */
#define VMI_WIRE_SIZE               0x2000000   /* bytes of the hole and of the device's memory */
#define VMI_WIRE_BAR                0xe0000000  /* physical address that the ROM gives the memory */
/* device and vendor of the shared device, as in its configuration space */
#define VMI_WIRE_PCI_ID             0x11101af4
/* configuration address of the device in our own machines, 00:1e.1; a ROM that is not ours alone looks everywhere */
#define VMI_WIRE_PCI_AT             0x8000f100
#define VMI_WIRE_WAKE_PORT          0x5a0       /* I/O port that wakes a sleeping brain */
#define VMI_WIRE_CPUS_MAX           64          /* virtual CPUs that the layout has room for */
#define VMI_WIRE_CALLS              80          /* room for calls in every table; numbers of calls are below */
/* the payload; right behind the header, whose modes its stubs read: one page to look up after a TLB flush */
#define VMI_WIRE_CODE_OFFSET        0x200
#define VMI_WIRE_CODE_SIZE          0xfe00      /* room for it */
#define VMI_WIRE_TABLES_OFFSET      0x10000     /* page tables of the hole, 4-byte entries: 8 pages */
#define VMI_WIRE_TABLES_PAE_OFFSET  0x18000     /* page tables of the hole, 8-byte entries: 16 pages */
/* which CPU has which GDT: WIRE_GDTS entries of a GDT's address and its CPU's area */
#define VMI_WIRE_GDTS_OFFSET        0x28000
#define VMI_WIRE_GDTS               256         /* entries there */
/* call sites of the guest that the payload has made into instructions: WIRE_SITES records */
#define VMI_WIRE_SITES_OFFSET       0x30000
#define VMI_WIRE_SITES              8192        /* records there */
#define VMI_WIRE_CPUS_OFFSET        0x40000     /* areas of the CPUs, one after the other */
#define VMI_WIRE_CPU_SIZE           0x1000      /* of each: a mailbox, a ring's header, counters */
#define VMI_WIRE_CPU_RING           0x40        /* offset of the ring's header in a CPU's area; the mailbox is at 0 */
/* offset of the counters in a CPU's area: WIRE_CALLS words, each counted up by its own CPU modulo 2^32 */
#define VMI_WIRE_CPU_COUNTERS       0x100
/* a page of each CPU through which it writes to a site: its page table entry says where */
#define VMI_WIRE_WINDOWS_OFFSET     0x80000
#define VMI_WIRE_RINGS_OFFSET       0x100000    /* records of the rings; where each begins is in its header */
/* 16 MiB of jumps to stubs, one where the displacement of each site leads when its first byte is that of a call */
#define VMI_WIRE_MIRROR_OFFSET      0x1000000
#define VMI_WIRE_SITE_BATCH         4           /* sites that are switched while the guest waits */
/* bit of a mode: whoever makes this call switches a batch of sites first */
#define VMI_WIRE_MODE_WORK          0x80
#define VMI_WIRE_RING_ONE           0x40000     /* records of the ring where there is one CPU */
#define VMI_WIRE_RING_SLACK         64          /* records of a ring kept free for writers that interrupt one another */
#define VMI_WIRE_PHASE_MASK         3           /* phase in a mailbox's state; the rest is the request's number */

/* what is done with a call, changed at any time by the brain */
#define VMI_WIRE_MODE_NATIVE        0           /* done at once */
#define VMI_WIRE_MODE_COUNT         1           /* counted, then done */
#define VMI_WIRE_MODE_TRACE         2           /* recorded in the ring and counted, then done */
#define VMI_WIRE_MODE_UPCALL        3           /* the brain is asked */
/* calls 29-32: done at once, and the call's site becomes the instruction */
#define VMI_WIRE_MODE_INLINE        4
#define VMI_WIRE_MODE_RANGE         5           /* as TRACE, if the caller is in the range; counted in any case */

/* how get_reloc answers, chosen before the guest starts */
#define VMI_WIRE_PATH_NONE          0           /* the guest keeps its own instruction */
#define VMI_WIRE_PATH_DIRECT        1           /* a native stub */
#define VMI_WIRE_PATH_SWITCHABLE    2           /* a stub that looks at the call's mode */

/* what the brain answers */
#define VMI_WIRE_ACTION_CONTINUE    0           /* natively, with what was passed */
#define VMI_WIRE_ACTION_RETURN      1           /* return to the guest with the mailbox's eax, edx, ecx, ebx */
#define VMI_WIRE_ACTION_CHANGED     2           /* natively, with the mailbox's eax, edx, ecx, s1, s2 */

/* phase of a mailbox */
#define VMI_WIRE_PHASE_IDLE         0           /* nothing in it */
#define VMI_WIRE_PHASE_REQUEST      1           /* the guest waits */
/* the brain has answered; the guest has not taken it yet, if it is the last request's */
#define VMI_WIRE_PHASE_ANSWER       2
#define VMI_WIRE_PHASE_CLAIMED      3           /* the guest is filling it */

/* what the ROM made of the device */
#define VMI_WIRE_GUEST_SILENT       0           /* no guest has asked */
#define VMI_WIRE_GUEST_ACTIVE       1           /* the payload is entered */
#define VMI_WIRE_GUEST_BAD_VERSION  2           /* refused: another WIRE_VERSION */
#define VMI_WIRE_GUEST_BAD_HASH     3           /* refused: other tables */
#define VMI_WIRE_GUEST_BAD_SIZE     4           /* refused: sizes or entry points don't fit the layout */
#define VMI_WIRE_GUEST_BAD_PAYLOAD  5           /* refused by the payload itself */

/* whether anybody answers */
#define VMI_WIRE_BRAIN_GONE         0           /* nobody: upcalls are done natively, and counted as lost */
#define VMI_WIRE_BRAIN_ALIVE        1           /* answers */
#define VMI_WIRE_BRAIN_LOST         2           /* set by the payload after a wait in vain: as GONE */

/* what a record tells */
#define VMI_WIRE_RECORD_CALL        1           /* a call, before it is done */

/* struct vmi_wire_header: size and offsets in bytes */
#define VMI_WIRE_HEADER_SIZE        512
#define VMI_WIRE_HEADER_magic_low_OFFSET 0
#define VMI_WIRE_HEADER_magic_high_OFFSET 4
#define VMI_WIRE_HEADER_version_OFFSET 8
#define VMI_WIRE_HEADER_hash_OFFSET 12
#define VMI_WIRE_HEADER_size_OFFSET 16
#define VMI_WIRE_HEADER_cpus_OFFSET 20
#define VMI_WIRE_HEADER_init_OFFSET 24
#define VMI_WIRE_HEADER_get_reloc_OFFSET 28
#define VMI_WIRE_HEADER_guest_state_OFFSET 32
#define VMI_WIRE_HEADER_guest_version_OFFSET 36
#define VMI_WIRE_HEADER_guest_hash_OFFSET 40
#define VMI_WIRE_HEADER_guest_base_OFFSET 44
#define VMI_WIRE_HEADER_wait_cycles_OFFSET 48
#define VMI_WIRE_HEADER_wake_port_OFFSET 52
#define VMI_WIRE_HEADER_trace_low_OFFSET 56
#define VMI_WIRE_HEADER_trace_span_OFFSET 60
#define VMI_WIRE_HEADER_brain_OFFSET 64
#define VMI_WIRE_HEADER_asleep_OFFSET 68
#define VMI_WIRE_HEADER_hold_OFFSET 72
#define VMI_WIRE_HEADER_guest_cr4_OFFSET 76
#define VMI_WIRE_HEADER_low_memory_OFFSET 80
#define VMI_WIRE_HEADER_sites_OFFSET 84
#define VMI_WIRE_HEADER_work_OFFSET 88
#define VMI_WIRE_HEADER_worked_OFFSET 92
#define VMI_WIRE_HEADER_cursor_OFFSET 96
#define VMI_WIRE_HEADER_worker_OFFSET 100
#define VMI_WIRE_HEADER_longest_OFFSET 104
#define VMI_WIRE_HEADER_fetch_OFFSET 108
#define VMI_WIRE_HEADER_room_cycles_OFFSET 112
#define VMI_WIRE_HEADER_guest_eflags_OFFSET 116
#define VMI_WIRE_HEADER_inits_OFFSET 120
#define VMI_WIRE_HEADER_unused1_OFFSET 124
#define VMI_WIRE_HEADER_modes_OFFSET 128
#define VMI_WIRE_HEADER_unused2_OFFSET 208
#define VMI_WIRE_HEADER_paths_OFFSET 256
#define VMI_WIRE_HEADER_unused3_OFFSET 336

/* struct vmi_wire_payload: size and offsets in bytes */
#define VMI_WIRE_PAYLOAD_SIZE       32
#define VMI_WIRE_PAYLOAD_hash_OFFSET 0
#define VMI_WIRE_PAYLOAD_cpus_OFFSET 4
#define VMI_WIRE_PAYLOAD_init_OFFSET 8
#define VMI_WIRE_PAYLOAD_get_reloc_OFFSET 12
#define VMI_WIRE_PAYLOAD_stubs_OFFSET 16
#define VMI_WIRE_PAYLOAD_unused_OFFSET 20

/* struct vmi_wire_mailbox: size and offsets in bytes */
#define VMI_WIRE_MAILBOX_SIZE       64
#define VMI_WIRE_MAILBOX_state_OFFSET 0
#define VMI_WIRE_MAILBOX_action_OFFSET 4
#define VMI_WIRE_MAILBOX_call_OFFSET 8
#define VMI_WIRE_MAILBOX_caller_OFFSET 12
#define VMI_WIRE_MAILBOX_eax_OFFSET 16
#define VMI_WIRE_MAILBOX_edx_OFFSET 20
#define VMI_WIRE_MAILBOX_ecx_OFFSET 24
#define VMI_WIRE_MAILBOX_ebx_OFFSET 28
#define VMI_WIRE_MAILBOX_s1_OFFSET  32
#define VMI_WIRE_MAILBOX_s2_OFFSET  36
#define VMI_WIRE_MAILBOX_esi_OFFSET 40
#define VMI_WIRE_MAILBOX_edi_OFFSET 44
#define VMI_WIRE_MAILBOX_ebp_OFFSET 48
#define VMI_WIRE_MAILBOX_esp_OFFSET 52
#define VMI_WIRE_MAILBOX_eflags_OFFSET 56
#define VMI_WIRE_MAILBOX_cr3_OFFSET 60

/* struct vmi_wire_ring: size and offsets in bytes */
#define VMI_WIRE_RING_SIZE          192
#define VMI_WIRE_RING_head_OFFSET   0
#define VMI_WIRE_RING_busy_OFFSET   4
#define VMI_WIRE_RING_mask_OFFSET   8
#define VMI_WIRE_RING_base_OFFSET   12
#define VMI_WIRE_RING_lost_OFFSET   16
#define VMI_WIRE_RING_lost_upcalls_OFFSET 20
#define VMI_WIRE_RING_cpu_OFFSET    24
#define VMI_WIRE_RING_serial_OFFSET 28
#define VMI_WIRE_RING_cs_OFFSET     32
#define VMI_WIRE_RING_ss_OFFSET     34
#define VMI_WIRE_RING_ds_OFFSET     36
#define VMI_WIRE_RING_es_OFFSET     38
#define VMI_WIRE_RING_fs_OFFSET     40
#define VMI_WIRE_RING_gs_OFFSET     42
#define VMI_WIRE_RING_tr_OFFSET     44
#define VMI_WIRE_RING_gdt_limit_OFFSET 46
#define VMI_WIRE_RING_gdt_base_OFFSET 48
#define VMI_WIRE_RING_ldtr_OFFSET   52
#define VMI_WIRE_RING_unused1_OFFSET 54
#define VMI_WIRE_RING_stop_OFFSET   64
#define VMI_WIRE_RING_unused2_OFFSET 68

/* struct vmi_wire_site: size and offsets in bytes */
#define VMI_WIRE_SITE_SIZE          8
#define VMI_WIRE_SITE_address_OFFSET 0
#define VMI_WIRE_SITE_call_OFFSET   4

/* struct vmi_wire_record: size and offsets in bytes */
#define VMI_WIRE_RECORD_SIZE        32
#define VMI_WIRE_RECORD_time_OFFSET 0
#define VMI_WIRE_RECORD_call_OFFSET 8
#define VMI_WIRE_RECORD_cpu_OFFSET  9
#define VMI_WIRE_RECORD_kind_OFFSET 10
#define VMI_WIRE_RECORD_reserved_OFFSET 11
#define VMI_WIRE_RECORD_caller_OFFSET 12
#define VMI_WIRE_RECORD_eax_OFFSET  16
#define VMI_WIRE_RECORD_edx_OFFSET  20
#define VMI_WIRE_RECORD_ecx_OFFSET  24
#define VMI_WIRE_RECORD_sequence_OFFSET 28

#ifndef __ASSEMBLER__
_Static_assert(sizeof(unsigned char) == 1, "unsigned char");
_Static_assert(sizeof(unsigned short) == 2, "unsigned short");
_Static_assert(sizeof(unsigned int) == 4, "unsigned int");
_Static_assert(sizeof(unsigned long long) == 8, "unsigned long long");
#define VMI_AT(structure, field, offset) \
    _Static_assert(__builtin_offsetof(struct structure, field) == offset, #structure "." #field)

/* at offset 0: who speaks, where to enter, what to do with each call */
struct vmi_wire_header {
    unsigned int magic_low;                 /* WIRE_MAGIC_LOW */
    unsigned int magic_high;                /* WIRE_MAGIC_HIGH */
    unsigned int version;                   /* WIRE_VERSION of the brain */
    unsigned int hash;                      /* WIRE_HASH of the brain */
    unsigned int size;                      /* of the memory: WIRE_SIZE */
    unsigned int cpus;                      /* areas that are set up; indexes are below */
    unsigned int init;                      /* linear address of the payload's vmi_init */
    unsigned int get_reloc;                 /* linear address of the payload's get_reloc */
    unsigned int guest_state;               /* written by the ROM: what it made of all this */
    unsigned int guest_version;             /* written by the ROM: its WIRE_VERSION */
    unsigned int guest_hash;                /* written by the ROM: its WIRE_HASH */
    unsigned int guest_base;                /* written by the ROM: linear address of its image */
    unsigned int wait_cycles;               /* TSC ticks that a guest waits for an answer */
    unsigned int wake_port;                 /* I/O port that wakes the brain */
    unsigned int trace_low;                 /* first caller that is traced */
    unsigned int trace_span;                /* callers from there that are traced, less one */
    unsigned int brain;                     /* BrainState */
    unsigned int asleep;                    /* the brain wants to be woken */
    unsigned int hold;                      /* the brain is slow on purpose: wait without limit */
    unsigned int guest_cr4;                 /* written by the ROM: CR4, whose PAE says how to read page tables */
    unsigned int low_memory;                /* bytes of RAM from 0 that the guest may map where low memory is mapped */
    unsigned int sites;                     /* records of sites; written by the payload */
    unsigned int work;                      /* changes when modes have changed and sites are to be switched */
    unsigned int worked;                    /* written by the payload: the `work` that it is at */
    unsigned int cursor;                    /* written by the payload: first site that is still to be switched for it */
    unsigned int worker;                    /* written by the payload: 1 while a CPU switches sites */
    unsigned int longest;                   /* written by the payload: TSC ticks that the longest batch of sites took */
    unsigned int fetch;                     /* bytes that a CPU fetches at once, less one: a power of two up to a page's; sites must not cross */
    unsigned int room_cycles;               /* TSC ticks that a guest waits for room in a full ring; the payload makes it 0 when that was in vain */
    unsigned int guest_eflags;              /* written by the payload: EFLAGS at the last vmi_init */
    unsigned int inits;                     /* written by the payload: how often vmi_init has been called */
    unsigned char unused1[4];               /* 0 */
    unsigned char modes[80];                /* Mode of each call */
    unsigned char unused2[48];              /* 0 */
    unsigned char paths[80];                /* Path of each call */
    unsigned char unused3[176];             /* 0 */
} __attribute__((packed));
_Static_assert(sizeof(struct vmi_wire_header) == VMI_WIRE_HEADER_SIZE, "vmi_wire_header: size");
VMI_AT(vmi_wire_header, magic_low, VMI_WIRE_HEADER_magic_low_OFFSET);
VMI_AT(vmi_wire_header, magic_high, VMI_WIRE_HEADER_magic_high_OFFSET);
VMI_AT(vmi_wire_header, version, VMI_WIRE_HEADER_version_OFFSET);
VMI_AT(vmi_wire_header, hash, VMI_WIRE_HEADER_hash_OFFSET);
VMI_AT(vmi_wire_header, size, VMI_WIRE_HEADER_size_OFFSET);
VMI_AT(vmi_wire_header, cpus, VMI_WIRE_HEADER_cpus_OFFSET);
VMI_AT(vmi_wire_header, init, VMI_WIRE_HEADER_init_OFFSET);
VMI_AT(vmi_wire_header, get_reloc, VMI_WIRE_HEADER_get_reloc_OFFSET);
VMI_AT(vmi_wire_header, guest_state, VMI_WIRE_HEADER_guest_state_OFFSET);
VMI_AT(vmi_wire_header, guest_version, VMI_WIRE_HEADER_guest_version_OFFSET);
VMI_AT(vmi_wire_header, guest_hash, VMI_WIRE_HEADER_guest_hash_OFFSET);
VMI_AT(vmi_wire_header, guest_base, VMI_WIRE_HEADER_guest_base_OFFSET);
VMI_AT(vmi_wire_header, wait_cycles, VMI_WIRE_HEADER_wait_cycles_OFFSET);
VMI_AT(vmi_wire_header, wake_port, VMI_WIRE_HEADER_wake_port_OFFSET);
VMI_AT(vmi_wire_header, trace_low, VMI_WIRE_HEADER_trace_low_OFFSET);
VMI_AT(vmi_wire_header, trace_span, VMI_WIRE_HEADER_trace_span_OFFSET);
VMI_AT(vmi_wire_header, brain, VMI_WIRE_HEADER_brain_OFFSET);
VMI_AT(vmi_wire_header, asleep, VMI_WIRE_HEADER_asleep_OFFSET);
VMI_AT(vmi_wire_header, hold, VMI_WIRE_HEADER_hold_OFFSET);
VMI_AT(vmi_wire_header, guest_cr4, VMI_WIRE_HEADER_guest_cr4_OFFSET);
VMI_AT(vmi_wire_header, low_memory, VMI_WIRE_HEADER_low_memory_OFFSET);
VMI_AT(vmi_wire_header, sites, VMI_WIRE_HEADER_sites_OFFSET);
VMI_AT(vmi_wire_header, work, VMI_WIRE_HEADER_work_OFFSET);
VMI_AT(vmi_wire_header, worked, VMI_WIRE_HEADER_worked_OFFSET);
VMI_AT(vmi_wire_header, cursor, VMI_WIRE_HEADER_cursor_OFFSET);
VMI_AT(vmi_wire_header, worker, VMI_WIRE_HEADER_worker_OFFSET);
VMI_AT(vmi_wire_header, longest, VMI_WIRE_HEADER_longest_OFFSET);
VMI_AT(vmi_wire_header, fetch, VMI_WIRE_HEADER_fetch_OFFSET);
VMI_AT(vmi_wire_header, room_cycles, VMI_WIRE_HEADER_room_cycles_OFFSET);
VMI_AT(vmi_wire_header, guest_eflags, VMI_WIRE_HEADER_guest_eflags_OFFSET);
VMI_AT(vmi_wire_header, inits, VMI_WIRE_HEADER_inits_OFFSET);
VMI_AT(vmi_wire_header, unused1, VMI_WIRE_HEADER_unused1_OFFSET);
VMI_AT(vmi_wire_header, modes, VMI_WIRE_HEADER_modes_OFFSET);
VMI_AT(vmi_wire_header, unused2, VMI_WIRE_HEADER_unused2_OFFSET);
VMI_AT(vmi_wire_header, paths, VMI_WIRE_HEADER_paths_OFFSET);
VMI_AT(vmi_wire_header, unused3, VMI_WIRE_HEADER_unused3_OFFSET);

/* first bytes of the payload's image */
struct vmi_wire_payload {
    unsigned int hash;                      /* WIRE_HASH of its build */
    unsigned int cpus;                      /* CPUs that it can serve */
    unsigned int init;                      /* linear address of its vmi_init */
    unsigned int get_reloc;                 /* linear address of its get_reloc */
    unsigned int stubs;                     /* linear address of its table of switchable stubs: a u32 for each call */
    unsigned char unused[12];               /* 0 */
} __attribute__((packed));
_Static_assert(sizeof(struct vmi_wire_payload) == VMI_WIRE_PAYLOAD_SIZE, "vmi_wire_payload: size");
VMI_AT(vmi_wire_payload, hash, VMI_WIRE_PAYLOAD_hash_OFFSET);
VMI_AT(vmi_wire_payload, cpus, VMI_WIRE_PAYLOAD_cpus_OFFSET);
VMI_AT(vmi_wire_payload, init, VMI_WIRE_PAYLOAD_init_OFFSET);
VMI_AT(vmi_wire_payload, get_reloc, VMI_WIRE_PAYLOAD_get_reloc_OFFSET);
VMI_AT(vmi_wire_payload, stubs, VMI_WIRE_PAYLOAD_stubs_OFFSET);
VMI_AT(vmi_wire_payload, unused, VMI_WIRE_PAYLOAD_unused_OFFSET);

/* one cache line: a call, and what became of it */
struct vmi_wire_mailbox {
    unsigned int state;                     /* number of the request * 4 + Phase */
    unsigned int action;                    /* Action */
    unsigned int call;                      /* number of the call */
    unsigned int caller;                    /* return address; the frame's EIP where there is none */
    unsigned int eax;                       /* as passed */
    unsigned int edx;                       /* as passed */
    unsigned int ecx;                       /* as passed */
    unsigned int ebx;                       /* as passed */
    unsigned int s1;                        /* dword at esp+4 at entry */
    unsigned int s2;                        /* dword at esp+8 at entry */
    unsigned int esi;                       /* as passed */
    unsigned int edi;                       /* as passed */
    unsigned int ebp;                       /* as passed */
    unsigned int esp;                       /* at entry */
    unsigned int eflags;                    /* before interrupts went off */
    unsigned int cr3;                       /* root of the page tables */
} __attribute__((packed));
_Static_assert(sizeof(struct vmi_wire_mailbox) == VMI_WIRE_MAILBOX_SIZE, "vmi_wire_mailbox: size");
VMI_AT(vmi_wire_mailbox, state, VMI_WIRE_MAILBOX_state_OFFSET);
VMI_AT(vmi_wire_mailbox, action, VMI_WIRE_MAILBOX_action_OFFSET);
VMI_AT(vmi_wire_mailbox, call, VMI_WIRE_MAILBOX_call_OFFSET);
VMI_AT(vmi_wire_mailbox, caller, VMI_WIRE_MAILBOX_caller_OFFSET);
VMI_AT(vmi_wire_mailbox, eax, VMI_WIRE_MAILBOX_eax_OFFSET);
VMI_AT(vmi_wire_mailbox, edx, VMI_WIRE_MAILBOX_edx_OFFSET);
VMI_AT(vmi_wire_mailbox, ecx, VMI_WIRE_MAILBOX_ecx_OFFSET);
VMI_AT(vmi_wire_mailbox, ebx, VMI_WIRE_MAILBOX_ebx_OFFSET);
VMI_AT(vmi_wire_mailbox, s1, VMI_WIRE_MAILBOX_s1_OFFSET);
VMI_AT(vmi_wire_mailbox, s2, VMI_WIRE_MAILBOX_s2_OFFSET);
VMI_AT(vmi_wire_mailbox, esi, VMI_WIRE_MAILBOX_esi_OFFSET);
VMI_AT(vmi_wire_mailbox, edi, VMI_WIRE_MAILBOX_edi_OFFSET);
VMI_AT(vmi_wire_mailbox, ebp, VMI_WIRE_MAILBOX_ebp_OFFSET);
VMI_AT(vmi_wire_mailbox, esp, VMI_WIRE_MAILBOX_esp_OFFSET);
VMI_AT(vmi_wire_mailbox, eflags, VMI_WIRE_MAILBOX_eflags_OFFSET);
VMI_AT(vmi_wire_mailbox, cr3, VMI_WIRE_MAILBOX_cr3_OFFSET);

/* header of a CPU's ring of records */
struct vmi_wire_ring {
    unsigned int head;                      /* number of the next record, from 1 */
    unsigned int busy;                      /* written by the payload: 1 while this CPU is at call sites, so that an NMI lets them be */
    unsigned int mask;                      /* records of the ring less one; a power of two less one */
    unsigned int base;                      /* linear address of its first record */
    unsigned int lost;                      /* records for which there was no room */
    unsigned int lost_upcalls;              /* upcalls that were done natively, for want of an answer */
    unsigned int cpu;                       /* index of this CPU */
    unsigned int serial;                    /* number of the last request; one more when it was given up */
    unsigned short cs;                      /* at the last request */
    unsigned short ss;                      /* at the last request */
    unsigned short ds;                      /* at the last request */
    unsigned short es;                      /* at the last request */
    unsigned short fs;                      /* at the last request */
    unsigned short gs;                      /* at the last request */
    unsigned short tr;                      /* selector of the task register at the last request */
    unsigned short gdt_limit;               /* of GDTR at the last request */
    unsigned int gdt_base;                  /* of GDTR at the last request */
    unsigned short ldtr;                    /* selector of the LDT at the last request */
    unsigned char unused1[10];              /* 0 */
    unsigned int stop;                      /* number of the first record for which there is no room yet; by the brain */
    unsigned char unused2[124];             /* 0 */
} __attribute__((packed));
_Static_assert(sizeof(struct vmi_wire_ring) == VMI_WIRE_RING_SIZE, "vmi_wire_ring: size");
VMI_AT(vmi_wire_ring, head, VMI_WIRE_RING_head_OFFSET);
VMI_AT(vmi_wire_ring, busy, VMI_WIRE_RING_busy_OFFSET);
VMI_AT(vmi_wire_ring, mask, VMI_WIRE_RING_mask_OFFSET);
VMI_AT(vmi_wire_ring, base, VMI_WIRE_RING_base_OFFSET);
VMI_AT(vmi_wire_ring, lost, VMI_WIRE_RING_lost_OFFSET);
VMI_AT(vmi_wire_ring, lost_upcalls, VMI_WIRE_RING_lost_upcalls_OFFSET);
VMI_AT(vmi_wire_ring, cpu, VMI_WIRE_RING_cpu_OFFSET);
VMI_AT(vmi_wire_ring, serial, VMI_WIRE_RING_serial_OFFSET);
VMI_AT(vmi_wire_ring, cs, VMI_WIRE_RING_cs_OFFSET);
VMI_AT(vmi_wire_ring, ss, VMI_WIRE_RING_ss_OFFSET);
VMI_AT(vmi_wire_ring, ds, VMI_WIRE_RING_ds_OFFSET);
VMI_AT(vmi_wire_ring, es, VMI_WIRE_RING_es_OFFSET);
VMI_AT(vmi_wire_ring, fs, VMI_WIRE_RING_fs_OFFSET);
VMI_AT(vmi_wire_ring, gs, VMI_WIRE_RING_gs_OFFSET);
VMI_AT(vmi_wire_ring, tr, VMI_WIRE_RING_tr_OFFSET);
VMI_AT(vmi_wire_ring, gdt_limit, VMI_WIRE_RING_gdt_limit_OFFSET);
VMI_AT(vmi_wire_ring, gdt_base, VMI_WIRE_RING_gdt_base_OFFSET);
VMI_AT(vmi_wire_ring, ldtr, VMI_WIRE_RING_ldtr_OFFSET);
VMI_AT(vmi_wire_ring, unused1, VMI_WIRE_RING_unused1_OFFSET);
VMI_AT(vmi_wire_ring, stop, VMI_WIRE_RING_stop_OFFSET);
VMI_AT(vmi_wire_ring, unused2, VMI_WIRE_RING_unused2_OFFSET);

/* a call site, 5 bytes: an instruction, or the call that it was made from */
struct vmi_wire_site {
    unsigned int address;                   /* linear address of its first byte */
    unsigned int call;                      /* number of the call; written last, 0 before */
} __attribute__((packed));
_Static_assert(sizeof(struct vmi_wire_site) == VMI_WIRE_SITE_SIZE, "vmi_wire_site: size");
VMI_AT(vmi_wire_site, address, VMI_WIRE_SITE_address_OFFSET);
VMI_AT(vmi_wire_site, call, VMI_WIRE_SITE_call_OFFSET);

/* a call as it was traced */
struct vmi_wire_record {
    unsigned long long time;                /* TSC ticks */
    unsigned char call;                     /* number of the call */
    unsigned char cpu;                      /* index of the CPU */
    unsigned char kind;                     /* RecordKind */
    unsigned char reserved;                 /* 0 */
    unsigned int caller;                    /* return address; the frame's EIP where there is none */
    unsigned int eax;                       /* as passed */
    unsigned int edx;                       /* as passed */
    unsigned int ecx;                       /* as passed */
    unsigned int sequence;                  /* number of the record on its CPU, from 1 modulo 2^32; written last */
} __attribute__((packed));
_Static_assert(sizeof(struct vmi_wire_record) == VMI_WIRE_RECORD_SIZE, "vmi_wire_record: size");
VMI_AT(vmi_wire_record, time, VMI_WIRE_RECORD_time_OFFSET);
VMI_AT(vmi_wire_record, call, VMI_WIRE_RECORD_call_OFFSET);
VMI_AT(vmi_wire_record, cpu, VMI_WIRE_RECORD_cpu_OFFSET);
VMI_AT(vmi_wire_record, kind, VMI_WIRE_RECORD_kind_OFFSET);
VMI_AT(vmi_wire_record, reserved, VMI_WIRE_RECORD_reserved_OFFSET);
VMI_AT(vmi_wire_record, caller, VMI_WIRE_RECORD_caller_OFFSET);
VMI_AT(vmi_wire_record, eax, VMI_WIRE_RECORD_eax_OFFSET);
VMI_AT(vmi_wire_record, edx, VMI_WIRE_RECORD_edx_OFFSET);
VMI_AT(vmi_wire_record, ecx, VMI_WIRE_RECORD_ecx_OFFSET);
VMI_AT(vmi_wire_record, sequence, VMI_WIRE_RECORD_sequence_OFFSET);

#undef VMI_AT
#endif /* __ASSEMBLER__ */

#endif /* VMI_WIRE_H */
