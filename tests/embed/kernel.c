/* SPDX-License-Identifier: MIT */

/* The kernel's functions: few of them do anything, all of them are symbols of the program. */

#include "kernel.h"

static u64 ticks;

void panic(const char *why)
{
	(void)why;
	__builtin_trap();
}

void spin_lock(spinlock_t *lock, int who)
{
	if (lock->ticket)
		panic("locked twice");
	lock->ticket = (u32)who;
}

void spin_unlock(spinlock_t *lock, int who)
{
	if (lock->ticket != (u32)who)
		panic("not the one who locked");
	lock->ticket = 0;
}

void mutex_lock(struct mutex *mutex, int who)
{
	if (mutex->owner)
		panic("locked twice");
	mutex->owner = (u32)who;
}

void mutex_unlock(struct mutex *mutex, int who)
{
	if (mutex->owner != (u32)who)
		panic("not the one who locked");
	mutex->owner = 0;
}

u64 ktime_get(void)
{
	return ticks += 1000;
}

int dma_map_single(struct device *dev, void *ptr, enum dma_data_direction dir)
{
	return dev && ptr ? (int)dir : 0;
}

u32 readl(u32 offset)
{
	return offset;
}

void writel(u32 offset, u32 value)
{
	(void)offset;
	(void)value;
}

void *kmalloc(int count, gfp_t gfp)
{
	(void)count;
	(void)gfp;
	return NULL;
}

void kfree(void *ptr, int count)
{
	(void)ptr;
	(void)count;
}

void list_add(struct list_head *list)
{
	list->towards = list;
}

void list_del(struct list_head *list)
{
	list->towards = NULL;
}

void dma_unmap_single(struct device *dev, int handle)
{
	(void)dev;
	(void)handle;
}

int dma_map_sg(struct scatterlist *list)
{
	return list->long_is_it;
}

void *dma_alloc_coherent(struct device *dev)
{
	return dev->weir_handle;
}

int iommu_map(int from)
{
	return from;
}

int iommu_unmap(int from)
{
	return from;
}

int request_irq(int irq)
{
	return irq;
}

int free_irq(int irq)
{
	return irq;
}

int pci_register_driver(struct pci_driver *driver)
{
	return driver->number;
}

int printk(const char *line)
{
	return *line;
}

int snprintk(void)
{
	return 0;
}

void complete(struct completion *completion)
{
	completion->arrived = 1;
}

int wait_for_completion(struct completion *completion)
{
	return completion->arrived == 1;
}

int schedule_work(struct work_struct *work)
{
	return work->when == 1;
}

int device_add(struct device *dev)
{
	return !dev->kernels_name;
}

int ida_alloc(int from)
{
	return from;
}

int bitmap_find_free_region(int order)
{
	return order;
}
