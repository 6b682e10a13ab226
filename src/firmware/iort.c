/* SPDX-License-Identifier: MIT */
/*
 * ACPI's IO Remapping Table: the table, its nodes, and what they say. weir/iort.h has the contract;
 * no state but what the caller holds. DEN 0049, chapter 3; offsets are those of its tables.
 */

#include <weir/iort.h>
#include <weir/sys.h>

#include "firmware/iort.h"

/* The header that all ACPI tables have, and what follows it in this one. */
enum {
	HEADER_SIGNATURE = 0,
	HEADER_LENGTH = 4,
	HEADER_REVISION = 8,
	HEADER_CHECKSUM = 9,
	HEADER_NODE_COUNT = 36,
	HEADER_NODE_OFFSET = 40,
	HEADER_SIZE = 48,
};

#define SIGNATURE 0x54524f49u /* "IORT" */

/* Of every node. */
enum {
	NODE_TYPE = 0,
	NODE_LENGTH = 1,
	NODE_REVISION = 3,
	NODE_IDENTIFIER = 4,
	NODE_MAPPINGS = 8,
};

enum {
	SMMUV3_BASE = 16,
	SMMUV3_FLAGS = 24,
	SMMUV3_VATOS = 32,
	SMMUV3_MODEL = 40,
	SMMUV3_EVENT = 44,
	SMMUV3_PRI = 48,
	SMMUV3_GERROR = 52,
	SMMUV3_SYNC = 56,
	SMMUV3_SIZE_0 = 60,
	SMMUV3_PROXIMITY = 60, /* since revision 1 */
	SMMUV3_MSI_INDEX = 64,
	SMMUV3_SIZE_1 = 68,
};
#define SMMUV3_COHACC WEIR_BIT(0)
#define SMMUV3_HTTU(flags) ((flags) >> 1 & 3)
#define SMMUV3_PROXIMITY_VALID WEIR_BIT(3)
#define SMMUV3_MSI_INDEX_VALID WEIR_BIT(4)

/* Memory access properties, wherever they are. */
enum { MEMORY_CCA = 0, MEMORY_HINTS = 4, MEMORY_FLAGS = 7 };
#define MEMORY_CPM WEIR_BIT(0)
#define MEMORY_DACS WEIR_BIT(1)
#define MEMORY_CANWBS WEIR_BIT(2)

enum {
	ROOT_MEMORY = 16,
	ROOT_ATS = 24,
	ROOT_SEGMENT = 28,
	ROOT_SIZE_0 = 32,
	ROOT_ADDRESS_BITS = 32, /* since revision 1 */
	ROOT_SIZE_1 = 36,
	ROOT_PASID = 33, /* since revision 4 */
	ROOT_FLAGS = 36,
	ROOT_SIZE_4 = 40,
};
#define ROOT_ATS_SUPPORTED WEIR_BIT(0)
#define ROOT_PRI_SUPPORTED WEIR_BIT(1)
#define ROOT_PASID_FORWARD WEIR_BIT(2)
#define ROOT_PASID_SUPPORTED WEIR_BIT(0)

enum {
	NAMED_FLAGS = 16,
	NAMED_MEMORY = 20,
	NAMED_ADDRESS_BITS = 28,
	NAMED_NAME = 29,
};
#define NAMED_STALL WEIR_BIT(0)
#define PASID_BITS(field) ((field)&0x1f)

enum { ITS_COUNT = 16, ITS_IDS = 20 };

enum {
	RMR_FLAGS = 16,
	RMR_RANGES = 20,
	RMR_RANGES_OFFSET = 24,
	RMR_SIZE = 28,
};
#define RMR_MAY_REMAP WEIR_BIT(0)
#define RMR_PRIVILEGED WEIR_BIT(1)
#define RMR_ATTRIBUTES(flags) ((flags) >> 2 & 0xff)
#define RMR_HAS_ATTRIBUTES 3 /* since which revision */

enum { RANGE_BASE = 0, RANGE_LENGTH = 8, RANGE_SIZE = 20 };

/* ---- Loads ------------------------------------------------------------------------------- */

/*
 * Fields are unaligned, so they are put together from bytes; each byte is loaded once, whoever
 * writes to the table meanwhile: what was checked is what is used.
 */
static uint32_t load8(const uint8_t *p)
{
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static uint32_t load16(const uint8_t *p)
{
	return load8(p) | load8(p + 1) << 8;
}

static uint32_t load32(const uint8_t *p)
{
	return load16(p) | load16(p + 2) << 16;
}

static uint64_t load64(const uint8_t *p)
{
	return load32(p) | (uint64_t)load32(p + 4) << 32;
}

uint32_t weir_iort_load32(const struct weir_iort *iort, const struct weir_iort_node *node,
			  uint32_t offset)
{
	return load32(iort->table + node->offset + offset);
}

/* ---- Errors ------------------------------------------------------------------------------ */

void weir_iort_note(struct weir_iort *iort, const struct weir_iort_node *node, uint32_t offset,
		    const char *what)
{
	static const struct weir_iort_node none;

	iort->error = what;
	iort->error_node = node ? *node : none;
	iort->error_offset = iort->error_node.offset + offset;
}

const char *weir_iort_type_name(uint32_t type)
{
	static const char *const names[] = {
		[WEIR_IORT_ITS_GROUP] = "ITS group",
		[WEIR_IORT_NAMED] = "named component",
		[WEIR_IORT_ROOT] = "root complex",
		[WEIR_IORT_SMMU] = "SMMUv1 or v2",
		[WEIR_IORT_SMMUV3] = "SMMUv3",
		[WEIR_IORT_PMCG] = "group of performance counters",
		[WEIR_IORT_RMR] = "reserved memory range",
	};

	return type < WEIR_ARRAY_SIZE(names) ? names[type] : "node of an unknown type";
}

void weir_iort_explain(const struct weir_iort *iort, char *buf, size_t size)
{
	const struct weir_iort_node *node = &iort->error_node;

	if (!node->index)
		weir_snprintf(buf, size, "%s (byte %u)", iort->error, iort->error_offset);
	else
		weir_snprintf(buf, size, "%s at byte %u: %s (byte %u)",
			      weir_iort_type_name(node->type), node->offset, iort->error,
			      iort->error_offset);
}

int weir_iort_log(struct weir *weir, const struct weir_iort *iort)
{
	char what[192];

	weir_iort_explain(iort, what, sizeof(what));
	weir_log(weir, WEIR_LOG_ERR, "IORT: %s", what);
	return -WEIR_EINVAL;
}

/* ---- The table and its nodes ------------------------------------------------------------- */

static bool is_inside(uint32_t offset, uint32_t size, uint32_t total)
{
	return offset <= total && size <= total - offset;
}

/* The node at node->offset, the rest of *node from the table. NULL, or what is wrong with it. */
static const char *read_node(const struct weir_iort *iort, struct weir_iort_node *node)
{
	const uint8_t *p = iort->table + node->offset;

	if (!is_inside(node->offset, WEIR_IORT_NODE_SIZE, iort->size))
		return "it ends before its last node";
	node->type = load8(p + NODE_TYPE);
	node->size = load16(p + NODE_LENGTH);
	node->revision = load8(p + NODE_REVISION);
	node->identifier = load32(p + NODE_IDENTIFIER);
	node->mappings = load32(p + NODE_MAPPINGS);
	node->mappings_offset = load32(p + WEIR_IORT_NODE_MAPPINGS_OFFSET);
	if (node->size < WEIR_IORT_NODE_SIZE)
		return "a node is smaller than a node's header";
	if (!is_inside(node->offset, node->size, iort->size))
		return "a node reaches beyond its end";
	return NULL;
}

static int check_nodes(struct weir_iort *iort)
{
	struct weir_iort_node node = { .offset = iort->first };

	for (uint32_t i = 0; i < iort->nodes; i++, node.offset += node.size) {
		const char *what = read_node(iort, &node);

		if (what)
			return weir_iort_fail(iort, NULL, node.offset, what);
	}
	return 0;
}

static bool adds_up(const uint8_t *table, uint32_t size)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < size; i++)
		sum += load8(table + i);
	return !(sum & 0xff);
}

static int read_header(struct weir_iort *iort, size_t size)
{
	const uint8_t *h = iort->table;

	if (!h || size < HEADER_SIZE || load32(h + HEADER_SIGNATURE) != SIGNATURE)
		return weir_iort_fail(iort, NULL, HEADER_SIGNATURE, "this is no IORT");
	iort->size = load32(h + HEADER_LENGTH);
	if (iort->size > size)
		return weir_iort_fail(iort, NULL, HEADER_LENGTH,
				      "it is cut off: the header tells of more bytes");
	if (iort->size < HEADER_SIZE)
		return weir_iort_fail(iort, NULL, HEADER_LENGTH, "it is smaller than its header");
	if (!adds_up(h, iort->size))
		return weir_iort_fail(iort, NULL, HEADER_CHECKSUM, "its checksum is wrong");
	iort->revision = load8(h + HEADER_REVISION);
	iort->nodes = load32(h + HEADER_NODE_COUNT);
	iort->first = load32(h + HEADER_NODE_OFFSET);
	if (iort->first < HEADER_SIZE || iort->first > iort->size)
		return weir_iort_fail(iort, NULL, HEADER_NODE_OFFSET,
				      "its nodes are outside of it");
	return 0;
}

int weir_iort_open(const void *table, size_t size, struct weir_iort *iort)
{
	int ret;

	memset(iort, 0, sizeof(*iort));
	iort->table = table;
	ret = read_header(iort, size);
	return ret ? ret : check_nodes(iort);
}

size_t weir_iort_size(const void *table)
{
	const uint8_t *h = table;

	return load32(h + HEADER_SIGNATURE) == SIGNATURE ? load32(h + HEADER_LENGTH) : 0;
}

bool weir_iort_next(const struct weir_iort *iort, struct weir_iort_node *node)
{
	struct weir_iort_node next = {
		.offset = node->index ? node->offset + node->size : iort->first,
		.index = node->index + 1,
	};

	if (node->index >= iort->nodes || read_node(iort, &next))
		return false;
	*node = next;
	return true;
}

bool weir_iort_next_type(const struct weir_iort *iort, struct weir_iort_node *node, uint32_t type)
{
	struct weir_iort_node next = *node;

	while (weir_iort_next(iort, &next)) {
		if (next.type == type) {
			*node = next;
			return true;
		}
	}
	return false;
}

bool weir_iort_at(const struct weir_iort *iort, uint32_t offset, struct weir_iort_node *node)
{
	struct weir_iort_node next = { .index = 0 };

	while (next.offset < offset && weir_iort_next(iort, &next))
		;
	if (!next.index || next.offset != offset)
		return false;
	*node = next;
	return true;
}

/* ---- What nodes say ---------------------------------------------------------------------- */

static int need(struct weir_iort *iort, const struct weir_iort_node *node, uint32_t size)
{
	if (node->size < size)
		return weir_iort_fail(iort, node, NODE_LENGTH, "is too small for its revision");
	return 0;
}

/* `count` things of `size` bytes each, from `offset` of the node on: are they in it? */
static bool holds(const struct weir_iort_node *node, uint32_t offset, uint32_t count, uint32_t size)
{
	return offset >= WEIR_IORT_NODE_SIZE && offset <= node->size &&
	       count <= (node->size - offset) / size;
}

bool weir_iort_holds_mappings(const struct weir_iort_node *node)
{
	return holds(node, node->mappings_offset, node->mappings, WEIR_IORT_MAPPING_SIZE);
}

/* Only what is wired needs no message; before revision 5 nothing else said whether it has one. */
static bool has_msi_index(const struct weir_iort_node *node, uint32_t flags,
			  const struct weir_iort_smmuv3 *smmu)
{
	if (node->revision < 1)
		return false;
	if (node->revision >= WEIR_IORT_SMMUV3_SAYS_MSI)
		return flags & SMMUV3_MSI_INDEX_VALID;
	return !smmu->event || !smmu->pri || !smmu->gerror || !smmu->sync;
}

int weir_iort_smmuv3(struct weir_iort *iort, const struct weir_iort_node *node,
		     struct weir_iort_smmuv3 *smmu)
{
	const uint8_t *p = iort->table + node->offset;
	uint32_t flags;
	int ret = need(iort, node, node->revision < 1 ? SMMUV3_SIZE_0 : SMMUV3_SIZE_1);

	if (ret)
		return ret;
	flags = load32(p + SMMUV3_FLAGS);
	memset(smmu, 0, sizeof(*smmu));
	smmu->base = load64(p + SMMUV3_BASE);
	smmu->vatos = load64(p + SMMUV3_VATOS);
	smmu->model = load32(p + SMMUV3_MODEL);
	smmu->coherent = flags & SMMUV3_COHACC;
	smmu->httu = SMMUV3_HTTU(flags);
	smmu->event = load32(p + SMMUV3_EVENT);
	smmu->pri = load32(p + SMMUV3_PRI);
	smmu->gerror = load32(p + SMMUV3_GERROR);
	smmu->sync = load32(p + SMMUV3_SYNC);
	if (node->revision >= 1 && flags & SMMUV3_PROXIMITY_VALID) {
		smmu->has_proximity = true;
		smmu->proximity = load32(p + SMMUV3_PROXIMITY);
	}
	if (has_msi_index(node, flags, smmu)) {
		smmu->has_msi_index = true;
		smmu->msi_index = load32(p + SMMUV3_MSI_INDEX);
	}
	return 0;
}

static void read_memory(const uint8_t *p, struct weir_iort_memory *memory)
{
	uint32_t flags = load8(p + MEMORY_FLAGS);

	memory->coherent = load32(p + MEMORY_CCA) == 1;
	memory->hints = load8(p + MEMORY_HINTS);
	memory->path = flags & MEMORY_CPM;
	memory->cached = flags & MEMORY_DACS;
	memory->any = flags & MEMORY_CANWBS;
}

static uint32_t read_address_bits(const uint8_t *p)
{
	uint32_t bits = load8(p);

	return bits < 64 ? bits : 64;
}

int weir_iort_root(struct weir_iort *iort, const struct weir_iort_node *node,
		   struct weir_iort_root *root)
{
	const uint8_t *p = iort->table + node->offset;
	uint32_t ats;
	int ret = need(iort, node,
		       node->revision < 1 ? ROOT_SIZE_0 :
		       node->revision < 4 ? ROOT_SIZE_1 :
					    ROOT_SIZE_4);

	if (ret)
		return ret;
	ats = load32(p + ROOT_ATS);
	memset(root, 0, sizeof(*root));
	read_memory(p + ROOT_MEMORY, &root->memory);
	root->segment = load32(p + ROOT_SEGMENT);
	root->ats = ats & ROOT_ATS_SUPPORTED;
	root->pri = ats & ROOT_PRI_SUPPORTED;
	root->pasid_forward = ats & ROOT_PASID_FORWARD;
	if (node->revision >= 1)
		root->address_bits = read_address_bits(p + ROOT_ADDRESS_BITS);
	if (node->revision >= 4 && load32(p + ROOT_FLAGS) & ROOT_PASID_SUPPORTED) {
		root->pasid = true;
		root->pasid_bits = PASID_BITS(load16(p + ROOT_PASID));
	}
	return 0;
}

/* Length of the string at s, or `max` if it does not end within max bytes. */
static uint32_t bounded_length(const uint8_t *s, uint32_t max)
{
	uint32_t len = 0;

	while (len < max && load8(s + len))
		len++;
	return len;
}

int weir_iort_named(struct weir_iort *iort, const struct weir_iort_node *node,
		    struct weir_iort_named *named)
{
	const uint8_t *p = iort->table + node->offset;
	uint32_t flags;
	int ret = need(iort, node, NAMED_NAME + 1);

	if (ret)
		return ret;
	if (bounded_length(p + NAMED_NAME, node->size - NAMED_NAME) == node->size - NAMED_NAME)
		return weir_iort_fail(iort, node, NAMED_NAME, "its name does not end");
	flags = load32(p + NAMED_FLAGS);
	memset(named, 0, sizeof(*named));
	named->name = (const char *)p + NAMED_NAME;
	named->stall = flags & NAMED_STALL;
	named->pasid_bits = PASID_BITS(flags >> 1);
	named->address_bits = read_address_bits(p + NAMED_ADDRESS_BITS);
	read_memory(p + NAMED_MEMORY, &named->memory);
	return 0;
}

static bool same(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

int weir_iort_by_name(struct weir_iort *iort, const char *name, struct weir_iort_node *node)
{
	struct weir_iort_node next = { .index = 0 };
	struct weir_iort_named named;

	while (weir_iort_next_type(iort, &next, WEIR_IORT_NAMED)) {
		int ret = weir_iort_named(iort, &next, &named);

		if (ret)
			return ret;
		if (same(named.name, name)) {
			*node = next;
			return 0;
		}
	}
	return -WEIR_ENOENT;
}

int weir_iort_its(struct weir_iort *iort, const struct weir_iort_node *node, uint32_t index,
		  uint32_t *id)
{
	uint32_t count;
	int ret = need(iort, node, ITS_IDS);

	if (ret)
		return ret;
	count = weir_iort_load32(iort, node, ITS_COUNT);
	if (!holds(node, ITS_IDS, count, 4))
		return weir_iort_fail(iort, node, ITS_COUNT,
				      "it counts more ITSs than there is room for");
	if (index >= count)
		return -WEIR_ENOENT;
	*id = weir_iort_load32(iort, node, ITS_IDS + index * 4);
	return 0;
}

/* Where its ranges are. */
static int find_ranges(struct weir_iort *iort, const struct weir_iort_node *node, uint32_t count,
		       uint32_t *at)
{
	*at = weir_iort_load32(iort, node, RMR_RANGES_OFFSET);
	if (count && !holds(node, *at, count, RANGE_SIZE))
		return weir_iort_fail(iort, node, RMR_RANGES_OFFSET,
				      "its ranges are outside of it");
	return 0;
}

int weir_iort_rmr(struct weir_iort *iort, const struct weir_iort_node *node,
		  struct weir_iort_rmr *rmr)
{
	uint32_t flags, ranges, at;
	int ret = need(iort, node, RMR_SIZE);

	if (ret)
		return ret;
	/* Whoever counts to it, over ranges that are wrong, shall not count to 2^32. */
	ranges = weir_iort_load32(iort, node, RMR_RANGES);
	ret = find_ranges(iort, node, ranges, &at);
	if (ret)
		return ret;
	flags = weir_iort_load32(iort, node, RMR_FLAGS);
	memset(rmr, 0, sizeof(*rmr));
	rmr->may_remap = flags & RMR_MAY_REMAP;
	rmr->ranges = ranges;
	rmr->attributes = WEIR_IORT_RMR_UNKNOWN;
	if (node->revision < RMR_HAS_ATTRIBUTES)
		return 0;
	rmr->privileged = flags & RMR_PRIVILEGED;
	if (RMR_ATTRIBUTES(flags) <= WEIR_IORT_RMR_WRITE_BACK)
		rmr->attributes = RMR_ATTRIBUTES(flags);
	return 0;
}

int weir_iort_rmr_range(struct weir_iort *iort, const struct weir_iort_node *node, uint32_t index,
			uint64_t *base, uint64_t *size)
{
	uint32_t count, at;
	uint64_t start, length;
	int ret = need(iort, node, RMR_SIZE);

	if (ret)
		return ret;
	count = weir_iort_load32(iort, node, RMR_RANGES);
	if (index >= count)
		return -WEIR_ENOENT;
	ret = find_ranges(iort, node, count, &at);
	if (ret)
		return ret;
	at += index * RANGE_SIZE;
	start = load64(iort->table + node->offset + at + RANGE_BASE);
	length = load64(iort->table + node->offset + at + RANGE_LENGTH);
	if (!length || length - 1 > UINT64_MAX - start)
		return weir_iort_fail(iort, node, at,
				      "a range is empty or goes beyond the last address");
	*base = start;
	*size = length;
	return 0;
}
