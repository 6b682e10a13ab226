/* SPDX-License-Identifier: MIT */
#ifndef WEIR_DMA_MAPPING_H
#define WEIR_DMA_MAPPING_H

/*
 * The DMA mapping API, with Linux's names and contracts. docs/api.md lists what differs and what is
 * not there yet. Map, unmap and sync: any context.
 */

#include <weir/device.h>
#include <weir/dma.h>
#include <weir/mm.h>
#include <weir/scatterlist.h>

enum dma_data_direction {
	DMA_BIDIRECTIONAL = WEIR_DMA_BIDIRECTIONAL,
	DMA_TO_DEVICE = WEIR_DMA_TO_DEVICE,
	DMA_FROM_DEVICE = WEIR_DMA_FROM_DEVICE,
	DMA_NONE = WEIR_DMA_NONE,
};

#define DMA_ATTR_SKIP_CPU_SYNC WEIR_DMA_ATTR_SKIP_CPU_SYNC
#define DMA_ATTR_NO_WARN WEIR_DMA_ATTR_NO_WARN

#define DMA_MAPPING_ERROR WEIR_DMA_ERROR
#define DMA_BIT_MASK(n) (~0ull >> (64 - (n))) /* n from 1 to 64 */

static inline enum weir_dma_dir weir_dir(enum dma_data_direction dir)
{
	return (enum weir_dma_dir)dir;
}

/* ---- Masks and limits ------------------------------------------------------------------- */

static inline int dma_set_mask(struct device *dev, u64 mask)
{
	return weir_dma_set_mask(&dev->weir, mask);
}
static inline int dma_set_coherent_mask(struct device *dev, u64 mask)
{
	return weir_dma_set_coherent_mask(&dev->weir, mask);
}
static inline int dma_set_mask_and_coherent(struct device *dev, u64 mask)
{
	int ret = dma_set_mask(dev, mask);

	return ret ? ret : dma_set_coherent_mask(dev, mask);
}
static inline u64 dma_get_mask(struct device *dev)
{
	return dev->weir.dma_mask;
}
static inline u64 dma_get_required_mask(struct device *dev)
{
	return weir_dma_required_mask(&dev->weir);
}
static inline bool dma_addressing_limited(struct device *dev)
{
	return weir_dma_addressing_limited(&dev->weir);
}
static inline size_t dma_max_mapping_size(struct device *dev)
{
	return weir_dma_max_mapping_size(&dev->weir);
}
static inline size_t dma_opt_mapping_size(struct device *dev)
{
	return weir_dma_opt_mapping_size(&dev->weir);
}
static inline unsigned long dma_get_merge_boundary(struct device *dev)
{
	return weir_dma_merge_boundary(&dev->weir);
}
static inline unsigned int dma_get_max_seg_size(struct device *dev)
{
	return dev->weir.max_segment_size;
}
static inline int dma_set_max_seg_size(struct device *dev, unsigned int size)
{
	return weir_dma_set_max_segment_size(&dev->weir, size);
}
static inline int dma_set_seg_boundary(struct device *dev, unsigned long mask)
{
	return weir_dma_set_segment_boundary(&dev->weir, mask);
}
static inline bool dma_need_sync(struct device *dev, dma_addr_t addr)
{
	(void)addr;
	return !weir_dma_is_coherent(&dev->weir);
}

/* ---- Streaming -------------------------------------------------------------------------- */

static inline int dma_mapping_error(struct device *dev, dma_addr_t addr)
{
	(void)dev;
	return weir_dma_is_error(addr) ? -WEIR_ENOMEM : 0;
}

/* Macros, so that a report can name the caller's line. */
#define dma_map_single_attrs(dev, ptr, size, dir, attrs)                                           \
	weir_dma_map_single(&(dev)->weir, ptr, size, weir_dir(dir), attrs, WEIR_HERE)
#define dma_unmap_single_attrs(dev, addr, size, dir, attrs)                                        \
	weir_dma_unmap(&(dev)->weir, addr, size, weir_dir(dir), attrs, WEIR_HERE)
#define dma_map_page_attrs(dev, page, offset, size, dir, attrs)                                    \
	weir_dma_map_phys(&(dev)->weir, page_to_phys(page) + (offset), size, weir_dir(dir), attrs, \
			  WEIR_HERE)
#define dma_unmap_page_attrs(dev, addr, size, dir, attrs)                                          \
	weir_dma_unmap(&(dev)->weir, addr, size, weir_dir(dir), attrs, WEIR_HERE)
#define dma_map_phys(dev, phys, size, dir, attrs)                                                  \
	weir_dma_map_phys(&(dev)->weir, phys, size, weir_dir(dir), attrs, WEIR_HERE)
#define dma_unmap_phys(dev, addr, size, dir, attrs)                                                \
	weir_dma_unmap(&(dev)->weir, addr, size, weir_dir(dir), attrs, WEIR_HERE)
#define dma_map_sg_attrs(dev, sg, nents, dir, attrs)                                               \
	weir_dma_map_sg_linux(&(dev)->weir, sg, nents, dir, attrs, WEIR_HERE)
#define dma_unmap_sg_attrs(dev, sg, nents, dir, attrs)                                             \
	weir_dma_unmap_sg(&(dev)->weir, &(sg)->weir, nents, weir_dir(dir), attrs, WEIR_HERE)

#define dma_map_single(d, p, s, r) dma_map_single_attrs(d, p, s, r, 0)
#define dma_unmap_single(d, a, s, r) dma_unmap_single_attrs(d, a, s, r, 0)
#define dma_map_page(d, p, o, s, r) dma_map_page_attrs(d, p, o, s, r, 0)
#define dma_unmap_page(d, a, s, r) dma_unmap_page_attrs(d, a, s, r, 0)
#define dma_map_sg(d, s, n, r) dma_map_sg_attrs(d, s, n, r, 0)
#define dma_unmap_sg(d, s, n, r) dma_unmap_sg_attrs(d, s, n, r, 0)

/** Linux's dma_map_sg() says 0 for any error. */
static inline unsigned int weir_dma_map_sg_linux(struct weir_device *dev, struct scatterlist *sg,
						 unsigned int nents, enum dma_data_direction dir,
						 unsigned long attrs, const struct weir_site *site)
{
	int ret = weir_dma_map_sg(dev, &sg->weir, nents, weir_dir(dir), attrs, site);

	return ret > 0 ? (unsigned int)ret : 0;
}

/** Map a table; sgt->nents becomes the segments in use. -EINVAL, -ENOMEM, -EIO. */
#define dma_map_sgtable(dev, sgt, dir, attrs)                                                      \
	weir_dma_map_sgtable(&(dev)->weir, sgt, dir, attrs, WEIR_HERE)
static inline int weir_dma_map_sgtable(struct weir_device *dev, struct sg_table *sgt,
				       enum dma_data_direction dir, unsigned long attrs,
				       const struct weir_site *site)
{
	int ret =
		weir_dma_map_sg(dev, &sgt->sgl->weir, sgt->orig_nents, weir_dir(dir), attrs, site);

	if (ret < 0)
		return ret;
	sgt->nents = (unsigned int)ret;
	return 0;
}
#define dma_unmap_sgtable(dev, sgt, dir, attrs)                                                    \
	dma_unmap_sg_attrs(dev, (sgt)->sgl, (sgt)->orig_nents, dir, attrs)

static inline void dma_sync_single_for_cpu(struct device *dev, dma_addr_t addr, size_t size,
					   enum dma_data_direction dir)
{
	weir_dma_sync_for_cpu(&dev->weir, addr, size, weir_dir(dir));
}
static inline void dma_sync_single_for_device(struct device *dev, dma_addr_t addr, size_t size,
					      enum dma_data_direction dir)
{
	weir_dma_sync_for_device(&dev->weir, addr, size, weir_dir(dir));
}
static inline void dma_sync_single_range_for_cpu(struct device *dev, dma_addr_t addr,
						 unsigned long offset, size_t size,
						 enum dma_data_direction dir)
{
	dma_sync_single_for_cpu(dev, addr + offset, size, dir);
}
static inline void dma_sync_single_range_for_device(struct device *dev, dma_addr_t addr,
						    unsigned long offset, size_t size,
						    enum dma_data_direction dir)
{
	dma_sync_single_for_device(dev, addr + offset, size, dir);
}
static inline void dma_sync_sg_for_cpu(struct device *dev, struct scatterlist *sg, int nents,
				       enum dma_data_direction dir)
{
	weir_dma_sync_sg_for_cpu(&dev->weir, &sg->weir, (unsigned int)nents, weir_dir(dir));
}
static inline void dma_sync_sg_for_device(struct device *dev, struct scatterlist *sg, int nents,
					  enum dma_data_direction dir)
{
	weir_dma_sync_sg_for_device(&dev->weir, &sg->weir, (unsigned int)nents, weir_dir(dir));
}

/* ---- Coherent memory -------------------------------------------------------------------- */

/** GFP_KERNEL: TASK; GFP_ATOMIC: any context. Always zeroed. */
#define dma_alloc_coherent(dev, size, addr, gfp)                                                   \
	weir_dma_alloc_coherent(&(dev)->weir, size, addr, (gfp)&GFP_ATOMIC, WEIR_HERE)
#define dma_free_coherent(dev, size, virt, addr)                                                   \
	weir_dma_free_coherent(&(dev)->weir, size, virt, addr, WEIR_HERE)

/* ---- What a mapping function returned, kept for unmap ----------------------------------- */

#define DEFINE_DMA_UNMAP_ADDR(name) dma_addr_t name
#define DEFINE_DMA_UNMAP_LEN(name) u32 name
#define dma_unmap_addr(ptr, name) ((ptr)->name)
#define dma_unmap_addr_set(ptr, name, val) ((ptr)->name = (val))
#define dma_unmap_len(ptr, name) ((ptr)->name)
#define dma_unmap_len_set(ptr, name, val) ((ptr)->name = (val))

#endif
