/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "inside.h"
#include "posix-support.h"

uint64_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state >> 20;
}

struct posix_machine *posix_test_machine(enum posix_runner runner, uint64_t fail, bool onwards)
{
	struct posix_options options = { .runner = runner,
					 .seed = 7,
					 .cpus = POSIX_TEST_CPUS,
					 .ram_size = POSIX_TEST_RAM,
					 .fail_alloc = fail,
					 .fail_alloc_onwards = onwards };
	struct posix_machine *machine;

	check(posix_create(&options, &machine) == 0);
	return machine;
}

int set_up_threaded(void **state)
{
	*state = posix_test_machine(POSIX_THREADED, 0, false);
	return 0;
}

int set_up_seeded(void **state)
{
	*state = posix_test_machine(POSIX_SEEDED, 0, false);
	return 0;
}

int tear_down(void **state)
{
	uint64_t in_use = posix_pages_in_use(*state);

	posix_destroy(*state);
	return in_use ? -1 : 0;
}

void on_all_cpus(struct posix_machine *machine, int (*fn)(void *arg), void *arg)
{
	struct posix_task *tasks[POSIX_TEST_CPUS];
	unsigned int i;

	for (i = 0; i < POSIX_TEST_CPUS; i++)
		check(posix_spawn(machine, i, fn, arg, &tasks[i]) == 0);
	for (i = 0; i < POSIX_TEST_CPUS; i++)
		check(posix_join(tasks[i]) == 0);
}

void sleep_ns(struct posix_machine *machine, uint64_t ns)
{
	static const uint32_t never;
	uint64_t end = plat_time_ns(machine) + ns;
	uint64_t now;

	while ((now = plat_time_ns(machine)) < end)
		plat_wait(machine, &never, 0, end - now);
}

bool wait_for(struct posix_machine *machine, const uint32_t *word, uint32_t value)
{
	uint64_t end = plat_time_ns(machine) + 10000 * MS;
	uint32_t seen;

	while ((seen = load(word)) < value) {
		if (plat_time_ns(machine) > end)
			return false;
		plat_wait(machine, word, seen, 100 * MS);
	}
	return true;
}

uint64_t echo_answer(uint64_t question)
{
	return question * 3 + 1;
}

static struct weir_model_bus *bus_of(struct echo *echo)
{
	return weir_model_machine_bus(posix_models(echo->machine));
}

static void answer(struct echo *echo, uint64_t slot)
{
	uint64_t at = echo->ring + slot % ECHO_SLOTS * 8;
	uint64_t value = 0;

	weir_model_bus_read(bus_of(echo), at, &value, sizeof(value), 1);
	value = echo_answer(value);
	weir_model_bus_write(bus_of(echo), at + ECHO_SLOTS * 8, &value, sizeof(value), 1);
}

static unsigned int echo_step(struct weir_model_stepper *stepper, unsigned int budget)
{
	struct echo *echo = WEIR_CONTAINER_OF(stepper, struct echo, stepper);
	uint64_t done = __atomic_load_n(&echo->done, __ATOMIC_RELAXED);
	unsigned int units;

	if (__atomic_fetch_add(&echo->stepping, 1, __ATOMIC_RELAXED))
		__atomic_fetch_add(&echo->overlaps, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&echo->steps, 1, __ATOMIC_RELAXED);
	for (units = 0; units < budget; units++) {
		if (done == __atomic_load_n(&echo->asked, __ATOMIC_ACQUIRE))
			break;
		answer(echo, done++);
		__atomic_store_n(&echo->done, done, __ATOMIC_RELEASE);
		sched_yield(); /* were another thread in here, it would be seen */
		posix_irq_raise(echo->machine, echo->irq);
	}
	__atomic_fetch_sub(&echo->stepping, 1, __ATOMIC_RELAXED);
	return units;
}

static enum weir_model_result echo_read(void *opaque, uint64_t offset, unsigned int size,
					uint32_t requester, uint64_t *value)
{
	struct echo *echo = opaque;

	(void)requester;
	if (offset != ECHO_DONE || size != 8)
		return WEIR_MODEL_ABORT;
	*value = __atomic_load_n(&echo->done, __ATOMIC_ACQUIRE);
	return WEIR_MODEL_OK;
}

static enum weir_model_result echo_write(void *opaque, uint64_t offset, unsigned int size,
					 uint32_t requester, uint64_t value)
{
	struct echo *echo = opaque;

	(void)requester;
	if (offset != ECHO_DOORBELL || size != 8)
		return WEIR_MODEL_ABORT;
	__atomic_fetch_add(&echo->asked, value, __ATOMIC_RELEASE);
	weir_model_kick(&echo->stepper);
	return WEIR_MODEL_OK;
}

void echo_add(struct echo *echo, struct posix_machine *machine, unsigned int irq, uint64_t ring)
{
	static const struct weir_model_mmio_ops ops = { echo_read, echo_write };

	*echo = (struct echo){ .machine = machine, .irq = irq, .ring = ring };
	echo->stepper.name = "echo";
	echo->stepper.step = echo_step;
	assert_int_equal(
		weir_model_bus_add_mmio(bus_of(echo), ECHO_BASE, ECHO_SIZE, &ops, echo, NULL), 0);
	assert_int_equal(posix_stepper_add(machine, &echo->stepper), 0);
}

static void die(int said, void (*fn)(void))
{
	signal(SIGABRT, SIG_DFL);
	dup2(said, STDERR_FILENO);
	alarm(30); /* one that does not die hangs */
	fn();
	_exit(0);
}

bool dies_saying(void (*fn)(void), const char *message)
{
	char text[4096];
	size_t length = 0;
	ssize_t n;
	int ends[2], status;
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	assert_true(child >= 0);
	if (!child)
		die(ends[1], fn);
	close(ends[1]);
	while ((n = read(ends[0], text + length, sizeof(text) - 1 - length)) > 0)
		length += (size_t)n;
	text[length] = '\0';
	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && strstr(text, message))
		return true;
	print_error("status %#x, said: %s\n", (unsigned int)status, text);
	return false;
}
