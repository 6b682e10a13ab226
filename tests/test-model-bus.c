/* SPDX-License-Identifier: MIT */
/*
 * The bus of the models.
 *
 * Properties:
 * - RAM holds what was written, for every length and alignment, and nothing beside it changes.
 * - An access that leaves its bank or region aborts and touches nothing outside.
 * - Long accesses to registers arrive as aligned units of at most 8 bytes, ascending.
 * - Overlapping regions decode as the one placed first; moving one uncovers the other.
 * - Random placements decode as a plain list of regions says, for every address asked.
 * - A region may move while other threads access it: they reach a region that is or was there.
 * - Aligned 64-bit accesses are never torn, also between two mappings of the same memory.
 * - Ports split at 4 KiB, stop at the first page that the IOMMU blocks, complete what was let
 *   through, return zeroes from failed reads, and do not wrap around the address space.
 * - Devices wired into a ring end in an abort, not in endless nesting.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include <weir/model/bus.h>

#define RAM_BASE 0x40000000ull
#define RAM_SIZE 0x10000u

struct fixture {
	struct weir_model_bus *bus;
	uint8_t *ram;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->ram = aligned_alloc(4096, RAM_SIZE);
	memset(f->ram, 0, RAM_SIZE);
	assert_int_equal(weir_model_bus_create(&f->bus), 0);
	assert_int_equal(weir_model_bus_add_ram(f->bus, RAM_BASE, RAM_SIZE, f->ram), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	weir_model_bus_destroy(f->bus);
	free(f->ram);
	free(f);
	return 0;
}

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* ---- RAM -------------------------------------------------------------------------------- */

static void test_ram_all_lengths(void **state)
{
	struct fixture *f = *state;
	uint8_t out[64], in[64], want[128];

	for (unsigned int i = 0; i < sizeof(out); i++)
		out[i] = (uint8_t)(i + 1);
	for (unsigned int offset = 0; offset < 17; offset++) {
		for (unsigned int len = 0; len <= sizeof(out); len++) {
			memset(f->ram, 0xee, sizeof(want));
			memset(want, 0xee, sizeof(want));
			memcpy(want + offset, out, len);
			assert_int_equal(weir_model_bus_write(f->bus, RAM_BASE + offset, out, len,
							      WEIR_MODEL_CPU),
					 WEIR_MODEL_OK);
			assert_memory_equal(f->ram, want, sizeof(want));
			assert_int_equal(weir_model_bus_read(f->bus, RAM_BASE + offset, in, len,
							     WEIR_MODEL_CPU),
					 WEIR_MODEL_OK);
			assert_memory_equal(in, out, len);
		}
	}
}

static void test_ram_bounds(void **state)
{
	struct fixture *f = *state;
	struct weir_model_window window;
	uint8_t buf[16];

	memset(buf, 0xff, sizeof(buf));
	assert_int_equal(weir_model_bus_read(f->bus, RAM_BASE + RAM_SIZE - 8, buf, 16, 1),
			 WEIR_MODEL_ABORT);
	for (unsigned int i = 0; i < sizeof(buf); i++)
		assert_int_equal(buf[i], 0);
	assert_int_equal(weir_model_bus_write(f->bus, RAM_BASE - 1, buf, 2, 1), WEIR_MODEL_ABORT);
	assert_int_equal(weir_model_bus_read(f->bus, ~0ull, buf, 2, 1), WEIR_MODEL_ABORT);
	assert_true(weir_model_bus_window(f->bus, RAM_BASE + 5, &window));
	assert_int_equal(window.base, RAM_BASE);
	assert_int_equal(window.size, RAM_SIZE);
	assert_ptr_equal(window.host, f->ram);
	assert_false(weir_model_bus_window(f->bus, RAM_BASE + RAM_SIZE, &window));
	assert_false(weir_model_bus_window(f->bus, RAM_BASE - 1, &window));
}

static void test_add_refusals(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(weir_model_bus_add_ram(f->bus, RAM_BASE + 0x1000, 0x1000, f->ram),
			 -WEIR_EEXIST);
	assert_int_equal(weir_model_bus_add_ram(f->bus, 0x100, 0x1000, f->ram), -WEIR_EINVAL);
	assert_int_equal(weir_model_bus_add_ram(f->bus, 0, 0, f->ram), -WEIR_EINVAL);
	assert_int_equal(weir_model_bus_add_ram(f->bus, 0ull - 0x1000, 0x2000, f->ram),
			 -WEIR_EINVAL);
}

/* ---- Registers -------------------------------------------------------------------------- */

struct device {
	uint8_t id;
	struct {
		uint64_t offset, value;
		unsigned int size;
	} log[16];
	unsigned int logged;
	bool refuse;
};

static enum weir_model_result device_read(void *opaque, uint64_t offset, unsigned int size,
					  uint32_t requester, uint64_t *value)
{
	struct device *d = opaque;

	(void)offset;
	(void)size;
	(void)requester;
	*value = 0x0101010101010101ull * d->id;
	return d->refuse ? WEIR_MODEL_ABORT : WEIR_MODEL_OK;
}

static enum weir_model_result device_write(void *opaque, uint64_t offset, unsigned int size,
					   uint32_t requester, uint64_t value)
{
	struct device *d = opaque;

	(void)requester;
	if (d->logged < WEIR_ARRAY_SIZE(d->log)) {
		d->log[d->logged].offset = offset;
		d->log[d->logged].size = size;
		d->log[d->logged].value = value;
		d->logged++;
	}
	return d->refuse ? WEIR_MODEL_ABORT : WEIR_MODEL_OK;
}

static const struct weir_model_mmio_ops device_ops = { device_read, device_write };

static void test_units(void **state)
{
	static const struct {
		uint64_t offset;
		unsigned int size;
	} want[] = { { 3, 1 }, { 4, 4 }, { 8, 8 }, { 16, 2 }, { 18, 1 } };
	struct fixture *f = *state;
	struct device d = { .id = 1 };
	uint8_t out[16], byte = 1;

	for (unsigned int i = 0; i < sizeof(out); i++)
		out[i] = (uint8_t)i;
	assert_int_equal(weir_model_bus_add_mmio(f->bus, 0x1000, 0x20, &device_ops, &d, NULL), 0);
	assert_int_equal(weir_model_bus_write(f->bus, 0x1003, out, 16, 0), WEIR_MODEL_OK);
	assert_int_equal(d.logged, WEIR_ARRAY_SIZE(want));
	for (unsigned int i = 0; i < d.logged; i++) {
		assert_int_equal(d.log[i].offset, want[i].offset);
		assert_int_equal(d.log[i].size, want[i].size);
		assert_int_equal((uint8_t)d.log[i].value, want[i].offset - 3);
	}
	assert_int_equal(weir_model_bus_write(f->bus, 0x1019, out, 8, 0), WEIR_MODEL_ABORT);
	assert_int_equal(d.logged, WEIR_ARRAY_SIZE(want));
	d.refuse = true;
	assert_int_equal(weir_model_bus_read(f->bus, 0x1000, &byte, 1, 0), WEIR_MODEL_ABORT);
	assert_int_equal(byte, 0);
}

/** Who answers at `addr`; 0: nobody. */
static unsigned int who(struct weir_model_bus *bus, uint64_t addr)
{
	uint8_t id = 0;

	return weir_model_bus_read(bus, addr, &id, 1, WEIR_MODEL_CPU) == WEIR_MODEL_OK ? id : 0;
}

static void test_first_placed_wins(void **state)
{
	struct fixture *f = *state;
	struct device a = { .id = 1 }, b = { .id = 2 };
	struct weir_model_region *ra, *rb;
	uint8_t pair[2];

	assert_int_equal(weir_model_bus_add_mmio(f->bus, 0x2000, 0x1000, &device_ops, &a, &ra), 0);
	assert_int_equal(weir_model_bus_add_mmio(f->bus, 0x2800, 0x1000, &device_ops, &b, NULL),
			 -WEIR_EEXIST);
	assert_int_equal(weir_model_bus_add_mmio(f->bus, WEIR_MODEL_UNPLACED, 0x4000, &device_ops,
						 &b, &rb),
			 0);
	assert_int_equal(who(f->bus, 0x1000), 0);
	weir_model_region_place(rb, 0x1000);
	assert_int_equal(who(f->bus, 0x1000), 2);
	assert_int_equal(who(f->bus, 0x2000), 1);
	assert_int_equal(who(f->bus, 0x2fff), 1);
	assert_int_equal(who(f->bus, 0x3000), 2);
	assert_int_equal(who(f->bus, 0x5000), 0);
	assert_int_equal(weir_model_bus_read(f->bus, 0x1fff, pair, 2, 0), WEIR_MODEL_ABORT);
	assert_int_equal(weir_model_bus_read(f->bus, 0x1ffe, pair, 2, 0), WEIR_MODEL_OK);
	weir_model_region_place(ra, 0x9000);
	assert_int_equal(who(f->bus, 0x2000), 2);
	assert_int_equal(who(f->bus, 0x9000), 1);
	weir_model_region_place(ra, 0x2000);
	assert_int_equal(who(f->bus, 0x2000), 2);
	weir_model_region_remove(rb);
	assert_int_equal(who(f->bus, 0x2000), 1);
	assert_int_equal(who(f->bus, 0x1000), 0);
	weir_model_region_place(ra, 0ull - 0x800);
	assert_int_equal(who(f->bus, 0ull - 0x800), 0);
	weir_model_region_place(ra, 0ull - 0x1000);
	assert_int_equal(who(f->bus, ~0ull), 1);
	weir_model_region_place(ra, RAM_BASE);
	assert_int_equal(who(f->bus, RAM_BASE), 0); /* RAM, which holds 0 */
}

#define REGIONS 12

struct oracle {
	uint64_t base, stamp;
};

static unsigned int oracle_who(const struct oracle *o, const uint64_t *sizes, uint64_t addr)
{
	unsigned int best = 0;

	for (unsigned int i = 0; i < REGIONS; i++) {
		if (o[i].base == WEIR_MODEL_UNPLACED || addr < o[i].base ||
		    addr - o[i].base >= sizes[i])
			continue;
		if (!best || o[i].stamp < o[best - 1].stamp)
			best = i + 1;
	}
	return best;
}

static void test_random_placement(void **state)
{
	struct fixture *f = *state;
	struct weir_model_region *regions[REGIONS];
	struct device devices[REGIONS];
	struct oracle oracle[REGIONS];
	uint64_t sizes[REGIONS], seed = 42, stamp = 0;

	for (unsigned int i = 0; i < REGIONS; i++) {
		devices[i] = (struct device){ .id = (uint8_t)(i + 1) };
		sizes[i] = 16u << (i % 5);
		oracle[i] = (struct oracle){ WEIR_MODEL_UNPLACED, 0 };
		assert_int_equal(weir_model_bus_add_mmio(f->bus, WEIR_MODEL_UNPLACED, sizes[i],
							 &device_ops, &devices[i], &regions[i]),
				 0);
	}
	for (unsigned int step = 0; step < 3000; step++) {
		unsigned int i = (unsigned int)(next_random(&seed) % REGIONS);
		uint64_t base = (next_random(&seed) % 64) * 16;

		if (next_random(&seed) % 8 == 0)
			base = WEIR_MODEL_UNPLACED;
		if (base != oracle[i].base)
			oracle[i] = (struct oracle){ base, ++stamp };
		weir_model_region_place(regions[i], base);
		for (uint64_t addr = 0; addr < 0x600; addr += 16)
			assert_int_equal(who(f->bus, addr), oracle_who(oracle, sizes, addr));
	}
}

/* ---- Threads ---------------------------------------------------------------------------- */

struct mover {
	struct weir_model_region *region;
	uint32_t stop;
};

static void *move_around(void *arg)
{
	struct mover *m = arg;

	for (uint64_t i = 0; !__atomic_load_n(&m->stop, __ATOMIC_RELAXED); i++)
		weir_model_region_place(m->region, i % 3 ? 0x1000 * (i % 3) : WEIR_MODEL_UNPLACED);
	return NULL;
}

static void test_moves_under_readers(void **state)
{
	struct fixture *f = *state;
	struct device moving = { .id = 1 }, fixed = { .id = 2 };
	struct mover m = { 0 };
	pthread_t thread;

	assert_int_equal(weir_model_bus_add_mmio(f->bus, 0x1800, 0x1000, &device_ops, &fixed, NULL),
			 0);
	assert_int_equal(weir_model_bus_add_mmio(f->bus, WEIR_MODEL_UNPLACED, 0x1000, &device_ops,
						 &moving, &m.region),
			 0);
	assert_int_equal(pthread_create(&thread, NULL, move_around, &m), 0);
	for (unsigned int i = 0; i < 200000; i++) {
		unsigned int id = who(f->bus, 0x1000);

		assert_true(id == 0 || id == 1);
		assert_int_equal(who(f->bus, 0x1900), 2);
		assert_int_equal(who(f->bus, 0x3000), 0);
	}
	__atomic_store_n(&m.stop, 1, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
}

struct writer {
	uint64_t *word;
	struct weir_model_bus *bus;
	uint32_t stop;
};

/* The CPU's side: its own mapping, its own stores. */
static void *write_other_mapping(void *arg)
{
	struct writer *w = arg;

	for (uint64_t i = 0; !__atomic_load_n(&w->stop, __ATOMIC_RELAXED); i++)
		__atomic_store_n(w->word, (i & 0xff) * 0x0101010101010101ull, __ATOMIC_RELEASE);
	return NULL;
}

/* A model's side: the bus, same mapping as the reader. */
static void *write_through_bus(void *arg)
{
	struct writer *w = arg;

	for (uint64_t i = 0; !__atomic_load_n(&w->stop, __ATOMIC_RELAXED); i++) {
		uint64_t pattern[3];

		for (unsigned int k = 0; k < 3; k++)
			pattern[k] = (i & 0xff) * 0x0101010101010101ull;
		weir_model_bus_write(w->bus, RAM_BASE, pattern, sizeof(pattern), 0);
	}
	return NULL;
}

static void test_no_tearing(void **state)
{
	struct writer w = { 0 };
	struct weir_model_bus_host host = { 0 };
	int fd = memfd_create("ram", 0);
	pthread_t threads[2];
	void *cpu, *model;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 4096), 0);
	cpu = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	model = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(cpu != MAP_FAILED && model != MAP_FAILED);
	close(fd);
	assert_int_equal(weir_model_bus_create(&w.bus), 0);
	assert_int_equal(weir_model_bus_add_ram(w.bus, RAM_BASE, 4096, model), 0);
	host.bus = w.bus;
	w.word = cpu;
	assert_int_equal(pthread_create(&threads[0], NULL, write_other_mapping, &w), 0);
	assert_int_equal(pthread_create(&threads[1], NULL, write_through_bus, &w), 0);
	for (unsigned int i = 0; i < 100000; i++) {
		uint64_t words[2], one;

		weir_model_bus_read(w.bus, RAM_BASE, words, sizeof(words), 0);
		assert_int_equal(words[0], (words[0] & 0xff) * 0x0101010101010101ull);
		assert_int_equal(words[1], (words[1] & 0xff) * 0x0101010101010101ull);
		assert_int_equal(weir_model_bus_host_ops.load64(&host, RAM_BASE, &one),
				 WEIR_MODEL_OK);
		assert_int_equal(one, (one & 0xff) * 0x0101010101010101ull);
	}
	__atomic_store_n(&w.stop, 1, __ATOMIC_RELAXED);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	weir_model_bus_destroy(w.bus);
	munmap(cpu, 4096);
	munmap(model, 4096);
}

/* ---- As a host ----------------------------------------------------------------------- */

static void note_irq(void *opaque, unsigned int irq)
{
	*(unsigned int *)opaque = irq;
}

/* What a bus offers to a model: words of RAM, and nothing else; messages anywhere; lines. */
static void test_host(void **state)
{
	const struct weir_model_host_ops *ops = &weir_model_bus_host_ops;
	static const unsigned int irqs[] = { 40, 41 };
	struct fixture *f = *state;
	struct device device = { .id = 7 };
	unsigned int irq = 0;
	struct weir_model_bus_host host = {
		.bus = f->bus,
		.sink = { note_irq, &irq },
		.irqs = irqs,
		.lines = 2,
		.requester = 77,
	};
	uint64_t value = 1, expected = 5;

	assert_int_equal(
		weir_model_bus_add_mmio(f->bus, 0x5000, 0x1000, &device_ops, &device, NULL), 0);
	assert_int_equal(ops->load64(&host, RAM_BASE + 4, &value), WEIR_MODEL_ABORT);
	assert_int_equal(ops->load64(&host, RAM_BASE + RAM_SIZE, &value), WEIR_MODEL_ABORT);
	assert_int_equal(ops->load64(&host, 0x5000, &value), WEIR_MODEL_ABORT);
	assert_int_equal(ops->store64(&host, 0x5000, 1), WEIR_MODEL_ABORT);
	assert_int_equal(ops->cas64(&host, 0x5000, &expected, 1), WEIR_MODEL_ABORT);
	assert_int_equal(device.logged, 0);
	assert_int_equal(ops->store64(&host, RAM_BASE + RAM_SIZE - 8, 6), WEIR_MODEL_OK);
	assert_int_equal(ops->cas64(&host, RAM_BASE + RAM_SIZE - 8, &expected, 9), WEIR_MODEL_OK);
	assert_int_equal(expected, 6);
	assert_int_equal(ops->cas64(&host, RAM_BASE + RAM_SIZE - 8, &expected, 9), WEIR_MODEL_OK);
	assert_int_equal(ops->load64(&host, RAM_BASE + RAM_SIZE - 8, &value), WEIR_MODEL_OK);
	assert_int_equal(value, 9);
	assert_int_equal(ops->msi(&host, 0x5040, 0x1234), WEIR_MODEL_OK);
	assert_int_equal(device.logged, 1);
	assert_int_equal(device.log[0].offset, 0x40);
	assert_int_equal(device.log[0].value, 0x1234);
	assert_int_equal(ops->msi(&host, 0x9000, 1), WEIR_MODEL_ABORT);
	ops->line(&host, 1);
	assert_int_equal(irq, 41);
	ops->line(&host, 2);
	assert_int_equal(irq, 41);
}

/* ---- Ports ------------------------------------------------------------------------------ */

/** Identity, but for one page that is blocked; keeps count. */
struct fake_iommu {
	uint64_t blocked_page;
	unsigned int translated, completed, refused;
	struct weir_model_txn last;
	bool ignored; /* everything is */
};

static enum weir_model_result fake_translate(void *iommu, const struct weir_model_txn *txn,
					     struct weir_model_translation *out)
{
	struct fake_iommu *fake = iommu;

	assert_true((txn->addr & 0xfff) + txn->len <= 0x1000);
	fake->last = *txn;
	if (txn->addr >> 12 == fake->blocked_page) {
		fake->refused++;
		return WEIR_MODEL_BLOCKED;
	}
	if (fake->ignored) {
		fake->refused++;
		return WEIR_MODEL_IGNORED;
	}
	fake->translated++;
	*out = (struct weir_model_translation){ .addr = txn->addr };
	return WEIR_MODEL_OK;
}

static void fake_complete(void *iommu, const struct weir_model_translation *translation)
{
	struct fake_iommu *fake = iommu;

	assert_int_equal(translation->addr, fake->last.addr);
	fake->completed++;
}

static const struct weir_model_iommu_ops fake_ops = { fake_translate, fake_complete };

static void test_port_splits(void **state)
{
	struct fixture *f = *state;
	struct fake_iommu iommu = { .blocked_page = ~0ull };
	struct weir_model_port port = { f->bus, &fake_ops, &iommu, 8, 9 };
	uint8_t out[0x2800], in[0x2800];

	for (unsigned int i = 0; i < sizeof(out); i++)
		out[i] = (uint8_t)(i * 7 + 1);
	assert_int_equal(weir_model_port_write(&port, RAM_BASE + 0xf01, out, sizeof(out)),
			 WEIR_MODEL_OK);
	assert_int_equal(iommu.translated, 4);
	assert_int_equal(iommu.completed, 4);
	assert_int_equal(iommu.last.stream, 9);
	assert_true(iommu.last.flags & WEIR_MODEL_TXN_WRITE);
	assert_memory_equal(f->ram + 0xf01, out, sizeof(out));
	assert_int_equal(weir_model_port_read(&port, RAM_BASE + 0xf01, in, sizeof(in)),
			 WEIR_MODEL_OK);
	assert_false(iommu.last.flags & WEIR_MODEL_TXN_WRITE);
	assert_memory_equal(in, out, sizeof(out));
}

static void test_port_stops(void **state)
{
	struct fixture *f = *state;
	struct fake_iommu iommu = { .blocked_page = (RAM_BASE >> 12) + 1 };
	struct weir_model_port port = { f->bus, &fake_ops, &iommu, 8, 9 };
	uint8_t buf[0x3000];

	memset(buf, 0xab, sizeof(buf));
	assert_int_equal(weir_model_port_write(&port, RAM_BASE, buf, sizeof(buf)),
			 WEIR_MODEL_BLOCKED);
	assert_int_equal(f->ram[0xfff], 0xab);
	assert_int_equal(f->ram[0x1000], 0);
	assert_int_equal(f->ram[0x2000], 0);
	assert_int_equal(weir_model_port_read(&port, RAM_BASE, buf, sizeof(buf)),
			 WEIR_MODEL_BLOCKED);
	for (unsigned int i = 0; i < sizeof(buf); i++)
		assert_int_equal(buf[i], 0);
	assert_int_equal(iommu.translated, 2);
	assert_int_equal(iommu.completed, 2);
	assert_int_equal(iommu.refused, 2);
}

/* Reads as zero, writes ignored; and the accesses succeed. */
static void test_port_ignored(void **state)
{
	struct fixture *f = *state;
	struct fake_iommu iommu = { .blocked_page = ~0ull, .ignored = true };
	struct weir_model_port port = { f->bus, &fake_ops, &iommu, 8, 9 };
	uint8_t buf[0x1800];

	memset(f->ram, 0xcd, 0x2000);
	memset(buf, 0xab, sizeof(buf));
	assert_int_equal(weir_model_port_write(&port, RAM_BASE, buf, sizeof(buf)), WEIR_MODEL_OK);
	assert_int_equal(f->ram[0], 0xcd);
	assert_int_equal(weir_model_port_read(&port, RAM_BASE, buf, sizeof(buf)), WEIR_MODEL_OK);
	for (unsigned int i = 0; i < sizeof(buf); i++)
		assert_int_equal(buf[i], 0);
	assert_int_equal(iommu.refused, 4);
	assert_int_equal(iommu.completed, 0);
}

static void test_port_wrap(void **state)
{
	struct fixture *f = *state;
	struct device top = { .id = 3 }, bottom = { .id = 4 };
	struct weir_model_port port = { .bus = f->bus };
	uint8_t buf[16] = { 0 };

	assert_int_equal(
		weir_model_bus_add_mmio(f->bus, 0ull - 0x1000, 0x1000, &device_ops, &top, NULL), 0);
	assert_int_equal(weir_model_bus_add_mmio(f->bus, 0, 0x1000, &device_ops, &bottom, NULL), 0);
	assert_int_equal(weir_model_port_write(&port, 0ull - 8, buf, 16), WEIR_MODEL_ABORT);
	assert_int_equal(top.logged, 1);
	assert_int_equal(bottom.logged, 0);
	assert_int_equal(weir_model_port_write(&port, 0ull - 8, buf, 8), WEIR_MODEL_OK);
}

struct ring {
	struct weir_model_port port;
	unsigned int writes;
	enum weir_model_result innermost;
};

static enum weir_model_result ring_write(void *opaque, uint64_t offset, unsigned int size,
					 uint32_t requester, uint64_t value)
{
	struct ring *ring = opaque;
	uint32_t message = (uint32_t)value;
	enum weir_model_result result;

	(void)size;
	(void)requester;
	ring->writes++;
	result = weir_model_port_write(&ring->port, 0x5000 + offset, &message, sizeof(message));
	if (result != WEIR_MODEL_OK)
		ring->innermost = result;
	return WEIR_MODEL_OK;
}

static void test_ring_of_devices(void **state)
{
	static const struct weir_model_mmio_ops ring_ops = { device_read, ring_write };
	struct fixture *f = *state;
	struct ring ring = { .port = { .bus = f->bus } };
	uint32_t value = 1;

	assert_int_equal(weir_model_bus_add_mmio(f->bus, 0x5000, 0x1000, &ring_ops, &ring, NULL),
			 0);
	assert_int_equal(weir_model_bus_write(f->bus, 0x5000, &value, 4, WEIR_MODEL_CPU),
			 WEIR_MODEL_OK);
	assert_int_equal(ring.innermost, WEIR_MODEL_ABORT);
	assert_in_range(ring.writes, 2, 32);
	/* The guard was given back: the next chain is as long. */
	ring.writes = 0;
	assert_int_equal(weir_model_bus_write(f->bus, 0x5000, &value, 4, WEIR_MODEL_CPU),
			 WEIR_MODEL_OK);
	assert_in_range(ring.writes, 2, 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ram_all_lengths, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ram_bounds, setup, teardown),
		cmocka_unit_test_setup_teardown(test_add_refusals, setup, teardown),
		cmocka_unit_test_setup_teardown(test_host, setup, teardown),
		cmocka_unit_test_setup_teardown(test_units, setup, teardown),
		cmocka_unit_test_setup_teardown(test_first_placed_wins, setup, teardown),
		cmocka_unit_test_setup_teardown(test_random_placement, setup, teardown),
		cmocka_unit_test_setup_teardown(test_moves_under_readers, setup, teardown),
		cmocka_unit_test(test_no_tearing),
		cmocka_unit_test_setup_teardown(test_port_splits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_port_stops, setup, teardown),
		cmocka_unit_test_setup_teardown(test_port_ignored, setup, teardown),
		cmocka_unit_test_setup_teardown(test_port_wrap, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ring_of_devices, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
