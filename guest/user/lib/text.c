/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Texts, numbers as text, and lines of output; and the two functions that the compiler itself may call.
 */
#include "ulib.h"

u32 text_length(const char *text)
{
	u32 length = 0;

	while (text[length])
		length++;
	return length;
}

bool text_equal(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

const char *text_after(const char *text, const char *prefix)
{
	for (; *prefix; prefix++, text++)
		if (*text != *prefix)
			return NULL;
	return text;
}

bool text_contains(const char *text, u32 length, const char *word)
{
	u32 size = text_length(word);

	for (u32 at = 0; at + size <= length; at++) {
		u32 same = 0;

		while (same < size && text[at + same] == word[same])
			same++;
		if (same == size)
			return true;
	}
	return false;
}

u32 text_number(const char *text)
{
	u32 value = 0;

	while (*text >= '0' && *text <= '9')
		value = value * 10 + (u32)(*text++ - '0');
	return value;
}

bool text_is_number(const char *text)
{
	const char *end = text;

	while (*end >= '0' && *end <= '9')
		end++;
	return end != text && *end == '\0';
}

/* String instructions: a loop here would be compiled into a call of the very function. */
void *memset(void *to, int value, size_t count)
{
	void *start = to;

	__asm__ volatile("rep stosb" : "+D"(to), "+c"(count) : "a"(value) : "memory");
	return start;
}

void *memcpy(void *to, const void *from, size_t count)
{
	void *start = to;

	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
	return start;
}

void line_bytes(struct line *line, const char *text, u32 length)
{
	for (u32 i = 0; i < length && line->used < LINE_SIZE - 1; i++)
		line->text[line->used++] = text[i];
}

void line_text(struct line *line, const char *text) { line_bytes(line, text, text_length(text)); }

void line_start(struct line *line, const char *text)
{
	line->used = 0;
	line_text(line, text);
}

/* Divides in place and returns the remainder; the compiler's own 64-bit division would need a library. */
static u32 divide_in_place(u64 *value, u32 by)
{
	u32 high = (u32)(*value >> 32), low = (u32)*value, rest;
	u32 quotient_high = high / by;

	__asm__("divl %4" : "=a"(low), "=d"(rest) : "0"(low), "1"(high % by), "r"(by) : "cc");
	*value = (u64)quotient_high << 32 | low;
	return rest;
}

u64 divide(u64 value, u32 by)
{
	divide_in_place(&value, by);
	return value;
}

void line_decimal(struct line *line, u64 value)
{
	char digits[20];
	u32 at = sizeof(digits);

	do
		digits[--at] = (char)('0' + divide_in_place(&value, 10));
	while (value);
	line_bytes(line, digits + at, sizeof(digits) - at);
}

void line_hex(struct line *line, u32 value)
{
	char digits[8];
	u32 at = sizeof(digits);

	do
		digits[--at] = "0123456789abcdef"[value & 15];
	while (value >>= 4);
	line_text(line, "0x");
	line_bytes(line, digits + at, sizeof(digits) - at);
}

void line_send(struct line *line, s32 file)
{
	u32 sent = 0;

	line->text[line->used++] = '\n';
	while (sent < line->used) {
		s32 count = call3(SYS_write, (u32)file, ADDRESS(line->text + sent), line->used - sent);

		if (count <= 0)
			return;
		sent += (u32)count;
	}
}
