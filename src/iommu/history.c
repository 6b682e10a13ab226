/* SPDX-License-Identifier: MIT */

/* Rings of mappings; history.h explains them. */

#include "iommu/history.h"

#include "base/lock.h"
#include "iommu/iommu.h"

struct weir_history_record {
	const struct weir_domain *domain; /* NULL: no record */
	uint64_t sequence;
	uint32_t next; /* in the hash chain: index + 1; 0: last */
	bool open;     /* and so in a chain */
	struct weir_history what;
};

struct weir_history_ring {
	struct weir_spinlock lock; /* IRQ-safe; all below */
	uint32_t next;
	bool wrapped;
	uint32_t *bucket; /* index + 1 of the first open record; as many as records, or more */
	struct weir_history_record *record;
} __attribute__((aligned(64)));

struct weir_history_rings {
	unsigned int count, entries, buckets; /* the last a power of two */
	uint64_t sequence;		      /* atomic: order in time, where clocks do not tell */
	struct weir_history_ring ring[];
};

static void rings_free(struct weir *weir, struct weir_history_rings *rings)
{
	unsigned int i;

	for (i = 0; i < rings->count; i++) {
		weir_free(weir, rings->ring[i].bucket);
		weir_free(weir, rings->ring[i].record);
	}
	weir_free(weir, rings);
}

int weir_history_init(struct weir *weir, unsigned int entries)
{
	struct weir_history_rings *rings;
	unsigned int i;

	if (!entries)
		return 0;
	rings = weir_alloc(weir, sizeof(*rings) + weir->cpus * sizeof(rings->ring[0]), 0);
	if (!rings)
		return -WEIR_ENOMEM;
	rings->count = weir->cpus;
	rings->entries = entries;
	for (rings->buckets = 1; rings->buckets < entries; rings->buckets *= 2)
		;
	for (i = 0; i < rings->count; i++) {
		struct weir_history_ring *ring = &rings->ring[i];

		ring->bucket = weir_alloc(weir, rings->buckets * sizeof(*ring->bucket), 0);
		ring->record = weir_alloc(weir, entries * sizeof(*ring->record), 0);
		if (!ring->bucket || !ring->record) {
			rings_free(weir, rings);
			return -WEIR_ENOMEM;
		}
	}
	weir->history = rings;
	return 0;
}

void weir_history_fini(struct weir *weir)
{
	if (weir->history)
		rings_free(weir, weir->history);
	weir->history = NULL;
}

/* Neighbouring pages fall into different rings and buckets. */
static uint64_t hash(const struct weir_domain *domain, weir_dma_t start)
{
	uint64_t key = (start >> WEIR_PAGE_SHIFT) + ((uintptr_t)domain >> 6);

	return key * 0x9e3779b97f4a7c15ull >> 20;
}

static struct weir_history_ring *ring_of(struct weir_history_rings *rings, uint64_t key)
{
	return &rings->ring[(key >> 20) % rings->count];
}

/* Take a record out of its chain. */
static void record_unlink(struct weir_history_rings *rings, struct weir_history_ring *ring,
			  struct weir_history_record *record)
{
	uint64_t key = hash(record->domain, record->what.start);
	uint32_t *link = &ring->bucket[key & (rings->buckets - 1)];

	while (*link && &ring->record[*link - 1] != record)
		link = &ring->record[*link - 1].next;
	*link = record->next;
	record->open = false;
}

void weir_history_add(struct weir_device *dev, struct weir_domain *domain, weir_dma_t start,
		      size_t size, unsigned int prot, const struct weir_site *site)
{
	struct weir_history_rings *rings = dev->weir->history;
	uint64_t key = hash(domain, start), now = plat_time_ns(dev->weir->plat);
	struct weir_history_ring *ring = ring_of(rings, key);
	struct weir_history_record *record;
	uint32_t *bucket = &ring->bucket[key & (rings->buckets - 1)];
	uintptr_t flags = weir_lock_irq(&ring->lock);

	record = &ring->record[ring->next];
	if (record->open)
		record_unlink(rings, ring, record);
	ring->wrapped |= record->domain != NULL;
	*record = (struct weir_history_record){
		.domain = domain,
		.sequence = __atomic_fetch_add(&rings->sequence, 1, __ATOMIC_RELAXED),
		.next = *bucket,
		.open = true,
		.what = { .mapped_at = site,
			  .mapped_ns = now,
			  .start = start,
			  .size = size,
			  .device_reads = prot & WEIR_IOMMU_READ,
			  .device_writes = prot & WEIR_IOMMU_WRITE,
			  .dev = dev },
	};
	*bucket = ring->next + 1;
	ring->next = ring->next + 1 < rings->entries ? ring->next + 1 : 0;
	weir_unlock_irq(&ring->lock, flags);
}

void weir_history_close(struct weir *weir, struct weir_domain *domain, weir_dma_t start,
			const struct weir_site *site)
{
	struct weir_history_rings *rings = weir->history;
	uint64_t key = hash(domain, start), now = plat_time_ns(weir->plat);
	struct weir_history_ring *ring = ring_of(rings, key);
	struct weir_history_record *record = NULL;
	uintptr_t flags = weir_lock_irq(&ring->lock);
	uint32_t at;

	for (at = ring->bucket[key & (rings->buckets - 1)]; at; at = record->next) {
		record = &ring->record[at - 1];
		if (record->domain == domain && record->what.start == start)
			break;
	}
	if (at) { /* else it was pushed out */
		record_unlink(rings, ring, record);
		record->what.unmapped_at = site;
		record->what.unmapped_ns = now;
	}
	weir_unlock_irq(&ring->lock, flags);
}

/* Call fn for each record of each ring, under the ring's lock. */
static void for_each_record(struct weir *weir,
			    void (*fn)(struct weir_history_ring *ring,
				       struct weir_history_record *record, void *arg),
			    void *arg)
{
	struct weir_history_rings *rings = weir->history;
	unsigned int i, k;
	uintptr_t flags;

	for (i = 0; rings && i < rings->count; i++) {
		struct weir_history_ring *ring = &rings->ring[i];

		flags = weir_lock_irq(&ring->lock);
		for (k = 0; k < rings->entries; k++) {
			if (ring->record[k].domain)
				fn(ring, &ring->record[k], arg);
		}
		weir_unlock_irq(&ring->lock, flags);
	}
}

static void forget_device(struct weir_history_ring *ring, struct weir_history_record *record,
			  void *arg)
{
	(void)ring;
	if (record->what.dev == arg)
		record->what.dev = NULL;
}

void weir_history_forget_device(struct weir_device *dev)
{
	for_each_record(dev->weir, forget_device, dev);
}

struct forget_domain {
	struct weir_history_rings *rings;
	const struct weir_domain *domain;
};

static void forget_domain(struct weir_history_ring *ring, struct weir_history_record *record,
			  void *arg)
{
	const struct forget_domain *forget = arg;

	if (record->domain != forget->domain)
		return;
	if (record->open)
		record_unlink(forget->rings, ring, record);
	record->domain = NULL;
}

void weir_history_forget_domain(struct weir *weir, struct weir_domain *domain)
{
	struct forget_domain forget = { .rings = weir->history, .domain = domain };

	for_each_record(weir, forget_domain, &forget);
}

struct search {
	const struct weir_domain *domain, *except;
	weir_dma_t address;
	uint64_t sequence; /* of what is in *found, plus 1; 0: nothing */
	struct weir_history *found;
	bool *forgot;
};

static void search_record(struct weir_history_ring *ring, struct weir_history_record *record,
			  void *arg)
{
	struct search *search = arg;

	*search->forgot |= ring->wrapped;
	if (search->domain ? record->domain != search->domain : record->domain == search->except)
		return;
	if (search->address - record->what.start >= record->what.size ||
	    record->sequence < search->sequence)
		return;
	search->sequence = record->sequence + 1;
	*search->found = record->what;
}

int weir_history_search(struct weir *weir, const struct weir_domain *domain,
			const struct weir_domain *except, weir_dma_t address,
			struct weir_history *found, bool *forgot)
{
	struct search search = { .domain = domain,
				 .except = except,
				 .address = address,
				 .found = found,
				 .forgot = forgot };

	*forgot = false;
	if (!weir->history)
		return -WEIR_EOPNOTSUPP;
	for_each_record(weir, search_record, &search);
	return search.sequence ? 0 : -WEIR_ENOENT;
}

struct collect {
	const struct weir_device *dev;
	struct weir_history *found;
	unsigned int count, max;
};

static void collect_open(struct weir_history_ring *ring, struct weir_history_record *record,
			 void *arg)
{
	struct collect *collect = arg;

	(void)ring;
	if (record->open && record->what.dev == collect->dev && collect->count < collect->max)
		collect->found[collect->count++] = record->what;
}

unsigned int weir_history_open(struct weir_device *dev, struct weir_history *found,
			       unsigned int max)
{
	struct collect collect = { .dev = dev, .found = found, .max = max };

	for_each_record(dev->weir, collect_open, &collect);
	return collect.count;
}

int weir_history_find(struct weir_device *dev, weir_dma_t address, struct weir_history *found)
{
	struct weir_domain *domain = weir_group_paging(dev->group);
	bool forgot;

	if (!dev->weir->history)
		return -WEIR_EOPNOTSUPP;
	return domain ? weir_history_search(dev->weir, domain, NULL, address, found, &forgot) :
			-WEIR_ENOENT;
}
