/* SPDX-License-Identifier: MIT */
/*
 * The PCI Express model under any program of configuration accesses, accesses to BARs, DMA, MSI-X
 * messages and resets, in a tree of ports, a switch, a bridge to PCI and functions of all kinds.
 *
 * - A configuration request reaches the function that the bus numbers in the bridges say, and that
 *   alone; where there is none it reads as all ones. Only CPUs reach configuration space.
 * - A write changes bits that it covers and no others, to what was written; what PCI says is
 *   read-only stays. A function level reset restores the rest, once.
 * - A CPU's access reaches the one BAR that decodes it, at its offset, or nothing.
 * - A function masters exactly while it and every bridge above it may (source validation aside), as
 *   the requester that it is; no message leaves while MSI-X is off or masked.
 */

#include <weir/hw/pci.h>
#include <weir/model/pcie.h>

#include "input.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);

#define RAM_BASE 0x40000000ull
#define RAM_SIZE 0x1000u
#define ECAM 0x4010000000ull
#define BUSES 8u
#define WIN32 0x10000000ull
#define WIN32_SIZE 0x1000000u
#define WIN64 0x8000000000ull
#define WIN64_SIZE 0x2000000u
#define SHADOWED 0x140u /* bytes of configuration space that have something in them */
#define NODES 11u
#define ROOT (-1)
#define EXP 0x40u
#define MSIX 0x80u
#define ACS_CTRL 0x106u
#define VECTORS 5u
#define TABLE 0x1000u /* of MSI-X, in BAR 0 */

enum kind { PORT, UPSTREAM, DOWNSTREAM, TO_PCI, FUNCTION };

struct place {
	enum kind kind;
	int parent;
	uint8_t devfn;
	bool express, acs;
};

static const struct place places[NODES] = {
	{ PORT, ROOT, 0x08, true, false },     { FUNCTION, 0, 0x00, true, false },
	{ PORT, ROOT, 0x10, true, true },      { UPSTREAM, 2, 0x00, true, false },
	{ DOWNSTREAM, 3, 0x00, true, true },   { DOWNSTREAM, 3, 0x08, true, false },
	{ FUNCTION, 4, 0x00, true, true },     { TO_PCI, ROOT, 0x18, true, false },
	{ FUNCTION, 7, 0x10, false, false },   { FUNCTION, ROOT, 0x28, true, true },
	{ FUNCTION, ROOT, 0x29, true, false },
};

struct machine;

struct node {
	struct weir_model_pci_function fn; /* first: reset() finds the node */
	struct machine *m;
	struct weir_model_pci_bridge *bridge;
	uint8_t bus; /* of the last write to it */
	unsigned int resets;
	uint8_t config[SHADOWED], initial[SHADOWED];
};

struct machine {
	struct input in;
	struct weir_model_bus *bus;
	struct weir_model_pcie *rc;
	struct node nodes[NODES];
	/* What the access under way did. */
	const struct node *hit;
	uint64_t hit_offset;
	unsigned int masters;
	uint32_t stream;
};

static uint32_t shadow(const struct node *node, unsigned int reg, unsigned int size)
{
	uint32_t value = 0;

	memcpy(&value, node->config + reg, size);
	return value;
}

static const struct place *place_of(const struct node *node)
{
	return &places[node - node->m->nodes];
}

static const struct node *parent_of(const struct node *node)
{
	int parent = place_of(node)->parent;

	return parent == ROOT ? NULL : &node->m->nodes[parent];
}

static bool is_bridge(const struct node *node)
{
	return place_of(node)->kind != FUNCTION;
}

/* ---- The functions ------------------------------------------------------------------------ */

static enum weir_model_result bar_read(void *opaque, uint64_t offset, unsigned int size,
				       uint32_t requester, uint64_t *value)
{
	struct node *node = opaque;

	(void)requester;
	REQUIRE(!(offset & (size - 1)));
	node->m->hit = node;
	node->m->hit_offset = offset;
	*value = offset;
	return WEIR_MODEL_OK;
}

static enum weir_model_result bar_write(void *opaque, uint64_t offset, unsigned int size,
					uint32_t requester, uint64_t value)
{
	return bar_read(opaque, offset, size, requester, &value);
}

static const struct weir_model_mmio_ops bar_ops = { bar_read, bar_write };

static void reset(struct weir_model_pci_function *fn)
{
	((struct node *)fn)->resets++;
}

static enum weir_model_result translate(void *iommu, const struct weir_model_txn *txn,
					struct weir_model_translation *out)
{
	struct machine *m = iommu;

	m->masters++;
	if (m->masters == 1)
		m->stream = txn->stream;
	*out = (struct weir_model_translation){ .addr = txn->addr };
	return WEIR_MODEL_OK;
}

static void complete(void *iommu, const struct weir_model_translation *translation)
{
	(void)iommu;
	(void)translation;
}

static const struct weir_model_iommu_ops iommu_ops = { translate, complete };

/* ---- Who answers to which bus, by the numbers that were written --------------------------- */

static const struct node *bridge_towards(const struct machine *m, int parent, unsigned int bus)
{
	for (unsigned int i = 0; i < NODES; i++) {
		const struct node *node = &m->nodes[i];

		if (is_bridge(node) && places[i].parent == parent &&
		    bus >= shadow(node, WEIR_PCI_SECONDARY_BUS, 1) &&
		    bus <= shadow(node, WEIR_PCI_SUBORDINATE_BUS, 1))
			return node;
	}
	return NULL;
}

static struct node *locate(struct machine *m, unsigned int bus, uint8_t devfn)
{
	const struct node *bridge;
	int parent = ROOT;

	while (bus &&
	       (parent == ROOT || shadow(&m->nodes[parent], WEIR_PCI_SECONDARY_BUS, 1) != bus)) {
		bridge = bridge_towards(m, parent, bus);
		if (!bridge)
			return NULL;
		parent = (int)(bridge - m->nodes);
	}
	for (unsigned int i = 0; i < NODES; i++)
		if (places[i].parent == parent && places[i].devfn == devfn)
			return &m->nodes[i];
	return NULL;
}

/* The bus by which it can be reached now; false: none. */
static bool reach(struct machine *m, const struct node *node, unsigned int *bus)
{
	const struct node *parent = parent_of(node);

	*bus = parent ? shadow(parent, WEIR_PCI_SECONDARY_BUS, 1) : 0;
	return *bus < BUSES && locate(m, *bus, place_of(node)->devfn) == node;
}

/* ---- Configuration space ------------------------------------------------------------------ */

static uint64_t ecam(unsigned int bus, uint8_t devfn, unsigned int reg)
{
	return ECAM + ((uint64_t)bus << WEIR_PCI_ECAM_BUS_SHIFT) +
	       ((uint64_t)devfn << WEIR_PCI_ECAM_DEVFN_SHIFT) + reg;
}

static uint32_t cpu_config(struct machine *m, unsigned int bus, uint8_t devfn, unsigned int reg,
			   unsigned int size)
{
	uint32_t value = 0;

	REQUIRE(weir_model_bus_read(m->bus, ecam(bus, devfn, reg), &value, size, WEIR_MODEL_CPU) ==
		WEIR_MODEL_OK);
	return value;
}

static void config_read(struct machine *m, unsigned int bus, uint8_t devfn, unsigned int reg,
			unsigned int size)
{
	const struct node *node = locate(m, bus, devfn);
	uint32_t ones = (uint32_t)(WEIR_BIT(8 * size) - 1),
		 got = cpu_config(m, bus, devfn, reg, size);

	if (!node || (!place_of(node)->express && reg >= WEIR_PCI_CFG_SPACE_SIZE))
		REQUIRE(got == ones);
	else if (reg < SHADOWED)
		REQUIRE(got == shadow(node, reg, size));
}

/* What PCI says is read-only in both types of header and in the capabilities. */
static uint8_t fixed_bits(const struct node *node, unsigned int reg)
{
	switch (reg) {
	case WEIR_PCI_COMMAND:
		return 0x20 | 0x10 | 0x08 | 0x80;
	case WEIR_PCI_COMMAND + 1:
		return 0xf8;
	case WEIR_PCI_BASE_ADDRESS_0:
		return is_bridge(node) ? 0 : 0xff;
	case MSIX + WEIR_PCI_MSIX_FLAGS + 1:
		return 0x07;
	default:
		break;
	}
	if (reg < WEIR_PCI_CACHE_LINE_SIZE || reg == WEIR_PCI_HEADER_TYPE ||
	    reg == WEIR_PCI_CAPABILITY_LIST)
		return 0xff;
	if (reg >= WEIR_PCI_SUBSYSTEM_VENDOR_ID && reg < WEIR_PCI_SUBSYSTEM_VENDOR_ID + 4u)
		return is_bridge(node) ? 0 : 0xff;
	if ((reg >= EXP && reg < EXP + WEIR_PCI_EXP_DEVCTL) || (reg >= MSIX && reg < MSIX + 12) ||
	    (reg >= 0x100 && reg < ACS_CTRL))
		return 0xff;
	return 0;
}

/* The word that was written: bytes take bits of `value`, and others stay. */
static void check_write(struct machine *m, struct node *node, unsigned int bus, unsigned int at,
			unsigned int size, uint32_t value)
{
	unsigned int reg = at & ~3u;
	uint32_t word;

	if (reg >= (place_of(node)->express ? SHADOWED : WEIR_PCI_CFG_SPACE_SIZE))
		return;
	word = cpu_config(m, bus, place_of(node)->devfn, reg, 4);
	for (unsigned int i = reg; i < reg + 4; i++, word >>= 8) {
		bool covered = i - at < size;
		uint8_t new = covered ? (uint8_t)(value >> 8 * (i - at)) : node->config[i];
		uint8_t changed = (uint8_t)word ^ node->config[i];

		REQUIRE(!(changed & ((uint8_t)word ^ new)));
		REQUIRE(!(changed & fixed_bits(node, i)));
		node->config[i] = (uint8_t)word;
	}
}

/* All that can be reached is as the writes left it. */
static void check_all(struct machine *m)
{
	for (unsigned int i = 0; i < NODES; i++) {
		unsigned int bus;

		if (!reach(m, &m->nodes[i], &bus))
			continue;
		for (unsigned int reg = 0; reg < SHADOWED; reg += 4)
			config_read(m, bus, places[i].devfn, reg, 4);
	}
}

static bool survives_reset(unsigned int reg)
{
	return reg == EXP + WEIR_PCI_EXP_DEVCTL || reg == EXP + WEIR_PCI_EXP_LNKCTL ||
	       reg == EXP + WEIR_PCI_EXP_LNKCTL + 1;
}

static void check_reset(struct machine *m, struct node *node, unsigned int bus)
{
	for (unsigned int reg = 0; reg < SHADOWED; reg++) {
		uint8_t byte = (uint8_t)cpu_config(m, bus, place_of(node)->devfn, reg, 1);

		REQUIRE(byte == node->initial[reg] || survives_reset(reg));
		node->config[reg] = byte;
	}
}

static void config_write(struct machine *m, unsigned int bus, uint8_t devfn, unsigned int reg,
			 unsigned int size, uint32_t value)
{
	struct node *node = locate(m, bus, devfn);
	unsigned int flr = EXP + WEIR_PCI_EXP_DEVCTL + 1, resets = node ? node->resets : 0;
	bool resets_it;

	REQUIRE(weir_model_bus_write(m->bus, ecam(bus, devfn, reg), &value, size, WEIR_MODEL_CPU) ==
		WEIR_MODEL_OK);
	if (!node)
		return;
	node->bus = (uint8_t)bus;
	resets_it = !is_bridge(node) && place_of(node)->express && flr - reg < size &&
		    (value >> 8 * (flr - reg) & 0x80);
	REQUIRE(node->resets == resets + resets_it);
	if (resets_it)
		check_reset(m, node, bus);
	else
		check_write(m, node, bus, reg, size, value);
}

static void access_config(struct machine *m)
{
	unsigned int choice = (unsigned int)take(&m->in, 1), size = 1u << (choice & 3) % 3;
	unsigned int bus = choice >> 2 & (BUSES - 1);
	uint8_t devfn =
		choice & 0x20 ? places[take_below(&m->in, NODES)].devfn : (uint8_t)take(&m->in, 1);
	unsigned int reg =
		(unsigned int)take(&m->in, 2) & (choice & 0x40 ? 0xfff : 0xff) & ~(size - 1);

	if (choice & 0x80)
		config_write(m, bus, devfn, reg, size, (uint32_t)take(&m->in, size));
	else
		config_read(m, bus, devfn, reg, size);
}

/* A register that does something, of a function that can be reached. */
static void write_known(struct machine *m)
{
	static const struct {
		uint16_t reg, size;
	} known[] = {
		{ WEIR_PCI_COMMAND, 2 },
		{ WEIR_PCI_BASE_ADDRESS_0, 4 },
		{ WEIR_PCI_BASE_ADDRESS_0 + 4, 4 },
		{ WEIR_PCI_BASE_ADDRESS_0 + 8, 4 },
		{ WEIR_PCI_PRIMARY_BUS, 4 },
		{ WEIR_PCI_MEMORY_BASE, 4 },
		{ WEIR_PCI_PREF_MEMORY_BASE, 4 },
		{ MSIX + WEIR_PCI_MSIX_FLAGS, 2 },
		{ EXP + WEIR_PCI_EXP_DEVCTL, 2 },
		{ ACS_CTRL, 2 },
	};
	const struct node *node = &m->nodes[take_below(&m->in, NODES)];
	unsigned int which = take_below(&m->in, WEIR_ARRAY_SIZE(known)), bus;
	uint32_t value = (uint32_t)take(&m->in, known[which].size);

	if (reach(m, node, &bus))
		config_write(m, bus, place_of(node)->devfn, known[which].reg, known[which].size,
			     value);
}

/* ---- Set-up as firmware would do it ------------------------------------------------------- */

static void set(struct machine *m, unsigned int i, unsigned int reg, unsigned int size,
		uint32_t value)
{
	unsigned int bus;

	if (reach(m, &m->nodes[i], &bus))
		config_write(m, bus, places[i].devfn, reg, size, value);
}

/* Bus numbers in the order of the tree. */
static void number(struct machine *m, unsigned int i)
{
	static const uint32_t numbers[NODES] = { [0] = 0x010100, [2] = 0x050200, [3] = 0x050302,
						 [4] = 0x040403, [5] = 0x050503, [7] = 0x060600 };

	if (numbers[i])
		set(m, i, WEIR_PCI_PRIMARY_BUS, 4, numbers[i]);
}

/* Every BAR in a MiB of its own, and all windows open wide. */
static void open_up(struct machine *m)
{
	for (unsigned int i = 0; i < NODES; i++) {
		number(m, i);
		if (places[i].kind == FUNCTION) {
			set(m, i, WEIR_PCI_BASE_ADDRESS_0, 4, (uint32_t)(WIN64 + (i << 20)));
			set(m, i, WEIR_PCI_BASE_ADDRESS_0 + 4, 4, (uint32_t)(WIN64 >> 32));
			set(m, i, WEIR_PCI_BASE_ADDRESS_0 + 8, 4, (uint32_t)(WIN32 + (i << 20)));
			set(m, i, MSIX + WEIR_PCI_MSIX_FLAGS, 2, WEIR_PCI_MSIX_FLAGS_ENABLE);
		} else {
			set(m, i, WEIR_PCI_MEMORY_BASE, 4, 0x10f01000);
			set(m, i, WEIR_PCI_PREF_MEMORY_BASE, 4, 0x01f00000);
			set(m, i, WEIR_PCI_PREF_BASE_UPPER32, 4, (uint32_t)(WIN64 >> 32));
			set(m, i, WEIR_PCI_PREF_LIMIT_UPPER32, 4, (uint32_t)(WIN64 >> 32));
		}
		set(m, i, WEIR_PCI_COMMAND, 2, WEIR_PCI_COMMAND_MEMORY | WEIR_PCI_COMMAND_MASTER);
	}
}

/* ---- BARs --------------------------------------------------------------------------------- */

static const uint64_t bar_sizes[3] = { 0x10000, 0, 0x1000 }; /* the first one is of 64 bits */

static uint64_t bar_base(const struct node *node, unsigned int bar)
{
	uint64_t base = shadow(node, WEIR_PCI_BASE_ADDRESS_0 + 4 * bar, 4) & ~0xfu;

	return bar ? base : base | (uint64_t)shadow(node, WEIR_PCI_BASE_ADDRESS_0 + 4, 4) << 32;
}

static bool covers(uint64_t base, uint64_t last, uint64_t first, uint64_t size)
{
	return first >= base && first + (size - 1) <= last;
}

/* PCI-to-PCI Bridge 1.2, 3.2.5.8, 3.2.5.9. */
static bool forwards(const struct node *bridge, uint64_t first, uint64_t size)
{
	uint64_t base = (uint64_t)(shadow(bridge, WEIR_PCI_MEMORY_BASE, 2) & ~0xfu) << 16;
	uint64_t last = (uint64_t)(shadow(bridge, WEIR_PCI_MEMORY_LIMIT, 2) & ~0xfu) << 16;

	if (!(shadow(bridge, WEIR_PCI_COMMAND, 2) & WEIR_PCI_COMMAND_MEMORY))
		return false;
	if (covers(base, last | 0xfffff, first, size))
		return true;
	base = (uint64_t)(shadow(bridge, WEIR_PCI_PREF_MEMORY_BASE, 2) & ~0xfu) << 16 |
	       (uint64_t)shadow(bridge, WEIR_PCI_PREF_BASE_UPPER32, 4) << 32;
	last = (uint64_t)(shadow(bridge, WEIR_PCI_PREF_MEMORY_LIMIT, 2) & ~0xfu) << 16 |
	       (uint64_t)shadow(bridge, WEIR_PCI_PREF_LIMIT_UPPER32, 4) << 32;
	return covers(base, last | 0xfffff, first, size);
}

static bool decodes(const struct node *node, unsigned int bar)
{
	uint64_t base = bar_base(node, bar), size = bar_sizes[bar];

	if (!size || is_bridge(node) ||
	    !(shadow(node, WEIR_PCI_COMMAND, 2) & WEIR_PCI_COMMAND_MEMORY))
		return false;
	if (!covers(WIN32, WIN32 + WIN32_SIZE - 1, base, size) &&
	    !covers(WIN64, WIN64 + WIN64_SIZE - 1, base, size))
		return false;
	for (const struct node *b = parent_of(node); b; b = parent_of(b))
		if (!forwards(b, base, size))
			return false;
	return true;
}

/* How many BARs decode the address; one of them. */
static unsigned int claimants(struct machine *m, uint64_t addr, const struct node **node,
			      unsigned int *bar)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < NODES; i++) {
		for (unsigned int b = 0; b < WEIR_ARRAY_SIZE(bar_sizes); b++) {
			if (!decodes(&m->nodes[i], b) ||
			    addr - bar_base(&m->nodes[i], b) >= bar_sizes[b])
				continue;
			*node = &m->nodes[i];
			*bar = b;
			count++;
		}
	}
	return count;
}

static bool in_msix(unsigned int bar, uint64_t offset)
{
	return !bar &&
	       (offset - TABLE < VECTORS * WEIR_PCI_MSIX_ENTRY_SIZE || offset - TABLE - 0x1000 < 8);
}

static void access_bar(struct machine *m)
{
	const struct node *near = &m->nodes[take_below(&m->in, NODES)], *owner = NULL;
	unsigned int choice = (unsigned int)take(&m->in, 1), size = 1u << (choice & 3), bar = 0;
	uint64_t addr = bar_base(near, choice & 4 ? 2 : 0) +
			(uint64_t)(int64_t)(int16_t)take(&m->in, 2),
		 value = 0, offset;
	unsigned int owners;
	bool ok;

	addr &= ~(uint64_t)(size - 1);
	if (addr < WIN32 || (addr >= WIN32 + WIN32_SIZE && addr < WIN64))
		return;
	owners = claimants(m, addr, &owner, &bar);
	m->hit = NULL;
	value = choice & 0x10 ? RAM_BASE : take(&m->in, size);
	if (choice & 8)
		ok = weir_model_bus_write(m->bus, addr, &value, size, WEIR_MODEL_CPU) ==
		     WEIR_MODEL_OK;
	else
		ok = weir_model_bus_read(m->bus, addr, &value, size, WEIR_MODEL_CPU) ==
		     WEIR_MODEL_OK;
	if (!owners)
		REQUIRE(!ok && !m->hit);
	if (owners != 1)
		return;
	offset = addr - bar_base(owner, bar);
	if (in_msix(bar, offset))
		REQUIRE(ok == (size >= 4 || !(choice & 8) || offset >= TABLE + 0x1000));
	else
		REQUIRE(ok && m->hit == owner && m->hit_offset == offset);
}

/* ---- Masters ------------------------------------------------------------------------------ */

/* 0: may not; 1: may; 2: a port validates sources. */
static unsigned int may_master(const struct node *node, uint32_t *requester)
{
	unsigned int may = 1;

	*requester = (uint32_t)node->bus << 8 | place_of(node)->devfn;
	for (const struct node *n = node; n; n = parent_of(n)) {
		if (place_of(n)->kind == TO_PCI)
			*requester = shadow(n, WEIR_PCI_SECONDARY_BUS, 1) << 8;
		if (!(shadow(n, WEIR_PCI_COMMAND, 2) & WEIR_PCI_COMMAND_MASTER))
			may = 0;
		else if (may && is_bridge(n) && place_of(n)->acs &&
			 (shadow(n, ACS_CTRL, 2) & WEIR_PCI_ACS_SV))
			may = 2;
	}
	return may;
}

static struct node *some_function(struct machine *m)
{
	static const uint8_t functions[] = { 1, 6, 8, 9, 10 };

	return &m->nodes[functions[take_below(&m->in, sizeof(functions))]];
}

static void master(struct machine *m)
{
	static const uint64_t targets[] = { RAM_BASE, ECAM, WIN32, WIN64, RAM_BASE + RAM_SIZE };
	struct node *node = some_function(m);
	unsigned int choice = (unsigned int)take(&m->in, 1), may;
	uint64_t addr = targets[choice % WEIR_ARRAY_SIZE(targets)] + take(&m->in, 3), value = 0;
	enum weir_model_result result;
	uint32_t requester;

	may = may_master(node, &requester);
	m->masters = 0;
	if (choice & 0x80)
		result = weir_model_pci_write(&node->fn, addr, &value, 1 + (choice & 7));
	else
		result = weir_model_pci_read(&node->fn, addr, &value, 1 + (choice & 7));
	REQUIRE(may != 0 || (!m->masters && result == WEIR_MODEL_ABORT));
	REQUIRE(may != 1 || m->masters);
	REQUIRE(!m->masters || m->stream == requester);
	REQUIRE(weir_model_pci_requester(&node->fn) == requester);
	if (addr >= ECAM && addr < ECAM + ((uint64_t)BUSES << WEIR_PCI_ECAM_BUS_SHIFT))
		REQUIRE(result == WEIR_MODEL_ABORT);
}

static void message(struct machine *m)
{
	struct node *node = some_function(m);
	uint32_t requester, flags = shadow(node, MSIX + WEIR_PCI_MSIX_FLAGS, 2);

	m->masters = 0;
	weir_model_pci_msix(&node->fn, take_below(&m->in, VECTORS + 2));
	if (!may_master(node, &requester) || !(flags & WEIR_PCI_MSIX_FLAGS_ENABLE) ||
	    (flags & WEIR_PCI_MSIX_FLAGS_MASKALL))
		REQUIRE(!m->masters);
}

/* ---- The run ------------------------------------------------------------------------------ */

static void operate(struct machine *m)
{
	switch (take_below(&m->in, 12)) {
	case 0:
	case 1:
	case 2:
		access_config(m);
		break;
	case 3:
	case 4:
		write_known(m);
		break;
	case 5:
		open_up(m);
		break;
	case 6:
		master(m);
		break;
	case 7:
		message(m);
		break;
	default:
		access_bar(m);
	}
}

static void add_bridge(struct machine *m, unsigned int i)
{
	struct weir_model_pci_bridge_desc desc = {
		.name = "bridge",
		.kind = places[i].kind == PORT	     ? WEIR_MODEL_ROOT_PORT :
			places[i].kind == UPSTREAM   ? WEIR_MODEL_SWITCH_UP :
			places[i].kind == DOWNSTREAM ? WEIR_MODEL_SWITCH_DOWN :
						       WEIR_MODEL_PCIE_TO_PCI,
		.acs_capabilities = places[i].acs ? 0x7f : 0,
	};
	int parent = places[i].parent;

	REQUIRE(!weir_model_pci_add_bridge(m->rc, parent == ROOT ? NULL : m->nodes[parent].bridge,
					   places[i].devfn, &desc, &m->nodes[i].bridge));
}

static void add_function(struct machine *m, unsigned int i)
{
	struct node *node = &m->nodes[i];
	struct weir_model_pci_desc desc = {
		.name = "function",
		.vendor = 0x1234,
		.device = (uint16_t)i,
		.class_code = 0xff0000,
		.bars = { [0] = { bar_sizes[0], true, true, &bar_ops, node },
			  [2] = { bar_sizes[2], false, false, &bar_ops, node } },
		.msix_vectors = VECTORS,
		.msix_offset = TABLE,
		.express = places[i].express,
		.acs = places[i].kind == FUNCTION && places[i].express && places[i].acs,
		.reset = reset,
	};
	int parent = places[i].parent;

	REQUIRE(!weir_model_pci_add(m->rc, parent == ROOT ? NULL : m->nodes[parent].bridge,
				    places[i].devfn, &desc, &node->fn));
}

static void make(struct machine *m)
{
	static uint8_t ram[RAM_SIZE] __attribute__((aligned(4096)));
	struct weir_model_pcie_config config = {
		.ecam_base = ECAM,
		.bus_count = BUSES,
		.mmio32_base = WIN32,
		.mmio32_size = WIN32_SIZE,
		.mmio64_base = WIN64,
		.mmio64_size = WIN64_SIZE,
		.iommu_ops = &iommu_ops,
		.iommu = m,
	};

	REQUIRE(!weir_model_bus_create(&m->bus));
	REQUIRE(!weir_model_bus_add_ram(m->bus, RAM_BASE, RAM_SIZE, ram));
	REQUIRE(!weir_model_pcie_create(m->bus, &config, &m->rc));
	for (unsigned int i = 0; i < NODES; i++) {
		m->nodes[i].m = m;
		if (places[i].kind == FUNCTION)
			add_function(m, i);
		else
			add_bridge(m, i);
	}
}

/* Parents stand before their children, so that each is reached when its turn comes. */
static void learn(struct machine *m)
{
	for (unsigned int i = 0; i < NODES; i++) {
		struct node *node = &m->nodes[i];
		unsigned int bus;

		REQUIRE(reach(m, node, &bus));
		for (unsigned int reg = 0; reg < SHADOWED; reg++)
			if (places[i].express || reg < WEIR_PCI_CFG_SPACE_SIZE)
				node->config[reg] =
					(uint8_t)cpu_config(m, bus, places[i].devfn, reg, 1);
		memcpy(node->initial, node->config, SHADOWED);
		number(m, i);
	}
}

static void unmake(struct machine *m)
{
	for (unsigned int i = 0; i < NODES; i++)
		if (places[i].kind == FUNCTION)
			weir_model_pci_remove(&m->nodes[i].fn);
	weir_model_pcie_destroy(m->rc);
	weir_model_bus_destroy(m->bus);
}

static uint8_t fresh[NODES][SHADOWED]; /* configuration space after a reset of the machine */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static struct machine m;

	(void)argc;
	(void)argv;
	make(&m);
	learn(&m);
	for (unsigned int i = 0; i < NODES; i++)
		memcpy(fresh[i], m.nodes[i].initial, SHADOWED);
	unmake(&m);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct machine m;

	memset(&m, 0, sizeof(m));
	m.in = (struct input){ data, size < 400 ? size : 400 };
	make(&m);
	for (unsigned int i = 0; i < NODES; i++) {
		memcpy(m.nodes[i].config, fresh[i], SHADOWED);
		memcpy(m.nodes[i].initial, fresh[i], SHADOWED);
	}
	if (take(&m.in, 1) & 1)
		open_up(&m);
	while (m.in.left)
		operate(&m);
	check_all(&m);
	unmake(&m);
	return 0;
}
