/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The first ring-3 program: reports that user space runs, checks, measures, and switches off. The words of its command
 * line say what to do (struct orders); without one it checks and measures. On Linux, words of the command line that the
 * kernel does not know arrive here, those with `=` in the environment, where there are others too.
 */
#include "bench.h"
#include "check.h"

struct orders {
	bool check, bench;
	const char *only;  /* bench=NAME,...: these benchmarks */
	u32 batches;	   /* batches=N: measured batches of each; 0: default */
	u32 loop;	   /* loop=SECONDS: checks again and again for so long; 0: once */
	const char *trial; /* a word that makes this run end in its own way, for the harness's tests; or NULL */
	s32 status;	   /* exit=N: the status, without checks unless asked for; or -1 */
	const char *unknown; /* an argument that means nothing, or NULL */
};

/* The status of a command that does not understand its words, on the host as here. */
#define STATUS_USAGE 2

/* stop: nothing but the mark, and success; idle: nothing more, ever. The others are ways to fail: see end_badly(). */
static const char *const trials[] = {"stop", "idle", "spin", "panic", "crash", "silent", "reboot", "segv"};

/* Answers whether the word means something. A Linux of that time passes the separator `--` on. */
static bool take_word(struct orders *orders, const char *word)
{
	const char *value;

	for (u32 i = 0; i < ARRAY_SIZE(trials); i++)
		if (text_equal(word, trials[i]))
			return orders->trial = trials[i];
	if (text_equal(word, "check"))
		return orders->check = true;
	if (text_equal(word, "bench"))
		return orders->bench = true;
	if ((value = text_after(word, "bench="))) {
		orders->bench = true, orders->only = value;
		return benches_known(value);
	}
	if ((value = text_after(word, "batches="))) {
		orders->batches = text_number(value);
		return text_is_number(value);
	}
	if ((value = text_after(word, "loop="))) {
		orders->check = true, orders->loop = text_number(value);
		return text_is_number(value);
	}
	if ((value = text_after(word, "exit="))) {
		orders->status = (s32)(text_number(value) & 0xFF);
		return text_is_number(value);
	}
	return text_equal(word, "--");
}

static struct orders read_orders(int argc, char **argv, char **envp)
{
	struct orders orders = {.status = -1};

	for (int i = 1; i < argc; i++)
		if (!take_word(&orders, argv[i]) && !orders.unknown)
			orders.unknown = argv[i];
	for (; *envp; envp++)
		take_word(&orders, *envp);
	if (!orders.check && !orders.bench && orders.status < 0 && !orders.trial)
		orders.check = orders.bench = true;
	return orders;
}

/* `panic` is a parameter of Linux's own, hence its second name, crash: PID 1 leaves, which no kernel survives. */
static void end_badly(const char *how)
{
	if (text_equal(how, "spin"))
		for (;;)
			;
	if (text_equal(how, "idle"))
		for (;;)
			pause_ms(1000);
	if (text_equal(how, "panic") || text_equal(how, "crash"))
		leave(1);
	if (text_equal(how, "silent"))
		power_off(0);
	if (text_equal(how, "reboot"))
		restart();
	if (text_equal(how, "segv")) {
		handle_signal(SIGSEGV, SIG_DFL, 0);
		*POINTER(volatile u32, 4) = 1;
	}
}

static NORETURN void end(s32 status)
{
	struct line line;

	line_start(&line, "exit ");
	line_decimal(&line, (u32)status);
	channel_send(&line);
	power_off(status);
}

static NORETURN void finish(u32 passed, u32 failed, s32 status)
{
	struct line line;

	line_start(&line, "summary ");
	line_decimal(&line, passed);
	line_text(&line, " ");
	line_decimal(&line, failed);
	channel_send(&line);
	line_start(&line, "init: ");
	line_decimal(&line, passed);
	line_text(&line, " checks passed, ");
	line_decimal(&line, failed);
	line_text(&line, " failed; switching off");
	console_say(&line);
	end(status >= 0 ? status : failed ? 1 : 0);
}

/* A Linux passes on what is not ours as well: there it is only said. */
static void complain(const char *word)
{
	struct line line;

	line_start(&line, "init: unknown word or value: ");
	line_text(&line, word);
	console_say(&line);
	if (is_first_process && !on_bundled_kernel)
		return;
	line_start(&line, "fail init unknown word or value: ");
	line_text(&line, word);
	channel_send(&line);
	end(STATUS_USAGE);
}

NORETURN void fault_uncaught(const struct fault *fault)
{
	struct line line;

	line_start(&line, "fail init signal ");
	line_decimal(&line, fault->signal);
	line_text(&line, " at ");
	line_hex(&line, fault->eip);
	line_text(&line, " address ");
	line_hex(&line, fault->address);
	channel_send(&line);
	finish(0, 1, 1);
}

static struct line own_path;

const char *program_path(const char *name)
{
	struct line *path = &own_path;
	u32 end = path->used; /* behind the last slash of our own path */

	line_text(path, name);
	path->text[path->used] = '\0';
	path->used = end;
	return path->text;
}

static void remember_path(const char *own)
{
	u32 length = text_length(own);

	while (length && own[length - 1] != '/')
		length--;
	line_bytes(&own_path, own, length);
}

int main(int argc, char **argv, char **envp)
{
	struct orders orders = read_orders(argc, argv, envp);
	struct tally total = {0, 0};
	struct line line;

	channel_open();
	if (orders.bench && !on_bundled_kernel)
		linux_fix_addresses(argv, envp);
	if (!on_bundled_kernel)
		channel_say("hello 1");
	channel_say("mark userland");
	line_start(&line, "init: userland");
	console_say(&line);
	if (!on_bundled_kernel)
		linux_send_facts();
	if (orders.unknown)
		complain(orders.unknown);
	if (orders.trial)
		end_badly(orders.trial);
	remember_path(argv[0]);
	fault_handlers_install();
	if (orders.check)
		total = checks_repeat(orders.loop);
	if (orders.bench)
		bench_run(orders.only, orders.batches);
	finish(total.passed, total.failed, orders.status);
}
