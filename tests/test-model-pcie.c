/* SPDX-License-Identifier: MIT */
/*
 * The PCI Express model, with a dummy device and an IOMMU that lets all through and takes notes.
 *
 * Properties:
 * - Functions that are not there read as all ones, at every width; only CPUs reach ECAM.
 * - Requests are routed by the bus numbers in the bridges, and by nothing else.
 * - Read-only bits never change, whatever is written; capability lists end.
 * - BARs are sized as PCI says, and decode exactly while the function, every bridge above it and
 *   the root complex's windows let them.
 * - A function masters only while its own and every bridge's Bus Master Enable are set; source
 *   validation stops requesters from other buses; a bridge to PCI puts its own ID.
 * - MSI-X: masked vectors are kept pending and sent once when unmasked; nothing is sent while
 *   disabled; a message that hits the table itself ends.
 * - A function level reset restores registers and calls the device with no access under way.
 * - All of it from several threads at once.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <weir/hw/pci.h>
#include <weir/model/pcie.h>

#define RAM_BASE 0x40000000ull
#define RAM_SIZE 0x4000u
#define ECAM 0x4010000000ull
#define WIN32 0x10000000ull
#define WIN64 0x8000000000ull
#define BAR_SIZE 0x10000u
#define DEVFN(slot) WEIR_PCI_DEVFN(slot, 0)

struct dummy {
	struct weir_model_pci_function fn;
	uint32_t scratch; /* atomic */
	uint32_t inside;  /* atomic: accesses under way */
	uint32_t hold;	  /* atomic: a read of HOLD_REG does not return while this is set */
	uint32_t resets, resets_disturbed; /* resets: atomic */
};
#define HOLD_REG 0x40

struct notes {
	uint32_t stream, count; /* atomic */
};

struct fixture {
	struct weir_model_bus *bus;
	struct weir_model_pcie *rc;
	uint8_t *ram;
	struct notes notes;
	struct weir_model_pci_bridge *port; /* 00:01.0 */
	struct dummy below;		    /* devfn 0 below it */
	struct dummy integrated;	    /* 00:05.0, a conventional function */
};

static enum weir_model_result note_translate(void *iommu, const struct weir_model_txn *txn,
					     struct weir_model_translation *out)
{
	struct notes *notes = iommu;

	__atomic_store_n(&notes->stream, txn->stream, __ATOMIC_RELAXED);
	__atomic_fetch_add(&notes->count, 1, __ATOMIC_RELAXED);
	*out = (struct weir_model_translation){ .addr = txn->addr };
	return WEIR_MODEL_OK;
}

static void note_complete(void *iommu, const struct weir_model_translation *translation)
{
	(void)iommu;
	(void)translation;
}

static const struct weir_model_iommu_ops note_ops = { note_translate, note_complete };

static enum weir_model_result dummy_read(void *opaque, uint64_t offset, unsigned int size,
					 uint32_t requester, uint64_t *value)
{
	struct dummy *d = opaque;

	(void)size;
	(void)requester;
	__atomic_fetch_add(&d->inside, 1, __ATOMIC_SEQ_CST);
	while (offset == HOLD_REG && __atomic_load_n(&d->hold, __ATOMIC_SEQ_CST))
		sched_yield();
	*value = offset ? offset : __atomic_load_n(&d->scratch, __ATOMIC_RELAXED);
	__atomic_fetch_sub(&d->inside, 1, __ATOMIC_SEQ_CST);
	return WEIR_MODEL_OK;
}

static enum weir_model_result dummy_write(void *opaque, uint64_t offset, unsigned int size,
					  uint32_t requester, uint64_t value)
{
	struct dummy *d = opaque;

	(void)offset;
	(void)size;
	(void)requester;
	__atomic_store_n(&d->scratch, (uint32_t)value, __ATOMIC_RELAXED);
	return WEIR_MODEL_OK;
}

static const struct weir_model_mmio_ops dummy_ops = { dummy_read, dummy_write };

static void dummy_reset(struct weir_model_pci_function *fn)
{
	struct dummy *d = WEIR_CONTAINER_OF(fn, struct dummy, fn);

	for (unsigned int i = 0; i < 100; i++)
		if (__atomic_load_n(&d->inside, __ATOMIC_SEQ_CST))
			d->resets_disturbed++;
	__atomic_fetch_add(&d->resets, 1, __ATOMIC_SEQ_CST);
}

static struct weir_model_pci_desc dummy_desc(struct dummy *d)
{
	return (struct weir_model_pci_desc){
		.name = "dummy",
		.vendor = 0x1234,
		.device = 0x5678,
		.subsystem_vendor = 0x9abc,
		.subsystem = 0xdef0,
		.class_code = 0x010802,
		.revision = 3,
		.bars[0] = { .size = BAR_SIZE, .is64 = true, .ops = &dummy_ops, .opaque = d },
		.bars[2] = { .size = 0x1000, .ops = &dummy_ops, .opaque = d },
		.msix_vectors = 5,
		.msix_bar = 0,
		.msix_offset = 0x2000,
		.express = true,
		.reset = dummy_reset,
	};
}

static void build(struct fixture *f)
{
	static const struct weir_model_pci_bridge_desc port = { "port", WEIR_MODEL_ROOT_PORT,
								WEIR_PCI_ACS_SV | WEIR_PCI_ACS_RR };
	struct weir_model_pcie_config config = {
		.ecam_base = ECAM,
		.bus_count = 256,
		.mmio32_base = WIN32,
		.mmio32_size = 0x10000000,
		.mmio64_base = WIN64,
		.mmio64_size = 0x10000000,
		.iommu_ops = &note_ops,
		.iommu = &f->notes,
	};
	struct weir_model_pci_desc desc = dummy_desc(&f->below);

	assert_int_equal(weir_model_bus_create(&f->bus), 0);
	assert_int_equal(weir_model_bus_add_ram(f->bus, RAM_BASE, RAM_SIZE, f->ram), 0);
	assert_int_equal(weir_model_pcie_create(f->bus, &config, &f->rc), 0);
	assert_int_equal(weir_model_pci_add_bridge(f->rc, NULL, DEVFN(1), &port, &f->port), 0);
	assert_int_equal(weir_model_pci_add(f->rc, f->port, 0, &desc, &f->below.fn), 0);
	desc = dummy_desc(&f->integrated);
	desc.express = false;
	assert_int_equal(weir_model_pci_add(f->rc, NULL, DEVFN(5), &desc, &f->integrated.fn), 0);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->ram = aligned_alloc(4096, RAM_SIZE);
	memset(f->ram, 0, RAM_SIZE);
	build(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	weir_model_pci_remove(&f->below.fn);
	weir_model_pcie_destroy(f->rc);
	weir_model_pci_remove(&f->integrated.fn); /* after its root complex: nothing left to do */
	weir_model_bus_destroy(f->bus);
	free(f->ram);
	free(f);
	return 0;
}

/* ---- Accesses as a CPU makes them ------------------------------------------------------- */

static uint64_t where(unsigned int bus, unsigned int devfn, unsigned int reg)
{
	return ECAM + ((uint64_t)bus << 20) + (devfn << 12) + reg;
}

static uint32_t get(struct fixture *f, unsigned int bus, unsigned int devfn, unsigned int reg,
		    unsigned int size)
{
	uint32_t value = 0;

	assert_int_equal(weir_model_bus_read(f->bus, where(bus, devfn, reg), &value, size,
					     WEIR_MODEL_CPU),
			 WEIR_MODEL_OK);
	return value;
}

static void set(struct fixture *f, unsigned int bus, unsigned int devfn, unsigned int reg,
		unsigned int size, uint32_t value)
{
	assert_int_equal(weir_model_bus_write(f->bus, where(bus, devfn, reg), &value, size,
					      WEIR_MODEL_CPU),
			 WEIR_MODEL_OK);
}

/** Offset of a capability; 0: none. Fails where the list does not end. */
static unsigned int capability(struct fixture *f, unsigned int bus, unsigned int devfn,
			       unsigned int id)
{
	unsigned int at = get(f, bus, devfn, WEIR_PCI_CAPABILITY_LIST, 1);

	for (unsigned int i = 0; at; i++) {
		assert_in_range(i, 0, 47);
		assert_in_range(at, 0x40, 0xfc);
		if (get(f, bus, devfn, at, 1) == id)
			return at;
		at = get(f, bus, devfn, at + WEIR_PCI_CAP_LIST_NEXT, 1);
	}
	return 0;
}

#define CMD (WEIR_PCI_COMMAND_MEMORY | WEIR_PCI_COMMAND_MASTER)

/** Bus numbers, both windows 1 MiB from their RC window on, everything enabled. */
static void bring_up(struct fixture *f)
{
	set(f, 0, DEVFN(1), WEIR_PCI_PRIMARY_BUS, 4, 0x00040200);
	set(f, 0, DEVFN(1), WEIR_PCI_MEMORY_BASE, 4, 0x10001000);
	set(f, 0, DEVFN(1), WEIR_PCI_PREF_MEMORY_BASE, 4, 0);
	set(f, 0, DEVFN(1), WEIR_PCI_PREF_BASE_UPPER32, 4, 0x80);
	set(f, 0, DEVFN(1), WEIR_PCI_PREF_LIMIT_UPPER32, 4, 0x80);
	set(f, 0, DEVFN(1), WEIR_PCI_COMMAND, 2, CMD);
	set(f, 2, 0, WEIR_PCI_BASE_ADDRESS_0, 4, 0);
	set(f, 2, 0, WEIR_PCI_BASE_ADDRESS_0 + 4, 4, 0x80);
	set(f, 2, 0, WEIR_PCI_BASE_ADDRESS_0 + 8, 4, WIN32 + 0x5000);
	set(f, 2, 0, WEIR_PCI_COMMAND, 2, CMD);
}

static bool answers(struct fixture *f, uint64_t addr)
{
	uint32_t value;

	return weir_model_bus_read(f->bus, addr, &value, 4, WEIR_MODEL_CPU) == WEIR_MODEL_OK;
}

static uint32_t load(struct fixture *f, uint64_t addr)
{
	uint32_t value = 0;

	assert_int_equal(weir_model_bus_read(f->bus, addr, &value, 4, WEIR_MODEL_CPU),
			 WEIR_MODEL_OK);
	return value;
}

static void store(struct fixture *f, uint64_t addr, uint32_t value)
{
	assert_int_equal(weir_model_bus_write(f->bus, addr, &value, 4, WEIR_MODEL_CPU),
			 WEIR_MODEL_OK);
}

static uint32_t ram32(struct fixture *f, unsigned int offset)
{
	return load(f, RAM_BASE + offset);
}

/* ---- Configuration space ---------------------------------------------------------------- */

static void test_ecam(void **state)
{
	struct fixture *f = *state;
	uint64_t wide;

	assert_int_equal(get(f, 0, DEVFN(9), 0, 4), 0xffffffff);
	assert_int_equal(get(f, 0, DEVFN(9), 0, 1), 0xff);
	assert_int_equal(get(f, 7, 0, 2, 2), 0xffff);
	set(f, 0, DEVFN(9), 0, 4, 0);
	assert_int_equal(get(f, 0, DEVFN(5), 0, 4), 0x56781234);
	assert_int_equal(get(f, 0, DEVFN(5), 2, 2), 0x5678);
	assert_int_equal(get(f, 0, DEVFN(5), 1, 1), 0x12);
	assert_int_equal(get(f, 0, DEVFN(5), WEIR_PCI_CLASS_REVISION, 4), 0x01080203);
	assert_int_equal(get(f, 0, DEVFN(5), WEIR_PCI_SUBSYSTEM_VENDOR_ID, 4), 0xdef09abc);
	/* A conventional function has 256 bytes, an express one 4 KiB. */
	assert_int_equal(get(f, 0, DEVFN(5), 0x100, 4), 0xffffffff);
	bring_up(f);
	assert_int_equal(get(f, 2, 0, 0x100, 4), 0);
	assert_int_equal(weir_model_bus_read(f->bus, ECAM, &wide, 8, WEIR_MODEL_CPU),
			 WEIR_MODEL_ABORT);
	assert_int_equal(weir_model_bus_read(f->bus, where(0, DEVFN(5), 0), &wide, 4, 0x200),
			 WEIR_MODEL_ABORT);
}

static void test_capabilities(void **state)
{
	struct fixture *f = *state;
	unsigned int exp, msix;

	bring_up(f);
	exp = capability(f, 2, 0, WEIR_PCI_CAP_ID_EXP);
	msix = capability(f, 2, 0, WEIR_PCI_CAP_ID_MSIX);
	assert_int_not_equal(exp, 0);
	assert_int_not_equal(msix, 0);
	assert_int_equal(get(f, 2, 0, exp + WEIR_PCI_EXP_FLAGS, 2), 0x0002);
	assert_true(get(f, 2, 0, exp + WEIR_PCI_EXP_DEVCAP, 4) & WEIR_PCI_EXP_DEVCAP_FLR);
	assert_int_equal(get(f, 2, 0, msix + WEIR_PCI_MSIX_FLAGS, 2), 4);
	assert_int_equal(get(f, 2, 0, msix + WEIR_PCI_MSIX_TABLE, 4), 0x2000);
	assert_int_equal(get(f, 2, 0, msix + WEIR_PCI_MSIX_PBA, 4), 0x3000);

	exp = capability(f, 0, DEVFN(1), WEIR_PCI_CAP_ID_EXP);
	assert_int_equal(get(f, 0, DEVFN(1), exp + WEIR_PCI_EXP_FLAGS, 2), 0x0042);
	assert_int_equal(get(f, 0, DEVFN(1), WEIR_PCI_HEADER_TYPE, 1), 1);
	assert_int_equal(get(f, 0, DEVFN(1), 0x100, 4), 0x1000d);
	assert_int_equal(get(f, 0, DEVFN(1), 0x104, 4), WEIR_PCI_ACS_SV | WEIR_PCI_ACS_RR);
	set(f, 0, DEVFN(1), 0x106, 2, 0xffff);
	assert_int_equal(get(f, 0, DEVFN(1), 0x106, 2), WEIR_PCI_ACS_SV | WEIR_PCI_ACS_RR);

	assert_int_equal(capability(f, 0, DEVFN(5), WEIR_PCI_CAP_ID_EXP), 0);
	assert_int_not_equal(capability(f, 0, DEVFN(5), WEIR_PCI_CAP_ID_MSIX), 0);
}

/* What no write may change: everything up to the BARs but Command, cache line and the timer. */
static void test_read_only(void **state)
{
	struct fixture *f = *state;
	unsigned int seed = 7;

	for (unsigned int i = 0; i < 20000; i++) {
		unsigned int reg = (unsigned int)rand_r(&seed) % 0x400 * 4;
		uint32_t value = (uint32_t)rand_r(&seed) * 2654435761u;
		unsigned int devfn = i & 1 ? DEVFN(1) : DEVFN(5);

		set(f, 0, devfn, reg, 4, value);
	}
	assert_int_equal(get(f, 0, DEVFN(5), 0, 4), 0x56781234);
	assert_int_equal(get(f, 0, DEVFN(5), WEIR_PCI_STATUS, 2), WEIR_PCI_STATUS_CAP_LIST);
	assert_int_equal(get(f, 0, DEVFN(5), WEIR_PCI_CLASS_REVISION, 4), 0x01080203);
	assert_int_equal(get(f, 0, DEVFN(5), WEIR_PCI_HEADER_TYPE, 1), 0);
	assert_int_equal(get(f, 0, DEVFN(5), WEIR_PCI_INTERRUPT_PIN, 1), 0);
	assert_int_equal(get(f, 0, DEVFN(5), WEIR_PCI_BASE_ADDRESS_0 + 0xc, 4), 0);
	assert_int_equal(get(f, 0, DEVFN(1), WEIR_PCI_HEADER_TYPE, 1), 1);
	assert_int_equal(get(f, 0, DEVFN(1), WEIR_PCI_BASE_ADDRESS_0, 4), 0);
	assert_int_equal(get(f, 0, DEVFN(1), WEIR_PCI_IO_BASE, 2), 0);
	assert_int_equal(get(f, 0, DEVFN(1), WEIR_PCI_PREF_MEMORY_BASE, 2) & 0xf, 1);
	assert_int_equal(get(f, 0, DEVFN(1), 0x100, 4), 0x1000d);
	set(f, 0, DEVFN(5), WEIR_PCI_COMMAND, 2, 0xffff);
	assert_int_equal(get(f, 0, DEVFN(5), WEIR_PCI_COMMAND, 2), 0x0546);
}

static void test_routing(void **state)
{
	static const struct weir_model_pci_bridge_desc up = { "up", WEIR_MODEL_SWITCH_UP, 0 };
	static const struct weir_model_pci_bridge_desc down = { "down", WEIR_MODEL_SWITCH_DOWN, 0 };
	static const struct weir_model_pci_bridge_desc port = { "port", WEIR_MODEL_ROOT_PORT, 0 };
	struct fixture *f = *state;
	struct weir_model_pci_bridge *b[4];
	struct dummy far = { 0 };
	struct weir_model_pci_desc desc = dummy_desc(&far);

	assert_int_equal(weir_model_pci_add_bridge(f->rc, NULL, DEVFN(2), &port, &b[0]), 0);
	assert_int_equal(weir_model_pci_add_bridge(f->rc, b[0], 0, &up, &b[1]), 0);
	assert_int_equal(weir_model_pci_add_bridge(f->rc, b[1], DEVFN(0), &down, &b[2]), 0);
	assert_int_equal(weir_model_pci_add_bridge(f->rc, b[1], DEVFN(3), &down, &b[3]), 0);
	desc.device = 0xfa4;
	assert_int_equal(weir_model_pci_add(f->rc, b[3], 0, &desc, &far.fn), 0);

	bring_up(f);
	assert_int_equal(get(f, 2, 0, 0, 4), 0x56781234);
	assert_int_equal(get(f, 3, 0, 0, 4), 0xffffffff);
	set(f, 0, DEVFN(2), WEIR_PCI_PRIMARY_BUS, 4, 0x00080500);
	set(f, 5, 0, WEIR_PCI_PRIMARY_BUS, 4, 0x00080605);
	set(f, 6, DEVFN(0), WEIR_PCI_PRIMARY_BUS, 4, 0x00070706);
	set(f, 6, DEVFN(3), WEIR_PCI_PRIMARY_BUS, 4, 0x00080806);
	assert_int_equal(get(f, 8, 0, 2, 2), 0xfa4);
	assert_int_equal(get(f, 7, 0, 2, 2), 0xffff);
	assert_int_equal(get(f, 6, DEVFN(1), 2, 2), 0xffff);
	assert_int_equal(get(f, 8, DEVFN(1), 2, 2), 0xffff);
	/* The switch no longer passes bus 8 on. */
	set(f, 5, 0, WEIR_PCI_SUBORDINATE_BUS, 1, 7);
	assert_int_equal(get(f, 8, 0, 2, 2), 0xffff);
	/* Renumbered: it is there, under another name. */
	set(f, 6, DEVFN(3), WEIR_PCI_PRIMARY_BUS, 4, 0x00070706);
	set(f, 6, DEVFN(0), WEIR_PCI_PRIMARY_BUS, 4, 0x00000006);
	assert_int_equal(get(f, 7, 0, 2, 2), 0xfa4);
	weir_model_pci_remove(&far.fn);
	assert_int_equal(get(f, 7, 0, 2, 2), 0xffff);
}

static void test_refusals(void **state)
{
	struct fixture *f = *state;
	struct dummy d = { 0 };
	struct weir_model_pci_desc good = dummy_desc(&d), desc = good;
	struct weir_model_pci_bridge *bridge;
	struct weir_model_pci_bridge_desc up = { "up", WEIR_MODEL_SWITCH_UP, 0 };

	assert_int_equal(weir_model_pci_add(f->rc, NULL, DEVFN(5), &desc, &d.fn), -WEIR_EEXIST);
	assert_int_equal(weir_model_pci_add(f->rc, f->port, DEVFN(1), &desc, &d.fn), -WEIR_EINVAL);
	desc.bars[1].size = 0x1000;
	assert_int_equal(weir_model_pci_add(f->rc, NULL, DEVFN(6), &desc, &d.fn), -WEIR_EINVAL);
	desc = good;
	desc.bars[0].size = 0x1800;
	assert_int_equal(weir_model_pci_add(f->rc, NULL, DEVFN(6), &desc, &d.fn), -WEIR_EINVAL);
	desc = good;
	desc.msix_offset = BAR_SIZE - 0x1000;
	assert_int_equal(weir_model_pci_add(f->rc, NULL, DEVFN(6), &desc, &d.fn), -WEIR_EINVAL);
	assert_int_equal(weir_model_pci_add_bridge(f->rc, NULL, DEVFN(6), &up, &bridge),
			 -WEIR_EINVAL);
	assert_int_equal(weir_model_pci_add(f->rc, NULL, DEVFN(6), &good, &d.fn), 0);
	weir_model_pci_remove(&d.fn);
}

static void test_multifunction(void **state)
{
	struct fixture *f = *state;
	struct dummy d = { 0 };
	struct weir_model_pci_desc desc = dummy_desc(&d);

	desc.acs = true;
	assert_int_equal(weir_model_pci_add(f->rc, f->port, 1, &desc, &d.fn), 0);
	bring_up(f);
	assert_int_equal(get(f, 2, 0, WEIR_PCI_HEADER_TYPE, 1), WEIR_PCI_HEADER_TYPE_MFD);
	assert_int_equal(get(f, 2, 1, WEIR_PCI_HEADER_TYPE, 1), WEIR_PCI_HEADER_TYPE_MFD);
	assert_int_equal(get(f, 2, 1, 0x100, 2), WEIR_PCI_EXT_CAP_ID_ACS);
	weir_model_pci_remove(&d.fn);
}

/* ---- BARs ------------------------------------------------------------------------------- */

static void test_bar_sizing(void **state)
{
	struct fixture *f = *state;

	bring_up(f);
	for (unsigned int i = 0; i < 6; i++)
		set(f, 2, 0, WEIR_PCI_BASE_ADDRESS_0 + 4 * i, 4, 0xffffffff);
	assert_int_equal(get(f, 2, 0, WEIR_PCI_BASE_ADDRESS_0, 4), ~(BAR_SIZE - 1) | 4);
	assert_int_equal(get(f, 2, 0, WEIR_PCI_BASE_ADDRESS_0 + 4, 4), 0xffffffff);
	assert_int_equal(get(f, 2, 0, WEIR_PCI_BASE_ADDRESS_0 + 8, 4), 0xfffff000);
	assert_int_equal(get(f, 2, 0, WEIR_PCI_BASE_ADDRESS_0 + 12, 4), 0);
	assert_false(answers(f, WIN64));
	assert_false(answers(f, WIN32 + 0x5000));
}

static void test_bar_gates(void **state)
{
	struct fixture *f = *state;

	bring_up(f);
	assert_int_equal(load(f, WIN64 + 0x10), 0x10);
	assert_int_equal(load(f, WIN32 + 0x5020), 0x20);
	assert_false(answers(f, WIN64 + BAR_SIZE));
	store(f, WIN64, 0x1122);
	assert_int_equal(load(f, WIN32 + 0x5000), 0x1122);

	set(f, 2, 0, WEIR_PCI_COMMAND, 2, 0);
	assert_false(answers(f, WIN64));
	set(f, 2, 0, WEIR_PCI_COMMAND, 2, CMD);
	assert_true(answers(f, WIN64));
	set(f, 0, DEVFN(1), WEIR_PCI_COMMAND, 2, WEIR_PCI_COMMAND_MASTER);
	assert_false(answers(f, WIN64));
	assert_false(answers(f, WIN32 + 0x5000));
	set(f, 0, DEVFN(1), WEIR_PCI_COMMAND, 2, CMD);
	/* The prefetchable window moves away; then the other ends before the BAR. */
	set(f, 0, DEVFN(1), WEIR_PCI_PREF_BASE_UPPER32, 4, 0x81);
	assert_false(answers(f, WIN64));
	assert_true(answers(f, WIN32 + 0x5000));
	set(f, 0, DEVFN(1), WEIR_PCI_MEMORY_BASE, 4, 0x10001010);
	assert_false(answers(f, WIN32 + 0x5000));
	/* 64-bit BARs may lie in the 32-bit window. */
	set(f, 0, DEVFN(1), WEIR_PCI_MEMORY_BASE, 4, 0x10101000);
	set(f, 2, 0, WEIR_PCI_BASE_ADDRESS_0, 4, WIN32 + 0x100000);
	set(f, 2, 0, WEIR_PCI_BASE_ADDRESS_0 + 4, 4, 0);
	assert_int_equal(load(f, WIN32 + 0x100010), 0x10);
	/* Where the bridge would forward and the root complex has no window, nothing answers. */
	set(f, 0, DEVFN(1), WEIR_PCI_MEMORY_BASE, 4, 0xfff00000);
	set(f, 2, 0, WEIR_PCI_BASE_ADDRESS_0, 4, 0x20000000);
	assert_false(answers(f, 0x20000010));
}

/* ---- DMA -------------------------------------------------------------------------------- */

static bool masters(struct fixture *f, struct dummy *d)
{
	uint32_t value = 0x600d, back = 1;
	enum weir_model_result result;

	result = weir_model_pci_write(&d->fn, RAM_BASE + 0x100, &value, 4);
	assert_int_equal(weir_model_pci_read(&d->fn, RAM_BASE + 0x100, &back, 4), result);
	assert_int_equal(back, result == WEIR_MODEL_OK ? 0x600d : 0);
	if (result == WEIR_MODEL_OK)
		assert_int_equal(f->notes.stream, weir_model_pci_requester(&d->fn));
	return result == WEIR_MODEL_OK;
}

static void test_bus_master(void **state)
{
	struct fixture *f = *state;

	assert_false(masters(f, &f->below));
	assert_int_equal(f->notes.count, 0);
	bring_up(f);
	assert_true(masters(f, &f->below));
	assert_int_equal(f->notes.stream, 0x200);
	set(f, 2, 0, WEIR_PCI_COMMAND, 2, WEIR_PCI_COMMAND_MEMORY);
	assert_false(masters(f, &f->below));
	set(f, 2, 0, WEIR_PCI_COMMAND, 2, CMD);
	set(f, 0, DEVFN(1), WEIR_PCI_COMMAND, 2, WEIR_PCI_COMMAND_MEMORY);
	assert_false(masters(f, &f->below));
	set(f, 0, DEVFN(5), WEIR_PCI_COMMAND, 2, WEIR_PCI_COMMAND_MASTER);
	assert_true(masters(f, &f->integrated));
	assert_int_equal(f->notes.stream, DEVFN(5));
}

static void test_source_validation(void **state)
{
	struct fixture *f = *state;

	bring_up(f);
	set(f, 0, DEVFN(1), 0x106, 2, WEIR_PCI_ACS_SV);
	assert_true(masters(f, &f->below));
	/* The port is renumbered, the device does not know yet. */
	set(f, 0, DEVFN(1), WEIR_PCI_PRIMARY_BUS, 4, 0x00040300);
	assert_false(masters(f, &f->below));
	set(f, 0, DEVFN(1), 0x106, 2, WEIR_PCI_ACS_RR);
	assert_true(masters(f, &f->below));
	assert_int_equal(f->notes.stream, 0x200);
	/* Any configuration write tells it. */
	set(f, 0, DEVFN(1), 0x106, 2, WEIR_PCI_ACS_SV);
	set(f, 3, 0, WEIR_PCI_CACHE_LINE_SIZE, 1, 0);
	assert_true(masters(f, &f->below));
	assert_int_equal(f->notes.stream, 0x300);
}

static void test_alias(void **state)
{
	static const struct weir_model_pci_bridge_desc port = { "port", WEIR_MODEL_ROOT_PORT, 0 };
	static const struct weir_model_pci_bridge_desc pci = { "pci", WEIR_MODEL_PCIE_TO_PCI, 0 };
	struct fixture *f = *state;
	struct weir_model_pci_bridge *b[2];
	struct dummy d = { 0 };
	struct weir_model_pci_desc desc = dummy_desc(&d);

	assert_int_equal(weir_model_pci_add_bridge(f->rc, NULL, DEVFN(2), &port, &b[0]), 0);
	assert_int_equal(weir_model_pci_add_bridge(f->rc, b[0], 0, &pci, &b[1]), 0);
	assert_int_equal(weir_model_pci_add(f->rc, b[1], DEVFN(4), &desc, &d.fn), -WEIR_EINVAL);
	desc.express = false;
	assert_int_equal(weir_model_pci_add(f->rc, b[1], DEVFN(4), &desc, &d.fn), 0);
	set(f, 0, DEVFN(2), WEIR_PCI_PRIMARY_BUS, 4, 0x00080700);
	set(f, 7, 0, WEIR_PCI_PRIMARY_BUS, 4, 0x00080807);
	set(f, 0, DEVFN(2), WEIR_PCI_COMMAND, 2, CMD);
	set(f, 7, 0, WEIR_PCI_COMMAND, 2, CMD);
	set(f, 8, DEVFN(4), WEIR_PCI_COMMAND, 2, CMD);
	assert_true(masters(f, &d));
	assert_int_equal(f->notes.stream, 0x800);
	weir_model_pci_remove(&d.fn);
}

/* ---- MSI-X ------------------------------------------------------------------------------ */

#define TABLE (WIN64 + 0x2000)
#define PBA (WIN64 + 0x3000)

static void vector(struct fixture *f, unsigned int i, uint64_t addr, uint32_t data, bool masked)
{
	store(f, TABLE + 16 * i, (uint32_t)addr);
	store(f, TABLE + 16 * i + 4, (uint32_t)(addr >> 32));
	store(f, TABLE + 16 * i + 8, data);
	store(f, TABLE + 16 * i + 12, masked);
}

static void control(struct fixture *f, uint16_t flags)
{
	set(f, 2, 0, capability(f, 2, 0, WEIR_PCI_CAP_ID_MSIX) + WEIR_PCI_MSIX_FLAGS, 2, flags);
}

static void test_msix(void **state)
{
	struct fixture *f = *state;
	uint16_t half = 1;

	bring_up(f);
	assert_int_equal(load(f, TABLE + 12), 1);
	vector(f, 0, RAM_BASE + 0x203, 0xaaaa, false); /* the two lowest bits stay zero */
	vector(f, 3, RAM_BASE + 0x204, 0xbbbb, true);
	assert_int_equal(load(f, TABLE), RAM_BASE + 0x200);
	weir_model_pci_msix(&f->below.fn, 0);
	assert_int_equal(f->notes.count, 0); /* disabled */
	control(f, WEIR_PCI_MSIX_FLAGS_ENABLE);
	assert_int_equal(f->notes.count, 0);
	weir_model_pci_msix(&f->below.fn, 0);
	assert_int_equal(ram32(f, 0x200), 0xaaaa);
	assert_int_equal(f->notes.stream, 0x200);

	weir_model_pci_msix(&f->below.fn, 3);
	weir_model_pci_msix(&f->below.fn, 3);
	weir_model_pci_msix(&f->below.fn, 99);
	assert_int_equal(load(f, PBA), 1 << 3);
	store(f, PBA, 0);
	assert_int_equal(load(f, PBA), 1 << 3);
	assert_int_equal(f->notes.count, 1);
	store(f, TABLE + 16 * 3 + 12, 0);
	assert_int_equal(f->notes.count, 2);
	assert_int_equal(ram32(f, 0x204), 0xbbbb);
	assert_int_equal(load(f, PBA), 0);

	control(f, WEIR_PCI_MSIX_FLAGS_ENABLE | WEIR_PCI_MSIX_FLAGS_MASKALL);
	weir_model_pci_msix(&f->below.fn, 0);
	weir_model_pci_msix(&f->below.fn, 3);
	assert_int_equal(f->notes.count, 2);
	assert_int_equal(load(f, PBA), 1 << 3 | 1);
	control(f, WEIR_PCI_MSIX_FLAGS_ENABLE);
	assert_int_equal(f->notes.count, 4);
	/* Only whole words; without Bus Master Enable no message leaves. */
	assert_int_equal(weir_model_bus_write(f->bus, TABLE, &half, 2, WEIR_MODEL_CPU),
			 WEIR_MODEL_ABORT);
	set(f, 2, 0, WEIR_PCI_COMMAND, 2, WEIR_PCI_COMMAND_MEMORY);
	weir_model_pci_msix(&f->below.fn, 0);
	assert_int_equal(f->notes.count, 4);
	/* Beyond the table the BAR is the device's. */
	assert_int_equal(load(f, TABLE + 16 * 5), 0x2050);
}

static void test_msix_at_itself(void **state)
{
	struct fixture *f = *state;

	bring_up(f);
	/* Each vector unmasks the next one; the last masks nothing and hits the first. */
	for (unsigned int i = 0; i < 5; i++)
		vector(f, i, TABLE + 16 * ((i + 1) % 5) + 12, 0, true);
	control(f, WEIR_PCI_MSIX_FLAGS_ENABLE);
	for (unsigned int i = 0; i < 5; i++)
		weir_model_pci_msix(&f->below.fn, i);
	store(f, TABLE + 12, 0);
	assert_int_equal(load(f, PBA), 0);
	assert_int_equal(f->notes.count, 5);
}

/* ---- Reset and threads ------------------------------------------------------------------ */

static void flr(struct fixture *f)
{
	unsigned int reg = capability(f, 2, 0, WEIR_PCI_CAP_ID_EXP) + WEIR_PCI_EXP_DEVCTL;

	set(f, 2, 0, reg, 2, get(f, 2, 0, reg, 2) | WEIR_PCI_EXP_DEVCTL_BCR_FLR);
}

static void test_flr(void **state)
{
	struct fixture *f = *state;
	unsigned int devctl;

	bring_up(f);
	devctl = capability(f, 2, 0, WEIR_PCI_CAP_ID_EXP) + WEIR_PCI_EXP_DEVCTL;
	set(f, 2, 0, devctl, 2, 0x0020);
	vector(f, 0, RAM_BASE, 1, false);
	control(f, WEIR_PCI_MSIX_FLAGS_ENABLE);
	flr(f);
	assert_int_equal(f->below.resets, 1);
	assert_int_equal(get(f, 2, 0, WEIR_PCI_COMMAND, 2), 0);
	assert_int_equal(get(f, 2, 0, WEIR_PCI_BASE_ADDRESS_0 + 4, 4), 0);
	assert_int_equal(get(f, 2, 0, devctl, 2), 0x2830); /* defaults; the payload size stays */
	assert_false(answers(f, WIN64));
	assert_false(masters(f, &f->below));
	bring_up(f);
	assert_int_equal(load(f, TABLE + 12), 1);
	weir_model_pci_msix(&f->below.fn, 0);
	assert_int_equal(f->notes.count, 0);
	flr(f);
	assert_int_equal(f->below.resets, 2);
}

static void *read_held(void *arg)
{
	struct fixture *f = arg;

	load(f, WIN64 + HOLD_REG);
	return NULL;
}

static void *reset_it(void *arg)
{
	flr(arg);
	return NULL;
}

static void test_reset_waits(void **state)
{
	struct fixture *f = *state;
	pthread_t reader, resetter;

	bring_up(f);
	__atomic_store_n(&f->below.hold, 1, __ATOMIC_SEQ_CST);
	assert_int_equal(pthread_create(&reader, NULL, read_held, f), 0);
	while (!__atomic_load_n(&f->below.inside, __ATOMIC_SEQ_CST))
		sched_yield();
	assert_int_equal(pthread_create(&resetter, NULL, reset_it, f), 0);
	usleep(20000);
	assert_int_equal(__atomic_load_n(&f->below.resets, __ATOMIC_SEQ_CST), 0);
	__atomic_store_n(&f->below.hold, 0, __ATOMIC_SEQ_CST);
	pthread_join(reader, NULL);
	pthread_join(resetter, NULL);
	assert_int_equal(f->below.resets, 1);
	assert_int_equal(f->below.resets_disturbed, 0);
}

struct load_thread {
	struct fixture *f;
	uint32_t *stop;
};

static void *hammer_bar(void *arg)
{
	struct load_thread *t = arg;
	uint32_t value;

	while (!__atomic_load_n(t->stop, __ATOMIC_RELAXED)) {
		weir_model_bus_read(t->f->bus, WIN64 + 0x10, &value, 4, WEIR_MODEL_CPU);
		weir_model_bus_write(t->f->bus, TABLE + 12, &(uint32_t){ 0 }, 4, WEIR_MODEL_CPU);
	}
	return NULL;
}

static void *hammer_dma(void *arg)
{
	struct load_thread *t = arg;
	uint32_t value = 5;

	while (!__atomic_load_n(t->stop, __ATOMIC_RELAXED)) {
		weir_model_pci_write(&t->f->below.fn, RAM_BASE + 0x300, &value, 4);
		weir_model_pci_msix(&t->f->below.fn, 0);
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct fixture *f = *state;
	uint32_t stop = 0;
	struct load_thread t = { f, &stop };
	pthread_t threads[2];

	bring_up(f);
	assert_int_equal(pthread_create(&threads[0], NULL, hammer_bar, &t), 0);
	assert_int_equal(pthread_create(&threads[1], NULL, hammer_dma, &t), 0);
	for (unsigned int i = 0; i < 300; i++) {
		flr(f);
		bring_up(f);
		vector(f, 0, RAM_BASE + 0x400, 9, false);
		control(f, WEIR_PCI_MSIX_FLAGS_ENABLE);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	assert_int_equal(f->below.resets, 300);
	assert_int_equal(f->below.resets_disturbed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ecam, setup, teardown),
		cmocka_unit_test_setup_teardown(test_capabilities, setup, teardown),
		cmocka_unit_test_setup_teardown(test_read_only, setup, teardown),
		cmocka_unit_test_setup_teardown(test_routing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
		cmocka_unit_test_setup_teardown(test_multifunction, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bar_sizing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bar_gates, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bus_master, setup, teardown),
		cmocka_unit_test_setup_teardown(test_source_validation, setup, teardown),
		cmocka_unit_test_setup_teardown(test_alias, setup, teardown),
		cmocka_unit_test_setup_teardown(test_msix, setup, teardown),
		cmocka_unit_test_setup_teardown(test_msix_at_itself, setup, teardown),
		cmocka_unit_test_setup_teardown(test_flr, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reset_waits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_threads, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
