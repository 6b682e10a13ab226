/* SPDX-License-Identifier: MIT */

/* The platform: -> platform.h, inline.h. */

#define _GNU_SOURCE
#include "platform.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "clock.h"

#define SPINS 256u
#define RAM_ALIGN ((uintptr_t)WEIR_PAGE_SIZE << WEIR_PLAT_MAX_ORDER)
#define MMIO_BASE 0x100000000ull /* no register has the address NULL */

/* A free block; the list of its order is in this word. */
struct block {
	struct block *next;
};

static struct {
	struct weir weir;
	struct weir_cpu cpu[BENCH_CPUS];
	uint8_t *map; /* RAM lies in it, aligned */
	size_t map_size;
	uintptr_t begin, next, end; /* blocks were cut off below `next` */
	struct block *free[WEIR_PLAT_MAX_ORDER + 1];
	struct weir_spinlock lock; /* next, free */
	struct bench_mmio mmio;
} machine;

__thread unsigned int bench_cpu;
static __thread unsigned int spins;

struct weir *bench_machine(size_t ram)
{
	struct weir *weir = &machine.weir;

	memset(&machine, 0, sizeof(machine));
	machine.map_size = ram + RAM_ALIGN;
	machine.map = mmap(NULL, machine.map_size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (machine.map == MAP_FAILED) {
		fprintf(stderr, "bench: no memory\n");
		return NULL;
	}
	/* As a kernel has it: RAM is mapped in large pages. */
	(void)madvise(machine.map, machine.map_size, MADV_HUGEPAGE);
	machine.begin = WEIR_ALIGN_UP((uintptr_t)machine.map, RAM_ALIGN);
	machine.next = machine.begin;
	machine.end = machine.begin + ram;
	weir->cpus = BENCH_CPUS;
	weir->cpu = machine.cpu;
	weir->log_level = WEIR_LOG_ERR;
	weir_heap_init(&weir->heap, NULL, false);
	return weir;
}

bool bench_machine_end(struct weir *weir)
{
	uint64_t left = weir_heap_fini(&weir->heap);

	munmap(machine.map, machine.map_size);
	if (left)
		fprintf(stderr, "bench: %llu bytes are lost\n", (unsigned long long)left);
	return !left;
}

void bench_set_mmio(const struct bench_mmio *mmio)
{
	machine.mmio = *mmio;
}

void bench_set_cpu(unsigned int cpu)
{
	bench_cpu = cpu;
}

unsigned int bench_processors(void)
{
	cpu_set_t set;

	if (sched_getaffinity(getpid(), sizeof(set), &set))
		return 1;
	return (unsigned int)CPU_COUNT(&set);
}

void bench_pin(unsigned int processor)
{
	cpu_set_t all, one;

	/* The process's first thread, which nobody pins, has them all. */
	if (sched_getaffinity(getpid(), sizeof(all), &all))
		return;
	CPU_ZERO(&one);
	for (int i = 0; i < CPU_SETSIZE; i++) {
		if (CPU_ISSET(i, &all) && processor-- == 0)
			CPU_SET(i, &one);
	}
	(void)sched_setaffinity(0, sizeof(one), &one);
}

/* ---- Memory ------------------------------------------------------------------------------ */

static uintptr_t cut_off(size_t size)
{
	uintptr_t at = WEIR_ALIGN_UP(machine.next, size);

	if (at > machine.end || machine.end - at < size)
		return 0;
	machine.next = at + size;
	return at;
}

int plat_pages_alloc(void *plat, unsigned int order, enum weir_zone zone, unsigned int flags,
		     weir_phys_t *phys)
{
	struct block *block;

	(void)plat;
	(void)zone;
	(void)flags;
	plat_spin_lock(&machine.lock);
	block = machine.free[order];
	if (block)
		machine.free[order] = block->next;
	else
		block = (struct block *)cut_off(WEIR_PAGE_SIZE << order);
	plat_spin_unlock(&machine.lock);
	*phys = (weir_phys_t)(uintptr_t)block;
	return block ? 0 : -WEIR_ENOMEM;
}

void plat_pages_free(void *plat, weir_phys_t phys, unsigned int order)
{
	struct block *block = plat_phys_to_virt(plat, phys);

	plat_spin_lock(&machine.lock);
	block->next = machine.free[order];
	machine.free[order] = block;
	plat_spin_unlock(&machine.lock);
}

weir_phys_t plat_memory_end(void *plat)
{
	(void)plat;
	return (weir_phys_t)machine.end;
}

/* ---- Registers --------------------------------------------------------------------------- */

volatile void *plat_mmio_map(void *plat, weir_phys_t phys, size_t size)
{
	(void)plat;
	(void)phys;
	(void)size;
	return (volatile void *)(uintptr_t)MMIO_BASE;
}

void plat_mmio_unmap(void *plat, volatile void *addr, size_t size)
{
	(void)plat;
	(void)addr;
	(void)size;
}

#define MMIO(bits)                                                                                 \
	uint##bits##_t plat_mmio_read##bits(const volatile void *addr)                             \
	{                                                                                          \
		return (uint##bits##_t)machine.mmio.read((uint32_t)(uintptr_t)addr);               \
	}                                                                                          \
	void plat_mmio_write##bits(volatile void *addr, uint##bits##_t value)                      \
	{                                                                                          \
		machine.mmio.write((uint32_t)(uintptr_t)addr, bits / 8, value);                    \
	}
MMIO(8)
MMIO(16)
MMIO(32)
MMIO(64)

/* What devices see is what CPUs see. */
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

/* ---- CPUs, locks, time ------------------------------------------------------------------- */

/* Whoever is waited for may want this processor. */
void plat_relax(void *plat)
{
	(void)plat;
	BENCH_PAUSE();
	if (++spins % SPINS == 0)
		sched_yield();
}

void plat_mutex_lock(void *plat, struct weir_mutex *mutex)
{
	while (__atomic_exchange_n(&mutex->opaque[0], 1, __ATOMIC_ACQUIRE))
		plat_relax(plat);
}

void plat_mutex_unlock(void *plat, struct weir_mutex *mutex)
{
	(void)plat;
	__atomic_store_n(&mutex->opaque[0], 0, __ATOMIC_RELEASE);
}

struct weir *plat_weir(void)
{
	return &machine.weir;
}

uint64_t plat_time_ns(void *plat)
{
	(void)plat;
	return now();
}

void plat_log(void *plat, enum weir_level level, const char *line)
{
	(void)plat;
	(void)level;
	fprintf(stderr, "%s\n", line);
}

/* ---- Nothing sleeps, and nothing interrupts ---------------------------------------------- */

int plat_wait(void *plat, const uint32_t *word, uint32_t value, uint64_t timeout_ns)
{
	(void)word;
	(void)value;
	(void)timeout_ns;
	plat_relax(plat);
	return 0;
}

void plat_wake(void *plat, const uint32_t *word)
{
	(void)plat;
	(void)word;
}

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
