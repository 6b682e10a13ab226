/* SPDX-License-Identifier: MIT */
/*
 * Driver against model through the whole stack, under the seeded runner: weir and its SMMUv3 driver
 * on two CPUs, the NVMe driver bound and idle, and two masters of the test's own, each driven by a
 * task on a CPU of its own. A run of one build repeats from its seed, which a failure names.
 *
 * - What is mapped (single, list, coherent; either direction and both) is reached by its device, at
 *   the right memory and with the right permission; nothing else is: not after unmap returned, not
 *   beside a mapping, not what is mapped for the other device. The oracle is a table of pages.
 * - While its owner maps or unmaps on the other CPU, what else is mapped stays reachable.
 * - An unmap does not return while a transaction that found the mapping is in flight.
 * - A write changes the bytes that it names and no others: memory holds a pattern throughout.
 * - Each blocked access is reported while the queue keeps up, or counted as lost where it is small
 *   or swamped. In the end nothing is mapped or leaked.
 *
 * Arguments: how many seeds, the first of them, steps of each.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <libfdt.h>

#include <weir/dma.h>
#include <weir/sys.h>

#include "stack.h"

#define PAGE WEIR_PAGE_SIZE
#define BLOCK (2u << 20)
#define DEVICES 2u
#define AREAS 6u /* of 4 MiB, the memory that is mapped */
#define AREA_SIZE (4u << 20)
#define MAX_LIVE 48u
#define MAX_SG 12u
#define RECENT 128u
#define TABLE_SIZE (1u << 15)
#define BACKLOG 2000u /* below what the event queue holds */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

/* Steps are each device's. */
#ifdef SANITIZED
static unsigned long seeds = 8, first_seed = 1, steps = 5000;
#else
static unsigned long seeds = 20, first_seed = 1, steps = 20000;
#endif

/* A page of a device's addresses. */
struct leaf {
	uint64_t key; /* frame + 1; 0: never used */
	uint64_t phys;
	uint32_t freed; /* unmaps of it that have returned */
	uint8_t prot;	/* 0: not mapped, or about to be unmapped */
};

enum kind { SINGLE, LIST, COHERENT };

struct live {
	enum kind kind;
	enum weir_dma_dir dir;
	weir_dma_t addr;
	size_t size;
	void *virt;
	unsigned int nents;
	struct weir_sg sg[MAX_SG];
};

/* A device, and the task that maps for it. Only the task changes what is here. */
struct master {
	struct run *run;
	struct weir_device dev;
	struct weir_model_port port;
	uint64_t random;
	struct live live[MAX_LIVE];
	unsigned int live_count;
	weir_dma_t recent[RECENT];
	unsigned int recents;
	bool busy; /* inside map or unmap: what is mapped is more than the oracle says */
	struct leaf pages[TABLE_SIZE];
};

struct run {
	struct stack stack;
	uint64_t seed;
	unsigned long steps;
	weir_phys_t area[AREAS];
	struct master masters[DEVICES];
	uint64_t blocked;
	uint64_t heard;
};

/* Over all seeds. */
static struct {
	uint64_t steps, pages, reused, blocks, leaves, singles, lists, coherents;
	uint64_t reached, blocked, lost, flights, syncs, walks, hits, lookups;
} sum;

/* On threads from which cmocka cannot come back. */
#define CHECK(run, condition)                                                                      \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: seed %llu: not true: %s\n", __FILE__, __LINE__,    \
				(unsigned long long)(run)->seed, #condition);                      \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static uint64_t rnd(struct master *m, uint64_t below)
{
	m->random ^= m->random << 13;
	m->random ^= m->random >> 7;
	m->random ^= m->random << 17;
	return m->random % below;
}

static void *virt_of(const struct run *r, uint64_t phys)
{
	return plat_phys_to_virt(r->stack.machine, (weir_phys_t)phys);
}

/* ---- The pattern: each byte of memory says where it is ------------------------------------ */

static uint64_t pattern(uint64_t phys)
{
	return (phys / 8 + 1) * 0x9e3779b97f4a7c15ull;
}

static void fill(struct run *r, uint64_t phys, size_t size)
{
	uint64_t *word = virt_of(r, phys);

	for (size_t i = 0; i < size / 8; i++)
		word[i] = pattern(phys + 8 * i);
}

static uint8_t pattern_byte(uint64_t phys)
{
	return (uint8_t)(pattern(phys) >> 8 * (phys % 8));
}

static void check_pattern(struct run *r, uint64_t phys, size_t size)
{
	const uint64_t *word = virt_of(r, phys);

	for (size_t i = 0; i < size / 8; i++)
		CHECK(r, word[i] == pattern(phys + 8 * i));
}

/* ---- The oracle --------------------------------------------------------------------------- */

static struct leaf *page_of(struct master *m, uint64_t addr, bool make)
{
	uint64_t key = addr / PAGE + 1;
	uint32_t i = (uint32_t)(key * 0x9e3779b97f4a7c15ull >> 40) % TABLE_SIZE, tries = 0;

	for (;; i = (i + 1) % TABLE_SIZE) {
		struct leaf *page = &m->pages[i];

		if (page->key == key)
			return page;
		if (!page->key && !make)
			return NULL;
		if (!page->key) {
			page->key = key;
			sum.pages++;
			return page;
		}
		CHECK(m->run, ++tries < TABLE_SIZE / 2);
	}
}

static void oracle_map(struct master *m, uint64_t addr, uint64_t phys, size_t size, uint8_t prot)
{
	uint64_t at = addr & WEIR_PAGE_MASK, end = WEIR_ALIGN_UP(addr + size, PAGE);

	phys &= WEIR_PAGE_MASK;
	for (uint64_t left = end - at; left; at += PAGE, phys += PAGE, left -= PAGE) {
		struct leaf *page = page_of(m, at, true);

		CHECK(m->run, !page->prot);
		sum.reused += page->freed != 0;
		sum.leaves++;
		sum.blocks += !(at % BLOCK) && !(phys % BLOCK) && left >= BLOCK;
		page->phys = phys;
		page->prot = prot;
	}
}

/* Before the unmap: from here on it may be gone. After it: it is. */
static void oracle_unmap(struct master *m, uint64_t addr, size_t size, bool returned)
{
	for (uint64_t at = addr & WEIR_PAGE_MASK; at < addr + size; at += PAGE) {
		struct leaf *page = page_of(m, at, false);

		CHECK(m->run, page && !page->prot == returned);
		page->prot = 0;
		page->freed += returned;
	}
}

/* Stage 1 cannot grant writing alone (DDI 0487, AP[2:1]): what may be written may be read. */
static uint8_t prot_of(enum weir_dma_dir dir)
{
	return dir == WEIR_DMA_TO_DEVICE ? 1 : 3;
}

/* ---- Accesses ----------------------------------------------------------------------------- */

static void check_read(struct master *m, uint64_t phys, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		CHECK(m->run, data[i] == pattern_byte(phys + i));
}

/* The bytes that the device wrote are there, and the pattern is put back. */
static void check_write(struct master *m, uint64_t phys, const uint8_t *data, size_t len)
{
	uint8_t *at = virt_of(m->run, phys);

	CHECK(m->run, !memcmp(at, data, len));
	for (size_t i = 0; i < len; i++)
		at[i] = pattern_byte(phys + i);
}

static bool transfer(struct master *m, uint64_t addr, uint8_t *data, size_t len, bool write)
{
	enum weir_model_result result;

	if (write) {
		for (size_t i = 0; i < len; i++)
			data[i] = (uint8_t)rnd(m, 256);
		result = weir_model_port_write(&m->port, addr, data, len);
	} else {
		memset(data, 0xcc, len);
		result = weir_model_port_read(&m->port, addr, data, len);
	}
	CHECK(m->run, result == WEIR_MODEL_OK || result == WEIR_MODEL_BLOCKED);
	m->run->blocked += result == WEIR_MODEL_BLOCKED;
	for (size_t i = 0; !write && result != WEIR_MODEL_OK && i < len; i++)
		CHECK(m->run, !data[i]);
	return result == WEIR_MODEL_OK;
}

/*
 * An access of up to 16 bytes within a page, by device `m`. No other thread runs during it; but the
 * owner may be inside a map or an unmap, and then only what is mapped for certain is.
 */
static void probe(struct master *m, uint64_t addr, bool write)
{
	size_t len = 1 + rnd(m, 16), room = PAGE - addr % PAGE;
	const struct leaf *page = page_of(m, addr, false);
	bool may = page && (page->prot & (write ? 2 : 1)), ok;
	uint8_t data[16];

	len = len < room ? len : room;
	if (m->busy && !may)
		return;
	ok = transfer(m, addr, data, len, write);
	CHECK(m->run, ok == may);
	if (ok && write)
		check_write(m, page->phys + addr % PAGE, data, len);
	else if (ok)
		check_read(m, page->phys + addr % PAGE, data, len);
	sum.reached += ok;
}

/* A transaction that takes its time, with whatever the scheduler puts in between. */
static void hold(struct master *m, struct master *of)
{
	struct weir_model_txn txn = { .stream = of->port.stream,
				      .len = 1,
				      .attributes = WEIR_MODEL_ATTR_PCIE };
	struct weir_model_translation out;
	const struct live *l = of->live_count ? &of->live[rnd(m, of->live_count)] : NULL;
	const struct leaf *page = l ? page_of(of, l->addr, false) : NULL;
	uint32_t freed;

	if (!page || !page->prot)
		return;
	freed = page->freed;
	txn.addr = (page->key - 1) * PAGE;
	CHECK(m->run,
	      weir_model_smmuv3_iommu_ops.translate(of->port.iommu, &txn, &out) == WEIR_MODEL_OK);
	CHECK(m->run, out.addr == page->phys);
	for (unsigned int i = (unsigned int)rnd(m, 12); i; i--)
		plat_relax(m->run->stack.machine);
	CHECK(m->run, page->freed == freed);
	weir_model_smmuv3_iommu_ops.complete(of->port.iommu, &out);
	sum.flights++;
}

/* ---- Mappings ----------------------------------------------------------------------------- */

static weir_phys_t somewhere(struct master *m, size_t size)
{
	weir_phys_t phys = m->run->area[rnd(m, AREAS)];

	if (size >= AREA_SIZE)
		return phys;
	if (size >= BLOCK)
		return phys + rnd(m, 2) * (AREA_SIZE - size) / PAGE * PAGE;
	return phys + (rnd(m, 3) ? rnd(m, (AREA_SIZE - size) / PAGE + 1) * PAGE :
				   rnd(m, AREA_SIZE - size));
}

static size_t some_size(struct master *m)
{
	switch (rnd(m, 32)) {
	case 0:
		return BLOCK * (1 + rnd(m, 2));
	case 1:
	case 2:
		return 1 + rnd(m, 40 * PAGE);
	default:
		return 1 + rnd(m, 2 * PAGE);
	}
}

static void map_single(struct master *m, struct live *l)
{
	weir_phys_t phys;

	l->size = some_size(m);
	phys = somewhere(m, l->size);
	if (rnd(m, 2))
		l->addr = weir_dma_map_phys(&m->dev, phys, l->size, l->dir, 0, WEIR_HERE);
	else
		l->addr = weir_dma_map_single(&m->dev, virt_of(m->run, phys), l->size, l->dir, 0,
					      WEIR_HERE);
	CHECK(m->run, !weir_dma_is_error(l->addr));
	oracle_map(m, l->addr, phys, l->size, prot_of(l->dir));
	sum.singles++;
}

/* The segments say where the entries went, in order. */
static void learn_list(struct master *m, struct live *l)
{
	const struct weir_sg *seg = l->sg;
	unsigned int done = 0;

	l->addr = seg->dma_address;
	for (unsigned int i = 0; i < l->nents; i++) {
		oracle_map(m, seg->dma_address + done, weir_sg_phys(&l->sg[i]), l->sg[i].length,
			   prot_of(l->dir));
		done += l->sg[i].length;
		CHECK(m->run, done <= seg->dma_length);
		if (done == seg->dma_length) {
			l->size = seg->dma_address + done - l->addr;
			seg++;
			done = 0;
		}
	}
	CHECK(m->run, !done);
}

static void map_list(struct master *m, struct live *l)
{
	l->nents = 1 + (unsigned int)rnd(m, MAX_SG);
	for (unsigned int i = 0; i < l->nents; i++) {
		unsigned int length =
			(unsigned int)(rnd(m, 2) ? PAGE * (1 + rnd(m, 3)) : 1 + rnd(m, 2 * PAGE));
		weir_phys_t phys = somewhere(m, length);

		l->sg[i].page_link = weir_page_handle(phys) | (i + 1 == l->nents ? WEIR_SG_END : 0);
		l->sg[i].offset = (unsigned int)(phys % PAGE);
		l->sg[i].length = length;
	}
	CHECK(m->run, weir_dma_map_sg(&m->dev, l->sg, l->nents, l->dir, 0, WEIR_HERE) > 0);
	learn_list(m, l);
	sum.lists++;
}

static void map_coherent(struct master *m, struct live *l)
{
	weir_phys_t phys;

	l->size = 1 + rnd(m, rnd(m, 8) ? 2 * PAGE : 20 * PAGE);
	l->dir = WEIR_DMA_BIDIRECTIONAL;
	l->virt = weir_dma_alloc_coherent(&m->dev, l->size, &l->addr, 0, WEIR_HERE);
	CHECK(m->run, l->virt);
	phys = plat_virt_to_phys(m->run->stack.machine, l->virt);
	fill(m->run, phys, WEIR_ALIGN_UP(l->size, PAGE));
	oracle_map(m, l->addr, phys, l->size, prot_of(l->dir));
	sum.coherents++;
}

static void map_one(struct master *m)
{
	struct live *l = &m->live[m->live_count];

	memset(l, 0, sizeof(*l));
	l->dir = (enum weir_dma_dir)rnd(m, 3);
	/* Coherent memory is for devices that snoop. */
	l->kind = rnd(m, 4) ? SINGLE : m->dev.coherent && rnd(m, 2) ? COHERENT : LIST;
	m->busy = true;
	if (l->kind == SINGLE)
		map_single(m, l);
	else if (l->kind == LIST)
		map_list(m, l);
	else
		map_coherent(m, l);
	m->busy = false;
	m->live_count++;
	probe(m, l->addr, rnd(m, 2));
	probe(m, l->addr + l->size - 1, rnd(m, 2));
}

static void oracle_leave(struct master *m, const struct live *l, bool returned)
{
	if (l->kind != LIST) {
		oracle_unmap(m, l->addr, l->size, returned);
		return;
	}
	for (unsigned int i = 0; i < l->nents && l->sg[i].dma_length; i++)
		oracle_unmap(m, l->sg[i].dma_address, l->sg[i].dma_length, returned);
}

static void unmap_one(struct master *m, unsigned int i)
{
	struct live l = m->live[i];

	m->live[i] = m->live[--m->live_count];
	m->busy = true;
	oracle_leave(m, &l, false);
	if (l.kind == SINGLE)
		weir_dma_unmap(&m->dev, l.addr, l.size, l.dir, 0, WEIR_HERE);
	else if (l.kind == LIST)
		weir_dma_unmap_sg(&m->dev, l.sg, l.nents, l.dir, 0, WEIR_HERE);
	else
		weir_dma_free_coherent(&m->dev, l.size, l.virt, l.addr, WEIR_HERE);
	oracle_leave(m, &l, true);
	m->busy = false;
	probe(m, l.addr, rnd(m, 2)); /* at once */
	probe(m, l.addr + rnd(m, l.size), rnd(m, 2));
	m->recent[m->recents++ % RECENT] = l.addr + rnd(m, l.size);
}

/* ---- The tasks ---------------------------------------------------------------------------- */

/* At what is mapped for `of` and beside it, by itself and by the other device. */
static void probe_around(struct master *m, struct master *of)
{
	const struct live *l = of->live_count ? &of->live[rnd(m, of->live_count)] : NULL;

	if (l) {
		weir_dma_t addr = l->addr;
		size_t size = l->size;

		probe(of, addr + rnd(m, size), rnd(m, 2));
		probe(of, addr + size + rnd(m, 2 * PAGE), rnd(m, 2));
		probe(of, addr - 1 - rnd(m, 2 * PAGE), rnd(m, 2));
		probe(m, addr + rnd(m, size), rnd(m, 2));
	}
	if (of->recents)
		probe(of, of->recent[rnd(m, of->recents < RECENT ? of->recents : RECENT)],
		      rnd(m, 2));
	if (!rnd(m, 16))
		probe(m, rnd(m, 1ull << 50), rnd(m, 2));
}

static bool has_pace(const struct run *r)
{
	return r->seed % 4 == 1;
}

/* Accesses take no time that the scheduler knows of; the handler of their events does. */
static void keep_pace(const struct run *r)
{
	while (has_pace(r) && r->blocked - r->heard > BACKLOG)
		plat_relax(r->stack.machine);
}

static int task(void *arg)
{
	struct master *m = arg, *other = &m->run->masters[m == m->run->masters];

	for (unsigned long step = 0; step < m->run->steps; step++) {
		bool growing = step / 1000 % 2 == 0;

		if (m->live_count < MAX_LIVE &&
		    (!m->live_count || rnd(m, 10) < (growing ? 6u : 4u)))
			map_one(m);
		else
			unmap_one(m, (unsigned int)rnd(m, m->live_count));
		probe_around(m, rnd(m, 2) ? m : other);
		if (!rnd(m, 32))
			hold(m, other);
		keep_pace(m->run);
	}
	while (m->live_count)
		unmap_one(m, m->live_count - 1);
	return 0;
}

/* ---- A run -------------------------------------------------------------------------------- */

static bool hear(void *arg, const struct weir_fault *fault)
{
	struct run *r = arg;
	const struct master *m = &r->masters[0];

	CHECK(r, fault->dev == &m[0].dev || fault->dev == &m[1].dev);
	CHECK(r, fault->id == fault->dev->ids[0].id && fault->has_address);
	r->heard++;
	return true;
}

static struct weir_iommu *find_smmu(struct run *r)
{
	size_t size;
	const void *fdt = weir_model_machine_fdt(posix_models(r->stack.machine), &size);
	int node = fdt_node_offset_by_compatible(fdt, -1, "arm,smmu-v3");

	return weir_iommu_by_phandle(r->stack.weir, fdt_get_phandle(fdt, node));
}

static void add_master(struct run *r, unsigned int i)
{
	struct weir_model_machine *models = posix_models(r->stack.machine);
	struct master *m = &r->masters[i];
	/* Both in tables of the second level that no PCI function is in. */
	struct weir_device_id id = { find_smmu(r), i ? 0x7f03 : 0x2041 };
	struct weir_device_desc desc = {
		.name = i ? "second" : "first", .ids = &id, .nr_ids = 1, .coherent = i == 0
	};

	m->run = r;
	m->random = r->seed * 0x9e3779b97f4a7c15ull + i + 1;
	m->port = (struct weir_model_port){
		.bus = weir_model_machine_bus(models),
		.iommu_ops = &weir_model_smmuv3_iommu_ops,
		.iommu = weir_model_machine_smmu(models),
		.requester = id.id,
		.stream = id.id,
	};
	CHECK(r, !weir_device_add(r->stack.weir, &m->dev, &desc));
	CHECK(r, !weir_dma_set_mask(&m->dev, i ? ~0ull : 0xffffffff));
	CHECK(r, !weir_dma_set_coherent_mask(&m->dev, 0x3ffffff));
}

static int set_up(void *arg)
{
	struct run *r = arg;

	CHECK(r, !stack_up(&r->stack));
	for (unsigned int i = 0; i < DEVICES; i++)
		add_master(r, i);
	for (unsigned int i = 0; i < AREAS; i++) {
		CHECK(r, !plat_pages_alloc(r->stack.machine, 10, WEIR_ZONE_NORMAL, 0, &r->area[i]));
		fill(r, r->area[i], AREA_SIZE);
	}
	return 0;
}

static void add_up(struct run *r, const struct weir_stats *stats,
		   const struct weir_model_smmuv3_stats *model)
{
	sum.steps += DEVICES * r->steps;
	sum.blocked += r->blocked;
	sum.lost += model->events_lost;
	sum.syncs += stats->syncs;
	sum.walks += model->walks;
	sum.hits += model->tlb_hits;
	sum.lookups += model->tlb_lookups;
}

static int wind_up(void *arg)
{
	struct weir_model_smmuv3_stats model;
	struct weir_stats stats;
	struct run *r = arg;

	weir_sleep_ns(r->stack.weir, 1000000000); /* the last events */
	weir_get_stats(r->stack.weir, &stats);
	weir_model_smmuv3_get_stats(weir_model_machine_smmu(posix_models(r->stack.machine)),
				    &model);
	CHECK(r, r->heard == stats.faults && r->blocked == r->heard + model.events_lost);
	CHECK(r, !model.events_lost == !stats.event_overflows);
	CHECK(r, !has_pace(r) || !model.events_lost);
	add_up(r, &stats, &model);
	for (unsigned int i = 0; i < AREAS; i++) {
		check_pattern(r, r->area[i], AREA_SIZE);
		plat_pages_free(r->stack.machine, r->area[i], 10);
	}
	for (unsigned int i = 0; i < DEVICES; i++)
		CHECK(r, !weir_device_remove(&r->masters[i].dev));
	CHECK(r, !stack_down(&r->stack));
	CHECK(r, !r->stack.live_mappings && !r->stack.leaked_pages);
	return 0;
}

static void run_seed(struct run *r, uint64_t seed)
{
	struct posix_task *tasks[DEVICES];
	struct stack_options options = {
		.posix = { .runner = POSIX_SEEDED, .seed = seed, .cpus = DEVICES },
		.event_queue = seed % 4 ? 0 : 4, /* small: some are lost */
		.history = 64,
		.on_fault = hear,
		.fault_arg = r,
	};

	memset(r, 0, sizeof(*r));
	r->seed = seed;
	r->steps = steps;
	assert_int_equal(stack_make(&r->stack, &options), 0);
	posix_call(r->stack.machine, 0, set_up, r);
	for (unsigned int i = 0; i < DEVICES; i++)
		assert_int_equal(posix_spawn(r->stack.machine, i, task, &r->masters[i], &tasks[i]),
				 0);
	for (unsigned int i = 0; i < DEVICES; i++)
		posix_join(tasks[i]);
	posix_call(r->stack.machine, 0, wind_up, r);
	stack_destroy(&r->stack);
}

static void what_is_mapped_is_reached(void **state)
{
	struct run *r = malloc(sizeof(*r));

	(void)state;
	assert_non_null(r);
	for (unsigned long i = 0; i < seeds; i++)
		run_seed(r, first_seed + i);
	free(r);
	printf("%lu seeds, %llu steps: %llu single, %llu lists, %llu coherent\n", seeds,
	       (unsigned long long)sum.steps, (unsigned long long)sum.singles,
	       (unsigned long long)sum.lists, (unsigned long long)sum.coherents);
	printf("%llu pages mapped at %llu addresses, %llu times again\n",
	       (unsigned long long)sum.leaves, (unsigned long long)sum.pages,
	       (unsigned long long)sum.reused);
	printf("level 2: %llu blocks, level 3: %llu pages\n", (unsigned long long)sum.blocks,
	       (unsigned long long)(sum.leaves - 512 * sum.blocks));
	printf("%llu accesses reached memory, %llu were blocked (%llu reports lost), %llu held\n",
	       (unsigned long long)sum.reached, (unsigned long long)sum.blocked,
	       (unsigned long long)sum.lost, (unsigned long long)sum.flights);
	printf("%llu syncs, %llu walks, TLB hit %llu times of %llu\n",
	       (unsigned long long)sum.syncs, (unsigned long long)sum.walks,
	       (unsigned long long)sum.hits, (unsigned long long)sum.lookups);
	assert_true(sum.reused > sum.pages && sum.blocks > 0 && sum.flights > 0);
	assert_true(sum.reached > sum.steps && sum.blocked > sum.steps);
	assert_true(seeds < 4 || sum.lost > 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(what_is_mapped_is_reached) };

	if (argc > 1)
		seeds = strtoul(argv[1], NULL, 0);
	if (argc > 2)
		first_seed = strtoul(argv[2], NULL, 0);
	if (argc > 3)
		steps = strtoul(argv[3], NULL, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
