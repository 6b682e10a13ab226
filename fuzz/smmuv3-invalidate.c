/* SPDX-License-Identifier: MIT */
/*
 * The SMMUv3 model's caches, the adversarial ones above all, under a driver that changes mappings,
 * context descriptors and stream table entries, and invalidates exactly what it has to (3.17, 3.21,
 * 4.3, 4.4).
 *
 * - What was not there before is there at once, with no command.
 * - After one change, before its invalidation is complete, a transaction gets what it would get
 *   before or after the change.
 * - After the CMD_SYNC it gets what the oracle says of memory.
 *
 * Not here: updates by hardware, which need no invalidation (smmuv3-translate.c).
 */

#include "smmucase.h"

#define PAGES 24u
#define CHANGES 24u

/* A leaf that the driver put. */
struct page {
	struct case_stream *stream;
	unsigned int cd;
	const struct case_space *space;
	uint64_t va, entry;
	int level;
	bool used;
};

struct driver {
	struct smmucase c;
	struct input in;
	struct page pages[PAGES];
	unsigned int nr_pages;
	bool globals; /* one address space has its VMID to itself: entries of all ASIDs */
};

static bool has3(const struct driver *d, uint64_t idr3)
{
	return d->c.box.config.idr[3] & idr3;
}

static uint64_t low_bits(unsigned int bits)
{
	return bits >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << bits) - 1;
}

/* ---- Transactions --------------------------------------------------------------------- */

static struct weir_model_txn txn_of(struct driver *d, const struct page *p)
{
	unsigned int choice = take_below(&d->in, 64);
	struct weir_model_txn txn = {
		.stream = p->stream->sid,
		.addr = p->va + (choice >> 4) * 0x40,
		.len = 1,
		.attributes = WEIR_MODEL_ATTR_PCIE,
		.flags = choice & WEIR_MODEL_TXN_WRITE,
	};

	if (p->stream->cds > 1) {
		txn.flags |= WEIR_MODEL_TXN_SUBSTREAM;
		txn.substream = p->cd;
	}
	if ((choice & 6) == 6)
		txn.flags |= WEIR_MODEL_TXN_PRIVILEGED;
	if ((choice & 8) && d->c.box.config.idr[0] & WEIR_SMMU_IDR0_ATS && !(choice & 3))
		txn.flags |= WEIR_MODEL_TXN_ATS_REQUEST;
	return txn;
}

/* Uses a page, and some other. */
static void use(struct driver *d, const struct page *p)
{
	struct weir_model_txn txn = txn_of(d, p);

	case_transaction(&d->c, &txn, NULL);
	p = &d->pages[take_below(&d->in, d->nr_pages)];
	txn = txn_of(d, p);
	case_transaction(&d->c, &txn, NULL);
}

static void prefetch(struct driver *d, const struct page *p)
{
	struct weir_model_txn txn = txn_of(d, p);
	uint64_t ssv = txn.flags & WEIR_MODEL_TXN_SUBSTREAM ? WEIR_SMMU_CMD_0_SSV : 0;
	uint64_t who = ssv | WEIR_SMMU_FIELD(WEIR_SMMU_CMD_0_SSID, txn.substream) |
		       WEIR_SMMU_FIELD(WEIR_SMMU_CMD_0_SID, txn.stream);

	if (take(&d->in, 1) & 1)
		box_queue(&d->c.box, WEIR_SMMU_CMD_PREFETCH_CONFIG | who, 0);
	else
		box_queue(&d->c.box, WEIR_SMMU_CMD_PREFETCH_ADDR | who,
			  p->va & WEIR_SMMU_CMD_PREFETCH_1_ADDR);
}

/* ---- Invalidation --------------------------------------------------------------------- */

static uint64_t ste_word(const struct driver *d, const struct case_stream *s, unsigned int n)
{
	return box_get(&d->c.box, BOX_STRTAB + s->sid * WEIR_SMMU_STE_SIZE + 8 * n);
}

static bool is_el2(const struct driver *d, const struct case_stream *s)
{
	return s->config == 5 && d->c.box.config.idr[0] & WEIR_SMMU_IDR0_HYP &&
	       WEIR_SMMU_FIELD_GET(WEIR_SMMU_STE_1_STRW, ste_word(d, s, 1)) == 2;
}

static uint64_t vmid_of(const struct driver *d, const struct case_stream *s)
{
	if (!(d->c.box.config.idr[0] & WEIR_SMMU_IDR0_S2P) || is_el2(d, s))
		return 0;
	return WEIR_SMMU_FIELD(WEIR_SMMU_CMD_TLBI_0_VMID, ste_word(d, s, 2));
}

static uint64_t asid_of(const struct case_stream *s, unsigned int cd)
{
	return WEIR_SMMU_FIELD(WEIR_SMMU_CMD_TLBI_0_ASID, 1 + s->sid * 2 + cd);
}

/* 4.4.1.1: a range of one granule with a level, or of some granules with or without. */
static void hint(struct driver *d, const struct page *p, uint64_t *words)
{
	static const uint8_t tgs[] = { WEIR_SMMU_CMD_TLBI_TG_4K, WEIR_SMMU_CMD_TLBI_TG_16K,
				       WEIR_SMMU_CMD_TLBI_TG_64K };
	unsigned int choice = take_below(&d->in, 64), granule = p->space->granule;
	unsigned int size = granule + (unsigned int)(3 - p->level) * (granule - 3);
	unsigned int num = choice >> 2 & 3, scale = choice >> 4 & 3;
	uint64_t back;
	bool level = p->level >= (granule == 14 && !p->space->ds ? 2 : 1) && choice & 2;

	if (!has3(d, WEIR_SMMU_IDR3_RIL) || !(choice & 1))
		return;
	if (!level && !num && !scale)
		num = 1;
	words[0] |= WEIR_SMMU_FIELD(WEIR_SMMU_CMD_TLBI_0_NUM, num) |
		    WEIR_SMMU_FIELD(WEIR_SMMU_CMD_TLBI_0_SCALE, scale);
	words[1] &= ~low_bits(level ? size : granule);
	back = (uint64_t)take_below(&d->in, (num + 1) << scale) << granule;
	if (!level && (p->va & low_bits(p->space->input_bits)) >= back)
		words[1] -= back; /* not the first of the range */
	words[1] |= WEIR_SMMU_FIELD(WEIR_SMMU_CMD_TLBI_1_TG, tgs[granule / 2 - 6]) |
		    WEIR_SMMU_FIELD(WEIR_SMMU_CMD_TLBI_1_TTL, level ? p->level : 0);
}

static void tlbi_address(struct driver *d, const struct page *p, uint64_t opcode, bool leaf)
{
	uint64_t words[2] = { opcode, p->va & WEIR_SMMU_CMD_TLBI_1_VA };

	words[0] |= vmid_of(d, p->stream) | asid_of(p->stream, p->cd);
	if (p->space->stage2)
		words[0] &= ~WEIR_SMMU_CMD_TLBI_0_ASID;
	hint(d, p, words);
	words[1] |= leaf ? WEIR_SMMU_CMD_1_LEAF : 0;
	box_queue(&d->c.box, words[0], words[1]);
}

static void tlbi_space(struct driver *d, const struct case_stream *s, unsigned int cd)
{
	uint64_t vmid = vmid_of(d, s);
	bool e2h = d->c.box.regs.cr2 & 1;

	if (is_el2(d, s))
		box_queue(&d->c.box,
			  e2h && !d->globals && take(&d->in, 1) & 1 ?
				  WEIR_SMMU_CMD_TLBI_EL2_ASID | asid_of(s, cd) :
				  WEIR_SMMU_CMD_TLBI_EL2_ALL,
			  0);
	else if (!d->globals && take(&d->in, 1) & 1)
		box_queue(&d->c.box, WEIR_SMMU_CMD_TLBI_NH_ASID | vmid | asid_of(s, cd), 0);
	else
		box_queue(&d->c.box, WEIR_SMMU_CMD_TLBI_NH_ALL | vmid, 0);
}

static void tlbi_vm(struct driver *d, const struct case_stream *s)
{
	bool stage2 = d->c.box.config.idr[0] & WEIR_SMMU_IDR0_S2P;

	if (is_el2(d, s))
		box_queue(&d->c.box, WEIR_SMMU_CMD_TLBI_EL2_ALL, 0);
	else if (stage2 && take(&d->in, 1) & 3)
		box_queue(&d->c.box, WEIR_SMMU_CMD_TLBI_S12_VMALL | vmid_of(d, s), 0);
	else
		box_queue(&d->c.box, WEIR_SMMU_CMD_TLBI_NSNH_ALL, 0);
}

/* A leaf of stage 1, or of stage 2, which may be part of translations of both (4.4.3.1). */
static void tlbi_leaf(struct driver *d, const struct page *p)
{
	bool el2 = is_el2(d, p->stream), any_asid = take(&d->in, 1) & 1;
	uint64_t va = el2 ? WEIR_SMMU_CMD_TLBI_EL2_VA : WEIR_SMMU_CMD_TLBI_NH_VA;
	uint64_t vaa = el2 ? WEIR_SMMU_CMD_TLBI_EL2_VAA : WEIR_SMMU_CMD_TLBI_NH_VAA;

	if (!(take(&d->in, 1) & 7)) {
		tlbi_vm(d, p->stream);
	} else if (p->space->stage2) {
		tlbi_address(d, p, WEIR_SMMU_CMD_TLBI_S2_IPA, true);
		if (p->stream->config == 7)
			box_queue(&d->c.box, WEIR_SMMU_CMD_TLBI_NH_ALL | vmid_of(d, p->stream), 0);
	} else {
		tlbi_address(d, p, any_asid ? vaa : va, true);
	}
}

static void cfgi_cd(struct driver *d, const struct case_stream *s, unsigned int cd)
{
	uint64_t sid = WEIR_SMMU_FIELD(WEIR_SMMU_CMD_0_SID, s->sid);

	if (take(&d->in, 1) & 1)
		box_queue(&d->c.box,
			  WEIR_SMMU_CMD_CFGI_CD | sid | WEIR_SMMU_FIELD(WEIR_SMMU_CMD_0_SSID, cd),
			  WEIR_SMMU_CMD_1_LEAF);
	else
		box_queue(&d->c.box, WEIR_SMMU_CMD_CFGI_CD_ALL | sid, 0);
}

static void cfgi_ste(struct driver *d, const struct case_stream *s)
{
	uint64_t sid = WEIR_SMMU_FIELD(WEIR_SMMU_CMD_0_SID, s->sid);
	unsigned int choice = take_below(&d->in, 4);

	if (choice & 2)
		box_queue(&d->c.box, WEIR_SMMU_CMD_CFGI_STE | sid, WEIR_SMMU_CMD_1_LEAF);
	else
		box_queue(&d->c.box, WEIR_SMMU_CMD_CFGI_STE_RANGE,
			  choice ? WEIR_SMMU_CMD_CFGI_RANGE_ALL : 1);
}

/* ---- Changes -------------------------------------------------------------------------- */

/* One word changes; who then uses it gets the old or the new. */
static void change(struct driver *d, const struct page *p, uint64_t addr, uint64_t value)
{
	static struct case_verdict old;
	struct weir_model_txn txn = txn_of(d, p);

	case_judge(&d->c, &txn, &old);
	box_put(&d->c.box, addr, value);
	/* Of a stage 2 that stage 1's tables are behind, one transaction may use both. */
	if (!p->space->stage2 || p->stream->config == 6)
		case_transaction(&d->c, &txn, &old);
}

/* Whether there is a leaf in the way, or the table is not there. */
static bool occupied(const struct driver *d, const struct case_space *space, uint64_t va, int level)
{
	uint64_t table = space->base;
	unsigned int top = space->input_bits;

	for (int l = space->start; l <= level; l++) {
		unsigned int shift = space->granule + (unsigned int)(3 - l) * (space->granule - 3);
		uint64_t entry = table + ((va & low_bits(top)) >> shift) * 8;
		uint64_t word = box_get(&d->c.box, entry);

		if (!box_at(&d->c.box, entry))
			return true;
		word = space->big_endian ? __builtin_bswap64(word) : word;
		top = shift;
		if (!(word & 1))
			return false;
		if (l == 3 || !(word & 2) || l == level)
			return true;
		table = space->ds ? (word & low_bits(50) & ~low_bits(space->granule)) |
					    (word >> 8 & 3) << 50 :
				    word & low_bits(48) & ~low_bits(space->granule);
	}
	return true;
}

static bool has_block(const struct case_space *space, int level)
{
	return level == 3 || (level == 2 && space->start <= 2) ||
	       (level == 1 && space->granule == 12 && space->start <= 1);
}

static uint64_t some_leaf(struct driver *d, const struct case_space *space, int level)
{
	unsigned int choice = take_below(&d->in, 256);
	unsigned int shift = space->granule + (unsigned int)(3 - level) * (space->granule - 3);
	uint64_t output = (BOX_RAM + (choice >> 4) * 0x1000) & ~low_bits(shift);
	uint64_t word = case_output(&d->c, space, output) | WEIR_VMSA_AF | (level == 3 ? 3 : 1);

	if (space->stage2)
		return word | WEIR_VMSA_S2AP_READ | WEIR_VMSA_S2_MEMATTR |
		       (choice & 1 ? WEIR_VMSA_S2AP_WRITE : 0);
	if (!d->globals || choice & 4)
		word |= WEIR_VMSA_NG;
	return word | WEIR_VMSA_AP_UNPRIV | (choice & 1 ? WEIR_VMSA_AP_RDONLY : 0) |
	       (choice & 2 ? WEIR_VMSA_ATTRINDX : 0);
}

static uint64_t in_order(const struct case_space *space, uint64_t word)
{
	return space->big_endian ? __builtin_bswap64(word) : word;
}

/* What was invalid becomes valid: no command (3.21.1). */
static void map(struct driver *d)
{
	struct case_stream *s = &d->c.streams[take_below(&d->in, d->c.nr_streams)];
	unsigned int choice = take_below(&d->in, 256), cd = s->cds > 1 ? choice & 1 : 0;
	const struct case_space *space =
		s->config & 1 ? &s->stage1[cd][choice >> 1 & 1] : &s->stage2;
	int level = choice >> 2 & 3 ? 3 : choice >> 4 & 3;
	struct page p = { .stream = s, .cd = cd, .space = space, .used = true };
	const struct case_space *via = s->has_stage2 && !space->stage2 ? &s->stage2 : NULL;

	if (!space->base || s->config < 5 || d->nr_pages == PAGES)
		return;
	level = level < space->start ? space->start : level;
	p.level = has_block(space, level) ? level : 3;
	p.va = ((uint64_t)take_below(&d->in, 16) << space->granule |
		(uint64_t)take_below(&d->in, 4) << (space->input_bits - 3)) &
	       low_bits(space->input_bits);
	if (occupied(d, space, p.va, p.level))
		return;
	p.entry = case_map_at(&d->c, space, via, p.va, p.level, some_leaf(d, space, p.level));
	if (!p.entry)
		return;
	p.va |= space->upper ? ~low_bits(space->input_bits) : 0;
	d->pages[d->nr_pages++] = p;
	use(d, &p);
}

static struct page *some_page(struct driver *d)
{
	return d->nr_pages ? &d->pages[take_below(&d->in, d->nr_pages)] : NULL;
}

/* Unmapped, or other permissions; or mapped again. */
static void change_leaf(struct driver *d, struct page *p)
{
	uint64_t word = in_order(p->space, box_get(&d->c.box, p->entry));
	uint64_t flips = WEIR_VMSA_AF | WEIR_VMSA_AP | WEIR_VMSA_UXN;
	unsigned int choice = take_below(&d->in, 64);

	if (p->level < 3 && (word & 3) == 3) /* a table by now, for what was mapped since */
		return;
	if (!(word & 1)) {
		box_put(&d->c.box, p->entry, in_order(p->space, some_leaf(d, p->space, p->level)));
		use(d, p);
		return;
	}
	use(d, p);
	word = choice & 3 ? word ^ (flips & (uint64_t)1 << choice) : 0;
	change(d, p, p->entry, in_order(p->space, word));
	tlbi_leaf(d, p);
	box_sync(&d->c.box);
	use(d, p);
}

/* The table that a page is in is taken away, and put back. */
static void change_table(struct driver *d, struct page *p)
{
	const struct case_space *space = p->space;
	unsigned int shift =
		space->granule + (unsigned int)(3 - space->start) * (space->granule - 3);
	uint64_t entry = space->base + ((p->va & low_bits(space->input_bits)) >> shift) * 8;
	uint64_t word = box_get(&d->c.box, entry);

	if (p->level == space->start || !box_at(&d->c.box, entry))
		return;
	use(d, p);
	change(d, p, entry, 0);
	if (p->space->stage2 || !(take(&d->in, 1) & 1))
		tlbi_vm(d, p->stream);
	else
		tlbi_space(d, p->stream, p->cd);
	box_sync(&d->c.box);
	use(d, p);
	box_put(&d->c.box, entry, word);
	use(d, p);
}

static uint64_t cd_address(const struct driver *d, const struct page *p)
{
	uint64_t word = ste_word(d, p->stream, 0);
	uint64_t ptr = word & WEIR_SMMU_STE_0_S1CONTEXTPTR;

	if (p->stream->cds > 1 && WEIR_SMMU_FIELD_GET(WEIR_SMMU_STE_0_S1FMT, word) % 3)
		ptr = box_get(&d->c.box, ptr) & WEIR_SMMU_L1CD_L2PTR;
	return ptr + p->cd * WEIR_SMMU_CD_SIZE;
}

static void change_cd(struct driver *d, struct page *p)
{
	static const uint64_t bits[] = {
		WEIR_SMMU_CD_0_V,    WEIR_SMMU_CD_0_R,	  WEIR_SMMU_CD_0_A,    WEIR_SMMU_CD_0_AFFD,
		WEIR_SMMU_CD_0_WXN,  WEIR_SMMU_CD_0_PAN,  WEIR_SMMU_CD_0_EPD0, WEIR_SMMU_CD_0_EPD1,
		WEIR_SMMU_CD_0_TBI0, WEIR_SMMU_CD_0_TBI1,
	};
	uint64_t addr = cd_address(d, p), flip = bits[take_below(&d->in, WEIR_ARRAY_SIZE(bits))];

	if (!(p->stream->config & 1))
		return;
	use(d, p);
	change(d, p, addr, box_get(&d->c.box, addr) ^ flip);
	cfgi_cd(d, p->stream, p->cd);
	box_sync(&d->c.box);
	if (flip != WEIR_SMMU_CD_0_V && flip != WEIR_SMMU_CD_0_R && flip != WEIR_SMMU_CD_0_A) {
		tlbi_space(d, p->stream, p->cd);
		box_sync(&d->c.box);
	}
	use(d, p);
}

static void change_ste(struct driver *d, struct page *p)
{
	static const struct {
		unsigned int word;
		uint64_t flip;
	} bits[] = {
		{ 0, WEIR_SMMU_STE_0_V }, { 1, WEIR_BIT(0) }, /* S1DSS */
		{ 1, WEIR_BIT(48) },			      /* PRIVCFG, INSTCFG */
		{ 1, WEIR_BIT(49) },	  { 1, WEIR_BIT(50) },
		{ 1, WEIR_BIT(51) },	  { 2, WEIR_SMMU_STE_2_S2R },
	};
	unsigned int i = take_below(&d->in, WEIR_ARRAY_SIZE(bits));
	uint64_t addr = BOX_STRTAB + p->stream->sid * WEIR_SMMU_STE_SIZE + 8 * bits[i].word;

	use(d, p);
	change(d, p, addr, box_get(&d->c.box, addr) ^ bits[i].flip);
	cfgi_ste(d, p->stream);
	box_sync(&d->c.box);
	use(d, p);
}

/* ---- The run -------------------------------------------------------------------------- */

static void operate(struct driver *d)
{
	unsigned int choice = take_below(&d->in, 16);
	struct page *p = some_page(d);

	if (!p || choice < 4)
		map(d);
	else if (choice < 8)
		change_leaf(d, p);
	else if (choice < 10)
		change_table(d, p);
	else if (choice < 12)
		change_cd(d, p);
	else if (choice < 14)
		change_ste(d, p);
	else if (choice == 14)
		prefetch(d, p);
	else
		use(d, p);
}

static void set_up(struct driver *d)
{
	struct smmucase *c = &d->c;
	unsigned int choice;

	c->in = &d->in;
	box_init(&c->box);
	box_choose(&c->box, &d->in);
	choice = take_below(&d->in, 16);
	c->cached = true;
	c->box.config.caches =
		choice & 3 ? WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL : WEIR_MODEL_SMMUV3_CACHES_NORMAL;
	c->box.config.idr[0] &= ~(uint32_t)WEIR_SMMU_IDR0_HTTU;
	c->box.config.tlb_entries = choice & 4 ? 16 : 256;
	box_create(&c->box);
	case_build(c);
	d->globals = c->nr_streams == 1 && c->streams[0].cds == 1;
	box_enable(&c->box, WEIR_SMMU_CR0_SMMUEN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct driver d;

	memset(&d, 0, sizeof(d));
	d.in = (struct input){ data, size < 1024 ? size : 1024 };
	set_up(&d);
	for (unsigned int i = 0; i < CHANGES && d.in.left; i++)
		operate(&d);
	box_destroy(&d.c.box);
	return 0;
}
