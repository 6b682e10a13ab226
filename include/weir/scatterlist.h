/* SPDX-License-Identifier: MIT */
#ifndef WEIR_SCATTERLIST_H
#define WEIR_SCATTERLIST_H

/* Lists of pieces of memory, as Linux has them. Chained lists work wherever a list does. */

#include <weir/dma.h>
#include <weir/errno.h>
#include <weir/mm.h>

/* The same object under both names: weir's for the stack, Linux's members for drivers. */
struct scatterlist {
	union {
		struct weir_sg weir;
		struct {
			unsigned long page_link;
			unsigned int offset;
			unsigned int length;
			dma_addr_t dma_address;
			unsigned int dma_length;
		};
	};
};

struct sg_table {
	struct scatterlist *sgl;
	unsigned int nents;	 /* segments in use after mapping */
	unsigned int orig_nents; /* entries of the list */
};

#define sg_dma_address(sg) ((sg)->dma_address)
#define sg_dma_len(sg) ((sg)->dma_length)

static inline struct scatterlist *sg_next(struct scatterlist *sg)
{
	struct weir_sg *next = weir_sg_next(&sg->weir);

	return next ? container_of(next, struct scatterlist, weir) : NULL;
}
#define for_each_sg(list, sg, nr, i)                                                               \
	for ((i) = 0, (sg) = (list); (i) < (nr); (i)++, (sg) = sg_next(sg))
#define for_each_sgtable_sg(sgt, sg, i) for_each_sg((sgt)->sgl, sg, (sgt)->orig_nents, i)
#define for_each_sgtable_dma_sg(sgt, sg, i) for_each_sg((sgt)->sgl, sg, (sgt)->nents, i)

static inline struct page *sg_page(const struct scatterlist *sg)
{
	return (struct page *)(sg->page_link & ~(WEIR_SG_CHAIN | WEIR_SG_END));
}
static inline phys_addr_t sg_phys(const struct scatterlist *sg)
{
	return weir_sg_phys(&sg->weir);
}
static inline void *sg_virt(const struct scatterlist *sg)
{
	return (char *)page_address(sg_page(sg)) + sg->offset;
}
static inline bool sg_is_last(const struct scatterlist *sg)
{
	return sg->page_link & WEIR_SG_END;
}
static inline void sg_mark_end(struct scatterlist *sg)
{
	sg->page_link = (sg->page_link | WEIR_SG_END) & ~WEIR_SG_CHAIN;
}
static inline void sg_init_table(struct scatterlist *sg, unsigned int nents)
{
	memset(sg, 0, sizeof(*sg) * nents);
	sg_mark_end(&sg[nents - 1]);
}
static inline void sg_set_page(struct scatterlist *sg, struct page *page, unsigned int len,
			       unsigned int offset)
{
	sg->page_link = (sg->page_link & (WEIR_SG_CHAIN | WEIR_SG_END)) | (unsigned long)page;
	sg->offset = offset;
	sg->length = len;
}
static inline void sg_set_buf(struct scatterlist *sg, const void *buf, unsigned int len)
{
	sg_set_page(sg, virt_to_page(buf), len, (unsigned int)offset_in_page(buf));
}
static inline void sg_init_one(struct scatterlist *sg, const void *buf, unsigned int len)
{
	sg_init_table(sg, 1);
	sg_set_buf(sg, buf, len);
}
/** The last entry of `prv` (of prv_nents) becomes a link to `sgl`. */
static inline void sg_chain(struct scatterlist *prv, unsigned int prv_nents,
			    struct scatterlist *sgl)
{
	struct scatterlist *link = &prv[prv_nents - 1];

	link->offset = 0;
	link->length = 0;
	link->page_link = ((unsigned long)sgl | WEIR_SG_CHAIN) & ~WEIR_SG_END;
}

/** A table of one array of at most 4 MiB. -ENOMEM, -EINVAL. */
static inline int sg_alloc_table(struct sg_table *sgt, unsigned int nents, gfp_t gfp)
{
	if (!nents)
		return -WEIR_EINVAL;
	sgt->sgl = (struct scatterlist *)kcalloc(nents, sizeof(*sgt->sgl), gfp);
	if (!sgt->sgl)
		return -WEIR_ENOMEM;
	sgt->nents = sgt->orig_nents = nents;
	sg_init_table(sgt->sgl, nents);
	return 0;
}
static inline void sg_free_table(struct sg_table *sgt)
{
	kfree(sgt->sgl);
	sgt->sgl = NULL;
}

#endif
