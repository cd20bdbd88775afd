/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Entries of shadow directories that point to other shadow pages, and the way back: from a child to every entry that points
 * to it. The list runs through the directories' LINKS pages, so there is room for every entry and none for an overflow.
 * Nothing else writes to a shadow directory but pool_make (its hole) and pool_drop (zeroes).
 */
#include "shadow_inner.h"

/* Parents of one page. A shared table has one for each directory; a guest that makes them by thousands makes each search
 * long, so the next one starts the list anew: the entries are cut, and made again when they are missed. */
#define PARENTS_MAX 256u

static u32 link_node(u32 directory, u32 slot) { return directory << 10 | slot; }

static u32 *link_at(u32 cpu, u32 node)
{
    return (u32 *)map_shadow(cpu, page_of(node >> 10)->links) + (node & 1023);
}

/* Take the entry out of its child's list. */
static void forget(u32 cpu, u32 directory, u32 slot, u32 child)
{
    struct shadow_page *page = page_of(child);
    u32 node = link_node(directory, slot);
    u32 next = *link_at(cpu, node);
    page->parent_count--;
    if (page->parents == node) {
        page->parents = next;
        return;
    }
    u32 before = page->parents;
    while (before) {
        u32 after = *link_at(cpu, before);
        if (after == node) {
            *link_at(cpu, before) = next;
            return;
        }
        before = after;
    }
}

void link_cut(u32 cpu, u32 directory, u32 slot)
{
    shadow_entry entry = shadow_get(cpu, directory, slot);
    if (!entry)
        return;
    shadow_put(cpu, directory, slot, 0);
    stale_directory(directory);
    u32 child = child_of(entry);
    if (!child)
        return;
    forget(cpu, directory, slot, child);
    if (page_of(child)->kind == SPLINTER)
        pool_drop(cpu, child);
}

void link_cut_parents(u32 cpu, u32 child)
{
    struct shadow_page *page = page_of(child);
    while (page->parents) {
        u32 node = page->parents;
        page->parents = *link_at(cpu, node);
        page->parent_count--;
        shadow_put(cpu, node >> 10, node & 1023, 0);
        stale_directory(node >> 10);
    }
}

u32 link_next(u32 cpu, u32 directory, u32 slot)
{
    const shadow_entry *entry = map_shadow(cpu, directory);
    u32 groups = page_of(directory)->groups;
    while (slot < SLOTS) {
        u32 left = groups >> (slot >> GROUP_BITS);
        if (!left)
            break;
        if (!(left & 1)) {
            slot = ((slot >> GROUP_BITS) + (u32)__builtin_ctz(left)) << GROUP_BITS;
        } else if (entry[slot]) {
            return slot;
        } else if (slot & 3 || entry[slot + 1] | entry[slot + 2] | entry[slot + 3]) {
            slot++;
        } else {
            slot += 4;
        }
    }
    return SLOTS;
}

void link_empty(u32 cpu, u32 directory)
{
    u32 slots = page_of(directory)->kind == TOP ? HOLE_SLOT : SLOTS;
    for (u32 slot = link_next(cpu, directory, 0); slot < slots; slot = link_next(cpu, directory, slot + 1)) {
        if (child_of(shadow_get(cpu, directory, slot)))
            link_cut(cpu, directory, slot);
        else
            shadow_put(cpu, directory, slot, 0);
    }
    stale_directory(directory);
}

void link_to(u32 cpu, u32 directory, u32 slot, u32 child, shadow_entry bits)
{
    shadow_entry entry = machine_of(child) | bits;
    shadow_entry old = shadow_get(cpu, directory, slot);
    if (old == entry)
        return;
    if (child_of(old) == child) {
        shadow_put(cpu, directory, slot, entry);
        stale_directory(directory);
        return;
    }
    link_cut(cpu, directory, slot);
    if (page_of(child)->parent_count >= PARENTS_MAX)
        link_cut_parents(cpu, child);
    u32 node = link_node(directory, slot);
    *link_at(cpu, node) = page_of(child)->parents;
    page_of(child)->parents = node;
    page_of(child)->parent_count++;
    shadow_set(cpu, directory, slot, entry);
}

void link_large(u32 cpu, u32 directory, u32 slot, shadow_entry entry)
{
    shadow_entry old = shadow_get(cpu, directory, slot);
    if (old == entry)
        return;
    if (child_of(old))
        link_cut(cpu, directory, slot);
    else if (old)
        stale_directory(directory);
    shadow_set(cpu, directory, slot, entry);
}

/* Where a table has one parent, as a process's have, the page is known: this CPU forgets it at once. */
void link_stale_leaf(u32 cpu, u32 table, u32 index)
{
    struct shadow_page *page = page_of(table);
    u32 directory = page->parents >> 10, slot = page->parents & 1023;
    if (!page->parents)
        return;
    if (page->parent_count > 1) {
        shadow.stale |= shadow.online;
        return;
    }
    if (page_of(directory)->pins)
        shadow.stale |= shadow.online & ~(1u << cpu);
    for (u32 i = 0; i < (RING_PAE ? 4u : 1u); i++)
        if (shadow.cpu[cpu].loaded[i] == directory)
            tlb_inval(i << 30 | slot << LARGE_SHIFT | index << 12);
}
