/* SPDX-License-Identifier: MIT */
/* The log: one line a call, below the level that the host asked for. Any context. */

#include "base/machine.h"

#define LINE_SIZE 256

/*
 * Names come from tables and devices that nobody vouches for: what is no printable ASCII must not
 * reach a terminal.
 */
static void clean(char *line)
{
	for (; *line; line++) {
		if (*line < 0x20 || *line == 0x7f)
			*line = '?';
	}
}

static void put(struct weir *weir, enum weir_level level, char *line, size_t prefix,
		const char *format, va_list args)
{
	weir_vsnprintf(line + prefix, LINE_SIZE - prefix, format, args);
	clean(line);
	plat_log(weir->plat, level, line);
}

void weir_log(struct weir *weir, enum weir_level level, const char *format, ...)
{
	char line[LINE_SIZE];
	va_list args;

	if (level > weir->log_level)
		return;
	va_start(args, format);
	put(weir, level, line, 0, format, args);
	va_end(args);
}

void weir_dev_log(const struct weir_device *dev, enum weir_level level, const char *format, ...)
{
	char line[LINE_SIZE];
	va_list args;
	int prefix;

	if (level > dev->weir->log_level)
		return;
	prefix = weir_snprintf(line, sizeof(line), "%s: ", dev->name);
	va_start(args, format);
	put(dev->weir, level, line, (size_t)prefix, format, args);
	va_end(args);
}
