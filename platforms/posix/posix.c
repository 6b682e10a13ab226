/* SPDX-License-Identifier: MIT */
/*
 * Creation and destruction of machines. See internal.h for the data structures.
 */
#include <stdarg.h>
#include <stdlib.h>

#include "internal.h"

#define RAM_SIZE_DEFAULT (256ull << 20)
#define PHYS_LIMIT (1ull << 48)

void posix_fatal(const char *format, ...)
{
	va_list args;

	fputs("posix platform: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	abort();
}

void posix_may_sleep(const char *what)
{
	struct posix_thread *self = posix_self;

	if (!self || (!self->in_irq && !self->irqs_off && !self->spins))
		return;
	posix_fatal("CPU %u: %s called in %s, where nothing may sleep", posix_cpu_index(), what,
		    self->in_irq   ? "an interrupt handler" :
		    self->irqs_off ? "a section with interrupts off" :
				     "a section with a spin lock held");
}

static int check_options(const struct posix_options *options)
{
	if (options->runner != POSIX_THREADED && options->runner != POSIX_SEEDED)
		return -WEIR_EINVAL;
	if (options->cpus > POSIX_CPUS_MAX || options->ram_size % WEIR_PAGE_SIZE ||
	    options->ram_size > PHYS_LIMIT - WEIR_MODEL_MACHINE_RAM_BASE)
		return -WEIR_EINVAL;
	return 0;
}

static int create_cpus(struct posix_machine *machine)
{
	size_t size = sizeof(struct posix_cpu) * machine->nr_cpus;
	unsigned int i;

	machine->cpus = aligned_alloc(POSIX_CACHE_LINE, size);
	if (!machine->cpus)
		return -WEIR_ENOMEM;
	memset(machine->cpus, 0, size);
	for (i = 0; i < machine->nr_cpus; i++) {
		machine->cpus[i].machine = machine;
		machine->cpus[i].index = i;
	}
	return 0;
}

static int create_models(struct posix_machine *machine)
{
	struct weir_model_machine_config config = machine->options.machine;
	int err;

	config.ram = posix_memory_models_view(machine);
	config.ram_size = machine->options.ram_size;
	config.cpus = machine->nr_cpus;
	config.sink = (struct weir_model_irq_sink){ posix_irq_sink, machine };
	err = weir_model_machine_create(&config, &machine->models);
	if (err)
		return err;
	machine->bus = weir_model_machine_bus(machine->models);
	return posix_steppers_connect(machine);
}

/* Also takes down what posix_create() had made when it failed. */
void posix_destroy(struct posix_machine *machine)
{
	posix_works_stop(machine);
	if (machine->runner)
		machine->ops->stop(machine);
	if (machine->models) {
		posix_steppers_disconnect(machine);
		weir_model_machine_destroy(machine->models);
	}
	if (machine->runner)
		machine->ops->destroy(machine);
	posix_irqs_destroy(machine);
	posix_memory_destroy(machine);
	free(machine->cpus);
	free(machine);
}

static int create_parts(struct posix_machine *machine)
{
	int err = create_cpus(machine);

	if (!err)
		err = posix_memory_create(machine);
	if (!err)
		err = posix_irqs_create(machine);
	if (!err)
		err = machine->ops->create(machine);
	if (!err)
		err = create_models(machine);
	if (!err)
		err = machine->ops->start(machine);
	if (!err)
		err = posix_works_start(machine);
	return err;
}

int posix_create(const struct posix_options *options, struct posix_machine **machine)
{
	struct posix_machine *m;
	int err = check_options(options);

	if (err)
		return err;
	m = calloc(1, sizeof(*m));
	if (!m)
		return -WEIR_ENOMEM;
	m->options = *options;
	if (!m->options.ram_size)
		m->options.ram_size = RAM_SIZE_DEFAULT;
	m->nr_cpus = options->cpus ? options->cpus : 1;
	m->ops = options->runner == POSIX_SEEDED ? &posix_seeded_ops : &posix_threaded_ops;
	err = create_parts(m);
	if (err) {
		posix_destroy(m);
		return err;
	}
	*machine = m;
	return 0;
}

struct weir_model_machine *posix_models(struct posix_machine *machine)
{
	return machine->models;
}

void posix_set_weir(struct posix_machine *machine, struct weir *weir)
{
	/* Release: pairs with the acquire in plat_weir(). */
	__atomic_store_n(&machine->weir, weir, __ATOMIC_RELEASE);
}

uint64_t posix_trace_digest(struct posix_machine *machine)
{
	return machine->ops->digest(machine);
}

uint64_t posix_irq_wakeups(struct posix_machine *machine)
{
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < machine->nr_cpus; i++)
		sum += machine->ops->wakeups(&machine->cpus[i]);
	return sum;
}
