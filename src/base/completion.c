/* SPDX-License-Identifier: MIT */
/*
 * Completions: a count of permits in one word that waiters sleep on. DONE_ALL is a count that never
 * goes down.
 *
 * A waiter may free the completion as soon as it saw its permit: nothing of it is touched after the
 * count changed. plat_wake() only compares the address.
 */

#include <weir/sys.h>

#define DONE_ALL UINT32_MAX

void weir_done(struct weir *weir, struct weir_completion *completion)
{
	uint32_t *word = &completion->done;
	uint32_t old = __atomic_load_n(word, __ATOMIC_RELAXED);

	do {
		if (old >= DONE_ALL - 1)
			return;
		/*
		 * Release pairs with take_permit(): what led to the completion is seen by the
		 * waiter.
		 */
	} while (!__atomic_compare_exchange_n(word, &old, old + 1, true, __ATOMIC_RELEASE,
					      __ATOMIC_RELAXED));
	plat_wake(weir_plat(weir), word);
}

void weir_done_all(struct weir *weir, struct weir_completion *completion)
{
	void *plat = weir_plat(weir);

	/* Release pairs with take_permit(). */
	__atomic_store_n(&completion->done, DONE_ALL, __ATOMIC_RELEASE);
	plat_wake(plat, &completion->done);
}

static bool take_permit(struct weir_completion *completion)
{
	uint32_t *word = &completion->done;
	/* Acquire pairs with weir_done() and weir_done_all(). */
	uint32_t old = __atomic_load_n(word, __ATOMIC_ACQUIRE);

	while (old) {
		if (old == DONE_ALL)
			return true;
		if (__atomic_compare_exchange_n(word, &old, old - 1, true, __ATOMIC_ACQUIRE,
						__ATOMIC_ACQUIRE))
			return true;
	}
	return false;
}

int weir_wait_done(struct weir *weir, struct weir_completion *completion, uint64_t timeout_ns)
{
	void *plat = weir_plat(weir);
	uint64_t start = plat_time_ns(plat);
	uint64_t left = timeout_ns;

	while (!take_permit(completion)) {
		uint64_t passed;

		(void)plat_wait(plat, &completion->done, 0, left);
		if (timeout_ns == UINT64_MAX)
			continue;
		passed = plat_time_ns(plat) - start;
		if (passed >= timeout_ns)
			return take_permit(completion) ? 0 : -WEIR_ETIMEDOUT;
		left = timeout_ns - passed;
	}
	return 0;
}
