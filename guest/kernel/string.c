/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Memory and text primitives; the compiler calls the mem* functions by itself. String instructions keep them short,
 * and are what a 2006 kernel used.
 */
#include "kernel.h"

void *memcpy(void *to, const void *from, size_t length)
{
	void *result = to;
	size_t words = length / 4, bytes = length % 4;

	asm volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(words)::"memory");
	asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes)::"memory");
	return result;
}

void *memmove(void *to, const void *from, size_t length)
{
	u8 *out = to;
	const u8 *in = from;

	if (out <= in || out >= in + length)
		return memcpy(to, from, length);
	while (length-- > 0)
		out[length] = in[length];
	return to;
}

void *memset(void *to, int byte, size_t length)
{
	void *result = to;
	size_t words = length / 4, bytes = length % 4;
	u32 pattern = (u8)byte * 0x01010101u;

	asm volatile("rep stosl" : "+D"(to), "+c"(words) : "a"(pattern) : "memory");
	asm volatile("rep stosb" : "+D"(to), "+c"(bytes) : "a"(pattern) : "memory");
	return result;
}

int memcmp(const void *a, const void *b, size_t length)
{
	const u8 *left = a, *right = b;

	for (; length > 0; length--, left++, right++)
		if (*left != *right)
			return *left - *right;
	return 0;
}

size_t strlen(const char *text)
{
	size_t length = 0;

	while (text[length] != '\0')
		length++;
	return length;
}

int strcmp(const char *a, const char *b)
{
	return strncmp(a, b, ~(size_t)0);
}

int strncmp(const char *a, const char *b, size_t length)
{
	for (; length > 0; length--, a++, b++) {
		if (*a != *b)
			return (u8)*a - (u8)*b;
		if (*a == '\0')
			return 0;
	}
	return 0;
}

void copy_text(char *to, const char *from, size_t size)
{
	size_t i;

	for (i = 0; i + 1 < size && from[i] != '\0'; i++)
		to[i] = from[i];
	to[i] = '\0';
}
