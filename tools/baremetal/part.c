/* SPDX-License-Identifier: MIT */

/* A part of the report: lines that are printed later, and what is wrong. */

#include <stdarg.h>

#include <weir/sys.h>

#include "program.h"

#define LINE_SIZE 512u

/* What does not fit is dropped: the problems, which decide, are kept elsewhere. */
static void keep(void *opaque, const char *text)
{
	struct part *part = opaque;

	while (*text && part->used < sizeof(part->text) - 1)
		part->text[part->used++] = *text++;
	part->text[part->used] = '\0';
}

void part_init(struct part *part, bool colour)
{
	part->out = (struct report_out){ .write = keep, .opaque = part, .colour = colour };
	part->used = 0;
	part->text[0] = '\0';
	part->nr_problems = 0;
}

void part_line(struct part *part, const char *format, ...)
{
	char line[LINE_SIZE];
	va_list args;

	va_start(args, format);
	weir_vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	keep(part, line);
	keep(part, "\n");
}

void part_problem(struct part *part, const char *format, ...)
{
	va_list args;

	if (part->nr_problems == PART_PROBLEMS)
		return;
	va_start(args, format);
	weir_vsnprintf(part->problems[part->nr_problems++], PART_PROBLEM, format, args);
	va_end(args);
}

void part_add_problems(const struct part *part, struct run_problems *problems)
{
	for (unsigned int i = 0; i < part->nr_problems; i++) {
		if (problems->count == WEIR_ARRAY_SIZE(problems->text))
			return;
		weir_snprintf(problems->text[problems->count++], sizeof(problems->text[0]), "%s",
			      part->problems[i]);
	}
}
