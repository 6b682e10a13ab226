/* SPDX-License-Identifier: MIT */

/*
 * A case through the SMMUv3 model, by the model's public interface alone. The machine is the one
 * that the vectors assume. The model is not given a window onto RAM, so that each of its writes is
 * seen: outside of the event queue there must be none.
 */

#include <string.h>

#include "tool.h"
#include "vectors.h"

#define STEP_BUDGET 4096u
#define STEPS_MAX 1024u
#define EVENTS_MAX 16u /* records that are looked at for one access; it makes one */
#define STORES_MAX 256u

struct player {
	struct weir_model_smmuv3 *smmu;
	struct ram *ram;
	struct arena *arena;
	struct vector_outcome *outcome; /* of the phase */
	uint64_t stores[STORES_MAX];	/* where the model wrote, since they were last judged */
	size_t store_count;
};

static const struct weir_model_smmuv3_config machine = {
	.idr = { 0x0d44101b, 0x02730010, 0, 0x1414, 0, 0x74, 0 },
	.aidr = 1,
	.gbpa = 0x1000,
	.never_merges = true, /* one may; those that were recorded do not */
	.tlb_entries = 1024,
	.seed = 1,
};

/* ---- The model's host ------------------------------------------------------------------- */

static enum weir_model_result load64(void *opaque, uint64_t addr, uint64_t *value)
{
	struct player *p = opaque;

	if (!ram_has(addr, sizeof(*value)))
		return WEIR_MODEL_ABORT;
	ram_read(p->ram, addr, value, sizeof(*value));
	return WEIR_MODEL_OK;
}

static enum weir_model_result store64(void *opaque, uint64_t addr, uint64_t value)
{
	struct player *p = opaque;

	if (!ram_has(addr, sizeof(value)))
		return WEIR_MODEL_ABORT;
	ram_write(p->ram, addr, &value, sizeof(value));
	if (p->store_count < STORES_MAX)
		p->stores[p->store_count++] = addr;
	return WEIR_MODEL_OK;
}

static const struct weir_model_host_ops host_ops = { .load64 = load64, .store64 = store64 };

static uint64_t rd(const struct player *p, uint64_t offset, unsigned int size)
{
	return weir_model_smmuv3_read(p->smmu, offset, size);
}

/* Until the model has nothing more to do: registers may acknowledge only then. */
static void step_all(struct player *p)
{
	struct weir_model_stepper *stepper = weir_model_smmuv3_stepper(p->smmu);

	for (unsigned int i = 0; i < STEPS_MAX; i++)
		if (stepper->step(stepper, STEP_BUDGET) < STEP_BUDGET)
			return;
	p->outcome->restless = true;
}

static void wr(struct player *p, uint64_t offset, unsigned int size, uint64_t value)
{
	weir_model_smmuv3_write(p->smmu, offset, size, value);
	step_all(p);
}

/* ---- Queues ----------------------------------------------------------------------------- */

struct queue {
	uint64_t base;
	uint32_t entries;
};

static struct queue queue_at(const struct player *p, uint64_t reg, unsigned int align)
{
	uint64_t value = rd(p, reg, 8);
	uint64_t log2size = WEIR_SMMU_FIELD_GET(WEIR_SMMU_Q_BASE_LOG2SIZE, value);

	if (log2size > WEIR_SMMU_Q_LOG2SIZE_MAX)
		log2size = WEIR_SMMU_Q_LOG2SIZE_MAX;
	return (struct queue){ .base = value & WEIR_GENMASK(51, align), .entries = 1u << log2size };
}

/* Its base is aligned to its size (6.3.29). */
static struct queue event_queue(const struct player *p)
{
	struct queue q = queue_at(p, WEIR_SMMU_EVENTQ_BASE, 5);

	q.base &= ~((uint64_t)q.entries * WEIR_SMMU_EVT_SIZE - 1);
	return q;
}

/* What the model wrote since the last time is in the event queue, or it is stray. */
static void judge_stores(struct player *p)
{
	struct queue q = event_queue(p);
	uint64_t size = (uint64_t)q.entries * WEIR_SMMU_EVT_SIZE;

	for (size_t i = 0; i < p->store_count; i++) {
		if (p->stores[i] - q.base < size || p->outcome->stray)
			continue;
		p->outcome->stray = true;
		p->outcome->stray_addr = p->stores[i];
	}
	p->store_count = 0;
}

static void play_batch(struct player *p, const struct vector_batch *batch)
{
	struct queue q = queue_at(p, WEIR_SMMU_CMDQ_BASE, 6);
	uint32_t prod = (uint32_t)rd(p, WEIR_SMMU_CMDQ_PROD, 4);

	for (size_t i = 0; i < batch->count; i++, prod++)
		ram_write(p->ram, q.base + (uint64_t)(prod % q.entries) * WEIR_SMMU_CMD_SIZE,
			  batch->cmds[i], WEIR_SMMU_CMD_SIZE);
	wr(p, WEIR_SMMU_CMDQ_PROD, 4, prod % (2 * q.entries));
}

/* The records that were added since the queue was at `prod`. */
static void collect_events(struct player *p, uint32_t prod, struct vector_result *result)
{
	struct queue q = event_queue(p);
	uint32_t added = ((uint32_t)rd(p, WEIR_SMMU_EVENTQ_PROD, 4) - prod) % (2 * q.entries);
	struct vector_event *events;

	if (added > EVENTS_MAX)
		added = EVENTS_MAX;
	result->events = events = arena_alloc(p->arena, added * sizeof(*events));
	result->event_count = added;
	for (uint32_t i = 0; i < added; i++)
		ram_read(p->ram, q.base + (uint64_t)((prod + i) % q.entries) * WEIR_SMMU_EVT_SIZE,
			 events[i].word, WEIR_SMMU_EVT_SIZE);
}

/* ---- Phases ----------------------------------------------------------------------------- */

static void play_regs(struct player *p, const struct vector_phase *phase)
{
	uint64_t *next;

	p->outcome->rd = next = arena_alloc(p->arena, phase->reads * sizeof(*next));
	for (size_t i = 0; i < phase->reg_count; i++) {
		const struct vector_reg *reg = &phase->regs[i];

		if (reg->read)
			*next++ = rd(p, reg->offset, reg->size);
		else
			wr(p, reg->offset, reg->size, reg->value);
	}
}

/* A write leaves no trace: where it would land is all that is asked. */
static void play_access(struct player *p, const struct vector_access *access,
			struct vector_result *result)
{
	struct weir_model_txn txn = {
		.addr = access->va,
		.stream = access->sid,
		.len = access->len,
		.flags = access->write ? WEIR_MODEL_TXN_WRITE : 0,
		.attributes = WEIR_MODEL_ATTR_PCIE,
	};
	uint32_t prod = (uint32_t)rd(p, WEIR_SMMU_EVENTQ_PROD, 4);
	struct weir_model_translation out;
	uint8_t *data = arena_alloc(p->arena, access->len);

	if (weir_model_smmuv3_translate(p->smmu, &txn, &out) == WEIR_MODEL_OK) {
		result->ok = ram_has(out.addr, access->len);
		if (result->ok && !access->write)
			ram_read(p->ram, out.addr, data, access->len);
		weir_model_smmuv3_complete(p->smmu, &out);
	}
	result->has_hit = access->write;
	result->hits = access->write && result->ok;
	result->hit = result->hits ? out.addr : 0;
	result->data = access->write ? NULL : data;
	collect_events(p, prod, result);
}

static void collect_q(struct player *p)
{
	static const uint64_t offsets[VECTOR_Q] = {
		[VECTOR_GERROR] = WEIR_SMMU_GERROR,
		[VECTOR_CMDQ_PROD] = WEIR_SMMU_CMDQ_PROD,
		[VECTOR_CMDQ_CONS] = WEIR_SMMU_CMDQ_CONS,
		[VECTOR_EVENTQ_PROD] = WEIR_SMMU_EVENTQ_PROD,
		[VECTOR_EVENTQ_CONS] = WEIR_SMMU_EVENTQ_CONS,
	};
	uint64_t active = rd(p, WEIR_SMMU_GERROR, 4) ^ rd(p, WEIR_SMMU_GERRORN, 4);

	for (size_t i = 0; i < VECTOR_Q; i++)
		p->outcome->q[i] = rd(p, offsets[i], 4);
	p->outcome->cmdq_error = active & WEIR_SMMU_GERROR_CMDQ_ERR;
	p->outcome->has_q = true;
}

static void play_phase(struct player *p, const struct vector_phase *phase)
{
	struct vector_outcome *outcome = p->outcome;

	for (size_t i = 0; i < phase->mems; i++)
		ram_write(p->ram, phase->mem[i].addr, phase->mem[i].bytes, phase->mem[i].len);
	play_regs(p, phase);
	for (size_t i = 0; i < phase->batch_count; i++)
		play_batch(p, &phase->batches[i]);
	judge_stores(p);
	outcome->results = arena_alloc(p->arena, phase->access_count * sizeof(*outcome->results));
	for (size_t i = 0; i < phase->access_count; i++) {
		play_access(p, &phase->accesses[i], &outcome->results[i]);
		judge_stores(p);
	}
	collect_q(p);
}

struct vector_outcome *vector_play(const struct vector *vector, struct ram *ram,
				   enum weir_model_smmuv3_caches caches, struct arena *arena)
{
	struct weir_model_smmuv3_config config = machine;
	struct player p = { .ram = ram, .arena = arena };
	struct weir_model_host host = { .ops = &host_ops, .opaque = &p };
	struct vector_outcome *outcomes =
		arena_alloc(arena, vector->phase_count * sizeof(*outcomes));
	int ret;

	config.caches = caches;
	ret = weir_model_smmuv3_create(&host, &config, &p.smmu);
	if (ret) {
		complain("the model of the SMMUv3 could not be made: error %d", -ret);
		return NULL;
	}
	for (size_t i = 0; i < vector->phase_count; i++) {
		p.outcome = &outcomes[i];
		play_phase(&p, &vector->phases[i]);
	}
	weir_model_smmuv3_destroy(p.smmu);
	ram_clear(ram);
	return outcomes;
}
