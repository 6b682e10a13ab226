/* SPDX-License-Identifier: MIT */
/*
 * The console: text in one piece, and the end of the machine.
 *
 * `console` is a lock of its own, since a panic must not wait for it for ever: 0, or 1 + the CPU
 * that writes. It is taken with interrupts off. `panicking` is 0, or 1 + the CPU that panicked
 * first; it is never reset.
 */
#include <stdarg.h>
#include <weir/sys.h>

#include "internal.h"

/* More than a line takes on the slowest console, and a panic's report on a usual one. */
#define PATIENCE_NS 5000000000ull
#define PANIC_STATUS 70

static uint32_t console, panicking;

static bool console_try(uint32_t me)
{
	uint32_t free = 0;

	/* Acquire: pairs with the release in console_unlock(). */
	return __atomic_compare_exchange_n(&console, &free, me, false, __ATOMIC_ACQUIRE,
					   __ATOMIC_RELAXED);
}

static void console_unlock(void)
{
	__atomic_store_n(&console, 0, __ATOMIC_RELEASE);
}

/* For the last words. Whether or not it was got, nobody else will write much from now on. */
static void console_seize(uint32_t me)
{
	uint64_t begun = plat_time_ns(bare_plat());

	do {
		/* What this CPU was writing when it came here is never finished. */
		if (__atomic_load_n(&console, __ATOMIC_RELAXED) == me || console_try(me))
			return;
		plat_relax(bare_plat());
	} while (plat_time_ns(bare_plat()) - begun < PATIENCE_NS);
}

static size_t length(const char *text)
{
	size_t n = 0;

	while (text[n])
		n++;
	return n;
}

void bare_print(const char *text)
{
	uintptr_t flags = plat_irq_save();

	while (!console_try(plat_cpu() + 1))
		plat_relax(bare_plat());
	bare_machine_write(text, length(text));
	console_unlock();
	plat_irq_restore(flags);
}

void plat_log(void *plat, enum weir_level level, const char *line)
{
	static const char *const prefix[] = { "error: ", "warning: ", "", "debug: " };
	char text[256 + 24];
	int n;

	(void)plat;
	n = weir_snprintf(text, sizeof(text) - 1, "weir: %s%s", prefix[level], line);
	text[n] = '\n';
	text[n + 1] = '\0';
	bare_print(text);
}

_Noreturn void bare_exit(int status)
{
	plat_irq_save();
	/* What another CPU is writing comes out whole. */
	console_seize(plat_cpu() + 1);
	bare_machine_exit(status);
}

/*
 * One panic is told. A second one of the same CPU is a panic in the telling, and ends the machine
 * at once; another CPU's gives the first the time to end.
 */
static void panic_first(uint32_t me)
{
	uint64_t begun = plat_time_ns(bare_plat());
	uint32_t first = 0;

	if (__atomic_compare_exchange_n(&panicking, &first, me, false, __ATOMIC_RELAXED,
					__ATOMIC_RELAXED))
		return;
	if (first != me)
		while (plat_time_ns(bare_plat()) - begun < PATIENCE_NS)
			plat_relax(bare_plat());
	bare_machine_exit(PANIC_STATUS);
}

_Noreturn void bare_panic(const char *format, ...)
{
	const void *where = __builtin_return_address(0);
	uint32_t me = plat_cpu() + 1;
	char why[256], text[256 + 80];
	va_list args;
	int n;

	plat_irq_save();
	panic_first(me);
	va_start(args, format);
	weir_vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	n = weir_snprintf(text, sizeof(text), "\npanic on CPU %u: %s\n  at %p\n", me - 1, why,
			  where);
	console_seize(me);
	bare_machine_write(text, (size_t)n);
	bare_machine_backtrace();
	bare_machine_exit(PANIC_STATUS);
}
