/* SPDX-License-Identifier: MIT */
/*
 * Spin locks, mutexes, waiting. A spin lock is one word that is exchanged, with the owner beside it
 * for a report; it yields the processor when it waits long, since its holder may be preempted. A
 * mutex is a word of three states over wait() and wake() of the runner.
 */
#include <sched.h>

#include "internal.h"

#define SPIN_HELD 0
#define SPIN_OWNER 1

void posix_pause(unsigned int round)
{
	if (round % 64 == 63) {
		sched_yield();
		return;
	}
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

void posix_lock(struct posix_lock *lock)
{
	unsigned int round = 0;

	/* Acquire: pairs with the release in posix_unlock(). */
	while (__atomic_exchange_n(&lock->held, 1, __ATOMIC_ACQUIRE))
		while (__atomic_load_n(&lock->held, __ATOMIC_RELAXED))
			posix_pause(round++);
}

void posix_unlock(struct posix_lock *lock)
{
	__atomic_store_n(&lock->held, 0, __ATOMIC_RELEASE);
}

static void spin_contended(struct posix_thread *self, struct weir_spinlock *lock)
{
	uintptr_t owner = __atomic_load_n(&lock->opaque[SPIN_OWNER], __ATOMIC_RELAXED);
	unsigned int round = 0;

	if (!self) {
		while (__atomic_load_n(&lock->opaque[SPIN_HELD], __ATOMIC_RELAXED))
			posix_pause(round++);
		return;
	}
	if (owner == (uintptr_t)self)
		posix_fatal("CPU %u: spin lock %p taken again by its holder%s", posix_cpu_index(),
			    (void *)lock, self->in_irq ? ", or by a handler above it" : "");
	self->machine->ops->spin(self, lock);
}

void plat_spin_lock(struct weir_spinlock *lock)
{
	struct posix_thread *self = posix_self;

	if (self) {
		posix_point();
		self->spins++;
	}
	/* Acquire: pairs with the release in plat_spin_unlock(). */
	while (__atomic_exchange_n(&lock->opaque[SPIN_HELD], 1, __ATOMIC_ACQUIRE))
		spin_contended(self, lock);
	__atomic_store_n(&lock->opaque[SPIN_OWNER], (uintptr_t)self, __ATOMIC_RELAXED);
}

void plat_spin_unlock(struct weir_spinlock *lock)
{
	struct posix_thread *self = posix_self;

	__atomic_store_n(&lock->opaque[SPIN_OWNER], 0, __ATOMIC_RELAXED);
	__atomic_store_n(&lock->opaque[SPIN_HELD], 0, __ATOMIC_RELEASE);
	if (!self)
		return;
	self->spins--;
	if (self->point) {
		self->machine->ops->wake(self->machine, lock, UINT32_MAX);
		self->point(self);
	}
}

#define MUTEX_WORD 0 /* in opaque: a word for wait(), and the owner for a report */
#define MUTEX_OWNER 1

#define MUTEX_FREE 0u
#define MUTEX_HELD 1u
#define MUTEX_WAITED 2u /* held, and somebody may wait */

static uint32_t *mutex_word(struct weir_mutex *mutex)
{
	return (uint32_t *)(void *)&mutex->opaque[MUTEX_WORD];
}

void plat_mutex_lock(void *plat, struct weir_mutex *mutex)
{
	struct posix_machine *machine = plat;
	uint32_t *word = mutex_word(mutex);
	uint32_t free = MUTEX_FREE;

	posix_may_sleep("plat_mutex_lock");
	posix_point();
	/* Acquire: both pair with the release in plat_mutex_unlock(). */
	if (!__atomic_compare_exchange_n(word, &free, MUTEX_HELD, false, __ATOMIC_ACQUIRE,
					 __ATOMIC_RELAXED)) {
		if (posix_self && __atomic_load_n(&mutex->opaque[MUTEX_OWNER], __ATOMIC_RELAXED) ==
					  (uintptr_t)posix_self)
			posix_fatal("mutex %p locked again by its holder", (void *)mutex);
		while (__atomic_exchange_n(word, MUTEX_WAITED, __ATOMIC_ACQUIRE) != MUTEX_FREE)
			machine->ops->wait(machine, word, MUTEX_WAITED, UINT64_MAX, "a mutex");
	}
	__atomic_store_n(&mutex->opaque[MUTEX_OWNER], (uintptr_t)posix_self, __ATOMIC_RELAXED);
}

void plat_mutex_unlock(void *plat, struct weir_mutex *mutex)
{
	struct posix_machine *machine = plat;
	uint32_t *word = mutex_word(mutex);

	__atomic_store_n(&mutex->opaque[MUTEX_OWNER], 0, __ATOMIC_RELAXED);
	if (__atomic_exchange_n(word, MUTEX_FREE, __ATOMIC_RELEASE) == MUTEX_WAITED)
		machine->ops->wake(machine, word, 1);
	posix_point();
}

uint64_t plat_time_ns(void *plat)
{
	struct posix_machine *machine = plat;

	return machine->ops->now(machine);
}

int plat_wait(void *plat, const uint32_t *word, uint32_t value, uint64_t timeout_ns)
{
	struct posix_machine *machine = plat;

	posix_may_sleep("plat_wait");
	posix_point();
	return machine->ops->wait(machine, word, value, timeout_ns, "plat_wait");
}

void plat_wake(void *plat, const uint32_t *word)
{
	struct posix_machine *machine = plat;

	machine->ops->wake(machine, word, UINT32_MAX);
}
