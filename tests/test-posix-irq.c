/* SPDX-License-Identifier: MIT */
/*
 * The posix platform: interrupts and the steps of models; under the threaded and under the seeded
 * runner.
 *
 * Properties:
 * - Interrupts: latched without a handler, none lost, never handled twice at a time, none after
 *   disconnect, which waits; messages are given out until there are none, to the CPU asked for.
 * - Models are stepped when kicked, by one thread at a time, and see what the CPU wrote before; a
 *   kick during a step is kept.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#include "inside.h"
#include "posix-support.h"

#define CPUS POSIX_TEST_CPUS
#define IRQ 70u

/* ---- Interrupts ---- */

static void handle_on_cpu(void *arg)
{
	struct shared *s = arg;

	__atomic_store_n(&s->word, plat_cpu(), __ATOMIC_RELAXED);
	add(&s->handled, 1);
	plat_wake(s->machine, &s->handled);
}

static int use_interrupts(void *arg)
{
	struct shared *s = arg;
	struct posix_machine *m = s->machine;

	posix_irq_raise(m, IRQ); /* nobody listens: it waits */
	sleep_ns(m, MS);
	check(plat_irq_connect(m, IRQ, 2, handle_on_cpu, s) == 0);
	check(wait_for(m, &s->handled, 1));
	check((load(&s->word)) == 2);
	check(plat_irq_connect(m, IRQ, 1, handle_on_cpu, s) == -WEIR_EBUSY);
	check(plat_irq_connect(m, 1024, 1, handle_on_cpu, s) == -WEIR_EINVAL);
	check(plat_irq_connect(m, 71, CPUS, handle_on_cpu, s) == -WEIR_EINVAL);
	plat_irq_disconnect(m, IRQ);
	posix_irq_raise(m, IRQ);
	sleep_ns(m, MS);
	check((load(&s->handled)) == 1);
	check(plat_irq_connect(m, IRQ, 1, handle_on_cpu, s) == 0);
	check(wait_for(m, &s->handled, 2));
	check((load(&s->word)) == 1);
	plat_irq_disconnect(m, IRQ);
	posix_irq_raise(m, 5000);
	return 0;
}

static void test_interrupts(void **state)
{
	struct shared s = { .machine = *state };

	assert_int_equal(posix_call(*state, 0, use_interrupts, &s), 0);
}

static void test_specifiers(void **state)
{
	const uint32_t spi[] = { 0, 74, 1 }, ppi[] = { 1, 10, 4 }, beyond[] = { 0, 224, 1 };
	const uint32_t gsiv = 106, private = 20, message = 256;
	unsigned int irq;

	assert_int_equal(plat_irq_wired(*state, 0, spi, 3, &irq), 0);
	assert_int_equal(irq, WEIR_MODEL_MACHINE_IRQ_EVENTQ);
	assert_int_equal(plat_irq_wired(*state, 0, spi, 2, &irq), -WEIR_EINVAL);
	assert_int_equal(plat_irq_wired(*state, 0, ppi, 3, &irq), -WEIR_EINVAL);
	assert_int_equal(plat_irq_wired(*state, 0, beyond, 3, &irq), -WEIR_ENOENT);
	/* GSIVs. */
	assert_int_equal(plat_irq_wired(*state, 0, &gsiv, 1, &irq), 0);
	assert_int_equal(irq, 106);
	assert_int_equal(plat_irq_wired(*state, 0, &private, 1, &irq), -WEIR_EINVAL);
	assert_int_equal(plat_irq_wired(*state, 0, &message, 1, &irq), -WEIR_ENOENT);
}

static void handle_once(void *arg)
{
	struct shared *s = arg;
	unsigned int i;

	if (__atomic_fetch_add(&s->inside, 1, __ATOMIC_ACQ_REL))
		add(&s->bad, 1);
	s->by_spin++; /* no atomic: alone */
	__atomic_store_n(&s->word, 1, __ATOMIC_RELEASE);
	for (i = 0; i < 30; i++) /* others may come now */
		plat_relax(s->machine);
	__atomic_fetch_sub(&s->inside, 1, __ATOMIC_ACQ_REL);
}

static int raise_often(void *arg)
{
	struct shared *s = arg;
	unsigned int i;

	for (i = 0; i < 500; i++) {
		posix_irq_raise(s->machine, IRQ);
		if (i % 8 == 0)
			sleep_ns(s->machine, 2000);
	}
	return 0;
}

static int connect_often(void *arg)
{
	struct shared *s = arg;
	unsigned int cpu, i;
	uint64_t count;

	for (i = 0; i < 150; i++) {
		cpu = i % (CPUS + 1) == CPUS ? WEIR_CPU_ANY : i % (CPUS + 1);
		check((plat_irq_connect(s->machine, IRQ, cpu, handle_once, s)) == 0);
		sleep_ns(s->machine, 5000);
		plat_irq_disconnect(s->machine, IRQ);
		check(load(&s->inside) == 0);
		count = s->by_spin; /* nobody writes it now, or the thread sanitizer says so */
		plat_relax(s->machine);
		check((s->by_spin) == count);
	}
	return 0;
}

static void test_connect_races(void **state)
{
	struct shared s = { .machine = *state };
	struct posix_task *tasks[3];
	unsigned int i;

	for (i = 0; i < 3; i++)
		assert_int_equal(
			posix_spawn(*state, i, i ? raise_often : connect_often, &s, &tasks[i]), 0);
	for (i = 0; i < 3; i++)
		assert_int_equal(posix_join(tasks[i]), 0);
	assert_int_equal(s.bad, 0);
	assert_true(s.by_spin > 0);
}

static int shared_connect(void *arg)
{
	struct shared *s = arg;

	return plat_irq_connect(s->machine, IRQ, WEIR_CPU_ANY, handle_once, s);
}

/* The last edge is always seen, however many came during the handler before. */
static int raise_and_see(void *arg)
{
	struct shared *s = arg;
	unsigned int i;

	for (i = 0; i < 1000; i++) {
		__atomic_store_n(&s->word, 0, __ATOMIC_RELEASE);
		posix_irq_raise(s->machine, IRQ);
		while (!load(&s->word))
			plat_relax(s->machine);
	}
	plat_irq_disconnect(s->machine, IRQ);
	return 0;
}

static void test_no_edge_is_lost(void **state)
{
	struct shared s = { .machine = *state };

	assert_int_equal(posix_call(*state, 0, shared_connect, &s), 0);
	assert_int_equal(posix_call(*state, 0, raise_and_see, &s), 0);
	assert_int_equal(s.bad, 0);
}

static int use_messages(void *arg)
{
	struct shared *s = arg;
	volatile uint8_t *doorbell;
	struct weir_msi msi;
	unsigned int cpu;

	doorbell = plat_mmio_map(s->machine, WEIR_MODEL_MACHINE_MSI_DOORBELL, 4);
	check(doorbell);
	for (cpu = 0; cpu < CPUS; cpu++) {
		check((plat_msi_alloc(s->machine, 0, 8, 0, cpu, &msi)) == 0);
		check(msi.doorbell == WEIR_MODEL_MACHINE_MSI_DOORBELL);
		check((plat_irq_connect(s->machine, msi.irq, WEIR_CPU_ANY, handle_on_cpu, s)) == 0);
		plat_mmio_write32(doorbell, msi.data);
		check(wait_for(s->machine, &s->handled, cpu + 1));
		check((load(&s->word)) == cpu);
		sleep_ns(s->machine, MS);
		check(load(&s->handled) == cpu + 1);
		plat_irq_disconnect(s->machine, msi.irq);
		plat_msi_free(s->machine, &msi);
		plat_mmio_write32(doorbell, msi.data); /* not the next owner's */
	}
	return 0;
}

static int take_all_messages(void *arg)
{
	struct shared *s = arg;
	static struct weir_msi all[WEIR_MODEL_MACHINE_MSI_COUNT];
	struct weir_msi more;
	unsigned int i;

	for (i = 0; i < WEIR_ARRAY_SIZE(all); i++) {
		check((plat_msi_alloc(s->machine, 0, 8, i, 0, &all[i])) == 0);
		check(!i || all[i].data != all[i - 1].data);
	}
	check((plat_msi_alloc(s->machine, 0, 8, i, 0, &more)) == -WEIR_ENOSPC);
	plat_msi_free(s->machine, &all[100]);
	check((plat_msi_alloc(s->machine, 0, 8, i, 0, &more)) == 0);
	check(more.irq == all[100].irq);
	for (i = 0; i < WEIR_ARRAY_SIZE(all); i++)
		plat_msi_free(s->machine, &all[i]);
	return 0;
}

static void test_messages(void **state)
{
	struct shared s = { .machine = *state };

	assert_int_equal(posix_call(*state, 0, use_messages, &s), 0);
	assert_int_equal(posix_call(*state, 0, take_all_messages, &s), 0);
}

/* ---- Models ---- */

static weir_phys_t take_ring(struct posix_machine *machine)
{
	weir_phys_t phys;

	check(plat_pages_alloc(machine, 1, WEIR_ZONE_NORMAL, 0, &phys) == 0);
	return phys;
}

static void handle_answers(void *arg)
{
	struct shared *s = arg;

	add(&s->handled, 1);
	plat_wake(s->machine, &s->handled);
}

/* Questions in bursts; waits for the answers by polling and by interrupt in turn. */
static int ask(void *arg)
{
	struct shared *s = arg;
	struct echo *echo = s->device;
	volatile uint8_t *regs = plat_mmio_map(s->machine, ECHO_BASE, ECHO_SIZE);
	uint64_t *ring = plat_phys_to_virt(s->machine, echo->ring);
	uint64_t asked = 0, burst;
	uint32_t seen;

	check((plat_irq_connect(s->machine, IRQ, 1, handle_answers, s)) == 0);
	for (burst = 1; asked < 3000; burst = burst % 40 + 1) {
		ring[asked % ECHO_SLOTS] = asked;
		plat_dma_wmb();
		plat_mmio_write64(regs + ECHO_DOORBELL, 1);
		if (++asked % burst)
			continue;
		while (seen = load(&s->handled), plat_mmio_read64(regs + ECHO_DONE) != asked)
			if (burst % 2)
				plat_relax(s->machine);
			else
				plat_wait(s->machine, &s->handled, seen, 10000 * MS);
		plat_dma_rmb();
		check(ring[ECHO_SLOTS + (asked - 1) % ECHO_SLOTS] == echo_answer(asked - 1));
	}
	plat_irq_disconnect(s->machine, IRQ);
	return 0;
}

static void test_models_are_stepped(void **state)
{
	struct shared s = { .machine = *state };
	static struct echo echo; /* outlives the machine */
	weir_phys_t ring = take_ring(*state);
	uint64_t cpu_ns, model_ns;

	echo_add(&echo, *state, IRQ, ring);
	s.device = &echo;
	assert_int_equal(posix_call(*state, 0, ask, &s), 0);
	assert_int_equal(echo.overlaps, 0);
	posix_times(*state, &cpu_ns, &model_ns);
	assert_true(cpu_ns && model_ns);
	plat_pages_free(*state, ring, 1);
}

static int ring_and_relax(void *arg)
{
	struct shared *s = arg;
	volatile uint8_t *regs = plat_mmio_map(s->machine, ECHO_BASE, ECHO_SIZE);
	unsigned int i;

	for (i = 0; i < 2000; i++) {
		plat_mmio_write64(regs + ECHO_DOORBELL, 1);
		plat_relax(s->machine);
	}
	while (plat_mmio_read64(regs + ECHO_DONE) < 2000 * CPUS)
		plat_relax(s->machine);
	return 0;
}

static void test_one_steps_at_a_time(void **state)
{
	struct shared s = { .machine = *state };
	static struct echo echo; /* outlives the machine */
	weir_phys_t ring = take_ring(*state);

	echo_add(&echo, *state, IRQ, ring);
	on_all_cpus(*state, ring_and_relax, &s);
	assert_int_equal(echo.overlaps, 0);
	assert_int_equal(echo.done, 2000 * CPUS);
	plat_pages_free(*state, ring, 1);
}

struct slow_model {
	struct weir_model_stepper stepper;
	uint32_t steps;
};

static void host_sleep(unsigned int ms)
{
	const struct timespec time = { 0, (long)(ms * MS) };

	nanosleep(&time, NULL);
}

/* The first step is long: meanwhile comes a kick, and the models' thread goes back to sleep. */
static unsigned int slow_step(struct weir_model_stepper *stepper, unsigned int budget)
{
	struct slow_model *model = WEIR_CONTAINER_OF(stepper, struct slow_model, stepper);

	(void)budget;
	if (__atomic_fetch_add(&model->steps, 1, __ATOMIC_ACQ_REL) == 0)
		host_sleep(150);
	return 0;
}

static void *kick_later(void *arg)
{
	struct slow_model *model = arg;

	while (!load(&model->steps))
		host_sleep(1);
	host_sleep(60);
	weir_model_kick(&model->stepper);
	return NULL;
}

static void test_a_kick_during_a_step_is_kept(void **state)
{
	static struct slow_model model = { { .name = "slow", .step = slow_step }, 0 };
	pthread_t kicker;
	unsigned int i;

	assert_int_equal(posix_stepper_add(*state, &model.stepper), 0);
	assert_int_equal(pthread_create(&kicker, NULL, kick_later, &model), 0);
	posix_attach(*state, 0);
	weir_model_kick(&model.stepper);
	plat_relax(*state);
	posix_detach();
	pthread_join(kicker, NULL);
	for (i = 0; i < 2000 && load(&model.steps) < 2; i++)
		host_sleep(1);
	assert_true(load(&model.steps) >= 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(test_interrupts),
		BOTH(test_specifiers),
		BOTH(test_connect_races),
		BOTH(test_no_edge_is_lost),
		BOTH(test_messages),
		BOTH(test_models_are_stepped),
		BOTH(test_one_steps_at_a_time),
		cmocka_unit_test_setup_teardown(test_a_kick_during_a_step_is_kept, set_up_threaded,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
