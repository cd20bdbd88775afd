/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The pool of shadow pages: made for a guest's frame, found by it, dropped, and used again only after every CPU has flushed
 * its TLB (docs/ring-memory.md, "Using a page again"). When there is no page, the clock's hand takes some that were not
 * used since it came by last. Called from shadow.c; what is linked where is shadow_links.c's.
 */
#include "shadow_inner.h"

#define BATCH 16u      /* evicted at a time, at least: a flush is dear, and the dearer the more CPUs have to be heard */
#define BATCHES 32u    /* in a large pool */

struct shadow_state shadow;

/* Whether some frame that shares this one's bit has a shadow. */
static u32 bit_wanted(u32 pfn)
{
    u32 step = shadow.config.bitmap_mask + 1;
    for (u32 other = pfn & shadow.config.bitmap_mask; other < shadow.config.frames; other += step)
        if (shadow.config.frame_table[other])
            return 1;
    return 0;
}

static void chain_add(u32 index)
{
    struct shadow_page *page = page_of(index);
    u32 bit = page->pfn & shadow.config.bitmap_mask;
    page->next = shadow.config.frame_table[page->pfn];
    shadow.config.frame_table[page->pfn] = (u16)index;
    shadow.config.bitmap[bit >> 3] |= (u8)(1 << (bit & 7));
    /* The bit is set before the first of the guest's entries is read: who wrote it without queueing it had not seen the
     * bit, so that store is seen here. */
    __sync_synchronize();
}

static void chain_remove(u32 index)
{
    struct shadow_page *page = page_of(index);
    u16 *at = &shadow.config.frame_table[page->pfn];
    u32 bit = page->pfn & shadow.config.bitmap_mask;
    while (*at != index)
        at = &page_of(*at)->next;
    *at = page->next;
    if (!bit_wanted(page->pfn))
        shadow.config.bitmap[bit >> 3] &= (u8)~(1 << (bit & 7));
}

#define ALL_GROUPS 0xffffffffu

/* Zero the groups of a page, each of so many words. */
static void zero(u32 cpu, u32 index, u32 groups, u32 words)
{
    u32 *word = map_shadow(cpu, index);
    for (; groups; groups &= groups - 1) {
        u32 *group = word + (u32)__builtin_ctz(groups) * words;
        for (u32 i = 0; i < words; i += 4)
            group[i] = group[i + 1] = group[i + 2] = group[i + 3] = 0;
    }
}

static void to_limbo(u32 index)
{
    struct shadow_page *page = page_of(index);
    page->kind = LIMBO;
    page->pfn = NO_FRAME;
    page->next = shadow.limbo_new;
    shadow.limbo_new = (u16)index;
    shadow.limbo_pages++;
    shadow.count->used--;
    SHADOW_EVENT(FREED, index);
}

static void to_free(u16 *list)
{
    while (*list) {
        u32 index = *list;
        struct shadow_page *page = page_of(index);
        *list = page->next;
        page->kind = FREE;
        page->next = shadow.free;
        shadow.free = (u16)index;
        shadow.limbo_pages--;
    }
}

/* A CPU's TLB was flushed: what is in limbo comes a step nearer to its next use. */
void pool_move_limbo(u32 cpu)
{
    u32 self = 1u << cpu;
    shadow.waiting &= ~self;
    if (shadow.waiting)
        return;
    to_free(&shadow.limbo_old);
    shadow.limbo_old = shadow.limbo_new;
    shadow.limbo_new = 0;
    shadow.waiting = shadow.limbo_old ? shadow.online & ~self : 0;
    if (!shadow.waiting)
        to_free(&shadow.limbo_old);
}

static void flush_all(u32 cpu)
{
    shadow.count->flushes++;
    tlb_flush();
    if (shadow.online & ~(1u << cpu))
        tlb_flush_others(cpu);
    to_free(&shadow.limbo_old);
    to_free(&shadow.limbo_new);
    shadow.waiting = 0;
    shadow.stale = 0;
}

/* Pages dropped before they are flushed for. */
static u32 batch(void)
{
    u32 part = shadow.config.pool_pages / BATCHES;
    return part > BATCH ? part : BATCH;
}

/* Drop a batch of pages that nobody has loaded; two rounds of the hand at most. */
static void evict(u32 cpu)
{
    u32 dropped = 0, wanted = batch();
    for (u32 turn = 0; turn < 2 * shadow.config.pool_pages && dropped < wanted; turn++) {
        shadow.hand = shadow.hand + 1u < shadow.config.pool_pages ? (u16)(shadow.hand + 1) : 1;
        struct shadow_page *page = page_of(shadow.hand);
        if (page->kind < TABLE || page->kind > TOP || page->pins)
            continue;
        if (page->referenced) {
            page->referenced = 0;
            continue;
        }
        pool_drop(cpu, shadow.hand);
        shadow.count->evicted++;
        dropped++;
    }
}

/* A zeroed page that no TLB remembers; its kind is still FREE: nobody evicts it before it is one of the others. */
static u32 take(u32 cpu)
{
    struct shadow_config *config = &shadow.config;
    if (!shadow.free && shadow.unlisted < config->pool_pages) {
        u32 fresh = shadow.unlisted++;
        zero(cpu, fresh, ALL_GROUPS, 32);
        page_of(fresh)->next = 0;
        shadow.free = (u16)fresh;
    }
    if (!shadow.free) {
        if (shadow.limbo_pages < batch())
            evict(cpu);
        flush_all(cpu);
    }
    u32 index = shadow.free;
    if (!index)
        return 0;
    shadow.free = page_of(index)->next;
    if (++shadow.count->used > shadow.count->peak)
        shadow.count->peak = shadow.count->used;
    SHADOW_EVENT(TAKEN, index);
    return index;
}

static void give_back(u32 index)
{
    page_of(index)->kind = FREE;
    page_of(index)->next = shadow.free;
    shadow.free = (u16)index;
    shadow.count->used--;
}

u32 pool_find(u32 cpu, u32 pfn, u32 kind)
{
    for (u32 index = shadow.config.frame_table[pfn]; index; index = page_of(index)->next) {
        struct shadow_page *page = page_of(index);
        if (page->kind == kind && (kind != TOP || page->cpu == cpu)) {
            page->referenced = 1;
            return index;
        }
    }
    return 0;
}

u32 pool_make(u32 cpu, u32 pfn, u32 kind)
{
    u32 index = take(cpu);
    if (!index)
        return 0;
    u32 links = 0;
    if (has_slots(kind)) {
        links = take(cpu);
        if (!links) {
            give_back(index);
            return 0;
        }
        page_of(links)->kind = LINKS;
        shadow.count->directories++;
    } else {
        shadow.count->tables += kind == TABLE;
        shadow.count->splinters += kind == SPLINTER;
    }
    struct shadow_page *page = page_of(index);
    *page = (struct shadow_page){
        .pfn = pfn, .kind = (u8)kind, .cpu = (u8)cpu, .links = (u16)links};
    if (kind == TOP)
        for (u32 i = 0; i < SHADOW_HOLE_SLOTS; i++)
            shadow_set(cpu, index, HOLE_SLOT + i, shadow.cpu[cpu].hole[i]);
    if (kind != SPLINTER && pfn != NO_FRAME)
        chain_add(index);
    return index;
}

void pool_drop(u32 cpu, u32 index)
{
    struct shadow_page *page = page_of(index);
    link_cut_parents(cpu, index);
    if (has_slots(page->kind)) {
        link_empty(cpu, index);
        zero(cpu, page->links, page->groups, 1 << GROUP_BITS);
        to_limbo(page->links);
    }
    if (page->kind != SPLINTER && page->pfn != NO_FRAME)
        chain_remove(index);
    zero(cpu, index, page->groups, 32);
    to_limbo(index);
}

void pool_drop_frame(u32 cpu, u32 pfn)
{
    u16 found[SHADOW_CPUS + 2];
    u32 count = 0;
    for (u32 index = shadow.config.frame_table[pfn]; index && count < SHADOW_CPUS + 2; index = page_of(index)->next)
        found[count++] = (u16)index;
    for (u32 i = 0; i < count; i++) {
        shadow.count->released++;
        if (page_of(found[i])->pins)
            link_empty(cpu, found[i]);
        else
            pool_drop(cpu, found[i]);
    }
}

void pool_drop_all(u32 cpu)
{
    for (u32 index = 1; index < shadow.unlisted; index++) {
        u32 kind = page_of(index)->kind;
        if (has_slots(kind) && page_of(index)->pins)
            link_empty(cpu, index);
        else if (kind >= TABLE && kind <= TOP)
            pool_drop(cpu, index);
    }
    flush_all(cpu);
}

void pool_reset(void)
{
    struct shadow_config *config = &shadow.config;
    for (u32 i = 0; i < config->frames; i++)
        config->frame_table[i] = 0;
    for (u32 i = 0; i < (config->bitmap_mask + 1) / 8; i++)
        config->bitmap[i] = 0;
    for (u32 i = 0; i < config->pool_pages; i++)
        config->pages[i] = (struct shadow_page){.pfn = NO_FRAME, .kind = i ? FREE : FIXED};
    shadow.free = shadow.limbo_old = shadow.limbo_new = shadow.limbo_pages = 0;
    shadow.online = shadow.waiting = shadow.stale = 0;
    shadow.unlisted = 1;
    shadow.hand = 1;
    zero(0, 0, ALL_GROUPS, 32);
}
