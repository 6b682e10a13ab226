/* SPDX-License-Identifier: MIT */

/*
 * The smallest platform: one CPU, no threads, no interrupts, memory in an array. In the order of
 * docs/porting.md, which says at each step what a real kernel does instead.
 */

#include "port.h"

/* ---- 1. Log ----------------------------------------------------------------------------- */

void plat_log(void *plat, enum weir_level level, const char *line)
{
	(void)plat;
	(void)level;
	console_line(line);
}

/* ---- 2. Memory -------------------------------------------------------------------------- */

#define RAM_BASE 0x800000u /* aligned as the largest allocation: first fit then is aligned too */
#define RAM_PAGES 2048u    /* ends at 16 MiB: all of it serves every zone */

static unsigned char ram[RAM_PAGES][4096] __attribute__((aligned(4096)));
static bool taken[RAM_PAGES];

static bool is_free(unsigned int first, unsigned int count)
{
	while (count)
		if (taken[first + --count])
			return false;
	return true;
}

static void mark(unsigned int first, unsigned int count, bool value)
{
	while (count)
		taken[first + --count] = value;
}

int plat_pages_alloc(void *plat, unsigned int order, enum weir_zone zone, unsigned int flags,
		     weir_phys_t *phys)
{
	unsigned int first, count = 1u << order;

	(void)plat;
	(void)zone;
	(void)flags;
	for (first = 0; first + count <= RAM_PAGES; first += count) {
		if (is_free(first, count)) {
			mark(first, count, true);
			*phys = RAM_BASE + (weir_phys_t)first * 4096;
			return 0;
		}
	}
	return -WEIR_ENOMEM;
}

void plat_pages_free(void *plat, weir_phys_t phys, unsigned int order)
{
	(void)plat;
	mark((unsigned int)((phys - RAM_BASE) / 4096), 1u << order, false);
}

void *plat_phys_to_virt(void *plat, weir_phys_t phys)
{
	(void)plat;
	return &ram[0][0] + (phys - RAM_BASE);
}

weir_phys_t plat_virt_to_phys(void *plat, const void *virt)
{
	(void)plat;
	return RAM_BASE + (weir_phys_t)((const unsigned char *)virt - &ram[0][0]);
}

weir_phys_t plat_memory_end(void *plat)
{
	(void)plat;
	return RAM_BASE + sizeof(ram);
}

unsigned int port_pages_in_use(void)
{
	unsigned int i, count = 0;

	for (i = 0; i < RAM_PAGES; i++)
		count += taken[i];
	return count;
}

/* ---- 3. CPUs and locks ------------------------------------------------------------------ */

static struct weir *the_weir;
static bool irqs_off;

void port_set_weir(struct weir *weir)
{
	the_weir = weir;
}

struct weir *plat_weir(void)
{
	return the_weir;
}

unsigned int plat_cpu(void)
{
	return 0;
}

uintptr_t plat_irq_save(void)
{
	bool before = irqs_off;

	irqs_off = true;
	return before;
}

void plat_irq_restore(uintptr_t flags)
{
	irqs_off = flags;
}

void plat_relax(void *plat)
{
	(void)plat;
}

/* With one CPU a lock is never waited for: whoever finds it taken would wait for ever. */
static void take(uintptr_t *lock)
{
	if (*lock)
		__builtin_trap();
	*lock = 1;
}

void plat_spin_lock(struct weir_spinlock *lock)
{
	take(&lock->opaque[0]);
}

void plat_spin_unlock(struct weir_spinlock *lock)
{
	lock->opaque[0] = 0;
}

void plat_mutex_lock(void *plat, struct weir_mutex *mutex)
{
	(void)plat;
	take(&mutex->opaque[0]);
}

void plat_mutex_unlock(void *plat, struct weir_mutex *mutex)
{
	(void)plat;
	mutex->opaque[0] = 0;
}

/* ---- 4. Registers, order, caches -------------------------------------------------------- */

/* Nothing is mapped here; a kernel maps [phys, phys + size) as device memory. */
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

/* The strongest barrier is always right; dmb osh, osh st and osh ld are enough on Arm. */
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

/* All devices here snoop the caches. */
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

/* ---- 5. Time, waiting, deferred calls --------------------------------------------------- */

static uint64_t now_ns;

/* A clock that ticks when it is looked at; a kernel reads its counter. */
uint64_t plat_time_ns(void *plat)
{
	(void)plat;
	return now_ns += 1000;
}

/* Queues of timers and of work: opaque[0] links them, opaque[1] is when. */
static struct weir_timer *timers;
static struct weir_work *works;

static bool remove_timer(struct weir_timer *timer)
{
	struct weir_timer **at = &timers;

	while (*at && *at != timer)
		at = (struct weir_timer **)&(*at)->opaque[0];
	if (!*at)
		return false;
	*at = (struct weir_timer *)timer->opaque[0];
	return true;
}

void plat_timer_arm(void *plat, struct weir_timer *timer, uint64_t deadline_ns)
{
	(void)plat;
	remove_timer(timer);
	timer->opaque[0] = (uintptr_t)timers;
	timer->opaque[1] = deadline_ns;
	timers = timer;
}

bool plat_timer_cancel(void *plat, struct weir_timer *timer)
{
	(void)plat;
	return remove_timer(timer);
}

static bool remove_work(struct weir_work *work)
{
	struct weir_work **at = &works;

	while (*at && *at != work)
		at = (struct weir_work **)&(*at)->opaque[0];
	if (!*at)
		return false;
	*at = (struct weir_work *)work->opaque[0];
	return true;
}

bool plat_work_queue(void *plat, struct weir_work *work)
{
	bool queued = remove_work(work);

	(void)plat;
	work->opaque[0] = (uintptr_t)works;
	works = work;
	return !queued;
}

bool plat_work_cancel(void *plat, struct weir_work *work)
{
	(void)plat;
	return remove_work(work);
}

static bool run_timer(void)
{
	struct weir_timer *timer = timers;
	uintptr_t flags;

	while (timer && timer->opaque[1] > plat_time_ns(NULL))
		timer = (struct weir_timer *)timer->opaque[0];
	if (!timer)
		return false;
	remove_timer(timer);
	flags = plat_irq_save(); /* fn expects IRQ context */
	timer->fn(timer);
	plat_irq_restore(flags);
	return true;
}

bool port_run(void)
{
	struct weir_work *work = works;

	if (run_timer())
		return true;
	if (!work)
		return false;
	remove_work(work);
	work->fn(work);
	return true;
}

/* Nobody else runs while this CPU waits, so it does what would be done meanwhile. */
int plat_wait(void *plat, const uint32_t *word, uint32_t value, uint64_t timeout_ns)
{
	uint64_t start = plat_time_ns(plat);

	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == value) {
		if (!port_run() && plat_time_ns(plat) - start >= timeout_ns)
			return -WEIR_ETIMEDOUT;
	}
	return 0;
}

void plat_wake(void *plat, const uint32_t *word)
{
	(void)plat;
	(void)word;
}

/* ---- 6. Interrupts ---------------------------------------------------------------------- */

/* There are none: no number ever comes from the two functions that give them out. */
int plat_irq_wired(void *plat, uint32_t controller, const uint32_t *cells, unsigned int nr_cells,
		   unsigned int *irq)
{
	(void)plat;
	(void)controller;
	(void)cells;
	(void)nr_cells;
	*irq = 0;
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
