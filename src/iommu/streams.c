/* SPDX-License-Identifier: MIT */

/*
 * From stream IDs to devices, for fault reports: a hash table under a spin lock that interrupt
 * handlers take. Several entries may have one ID (aliases within a group); the first one speaks.
 *
 * Readers hold no lock while they use what they found. They are counted, in one of two counters;
 * who takes something away turns new readers to the other counter and waits for the first to
 * empty. Twice, as a reader may have read the old index just before it was turned.
 */

#include "iommu/iommu.h"

#include "base/lock.h"

#define BUCKETS 256u

struct weir_stream {
	struct weir_stream *next;
	struct weir_device *dev;
	struct weir_device_id id;
};

struct weir_streams {
	struct weir_spinlock lock; /* IRQ-safe */
	struct weir_stream *bucket[BUCKETS];
	uint32_t index; /* atomic, as are the readers; written under weir.lock */
	uint32_t readers[2];
};

int weir_streams_init(struct weir *weir)
{
	weir->streams = weir_alloc(weir, sizeof(*weir->streams), 0);
	return weir->streams ? 0 : -WEIR_ENOMEM;
}

void weir_streams_fini(struct weir *weir)
{
	weir_free(weir, weir->streams);
	weir->streams = NULL;
}

/* Requester IDs are dense in their low bits. */
static struct weir_stream **bucket_of(struct weir_streams *streams, uint32_t id)
{
	return &streams->bucket[(id ^ id >> 8) % BUCKETS];
}

static bool same_id(const struct weir_device_id *a, const struct weir_device_id *b)
{
	return a->iommu == b->iommu && a->id == b->id;
}

/* An entry of this ID that is not `dev`'s. Under weir.lock, which all writers hold. */
static struct weir_stream *other_stream(struct weir_device *dev, const struct weir_device_id *id)
{
	struct weir_stream *stream = *bucket_of(dev->weir->streams, id->id);

	while (stream && (stream->dev == dev || !same_id(&stream->id, id)))
		stream = stream->next;
	return stream;
}

bool weir_streams_shared(struct weir_device *dev, const struct weir_device_id *id)
{
	return other_stream(dev, id);
}

static int stream_add(struct weir_device *dev, const struct weir_device_id *id)
{
	struct weir_streams *streams = dev->weir->streams;
	struct weir_stream *other = other_stream(dev, id), *stream;
	struct weir_stream **bucket = bucket_of(streams, id->id);
	uintptr_t flags;

	if (other && other->dev->group != dev->group) {
		weir_dev_log(dev, WEIR_LOG_ERR, "stream 0x%x of %s is %s's already", id->id,
			     id->iommu->name, other->dev->name);
		return -WEIR_EEXIST;
	}
	stream = weir_alloc(dev->weir, sizeof(*stream), 0);
	if (!stream)
		return -WEIR_ENOMEM;
	stream->dev = dev;
	stream->id = *id;
	flags = weir_lock_irq(&streams->lock);
	stream->next = *bucket;
	*bucket = stream;
	weir_unlock_irq(&streams->lock, flags);
	return 0;
}

int weir_streams_add(struct weir_device *dev)
{
	unsigned int i;
	int ret;

	for (i = 0; i < dev->nr_ids; i++) {
		ret = stream_add(dev, &dev->ids[i]);
		if (ret) {
			weir_streams_remove(dev);
			return ret;
		}
	}
	return 0;
}

static struct weir_stream *stream_take(struct weir_device *dev, uint32_t id)
{
	struct weir_streams *streams = dev->weir->streams;
	uintptr_t flags = weir_lock_irq(&streams->lock);
	struct weir_stream **link = bucket_of(streams, id), *stream;

	for (stream = *link; stream; stream = stream->next) {
		if (stream->dev == dev && stream->id.id == id) {
			*link = stream->next;
			break;
		}
		link = &stream->next;
	}
	weir_unlock_irq(&streams->lock, flags);
	return stream;
}

void weir_streams_remove(struct weir_device *dev)
{
	unsigned int i;

	for (i = 0; i < dev->nr_ids; i++)
		weir_free(dev->weir, stream_take(dev, dev->ids[i].id));
}

unsigned int weir_streams_enter(struct weir *weir)
{
	struct weir_streams *streams = weir->streams;
	uint32_t index = __atomic_load_n(&streams->index, __ATOMIC_RELAXED);

	/* Acquire: what is looked up comes after; pairs with the loads of weir_streams_wait(). */
	__atomic_fetch_add(&streams->readers[index], 1, __ATOMIC_SEQ_CST);
	return index;
}

void weir_streams_exit(struct weir *weir, unsigned int token)
{
	/* Release: what was done with it comes before; pairs with weir_streams_wait(). */
	__atomic_fetch_sub(&weir->streams->readers[token], 1, __ATOMIC_RELEASE);
}

struct weir_device *weir_streams_find(struct weir_iommu *iommu, uint32_t id,
				      struct weir_domain **domain)
{
	struct weir_streams *streams = iommu->weir->streams;
	uintptr_t flags = weir_lock_irq(&streams->lock);
	struct weir_stream *stream = *bucket_of(streams, id);

	while (stream && (stream->id.iommu != iommu || stream->id.id != id))
		stream = stream->next;
	*domain = stream ? stream->dev->group->domain : NULL;
	weir_unlock_irq(&streams->lock, flags);
	return stream ? stream->dev : NULL;
}

void weir_streams_wait(struct weir *weir)
{
	struct weir_streams *streams = weir->streams;
	uint32_t index;
	int round;

	for (round = 0; round < 2; round++) {
		index = streams->index;
		__atomic_store_n(&streams->index, !index, __ATOMIC_SEQ_CST);
		while (__atomic_load_n(&streams->readers[index], __ATOMIC_SEQ_CST))
			plat_relax(weir->plat);
	}
}

void weir_group_set_domain(struct weir_group *group, struct weir_domain *domain)
{
	uintptr_t flags = weir_lock_irq(&group->weir->streams->lock);

	group->domain = domain;
	weir_unlock_irq(&group->weir->streams->lock, flags);
}
