/* SPDX-License-Identifier: MIT */
#ifndef WEIR_BASE_LIMIT_H
#define WEIR_BASE_LIMIT_H

/*
 * A limit on log lines that a misbehaving device or driver could write without end: so many in a
 * window of time, and at its end one line that says how many were not shown. Any context but where
 * said.
 */

#include <weir/platform.h>

#define WEIR_LIMIT_LINES 10u
#define WEIR_LIMIT_WINDOW_NS 1000000000ull

struct weir_limit {
	struct weir *weir;
	const char *what; /* in the line at the end of the window */
	struct weir_timer timer;
	struct weir_spinlock lock; /* IRQ-safe; all below */
	bool started, armed;
	uint64_t window_ns; /* when it began */
	unsigned int lines, hidden;
};

void weir_limit_init(struct weir_limit *limit, struct weir *weir, const char *what);
/* Says what is still to be said. TASK. */
void weir_limit_fini(struct weir_limit *limit);
/* May this line be written? */
bool weir_limit_pass(struct weir_limit *limit);

#endif
