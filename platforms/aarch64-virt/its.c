/* SPDX-License-Identifier: MIT */
/*
 * Messages: LPIs and the interrupt translation service (IHI 0069, chapter 5). A message of a device
 * is an event: the ITS looks its device ID up in the device table, the event in that device's
 * interrupt translation table (ITT), and finds an LPI and a collection; collection n is CPU n. An
 * LPI's enable is a byte in a table that all redistributors share; whether it is pending is in a
 * table of each redistributor's own.
 *
 * The ITS is told of changes by commands, each waited for before the next, so the queue is empty
 * whenever `queue_lock` is free (taken with interrupts off, innermost of all locks). Devices, their
 * events and the owners of LPIs are under `mutex`. An ITS that did not carry out a command is given
 * no more of them, and what it might still read is never freed.
 *
 * A table that the ITS or a redistributor reads without snooping (it refuses to be shareable) is
 * cleaned to memory after each write. All are cleaned once before the hardware learns of them.
 */
#include "gic.h"

/*
 * LPIs: what 14 bits of INTID hold, the least that a GIC with LPIs has (IHI 0069,
 * GICD_TYPER.IDbits). Two kilobytes of pending bits, though in 64 KiB, because that is how they
 * have to be aligned.
 */
#define LPI_ID_BITS 14u
#define LPIS ((1u << LPI_ID_BITS) - GIC_LPI_FIRST)
#define PENDING_SIZE 0x10000u
/* 64 KiB: the unit of GITS_CBASER is 4 KiB, its alignment 64 KiB. */
#define QUEUE_SIZE 0x10000u
/* As many events for a device as MSI-X can have vectors (PCI 3.0, 6.8.2): nobody asks for more. */
#define MAX_EVENT_BITS 11u
#define MAX_EVENTS (1u << MAX_EVENT_BITS)
#define ITT_ALIGN 256u
#define MAX_TABLE_SIZE ((uint64_t)WEIR_PAGE_SIZE << WEIR_PLAT_MAX_ORDER)
#define CPU_NONE (~0u)

struct its_device {
	struct its_device *next;
	uint32_t id;
	unsigned int nr_used;
	void *itt;
	uint64_t used[MAX_EVENTS / 64];
};
_Static_assert(sizeof(struct its_device) <= WEIR_PAGE_SIZE, "a device takes one page");

struct lpi {
	struct virt_irq irq;
	struct its_device *device; /* atomic; NULL: free */
	uint32_t device_id;
	uint32_t event;
	uint32_t cpu;
};

struct its_table {
	void *start;
	uint64_t size;
};

static struct its {
	volatile void WEIR_IOMEM *regs; /* NULL: there are no messages */
	weir_phys_t phys;
	uint32_t phandle;
	uint64_t typer;
	uint64_t target[BARE_MAX_CPUS]; /* how commands name a CPU's redistributor */
	bool can_take[BARE_MAX_CPUS];	/* atomic; its collection is mapped */

	/* Of bring-up: for GITS_BASERs, queue, configuration, struct lpi, pending bits. */
	struct its_table tables[GITS_BASERS + 3 + BARE_MAX_CPUS];
	unsigned int nr_tables;

	struct weir_spinlock queue_lock;
	uint64_t *queue;
	uint32_t queue_write;
	bool queue_snooped;
	bool is_broken; /* atomic; never false again */

	uint8_t *config;
	bool config_snooped; /* atomic; by every redistributor */
	void *pending[BARE_MAX_CPUS];

	uint64_t device_ids; /* from 0 to below it the device table has room */
	uint64_t *level1;    /* of a device table of two levels; else NULL */
	bool level1_snooped;
	unsigned int page_shift; /* of its level 2 */
	uint64_t page_ids;

	struct weir_mutex mutex;
	struct its_device *devices;
	struct lpi *lpis;
} its;

/* ---- Memory that the hardware reads ------------------------------------------------------- */

static unsigned int order_of(uint64_t size)
{
	unsigned int order = 0;

	while (((uint64_t)WEIR_PAGE_SIZE << order) < size)
		order++;
	return order;
}

/* Zeroes, in memory too; aligned to its size. Atomic: bring-up is no thread that could sleep. */
static void *zeroed_alloc(uint64_t size)
{
	unsigned int order = order_of(size);
	weir_phys_t phys;
	void *table;

	if (plat_pages_alloc(bare_plat(), order, WEIR_ZONE_NORMAL, WEIR_ALLOC_ATOMIC, &phys))
		return NULL;
	table = plat_phys_to_virt(bare_plat(), phys);
	memset(table, 0, WEIR_PAGE_SIZE << order);
	plat_cache_clean(bare_plat(), table, WEIR_PAGE_SIZE << order);
	return table;
}

static void zeroed_free(void *table, uint64_t size)
{
	if (table)
		plat_pages_free(bare_plat(), plat_virt_to_phys(bare_plat(), table), order_of(size));
}

/* A table of bring-up: for good, unless bring-up fails. */
static void *table_alloc(uint64_t size)
{
	struct its_table *table;

	if (its.nr_tables == WEIR_ARRAY_SIZE(its.tables))
		return NULL;
	table = &its.tables[its.nr_tables];
	table->start = zeroed_alloc(size);
	table->size = size;
	if (table->start)
		its.nr_tables++;
	return table->start;
}

static void tables_free(void)
{
	while (its.nr_tables) {
		struct its_table *table = &its.tables[--its.nr_tables];

		zeroed_free(table->start, table->size);
	}
}

static uint64_t phys_of(const void *start)
{
	return plat_virt_to_phys(bare_plat(), start);
}

static void publish(const void *start, size_t size, bool is_snooped)
{
	if (!is_snooped)
		plat_cache_clean(bare_plat(), start, size);
}

static volatile void WEIR_IOMEM *reg(size_t offset)
{
	return virt_gic_at(its.regs, offset);
}

/*
 * Write a register that holds the base of a table, as inner shareable and cacheable; if it will not
 * be shareable, as not cacheable (IHI 0069, GITS_BASER<n>.Shareability: it may be fixed). Whether
 * it snoops.
 */
static bool base_write(volatile void WEIR_IOMEM *base, uint64_t value, unsigned int cache_shift)
{
	plat_mmio_write64(base, value | GIC_BASER_Shareability_INNER |
					(uint64_t)GIC_BASER_InnerCache_RaWaWb << cache_shift);
	if (plat_mmio_read64(base) & GIC_BASER_Shareability)
		return true;
	plat_mmio_write64(base, value | (uint64_t)GIC_BASER_InnerCache_NC << cache_shift);
	return false;
}

/* ---- Commands ----------------------------------------------------------------------------- */

static void queue_put(uint64_t word0, uint64_t word1, uint64_t word2)
{
	uint64_t *entry = its.queue + its.queue_write / sizeof(*entry);

	entry[0] = word0;
	entry[1] = word1;
	entry[2] = word2;
	entry[3] = 0;
	publish(entry, GITS_CMD_SIZE, its.queue_snooped);
	its.queue_write = (its.queue_write + GITS_CMD_SIZE) % QUEUE_SIZE;
}

static int queue_run(uint64_t command)
{
	plat_dma_wmb(); /* commands, and the tables they are about, before GITS_CWRITER */
	plat_mmio_write64(reg(GITS_CWRITER), its.queue_write);
	if (virt_gic_wait(reg(GITS_CREADR), GITS_CREADR_Offset, its.queue_write))
		return 0;
	__atomic_store_n(&its.is_broken, true, __ATOMIC_RELAXED);
	virt_log(WEIR_LOG_ERR, "the ITS %s at command 0x%x (GITS_CREADR 0x%x): no more of them",
		 plat_mmio_read32(reg(GITS_CREADR)) & GITS_CREADR_Stalled ? "has stalled" :
									    "does not go on",
		 (unsigned int)(command & 0xff), (unsigned int)plat_mmio_read32(reg(GITS_CREADR)));
	return -WEIR_EIO;
}

/*
 * One command; with a CPU, wait also until its redistributor has seen the effect (SYNC). A command
 * is a write to a register, some stores and a read: a few microseconds.
 */
static int send(uint64_t word0, uint64_t word1, uint64_t word2, unsigned int cpu)
{
	uintptr_t flags = plat_irq_save();
	int err = -WEIR_EIO;

	plat_spin_lock(&its.queue_lock);
	if (!its.is_broken) {
		queue_put(word0, word1, word2);
		if (cpu != CPU_NONE)
			queue_put(GITS_CMD_SYNC, 0, its.target[cpu]);
		err = queue_run(word0);
	}
	plat_spin_unlock(&its.queue_lock);
	plat_irq_restore(flags);
	return err;
}

static int send_mapd(const struct its_device *device, bool is_valid)
{
	unsigned int bits = GITS_TYPER_ID_bits(its.typer);
	uint64_t size = (bits < MAX_EVENT_BITS ? bits : MAX_EVENT_BITS) - 1;

	return send((uint64_t)device->id << 32 | GITS_CMD_MAPD, size,
		    phys_of(device->itt) | (is_valid ? WEIR_BIT(63) : 0), CPU_NONE);
}

static int send_mapti(const struct its_device *device, uint32_t event, uint32_t intid,
		      unsigned int cpu)
{
	return send((uint64_t)device->id << 32 | GITS_CMD_MAPTI, (uint64_t)intid << 32 | event, cpu,
		    cpu);
}

/* INV or DISCARD. */
static int send_about(unsigned int command, const struct lpi *lpi)
{
	return send((uint64_t)lpi->device_id << 32 | command, lpi->event, 0, lpi->cpu);
}

/* ---- Devices ------------------------------------------------------------------------------ */

static unsigned int nr_events(void)
{
	unsigned int bits = GITS_TYPER_ID_bits(its.typer);

	return bits < MAX_EVENT_BITS ? 1u << bits : MAX_EVENTS;
}

static uint64_t itt_size(void)
{
	uint64_t size = nr_events() * GITS_TYPER_ITT_entry_size(its.typer);

	return size < ITT_ALIGN ? ITT_ALIGN : size;
}

/* The page of level 2 for this device ID, made at its first use; it stays. */
static int level2_make(uint32_t id)
{
	uint64_t *entry;
	void *page;

	if (!its.level1)
		return 0;
	entry = &its.level1[id / its.page_ids];
	if (*entry)
		return 0;
	page = zeroed_alloc((uint64_t)1 << its.page_shift);
	if (!page)
		return -WEIR_ENOMEM;
	__atomic_store_n(entry, phys_of(page) | GITS_BASER_Valid, __ATOMIC_RELAXED);
	publish(entry, sizeof(*entry), its.level1_snooped);
	return 0;
}

static struct its_device **device_find(uint32_t id)
{
	struct its_device **link = &its.devices;

	while (*link && (*link)->id != id)
		link = &(*link)->next;
	return link;
}

static void device_free(struct its_device *device)
{
	zeroed_free(device->itt, itt_size());
	zeroed_free(device, sizeof(*device));
}

static int device_make(uint32_t id, struct its_device **made)
{
	struct its_device *device;
	int err = level2_make(id);

	if (err)
		return err;
	device = zeroed_alloc(sizeof(*device));
	if (!device)
		return -WEIR_ENOMEM;
	device->id = id;
	device->itt = zeroed_alloc(itt_size());
	if (!device->itt) {
		device_free(device);
		return -WEIR_ENOMEM;
	}
	err = send_mapd(device, true);
	if (err)
		return err; /* its ITT may be in use: kept */
	device->next = its.devices;
	its.devices = device;
	*made = device;
	return 0;
}

/* After its last event. */
static void device_put(struct its_device *device)
{
	if (device->nr_used)
		return;
	*device_find(device->id) = device->next;
	if (!send_mapd(device, false))
		device_free(device);
}

static int device_get(uint32_t id, struct its_device **device)
{
	*device = *device_find(id);
	return *device ? 0 : device_make(id, device);
}

/* ---- Messages ----------------------------------------------------------------------------- */

static struct its_device *owner_of(const struct lpi *lpi)
{
	return __atomic_load_n(&lpi->device, __ATOMIC_ACQUIRE);
}

static struct lpi *lpi_of(unsigned int intid)
{
	if (!its.lpis || intid < GIC_LPI_FIRST || intid - GIC_LPI_FIRST >= LPIS)
		return NULL;
	return &its.lpis[intid - GIC_LPI_FIRST];
}

struct virt_irq *virt_its_irq(unsigned int intid)
{
	struct lpi *lpi = lpi_of(intid);

	return lpi ? &lpi->irq : NULL;
}

bool virt_its_is_message(unsigned int intid)
{
	const struct lpi *lpi = lpi_of(intid);

	return lpi && owner_of(lpi);
}

int virt_its_set_enabled(unsigned int intid, bool enabled)
{
	const struct lpi *lpi = lpi_of(intid);
	uint8_t *config;

	if (!lpi || !owner_of(lpi))
		return 0;
	config = &its.config[intid - GIC_LPI_FIRST];
	__atomic_store_n(config, GIC_PRIORITY | GIC_LPI_RES1 | (enabled ? GIC_LPI_ENABLE : 0),
			 __ATOMIC_RELAXED);
	publish(config, 1, __atomic_load_n(&its.config_snooped, __ATOMIC_RELAXED));
	return send_about(GITS_CMD_INV, lpi); /* redistributors may keep a copy of the byte */
}

bool virt_its_is_enabled(unsigned int intid)
{
	return lpi_of(intid) &&
	       __atomic_load_n(&its.config[intid - GIC_LPI_FIRST], __ATOMIC_RELAXED) &
		       GIC_LPI_ENABLE;
}

static struct lpi *lpi_find_free(void)
{
	unsigned int i;

	for (i = 0; i < LPIS; i++)
		if (!its.lpis[i].device)
			return &its.lpis[i];
	return NULL;
}

/* The lowest event that is free, which is the caller's index unless device IDs are shared. */
static bool event_find_free(const struct its_device *device, uint32_t *event)
{
	unsigned int i;

	for (i = 0; i < nr_events(); i++) {
		if (!(device->used[i / 64] >> i % 64 & 1)) {
			*event = i;
			return true;
		}
	}
	return false;
}

static int message_make(struct its_device *device, unsigned int cpu, struct weir_msi *msi)
{
	struct lpi *lpi = lpi_find_free();
	uint32_t event, intid;
	int err;

	if (!lpi || !event_find_free(device, &event))
		return -WEIR_ENOSPC;
	intid = GIC_LPI_FIRST + (uint32_t)(lpi - its.lpis);
	err = send_mapti(device, event, intid, cpu);
	if (err)
		return err;
	device->used[event / 64] |= WEIR_BIT(event % 64);
	device->nr_used++;
	lpi->device_id = device->id;
	lpi->event = event;
	lpi->cpu = cpu;
	/* Release: who finds the LPI owned finds the rest of it (owner_of()). */
	__atomic_store_n(&lpi->device, device, __ATOMIC_RELEASE);
	*msi = (struct weir_msi){ intid, event, its.phys + GITS_TRANSLATER };
	return 0;
}

int plat_msi_alloc(void *plat, uint32_t controller, uint32_t device_id, unsigned int index,
		   unsigned int cpu, struct weir_msi *msi)
{
	struct its_device *device;
	int err;

	(void)index;
	if (!its.regs || (controller && controller != its.phandle))
		return -WEIR_EOPNOTSUPP;
	if (cpu == WEIR_CPU_ANY)
		cpu = 0; /* as in plat_irq_connect() */
	if (cpu >= bare_cpus() || device_id >= its.device_ids)
		return -WEIR_EINVAL;
	if (!__atomic_load_n(&its.can_take[cpu], __ATOMIC_ACQUIRE))
		return -WEIR_EOPNOTSUPP;
	if (__atomic_load_n(&its.is_broken, __ATOMIC_RELAXED))
		return -WEIR_EIO;
	plat_mutex_lock(plat, &its.mutex);
	err = device_get(device_id, &device);
	if (!err) {
		err = message_make(device, cpu, msi);
		device_put(device);
	}
	plat_mutex_unlock(plat, &its.mutex);
	return err;
}

/* DISCARD also forgets a message that is pending: it is not the next owner's. */
void plat_msi_free(void *plat, const struct weir_msi *msi)
{
	struct lpi *lpi = lpi_of(msi->irq);
	struct its_device *device;

	if (!lpi)
		return;
	plat_mutex_lock(plat, &its.mutex);
	device = lpi->device;
	if (device && !send_about(GITS_CMD_DISCARD, lpi)) {
		__atomic_store_n(&lpi->device, NULL, __ATOMIC_RELEASE);
		device->used[lpi->event / 64] &= ~WEIR_BIT(lpi->event % 64);
		device->nr_used--;
		device_put(device);
	}
	plat_mutex_unlock(plat, &its.mutex);
}

/* ---- Bring-up: the ITS's tables ----------------------------------------------------------- */

static unsigned int page_shift_of(uint64_t baser)
{
	unsigned int field = GITS_BASER_Page_Size(baser);

	return field == 0 ? 12 : field == 1 ? 14 : 16;
}

/* The largest pages that the register takes, or the ones that it has. What it then reads. */
static uint64_t baser_choose(size_t baser, uint64_t flags)
{
	unsigned int field = 3;
	uint64_t value;

	do {
		field--;
		plat_mmio_write64(reg(baser), flags | field << GITS_BASER_Page_Size_SHIFT);
		value = plat_mmio_read64(reg(baser));
	} while (field && GITS_BASER_Page_Size(value) != field);
	return value;
}

/*
 * Make a table of `size` bytes and tell the ITS; NULL: no memory. Physical addresses are below 2^48
 * here: the processor's own tables have pages of 4 KiB.
 */
static void *baser_fill(size_t baser, uint64_t chosen, uint64_t size, bool *is_snooped)
{
	unsigned int shift = page_shift_of(chosen);
	uint64_t bytes = WEIR_ALIGN_UP(size, (uint64_t)1 << shift);
	void *table = table_alloc(bytes);

	if (!table)
		return NULL;
	*is_snooped =
		base_write(reg(baser),
			   GITS_BASER_Valid | (chosen & GITS_BASER_Indirect) | phys_of(table) |
				   GITS_BASER_Page_Size(chosen) << GITS_BASER_Page_Size_SHIFT |
				   ((bytes >> shift) - 1),
			   GITS_BASER_InnerCache_SHIFT);
	return table;
}

/* The most that a table with these pages can be: 256 of them, in one allocation. */
static uint64_t baser_limit(uint64_t chosen)
{
	uint64_t limit = (uint64_t)GITS_BASER_MAX_PAGES << page_shift_of(chosen);

	return limit < MAX_TABLE_SIZE ? limit : MAX_TABLE_SIZE;
}

/*
 * Flat if every device ID then fits, else of two levels if the ITS can, else flat and with as many
 * as fit.
 */
static int devices_table(size_t baser)
{
	uint64_t chosen = baser_choose(baser, 0), entry = GITS_BASER_Entry_Size(chosen);
	uint64_t ids = WEIR_BIT(GITS_TYPER_Devbits(its.typer)), units = ids, unit_ids = 1;
	void *table;

	if (ids * entry > baser_limit(chosen))
		chosen = baser_choose(baser, GITS_BASER_Indirect);
	if (chosen & GITS_BASER_Indirect) {
		its.page_shift = page_shift_of(chosen);
		unit_ids = its.page_ids = WEIR_BIT(its.page_shift) / entry;
		entry = sizeof(*its.level1);
		units = (ids + unit_ids - 1) / unit_ids;
	}
	if (units > baser_limit(chosen) / entry)
		units = baser_limit(chosen) / entry;
	its.device_ids = units * unit_ids < ids ? units * unit_ids : ids;
	table = baser_fill(baser, chosen, units * entry, &its.level1_snooped);
	if (chosen & GITS_BASER_Indirect)
		its.level1 = table;
	return table ? 0 : -WEIR_ENOMEM;
}

static int collections_table(size_t baser)
{
	uint64_t chosen = baser_choose(baser, 0);
	bool is_snooped; /* no processor writes to it after this */

	return baser_fill(baser, chosen, virt.nr_cpus * GITS_BASER_Entry_Size(chosen),
			  &is_snooped) ?
		       0 :
		       -WEIR_ENOMEM;
}

static int basers_fill(void)
{
	unsigned int n;
	int err = 0;

	for (n = 0; n < GITS_BASERS && !err; n++) {
		switch (GITS_BASER_Type(plat_mmio_read64(reg(GITS_BASER(n))))) {
		case GITS_BASER_Type_DEVICES:
			err = devices_table(GITS_BASER(n));
			break;
		case GITS_BASER_Type_COLLECTIONS:
			err = collections_table(GITS_BASER(n));
			break;
		}
	}
	return err;
}

static int queue_make(void)
{
	its.queue = table_alloc(QUEUE_SIZE);
	if (!its.queue)
		return -WEIR_ENOMEM;
	its.queue_snooped = base_write(reg(GITS_CBASER),
				       GITS_BASER_Valid | phys_of(its.queue) |
					       (QUEUE_SIZE / WEIR_PAGE_SIZE - 1),
				       GITS_BASER_InnerCache_SHIFT);
	plat_mmio_write64(reg(GITS_CWRITER), 0);
	return 0;
}

/* What redistributors read, and what says whose an LPI is. */
static int lpis_make(void)
{
	unsigned int cpu;

	its.config_snooped = true;
	its.config = table_alloc(LPIS);
	its.lpis = table_alloc(LPIS * sizeof(*its.lpis));
	if (!its.config || !its.lpis)
		return -WEIR_ENOMEM;
	for (cpu = 0; cpu < virt.nr_cpus; cpu++) {
		its.pending[cpu] = table_alloc(PENDING_SIZE);
		if (!its.pending[cpu])
			return -WEIR_ENOMEM;
	}
	return 0;
}

/* ---- Bring-up ----------------------------------------------------------------------------- */

/* No messages, and why not. */
static void give_up(const char *why)
{
	virt_log(WEIR_LOG_WARN, "no message-signalled interrupts: %s", why);
	if (its.regs)
		plat_mmio_unmap(bare_plat(), its.regs, GITS_SIZE);
	its.regs = NULL;
}

/* The ITS is off; it forgets its tables, and they are given back. */
static void tables_drop(void)
{
	unsigned int n;

	for (n = 0; n < GITS_BASERS; n++)
		plat_mmio_write64(reg(GITS_BASER(n)), 0);
	plat_mmio_write64(reg(GITS_CBASER), 0);
	its.lpis = NULL;
	tables_free();
}

static const char *tables_make(void)
{
	if (basers_fill() || queue_make() || lpis_make())
		return "no memory for the ITS's tables";
	if (!its.device_ids)
		return "the ITS has no device table (GITS_BASER)";
	return NULL;
}

/* The first one that is enabled. */
static bool node_find(struct weir_fdt_node *found)
{
	struct weir_fdt_node node;
	unsigned int count = 0;

	weir_fdt_root(&virt.fdt, &node);
	while (weir_fdt_next_compatible(&virt.fdt, &node, "arm,gic-v3-its"))
		if (weir_fdt_is_enabled(&virt.fdt, &node) && !count++)
			*found = node;
	if (count > 1)
		virt_log(WEIR_LOG_INFO, "%u ITSs: only the first one, %s, is used", count,
			 weir_fdt_name(&virt.fdt, found));
	return count;
}

static bool map_its(const struct weir_fdt_node *node)
{
	uint64_t size, phys;

	if (weir_fdt_reg(&virt.fdt, node, 0, &phys, &size))
		virt_bad_tree(NULL);
	if (size < GITS_SIZE || !WEIR_IS_ALIGNED(phys, GIC_FRAME_SIZE))
		virt_bad_tree("an ITS's reg is not 128 KiB at a multiple of 64 KiB");
	its.phys = phys;
	its.phandle = weir_fdt_phandle(&virt.fdt, node);
	its.regs = plat_mmio_map(bare_plat(), phys, GITS_SIZE);
	return its.regs;
}

/* What cannot be used, in words; NULL: all can. */
static const char *find_fault(void)
{
	unsigned int cpu, bits = GITS_TYPER_CIL & its.typer ? GITS_TYPER_CIDbits(its.typer) : 16;
	unsigned int few = GICD_TYPER_num_LPIs(virt_gic.typer);

	if (!(its.typer & GITS_TYPER_Physical))
		return "the ITS has none but virtual ones";
	if (virt.nr_cpus > 1u << bits)
		return "the ITS has fewer collections than there are CPUs";
	if (!(virt_gic.typer & GICD_TYPER_LPIS) ||
	    GICD_TYPER_IDbits(virt_gic.typer) + 1 < LPI_ID_BITS)
		return "the distributor has no LPIs (GICD_TYPER)";
	if (few && WEIR_BIT(few + 1) < LPIS)
		return "the distributor has fewer than 8192 LPIs (GICD_TYPER.num_LPIs)";
	for (cpu = 0; cpu < virt.nr_cpus; cpu++)
		if (!(plat_mmio_read64(virt_gic_at(virt.cpus[cpu].rdist, GICR_TYPER)) &
		      GICR_TYPER_PLPIS))
			return "a redistributor has no LPIs (GICR_TYPER)";
	return NULL;
}

/* GITS_TYPER.PTA: by the address of its registers, or by its number. */
static uint64_t target_of(unsigned int cpu)
{
	if (its.typer & GITS_TYPER_PTA)
		return virt_gic.rdist_phys[cpu];
	return GICR_TYPER_Processor_Number(
		       plat_mmio_read64(virt_gic_at(virt.cpus[cpu].rdist, GICR_TYPER)))
	       << 16;
}

static bool turn_off(void)
{
	uint32_t ctlr = plat_mmio_read32(reg(GITS_CTLR));

	plat_mmio_write32(reg(GITS_CTLR), ctlr & ~GITS_CTLR_Enabled);
	return virt_gic_wait(reg(GITS_CTLR), GITS_CTLR_Quiescent, GITS_CTLR_Quiescent);
}

static void turn_on(void)
{
	plat_dma_wmb(); /* the tables' zeroes before the one who reads them */
	plat_mmio_write32(reg(GITS_CTLR), plat_mmio_read32(reg(GITS_CTLR)) | GITS_CTLR_Enabled);
}

void virt_its_init(void)
{
	struct weir_fdt_node node;
	const char *fault;
	unsigned int cpu;

	if (!node_find(&node))
		return give_up("the machine has no ITS");
	if (!map_its(&node))
		return give_up("the ITS's registers cannot be mapped");
	its.typer = plat_mmio_read64(reg(GITS_TYPER));
	fault = find_fault();
	if (fault)
		return give_up(fault);
	if (!turn_off())
		return give_up("the ITS that firmware used does not stop (GITS_CTLR.Quiescent)");
	fault = tables_make();
	if (fault) {
		tables_drop();
		return give_up(fault);
	}
	for (cpu = 0; cpu < virt.nr_cpus; cpu++)
		its.target[cpu] = target_of(cpu);
	turn_on();
}

/* LPIs that somebody left on may not go off again (IHI 0069, GICR_CTLR.EnableLPIs). */
static bool lpis_are_off(volatile void WEIR_IOMEM *ctlr)
{
	plat_mmio_write32(ctlr, plat_mmio_read32(ctlr) & ~GICR_CTLR_EnableLPIs);
	return virt_gic_wait(ctlr, GICR_CTLR_EnableLPIs | GICR_CTLR_RWP, 0);
}

/* false: they do not go on. */
static bool lpis_on(unsigned int cpu, volatile void WEIR_IOMEM *rdist)
{
	volatile void WEIR_IOMEM *ctlr = virt_gic_at(rdist, GICR_CTLR);

	if (!base_write(virt_gic_at(rdist, GICR_PROPBASER), phys_of(its.config) | (LPI_ID_BITS - 1),
			GICR_BASER_InnerCache_SHIFT))
		__atomic_store_n(&its.config_snooped, false, __ATOMIC_RELAXED);
	/* No processor looks into it again, so whether it is snooped does not matter. */
	(void)base_write(virt_gic_at(rdist, GICR_PENDBASER),
			 phys_of(its.pending[cpu]) | GICR_PENDBASER_PTZ,
			 GICR_BASER_InnerCache_SHIFT);
	plat_dma_wmb(); /* the tables' contents before the one who reads them */
	plat_mmio_write32(ctlr, plat_mmio_read32(ctlr) | GICR_CTLR_EnableLPIs);
	/* Read back: it has arrived there before the ITS, another device, is told of the CPU. */
	return virt_gic_wait(ctlr, GICR_CTLR_EnableLPIs, GICR_CTLR_EnableLPIs);
}

void virt_its_cpu_init(void)
{
	volatile void WEIR_IOMEM *rdist = virt_cpu()->rdist;
	unsigned int cpu = virt_cpu()->index;

	if (!its.regs)
		return;
	if (!lpis_are_off(virt_gic_at(rdist, GICR_CTLR))) {
		virt_log(WEIR_LOG_WARN, "CPU %u takes no messages: firmware left its LPIs on", cpu);
		return;
	}
	if (!lpis_on(cpu, rdist)) {
		virt_log(WEIR_LOG_WARN, "CPU %u takes no messages: its LPIs do not go on", cpu);
		return;
	}
	if (send(GITS_CMD_MAPC, 0, GITS_BASER_Valid | its.target[cpu] | cpu, cpu) ||
	    send(GITS_CMD_INVALL, 0, cpu, cpu))
		return;
	/* Release: who sees it finds the collection mapped. */
	__atomic_store_n(&its.can_take[cpu], true, __ATOMIC_RELEASE);
}
