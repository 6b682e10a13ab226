/* SPDX-License-Identifier: MIT */

/*
 * The kernel's glue to weir, with the kernel's own headers included first: devices, memory, locks
 * and time are the kernel's, and weir's platform functions are written with them.
 */

#include "kernel.h"

#include <weir/weir.h>
#include <weir/platform.h>
#include <weir/dma.h>
#include <weir/domain.h>
#include <weir/sys.h>
#include <weir/pci-host.h>
#include <weir/hw/nvme.h>
#include <weir/hw/pci.h>
#include <weir/hw/smmuv3.h>

#include "host.h"

/* ---- Memory: a struct page for each frame, as kernels have it --------------------------- */

#define FRAMES 1024u
#define FRAME 4096u
#define BASE 0x800000u

static u8 memory[FRAMES][FRAME] __attribute__((aligned(FRAME)));
static struct page pages[FRAMES];

int plat_pages_alloc(void *plat, unsigned int order, enum weir_zone zone, unsigned int flags,
		     weir_phys_t *phys)
{
	u32 first, i, count = 1u << order;

	(void)plat;
	(void)zone;
	(void)flags;
	for (first = 0; first + count <= FRAMES; first += count) {
		for (i = 0; i < count && !pages[first + i].kernels_count; i++)
			;
		if (i < count)
			continue;
		while (i)
			pages[first + --i].kernels_count = 1;
		*phys = BASE + (u64)first * FRAME;
		return 0;
	}
	return -WEIR_ENOMEM;
}

void plat_pages_free(void *plat, weir_phys_t phys, unsigned int order)
{
	struct page *page = &pages[(phys - BASE) / FRAME];
	u32 count = 1u << order;

	(void)plat;
	while (count--)
		if (page++->kernels_count-- != 1)
			panic("a page was freed twice");
}

void *plat_phys_to_virt(void *plat, weir_phys_t phys)
{
	(void)plat;
	return &memory[0][0] + (phys - BASE);
}

weir_phys_t plat_virt_to_phys(void *plat, const void *virt)
{
	(void)plat;
	return BASE + (u64)((const u8 *)virt - &memory[0][0]);
}

weir_phys_t plat_memory_end(void *plat)
{
	(void)plat;
	return BASE + sizeof(memory);
}

/* ---- Locks, CPUs, time ------------------------------------------------------------------ */

static struct weir *the_weir;

void plat_spin_lock(struct weir_spinlock *lock)
{
	spin_lock((spinlock_t *)lock->opaque, 1);
}
void plat_spin_unlock(struct weir_spinlock *lock)
{
	spin_unlock((spinlock_t *)lock->opaque, 1);
}
void plat_mutex_lock(void *plat, struct weir_mutex *mutex)
{
	(void)plat;
	mutex_lock((struct mutex *)mutex->opaque, 1);
}
void plat_mutex_unlock(void *plat, struct weir_mutex *mutex)
{
	(void)plat;
	mutex_unlock((struct mutex *)mutex->opaque, 1);
}
unsigned int plat_cpu(void)
{
	return 0;
}
struct weir *plat_weir(void)
{
	return the_weir;
}
uintptr_t plat_irq_save(void)
{
	return 0;
}
void plat_irq_restore(uintptr_t flags)
{
	(void)flags;
}
void plat_relax(void *plat)
{
	(void)plat;
}
uint64_t plat_time_ns(void *plat)
{
	(void)plat;
	return ktime_get();
}
int plat_wait(void *plat, const uint32_t *word, uint32_t value, uint64_t timeout_ns)
{
	(void)plat;
	(void)timeout_ns;
	return *word == value ? -WEIR_ETIMEDOUT : 0;
}
void plat_wake(void *plat, const uint32_t *word)
{
	(void)plat;
	(void)word;
}

/* ---- What this kernel, at this stage of its boot, has not got --------------------------- */

void plat_timer_arm(void *plat, struct weir_timer *timer, uint64_t deadline_ns)
{
	(void)plat;
	(void)timer;
	(void)deadline_ns;
	panic("no timers yet");
}
bool plat_timer_cancel(void *plat, struct weir_timer *timer)
{
	(void)plat;
	(void)timer;
	return false;
}
bool plat_work_queue(void *plat, struct weir_work *work)
{
	(void)plat;
	(void)work;
	panic("no work queues yet");
	return true;
}
bool plat_work_cancel(void *plat, struct weir_work *work)
{
	(void)plat;
	(void)work;
	return false;
}
int plat_irq_connect(void *plat, unsigned int irq, unsigned int cpu, weir_irq_fn *fn, void *arg)
{
	(void)plat;
	(void)irq;
	(void)cpu;
	(void)fn;
	(void)arg;
	return -WEIR_EINVAL;
}
void plat_irq_disconnect(void *plat, unsigned int irq)
{
	(void)plat;
	(void)irq;
}
int plat_irq_wired(void *plat, uint32_t controller, const uint32_t *cells, unsigned int nr_cells,
		   unsigned int *irq)
{
	(void)plat;
	(void)controller;
	(void)cells;
	(void)nr_cells;
	(void)irq;
	return -WEIR_ENOENT;
}
int plat_msi_alloc(void *plat, uint32_t controller, uint32_t device_id, unsigned int index,
		   unsigned int cpu, struct weir_msi *msi)
{
	(void)plat;
	(void)controller;
	(void)device_id;
	(void)index;
	(void)cpu;
	(void)msi;
	return -WEIR_EOPNOTSUPP;
}
void plat_msi_free(void *plat, const struct weir_msi *msi)
{
	(void)plat;
	(void)msi;
}
volatile void WEIR_IOMEM *plat_mmio_map(void *plat, weir_phys_t phys, size_t size)
{
	(void)plat;
	(void)phys;
	(void)size;
	return NULL;
}
void plat_mmio_unmap(void *plat, volatile void WEIR_IOMEM *addr, size_t size)
{
	(void)plat;
	(void)addr;
	(void)size;
}

#define ACCESSORS(bits)                                                                            \
	uint##bits##_t plat_mmio_read##bits(const volatile void WEIR_IOMEM *addr)                  \
	{                                                                                          \
		return *(const volatile uint##bits##_t *)addr;                                     \
	}                                                                                          \
	void plat_mmio_write##bits(volatile void WEIR_IOMEM *addr, uint##bits##_t value)           \
	{                                                                                          \
		*(volatile uint##bits##_t *)addr = value;                                          \
	}
ACCESSORS(8)
ACCESSORS(16)
ACCESSORS(32)
ACCESSORS(64)

void plat_dma_mb(void)
{
	__sync_synchronize();
}
void plat_dma_rmb(void)
{
	__sync_synchronize();
}
void plat_dma_wmb(void)
{
	__sync_synchronize();
}
void plat_cache_clean(void *plat, const void *virt, size_t size)
{
	(void)plat;
	(void)virt;
	(void)size;
}
void plat_cache_invalidate(void *plat, const void *virt, size_t size)
{
	plat_cache_clean(plat, virt, size);
}
void plat_cache_flush(void *plat, const void *virt, size_t size)
{
	plat_cache_clean(plat, virt, size);
}
void plat_log(void *plat, enum weir_level level, const char *line)
{
	(void)plat;
	(void)level;
	printk(line);
}

/* ---- A driver's work, in the kernel's terms --------------------------------------------- */

/* The kernel's device has weir's inside. */
struct kernels_disk {
	struct device dev;
	struct weir_device weir;
};

static void map_list(struct weir_device *dev, weir_phys_t phys, struct embed_seen *seen)
{
	struct weir_sg list[2] = {
		{ .page_link = weir_page_handle(phys), .length = FRAME },
		{ .page_link = weir_page_handle(phys + FRAME) | WEIR_SG_END, .length = 512 },
	};
	int ret = weir_dma_map_sg(dev, list, 2, WEIR_DMA_FROM_DEVICE, 0, WEIR_HERE);

	if (ret <= 0)
		return;
	seen->segments = (unsigned int)ret;
	seen->segment = list[0].dma_address;
	weir_dma_unmap_sg(dev, list, 2, WEIR_DMA_FROM_DEVICE, 0, WEIR_HERE);
}

static void use(struct kernels_disk *disk, struct embed_seen *seen)
{
	struct weir_device *dev = &disk->weir;
	weir_phys_t phys;
	u8 *buffer;

	if (plat_pages_alloc(NULL, 1, WEIR_ZONE_NORMAL, 0, &phys))
		return;
	buffer = plat_phys_to_virt(NULL, phys);
	seen->phys = phys;
	seen->single = weir_dma_map_single(dev, buffer + 24, 1000, WEIR_DMA_TO_DEVICE, 0,
					   WEIR_HERE);
	seen->page = weir_dma_map_phys(dev, phys, FRAME, WEIR_DMA_BIDIRECTIONAL, 0, WEIR_HERE);
	if (!weir_dma_is_error(seen->single))
		weir_dma_unmap(dev, seen->single, 1000, WEIR_DMA_TO_DEVICE, 0, WEIR_HERE);
	if (!weir_dma_is_error(seen->page))
		weir_dma_unmap(dev, seen->page, FRAME, WEIR_DMA_BIDIRECTIONAL, 0, WEIR_HERE);
	map_list(dev, phys, seen);
	seen->kernels_dma_map_single = dma_map_single(&disk->dev, buffer, DMA_TO_DEVICE);
	plat_pages_free(NULL, phys, 1);
}

void embed_run(struct embed_seen *seen)
{
	static struct kernels_disk disk = { .dev = { .kernels_name = "disk" } };
	struct weir_options options = { .cpus = 1, .log_level = WEIR_LOG_WARN };
	struct weir_device_desc desc = { .name = disk.dev.kernels_name, .coherent = true };
	u32 i;

	*seen = (struct embed_seen){ .add = -1, .fini = -1 };
	seen->init = weir_init(&options, &the_weir);
	if (seen->init)
		return;
	seen->add = weir_device_add(the_weir, &disk.weir, &desc);
	if (!seen->add) {
		use(&disk, seen);
		seen->left = weir_device_remove(&disk.weir);
	}
	seen->fini = weir_fini(the_weir);
	for (i = 0; i < FRAMES; i++)
		seen->pages_left += pages[i].kernels_count;
}

void embed_sizes_early(struct embed_sizes *sizes)
{
	*sizes = (struct embed_sizes){
		.device = sizeof(struct weir_device),
		.options = sizeof(struct weir_options),
		.sg = sizeof(struct weir_sg),
		.domain_flags = WEIR_IOMMU_READ | WEIR_IOMMU_WRITE,
	};
}
