/* SPDX-License-Identifier: MIT */
/* See fakeplat.h. One thread; the only state that others may touch is the pending interrupts. */

#define _GNU_SOURCE
#include "fakeplat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define FAKE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FAKE_ASAN 1
#endif
#endif
#ifdef FAKE_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

#define RAM_ALIGN (WEIR_PAGE_SIZE << WEIR_PLAT_MAX_ORDER)
#define MMIO_COOKIE 0x4000000000000000ull /* not canonical: a plain dereference faults */
#define TIMERS 256
#define WORKS 256

struct fakeplat_irq {
	weir_irq_fn *fn;
	void *arg;
	uint32_t pending; /* atomic */
	bool is_allocated;
};

struct fakeplat_private {
	uint8_t *ram;
	size_t pages;
	uint8_t *order; /* for each page: order + 1 at the first of an allocation */
	uint8_t *busy;
	size_t next;
	unsigned int irqs_off, spins, in_irq;
	struct weir_timer *timers[TIMERS]; /* armed */
	unsigned int nr_timers;
	struct weir_work *works[WORKS]; /* queued */
	unsigned int nr_works;
	struct weir_work *running;
	struct fakeplat_irq irqs[FAKEPLAT_IRQS];
	char *log;
	size_t log_size;
	FILE *log_file;
};

static struct fakeplat *current;

static void die(const char *what)
{
	fprintf(stderr, "fakeplat: %s\n", what);
	abort();
}

static void task_only(const char *function)
{
	struct fakeplat_private *p = current->private;

	if (p->irqs_off || p->spins || p->in_irq) {
		fprintf(stderr, "fakeplat: %s outside TASK context\n", function);
		abort();
	}
}

struct fakeplat *fakeplat_new(size_t ram_size)
{
	struct fakeplat *fake = calloc(1, sizeof(*fake));
	struct fakeplat_private *p = calloc(1, sizeof(*p));

	if (!fake || !p || !ram_size || ram_size % RAM_ALIGN)
		die("cannot be made");
	p->ram = aligned_alloc(RAM_ALIGN, ram_size);
	p->pages = ram_size / WEIR_PAGE_SIZE;
	p->order = calloc(p->pages, 1);
	p->busy = calloc(p->pages, 1);
	p->log_file = open_memstream(&p->log, &p->log_size);
	if (!p->ram || !p->order || !p->busy || !p->log_file)
		die("cannot be made");
	ASAN_POISON_MEMORY_REGION(p->ram, ram_size);
	fake->msi_limit = FAKEPLAT_IRQS - FAKEPLAT_MSI_FIRST;
	fake->private = p;
	current = fake;
	return fake;
}

void fakeplat_delete_dirty(struct fakeplat *fake)
{
	struct fakeplat_private *p = fake->private;

	ASAN_UNPOISON_MEMORY_REGION(p->ram, p->pages * WEIR_PAGE_SIZE);
	fclose(p->log_file);
	free(p->log);
	free(p->ram);
	free(p->order);
	free(p->busy);
	free(p);
	free(fake);
	current = NULL;
}

void fakeplat_delete(struct fakeplat *fake)
{
	struct fakeplat_private *p = fake->private;

	if (fake->pages_in_use) {
		fprintf(stderr, "fakeplat: %llu pages left\n",
			(unsigned long long)fake->pages_in_use);
		abort();
	}
	if (fake->mmio_maps || fake->irqs_connected || fake->msis_in_use)
		die("register mappings, handlers or messages left");
	if (p->nr_timers || p->nr_works || p->spins || p->irqs_off)
		die("timers, work or locks left");
	fakeplat_delete_dirty(fake);
}

/* ---- Memory ------------------------------------------------------------------------------ */

static bool countdown(uint64_t *n, bool onwards)
{
	if (!*n)
		return false;
	if (*n == 1) {
		if (!onwards)
			*n = 0;
		return true;
	}
	--*n;
	return false;
}

static bool range_is_free(struct fakeplat_private *p, size_t first, size_t count)
{
	return first + count <= p->pages && !memchr(p->busy + first, 1, count);
}

static bool find_range(struct fakeplat_private *p, size_t count, size_t *first)
{
	size_t start = (p->next + count - 1) / count * count;

	for (size_t i = 0; i <= p->pages + count; i += count) {
		*first = (start + i) % (p->pages / count * count);
		if (range_is_free(p, *first, count))
			return true;
	}
	return false;
}

int plat_pages_alloc(void *plat, unsigned int order, enum weir_zone zone, unsigned int flags,
		     weir_phys_t *phys)
{
	struct fakeplat *fake = plat;
	struct fakeplat_private *p = fake->private;
	size_t count = (size_t)1 << order, first;

	if (order > WEIR_PLAT_MAX_ORDER)
		die("order too large");
	if (!(flags & WEIR_ALLOC_ATOMIC))
		task_only("plat_pages_alloc()");
	fake->alloc_calls++;
	if (zone == WEIR_ZONE_DMA)
		return -WEIR_EINVAL;
	if (countdown(&fake->fail_alloc, fake->fail_onwards) || !find_range(p, count, &first))
		return -WEIR_ENOMEM;
	memset(p->busy + first, 1, count);
	p->order[first] = (uint8_t)(order + 1);
	p->next = first + count;
	fake->pages_in_use += count;
	*phys = FAKEPLAT_RAM_BASE + first * WEIR_PAGE_SIZE;
	ASAN_UNPOISON_MEMORY_REGION(p->ram + first * WEIR_PAGE_SIZE, count * WEIR_PAGE_SIZE);
	memset(p->ram + first * WEIR_PAGE_SIZE, 0xa5, count * WEIR_PAGE_SIZE);
	return 0;
}

void plat_pages_free(void *plat, weir_phys_t phys, unsigned int order)
{
	struct fakeplat *fake = plat;
	struct fakeplat_private *p = fake->private;
	size_t count = (size_t)1 << order, first = (phys - FAKEPLAT_RAM_BASE) / WEIR_PAGE_SIZE;

	if (phys % WEIR_PAGE_SIZE || first >= p->pages || p->order[first] != order + 1)
		die("plat_pages_free() of what was not allocated so");
	p->order[first] = 0;
	memset(p->busy + first, 0, count);
	fake->pages_in_use -= count;
	ASAN_POISON_MEMORY_REGION(p->ram + first * WEIR_PAGE_SIZE, count * WEIR_PAGE_SIZE);
}

void *plat_phys_to_virt(void *plat, weir_phys_t phys)
{
	struct fakeplat_private *p = ((struct fakeplat *)plat)->private;

	if (phys < FAKEPLAT_RAM_BASE || phys - FAKEPLAT_RAM_BASE >= p->pages * WEIR_PAGE_SIZE)
		die("plat_phys_to_virt() of what is no RAM");
	return p->ram + (phys - FAKEPLAT_RAM_BASE);
}

weir_phys_t plat_virt_to_phys(void *plat, const void *virt)
{
	struct fakeplat_private *p = ((struct fakeplat *)plat)->private;
	size_t offset = (uintptr_t)virt - (uintptr_t)p->ram;

	if (offset >= p->pages * WEIR_PAGE_SIZE)
		die("plat_virt_to_phys() of what is no RAM");
	return FAKEPLAT_RAM_BASE + offset;
}

weir_phys_t plat_memory_end(void *plat)
{
	return FAKEPLAT_RAM_BASE + ((struct fakeplat *)plat)->private->pages * WEIR_PAGE_SIZE;
}

/* ---- Registers --------------------------------------------------------------------------- */

volatile void *plat_mmio_map(void *plat, weir_phys_t phys, size_t size)
{
	struct fakeplat *fake = plat;

	(void)size;
	task_only("plat_mmio_map()");
	if (fake->fail_mmio_map && !--fake->fail_mmio_map)
		return NULL;
	fake->mmio_maps++;
	return (volatile void *)(uintptr_t)(MMIO_COOKIE | phys);
}

void plat_mmio_unmap(void *plat, volatile void *addr, size_t size)
{
	struct fakeplat *fake = plat;

	(void)addr;
	(void)size;
	task_only("plat_mmio_unmap()");
	if (!fake->mmio_maps--)
		die("plat_mmio_unmap() of nothing");
}

static uint64_t mmio_phys(const volatile void *addr, unsigned int size)
{
	uint64_t phys = (uintptr_t)addr ^ MMIO_COOKIE;

	if (phys & (MMIO_COOKIE | (size - 1)))
		die("register access at a wrong address");
	return phys;
}

/* Where nothing answers, reads give all ones. */
static uint64_t mmio_read(const volatile void *addr, unsigned int size)
{
	struct fakeplat_mmio *mmio = &current->mmio;
	uint64_t phys = mmio_phys(addr, size);

	return mmio->read ? mmio->read(mmio->opaque, phys, size) : UINT64_MAX;
}

static void mmio_write(volatile void *addr, unsigned int size, uint64_t value)
{
	struct fakeplat_mmio *mmio = &current->mmio;
	uint64_t phys = mmio_phys(addr, size);

	if (mmio->write)
		mmio->write(mmio->opaque, phys, size, value);
}

uint8_t plat_mmio_read8(const volatile void *addr)
{
	return (uint8_t)mmio_read(addr, 1);
}
uint16_t plat_mmio_read16(const volatile void *addr)
{
	return (uint16_t)mmio_read(addr, 2);
}
uint32_t plat_mmio_read32(const volatile void *addr)
{
	return (uint32_t)mmio_read(addr, 4);
}
uint64_t plat_mmio_read64(const volatile void *addr)
{
	return mmio_read(addr, 8);
}
void plat_mmio_write8(volatile void *addr, uint8_t value)
{
	mmio_write(addr, 1, value);
}
void plat_mmio_write16(volatile void *addr, uint16_t value)
{
	mmio_write(addr, 2, value);
}
void plat_mmio_write32(volatile void *addr, uint32_t value)
{
	mmio_write(addr, 4, value);
}
void plat_mmio_write64(volatile void *addr, uint64_t value)
{
	mmio_write(addr, 8, value);
}

void plat_dma_mb(void)
{
}
void plat_dma_rmb(void)
{
}
void plat_dma_wmb(void)
{
}
void plat_cache_clean(void *plat, const void *virt, size_t size)
{
	struct fakeplat *fake = plat;

	fake->cache_cleans++;
	fake->cache_clean_bytes += size;
	fake->cache_cleaned = virt;
	if (fake->cleaning)
		fake->cleaning(virt);
}
void plat_cache_invalidate(void *plat, const void *virt, size_t size)
{
	struct fakeplat *fake = plat;

	fake->cache_invalidates++;
	fake->cache_invalidate_bytes += size;
	fake->cache_invalidated = virt;
}
void plat_cache_flush(void *plat, const void *virt, size_t size)
{
	plat_cache_clean(plat, virt, size);
	plat_cache_invalidate(plat, virt, size);
}

/* ---- CPU, locks -------------------------------------------------------------------------- */

unsigned int plat_cpu(void)
{
	return 0;
}

struct weir *plat_weir(void)
{
	return current->weir;
}

uintptr_t plat_irq_save(void)
{
	return current->private->irqs_off++;
}

void plat_irq_restore(uintptr_t flags)
{
	struct fakeplat_private *p = current->private;

	if (--p->irqs_off != flags)
		die("plat_irq_restore() out of order");
}

void plat_relax(void *plat)
{
	fakeplat_advance(plat, 1000);
}

void plat_spin_lock(struct weir_spinlock *lock)
{
	if (lock->opaque[0])
		die("spin lock taken twice");
	lock->opaque[0] = 1;
	current->private->spins++;
}

void plat_spin_unlock(struct weir_spinlock *lock)
{
	if (!lock->opaque[0])
		die("spin lock released twice");
	lock->opaque[0] = 0;
	current->private->spins--;
}

void plat_mutex_lock(void *plat, struct weir_mutex *mutex)
{
	(void)plat;
	task_only("plat_mutex_lock()");
	if (mutex->opaque[0])
		die("mutex taken twice");
	mutex->opaque[0] = 1;
}

void plat_mutex_unlock(void *plat, struct weir_mutex *mutex)
{
	(void)plat;
	if (!mutex->opaque[0])
		die("mutex released twice");
	mutex->opaque[0] = 0;
}

/* ---- Time and deferred calls ------------------------------------------------------------- */

uint64_t plat_time_ns(void *plat)
{
	return ((struct fakeplat *)plat)->now;
}

#define TIMER_DEADLINE 0
#define TIMER_ARMED 1

static void timer_remove(struct fakeplat_private *p, struct weir_timer *timer)
{
	for (unsigned int i = 0; i < p->nr_timers; i++) {
		if (p->timers[i] == timer)
			p->timers[i] = p->timers[--p->nr_timers];
	}
	timer->opaque[TIMER_ARMED] = 0;
}

void plat_timer_arm(void *plat, struct weir_timer *timer, uint64_t deadline_ns)
{
	struct fakeplat_private *p = ((struct fakeplat *)plat)->private;

	timer->opaque[TIMER_DEADLINE] = deadline_ns;
	if (timer->opaque[TIMER_ARMED])
		return;
	if (p->nr_timers == TIMERS)
		die("too many timers");
	timer->opaque[TIMER_ARMED] = 1;
	p->timers[p->nr_timers++] = timer;
}

static void fire(struct fakeplat_private *p, struct weir_timer *timer)
{
	p->in_irq++;
	timer->fn(timer);
	p->in_irq--;
}

bool plat_timer_cancel(void *plat, struct weir_timer *timer)
{
	struct fakeplat_private *p = ((struct fakeplat *)plat)->private;
	bool armed = timer->opaque[TIMER_ARMED];

	task_only("plat_timer_cancel()");
	timer_remove(p, timer);
	if (armed && ((struct fakeplat *)plat)->late_cancel) {
		fire(p, timer);
		return false;
	}
	return armed;
}

static struct weir_timer *first_timer(struct fakeplat_private *p)
{
	struct weir_timer *first = NULL;

	for (unsigned int i = 0; i < p->nr_timers; i++) {
		if (!first || p->timers[i]->opaque[TIMER_DEADLINE] < first->opaque[TIMER_DEADLINE])
			first = p->timers[i];
	}
	return first;
}

bool plat_work_queue(void *plat, struct weir_work *work)
{
	struct fakeplat_private *p = ((struct fakeplat *)plat)->private;

	for (unsigned int i = 0; i < p->nr_works; i++) {
		if (p->works[i] == work)
			return false;
	}
	if (p->nr_works == WORKS)
		die("too much work");
	p->works[p->nr_works++] = work;
	return true;
}

static bool work_remove(struct fakeplat_private *p, struct weir_work *work)
{
	for (unsigned int i = 0; i < p->nr_works; i++) {
		if (p->works[i] == work) {
			p->nr_works--;
			memmove(&p->works[i], &p->works[i + 1],
				(p->nr_works - i) * sizeof(p->works[0]));
			return true;
		}
	}
	return false;
}

static void execute(struct fakeplat_private *p, struct weir_work *work)
{
	p->running = work;
	work->fn(work);
	p->running = NULL;
}

bool plat_work_cancel(void *plat, struct weir_work *work)
{
	struct fakeplat_private *p = ((struct fakeplat *)plat)->private;
	bool was_queued;

	task_only("plat_work_cancel()");
	if (p->running == work)
		die("work cancels itself");
	was_queued = work_remove(p, work);
	if (was_queued && ((struct fakeplat *)plat)->late_cancel) {
		execute(p, work);
		return false;
	}
	return was_queued;
}

static bool run_interrupts(struct fakeplat *fake)
{
	struct fakeplat_private *p = fake->private;
	bool any = false;

	for (unsigned int i = 0; i < FAKEPLAT_IRQS; i++) {
		struct fakeplat_irq *irq = &p->irqs[i];

		if (!irq->fn || !__atomic_exchange_n(&irq->pending, 0, __ATOMIC_ACQUIRE))
			continue;
		any = true;
		p->in_irq++;
		irq->fn(irq->arg);
		p->in_irq--;
	}
	return any;
}

static bool run_timers(struct fakeplat *fake)
{
	struct fakeplat_private *p = fake->private;
	struct weir_timer *timer = first_timer(p);

	if (!timer || timer->opaque[TIMER_DEADLINE] > fake->now)
		return false;
	timer_remove(p, timer);
	fire(p, timer);
	return true;
}

static bool run_work(struct fakeplat *fake)
{
	struct fakeplat_private *p = fake->private;
	struct weir_work *work;

	if (!p->nr_works || p->running || p->in_irq || p->spins || p->irqs_off)
		return false;
	work = p->works[0];
	work_remove(p, work);
	execute(p, work);
	return true;
}

static bool run_one(struct fakeplat *fake)
{
	struct fakeplat_private *p = fake->private;

	if (p->irqs_off || p->spins || p->in_irq)
		return false;
	return run_interrupts(fake) || run_timers(fake) || run_work(fake);
}

bool fakeplat_run(struct fakeplat *fake)
{
	bool any = false;

	while (run_one(fake))
		any = true;
	return any;
}

void fakeplat_advance(struct fakeplat *fake, uint64_t ns)
{
	uint64_t end = fake->now + ns;

	fakeplat_run(fake);
	for (;;) {
		struct weir_timer *timer = first_timer(fake->private);
		uint64_t at = timer ? timer->opaque[TIMER_DEADLINE] : UINT64_MAX;

		if (at >= end)
			break;
		if (at > fake->now)
			fake->now = at;
		if (!fakeplat_run(fake))
			break;
	}
	if (fake->now < end)
		fake->now = end;
	fakeplat_run(fake);
}

int plat_wait(void *plat, const uint32_t *word, uint32_t value, uint64_t timeout_ns)
{
	struct fakeplat *fake = plat;
	uint64_t end = timeout_ns < UINT64_MAX - fake->now ? fake->now + timeout_ns : UINT64_MAX;

	task_only("plat_wait()");
	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == value) {
		struct weir_timer *timer;
		uint64_t at;

		if (run_one(fake) || (fake->idle && fake->idle(fake->idle_opaque)))
			continue;
		timer = first_timer(fake->private);
		at = timer && timer->opaque[TIMER_DEADLINE] < end ? timer->opaque[TIMER_DEADLINE] :
								    end;
		if (at == UINT64_MAX)
			die("a wait that nothing can end");
		if (at > fake->now)
			fake->now = at;
		if (at == end)
			return -WEIR_ETIMEDOUT;
	}
	return 0;
}

void plat_wake(void *plat, const uint32_t *word)
{
	(void)plat;
	(void)word;
}

/* ---- Interrupts -------------------------------------------------------------------------- */

void fakeplat_raise(struct fakeplat *fake, unsigned int irq)
{
	if (irq < FAKEPLAT_IRQS)
		__atomic_store_n(&fake->private->irqs[irq].pending, 1, __ATOMIC_RELEASE);
}

int plat_irq_connect(void *plat, unsigned int irq, unsigned int cpu, weir_irq_fn *fn, void *arg)
{
	struct fakeplat *fake = plat;
	struct fakeplat_irq *slot = &fake->private->irqs[irq % FAKEPLAT_IRQS];

	(void)cpu;
	task_only("plat_irq_connect()");
	if (irq >= FAKEPLAT_IRQS)
		return -WEIR_EINVAL;
	if (slot->fn)
		return -WEIR_EBUSY;
	slot->fn = fn;
	slot->arg = arg;
	fake->irqs_connected++;
	return 0;
}

void plat_irq_disconnect(void *plat, unsigned int irq)
{
	struct fakeplat *fake = plat;

	task_only("plat_irq_disconnect()");
	if (irq >= FAKEPLAT_IRQS || !fake->private->irqs[irq].fn)
		die("plat_irq_disconnect() of nothing");
	fake->private->irqs[irq].fn = NULL;
	fake->irqs_connected--;
}

/* One cell is the number; three are a GIC's: a shared peripheral interrupt is 32 higher. */
int plat_irq_wired(void *plat, uint32_t controller, const uint32_t *cells, unsigned int nr_cells,
		   unsigned int *irq)
{
	((struct fakeplat *)plat)->wired_controller = controller;
	if (nr_cells != 1 && (nr_cells != 3 || cells[0]))
		return -WEIR_EINVAL;
	*irq = nr_cells == 1 ? cells[0] : cells[1] + 32;
	return *irq < FAKEPLAT_MSI_FIRST ? 0 : -WEIR_ENOENT;
}

int plat_msi_alloc(void *plat, uint32_t controller, uint32_t device_id, unsigned int index,
		   unsigned int cpu, struct weir_msi *msi)
{
	struct fakeplat *fake = plat;

	(void)index;
	(void)cpu;
	task_only("plat_msi_alloc()");
	fake->msi_controller = controller;
	fake->msi_device_id = device_id;
	if (fake->fail_msi && !--fake->fail_msi)
		return -WEIR_ENOMEM;
	for (unsigned int i = 0; i < fake->msi_limit; i++) {
		struct fakeplat_irq *irq = &fake->private->irqs[FAKEPLAT_MSI_FIRST + i];

		if (irq->is_allocated)
			continue;
		irq->is_allocated = true;
		fake->msis_in_use++;
		msi->irq = FAKEPLAT_MSI_FIRST + i;
		msi->data = msi->irq;
		msi->doorbell = fake->msi_doorbell ? fake->msi_doorbell : FAKEPLAT_MSI_DOORBELL;
		return 0;
	}
	return -WEIR_ENOSPC;
}

void plat_msi_free(void *plat, const struct weir_msi *msi)
{
	struct fakeplat *fake = plat;
	struct fakeplat_irq *irq = &fake->private->irqs[msi->irq % FAKEPLAT_IRQS];

	if (!irq->is_allocated || irq->fn)
		die("plat_msi_free() of what is not allocated or still connected");
	irq->is_allocated = false;
	fake->msis_in_use--;
}

/* ---- Log --------------------------------------------------------------------------------- */

void plat_log(void *plat, enum weir_level level, const char *line)
{
	struct fakeplat *fake = plat;

	if (strlen(line) > 255 || strchr(line, '\n'))
		die("log line too long or more than one");
	fake->log_lines[level]++;
	snprintf(fake->last_line, sizeof(fake->last_line), "%s", line);
	fprintf(fake->private->log_file, "%s\n", line);
	if (getenv("FAKEPLAT_VERBOSE"))
		fprintf(stderr, "[%u] %s\n", (unsigned int)level, line);
}

unsigned int fakeplat_logged(struct fakeplat *fake, const char *text)
{
	unsigned int count = 0;

	fflush(fake->private->log_file);
	for (const char *p = fake->private->log; p && (p = strstr(p, text)); p++)
		count++;
	return count;
}
