/* SPDX-License-Identifier: MIT */
/*
 * The threaded runner: real threads, real time.
 *
 * Interrupts. Each CPU has a thread that waits on an epoll set of its own. An interrupt is an
 * eventfd in the set of its CPU, or in all of them with EPOLLEXCLUSIVE; it lives from the first
 * connect to the end of the machine, so that posix_irq_raise() needs no lock to write to it. The
 * thread that is woken reads it at once, before it waits for its CPU's interrupt lock: level
 * triggering would bring in the others meanwhile. plat_irq_save() takes that lock too.
 *
 * Steps. One thread steps all models, and CPUs that wait (plat_relax(), plat_wait()) do it
 * themselves first, which saves two switches of threads for a command whose completion is polled.
 * So that a kick costs no system call in that case, a kick from a CPU does not wake the models'
 * thread while it dozes: dozing, it looks by itself every DOZE_NS. After QUIET_NS without any work
 * it sleeps for good, and the next kick wakes it.
 *
 * Waiting is on futexes. A wake that nobody waits for should cost no system call: waiters count
 * themselves in a bucket by address. Both sides make a read-modify-write of the same counter, so
 * either the waker sees the waiter counted, or the waiter sees what the waker wrote before.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "internal.h"

#define NS_PER_S 1000000000ull
#define WAIT_BUCKETS 64u
#define EPOLL_EVENTS 16
#define STEP_BUDGET 64u /* of the models' thread */
#define HELP_BUDGET 16u /* of a CPU that waits: it wants to look at what it waits for */
#define DOZE_NS (100 * 1000ull)
#define QUIET_NS (20 * 1000000ull)

/* Tags of what is in an epoll set beside interrupts, whose tags are their numbers. */
#define TAG_STOP UINT64_MAX
#define TAG_TIMER (UINT64_MAX - 1)

/* The models' thread. A kick from a CPU wakes it only if it sleeps. */
enum { RUNS, DOZES, SLEEPS };

struct wait_bucket {
	uint32_t waiters; /* atomic */
} __attribute__((aligned(POSIX_CACHE_LINE)));

struct irq_cpu {
	struct posix_machine *machine;
	struct posix_thread thread;
	pthread_t pthread;
	bool started;
	int epoll;
	pid_t tid;	     /* atomic; 0 before the thread runs */
	uint32_t irq_lock;   /* LOCK_*; atomic */
	uint32_t irq_wanted; /* atomic; the interrupt thread waits for irq_lock */
} __attribute__((aligned(POSIX_CACHE_LINE)));

#define LOCK_FREE 0u
#define LOCK_HELD 1u
#define LOCK_WAITED 2u

struct threaded {
	struct posix_machine *machine;
	struct irq_cpu *cpus;
	int stop_fd, timer_fd;
	uint64_t programmed; /* what timer_fd is set to, at the earliest; timers.lock */
	pthread_t models;
	clockid_t models_clock;
	bool models_started;
	uint32_t models_state; /* RUNS, DOZES, SLEEPS; atomic, futex of the models' thread */
	bool stop;	       /* atomic */
	struct wait_bucket buckets[WAIT_BUCKETS];
};

static long futex(const uint32_t *word, int op, uint32_t value, const struct timespec *timeout)
{
	return syscall(SYS_futex, word, op | FUTEX_PRIVATE_FLAG, value, timeout, NULL, 0);
}

/* ---- Waiting ---- */

static bool help(struct posix_machine *machine)
{
	unsigned int i, done = 0;

	for (i = 0; i < posix_steppers(machine); i++)
		done += posix_step(&machine->steppers[i], HELP_BUDGET);
	return done;
}

static struct wait_bucket *bucket_of(struct threaded *t, const void *word)
{
	uint64_t hash = (uint64_t)(uintptr_t)word * 0x9e3779b97f4a7c15u;

	return &t->buckets[hash >> 58];
}
_Static_assert(WAIT_BUCKETS == 1u << (64 - 58), "a hash is an index");

static int sleep_on(struct posix_machine *machine, const uint32_t *word, uint32_t value,
		    uint64_t timeout_ns)
{
	struct wait_bucket *bucket = bucket_of(machine->runner, word);
	struct timespec timeout = { (time_t)(timeout_ns / NS_PER_S),
				    (long)(timeout_ns % NS_PER_S) };
	long err;

	__atomic_fetch_add(&bucket->waiters, 1, __ATOMIC_ACQ_REL); /* pairs with threaded_wake() */
	err = futex(word, FUTEX_WAIT, value, timeout_ns == UINT64_MAX ? NULL : &timeout);
	if (err)
		err = errno;
	__atomic_fetch_sub(&bucket->waiters, 1, __ATOMIC_RELAXED);
	return err == ETIMEDOUT ? -WEIR_ETIMEDOUT : 0;
}

static int threaded_wait(struct posix_machine *machine, const uint32_t *word, uint32_t value,
			 uint64_t timeout_ns, const char *what)
{
	uint64_t start = timeout_ns == UINT64_MAX ? 0 : posix_clock_ns(CLOCK_MONOTONIC);
	uint64_t passed = 0;

	(void)what;
	do {
		if (__atomic_load_n(word, __ATOMIC_ACQUIRE) != value)
			return 0;
		if (timeout_ns != UINT64_MAX)
			passed = posix_clock_ns(CLOCK_MONOTONIC) - start;
		if (passed >= timeout_ns)
			return -WEIR_ETIMEDOUT;
	} while (help(machine));
	return sleep_on(machine, word, value,
			timeout_ns == UINT64_MAX ? timeout_ns : timeout_ns - passed);
}

static void threaded_wake(struct posix_machine *machine, const void *key, unsigned int count)
{
	struct wait_bucket *bucket = bucket_of(machine->runner, key);

	if (__atomic_fetch_add(&bucket->waiters, 0, __ATOMIC_ACQ_REL)) /* pairs with sleep_on() */
		futex(key, FUTEX_WAKE, count > INT32_MAX ? INT32_MAX : count, NULL);
}

static void threaded_relax(struct posix_machine *machine)
{
	static _Thread_local unsigned int round;

	if (!help(machine))
		posix_pause(round++);
}

static void threaded_spin(struct posix_thread *self, const struct weir_spinlock *lock)
{
	unsigned int round = 0;

	(void)self;
	while (__atomic_load_n(&lock->opaque[0], __ATOMIC_RELAXED))
		posix_pause(round++);
}

static uint64_t threaded_now(struct posix_machine *machine)
{
	(void)machine;
	return posix_clock_ns(CLOCK_MONOTONIC);
}

/* ---- A CPU's interrupt lock ---- */

static struct irq_cpu *irq_cpu_of(struct posix_thread *self)
{
	struct threaded *t = self->machine->runner;

	return &t->cpus[self->cpu->index];
}

static void irq_lock_slow(uint32_t *lock)
{
	while (__atomic_exchange_n(lock, LOCK_WAITED, __ATOMIC_ACQUIRE) != LOCK_FREE)
		futex(lock, FUTEX_WAIT, LOCK_WAITED, NULL);
}

/* Acquire: pairs with the release in threaded_irqs_on(). */
static void threaded_irqs_off(struct posix_thread *self)
{
	struct irq_cpu *cpu = irq_cpu_of(self);
	uint32_t free = LOCK_FREE;

	/*
	 * Between two sections with interrupts off a real CPU would take the interrupt that waits;
	 * a thread that turns them off again at once would keep the lock to itself.
	 */
	if (__atomic_load_n(&cpu->irq_wanted, __ATOMIC_RELAXED) && self != &cpu->thread)
		sched_yield();
	if (__atomic_compare_exchange_n(&cpu->irq_lock, &free, LOCK_HELD, false, __ATOMIC_ACQUIRE,
					__ATOMIC_RELAXED))
		return;
	if (self == &cpu->thread)
		__atomic_store_n(&cpu->irq_wanted, 1, __ATOMIC_RELAXED);
	irq_lock_slow(&cpu->irq_lock);
	if (self == &cpu->thread)
		__atomic_store_n(&cpu->irq_wanted, 0, __ATOMIC_RELAXED);
}

static void threaded_irqs_on(struct posix_thread *self)
{
	uint32_t *lock = &irq_cpu_of(self)->irq_lock;

	if (__atomic_exchange_n(lock, LOCK_FREE, __ATOMIC_RELEASE) == LOCK_WAITED)
		futex(lock, FUTEX_WAKE, 1, NULL);
}

/* ---- Interrupts ---- */

static int add_to_set(const struct irq_cpu *cpu, int fd, uint64_t tag, uint32_t flags)
{
	struct epoll_event event = { .events = EPOLLIN | flags, .data.u64 = tag };

	return epoll_ctl(cpu->epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static void threaded_irq_close(struct posix_irq *irq)
{
	struct posix_machine *machine = irq->machine;
	struct threaded *t = machine->runner;
	unsigned int i;

	for (i = 0; i < machine->nr_cpus; i++)
		if (irq->cpu == i || irq->cpu == WEIR_CPU_ANY)
			epoll_ctl(t->cpus[i].epoll, EPOLL_CTL_DEL, irq->fd, NULL);
}

static int threaded_irq_open(struct posix_irq *irq)
{
	struct posix_machine *machine = irq->machine;
	struct threaded *t = machine->runner;
	bool shared = irq->cpu == WEIR_CPU_ANY;
	uint32_t flags = shared && !machine->irq_shared_wakes_all ? EPOLLEXCLUSIVE : 0;
	unsigned int i;
	int err = 0;

	if (irq->fd < 0) /* the store pairs with threaded_irq_notify(); see posix_irq_raise() */
		__atomic_store_n(&irq->fd, eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
				 __ATOMIC_SEQ_CST);
	if (irq->fd < 0)
		return -errno;
	for (i = 0; i < machine->nr_cpus && !err; i++)
		if (shared || irq->cpu == i)
			err = add_to_set(&t->cpus[i], irq->fd, irq->number, flags);
	if (err)
		threaded_irq_close(irq);
	return err;
}

/* A count that is at its limit is as good as one more. */
static void signal_fd(int fd)
{
	uint64_t one = 1;
	ssize_t n = write(fd, &one, sizeof(one));

	(void)n;
}

static void threaded_irq_notify(struct posix_irq *irq)
{
	int fd = __atomic_load_n(&irq->fd, __ATOMIC_SEQ_CST);

	if (fd >= 0)
		signal_fd(fd);
}

/* Called under timers.lock. A deadline that was cancelled is left to expire, and finds nothing. */
static void threaded_timer_program(struct posix_machine *machine, uint64_t deadline)
{
	struct threaded *t = machine->runner;
	struct itimerspec at = { .it_value = { (time_t)(deadline / NS_PER_S),
					       (long)(deadline % NS_PER_S) } };

	if (deadline >= t->programmed || deadline / NS_PER_S > INT64_MAX / NS_PER_S)
		return;
	t->programmed = deadline;
	if (!deadline)
		at.it_value.tv_nsec = 1; /* 0 would disarm */
	timerfd_settime(t->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
}

static void take_timers(struct posix_thread *self)
{
	struct threaded *t = self->machine->runner;
	uint64_t expirations;

	if (read(t->timer_fd, &expirations, sizeof(expirations)) < 0)
		return; /* another CPU has it */
	posix_lock(&self->machine->timers.lock);
	t->programmed = UINT64_MAX;
	posix_unlock(&self->machine->timers.lock);
	while (posix_timers_run_one(self))
		;
}

/* false: the machine stops. */
static bool take_event(struct posix_thread *self, uint64_t tag)
{
	struct posix_irq *irq;
	uint64_t count;

	if (tag == TAG_STOP)
		return false;
	if (tag == TAG_TIMER) {
		take_timers(self);
		return true;
	}
	irq = &self->machine->irqs[tag];
	if (read(irq->fd, &count, sizeof(count)) > 0)
		posix_irq_take(self, irq);
	return true;
}

static void *irq_main(void *arg)
{
	struct irq_cpu *cpu = arg;
	struct epoll_event events[EPOLL_EVENTS];
	bool go_on = true;
	int i, n;

	__atomic_store_n(&cpu->tid, (pid_t)syscall(SYS_gettid), __ATOMIC_RELAXED);
	posix_thread_begin(&cpu->thread);
	while (go_on) {
		n = epoll_wait(cpu->epoll, events, EPOLL_EVENTS, -1);
		for (i = 0; i < n && go_on; i++)
			go_on = take_event(&cpu->thread, events[i].data.u64);
	}
	posix_thread_end(&cpu->thread);
	return NULL;
}

/*
 * As the kernel counts them: a thread that is woken and finds that another one took the event goes
 * back to sleep inside epoll_wait(), and would not be seen here.
 */
static uint64_t threaded_wakeups(struct posix_cpu *cpu)
{
	struct threaded *t = cpu->machine->runner;
	static const char name[] = "voluntary_ctxt_switches:";
	uint64_t count = 0;
	char line[128];
	FILE *status;

	snprintf(line, sizeof(line), "/proc/self/task/%d/status",
		 __atomic_load_n(&t->cpus[cpu->index].tid, __ATOMIC_RELAXED));
	status = fopen(line, "re");
	if (!status)
		return 0;
	while (fgets(line, sizeof(line), status))
		if (!strncmp(line, name, sizeof(name) - 1))
			count = strtoull(line + sizeof(name) - 1, NULL, 10);
	fclose(status);
	return count;
}

/* ---- Steps ---- */

static void threaded_kicked(struct posix_stepper *stepper)
{
	struct threaded *t = stepper->machine->runner;
	uint32_t state = __atomic_load_n(&t->models_state, __ATOMIC_SEQ_CST);

	if (state == RUNS || (state == DOZES && posix_self))
		return;
	if (__atomic_exchange_n(&t->models_state, RUNS, __ATOMIC_SEQ_CST) != RUNS)
		futex(&t->models_state, FUTEX_WAKE, 1, NULL);
}

static bool step_all(struct threaded *t)
{
	struct posix_machine *machine = t->machine;
	unsigned int i, done = 0;

	for (i = 0; i < posix_steppers(machine); i++)
		done += posix_step(&machine->steppers[i], STEP_BUDGET);
	return done;
}

/* Until a kick says RUNS; dozing, also after a while. The last look is after the state is set. */
static bool rest(struct threaded *t, uint32_t state)
{
	struct timespec doze = { 0, DOZE_NS };
	bool worked;

	__atomic_store_n(&t->models_state, state, __ATOMIC_SEQ_CST);
	worked = step_all(t);
	/* threaded_stop() may have said RUNS just before: then this sees its `stop`. */
	if (!worked && !__atomic_load_n(&t->stop, __ATOMIC_SEQ_CST))
		futex(&t->models_state, FUTEX_WAIT, state, state == DOZES ? &doze : NULL);
	__atomic_store_n(&t->models_state, RUNS, __ATOMIC_SEQ_CST);
	return worked;
}

static void *models_main(void *arg)
{
	struct threaded *t = arg;
	uint64_t last = posix_clock_ns(CLOCK_MONOTONIC);
	uint64_t now;

	while (!__atomic_load_n(&t->stop, __ATOMIC_ACQUIRE)) {
		now = posix_clock_ns(CLOCK_MONOTONIC);
		if (step_all(t) || rest(t, now - last < QUIET_NS ? DOZES : SLEEPS))
			last = now;
	}
	return NULL;
}

static uint64_t threaded_model_ns(struct posix_machine *machine)
{
	struct threaded *t = machine->runner;

	return t->models_started ? posix_clock_ns(t->models_clock) : 0;
}

/* ---- Life ---- */

static int start_cpu(struct threaded *t, unsigned int index)
{
	struct irq_cpu *cpu = &t->cpus[index];
	int err;

	err = add_to_set(cpu, t->stop_fd, TAG_STOP, 0);
	if (!err)
		err = add_to_set(cpu, t->timer_fd, TAG_TIMER, EPOLLEXCLUSIVE);
	if (!err)
		err = -pthread_create(&cpu->pthread, NULL, irq_main, cpu);
	cpu->started = !err;
	return err;
}

static int threaded_start(struct posix_machine *machine)
{
	struct threaded *t = machine->runner;
	unsigned int i;
	int err;

	for (i = 0; i < machine->nr_cpus; i++) {
		err = start_cpu(t, i);
		if (err)
			return err;
	}
	err = -pthread_create(&t->models, NULL, models_main, t);
	if (err)
		return err;
	t->models_started = true;
	return -pthread_getcpuclockid(t->models, &t->models_clock);
}

static void threaded_stop(struct posix_machine *machine)
{
	struct threaded *t = machine->runner;
	unsigned int i;

	/* Before the state, in one order with rest(), which writes the state and then looks. */
	__atomic_store_n(&t->stop, true, __ATOMIC_SEQ_CST);
	if (t->models_started) {
		__atomic_store_n(&t->models_state, RUNS, __ATOMIC_SEQ_CST);
		futex(&t->models_state, FUTEX_WAKE, 1, NULL);
		pthread_join(t->models, NULL);
		t->models_started = false;
	}
	if (t->stop_fd >= 0)
		signal_fd(t->stop_fd);
	for (i = 0; i < machine->nr_cpus; i++)
		if (t->cpus && t->cpus[i].started)
			pthread_join(t->cpus[i].pthread, NULL);
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void threaded_destroy(struct posix_machine *machine)
{
	struct threaded *t = machine->runner;
	unsigned int i;

	for (i = 0; i < POSIX_IRQS; i++)
		close_fd(machine->irqs[i].fd);
	for (i = 0; t->cpus && i < machine->nr_cpus; i++)
		close_fd(t->cpus[i].epoll);
	close_fd(t->timer_fd);
	close_fd(t->stop_fd);
	free(t->cpus);
	free(t);
}

static int create_cpus(struct threaded *t)
{
	struct posix_machine *machine = t->machine;
	size_t size = sizeof(*t->cpus) * machine->nr_cpus;
	unsigned int i;

	t->cpus = aligned_alloc(POSIX_CACHE_LINE, size);
	if (!t->cpus)
		return -WEIR_ENOMEM;
	memset(t->cpus, 0, size);
	for (i = 0; i < machine->nr_cpus; i++) {
		t->cpus[i].machine = machine;
		t->cpus[i].thread.machine = machine;
		t->cpus[i].thread.cpu = &machine->cpus[i];
		t->cpus[i].epoll = -1;
	}
	for (i = 0; i < machine->nr_cpus; i++) {
		t->cpus[i].epoll = epoll_create1(EPOLL_CLOEXEC);
		if (t->cpus[i].epoll < 0)
			return -errno;
	}
	return 0;
}

static int threaded_create(struct posix_machine *machine)
{
	struct threaded *t = aligned_alloc(POSIX_CACHE_LINE, sizeof(*t));

	if (!t)
		return -WEIR_ENOMEM;
	memset(t, 0, sizeof(*t));
	machine->runner = t;
	t->machine = machine;
	t->programmed = UINT64_MAX;
	t->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	t->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (t->stop_fd < 0 || t->timer_fd < 0)
		return -errno;
	return create_cpus(t);
}

static int thread_nothing(struct posix_thread *thread)
{
	(void)thread;
	return 0;
}

static void thread_none(struct posix_thread *thread)
{
	(void)thread;
}

static uint64_t threaded_digest(struct posix_machine *machine)
{
	(void)machine;
	return 0; /* the host decides, and tells nobody */
}

const struct posix_runner_ops posix_threaded_ops = {
	.create = threaded_create,
	.start = threaded_start,
	.stop = threaded_stop,
	.destroy = threaded_destroy,
	.now = threaded_now,
	.relax = threaded_relax,
	.wait = threaded_wait,
	.wake = threaded_wake,
	.spin = threaded_spin,
	.irqs_off = threaded_irqs_off,
	.irqs_on = threaded_irqs_on,
	.irq_open = threaded_irq_open,
	.irq_close = threaded_irq_close,
	.irq_notify = threaded_irq_notify,
	.timer_program = threaded_timer_program,
	.kicked = threaded_kicked,
	.thread_announce = thread_nothing,
	.thread_withdraw = thread_none,
	.thread_begin = thread_none,
	.thread_end = thread_none,
	.host_enter = thread_none,
	.host_leave = thread_none,
	.digest = threaded_digest,
	.wakeups = threaded_wakeups,
	.model_ns = threaded_model_ns,
};
