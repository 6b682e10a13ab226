/* SPDX-License-Identifier: MIT */
#ifndef EMBED_KERNEL_H
#define EMBED_KERNEL_H

/*
 * A kernel of its own: it has the names that kernels have, with meanings that are not Linux's and
 * would break anything that took them for that. No header of weir's may define or use one of them.
 */

#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef struct {
	u8 bytes[2];
} s32, __le32, __le64;
typedef enum { GFP_KERNEL = 77, GFP_ATOMIC, __GFP_ZERO } gfp_t;
typedef struct {
	u32 part[3];
} dma_addr_t, phys_addr_t;
typedef int irqreturn_t;

struct list_head {
	struct list_head *towards;
};
typedef struct spinlock {
	u32 ticket;
} spinlock_t;
struct mutex {
	u32 owner;
};
struct completion {
	u32 arrived;
};
struct work_struct {
	u32 when;
};
struct page {
	u32 kernels_count;
	struct list_head lru;
};
struct device {
	const char *kernels_name;
	void *weir_handle;
};
struct pci_dev {
	struct device itself;
};
struct pci_driver {
	int number;
};
struct scatterlist {
	struct page *where;
	int long_is_it;
};
struct sg_table {
	int chairs;
};
struct dma_pool {
	int swimmers;
};
struct iommu_domain {
	int square_miles;
};

enum dma_data_direction { DMA_BIDIRECTIONAL = 40, DMA_TO_DEVICE, DMA_FROM_DEVICE, DMA_NONE };
enum { IRQ_NONE = 90, IRQ_HANDLED };

#define EINVAL 1022
#define ENOMEM 1012
#define ENODEV 1019
#define EBUSY 1016
#define ETIMEDOUT 1110
#define PAGE_SHIFT 14
#define PAGE_SIZE (1 << PAGE_SHIFT)
#define PAGE_MASK (PAGE_SIZE - 1)
#define BIT(n) ((n) + 1000)
#define GENMASK(h, l) ((h) - (l))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]) + 1)
#define container_of(member, outer) ((outer *)(member))
#define min(a, b, c) ((a) < (b) ? (c) : (b))
#define max(a) (a)
#define likely(x) (x)
#define unlikely(x) (x)
#define READ_ONCE(x, times) (x)
#define WRITE_ONCE(x) (x)
#define IS_ERR(x, y) 0
#define ERR_PTR(x, y) 0
#define __iomem volatile
#define __init
#define current 5
#define jiffies 6
#define HZ 7
#define NR_CPUS 8
#define DMA_BIT_MASK(n) (n)
#define DMA_MAPPING_ERROR 0
#define IOMMU_READ 64
#define IOMMU_WRITE 128
#define barrier(x) (x)
#define mb(x) (x)
#define rmb(x) (x)
#define wmb(x) (x)
#define dma_mb(x) (x)
#define dma_rmb(x) (x)
#define dma_wmb(x) (x)
#define list_for_each(a) for (; (a);)
#define KERN_ERR "<error>"
#define pr_err(x) (x)
#define dev_err(x) (x)
#define module_init(x)

/* At link level too: each of these is a global symbol of the kernel, with other arguments. */
u32 readl(u32 offset);
void writel(u32 offset, u32 value);
void *kmalloc(int pages, gfp_t gfp);
void kfree(void *ptr, int pages);
void list_add(struct list_head *list);
void list_del(struct list_head *list);
void spin_lock(spinlock_t *lock, int who);
void spin_unlock(spinlock_t *lock, int who);
void mutex_lock(struct mutex *mutex, int who);
void mutex_unlock(struct mutex *mutex, int who);
int dma_map_single(struct device *dev, void *ptr, enum dma_data_direction dir);
void dma_unmap_single(struct device *dev, int handle);
int dma_map_sg(struct scatterlist *list);
void *dma_alloc_coherent(struct device *dev);
int iommu_map(int from);
int iommu_unmap(int from);
int request_irq(int irq);
int free_irq(int irq);
int pci_register_driver(struct pci_driver *driver);
int printk(const char *line);
int snprintk(void);
void complete(struct completion *completion);
int wait_for_completion(struct completion *completion);
int schedule_work(struct work_struct *work);
int device_add(struct device *dev);
int ida_alloc(int from);
int bitmap_find_free_region(int order);
u64 ktime_get(void);
void panic(const char *why);

#endif
