/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The ring-3 programs' library: system calls, texts, processes, faults. There is no C library below it. Results are the
 * kernel's: negative is -errno.
 */
#ifndef OPENVMI_ULIB_H
#define OPENVMI_ULIB_H

#include "uapi.h"

/* Called by assembler or by the kernel: arguments on the stack, whatever the compiler's flags say. */
#define CDECL __attribute__((regparm(0)))
#define NOINLINE __attribute__((noinline))

#define PAGE 4096u

/* ---- start.S ---- */
CDECL s32 system_call(u32 number, ...);
CDECL s32 system_call_fast(u32 number, ...);
CDECL u32 catch_call(CDECL void (*function)(void *), void *argument);
void rt_restorer(void);
void old_restorer(void);
void catch_resume(void);

/* ---- start.c: what the kernel gave the program ---- */
extern u32 sysinfo_entry; /* the kernel's fast entry, 0 when it has none */
extern u32 stack_at_start;
int main(int argc, char **argv, char **envp);
NORETURN void leave(int status);

/* ---- system calls that are called often or measured ---- */
ALWAYS_INLINE s32 call0(u32 number)
{
	s32 result;

	__asm__ volatile("int $0x80" : "=a"(result) : "a"(number) : "memory");
	return result;
}

ALWAYS_INLINE s32 call1(u32 number, u32 a)
{
	s32 result;

	__asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a) : "memory");
	return result;
}

ALWAYS_INLINE s32 call2(u32 number, u32 a, u32 b)
{
	s32 result;

	__asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b) : "memory");
	return result;
}

ALWAYS_INLINE s32 call3(u32 number, u32 a, u32 b, u32 c)
{
	s32 result;

	__asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory");
	return result;
}

ALWAYS_INLINE s32 call4(u32 number, u32 a, u32 b, u32 c, u32 d)
{
	s32 result;

	__asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d) : "memory");
	return result;
}

ALWAYS_INLINE s32 call5(u32 number, u32 a, u32 b, u32 c, u32 d, u32 e)
{
	s32 result;

	__asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e) : "memory");
	return result;
}

/* getppid through the kernel's fast entry; sysinfo_entry must not be 0. */
ALWAYS_INLINE s32 fast_call0(u32 number)
{
	s32 result;

	__asm__ volatile("call *%2" : "=a"(result) : "a"(number), "m"(sysinfo_entry) : "memory", "cc");
	return result;
}

ALWAYS_INLINE u64 ticks_now(void)
{
	u64 ticks;

	__asm__ volatile("rdtsc" : "=A"(ticks));
	return ticks;
}

ALWAYS_INLINE s32 yield(void) { return call0(SYS_sched_yield); }
ALWAYS_INLINE s32 protect(u32 address, u32 length, u32 access)
{
	return call3(SYS_mprotect, address, length, access);
}
ALWAYS_INLINE s32 unmap(u32 address, u32 length) { return call2(SYS_munmap, address, length); }

/* ---- memory.c ---- */
u32 map(u32 length, u32 access);		   /* a new private mapping; ends the program if there is none */
s32 map_at(u32 address, u32 length, u32 access); /* the same at a fixed place */
u32 map_failed(u32 result);			   /* is what a mapping call answered an error? */

/* ---- text.c ---- */
u32 text_length(const char *text);
bool text_equal(const char *a, const char *b);
const char *text_after(const char *text, const char *prefix); /* behind the prefix, or NULL */
bool text_contains(const char *text, u32 length, const char *word);
u32 text_number(const char *text); /* leading decimal digits */
bool text_is_number(const char *text); /* digits, and nothing else */
u64 divide(u64 value, u32 by);
void *memset(void *to, int value, size_t count);
void *memcpy(void *to, const void *from, size_t count);

/* A line of output under construction. What does not fit is dropped: the result channel ends lines at 1000. */
#define LINE_SIZE 1000
struct line {
	u32 used;
	char text[LINE_SIZE];
};
void line_start(struct line *line, const char *text);
void line_text(struct line *line, const char *text);
void line_bytes(struct line *line, const char *text, u32 length);
void line_decimal(struct line *line, u64 value);
void line_hex(struct line *line, u32 value);
void line_send(struct line *line, s32 file); /* adds the LF and writes all of it */

/* ---- process.c ---- */
extern bool in_child; /* this process was made by spawn() */
s32 spawn(void);      /* fork */
s32 wait_for(s32 pid);			 /* waits; the status word, or -errno */
s32 run_child(CDECL void (*body)(void *), void *argument); /* in a child that then exits 0; its status word */
s32 execute(const char *path, char *const *argv, char *const *envp);
void pause_ms(u32 milliseconds);
u64 clock_us(void); /* gettimeofday */
#define STATUS_EXITED(code) ((s32)((code) << 8))
#define STATUS_SIGNAL(status) ((status) & 0x7F)

/* ---- fault.c ---- */
struct fault {
	u32 signal, address, eip, error, trap;
};
extern struct fault last_fault; /* what ended the latest catch_fault() that answered true */
void fault_handlers_install(void);
bool catch_fault(CDECL void (*function)(void *), void *argument);
void fault_uncatch(void); /* forget every catch_fault() under way */
s32 handle_signal(u32 number, u32 handler, u32 flags); /* rt_sigaction */
/* Called for a fault that nobody catches, in a process that is not a child. A program may define its own. */
NORETURN void fault_uncaught(const struct fault *fault);

#endif
