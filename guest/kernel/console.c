/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Two serial ports, polled: COM1 is the console, COM2 the result channel (docs/reference/result-channel.md). Each write goes
 * out in one piece: a lock per port, held with interrupts off. panic.c breaks the locks.
 */
#include "console.h"

#include "kernel.h"

#define UART_DATA 0
#define UART_INTERRUPTS 1
#define UART_FIFO 2
#define UART_LINE 3
#define UART_MODEM 4
#define UART_STATUS 5
#define STATUS_ROOM 0x20
#define LINE_DIVISOR 0x80
#define LINE_8N1 0x03
#define FIFO_SIZE 16 /* a 16550A takes this many bytes once the transmitter says that it is empty */
#define MAX_LINE 1000

struct uart {
	u16 port;
	struct spinlock lock;
};

static struct uart console = { .port = CONSOLE_PORT };
static struct uart results = { .port = RESULT_PORT };

static void uart_init(const struct uart *uart)
{
	outb(0, uart->port + UART_INTERRUPTS);
	outb(LINE_DIVISOR, uart->port + UART_LINE);
	outb(1, uart->port + UART_DATA); /* 115200 baud */
	outb(0, uart->port + UART_INTERRUPTS);
	outb(LINE_8N1, uart->port + UART_LINE);
	outb(0x07, uart->port + UART_FIFO);
	outb(0x03, uart->port + UART_MODEM);
}

/* An absent port reads as all ones and takes everything at once, so this cannot hang on it. */
static void uart_send(const struct uart *uart, const char *text, size_t length)
{
	while (length > 0) {
		size_t piece = length < FIFO_SIZE ? length : FIFO_SIZE;

		while (!(inb(uart->port + UART_STATUS) & STATUS_ROOM))
			cpu_relax();
		for (size_t i = 0; i < piece; i++)
			outb((u8)text[i], uart->port + UART_DATA);
		text += piece;
		length -= piece;
	}
}

static void uart_write(struct uart *uart, const char *text, size_t length)
{
	u32 flags = spin_lock_irq(&uart->lock);

	uart_send(uart, text, length);
	spin_unlock_irq(&uart->lock, flags);
}

void console_init(void)
{
	uart_init(&console);
	uart_init(&results);
}

void console_break_locks(void)
{
	console.lock.locked = 0;
	results.lock.locked = 0;
}

void console_write(const char *text, size_t length)
{
	uart_write(&console, text, length);
}

void result_write(const char *text, size_t length)
{
	uart_write(&results, text, length);
}

void print(const char *text, ...)
{
	char line[256];
	__builtin_va_list args;

	__builtin_va_start(args, text);
	console_write(line, format(line, sizeof line, text, args));
	__builtin_va_end(args);
}

void result_args(const char *text, __builtin_va_list args)
{
	char line[MAX_LINE + 2];
	size_t length = format(line, MAX_LINE + 1, text, args);

	line[length] = '\n';
	result_write(line, length + 1);
}

void result(const char *text, ...)
{
	__builtin_va_list args;

	__builtin_va_start(args, text);
	result_args(text, args);
	__builtin_va_end(args);
}
