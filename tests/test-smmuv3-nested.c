/* SPDX-License-Identifier: MIT */
/*
 * Guests: viommus and nested domains of src/iommu and src/smmuv3, on the model of an SMMUv3 whose
 * caches keep all that they may, and which rejects reserved bits.
 *
 * - A guest's entry translates through its tables and the parent domain; abort and bypass do what
 *   they say; a device moves among them, and to the parent, with effect on return.
 * - What a guest changes in its context descriptors and tables is in effect after its commands, by
 *   each of them that reaches it; one that does not reach it leaves it alone.
 * - What the host unmaps from the parent no guest's device reaches any more, whatever was cached of
 *   both stages.
 * - Two guests with the same ASIDs and addresses, even over one parent, never see each other's
 *   translations, and none drops the other's by its commands.
 * - Each bit of an entry and of a command that is not a guest's to set is refused, with the number
 *   of commands done before; nothing that a hostile guest sends, over many random commands, makes
 *   the SMMU refuse one.
 * - Life: what is in use is not freed.
 * - Out of memory at every allocation: an error, nothing leaked.
 */

#include "domainrig.h"

#define KIB(n) ((uint64_t)(n) << 10)
#define MIB(n) ((uint64_t)(n) << 20)
#define IPA 0x10000000ull
#define GUEST_PAGES 16u
#define VSID 0x20u
#define ASID 5u
#define LEAF_BITS 0x743ull /* AF, SH = ISH, AP[1], a page, AttrIndx 0 */
#define NG WEIR_VMSA_NG

/*
 * Guest memory: page 0 holds CDs, 1 to 3 the tables (39 bits: levels 1, 2, 3) of CD 0, 4 to 6 those
 * of CD 1; from 8 on data.
 */
struct guest {
	struct domainrig *rig;
	struct weir_domain *parent;
	struct weir_viommu *viommu;
	weir_phys_t page[GUEST_PAGES];
	unsigned int dev;
	uint64_t base; /* the IPA of its page 0 */
};

static uint64_t *at(struct guest *g, unsigned int page)
{
	return rig_virt(g->rig, g->page[page]);
}

static uint64_t ipa(const struct guest *g, unsigned int page)
{
	return g->base + page * KIB(4);
}

static void write_cd(struct guest *g, unsigned int i, unsigned int table, unsigned int asid)
{
	uint64_t *cd = at(g, 0) + 8 * (size_t)i;

	cd[1] = ipa(g, table);
	cd[3] = 0xff;
	cd[0] = WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_T0SZ, 25) |
		WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_SH0, WEIR_SMMU_SH_ISH) |
		WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_IR0, 1) | WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_OR0, 1) |
		WEIR_SMMU_CD_0_EPD1 | WEIR_SMMU_CD_0_V |
		WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_IPS, WEIR_SMMU_PS_44) | WEIR_SMMU_CD_0_AA64 |
		WEIR_SMMU_CD_0_R | WEIR_SMMU_CD_0_A | WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_ASID, asid);
}

/* Of the tables that begin with page `table`: VA page n leads to guest page `page`; 0: nowhere. */
static void point(struct guest *g, unsigned int table, unsigned int n, unsigned int page)
{
	at(g, table + 2)[n] = page ? ipa(g, page) | LEAF_BITS | NG : 0;
}

static void write_tables(struct guest *g, unsigned int table)
{
	at(g, table)[0] = ipa(g, table + 1) | 3;
	at(g, table + 1)[0] = ipa(g, table + 2) | 3;
}

static void guest_memory(struct guest *g)
{
	for (unsigned int i = 0; i < GUEST_PAGES; i++) {
		g->page[i] = rig_page(g->rig);
		assert_int_equal(weir_domain_map(g->parent, ipa(g, i), g->page[i], KIB(4), RIG_RW),
				 0);
	}
	write_tables(g, 1);
	write_tables(g, 4);
	write_cd(g, 0, 1, ASID);
	write_cd(g, 1, 4, ASID + 1);
	point(g, 1, 7, 8);
	point(g, 4, 7, 9);
}

static void guest_up(struct guest *g, struct domainrig *rig, unsigned int dev,
		     struct weir_domain *parent, uint64_t base)
{
	*g = (struct guest){ .rig = rig, .dev = dev, .parent = parent, .base = base };
	guest_memory(g);
	assert_int_equal(weir_viommu_alloc(&rig->dev[dev], parent, &g->viommu), 0);
	assert_int_equal(weir_viommu_add_device(g->viommu, &rig->dev[dev], VSID), 0);
}

static void guest_down(struct guest *g)
{
	assert_int_equal(weir_viommu_remove_device(g->viommu, &g->rig->dev[g->dev]), 0);
	assert_int_equal(weir_viommu_free(g->viommu), 0);
	for (unsigned int i = 0; i < GUEST_PAGES; i++) {
		weir_domain_unmap(g->parent, ipa(g, i), KIB(4));
		rig_page_free(g->rig, g->page[i]);
	}
}

static struct weir_domain *parent_of(struct domainrig *rig)
{
	struct weir_domain *parent;

	assert_int_equal(weir_domain_alloc_flags(&rig->dev[0], WEIR_DOMAIN_NEST_PARENT, &parent),
			 0);
	return parent;
}

static uint64_t config(unsigned int value)
{
	return WEIR_SMMU_STE_0_V | WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_CONFIG, value);
}

static struct weir_domain *nested(struct guest *g, uint64_t word0, uint64_t word1)
{
	const uint64_t ste[2] = { word0, word1 };
	struct weir_domain *domain;

	assert_int_equal(weir_viommu_domain_alloc(g->viommu, ste, sizeof(ste), &domain), 0);
	return domain;
}

static struct weir_domain *nested_s1(struct guest *g, unsigned int cdmax)
{
	return nested(g,
		      config(WEIR_SMMU_STE_CONFIG_S1) | ipa(g, 0) |
			      WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_S1CDMAX, cdmax),
		      WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_S1DSS, WEIR_SMMU_STE_S1DSS_SSID0) |
			      WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_S1CIR, 1) |
			      WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_S1COR, 1) |
			      WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_S1CSH, 3));
}

static void attach(struct guest *g, struct weir_domain *domain)
{
	assert_int_equal(weir_domain_attach(domain, &g->rig->dev[g->dev]), 0);
}

static void detach(struct guest *g, struct weir_domain *domain)
{
	assert_int_equal(weir_domain_detach(domain, &g->rig->dev[g->dev]), 0);
}

static void command(struct guest *g, uint64_t word0, uint64_t word1)
{
	const uint64_t cmd[2] = { word0, word1 };
	unsigned int count = 1;

	assert_int_equal(weir_viommu_invalidate(g->viommu, cmd, &count), 0);
	assert_int_equal(count, 1);
}

#define VA KIB(28)
#define expect(g, pasid, va, to)                                                                   \
	rig_expect((g)->rig, (g)->dev, pasid, va, true, (to) ? (uint64_t)(g)->page[to] : 0)

/* ---- Entries --------------------------------------------------------------------------------- */

static void each_entry(void **state)
{
	struct domainrig rig = { .smmu = rig_features(), .pasid_bits = 8 };
	struct weir_domain *s1, *cds, *bypass, *aborts, *invalid, *parent;
	struct guest g;

	(void)state;
	assert_int_equal(rig_up(&rig), 0);
	parent = parent_of(&rig);
	guest_up(&g, &rig, 1, parent, IPA);
	s1 = nested_s1(&g, 0);
	cds = nested_s1(&g, 1);
	bypass = nested(&g, config(WEIR_SMMU_STE_CONFIG_BYPASS), 0);
	aborts = nested(&g, config(WEIR_SMMU_STE_CONFIG_ABORT), 0);
	invalid = nested(&g, ~(uint64_t)1, ~(uint64_t)0);
	for (int round = 0; round < 2; round++) {
		attach(&g, s1);
		expect(&g, RIG_NO_PASID, VA, 8);
		expect(&g, RIG_NO_PASID, VA + KIB(4), 0);
		expect(&g, RIG_NO_PASID, IPA + KIB(32), 0);
		attach(&g, bypass);
		expect(&g, RIG_NO_PASID, IPA + KIB(32), 8);
		expect(&g, RIG_NO_PASID, VA, 0);
		attach(&g, aborts);
		expect(&g, RIG_NO_PASID, VA, 0);
		attach(&g, cds);
		expect(&g, RIG_NO_PASID, VA, 8);
		expect(&g, 1, VA, 9);
		attach(&g, parent);
		expect(&g, RIG_NO_PASID, IPA + KIB(36), 9);
		attach(&g, cds);
		expect(&g, 1, VA, 9);
		attach(&g, invalid);
		expect(&g, RIG_NO_PASID, IPA + KIB(32), 0);
		attach(&g, s1);
		expect(&g, 1, VA, 0);
		expect(&g, RIG_NO_PASID, VA, 8);
		detach(&g, s1);
		expect(&g, RIG_NO_PASID, VA, 0);
	}
	weir_domain_free(s1);
	weir_domain_free(cds);
	weir_domain_free(bypass);
	weir_domain_free(aborts);
	weir_domain_free(invalid);
	guest_down(&g);
	weir_domain_free(parent);
	assert_int_equal(rig.log_lines, 0);
	rig_down(&rig);
}

static void what_entries_may_say(void **state)
{
	const uint64_t allowed0 = WEIR_SMMU_STE_0_V | WEIR_SMMU_STE_0_S1FMT |
				  WEIR_SMMU_STE_0_S1CONTEXTPTR | WEIR_SMMU_STE_0_S1CDMAX;
	const uint64_t allowed1 = WEIR_SMMU_STE_1_S1DSS | WEIR_SMMU_STE_1_S1CIR |
				  WEIR_SMMU_STE_1_S1COR | WEIR_SMMU_STE_1_S1CSH |
				  WEIR_SMMU_STE_1_S1STALLD;
	struct domainrig rig = { .smmu = rig_features() };
	struct weir_domain *domain, *parent;
	struct guest g;
	int ret;

	(void)state;
	assert_int_equal(rig_up(&rig), 0);
	parent = parent_of(&rig);
	guest_up(&g, &rig, 0, parent, IPA);
	for (unsigned int bit = 0; bit < 128; bit++) {
		uint64_t ste[2] = { config(WEIR_SMMU_STE_CONFIG_S1), 0 };
		bool ok = (bit < 64 ? allowed0 : allowed1) >> bit % 64 & 1;

		/* The Config bits make others of S1: refused, or bypass, or abort. */
		if (bit == 0 || (bit >= 1 && bit <= 3))
			continue;
		ste[bit / 64] |= WEIR_BIT(bit % 64);
		/* Beyond the addresses. */
		ok &= bit < 44 || bit > 55;
		ret = weir_viommu_domain_alloc(g.viommu, ste, sizeof(ste), &domain);
		assert_int_equal(ret, ok ? 0 : -WEIR_EIO);
		if (!ret)
			weir_domain_free(domain);
	}
	for (unsigned int value = 0; value < 8; value++) {
		const uint64_t ste[2] = { config(value), 0 };
		bool ok = value == 0 || value == 4 || value == 5;

		ret = weir_viommu_domain_alloc(g.viommu, ste, sizeof(ste), &domain);
		assert_int_equal(ret, ok ? 0 : -WEIR_EIO);
		if (!ret)
			weir_domain_free(domain);
	}
	/* More substreams than there are. */
	ret = weir_viommu_domain_alloc(g.viommu, (const uint64_t[]){ 21ull << 59 | 11, 0 }, 16,
				       &domain);
	assert_int_equal(ret, -WEIR_EIO);
	assert_int_equal(weir_viommu_domain_alloc(g.viommu, &(uint64_t){ 1 }, 8, &domain),
			 -WEIR_EINVAL);
	guest_down(&g);
	weir_domain_free(parent);
	rig_down(&rig);
}

/* ---- Invalidation ---------------------------------------------------------------------------- */

static void what_a_guest_changes(void **state)
{
	const uint64_t asid = WEIR_SMMU_FIELD(WEIR_SMMU_CMD_TLBI_0_ASID, ASID);
	const uint64_t vmid = WEIR_SMMU_FIELD(WEIR_SMMU_CMD_TLBI_0_VMID, 0x77);
	const uint64_t reach[][2] = {
		{ WEIR_SMMU_CMD_TLBI_NH_VA | asid, VA },
		{ WEIR_SMMU_CMD_TLBI_NH_VA | asid | vmid, VA | WEIR_SMMU_CMD_1_LEAF },
		{ WEIR_SMMU_CMD_TLBI_NH_VA | asid | WEIR_SMMU_FIELD(WEIR_SMMU_CMD_TLBI_0_NUM, 7),
		  WEIR_SMMU_FIELD(WEIR_SMMU_CMD_TLBI_1_TG, 1) },
		{ WEIR_SMMU_CMD_TLBI_NH_VAA, VA },
		{ WEIR_SMMU_CMD_TLBI_NH_ASID | asid, 0 },
		{ WEIR_SMMU_CMD_TLBI_NH_ALL, 0 },
		{ WEIR_SMMU_CMD_TLBI_NSNH_ALL, 0 },
	};
	struct domainrig rig = { .smmu = rig_features(), .pasid_bits = 8 };
	struct weir_domain *parent, *cds;
	struct guest g;

	(void)state;
	assert_int_equal(rig_up(&rig), 0);
	parent = parent_of(&rig);
	guest_up(&g, &rig, 2, parent, IPA);
	cds = nested_s1(&g, 1);
	attach(&g, cds);
	for (size_t i = 0; i < WEIR_ARRAY_SIZE(reach); i++) {
		expect(&g, RIG_NO_PASID, VA, 8);
		point(&g, 1, 7, 10);
		/* One that is of another ASID does not reach it. */
		command(&g, WEIR_SMMU_CMD_TLBI_NH_ASID, 0);
		expect(&g, RIG_NO_PASID, VA, 8);
		command(&g, reach[i][0], reach[i][1]);
		expect(&g, RIG_NO_PASID, VA, 10);
		point(&g, 1, 7, 8);
		command(&g, WEIR_SMMU_CMD_TLBI_NH_ALL, 0);
	}
	/* Descriptors: CD 1 gets the tables of CD 0. */
	for (int all = 0; all < 2; all++) {
		write_cd(&g, 1, 4, ASID + 1);
		command(&g, WEIR_SMMU_CMD_CFGI_CD_ALL | (uint64_t)VSID << 32, 0);
		expect(&g, 1, VA, 9);
		write_cd(&g, 1, 1, ASID);
		expect(&g, 1, VA, 9);
		if (all)
			command(&g, WEIR_SMMU_CMD_CFGI_CD_ALL | (uint64_t)VSID << 32, 0);
		else
			command(&g,
				WEIR_SMMU_CMD_CFGI_CD | (uint64_t)VSID << 32 |
					WEIR_SMMU_FIELD(WEIR_SMMU_CMD_0_SSID, 1),
				1);
		expect(&g, 1, VA, 8);
	}
	/* The host takes a page away: of data, of a table, of the descriptors' tables. */
	for (unsigned int page = 8; page; page = page == 8 ? 3 : 0) {
		expect(&g, RIG_NO_PASID, VA, 8);
		assert_int_equal(weir_domain_unmap(parent, ipa(&g, page), KIB(4)), KIB(4));
		expect(&g, RIG_NO_PASID, VA, 0);
		assert_int_equal(
			weir_domain_map(parent, ipa(&g, page), g.page[page], KIB(4), RIG_RW), 0);
	}
	expect(&g, RIG_NO_PASID, VA, 8);
	detach(&g, cds);
	weir_domain_free(cds);
	guest_down(&g);
	weir_domain_free(parent);
	assert_int_equal(rig.log_lines, 0);
	rig_down(&rig);
}

static void guests_do_not_meet(void **state)
{
	struct domainrig rig = { .smmu = rig_features() };
	struct weir_domain *parents[2], *domain[3];
	struct guest g[3];

	(void)state;
	assert_int_equal(rig_up(&rig), 0);
	parents[0] = parent_of(&rig);
	parents[1] = parent_of(&rig);
	/* The second one is over the parent of the first; the third has addresses of the first. */
	guest_up(&g[0], &rig, 0, parents[0], IPA);
	guest_up(&g[1], &rig, 1, parents[0], IPA + MIB(1));
	guest_up(&g[2], &rig, 2, parents[1], IPA);
	for (unsigned int i = 0; i < 3; i++) {
		domain[i] = nested_s1(&g[i], 0);
		attach(&g[i], domain[i]);
	}
	for (int round = 0; round < 2; round++)
		for (unsigned int i = 0; i < 3; i++)
			expect(&g[i], RIG_NO_PASID, VA, 8);
	/* What one drops stays cached of the others: their tables are not looked at. */
	for (unsigned int i = 0; i < 3; i++)
		point(&g[i], 1, 7, 10);
	command(&g[1], WEIR_SMMU_CMD_TLBI_NSNH_ALL, 0);
	expect(&g[0], RIG_NO_PASID, VA, 8);
	expect(&g[1], RIG_NO_PASID, VA, 10);
	expect(&g[2], RIG_NO_PASID, VA, 8);
	for (unsigned int i = 0; i < 3; i++) {
		detach(&g[i], domain[i]);
		weir_domain_free(domain[i]);
		guest_down(&g[i]);
	}
	weir_domain_free(parents[0]);
	weir_domain_free(parents[1]);
	rig_down(&rig);
}

/* ---- Commands that are refused --------------------------------------------------------------- */

static int send(struct guest *g, uint64_t word0, uint64_t word1)
{
	const uint64_t sid = (uint64_t)VSID << 32;
	const uint64_t cmds[3][2] = { { WEIR_SMMU_CMD_TLBI_NH_ALL, 0 },
				      { word0, word1 },
				      { WEIR_SMMU_CMD_CFGI_CD_ALL | sid, 0 } };
	unsigned int count = 3;
	int ret = weir_viommu_invalidate(g->viommu, cmds, &count);

	assert_int_equal(count, ret ? 1 : 3);
	return ret;
}

static void what_commands_may_say(void **state)
{
	static const uint64_t ok[][3] = {
		{ 0x30, 0xff, 0 },
		{ 0x10, 0x0000ffff000000ff, 0 },
		{ 0x11, 0xffffffff000000ff, 0 },
		{ 0x12, 0xffffffff000000ff, 0xfffffffffffff001 },
		{ 0x13, 0x0000ffff000000ff, 0xfffffffffffff001 },
		{ 0x05, 0x00000000fffff0ff, 1 },
		{ 0x06, 0x00000000000000ff, 0 },
		{ 0x40, 0x00000000fffffaff, 0xfffffffffffff01f },
	};
	struct domainrig rig = { .smmu = rig_features() };
	struct weir_domain *parent;
	struct guest g;

	(void)state;
	assert_int_equal(rig_up(&rig), 0);
	parent = parent_of(&rig);
	guest_up(&g, &rig, 0, parent, IPA);
	for (unsigned int opcode = 0; opcode < 256; opcode++) {
		uint64_t sid = (uint64_t)VSID << 32, word0, word1;
		size_t k = 0;

		while (k < WEIR_ARRAY_SIZE(ok) && ok[k][0] != opcode)
			k++;
		if (k == WEIR_ARRAY_SIZE(ok)) {
			assert_int_equal(send(&g, opcode, 0), -WEIR_EIO);
			assert_int_equal(send(&g, opcode | sid, 0), -WEIR_EIO);
			continue;
		}
		sid = opcode == 5 || opcode == 6 || opcode == 0x40 ? sid : 0;
		assert_int_equal(send(&g, opcode | sid, 0), 0);
		for (unsigned int bit = 8; bit < 128; bit++) {
			word0 = (opcode | sid) ^ (bit < 64 ? WEIR_BIT(bit) : 0);
			word1 = bit < 64 ? 0 : WEIR_BIT(bit - 64);
			/* Of ATC_INV all sizes from 32 on have bit 5: 32 is one of them. */
			if (sid && bit >= 32 && bit < 64)
				assert_int_equal(send(&g, word0, word1), -WEIR_EIO);
			else if (opcode == 0x40 && bit == 64 + 5)
				assert_int_equal(send(&g, word0, word1), 0);
			else
				assert_int_equal(send(&g, word0, word1),
						 ok[k][1 + bit / 64] >> bit % 64 & 1 ? 0 :
										       -WEIR_EIO);
		}
	}
	/* Ranges: reserved ones, and right ones (4.4.1.1). */
	assert_int_equal(send(&g, 0x12 | 1 << 12, 1 << 10), 0);
	assert_int_equal(send(&g, 0x12, 1 << 10 | 3 << 8), 0);
	assert_int_equal(send(&g, 0x12 | 1 << 20, 3 << 10), 0);
	assert_int_equal(send(&g, 0x12, 1 << 10), -WEIR_EIO);
	assert_int_equal(send(&g, 0x13, 2 << 10 | 1 << 8), -WEIR_EIO);
	assert_int_equal(send(&g, 0x40 | (uint64_t)VSID << 32, 52), 0);
	assert_int_equal(send(&g, 0x40 | (uint64_t)VSID << 32, 53), -WEIR_EIO);
	guest_down(&g);
	weir_domain_free(parent);
	assert_int_equal(rig.log_lines, 0);
	rig_down(&rig);
}

static uint64_t seed = 4711;

static uint64_t any(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static void a_hostile_guest(void **state)
{
	static const uint8_t likely[] = { 0x30, 0x10, 0x11, 0x12, 0x13, 0x05, 0x06, 0x40 };
	struct domainrig rig = { .smmu = rig_features() };
	unsigned int accepted = 0;
	struct weir_domain *parent, *s1;
	struct guest g;

	(void)state;
	rig_set(&rig.smmu.idr[0], WEIR_SMMU_IDR0_ASID16, 0);
	assert_int_equal(rig_up(&rig), 0);
	parent = parent_of(&rig);
	guest_up(&g, &rig, 0, parent, IPA);
	s1 = nested_s1(&g, 0);
	attach(&g, s1);
	for (unsigned int i = 0; i < 20000; i++) {
		uint64_t cmds[20][2];
		unsigned int count = 1 + (unsigned int)(any() % 20);

		for (unsigned int k = 0; k < count; k++) {
			cmds[k][0] = any() & any() & any();
			cmds[k][1] = any() & any() & any();
			if (any() % 8) {
				cmds[k][0] = (cmds[k][0] & 0x00ff000003f1f000) |
					     likely[any() % sizeof(likely)];
				cmds[k][1] &= 0xfffff001 | (any() & 0xf00);
			}
			if (any() % 4) {
				cmds[k][0] &= ~0x3f1f000ull;
				cmds[k][1] &= ~0xf00ull;
			}
			if (any() % 2)
				cmds[k][0] = (uint32_t)cmds[k][0] | (uint64_t)VSID << 32;
		}
		(void)weir_viommu_invalidate(g.viommu, cmds, &count);
		accepted += count;
	}
	/* Of 8 bits: the rest is reserved (4.4). */
	assert_int_equal(send(&g, WEIR_SMMU_CMD_TLBI_NH_ASID | WEIR_BIT(56), 0), -WEIR_EIO);
	assert_true(accepted > 5000);
	assert_int_equal(rig.log_lines, 0);
	expect(&g, RIG_NO_PASID, VA, 8);
	detach(&g, s1);
	weir_domain_free(s1);
	guest_down(&g);
	weir_domain_free(parent);
	rig_down(&rig);
}

/* ---- Life ------------------------------------------------------------------------------------ */

static void lives(void **state)
{
	struct domainrig rig = { .smmu = rig_features(), .pasid_bits = 4 };
	struct weir_domain *parent, *plain, *s1, *other;
	struct weir_viommu *viommu;
	struct guest g;
	weir_phys_t phys;

	(void)state;
	assert_int_equal(rig_up(&rig), 0);
	parent = parent_of(&rig);
	other = parent_of(&rig);
	assert_int_equal(weir_domain_alloc(&rig.dev[0], &plain), 0);
	assert_int_equal(weir_viommu_alloc(&rig.dev[0], plain, &viommu), -WEIR_EINVAL);
	assert_int_equal(weir_viommu_alloc(&rig.dev[0], weir_device_dma_domain(&rig.dev[0]),
					   &viommu),
			 -WEIR_EINVAL);
	guest_up(&g, &rig, 0, parent, IPA);
	s1 = nested_s1(&g, 0);
	assert_int_equal(weir_viommu_add_device(g.viommu, &rig.dev[0], VSID + 1), -WEIR_EEXIST);
	assert_int_equal(weir_viommu_add_device(g.viommu, &rig.dev[1], VSID), -WEIR_EEXIST);
	assert_int_equal(weir_viommu_remove_device(g.viommu, &rig.dev[1]), -WEIR_EINVAL);
	/* Not the guest's device. */
	assert_int_equal(weir_domain_attach(s1, &rig.dev[1]), -WEIR_EINVAL);
	attach(&g, s1);
	assert_int_equal(weir_domain_attach(other, &rig.dev[0]), -WEIR_EBUSY);
	assert_int_equal(weir_domain_attach(plain, &rig.dev[0]), -WEIR_EBUSY);
	assert_int_equal(weir_domain_attach_pasid(plain, &rig.dev[0], 1), -WEIR_EBUSY);
	assert_int_equal(weir_viommu_remove_device(g.viommu, &rig.dev[0]), -WEIR_EBUSY);
	assert_int_equal(weir_viommu_free(g.viommu), -WEIR_EBUSY);
	assert_int_equal(weir_domain_map(s1, MIB(1), MIB(1), KIB(4), RIG_RW), -WEIR_EINVAL);
	assert_int_equal(weir_domain_iova_to_phys(s1, VA, &phys), -WEIR_ENOENT);
	assert_int_equal(rig.log_lines, 0);
	weir_domain_free(parent);
	weir_domain_free(s1);
	assert_int_equal(rig.log_lines, 2);
	expect(&g, RIG_NO_PASID, VA, 8);
	detach(&g, s1);
	weir_domain_free(s1);
	guest_down(&g);
	weir_domain_free(parent);
	weir_domain_free(other);
	weir_domain_free(plain);
	rig_down(&rig);
}

/* ---- Out of memory --------------------------------------------------------------------------- */

static bool one_run(uint64_t fail, bool onwards, unsigned int *errors)
{
	struct domainrig rig = { .smmu = rig_features(),
				 .runner = POSIX_SEEDED,
				 .fail_alloc = fail,
				 .fail_onwards = onwards,
				 .heap_whole_pages = true };
	const uint64_t ste[2] = { config(WEIR_SMMU_STE_CONFIG_BYPASS), 0 };
	struct weir_domain *parent = NULL, *bypass = NULL;
	struct weir_viommu *viommu = NULL;
	struct weir_device *dev = &rig.dev[0];
	uint64_t calls;
	int ret = rig_up(&rig);

	if (!ret)
		ret = weir_domain_alloc_flags(dev, WEIR_DOMAIN_NEST_PARENT, &parent);
	if (!ret)
		ret = weir_domain_map(parent, IPA, MIB(2048), KIB(4), RIG_RW);
	if (!ret)
		ret = weir_viommu_alloc(dev, parent, &viommu);
	if (!ret)
		ret = weir_viommu_add_device(viommu, dev, VSID);
	if (!ret)
		ret = weir_viommu_domain_alloc(viommu, ste, sizeof(ste), &bypass);
	if (!ret)
		ret = weir_domain_attach(bypass, dev);
	if (!ret) {
		rig_expect(&rig, 0, RIG_NO_PASID, IPA, true, MIB(2048));
		assert_int_equal(weir_domain_detach(bypass, dev), 0);
	}
	*errors += ret != 0;
	if (ret)
		assert_int_equal(ret, -WEIR_ENOMEM);
	if (bypass)
		weir_domain_free(bypass);
	if (viommu) {
		(void)weir_viommu_remove_device(viommu, dev);
		assert_int_equal(weir_viommu_free(viommu), 0);
	}
	if (parent)
		weir_domain_free(parent);
	calls = posix_alloc_calls(rig.machine);
	rig_down(&rig);
	return calls >= fail;
}

static void out_of_memory(void **state)
{
	unsigned int errors = 0;
	uint64_t fail;

	(void)state;
	for (int onwards = 0; onwards < 2; onwards++) {
		for (fail = 1; one_run(fail, onwards, &errors); fail++)
			;
		assert_true(fail > 40 && errors > 40);
		errors = 0;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_entry),
		cmocka_unit_test(what_entries_may_say),
		cmocka_unit_test(what_a_guest_changes),
		cmocka_unit_test(guests_do_not_meet),
		cmocka_unit_test(what_commands_may_say),
		cmocka_unit_test(a_hostile_guest),
		cmocka_unit_test(lives),
		cmocka_unit_test(out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
