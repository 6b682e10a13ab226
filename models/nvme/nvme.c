/* SPDX-License-Identifier: MIT */
/*
 * The controller as a PCI function: creation, step, knobs, counters. Data structures and locking:
 * nvme.h.
 */

#include <stdio.h>
#include <stdlib.h>

#include "nvme/nvme.h"

#define VENDOR 0x1b36 /* a vendor with IDs for virtual devices */
#define DEVICE 0x0b1c

/* ---- Step ---- */

/* The knob stop_after. */
static bool silent(const struct weir_model_nvme *nvme)
{
	return nvme->active.stop_after && nvme->started >= nvme->active.stop_after;
}

/* Do some of the work that there is; returns the units done, 0: there is none. */
static unsigned int serve(struct weir_model_nvme *nvme, unsigned int budget)
{
	if (nvme->transfer.active)
		return weir_model_nvme_io_move(nvme, budget);
	if (silent(nvme))
		return 0;
	weir_model_nvme_report_events(nvme);
	if (weir_model_nvme_admin(nvme))
		return 1;
	if (!nvme->running || (!nvme->in_order && !weir_model_nvme_io_fetch(nvme)))
		return 0;
	weir_model_nvme_io_start(nvme);
	return 1;
}

static void look_at_control(struct weir_model_nvme *nvme)
{
	/* Pairs with the release in weir_model_nvme_changed(). */
	if (__atomic_load_n(&nvme->control, __ATOMIC_ACQUIRE))
		weir_model_nvme_control(nvme);
}

static unsigned int step(struct weir_model_stepper *stepper, unsigned int budget)
{
	struct weir_model_nvme *nvme = WEIR_CONTAINER_OF(stepper, struct weir_model_nvme, stepper);
	unsigned int done = 0;

	look_at_control(nvme);
	while (nvme->running && done < budget) {
		unsigned int units = serve(nvme, budget - done);

		if (!units)
			break;
		done += units;
		look_at_control(nvme);
	}
	weir_model_nvme_interrupt(nvme);
	return done;
}

/* ---- Reset of the function: registers at once, queues by step() ---- */

static void reset(struct weir_model_pci_function *fn)
{
	struct weir_model_nvme *nvme = WEIR_CONTAINER_OF(fn, struct weir_model_nvme, fn);

	pthread_mutex_lock(&nvme->lock);
	nvme->regs = (struct nvme_regs){ .cc = 0 };
	nvme->reset_wanted = true;
	weir_model_nvme_changed(nvme);
	pthread_mutex_unlock(&nvme->lock);
	weir_model_kick(&nvme->stepper);
}

/* ---- Life ---- */

static bool config_valid(const struct weir_model_nvme_config *config)
{
	const char *wrong = NULL;

	if (!config->disk.read)
		wrong = "a disk that cannot be read";
	else if (!config->disk.size)
		wrong = "an empty disk";
	else if (config->block_size && config->block_size != 512 && config->block_size != 4096)
		wrong = "a block size that is neither 512 nor 4096";
	else if (config->max_queues > NVME_QUEUES_MAX)
		wrong = "more than 255 queue pairs";
	else if (config->max_entries == 1 || config->max_entries > 65536)
		wrong = "a queue size outside 2 to 65536";
	else if (config->mdts > NVME_MDTS_MAX)
		wrong = "transfers of more than 4 MiB";
	if (wrong)
		fprintf(stderr, "nvme model: %s\n", wrong);
	return !wrong;
}

static void free_memory(struct weir_model_nvme *nvme)
{
	free(nvme->bounce);
	free(nvme->cq);
	free(nvme->sq);
	free(nvme);
}

static struct weir_model_nvme *allocate(const struct weir_model_nvme_config *config)
{
	struct weir_model_nvme *nvme = calloc(1, sizeof(*nvme));

	if (!nvme)
		return NULL;
	nvme->disk = config->disk;
	nvme->block_shift = config->block_size == 4096 ? 12 : 9;
	nvme->blocks = ((config->disk.size - 1) >> nvme->block_shift) + 1;
	nvme->max_queues = config->max_queues ? config->max_queues : 16;
	nvme->max_entries = config->max_entries ? config->max_entries : 1024;
	nvme->mdts = config->mdts ? config->mdts : 5;
	nvme->random = config->seed ? config->seed : 1;
	nvme->sq = calloc(nvme->max_queues + 1, sizeof(*nvme->sq));
	nvme->cq = calloc(nvme->max_queues + 1, sizeof(*nvme->cq));
	nvme->bounce = malloc((size_t)NVME_PAGE << nvme->mdts);
	if (nvme->sq && nvme->cq && nvme->bounce)
		return nvme;
	free_memory(nvme);
	return NULL;
}

static int add_function(struct weir_model_nvme *nvme, struct weir_model_pcie *rc,
			struct weir_model_pci_bridge *parent, uint8_t devfn)
{
	struct weir_model_pci_desc desc = {
		.name = "nvme",
		.vendor = VENDOR,
		.device = DEVICE,
		.subsystem_vendor = VENDOR,
		.subsystem = DEVICE,
		.class_code = WEIR_NVME_PCI_CLASS,
		.revision = 1,
		.bars[0] = { .size = NVME_BAR_SIZE,
			     .is64 = true,
			     .ops = &weir_model_nvme_mmio_ops,
			     .opaque = nvme },
		.msix_vectors = nvme->max_queues + 1,
		.msix_bar = 0,
		.msix_offset = NVME_MSIX_OFFSET,
		.express = true,
		.reset = reset,
	};

	return weir_model_pci_add(rc, parent, devfn, &desc, &nvme->fn);
}

int weir_model_nvme_create(struct weir_model_pcie *rc, struct weir_model_pci_bridge *parent,
			   uint8_t devfn, const struct weir_model_nvme_config *config,
			   struct weir_model_nvme **result)
{
	struct weir_model_nvme *nvme;
	int ret;

	if (!config_valid(config))
		return -WEIR_EINVAL;
	nvme = allocate(config);
	if (!nvme)
		return -WEIR_ENOMEM;
	if (pthread_mutex_init(&nvme->lock, NULL)) {
		free_memory(nvme);
		return -WEIR_ENOMEM;
	}
	nvme->stepper = (struct weir_model_stepper){ .name = "nvme", .step = step };
	weir_model_nvme_forget(nvme);
	weir_model_nvme_features_reset(nvme);
	ret = add_function(nvme, rc, parent, devfn);
	if (ret) {
		pthread_mutex_destroy(&nvme->lock);
		free_memory(nvme);
		return ret;
	}
	*result = nvme;
	return 0;
}

void weir_model_nvme_destroy(struct weir_model_nvme *nvme)
{
	if (!nvme)
		return;
	weir_model_pci_remove(&nvme->fn);
	pthread_mutex_destroy(&nvme->lock);
	free_memory(nvme);
}

struct weir_model_stepper *weir_model_nvme_stepper(struct weir_model_nvme *nvme)
{
	return &nvme->stepper;
}

void weir_model_nvme_set_faults(struct weir_model_nvme *nvme,
				const struct weir_model_nvme_faults *faults)
{
	pthread_mutex_lock(&nvme->lock);
	nvme->faults = *faults;
	nvme->faults_changed = true;
	__atomic_store_n(&nvme->dead, faults->dead, __ATOMIC_RELAXED);
	weir_model_nvme_changed(nvme);
	pthread_mutex_unlock(&nvme->lock);
	weir_model_kick(&nvme->stepper);
}

void weir_model_nvme_get_stats(struct weir_model_nvme *nvme, struct weir_model_nvme_stats *stats)
{
	const struct weir_model_nvme_stats *from = &nvme->stats;

	stats->admin_commands = __atomic_load_n(&from->admin_commands, __ATOMIC_RELAXED);
	stats->io_commands = __atomic_load_n(&from->io_commands, __ATOMIC_RELAXED);
	stats->bytes_read = __atomic_load_n(&from->bytes_read, __ATOMIC_RELAXED);
	stats->bytes_written = __atomic_load_n(&from->bytes_written, __ATOMIC_RELAXED);
	stats->dma_errors = __atomic_load_n(&from->dma_errors, __ATOMIC_RELAXED);
	stats->interrupts = __atomic_load_n(&from->interrupts, __ATOMIC_RELAXED);
}
