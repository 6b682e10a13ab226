/* SPDX-License-Identifier: MIT */
/* See threadplat.h. */

#define _GNU_SOURCE
#include "threadplat.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RAM_ALIGN (WEIR_PAGE_SIZE << WEIR_PLAT_MAX_ORDER)
#define LINE 64u

static struct {
	pthread_mutex_t lock;
	uint8_t *ram, *shadow;
	uint8_t *busy; /* a page each, under lock */
	size_t pages, next, in_use;
	bool exhausted;
	struct threadplat_mmio mmio;
	void (*barrier)(void);
	bool (*cleaning)(const void *virt, size_t size);
} tp = { .lock = PTHREAD_MUTEX_INITIALIZER };

static __thread unsigned int this_cpu;

static void die(const char *what)
{
	fprintf(stderr, "threadplat: %s\n", what);
	abort();
}

void threadplat_new(size_t ram_size, bool shadow)
{
	tp.pages = ram_size / WEIR_PAGE_SIZE;
	tp.ram = aligned_alloc(RAM_ALIGN, ram_size);
	tp.busy = calloc(tp.pages, 1);
	tp.shadow = shadow ? calloc(tp.pages, WEIR_PAGE_SIZE) : NULL;
	if (!tp.ram || !tp.busy || (shadow && !tp.shadow))
		die("no memory");
	memset(tp.ram, 0xa5, ram_size);
	tp.next = 0;
	tp.in_use = 0;
	tp.exhausted = false;
}

void threadplat_delete(void)
{
	if (tp.in_use)
		die("pages left");
	threadplat_delete_dirty();
}

void threadplat_delete_dirty(void)
{
	free(tp.ram);
	free(tp.shadow);
	free(tp.busy);
}

void threadplat_set_cpu(unsigned int cpu)
{
	this_cpu = cpu;
}

void threadplat_set_mmio(const struct threadplat_mmio *mmio)
{
	tp.mmio = *mmio;
}

void threadplat_set_barrier(void (*fn)(void))
{
	tp.barrier = fn;
}

void threadplat_set_cleaning(bool (*fn)(const void *virt, size_t size))
{
	tp.cleaning = fn;
}

void threadplat_exhaust(bool exhausted)
{
	pthread_mutex_lock(&tp.lock);
	tp.exhausted = exhausted;
	pthread_mutex_unlock(&tp.lock);
}

void *threadplat_device_view(uint64_t phys)
{
	if (phys < THREADPLAT_RAM_BASE || (phys - THREADPLAT_RAM_BASE) / WEIR_PAGE_SIZE >= tp.pages)
		die("a device went beyond RAM");
	return (tp.shadow ? tp.shadow : tp.ram) + (phys - THREADPLAT_RAM_BASE);
}

uint64_t threadplat_pages_in_use(void)
{
	uint64_t in_use;

	pthread_mutex_lock(&tp.lock);
	in_use = tp.in_use;
	pthread_mutex_unlock(&tp.lock);
	return in_use;
}

static bool is_free(size_t first, size_t n)
{
	for (size_t i = first; i < first + n; i++)
		if (tp.busy[i])
			return false;
	return true;
}

int plat_pages_alloc(void *plat, unsigned int order, enum weir_zone zone, unsigned int flags,
		     weir_phys_t *phys)
{
	size_t n = (size_t)1 << order, tries = tp.pages / n, at;
	int ret = -WEIR_ENOMEM;

	(void)plat;
	(void)zone;
	(void)flags;
	pthread_mutex_lock(&tp.lock);
	at = WEIR_ALIGN_UP(tp.next, n);
	for (; tries-- && !tp.exhausted && ret; at += n) {
		if (at + n > tp.pages)
			at = 0;
		if (!is_free(at, n))
			continue;
		memset(tp.busy + at, 1, n);
		tp.in_use += n;
		tp.next = at + n;
		*phys = THREADPLAT_RAM_BASE + at * WEIR_PAGE_SIZE;
		ret = 0;
	}
	pthread_mutex_unlock(&tp.lock);
	return ret;
}

void plat_pages_free(void *plat, weir_phys_t phys, unsigned int order)
{
	size_t at = (phys - THREADPLAT_RAM_BASE) / WEIR_PAGE_SIZE, n = (size_t)1 << order;

	(void)plat;
	pthread_mutex_lock(&tp.lock);
	for (size_t i = at; i < at + n; i++)
		if (!tp.busy[i])
			die("a page was freed twice");
	memset(tp.busy + at, 0, n);
	tp.in_use -= n;
	memset(tp.ram + at * WEIR_PAGE_SIZE, 0xa5, n * WEIR_PAGE_SIZE);
	pthread_mutex_unlock(&tp.lock);
}

void *plat_phys_to_virt(void *plat, weir_phys_t phys)
{
	(void)plat;
	return tp.ram + (phys - THREADPLAT_RAM_BASE);
}

weir_phys_t plat_virt_to_phys(void *plat, const void *virt)
{
	(void)plat;
	return THREADPLAT_RAM_BASE + (size_t)((const uint8_t *)virt - tp.ram);
}

weir_phys_t plat_memory_end(void *plat)
{
	(void)plat;
	return THREADPLAT_RAM_BASE + tp.pages * WEIR_PAGE_SIZE;
}

/* ---- Registers: an address is 1 + the offset, so that none is NULL --------------------------- */

volatile void *plat_mmio_map(void *plat, weir_phys_t phys, size_t size)
{
	(void)plat;
	(void)phys;
	(void)size;
	return (volatile void *)(uintptr_t)0x100000000ull;
}

void plat_mmio_unmap(void *plat, volatile void *addr, size_t size)
{
	(void)plat;
	(void)addr;
	(void)size;
}

static uint64_t mmio_read(const volatile void *addr, unsigned int size)
{
	return tp.mmio.read(tp.mmio.opaque, (uintptr_t)addr & 0xffffffffu, size);
}

static void mmio_write(volatile void *addr, unsigned int size, uint64_t value)
{
	tp.mmio.write(tp.mmio.opaque, (uintptr_t)addr & 0xffffffffu, size, value);
}

#define MMIO(bits)                                                                                 \
	uint##bits##_t plat_mmio_read##bits(const volatile void *addr)                             \
	{                                                                                          \
		return (uint##bits##_t)mmio_read(addr, bits / 8);                                  \
	}                                                                                          \
	void plat_mmio_write##bits(volatile void *addr, uint##bits##_t value)                      \
	{                                                                                          \
		mmio_write(addr, bits / 8, value);                                                 \
	}
MMIO(8)
MMIO(16)
MMIO(32)
MMIO(64)

/* ---- Barriers and caches --------------------------------------------------------------------- */

/* The device sides of these tests are threads that synchronise through locks. */
void plat_dma_mb(void)
{
}

void plat_dma_rmb(void)
{
}

void plat_dma_wmb(void)
{
	if (tp.barrier)
		tp.barrier();
}

static struct weir_spinlock cleaning;

void plat_cache_clean(void *plat, const void *virt, size_t size)
{
	uint64_t at = WEIR_ALIGN_DOWN((uint64_t)((const uint8_t *)virt - tp.ram), LINE);
	uint64_t end = WEIR_ALIGN_UP((uint64_t)((const uint8_t *)virt - tp.ram) + size, LINE);

	(void)plat;
	if (!size)
		die("a clean of nothing");
	if (tp.cleaning && !tp.cleaning(virt, size))
		return;
	/* It takes long on real machines too: others get ahead here. */
	if (!tp.shadow)
		sched_yield();
	/*
	 * Caches are coherent among CPUs: a line that goes to memory is the newest there is, and an
	 * older one never follows it. So reading and writing are one step.
	 */
	plat_spin_lock(&cleaning);
	for (; tp.shadow && at < end; at += sizeof(uint64_t)) {
		uint64_t value =
			__atomic_load_n((uint64_t *)(void *)(tp.ram + at), __ATOMIC_RELAXED);

		__atomic_store_n((uint64_t *)(void *)(tp.shadow + at), value, __ATOMIC_RELAXED);
	}
	plat_spin_unlock(&cleaning);
}

void plat_cache_invalidate(void *plat, const void *virt, size_t size)
{
	(void)plat;
	(void)virt;
	(void)size;
}

void plat_cache_flush(void *plat, const void *virt, size_t size)
{
	plat_cache_clean(plat, virt, size);
}

/* ---- CPUs, locks, time ----------------------------------------------------------------------- */

unsigned int plat_cpu(void)
{
	return this_cpu;
}

struct weir *plat_weir(void)
{
	return NULL;
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
	sched_yield();
}

void plat_spin_lock(struct weir_spinlock *lock)
{
	while (__atomic_exchange_n(&lock->opaque[0], 1, __ATOMIC_ACQUIRE))
		sched_yield();
}

void plat_spin_unlock(struct weir_spinlock *lock)
{
	__atomic_store_n(&lock->opaque[0], 0, __ATOMIC_RELEASE);
}

void plat_mutex_lock(void *plat, struct weir_mutex *mutex)
{
	(void)plat;
	while (__atomic_exchange_n(&mutex->opaque[0], 1, __ATOMIC_ACQUIRE))
		sched_yield();
}

void plat_mutex_unlock(void *plat, struct weir_mutex *mutex)
{
	(void)plat;
	__atomic_store_n(&mutex->opaque[0], 0, __ATOMIC_RELEASE);
}

uint64_t plat_time_ns(void *plat)
{
	struct timespec now;

	(void)plat;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void plat_log(void *plat, enum weir_level level, const char *line)
{
	(void)plat;
	(void)level;
	fprintf(stderr, "%s\n", line);
}

/* ---- What no test of this kind needs --------------------------------------------------------- */

int plat_wait(void *plat, const uint32_t *word, uint32_t value, uint64_t timeout_ns)
{
	(void)plat;
	(void)word;
	(void)value;
	(void)timeout_ns;
	sched_yield();
	return 0;
}

void plat_wake(void *plat, const uint32_t *word)
{
	(void)plat;
	(void)word;
}

/* A timer here never fires. */
void plat_timer_arm(void *plat, struct weir_timer *timer, uint64_t deadline_ns)
{
	(void)plat;
	(void)timer;
	(void)deadline_ns;
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
	die("no work items here");
	return false;
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
	return 0;
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
