/* SPDX-License-Identifier: MIT */

/* Exceptions on purpose: what they look like is the platform's to show. */

#include "bare.h"
#include "program.h"

/* Nothing lies there: it is no address that an Armv8 or x86 processor translates. */
#define WILD_ADDRESS 0x5a5a5a5a5a5a5a58ull

/* The compiler must not know where it writes. */
static void write_to(volatile uintptr_t addr)
{
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): that is what it is for. */
	*(volatile uint32_t *)addr = 1; /* cppcheck-suppress nullPointer */
}

static unsigned int overflow(volatile unsigned char *above);
/* Called through it: the compiler would refuse a recursion that it sees has no end. */
static unsigned int (*volatile deeper)(volatile unsigned char *above) = overflow;

static unsigned int overflow(volatile unsigned char *above)
{
	volatile unsigned char frame[512];

	frame[0] = above ? above[0] : 0;
	return deeper(frame) + frame[0];
}

_Noreturn void crash_run(enum task task)
{
	switch (task) {
	case TASK_CRASH_NULL:
		write_to(0);
		break;
	case TASK_CRASH_STACK:
		overflow(NULL);
		break;
	case TASK_CRASH_WILD:
		write_to(WILD_ADDRESS);
		break;
	default:
		__builtin_trap();
	}
	bare_panic("the exception that was asked for did not come");
}
