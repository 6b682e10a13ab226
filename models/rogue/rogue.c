/* SPDX-License-Identifier: MIT */
/*
 * The rogue device (weir/model/rogue.h, weir/hw/rogue.h).
 *
 * Register accesses come from any thread, step() from one at a time. `lock` guards the registers
 * and the list; it is not held across DMA or the interrupt. A doorbell or a reset begins a new
 * `run`: an access that was under way in an earlier one is not counted in the registers any more.
 * Counters of `stats` are written by step() alone and read by anybody, relaxed.
 */

#include <pthread.h>
#include <stdlib.h>

#include <weir/hw/rogue.h>
#include <weir/model/rogue.h>

#define LIST_BYTES (WEIR_ROGUE_LIST_MAX * 8u)

struct weir_model_rogue {
	struct weir_model_pci_function fn;
	struct weir_model_stepper stepper;

	pthread_mutex_t lock;
	uint32_t count; /* the register */
	uint32_t blocked, hits;
	uint32_t next, end; /* entries of the run: [next, end) are still to be tried */
	bool busy;
	uint64_t run;
	uint64_t list[WEIR_ROGUE_LIST_MAX];

	struct weir_model_rogue_stats stats;
};

static void count(uint64_t *counter)
{
	__atomic_store_n(counter, *counter + 1, __ATOMIC_RELAXED);
}

/* ---- Registers ---- */

static uint32_t read_word(const struct weir_model_rogue *rogue, uint64_t offset)
{
	if (offset >= WEIR_ROGUE_LIST && offset - WEIR_ROGUE_LIST < LIST_BYTES) {
		uint64_t entry = rogue->list[(offset - WEIR_ROGUE_LIST) / 8];

		return (uint32_t)(offset & 4 ? entry >> 32 : entry);
	}
	switch (offset) {
	case WEIR_ROGUE_ID:
		return WEIR_ROGUE_MAGIC;
	case WEIR_ROGUE_COUNT:
		return rogue->count;
	case WEIR_ROGUE_STATUS:
		return rogue->busy ? WEIR_ROGUE_BUSY : 0;
	case WEIR_ROGUE_BLOCKED:
		return rogue->blocked;
	case WEIR_ROGUE_HITS:
		return rogue->hits;
	default:
		return 0;
	}
}

/* True: a run began. */
static bool ring(struct weir_model_rogue *rogue, uint32_t value)
{
	if (value != 1 || rogue->busy)
		return false;
	rogue->busy = true;
	rogue->run++;
	rogue->next = 0;
	rogue->end = rogue->count;
	rogue->blocked = 0;
	rogue->hits = 0;
	return true;
}

static bool write_word(struct weir_model_rogue *rogue, uint64_t offset, uint32_t value)
{
	if (offset >= WEIR_ROGUE_LIST && offset - WEIR_ROGUE_LIST < LIST_BYTES) {
		uint64_t *entry = &rogue->list[(offset - WEIR_ROGUE_LIST) / 8];

		if (offset & 4)
			*entry = (uint32_t)*entry | (uint64_t)value << 32;
		else
			*entry = (*entry & ~(uint64_t)UINT32_MAX) | value;
	} else if (offset == WEIR_ROGUE_COUNT) {
		rogue->count = value < WEIR_ROGUE_LIST_MAX ? value : WEIR_ROGUE_LIST_MAX;
	} else if (offset == WEIR_ROGUE_DOORBELL) {
		return ring(rogue, value);
	}
	return false;
}

/* Registers are 32 bits wide, a 64-bit access is two; narrower reads take their part. */
static enum weir_model_result mmio_read(void *opaque, uint64_t offset, unsigned int size,
					uint32_t requester, uint64_t *value)
{
	struct weir_model_rogue *rogue = opaque;

	(void)requester;
	pthread_mutex_lock(&rogue->lock);
	*value = read_word(rogue, offset & ~(uint64_t)3);
	if (size == 8)
		*value |= (uint64_t)read_word(rogue, offset + 4) << 32;
	pthread_mutex_unlock(&rogue->lock);
	if (size < 4)
		*value = (*value >> (8 * (offset & 3))) & (WEIR_BIT(8 * size) - 1);
	return WEIR_MODEL_OK;
}

static enum weir_model_result mmio_write(void *opaque, uint64_t offset, unsigned int size,
					 uint32_t requester, uint64_t value)
{
	struct weir_model_rogue *rogue = opaque;
	bool began;

	(void)requester;
	if (size < 4)
		return WEIR_MODEL_OK;
	pthread_mutex_lock(&rogue->lock);
	began = write_word(rogue, offset, (uint32_t)value);
	if (size == 8)
		began |= write_word(rogue, offset + 4, (uint32_t)(value >> 32));
	pthread_mutex_unlock(&rogue->lock);
	if (began)
		weir_model_kick(&rogue->stepper);
	return WEIR_MODEL_OK;
}

static const struct weir_model_mmio_ops mmio_ops = {
	.read = mmio_read,
	.write = mmio_write,
};

static void reset(struct weir_model_pci_function *fn)
{
	struct weir_model_rogue *rogue = WEIR_CONTAINER_OF(fn, struct weir_model_rogue, fn);

	pthread_mutex_lock(&rogue->lock);
	rogue->run++;
	rogue->busy = false;
	rogue->count = 0;
	rogue->blocked = 0;
	rogue->hits = 0;
	pthread_mutex_unlock(&rogue->lock);
}

/* ---- Accesses ---- */

static enum weir_model_result try_entry(struct weir_model_rogue *rogue, uint64_t entry)
{
	uint64_t addr = entry & ~(uint64_t)7;
	uint64_t word = WEIR_ROGUE_PATTERN;
	enum weir_model_result result;

	if (entry & WEIR_ROGUE_WRITE)
		result = weir_model_pci_write(&rogue->fn, addr, &word, sizeof(word));
	else
		result = weir_model_pci_read(&rogue->fn, addr, &word, sizeof(word));
	count(&rogue->stats.attempts);
	count(entry & WEIR_ROGUE_WRITE ? &rogue->stats.writes : &rogue->stats.reads);
	if (result == WEIR_MODEL_OK)
		count(&rogue->stats.hits);
	else
		count(result == WEIR_MODEL_BLOCKED ? &rogue->stats.blocked : &rogue->stats.aborted);
	return result;
}

/* The next entry of the run; false: there is none, and if a run just ended, `*done`. */
static bool take_entry(struct weir_model_rogue *rogue, uint64_t *entry, uint64_t *run, bool *done)
{
	bool taken = false;

	pthread_mutex_lock(&rogue->lock);
	*run = rogue->run;
	if (rogue->busy && rogue->next < rogue->end) {
		*entry = rogue->list[rogue->next++];
		taken = true;
	} else if (rogue->busy) {
		rogue->busy = false;
		*done = true;
	}
	pthread_mutex_unlock(&rogue->lock);
	return taken;
}

static void note(struct weir_model_rogue *rogue, uint64_t run, enum weir_model_result result)
{
	pthread_mutex_lock(&rogue->lock);
	if (run == rogue->run) {
		rogue->hits += result == WEIR_MODEL_OK;
		rogue->blocked += result != WEIR_MODEL_OK;
	}
	pthread_mutex_unlock(&rogue->lock);
}

static unsigned int step(struct weir_model_stepper *stepper, unsigned int budget)
{
	struct weir_model_rogue *rogue =
		WEIR_CONTAINER_OF(stepper, struct weir_model_rogue, stepper);
	unsigned int units = 0;
	uint64_t entry, run;
	bool done = false;

	while (units < budget && take_entry(rogue, &entry, &run, &done)) {
		note(rogue, run, try_entry(rogue, entry));
		units++;
	}
	if (done)
		weir_model_pci_msix(&rogue->fn, 0);
	return units;
}

/* ---- Life ---- */

int weir_model_rogue_create(struct weir_model_pcie *rc, struct weir_model_pci_bridge *parent,
			    uint8_t devfn, struct weir_model_rogue **result)
{
	struct weir_model_rogue *rogue = calloc(1, sizeof(*rogue));
	struct weir_model_pci_desc desc = {
		.name = "rogue",
		.vendor = WEIR_ROGUE_VENDOR,
		.device = WEIR_ROGUE_DEVICE,
		.subsystem_vendor = WEIR_ROGUE_VENDOR,
		.subsystem = WEIR_ROGUE_DEVICE,
		.class_code = WEIR_ROGUE_CLASS,
		.bars[0] = { .size = WEIR_ROGUE_BAR_SIZE, .ops = &mmio_ops, .opaque = rogue },
		.msix_vectors = 1,
		.msix_bar = 0,
		.msix_offset = WEIR_ROGUE_MSIX,
		.express = true,
		.reset = reset,
	};
	int ret = -WEIR_ENOMEM;

	if (!rogue)
		return ret;
	if (pthread_mutex_init(&rogue->lock, NULL))
		goto no_lock;
	rogue->stepper = (struct weir_model_stepper){ .name = "rogue", .step = step };
	ret = weir_model_pci_add(rc, parent, devfn, &desc, &rogue->fn);
	if (ret)
		goto no_function;
	*result = rogue;
	return 0;

no_function:
	pthread_mutex_destroy(&rogue->lock);
no_lock:
	free(rogue);
	return ret;
}

void weir_model_rogue_destroy(struct weir_model_rogue *rogue)
{
	if (!rogue)
		return;
	weir_model_pci_remove(&rogue->fn);
	pthread_mutex_destroy(&rogue->lock);
	free(rogue);
}

struct weir_model_stepper *weir_model_rogue_stepper(struct weir_model_rogue *rogue)
{
	return &rogue->stepper;
}

void weir_model_rogue_get_stats(struct weir_model_rogue *rogue,
				struct weir_model_rogue_stats *stats)
{
	const struct weir_model_rogue_stats *from = &rogue->stats;

	stats->attempts = __atomic_load_n(&from->attempts, __ATOMIC_RELAXED);
	stats->reads = __atomic_load_n(&from->reads, __ATOMIC_RELAXED);
	stats->writes = __atomic_load_n(&from->writes, __ATOMIC_RELAXED);
	stats->blocked = __atomic_load_n(&from->blocked, __ATOMIC_RELAXED);
	stats->aborted = __atomic_load_n(&from->aborted, __ATOMIC_RELAXED);
	stats->hits = __atomic_load_n(&from->hits, __ATOMIC_RELAXED);
}
