/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Short names for fixed-width types and the few compiler words that the guest uses. Everything in guest/ includes it
 * first; it needs the compiler's freestanding headers and nothing of ours.
 */
#ifndef OPENVMI_TYPES_H
#define OPENVMI_TYPES_H

#ifndef __ASSEMBLER__

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t s32;
typedef int64_t s64;

#define PACKED __attribute__((packed))
#define NORETURN __attribute__((noreturn))
#define ALIGNED(n) __attribute__((aligned(n)))
#define ALWAYS_INLINE static inline __attribute__((always_inline))
#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* Addresses are 32-bit integers in this kernel; one place casts them. */
#define ADDRESS(pointer) ((u32)(uintptr_t)(pointer))
#define POINTER(type, address) ((type *)(uintptr_t)(address))

#endif /* __ASSEMBLER__ */

#endif
