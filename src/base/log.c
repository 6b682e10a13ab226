/* SPDX-License-Identifier: MIT */
/* The log: one line a call, below the level that the host asked for. Any context. */

#include "base/lock.h"
#include "base/machine.h"

/*
 * Names come from tables and devices that nobody vouches for: what is no printable ASCII must not
 * reach a terminal.
 */
static void clean(char *line)
{
	for (; *line; line++) {
		unsigned char c = (unsigned char)*line; /* char is signed here and unsigned there */

		if (c < 0x20 || c >= 0x7f)
			*line = '?';
	}
}

/* In the machine's buffer: stacks are small where errors are noticed. */
static void put(struct weir *weir, enum weir_level level, const char *prefix, const char *format,
		va_list args)
{
	uintptr_t flags = weir_lock_irq(&weir->log_lock);
	char *line = weir->log_line;
	size_t start = 0;

	if (prefix) {
		while (start < sizeof(weir->log_line) / 2 && prefix[start]) {
			line[start] = prefix[start];
			start++;
		}
		line[start++] = ':';
		line[start++] = ' ';
	}
	weir_vsnprintf(line + start, sizeof(weir->log_line) - start, format, args);
	clean(line);
	plat_log(weir->plat, level, line);
	weir_unlock_irq(&weir->log_lock, flags);
}

void weir_log(struct weir *weir, enum weir_level level, const char *format, ...)
{
	va_list args;

	if (level > weir->log_level)
		return;
	va_start(args, format);
	put(weir, level, NULL, format, args);
	va_end(args);
}

void weir_dev_log(const struct weir_device *dev, enum weir_level level, const char *format, ...)
{
	va_list args;

	if (level > dev->weir->log_level)
		return;
	va_start(args, format);
	put(dev->weir, level, dev->name, format, args);
	va_end(args);
}
