/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A call's mode in the header is Python's to change at any time. Stubs don't look at it: what is NATIVE costs nothing that way.
 * The monitor does when an interrupt comes, and writes a jump to the gate over a stub's first two bytes, or takes it away.
 * Who is inside the stub is not disturbed.
 */
#include "ring.h"

#define SHORT_JUMP 0xeb
#define WORDS ((VMI_CALL_COUNT + 3) / 4)

struct patch {
    u32 call, stub, gate;
};
extern const struct patch patch_table[], patch_table_end[];

static u32 followed[WORDS];
static u32 busy;

/* The stub's own first bytes are kept in the monitor's image: where the window part is not written to. */
static u16 original[VMI_CALL_COUNT];

static void patch(const struct patch *patch, u32 native)
{
    volatile u16 *at = (volatile u16 *)(patch->stub - VMI_WIRE_BASE + RING_ALIAS);
    u16 jump = (u16)(SHORT_JUMP | (patch->gate - patch->stub - 2) << 8);

    if (!original[patch->call])
        original[patch->call] = *at;
    if (*at != (native ? original[patch->call] : jump))
        *at = native ? original[patch->call] : jump;
}

void follow_modes(void)
{
    volatile const u32 *modes = (volatile const u32 *)(VMI_WIRE_BASE + VMI_WIRE_HEADER_modes_OFFSET);
    u32 changed = 0;

    for (u32 i = 0; i < WORDS; i++)
        changed |= modes[i] ^ followed[i];
    if (!changed || __sync_lock_test_and_set(&busy, 1))
        return;
    for (u32 i = 0; i < WORDS; i++)
        followed[i] = modes[i];
    for (const struct patch *each = patch_table; each < patch_table_end; each++) {
        u32 mode = followed[each->call / 4] >> each->call % 4 * 8 & (VMI_WIRE_MODE_WORK - 1);
        patch(each, mode == VMI_WIRE_MODE_NATIVE || mode == VMI_WIRE_MODE_INLINE);
    }
    __sync_lock_release(&busy);
}
