/* SPDX-License-Identifier: MIT */

/*
 * Streaming mappings of lists.
 *
 * Behind an IOMMU a list gets one range of IOVAs. Its entries lie in it one after the other, each
 * from a page boundary on; where one would cross the device's segment boundary a gap is left, which
 * stays unmapped. Pages go to the IOMMU's driver in batches of extents, so that it walks its tables
 * once for a batch and not once for an entry. Entries that meet at a page boundary become one
 * segment, within the device's limits.
 */

#include "dma/dma.h"

#include "iommu/history.h"
#include "iommu/iova.h"

#define BATCH 16u /* extents on the stack */

struct weir_sg *weir_sg_next(struct weir_sg *sg)
{
	if (sg->page_link & WEIR_SG_END)
		return NULL;
	sg++;
	if (sg->page_link & WEIR_SG_CHAIN)
		sg = (struct weir_sg *)(sg->page_link & ~(WEIR_SG_CHAIN | WEIR_SG_END));
	return sg;
}

static size_t offset_in_page(const struct weir_sg *sg)
{
	return sg->offset & ~WEIR_PAGE_MASK;
}

static size_t whole_pages(const struct weir_sg *sg)
{
	return WEIR_ALIGN_UP(offset_in_page(sg) + sg->length, WEIR_PAGE_SIZE);
}

/*
 * Where in the range an entry goes, if the one before ends at `end`. The range is aligned to its
 * size, so that boundaries within it are boundaries of the addresses too.
 */
static uint64_t place(const struct weir_device *dev, const struct weir_sg *sg, uint64_t end)
{
	uint64_t mask = dev->segment_boundary;
	uint64_t first = end + offset_in_page(sg), last = first + sg->length - 1;

	if (WEIR_LIKELY((first & ~mask) == (last & ~mask)) ||
	    offset_in_page(sg) + sg->length - 1 > mask)
		return end; /* fits, or never will */
	return (end | mask) + 1;
}

/* ---- Looking at the list ------------------------------------------------------------------ */

struct shape {
	uint64_t size;	 /* of the range of IOVAs */
	uint64_t mapped; /* without the gaps */
};

/* What is wrong with the list, or NULL and its shape. */
static const char *look(const struct weir_device *dev, struct weir_sg *sg, unsigned int nents,
			enum weir_dma_dir dir, unsigned long attrs, struct shape *shape)
{
	*shape = (struct shape){ 0 };
	if (!nents)
		return "maps an empty list";
	if ((unsigned int)dir >= WEIR_DMA_NONE)
		return "maps a list without a direction";
	if (attrs & ~WEIR_DMA_ATTRS)
		return "maps a list with an attribute that is not supported";
	for (; nents; sg = weir_dma_sg_step(sg, nents), nents--) {
		if (!sg)
			return "maps more entries than the list has";
		if (!sg->length)
			return "maps a list with an entry of 0 bytes";
		shape->mapped += whole_pages(sg);
		shape->size = place(dev, sg, shape->size) + whole_pages(sg);
	}
	return NULL;
}

static int map_failed(struct weir_device *dev, unsigned int nents, unsigned long attrs,
		      const struct weir_site *site, const char *why, int error)
{
	weir_stat_add(dev->weir, WEIR_STAT_MAP_ERRORS, 1);
	weir_dma_complain(dev, site, attrs, "%s (%u entries, mask 0x%llx)", why, nents,
			  (unsigned long long)weir_dma_limit(dev));
	return error;
}

/* ---- Behind an IOMMU ---------------------------------------------------------------------- */

struct builder {
	struct weir_device *dev;
	struct weir_domain *domain;
	weir_dma_t base;
	unsigned int prot;
	uint64_t end;		 /* of the entries so far, relative to base */
	uint64_t mapped;	 /* up to here the driver knows them */
	struct weir_sg *segment; /* being built; NULL: none yet */
	int segments;
	bool is_lost;	    /* undoing was not confirmed: the device may still reach it */
	unsigned int count; /* in the batch */
	struct weir_extent *batch;
};

static int flush(struct builder *b)
{
	unsigned int count = b->count;
	int ret;

	if (!count)
		return 0;
	ret = b->domain->ops->map(b->domain, b->base + b->mapped, b->batch, count, b->prot);
	if (ret) {
		b->is_lost = ret == -WEIR_EIO;
		return ret;
	}
	b->count = 0;
	b->mapped = b->end;
	return 0;
}

/* Memory to be mapped from `at` on. */
static int add_memory(struct builder *b, uint64_t at, weir_phys_t phys, size_t size)
{
	struct weir_extent *last;
	int ret = 0;

	if (at != b->end || b->count == BATCH)
		ret = flush(b);
	if (ret)
		return ret;
	if (at != b->end)
		b->mapped = at; /* a gap */
	b->end = at + size;
	last = &b->batch[b->count];
	if (b->count && last[-1].phys + last[-1].size == phys) {
		last[-1].size += size;
		return 0;
	}
	*last = (struct weir_extent){ .phys = phys, .size = size };
	b->count++;
	return 0;
}

/* Can the entry, placed at `at`, be the continuation of the segment? */
static bool continues(const struct builder *b, const struct weir_sg *sg, uint64_t at)
{
	const struct weir_sg *seg = b->segment;
	uint64_t start, end;

	if (!seg || offset_in_page(sg))
		return false;
	start = seg->dma_address - b->base;
	end = at + sg->length;
	return start + seg->dma_length == at && end - start <= b->dev->max_segment_size &&
	       (start & ~b->dev->segment_boundary) == ((end - 1) & ~b->dev->segment_boundary);
}

static int add_entry(struct builder *b, struct weir_sg *sg, struct weir_sg *head)
{
	uint64_t at = place(b->dev, sg, b->end);
	size_t offset = offset_in_page(sg);
	int ret = add_memory(b, at, weir_sg_phys(sg) - offset, whole_pages(sg));

	if (ret)
		return ret;
	if (continues(b, sg, at)) {
		b->segment->dma_length += sg->length;
		return 0;
	}
	b->segment = b->segment ? weir_sg_next(b->segment) : head;
	b->segment->dma_address = b->base + at + offset;
	b->segment->dma_length = sg->length;
	b->segments++;
	return 0;
}

static int build(struct builder *b, struct weir_sg *head, unsigned int nents)
{
	struct weir_sg *sg = head;
	unsigned int left;
	int ret = 0;

	for (left = nents; !ret && left; left--) {
		ret = add_entry(b, sg, head);
		sg = weir_dma_sg_step(sg, left);
	}
	if (!ret)
		ret = flush(b);
	if (ret && b->mapped && !b->domain->ops->unmap(b->domain, b->base, b->mapped))
		b->is_lost = true;
	if (!ret && b->segments < (int)nents)
		weir_sg_next(b->segment)->dma_length = 0; /* ends the list of segments for unmap */
	return ret;
}

static int map_iova(struct weir_device *dev, struct weir_domain *domain, struct weir_sg *sg,
		    unsigned int nents, const struct shape *shape, unsigned int prot,
		    const struct weir_site *site)
{
	struct weir_extent batch[BATCH];
	struct builder b = { .dev = dev, .domain = domain, .prot = prot, .batch = batch };
	int ret;

	b.base = weir_iova_alloc(domain->iova, shape->size, weir_dma_limit(dev));
	if (b.base == WEIR_DMA_ERROR)
		return -WEIR_ENOMEM;
	ret = build(&b, sg, nents);
	if (ret) {
		if (!b.is_lost)
			(void)weir_iova_free(domain->iova, b.base, shape->size);
		return ret == -WEIR_EEXIST ? -WEIR_ENOMEM : ret;
	}
	weir_history_map(dev, domain, b.base, shape->size, prot, site);
	return b.segments;
}

/* The range that map_iova() made, read from the segments. */
static bool unmap_iova(struct weir_device *dev, struct weir_domain *domain, struct weir_sg *sg,
		       unsigned int nents, const struct weir_site *site)
{
	weir_dma_t start = sg->dma_address & WEIR_PAGE_MASK, end = start, first;
	size_t mapped = 0;

	for (; sg && sg->dma_length; sg = weir_dma_sg_step(sg, nents), nents--) {
		first = sg->dma_address & WEIR_PAGE_MASK;
		end = WEIR_ALIGN_UP(sg->dma_address + sg->dma_length, WEIR_PAGE_SIZE);
		mapped += end - first;
	}
	return weir_dma_unmap_pages(dev, domain, start, end - start, mapped, site);
}

/* ---- Direct ------------------------------------------------------------------------------- */

static int map_direct(struct weir_device *dev, struct weir_sg *sg, unsigned int nents)
{
	uint64_t limit = weir_dma_limit(dev);
	unsigned int left;

	for (left = nents; left; sg = weir_dma_sg_step(sg, left), left--) {
		if (!weir_dma_reaches(limit, weir_sg_phys(sg), sg->length))
			return -WEIR_EIO;
		sg->dma_address = weir_sg_phys(sg);
		sg->dma_length = sg->length;
	}
	return (int)nents;
}

/* ---- Map and unmap ------------------------------------------------------------------------ */

static const char *failure(int error)
{
	return error == -WEIR_EIO ? "maps a list that the device cannot reach without translation" :
				    "no addresses or table pages are left for a list";
}

int weir_dma_map_sg(struct weir_device *dev, struct weir_sg *sg, unsigned int nents,
		    enum weir_dma_dir dir, unsigned long attrs, const struct weir_site *site)
{
	struct shape shape;
	const char *wrong = look(dev, sg, nents, dir, attrs, &shape);
	struct weir_domain *domain;
	int ret;

	if (WEIR_UNLIKELY(wrong))
		return map_failed(dev, nents, attrs, site, wrong, -WEIR_EINVAL);
	if (WEIR_UNLIKELY(!weir_dma_begin(dev)))
		return map_failed(dev, nents, attrs, site,
				  "maps a list for a device that is blocked", -WEIR_EIO);
	domain = dev->dma;
	ret = domain ? map_iova(dev, domain, sg, nents, &shape, weir_dma_prot(dev, dir), site) :
		       map_direct(dev, sg, nents);
	if (WEIR_UNLIKELY(ret < 0)) {
		weir_dma_end(dev);
		return map_failed(dev, nents, attrs, site, failure(ret), ret);
	}
	if (!(attrs & WEIR_DMA_ATTR_SKIP_CPU_SYNC))
		weir_dma_sync_sg_for_device(dev, sg, nents, dir);
	weir_stat_add(dev->weir, WEIR_STAT_MAPS, 1);
	return ret;
}

void weir_dma_unmap_sg(struct weir_device *dev, struct weir_sg *sg, unsigned int nents,
		       enum weir_dma_dir dir, unsigned long attrs, const struct weir_site *site)
{
	struct weir_domain *domain = dev->dma;

	if (WEIR_UNLIKELY(!nents)) {
		weir_dma_complain(dev, site, attrs, "unmaps an empty list");
		return;
	}
	if (!(attrs & WEIR_DMA_ATTR_SKIP_CPU_SYNC))
		weir_dma_sync_sg_for_cpu(dev, sg, nents, dir);
	if (domain ? !unmap_iova(dev, domain, sg, nents, site) : !weir_dma_unmap_direct(dev, site))
		return;
	weir_stat_add(dev->weir, WEIR_STAT_UNMAPS, 1);
	weir_dma_end(dev);
}
