/* SPDX-License-Identifier: MIT */
/*
 * Threads. Each belongs to one CPU for life, and leaves it only where it sleeps. A CPU has a queue
 * of the threads that are ready, first come first served, and an idle thread, which runs when the
 * queue is empty and is never on it.
 *
 * Ownership: a struct bare_thread lies at the upper end of its own stack, and goes with it when
 * bare_thread_join() frees the stack. A thread cannot leave the stack that it runs on, so one that
 * has ended says so in `ended` of its struct cpu, and the thread that runs next on that CPU tells
 * the one who joins.
 *
 * Locking: the lock of a CPU protects its queue and what is said to be under it below. Everything
 * else of struct cpu is that CPU's alone, with interrupts off. Because only its own CPU ever
 * switches to a thread, a thread may be put on the queue before it has left its stack: its CPU is
 * still in bare_thread_sleep() on it then, and finds it, or switches away first and finds it later.
 */
#include "internal.h"

static struct cpu {
	/* Under lock, by any CPU. */
	struct weir_spinlock lock;
	struct bare_queue ready;
	bool idling; /* found nothing ready, and waits for an interrupt */
	bool busy;   /* it is up and does not idle, since busy_since */
	uint64_t busy_since;
	uint64_t busy_ns; /* up to when it last began to idle */

	/* This CPU's. */
	struct bare_thread *current;
	struct bare_thread *ended; /* the thread that switched to this one never comes back */
	struct bare_thread idle;
} __attribute__((aligned(64))) cpus[BARE_MAX_CPUS];

struct bare_thread *bare_thread_self(void)
{
	return cpus[plat_cpu()].current;
}

/* ---- Switching ------------------------------------------------------------------------------ */

void bare_thread_ready(struct bare_thread *thread)
{
	unsigned int index = thread->cpu; /* once it is on the queue it may run, and be gone */
	struct cpu *cpu = &cpus[index];
	bool idling;

	plat_spin_lock(&cpu->lock);
	bare_queue_insert(&cpu->ready, cpu->ready.last, thread->link);
	idling = cpu->idling;
	cpu->idling = false; /* one kick is enough */
	plat_spin_unlock(&cpu->lock);
	if (idling && index != plat_cpu())
		bare_machine_kick(index);
}

static struct bare_thread *take_ready(struct cpu *cpu)
{
	uintptr_t *node;

	plat_spin_lock(&cpu->lock);
	node = cpu->ready.first;
	if (node)
		bare_queue_remove(&cpu->ready, node);
	plat_spin_unlock(&cpu->lock);
	return node ? WEIR_CONTAINER_OF(node, struct bare_thread, link) : &cpu->idle;
}

/* On the stack of the thread that was switched to. */
static void switched(struct cpu *cpu)
{
	struct bare_thread *ended = cpu->ended;
	uint32_t *word;

	if (!ended)
		return;
	cpu->ended = NULL;
	word = &ended->ended;
	/* Release: pairs with bare_thread_join(), which may free the thread from here on. */
	__atomic_store_n(word, 1, __ATOMIC_RELEASE);
	bare_wake(word, UINT32_MAX);
}

void bare_thread_sleep(void)
{
	struct cpu *cpu = &cpus[plat_cpu()];
	struct bare_thread *self = cpu->current;
	struct bare_thread *next = take_ready(cpu);

	if (next == self)
		return;
	cpu->current = next;
	bare_machine_switch(&self->context, &next->context);
	switched(cpu);
}

void bare_yield(void)
{
	uintptr_t flags = plat_irq_save();

	bare_thread_ready(bare_thread_self());
	bare_thread_sleep();
	plat_irq_restore(flags);
}

/* ---- Idling --------------------------------------------------------------------------------- */

/* Whether there is nothing to do: then the CPU counts as idle from now on. */
static bool begin_idling(struct cpu *cpu)
{
	bool empty;

	plat_spin_lock(&cpu->lock);
	empty = !cpu->ready.first;
	if (empty) {
		cpu->idling = true;
		cpu->busy_ns += plat_time_ns(bare_plat()) - cpu->busy_since;
		cpu->busy = false;
	}
	plat_spin_unlock(&cpu->lock);
	return empty;
}

static void end_idling(struct cpu *cpu)
{
	plat_spin_lock(&cpu->lock);
	cpu->idling = false;
	cpu->busy = true;
	cpu->busy_since = plat_time_ns(bare_plat());
	plat_spin_unlock(&cpu->lock);
}

void bare_thread_cpu_init(void)
{
	unsigned int index = plat_cpu();
	struct cpu *cpu = &cpus[index];

	cpu->idle.cpu = index;
	cpu->current = &cpu->idle;
	end_idling(cpu);
}

/*
 * No thread is left on the queue of a CPU that sleeps. `idling` is set under the lock under which
 * the queue was seen empty. Another CPU that makes a thread ready takes that lock before, and the
 * queue is not empty here; or after, sees `idling`, and kicks: an interrupt, which is pending if it
 * comes before bare_machine_idle() waits, and ends that at once. An interrupt handler of this CPU
 * runs nowhere but inside bare_machine_idle(), which returns after it.
 */
_Noreturn void bare_thread_idle(void)
{
	struct cpu *cpu = &cpus[plat_cpu()];

	for (;;) {
		if (begin_idling(cpu)) {
			bare_machine_idle();
			end_idling(cpu);
		}
		bare_thread_sleep();
	}
}

uint64_t bare_busy_ns(void)
{
	uint64_t sum = 0;
	uintptr_t flags;
	struct cpu *cpu;

	for (cpu = cpus; cpu < cpus + BARE_MAX_CPUS; cpu++) {
		flags = plat_irq_save();
		plat_spin_lock(&cpu->lock);
		sum += cpu->busy_ns;
		if (cpu->busy)
			sum += plat_time_ns(bare_plat()) - cpu->busy_since;
		plat_spin_unlock(&cpu->lock);
		plat_irq_restore(flags);
	}
	return sum;
}

/* ---- Beginning and end --------------------------------------------------------------------- */

/* The first function on a thread's stack; switched to with interrupts off. */
static void begin(void)
{
	struct cpu *cpu = &cpus[plat_cpu()];
	struct bare_thread *self = cpu->current;

	switched(cpu);
	bare_machine_irq_enable();
	self->value = self->fn(self->arg);
	plat_irq_save();
	cpu->ended = self;
	bare_thread_sleep();
	bare_panic("a thread that had ended runs again");
}

struct bare_thread *bare_thread_create(unsigned int cpu, int (*fn)(void *arg), void *arg)
{
	char *top = bare_machine_stack_alloc();
	struct bare_thread *thread;

	if (!top)
		return NULL;
	/* Stacks begin at a multiple of 16 everywhere; of a cache line here. */
	thread = (struct bare_thread *)(void *)(top - WEIR_ALIGN_UP(sizeof(*thread), 64));
	memset(thread, 0, sizeof(*thread));
	thread->cpu = cpu;
	thread->stack = top;
	thread->fn = fn;
	thread->arg = arg;
	bare_machine_context_init(&thread->context, thread, begin);
	return thread;
}

int bare_thread_start(unsigned int cpu, int (*fn)(void *arg), void *arg,
		      struct bare_thread **thread)
{
	struct bare_thread *made;
	uintptr_t flags;

	if (cpu >= bare_cpus())
		return -WEIR_EINVAL;
	made = bare_thread_create(cpu, fn, arg);
	if (!made)
		return -WEIR_ENOMEM;
	*thread = made;
	flags = plat_irq_save();
	bare_thread_ready(made);
	plat_irq_restore(flags);
	return 0;
}

int bare_thread_join(struct bare_thread *thread)
{
	int value;

	/* Acquire: pairs with the release in switched(). */
	while (!__atomic_load_n(&thread->ended, __ATOMIC_ACQUIRE))
		plat_wait(bare_plat(), &thread->ended, 0, UINT64_MAX);
	value = thread->value;
	bare_machine_stack_free(thread->stack);
	return value;
}
