/* SPDX-License-Identifier: MIT */
/*
 * Sleeping until a word changes, and mutexes on top of it. Who sleeps is in a bucket that the
 * word's address chooses, with others who may wait for other words. Whoever takes a thread out of
 * its bucket, under the bucket's lock, makes it ready: a waker or the thread's own timer, but only
 * one of them.
 *
 * No wake is lost: the word is looked at under the bucket's lock. A waker has changed the word
 * before it takes that lock; so either it was first, and the change is seen, or it finds the thread
 * there.
 *
 * Locking: a bucket's lock protects its queue, and `word` and `timed_out` of the threads that are
 * in it. Taken with interrupts off; the lock of a run queue is taken inside.
 */
#include "internal.h"

#define BUCKET_BITS 6

static struct bare_bucket {
	struct weir_spinlock lock;
	struct bare_queue sleepers; /* first come, first woken */
} __attribute__((aligned(64))) buckets[1u << BUCKET_BITS];

/* Neighbouring words part by the golden ratio (multiplicative hashing). */
static struct bare_bucket *bucket_of(const uint32_t *word)
{
	uint64_t hash = ((uintptr_t)word / sizeof(*word)) * 0x9e3779b97f4a7c15ull;

	return &buckets[hash >> (64 - BUCKET_BITS)];
}

static void rouse_locked(struct bare_bucket *bucket, struct bare_thread *thread)
{
	bare_queue_remove(&bucket->sleepers, thread->link);
	thread->word = NULL;
	bare_thread_ready(thread);
}

void bare_wake(const uint32_t *word, unsigned int limit)
{
	struct bare_bucket *bucket = bucket_of(word);
	uintptr_t *node, *next;
	struct bare_thread *thread;
	uintptr_t flags = plat_irq_save();

	plat_spin_lock(&bucket->lock);
	for (node = bucket->sleepers.first; node && limit; node = next) {
		next = bare_queue_next(node);
		thread = WEIR_CONTAINER_OF(node, struct bare_thread, link);
		if (thread->word == word) {
			rouse_locked(bucket, thread);
			limit--;
		}
	}
	plat_spin_unlock(&bucket->lock);
	plat_irq_restore(flags);
}

void plat_wake(void *plat, const uint32_t *word)
{
	(void)plat;
	bare_wake(word, UINT32_MAX);
}

/*
 * IRQ context. The thread does not return from plat_wait() before it has cancelled its timer, so it
 * is still the same sleep, if it is one.
 */
static void time_is_up(struct weir_timer *timer)
{
	struct bare_thread *thread = WEIR_CONTAINER_OF(timer, struct bare_thread, timer);
	struct bare_bucket *bucket = thread->bucket;

	plat_spin_lock(&bucket->lock);
	if (thread->word) {
		thread->timed_out = true;
		rouse_locked(bucket, thread);
	}
	plat_spin_unlock(&bucket->lock);
}

/* Into the bucket, if *word is `value`. Interrupts are off. */
static bool lie_down(struct bare_thread *self, const uint32_t *word, uint32_t value)
{
	struct bare_bucket *bucket = bucket_of(word);
	bool same;

	plat_spin_lock(&bucket->lock);
	/* Acquire: pairs with the release of whoever changed it. */
	same = __atomic_load_n(word, __ATOMIC_ACQUIRE) == value;
	if (same) {
		self->bucket = bucket;
		self->word = word;
		self->timed_out = false;
		bare_queue_insert(&bucket->sleepers, bucket->sleepers.last, self->link);
	}
	plat_spin_unlock(&bucket->lock);
	return same;
}

/* On this CPU, so that it cannot fire before the thread has left the CPU to others. */
static void set_alarm(void *plat, struct bare_thread *self, uint64_t timeout_ns)
{
	uint64_t now = plat_time_ns(plat);

	self->timer.fn = time_is_up;
	plat_timer_arm(plat, &self->timer,
		       timeout_ns < UINT64_MAX - now ? now + timeout_ns : UINT64_MAX);
}

static struct bare_thread *self_that_may_sleep(const char *what)
{
	struct bare_thread *self = bare_thread_self();

	/* An idle thread has no stack of its own. */
	if (!self || !self->stack)
		bare_panic("%s where nothing may sleep: an interrupt handler, or before threads",
			   what);
	return self;
}

int plat_wait(void *plat, const uint32_t *word, uint32_t value, uint64_t timeout_ns)
{
	struct bare_thread *self = self_that_may_sleep("plat_wait()");
	uintptr_t flags = plat_irq_save();

	if (!lie_down(self, word, value)) {
		plat_irq_restore(flags);
		return 0;
	}
	if (timeout_ns != UINT64_MAX)
		set_alarm(plat, self, timeout_ns);
	bare_thread_sleep();
	plat_irq_restore(flags);
	if (timeout_ns != UINT64_MAX)
		plat_timer_cancel(plat, &self->timer);
	return self->timed_out ? -WEIR_ETIMEDOUT : 0;
}

/* ---- Mutexes -------------------------------------------------------------------------------- */

/* struct weir_mutex.opaque: a word to wait on, and the owner, to tell a mistake. Both atomic. */
enum { WORD, OWNER };
enum { FREE, HELD, WAITED_FOR };

static uint32_t *mutex_word(struct weir_mutex *mutex)
{
	return (uint32_t *)(void *)&mutex->opaque[WORD];
}

static void mutex_wait(void *plat, struct weir_mutex *mutex)
{
	uint32_t *word = mutex_word(mutex);

	if (__atomic_load_n(&mutex->opaque[OWNER], __ATOMIC_RELAXED) ==
	    (uintptr_t)self_that_may_sleep("plat_mutex_lock()"))
		bare_panic("plat_mutex_lock(%p): its holder locks it again", (void *)mutex);
	/* Who comes this way leaves it WAITED_FOR, for there may be others. */
	while (__atomic_exchange_n(word, WAITED_FOR, __ATOMIC_ACQUIRE) != FREE)
		plat_wait(plat, word, WAITED_FOR, UINT64_MAX);
}

void plat_mutex_lock(void *plat, struct weir_mutex *mutex)
{
	uint32_t expected = FREE;

	/* Acquire, here and in mutex_wait(): pairs with the release in plat_mutex_unlock(). */
	if (!__atomic_compare_exchange_n(mutex_word(mutex), &expected, HELD, false,
					 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		mutex_wait(plat, mutex);
	__atomic_store_n(&mutex->opaque[OWNER], (uintptr_t)bare_thread_self(), __ATOMIC_RELAXED);
}

void plat_mutex_unlock(void *plat, struct weir_mutex *mutex)
{
	(void)plat;
	__atomic_store_n(&mutex->opaque[OWNER], 0, __ATOMIC_RELAXED);
	if (__atomic_exchange_n(mutex_word(mutex), FREE, __ATOMIC_RELEASE) == WAITED_FOR)
		bare_wake(mutex_word(mutex), 1);
}
