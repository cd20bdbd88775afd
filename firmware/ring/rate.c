/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * How fast the clocks of this machine are, and what date its clock chip has. A cycle of the interface is one of the TSC; its
 * rate, and that of the local APIC's timer, are measured once against the PIT's second channel, which nobody needs then: a
 * guest asks for the frequency before it calibrates anything of its own. Used by time.c.
 */
#include "time.h"

#define PIT_HZ 1193182u
#define PIT_GATE 0x61
#define PIT_CHANNEL2 0x42
#define PIT_MODE 0x43
#define PIT_LATCH2 0x80
#define PIT_RUN2 0xb4            /* channel 2, both bytes, rate generator */
#define MEASURED 12000u          /* counts of the PIT: 10 ms */
#define LONGEST (1u << 28)       /* cycles until that is given up: another CPU may hold the PIT back */
#define SAMPLES 5
#define ATTEMPTS 8
#define CPUID_APIC 0x200u
#define MSR_APIC_BASE 0x1b
#define APIC_ENABLED 0x800u
#define CMOS_INDEX 0x70
#define CMOS_DATA 0x71
#define CMOS_BINARY 4

struct rate rate_;
static u32 busy;

struct sample {
    u32 pit, apic;
    u64 tsc;
};

u32 scale(u32 value, u32 by, u32 over)
{
    u64 product = (u64)value * by;
    u32 low = (u32)product, high = (u32)(product >> 32);

    if (high >= over)
        return ~0u;
    asm("divl %2" : "+a"(low), "+d"(high) : "rm"(over) : "cc");
    return low;
}

/* Of some readings the one that the host interrupted least. */
static struct sample take_sample(u32 has_apic)
{
    struct sample best = { 0 };
    u64 shortest = ~0ull;

    for (u32 i = 0; i < SAMPLES; i++) {
        u64 before = rdtsc(), after;
        u32 left = 0, low;

        out_port(PIT_MODE, PIT_LATCH2);
        after = rdtsc();
        if (has_apic)
            left = apic_register(APIC_TIMER_CURRENT);
        low = in_port(PIT_CHANNEL2);
        low |= in_port(PIT_CHANNEL2) << 8;
        if (after - before < shortest) {
            shortest = after - before;
            best = (struct sample){ low, left, after };
        }
    }
    return best;
}

static u32 pit_since(u32 start)
{
    u32 low;

    out_port(PIT_MODE, PIT_LATCH2);
    low = in_port(PIT_CHANNEL2);
    low |= in_port(PIT_CHANNEL2) << 8;
    return (start - low) & 0xffff;
}

static void measure_once(u32 has_apic)
{
    struct sample first, last;

    out_port(PIT_MODE, PIT_RUN2);
    out_port(PIT_CHANNEL2, 0xff);
    out_port(PIT_CHANNEL2, 0xff);
    if (has_apic)
        apic_register(APIC_TIMER_INITIAL) = ~0u;
    first = take_sample(has_apic);
    while (pit_since(first.pit) < MEASURED && rdtsc() - first.tsc < LONGEST)
        relax(cpu_->number);
    last = take_sample(has_apic);
    rate_.pit = (first.pit - last.pit) & 0xffff;
    rate_.pit += !rate_.pit; /* another CPU has written to the PIT: any rate will do */
    rate_.tsc = (u32)(last.tsc - first.tsc);
    rate_.apic = first.apic - last.apic;
}

/* Until two measurements agree to 0.1 %: the PIT's 16 bits come round unnoticed if the host is away for long. */
static void measure_all(u32 has_apic)
{
    u32 now = 0, before, difference, gate = in_port(PIT_GATE);

    out_port(PIT_GATE, (gate & ~2u) | 1); /* let channel 2 count, speaker off */
    for (u32 i = 0; i < ATTEMPTS; i++) {
        before = now;
        measure_once(has_apic);
        now = scale(rate_.tsc, 1000, rate_.pit);
        difference = now > before ? now - before : before - now;
        if (difference <= now / 1000)
            break;
    }
    out_port(PIT_GATE, gate);
    rate_.frequency = (u64)(rate_.tsc / rate_.pit) * PIT_HZ + scale(PIT_HZ, rate_.tsc % rate_.pit, rate_.pit);
}

static u32 apic_exists(void)
{
    u32 features[4], base[2];

    cpuid(1, 0, features);
    return features[3] & CPUID_APIC && !msr_read(MSR_APIC_BASE, base) && base[0] & APIC_ENABLED;
}

void measure(void)
{
    u32 has_apic, entry = 0, divide = 0, initial = 0;

    if (rate_.measured)
        return;
    while (__sync_lock_test_and_set(&busy, 1))
        relax(cpu_->number);
    has_apic = apic_exists();
    if (!rate_.measured) {
        if (has_apic) {
            entry = apic_register(APIC_LVT_TIMER);
            divide = apic_register(APIC_TIMER_DIVIDE);
            initial = apic_register(APIC_TIMER_INITIAL);
            apic_register(APIC_LVT_TIMER) = APIC_LVT_MASKED;
            apic_register(APIC_TIMER_DIVIDE) = APIC_DIVIDE_BY_1;
        }
        measure_all(has_apic);
        info_->frequency = rate_.frequency;
        if (has_apic) {
            apic_register(APIC_TIMER_INITIAL) = 0;
            apic_register(APIC_TIMER_DIVIDE) = divide;
            apic_register(APIC_LVT_TIMER) = entry;
            apic_register(APIC_TIMER_INITIAL) = initial;
        }
        rate_.measured = 1;
    }
    __sync_lock_release(&busy);
}

static u32 cmos(u32 index)
{
    out_port(CMOS_INDEX, index);
    return in_port(CMOS_DATA);
}

static u32 number(u32 index, u32 binary)
{
    u32 value = cmos(index);

    return binary ? value : (value >> 4) * 10 + (value & 15);
}

/* Days from 1970 to a date of this century; March is the first month, so that the leap day is the last. */
static u32 days(u32 year, u32 month, u32 day)
{
    u32 shifted = (month + 9) % 12;

    year += 4 - (month < 3);
    return 9555 + year * 365 + year / 4 + (shifted * 153 + 2) / 5 + day;
}

/* What the clock chip says, to the second; 24 hours, as the BIOS leaves it. */
u64 chip_time(void)
{
    u32 binary = cmos(0x0b) & CMOS_BINARY, second, seconds, attempts = 0;

    do {
        second = number(0, binary);
        seconds = days(number(9, binary), number(8, binary), number(7, binary)) * 24 + number(4, binary);
        seconds = seconds * 3600 + number(2, binary) * 60 + second;
    } while (second != number(0, binary) && ++attempts < ATTEMPTS);
    return (u64)seconds * 1000000000;
}
