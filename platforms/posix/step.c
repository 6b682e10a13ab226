/* SPDX-License-Identifier: MIT */
/*
 * Steppers: the models' half of the runners. A model kicks, which sets `kicked`; a runner calls
 * posix_step() on what is kicked. `busy` keeps it to one thread at a time.
 */
#include "inside.h"
#include "internal.h"

static void kick(struct weir_model_stepper *model, void *opaque)
{
	struct posix_stepper *stepper = opaque;

	(void)model;
	/*
	 * Sequentially consistent, as are the accesses in posix_step() and where the runner goes to
	 * sleep: either the kick is seen before `busy` is given up, or the runner is told of it.
	 */
	if (!__atomic_exchange_n(&stepper->kicked, 1, __ATOMIC_SEQ_CST))
		stepper->machine->ops->kicked(stepper);
}

int posix_stepper_add(struct posix_machine *machine, struct weir_model_stepper *model)
{
	unsigned int i = machine->nr_steppers;

	if (i == POSIX_STEPPERS_MAX)
		return -WEIR_ENOSPC;
	machine->steppers[i].model = model;
	machine->steppers[i].machine = machine;
	model->kick_opaque = &machine->steppers[i];
	model->kick = kick;
	/* Release: pairs with the acquire in posix_steppers(). */
	__atomic_store_n(&machine->nr_steppers, i + 1, __ATOMIC_RELEASE);
	return 0;
}

unsigned int posix_steppers(const struct posix_machine *machine)
{
	return __atomic_load_n(&machine->nr_steppers, __ATOMIC_ACQUIRE);
}

/* What a pair of looks at the clock sees of itself. */
static uint64_t clock_cost(void)
{
	uint64_t start, ns, least = UINT64_MAX;
	unsigned int i;

	for (i = 0; i < 16; i++) {
		start = posix_clock_ns(CLOCK_THREAD_CPUTIME_ID);
		ns = posix_clock_ns(CLOCK_THREAD_CPUTIME_ID) - start;
		least = ns < least ? ns : least;
	}
	return least;
}

int posix_steppers_connect(struct posix_machine *machine)
{
	struct weir_model_stepper *model;
	unsigned int i;
	int err = 0;

	machine->clock_cost = clock_cost();
	for (i = 0; (model = weir_model_machine_stepper(machine->models, i)) && !err; i++)
		err = posix_stepper_add(machine, model);
	return err;
}

void posix_steppers_disconnect(struct posix_machine *machine)
{
	unsigned int i;

	for (i = 0; i < machine->nr_steppers; i++)
		machine->steppers[i].model->kick = NULL;
}

/*
 * A step takes some hundred nanoseconds, and so does reading the thread's clock (530 ns where this
 * was measured): one step in 16 is timed and stands for all, less what reading the clock costs.
 */
#define SAMPLE 16u

static uint64_t sample_begin(struct posix_thread *self)
{
	if (!self || self->steps++ % SAMPLE)
		return 0;
	return posix_clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

static void sample_end(struct posix_thread *self, uint64_t start)
{
	uint64_t cost, ns;

	if (!start)
		return;
	ns = posix_clock_ns(CLOCK_THREAD_CPUTIME_ID) - start;
	cost = self->machine->clock_cost;
	__atomic_fetch_add(&self->model_ns, (ns > cost ? ns - cost : 1) * SAMPLE, __ATOMIC_RELAXED);
}

static unsigned int step_owned(struct posix_stepper *stepper, unsigned int budget)
{
	struct posix_thread *self = posix_self;
	uint64_t start = sample_begin(self);
	unsigned int done;

	/* Cleared before the model looks: a kick while it works is not lost. */
	__atomic_exchange_n(&stepper->kicked, 0, __ATOMIC_SEQ_CST);
	done = stepper->model->step(stepper->model, budget);
	if (done >= budget)
		__atomic_store_n(&stepper->kicked, 1, __ATOMIC_SEQ_CST);
	sample_end(self, start);
	return done;
}

unsigned int posix_step(struct posix_stepper *stepper, unsigned int budget)
{
	unsigned int done;

	if (!__atomic_load_n(&stepper->kicked, __ATOMIC_SEQ_CST))
		return 0;
	if (__atomic_exchange_n(&stepper->busy, 1, __ATOMIC_SEQ_CST))
		return 0;
	done = step_owned(stepper, budget);
	__atomic_exchange_n(&stepper->busy, 0, __ATOMIC_SEQ_CST);
	/* Who found it busy went away: what came meanwhile, or is left, is passed on. */
	if (__atomic_load_n(&stepper->kicked, __ATOMIC_SEQ_CST))
		stepper->machine->ops->kicked(stepper);
	return done;
}
