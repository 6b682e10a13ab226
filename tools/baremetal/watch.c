/* SPDX-License-Identifier: MIT */

/* Blocked accesses, as they are told: those expected, and others. */

#include "watch.h"

#define WAIT_NS 2000000000ull /* an interrupt that did not come by then will not */
#define QUIET_NS 10000000ull
#define POLL_NS 500000ull

static bool is_expected(const struct watch *watch, const struct weir_fault *fault)
{
	return watch->dev && fault->dev == watch->dev && fault->has_address &&
	       fault->write == watch->write && fault->address >= watch->from &&
	       fault->address < watch->to;
}

static void note_other(struct watch *watch, const struct weir_fault *fault)
{
	if (watch->others++)
		return;
	watch->other_address = fault->address;
	watch->other_is_ours = watch->dev && fault->dev == watch->dev && fault->has_address &&
			       fault->write == watch->write;
	weir_fault_describe(fault, watch->other_line, sizeof(watch->other_line));
}

static bool on_fault(void *arg, const struct weir_fault *fault)
{
	struct watch *watch = arg;
	uintptr_t flags = plat_irq_save();

	plat_spin_lock(&watch->lock);
	if (!is_expected(watch, fault))
		note_other(watch, fault);
	else if (!watch->expected++)
		weir_fault_describe(fault, watch->line, sizeof(watch->line));
	plat_spin_unlock(&watch->lock);
	plat_irq_restore(flags);
	/* Release: pairs with heard(), after which the lines above are read. */
	__atomic_fetch_add(&watch->heard, 1, __ATOMIC_RELEASE);
	return true;
}

static uint64_t heard(const struct watch *watch)
{
	return __atomic_load_n(&watch->heard, __ATOMIC_ACQUIRE);
}

void watch_start(struct watch *watch, struct weir *weir)
{
	memset(watch, 0, sizeof(*watch));
	watch->weir = weir;
	weir_set_fault_handler(weir, on_fault, watch);
}

void watch_stop(struct watch *watch)
{
	weir_set_fault_handler(watch->weir, NULL, NULL);
}

void watch_expect(struct watch *watch, const struct weir_device *dev, weir_dma_t from, size_t size,
		  bool write)
{
	uintptr_t flags = plat_irq_save();

	plat_spin_lock(&watch->lock);
	watch->dev = dev;
	watch->from = from;
	watch->to = from + size;
	watch->write = write;
	watch->expected = 0;
	watch->others = 0;
	watch->line[0] = '\0';
	watch->other_line[0] = '\0';
	watch->other_is_ours = false;
	plat_spin_unlock(&watch->lock);
	plat_irq_restore(flags);
}

static uint64_t nr_expected(struct watch *watch)
{
	uintptr_t flags = plat_irq_save();
	uint64_t n;

	plat_spin_lock(&watch->lock);
	n = watch->expected;
	plat_spin_unlock(&watch->lock);
	plat_irq_restore(flags);
	return n;
}

void watch_settle(struct watch *watch)
{
	void *plat = weir_plat(watch->weir);
	uint64_t last = heard(watch), quiet = plat_time_ns(plat) + QUIET_NS;

	while (plat_time_ns(plat) < quiet) {
		uint64_t now;

		weir_sleep_ns(watch->weir, POLL_NS);
		now = heard(watch);
		if (now != last)
			quiet = plat_time_ns(plat) + QUIET_NS;
		last = now;
	}
}

bool watch_wait(struct watch *watch)
{
	void *plat = weir_plat(watch->weir);
	uint64_t end = plat_time_ns(plat) + WAIT_NS;

	while (!nr_expected(watch)) {
		if (plat_time_ns(plat) >= end)
			return false;
		weir_sleep_ns(watch->weir, POLL_NS);
	}
	watch_settle(watch);
	return true;
}
