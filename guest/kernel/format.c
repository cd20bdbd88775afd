/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * printf's formatting, as little of it as the kernel needs. Used by console.c, panic.c and the self-checks.
 */
#include "kernel.h"

struct output {
	char *text;
	size_t size;
	size_t length;
};

struct spec {
	bool zero;
	u32 width;
	u32 longs; /* 2: 64-bit argument */
};

static void put(struct output *out, char c)
{
	if (out->length + 1 < out->size)
		out->text[out->length++] = c;
}

static void put_padded(struct output *out, const char *text, size_t length, struct spec spec)
{
	for (size_t i = length; i < spec.width; i++)
		put(out, spec.zero ? '0' : ' ');
	for (size_t i = 0; i < length; i++)
		put(out, text[i]);
}

/* Without libgcc there is no 64-by-32 division function: two DIVs, high word first, cannot overflow. */
static u32 divide_by(u64 *value, u32 base)
{
	u32 high = (u32)(*value >> 32), low = (u32)*value, rest = high % base;

	high /= base;
	asm("divl %2" : "+a"(low), "+d"(rest) : "r"(base) : "cc");
	*value = ((u64)high << 32) | low;
	return rest;
}

static void put_number(struct output *out, u64 value, u32 base, bool negative, struct spec spec)
{
	char digits[24];
	size_t at = sizeof digits;

	do {
		digits[--at] = "0123456789abcdef"[divide_by(&value, base)];
	} while (value != 0);
	if (negative)
		digits[--at] = '-';
	put_padded(out, digits + at, sizeof digits - at, spec);
}

static const char *read_spec(const char *text, struct spec *spec)
{
	*spec = (struct spec){ 0 };
	if (*text == '0') {
		spec->zero = true;
		text++;
	}
	for (; *text >= '0' && *text <= '9'; text++)
		spec->width = spec->width * 10 + (u32)(*text - '0');
	for (; *text == 'l'; text++)
		spec->longs++;
	return text;
}

size_t format(char *to, size_t size, const char *text, __builtin_va_list args)
{
	struct output out = { to, size, 0 };
	struct spec spec;

	for (; *text != '\0'; text++) {
		if (*text != '%') {
			put(&out, *text);
			continue;
		}
		text = read_spec(text + 1, &spec);
		if (*text == 's') {
			const char *word = __builtin_va_arg(args, const char *);

			put_padded(&out, word, strlen(word), spec);
		} else if (*text == 'c') {
			put(&out, (char)__builtin_va_arg(args, int));
		} else if (*text == 'd') {
			s64 number = spec.longs >= 2 ? __builtin_va_arg(args, s64) : __builtin_va_arg(args, s32);

			put_number(&out, number < 0 ? 0 - (u64)number : (u64)number, 10, number < 0, spec);
		} else if (*text == 'u' || *text == 'x' || *text == 'p') {
			u64 number = spec.longs >= 2 ? __builtin_va_arg(args, u64) : __builtin_va_arg(args, u32);

			put_number(&out, number, *text == 'u' ? 10 : 16, false, spec);
		} else {
			put(&out, *text);
		}
	}
	if (size > 0)
		to[out.length] = '\0';
	return out.length;
}

size_t format_text(char *to, size_t size, const char *text, ...)
{
	__builtin_va_list args;
	size_t length;

	__builtin_va_start(args, text);
	length = format(to, size, text, args);
	__builtin_va_end(args);
	return length;
}
