/* SPDX-License-Identifier: MIT */
/*
 * The seeded runner: one thread runs at a time, a generator decides which, time is virtual.
 *
 * The baton. Threads are real, but all of them but one are parked, each on a futex word of its own.
 * Who has the baton owns the whole state of this file; passing it on (a release, an acquire) orders
 * everything before against everything after, so nothing here needs a lock. While no thread of the
 * host is in posix_call(), in posix_join() or attached, nobody has it and the machine stands still;
 * `gate` lets one of them in at a time. What the host does when, beyond that, cannot matter.
 *
 * A switch point is where a real machine could go another way: point(), relax(), wait(), a taken
 * spin lock. There schedule() lists all that could happen next - a step of a model that was
 * kicked, an interrupt or timer on a CPU that has interrupts on, another thread - and the generator
 * picks. A handler runs on the thread whose context its CPU holds, above whatever that does; with a
 * spin lock held or interrupts off that context stays on its CPU, as on a machine.
 *
 * Time passes a little at each switch point, faster while everybody only relaxes, and jumps to the
 * next deadline when nobody can run. If there is none, the run is stuck: a report, and abort().
 */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "internal.h"

#define TIME_START 1000000ull
#define POINT_NS 100u
#define CLOCK_READ_NS 20u
/* Relaxing with nothing else going on: 100 ns, doubled every 8 times up to 0.1 ms. */
#define RELAX_ROUNDS 8u
#define RELAX_SHIFT_MAX 10u
#define STEP_SHIFTS 7u	 /* budgets are 1, 2, 4 ... 64 */
#define STAY_OUT_OF_8 6u /* how often a switch point switches nothing, if the thread can go on */

/* What a thread that gets the baton is to do; otherwise the number of an interrupt. */
#define TURN_RUN UINT32_MAX
#define TURN_TIMER (UINT32_MAX - 1)

enum choice_kind { STEP, INTERRUPT, RUN };

struct choice {
	enum choice_kind kind;
	unsigned int index; /* stepper, CPU, actor */
	void *object;
};

struct posix_sleep {
	const void *key;
	uint64_t deadline;
	const char *what;
	struct posix_thread *thread;
	bool woken;
	bool spins; /* for a spin lock: the CPU's context stays */
	struct posix_sleep *next, *prev;
};

struct seeded {
	struct posix_machine *machine;
	pthread_mutex_t gate;
	pthread_cond_t gate_free;
	bool inside; /* gate: a thread of the host is in, the baton with it or handed on */
	/* The rest belongs to the holder of the baton. */
	uint64_t now; /* also read by threads of the host: atomic */
	uint64_t random, digest;
	unsigned int relaxed; /* how often in a row, with nothing else going on */
	unsigned int next_id, nr_actors;
	struct posix_thread *actors;
	struct posix_sleep *sleeps;
	struct choice *choices; /* room for all that could be listed */
	unsigned int nr_choices;
	bool all_relax;			  /* the choices are threads that relax, all of them */
	uint64_t raised[POSIX_IRQS / 64]; /* atomic, set by any thread; RAISED and maybe takeable */
};

static struct seeded *seeded_of(struct posix_machine *machine)
{
	return machine->runner;
}

/* ---- Numbers ---- */

static uint64_t mix(uint64_t x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9u;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

static unsigned int draw(struct seeded *s, unsigned int below)
{
	s->random += 0x9e3779b97f4a7c15u;
	return (unsigned int)((mix(s->random) >> 32) * below >> 32);
}

static void record(struct seeded *s, unsigned int kind, unsigned int index, unsigned int detail)
{
	uint64_t what = (uint64_t)kind << 60 | (uint64_t)index << 32 | detail;

	s->digest = mix(s->digest ^ what) + s->now;
}

static void pass_time(struct seeded *s, uint64_t ns)
{
	__atomic_store_n(&s->now, s->now + ns, __ATOMIC_RELAXED);
}

/* ---- The baton ---- */

static void baton_pass(struct posix_thread *to, unsigned int turn)
{
	to->actor.turn = turn;
	/* Release: pairs with the acquire in baton_await(). */
	__atomic_store_n(&to->actor.baton, 1, __ATOMIC_RELEASE);
	syscall(SYS_futex, &to->actor.baton, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/*
 * Sleeps at once: to look a while first, from another processor, made switches three times slower
 * (35 us for a command of a disk model with 4 CPUs, against 11 us).
 */
static unsigned int baton_await(struct posix_thread *self)
{
	uint32_t *baton = &self->actor.baton;

	while (!__atomic_load_n(baton, __ATOMIC_ACQUIRE))
		syscall(SYS_futex, baton, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	__atomic_store_n(baton, 0, __ATOMIC_RELAXED);
	return self->actor.turn;
}

/* ---- The gate ---- */

static void gate_enter(struct seeded *s)
{
	pthread_mutex_lock(&s->gate);
	while (s->inside)
		pthread_cond_wait(&s->gate_free, &s->gate);
	s->inside = true;
	pthread_mutex_unlock(&s->gate);
}

static void gate_leave(struct seeded *s)
{
	pthread_mutex_lock(&s->gate);
	s->inside = false;
	pthread_cond_signal(&s->gate_free);
	pthread_mutex_unlock(&s->gate);
}

/* For a thread that is no CPU of the machine, and asks for something small. */
static bool gate_pass_in(struct seeded *s)
{
	if (posix_self && posix_self->machine == s->machine)
		return false;
	gate_enter(s);
	return true;
}

static void gate_pass_out(struct seeded *s, bool passed)
{
	if (passed)
		gate_leave(s);
}

/* ---- What could happen next ---- */

static bool can_run(const struct seeded *s, const struct posix_thread *thread)
{
	const struct posix_sleep *sleep = thread->actor.sleep;
	const struct posix_thread *current;

	if (sleep && !sleep->woken && s->now < sleep->deadline)
		return false;
	if (!thread->cpu)
		return true;
	current = thread->cpu->current;
	return !current || current == thread ||
	       (!current->spins && !current->irqs_off && !current->in_irq);
}

static void add_choice(struct seeded *s, enum choice_kind kind, unsigned int index, void *object)
{
	if (kind != RUN || !((struct posix_thread *)object)->actor.relaxing)
		s->all_relax = false;
	s->choices[s->nr_choices++] = (struct choice){ kind, index, object };
}

static void list_steps(struct seeded *s)
{
	struct posix_machine *machine = s->machine;
	unsigned int i;

	for (i = 0; i < posix_steppers(machine); i++)
		if (__atomic_load_n(&machine->steppers[i].kicked, __ATOMIC_SEQ_CST))
			add_choice(s, STEP, i, &machine->steppers[i]);
}

static bool takeable(const struct posix_irq *irq, unsigned int cpu)
{
	uint32_t state = __atomic_load_n(&irq->state, __ATOMIC_ACQUIRE);

	return state == (POSIX_IRQ_RAISED | POSIX_IRQ_ENABLED) &&
	       (irq->cpu == cpu || irq->cpu == WEIR_CPU_ANY);
}

/* The nth interrupt that `cpu` could take; counts them if there are fewer. */
static unsigned int find_irq(struct seeded *s, unsigned int cpu, unsigned int nth,
			     unsigned int *count)
{
	unsigned int word, number;
	uint64_t bits;

	*count = 0;
	for (word = 0; word < POSIX_IRQS / 64; word++) {
		bits = __atomic_load_n(&s->raised[word], __ATOMIC_ACQUIRE);
		for (; bits; bits &= bits - 1) {
			number = word * 64 + (unsigned int)__builtin_ctzll(bits);
			if (takeable(&s->machine->irqs[number], cpu) && (*count)++ == nth)
				return number;
		}
	}
	return TURN_TIMER;
}

static void list_interrupts(struct seeded *s)
{
	struct posix_machine *machine = s->machine;
	bool timer = posix_timers_next(machine) <= s->now;
	const struct posix_thread *current;
	unsigned int i, count;

	for (i = 0; i < machine->nr_cpus; i++) {
		current = machine->cpus[i].current;
		if ((current && (current->irqs_off || current->in_irq)) || !machine->cpus[i].worker)
			continue;
		find_irq(s, i, UINT32_MAX, &count);
		if (count || timer)
			add_choice(s, INTERRUPT, i, &machine->cpus[i]);
	}
}

/* Threads other than self. NULL, or a thread of the host whose wait is over: it goes first. */
static struct posix_thread *list_threads(struct seeded *s, const struct posix_thread *self)
{
	struct posix_thread *thread;

	for (thread = s->actors; thread; thread = thread->actor.next) {
		if (thread == self || !can_run(s, thread))
			continue;
		if (!thread->cpu)
			return thread;
		add_choice(s, RUN, thread->actor.id, thread);
	}
	return NULL;
}

/* ---- Nothing could ---- */

static const char *context_of(const struct posix_thread *thread)
{
	return thread->in_irq	? ", in a handler" :
	       thread->irqs_off ? ", interrupts off" :
	       thread->spins	? ", a spin lock held or wanted" :
				  "";
}

static void report_thread(const struct posix_thread *thread)
{
	const struct posix_sleep *sleep = thread->actor.sleep;
	char who[32] = "the host";

	if (thread->cpu)
		snprintf(who, sizeof(who), "thread %u on CPU %u", thread->actor.id,
			 thread->cpu->index);
	if (sleep)
		fprintf(stderr, "  %s waits in %s for %p%s\n", who, sleep->what, sleep->key,
			context_of(thread));
	else
		fprintf(stderr, "  %s could run but for its CPU%s\n", who, context_of(thread));
}

static void stuck(struct seeded *s)
{
	const struct posix_thread *thread;
	unsigned int i;

	fprintf(stderr, "posix platform: nobody can run any more (seed %llu, time %llu ns):\n",
		(unsigned long long)s->machine->options.seed, (unsigned long long)s->now);
	for (thread = s->actors; thread; thread = thread->actor.next)
		report_thread(thread);
	for (i = 0; i < POSIX_IRQS; i++)
		if (__atomic_load_n(&s->machine->irqs[i].state, __ATOMIC_RELAXED) &
		    POSIX_IRQ_RAISED)
			fprintf(stderr, "  interrupt %u is raised and not taken\n", i);
	posix_fatal("stuck");
}

/* Nobody can run now: on to the first deadline. */
static void jump(struct seeded *s)
{
	uint64_t first = posix_timers_next(s->machine);
	const struct posix_sleep *sleep;

	if (first <= s->now)
		first = UINT64_MAX; /* due, but every CPU keeps interrupts off */
	for (sleep = s->sleeps; sleep; sleep = sleep->next)
		if (sleep->deadline > s->now && sleep->deadline < first)
			first = sleep->deadline;
	if (first == UINT64_MAX)
		stuck(s);
	__atomic_store_n(&s->now, first, __ATOMIC_RELAXED);
}

/* ---- Choosing and doing ---- */

/* All that could happen, unless it is the turn of a thread of the host, which is returned. */
static struct posix_thread *list_all(struct seeded *s, const struct posix_thread *self)
{
	struct posix_thread *host;

	s->nr_choices = 0;
	s->all_relax = true;
	host = list_threads(s, self);
	list_steps(s);
	list_interrupts(s);
	return host;
}

static struct choice choose(struct seeded *s, struct posix_thread *self)
{
	struct posix_thread *host;

	for (;;) {
		bool can_go_on = self && can_run(s, self);
		struct choice go_on = { RUN, can_go_on ? self->actor.id : 0, self };

		if (can_go_on &&
		    (!self->cpu || (!self->actor.relaxing && draw(s, 8) < STAY_OUT_OF_8)))
			return go_on;
		host = list_all(s, self);
		if (host)
			return (struct choice){ RUN, host->actor.id, host };
		/* Two that relax and change places do no more than one, and cost switches. */
		if (can_go_on && s->all_relax && (!s->nr_choices || draw(s, 8) < STAY_OUT_OF_8))
			return go_on;
		if (s->nr_choices)
			return s->choices[draw(s, s->nr_choices)];
		jump(s);
	}
}

static void do_step(struct seeded *s, struct choice *choice)
{
	unsigned int budget = 1u << draw(s, STEP_SHIFTS);
	unsigned int done = posix_step(choice->object, budget);

	record(s, STEP, choice->index, done << 8 | budget);
	if (done)
		s->relaxed = 0;
}

/* On the thread itself: a handler above whatever it does. */
static void do_interrupt(struct seeded *s, struct posix_thread *self, unsigned int turn)
{
	struct posix_cpu *cpu = self->cpu;
	struct posix_thread *current = cpu->current;
	struct posix_sleep *sleep = self->actor.sleep;
	bool relaxing = self->actor.relaxing;
	unsigned int spins = self->spins;

	cpu->current = self;
	self->actor.sleep = NULL;
	self->actor.relaxing = false;
	s->relaxed = 0;
	__atomic_fetch_add(&cpu->interrupts, 1, __ATOMIC_RELAXED);
	if (turn == TURN_TIMER)
		posix_timers_run_one(self);
	else
		posix_irq_take(self, &s->machine->irqs[turn]);
	if (self->spins != spins)
		posix_fatal("CPU %u: a handler returned with a spin lock held", cpu->index);
	self->actor.relaxing = relaxing;
	self->actor.sleep = sleep;
	cpu->current = current;
}

/* Which interrupt, and which thread runs its handler. */
static struct posix_thread *pick_interrupt(struct seeded *s, struct choice *choice,
					   unsigned int *turn)
{
	struct posix_cpu *cpu = choice->object;
	bool timer = posix_timers_next(s->machine) <= s->now;
	unsigned int count;

	find_irq(s, cpu->index, UINT32_MAX, &count);
	*turn = find_irq(s, cpu->index, draw(s, count + timer), &count);
	record(s, INTERRUPT, choice->index, *turn);
	return cpu->current ? cpu->current : &cpu->worker->thread;
}

static struct posix_thread *pick_thread(struct seeded *s, struct choice *choice, unsigned int *turn)
{
	struct posix_thread *thread = choice->object;

	*turn = TURN_RUN;
	if (thread->cpu)
		thread->cpu->current = thread;
	record(s, RUN, choice->index, 0);
	return thread;
}

/*
 * Let happen what the generator says until it is self's turn to go on. NULL: the caller leaves, and
 * only passes the baton on.
 */
static void schedule(struct seeded *s, struct posix_thread *self)
{
	struct posix_thread *to;
	struct choice choice;
	unsigned int turn;

	pass_time(s, POINT_NS);
	for (;;) {
		choice = choose(s, self);
		if (choice.kind == STEP) {
			do_step(s, &choice);
			continue;
		}
		to = choice.kind == RUN ? pick_thread(s, &choice, &turn) :
					  pick_interrupt(s, &choice, &turn);
		if (to != self) {
			baton_pass(to, turn);
			if (!self)
				return;
			turn = baton_await(self);
		}
		if (turn == TURN_RUN)
			return;
		do_interrupt(s, self, turn);
	}
}

/* ---- Switch points ---- */

static void seeded_point(struct posix_thread *self)
{
	self->actor.relaxing = false;
	schedule(seeded_of(self->machine), self);
}

static struct posix_thread *actor(struct posix_machine *machine, const char *what)
{
	struct posix_thread *self = posix_self;

	if (!self || self->machine != machine)
		posix_fatal("%s by a thread that is no CPU of this machine", what);
	return self;
}

static void seeded_relax(struct posix_machine *machine)
{
	struct posix_thread *self = actor(machine, "plat_relax");
	struct seeded *s = seeded_of(machine);
	unsigned int shift = s->relaxed++ / RELAX_ROUNDS;

	pass_time(s, (uint64_t)POINT_NS << (shift < RELAX_SHIFT_MAX ? shift : RELAX_SHIFT_MAX));
	self->actor.relaxing = true;
	schedule(s, self);
}

static void sleep_begin(struct seeded *s, struct posix_sleep *sleep)
{
	struct posix_thread *self = sleep->thread;

	sleep->next = s->sleeps;
	if (sleep->next)
		sleep->next->prev = sleep;
	s->sleeps = sleep;
	self->actor.sleep = sleep;
	self->actor.relaxing = false;
	if (!sleep->spins && self->cpu && self->cpu->current == self)
		self->cpu->current = NULL;
}

static void sleep_end(struct seeded *s, struct posix_sleep *sleep)
{
	if (sleep->prev)
		sleep->prev->next = sleep->next;
	else
		s->sleeps = sleep->next;
	if (sleep->next)
		sleep->next->prev = sleep->prev;
	sleep->thread->actor.sleep = NULL;
}

static int seeded_wait(struct posix_machine *machine, const uint32_t *word, uint32_t value,
		       uint64_t timeout_ns, const char *what)
{
	struct posix_thread *self = actor(machine, what);
	struct seeded *s = seeded_of(machine);
	struct posix_sleep sleep = { .key = word, .what = what, .thread = self };

	if (__atomic_load_n(word, __ATOMIC_ACQUIRE) != value)
		return 0;
	sleep.deadline = timeout_ns < UINT64_MAX - s->now ? s->now + timeout_ns : UINT64_MAX;
	sleep_begin(s, &sleep);
	schedule(s, self);
	sleep_end(s, &sleep);
	return sleep.woken ? 0 : -WEIR_ETIMEDOUT;
}

static void wake_sleepers(struct seeded *s, const void *key, unsigned int count)
{
	struct posix_sleep *sleep;

	for (sleep = s->sleeps; sleep && count; sleep = sleep->next) {
		if (sleep->key != key || sleep->woken)
			continue;
		sleep->woken = true;
		s->relaxed = 0;
		count--;
	}
}

static void seeded_wake(struct posix_machine *machine, const void *key, unsigned int count)
{
	struct seeded *s = seeded_of(machine);
	bool passed = gate_pass_in(s);

	wake_sleepers(s, key, count);
	gate_pass_out(s, passed);
}

static void seeded_spin(struct posix_thread *self, const struct weir_spinlock *lock)
{
	struct seeded *s = seeded_of(self->machine);
	struct posix_sleep sleep = { .key = lock,
				     .deadline = UINT64_MAX,
				     .what = "plat_spin_lock",
				     .thread = self,
				     .spins = true };

	sleep_begin(s, &sleep);
	schedule(s, self);
	sleep_end(s, &sleep);
}

static uint64_t seeded_now(struct posix_machine *machine)
{
	struct seeded *s = seeded_of(machine);

	/* Who asks again and again sees it pass. */
	if (posix_self && posix_self->machine == machine)
		pass_time(s, CLOCK_READ_NS);
	return __atomic_load_n(&s->now, __ATOMIC_RELAXED);
}

static void seeded_irqs_off(struct posix_thread *self)
{
	(void)self; /* irqs_off in the thread says it all */
}

/* A handler that ends is no switch point of its own: handlers would pile up on one stack. */
static void seeded_irqs_on(struct posix_thread *self)
{
	if (!self->in_irq)
		seeded_point(self);
}

/* ---- Interrupts, timers, kicks: noted here, looked at by the next choice ---- */

static int seeded_irq_open(struct posix_irq *irq)
{
	(void)irq;
	return 0;
}

static void seeded_irq_close(struct posix_irq *irq)
{
	(void)irq;
}

/* A bit stays set: RAISED in the interrupt's state decides, and lines ever used are few. */
static void seeded_irq_notify(struct posix_irq *irq)
{
	struct seeded *s = seeded_of(irq->machine);

	__atomic_fetch_or(&s->raised[irq->number / 64], WEIR_BIT(irq->number % 64),
			  __ATOMIC_RELEASE);
}

static void seeded_timer_program(struct posix_machine *machine, uint64_t deadline)
{
	(void)machine;
	(void)deadline;
}

static void seeded_kicked(struct posix_stepper *stepper)
{
	(void)stepper;
}

/* ---- Threads come and go ---- */

static int actor_add(struct seeded *s, struct posix_thread *thread)
{
	unsigned int room = s->nr_actors + 1 + s->machine->nr_cpus + POSIX_STEPPERS_MAX;
	struct choice *choices = realloc(s->choices, room * sizeof(*choices));
	struct posix_thread **end = &s->actors;

	if (!choices)
		return -WEIR_ENOMEM;
	s->choices = choices;
	while (*end)
		end = &(*end)->actor.next;
	*end = thread;
	thread->actor.id = s->next_id++;
	thread->point = thread->cpu ? seeded_point : NULL;
	s->nr_actors++;
	return 0;
}

static void actor_remove(struct seeded *s, struct posix_thread *thread)
{
	struct posix_thread **at = &s->actors;

	while (*at != thread)
		at = &(*at)->actor.next;
	*at = thread->actor.next;
	s->nr_actors--;
	if (thread->cpu && thread->cpu->current == thread)
		thread->cpu->current = NULL;
}

/* Counted from here on, not from when the host gets round to starting it. */
static int seeded_thread_announce(struct posix_thread *thread)
{
	struct seeded *s = seeded_of(thread->machine);
	bool passed = gate_pass_in(s);
	int err = actor_add(s, thread);

	gate_pass_out(s, passed);
	return err;
}

static void seeded_thread_withdraw(struct posix_thread *thread)
{
	struct seeded *s = seeded_of(thread->machine);
	bool passed = gate_pass_in(s);

	actor_remove(s, thread);
	gate_pass_out(s, passed);
}

/* The first turn may be an interrupt's. */
static void seeded_thread_begin(struct posix_thread *self)
{
	struct seeded *s = seeded_of(self->machine);
	unsigned int turn = baton_await(self);

	if (turn == TURN_RUN)
		return;
	do_interrupt(s, self, turn);
	schedule(s, self);
}

static void seeded_thread_end(struct posix_thread *self)
{
	struct seeded *s = seeded_of(self->machine);

	actor_remove(s, self);
	schedule(s, NULL);
}

static void seeded_host_enter(struct posix_thread *thread)
{
	struct seeded *s = seeded_of(thread->machine);

	gate_enter(s);
	if (actor_add(s, thread))
		posix_fatal("out of memory for a thread of the host");
	if (thread->cpu)
		schedule(s, thread);
}

/* The others stop where they are, until the host comes again. */
static void seeded_host_leave(struct posix_thread *thread)
{
	struct seeded *s = seeded_of(thread->machine);

	actor_remove(s, thread);
	gate_leave(s);
}

static uint64_t seeded_digest(struct posix_machine *machine)
{
	struct seeded *s = seeded_of(machine);
	bool passed = gate_pass_in(s);
	uint64_t digest = s->digest;

	gate_pass_out(s, passed);
	return digest;
}

static uint64_t seeded_wakeups(struct posix_cpu *cpu)
{
	return __atomic_load_n(&cpu->interrupts, __ATOMIC_RELAXED);
}

static uint64_t seeded_model_ns(struct posix_machine *machine)
{
	(void)machine;
	return 0; /* all steps are made by threads that count them */
}

static int seeded_create(struct posix_machine *machine)
{
	struct seeded *s = calloc(1, sizeof(*s));

	if (!s)
		return -WEIR_ENOMEM;
	machine->runner = s;
	s->machine = machine;
	s->now = TIME_START;
	s->random = mix(machine->options.seed + 1);
	pthread_mutex_init(&s->gate, NULL);
	pthread_cond_init(&s->gate_free, NULL);
	return 0;
}

static int seeded_start(struct posix_machine *machine)
{
	(void)machine;
	return 0;
}

static void seeded_stop(struct posix_machine *machine)
{
	(void)machine;
}

static void seeded_destroy(struct posix_machine *machine)
{
	struct seeded *s = seeded_of(machine);

	pthread_cond_destroy(&s->gate_free);
	pthread_mutex_destroy(&s->gate);
	free(s->choices);
	free(s);
}

const struct posix_runner_ops posix_seeded_ops = {
	.create = seeded_create,
	.start = seeded_start,
	.stop = seeded_stop,
	.destroy = seeded_destroy,
	.now = seeded_now,
	.relax = seeded_relax,
	.wait = seeded_wait,
	.wake = seeded_wake,
	.spin = seeded_spin,
	.irqs_off = seeded_irqs_off,
	.irqs_on = seeded_irqs_on,
	.irq_open = seeded_irq_open,
	.irq_close = seeded_irq_close,
	.irq_notify = seeded_irq_notify,
	.timer_program = seeded_timer_program,
	.kicked = seeded_kicked,
	.thread_announce = seeded_thread_announce,
	.thread_withdraw = seeded_thread_withdraw,
	.thread_begin = seeded_thread_begin,
	.thread_end = seeded_thread_end,
	.host_enter = seeded_host_enter,
	.host_leave = seeded_host_leave,
	.digest = seeded_digest,
	.wakeups = seeded_wakeups,
	.model_ns = seeded_model_ns,
};
