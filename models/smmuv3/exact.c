/* SPDX-License-Identifier: MIT */

/* The exact walker (walk.h), of one stage: VMSAv8-64 tables of all kinds, and their updates. */

#include "smmuv3/walk.h"

enum smmu_walked weir_model_smmu_walk_fault(const struct smmu_walk *walk,
					    const struct smmu_stage *stage, uint8_t type)
{
	*walk->fault = (struct smmu_fault){
		.type = type,
		.class = stage->class,
		.stage2 = stage->stage2,
		.ipa = stage->ipa,
	};
	return SMMU_WALK_FAULT;
}

/* 7.3.12: of stage 1 this is class TT, unlike its other faults. */
static enum smmu_walked abort_at(const struct smmu_walk *walk, const struct smmu_stage *stage,
				 uint64_t where)
{
	weir_model_smmu_walk_fault(walk, stage, WEIR_SMMU_EVT_F_WALK_EABT);
	if (!stage->stage2)
		walk->fault->class = WEIR_SMMU_EVT_CLASS_TT;
	walk->fault->fetch = where;
	return SMMU_WALK_FAULT;
}

/* ---- The way down ----------------------------------------------------------------------- */

static uint64_t in_order(const struct smmu_tables *tables, uint64_t descriptor)
{
	return tables->big_endian ? __builtin_bswap64(descriptor) : descriptor;
}

/* The descriptor at leaf->where_ipa, which is its address, or becomes it through stage 2. */
static enum smmu_walked fetch(const struct smmu_walk *walk, const struct smmu_stage *stage,
			      bool nested, struct smmu_leaf *leaf)
{
	uint64_t word;

	leaf->where = leaf->where_ipa;
	if (nested) {
		enum smmu_walked walked =
			weir_model_smmu_stage2_read(walk, leaf->where_ipa, &leaf->where);

		if (walked != SMMU_WALKED)
			return walked;
	}
	smmu_monitor(walk->access, WEIR_SMMU_PMCG_WALK_ACCESS, WEIR_SMMU_PMCG_TLB_MISS);
	if (smmu_load64(&walk->access->smmu->memory, leaf->where, &word) != WEIR_MODEL_OK)
		return abort_at(walk, stage, leaf->where);
	leaf->descriptor = leaf->desired = in_order(stage->tables, word);
	return SMMU_WALKED;
}

/* 7.3.22: the leaf's type, then its output. */
static enum smmu_walked check_leaf(const struct smmu_walk *walk, const struct smmu_stage *stage,
				   uint64_t addr, const struct smmu_leaf *leaf)
{
	const struct smmu_tables *tables = stage->tables;
	uint64_t output = smmu_output(tables, leaf->descriptor, leaf->shift);

	if (!smmu_is_leaf(tables, leaf->descriptor, leaf->shift, tables->granule))
		return weir_model_smmu_walk_fault(walk, stage, WEIR_SMMU_EVT_F_TRANSLATION);
	/* A block may be larger than all that there is to put out (3.4). */
	if ((output | (addr & smmu_low_bits(leaf->shift))) & tables->beyond)
		return weir_model_smmu_walk_fault(walk, stage, WEIR_SMMU_EVT_F_ADDR_SIZE);
	return SMMU_WALKED;
}

/*
 * Walk caches. Of stage 1 under stage 2 they keep intermediate addresses, which go through stage 2
 * each time: a table may lie in pages that do not lie together.
 */
static void begin_at(const struct smmu_walk *walk, const struct smmu_stage *stage, uint64_t addr,
		     struct smmu_leaf *leaf)
{
	const struct smmu_tables *tables = stage->tables;
	struct smmu_walk_step step;
	uint64_t index;

	leaf->tables = 0;
	leaf->shift = tables->shift;
	leaf->where_ipa =
		tables->base + ((addr & tables->inputs) >> tables->shift) * sizeof(uint64_t);
	if (!walk->hoard ||
	    !weir_model_smmu_walk_find(walk->access->smmu, &stage->tag, tables, addr, &step))
		return;
	leaf->tables = step.attributes;
	leaf->shift =
		tables->granule + (unsigned int)(SMMU_LAST_LEVEL - step.level) * tables->stride;
	index = addr >> leaf->shift & smmu_low_bits(tables->stride);
	leaf->where_ipa = step.table + index * sizeof(uint64_t);
}

static void hoard(const struct smmu_walk *walk, const struct smmu_stage *stage, uint64_t addr,
		  uint64_t table, const struct smmu_leaf *leaf)
{
	const struct smmu_tables *tables = stage->tables;
	struct smmu_walk_step step = {
		.table = table,
		.attributes = leaf->tables & tables->limits,
		.level = (int8_t)(SMMU_LAST_LEVEL -
				  (leaf->shift - tables->granule) / tables->stride),
	};

	weir_model_smmu_walk_insert(walk->access, &stage->tag, tables, addr, &step);
}

/*
 * `addr`: within the range of the tables. The index into the next table is at the top of `cursor`.
 */
enum smmu_walked weir_model_smmu_walk_exact(const struct smmu_walk *walk,
					    const struct smmu_stage *stage, uint64_t addr,
					    bool nested, struct smmu_leaf *leaf)
{
	const struct smmu_tables *tables = stage->tables;
	uint64_t cursor, next;
	enum smmu_walked walked;

	begin_at(walk, stage, addr, leaf);
	for (cursor = addr << (64 - leaf->shift);; cursor <<= tables->stride) {
		walked = fetch(walk, stage, nested, leaf);
		if (walked != SMMU_WALKED)
			return walked;
		if ((leaf->descriptor & WEIR_VMSA_TYPE) != WEIR_VMSA_TYPE_TABLE ||
		    leaf->shift == tables->granule)
			return check_leaf(walk, stage, addr, leaf);
		next = smmu_output(tables, leaf->descriptor, tables->granule);
		if (next & tables->beyond)
			return weir_model_smmu_walk_fault(walk, stage, WEIR_SMMU_EVT_F_ADDR_SIZE);
		leaf->tables |= leaf->descriptor;
		leaf->shift -= tables->stride;
		leaf->where_ipa = next + (cursor >> (64 - tables->stride)) * sizeof(next);
		if (walk->hoard)
			hoard(walk, stage, addr, next, leaf);
	}
}

/* ---- Updates (3.13) --------------------------------------------------------------------- */

/*
 * Also where it was changed meanwhile there is a fault to be reported: the last walk of many ends
 * with it.
 */
enum smmu_walked weir_model_smmu_walk_update(const struct smmu_walk *walk,
					     const struct smmu_stage *stage,
					     const struct smmu_leaf *leaf)
{
	const uint64_t before = in_order(stage->tables, leaf->descriptor);
	const uint64_t after = in_order(stage->tables, leaf->desired);
	uint64_t word = before;

	if (before == after)
		return SMMU_WALKED;
	smmu_monitor(walk->access, WEIR_SMMU_PMCG_WALK_ACCESS, WEIR_SMMU_PMCG_TLB_MISS);
	if (weir_model_smmu_cas64(&walk->access->smmu->memory, leaf->where, &word, after) !=
	    WEIR_MODEL_OK)
		return abort_at(walk, stage, leaf->where);
	if (word == before)
		return SMMU_WALKED;
	abort_at(walk, stage, leaf->where);
	return SMMU_WALK_AGAIN;
}

enum smmu_walked weir_model_smmu_walk_touch(const struct smmu_walk *walk,
					    const struct smmu_stage *stage, struct smmu_leaf *leaf)
{
	if (leaf->descriptor & WEIR_VMSA_AF)
		return SMMU_WALKED;
	if (stage->tables->ha && !walk->access->silent) {
		leaf->desired |= WEIR_VMSA_AF;
		return SMMU_WALKED;
	}
	if (stage->tables->affd)
		return SMMU_WALKED;
	return weir_model_smmu_walk_fault(walk, stage, WEIR_SMMU_EVT_F_ACCESS);
}

/* A descriptor as the tables above limit it. */
static uint64_t limited(uint64_t descriptor, uint64_t limits)
{
	if (limits & WEIR_VMSA_APTABLE_NO_UNPRIV)
		descriptor &= ~WEIR_VMSA_AP_UNPRIV;
	if (limits & WEIR_VMSA_APTABLE_RDONLY)
		descriptor |= WEIR_VMSA_AP_RDONLY;
	if (limits & WEIR_VMSA_PXNTABLE)
		descriptor |= WEIR_VMSA_PXN;
	if (limits & WEIR_VMSA_UXNTABLE)
		descriptor |= WEIR_VMSA_UXN;
	return descriptor;
}

/*
 * 3.13.3: hardware management makes a clean page a writable one for all rules (WXN among them) but
 * that the first write marks it. What tables forbid stays forbidden.
 */
uint8_t weir_model_smmu_walk_rights(const struct smmu_stage *stage, uint8_t needs,
				    struct smmu_leaf *leaf, bool *clean)
{
	const struct smmu_tables *tables = stage->tables;
	uint64_t limits = leaf->tables & tables->limits;
	uint64_t descriptor = limited(leaf->descriptor, limits);
	uint8_t rights;

	*clean = false;
	if (!smmu_is_clean(tables, descriptor) || (limits & WEIR_VMSA_APTABLE_RDONLY))
		return tables->rights[SMMU_RIGHTS_INDEX(descriptor)];
	rights = tables->rights[SMMU_RIGHTS_INDEX(descriptor ^ SMMU_DIRTY_STATE)];
	if ((needs & SMMU_RIGHTS_W) && smmu_has(rights, needs)) {
		leaf->desired ^= SMMU_DIRTY_STATE;
		return rights;
	}
	*clean = rights & SMMU_RIGHTS_W;
	return rights & (uint8_t)~SMMU_RIGHTS_W;
}

/* ---- The contiguous hint (DDI 0487 D8.6.1) ---------------------------------------------- */

/* log2 of the pages or blocks of a run; 0: no runs at this level. */
static unsigned int run_of(const struct smmu_tables *tables, unsigned int shift)
{
	bool pages = shift == tables->granule;

	switch (tables->granule) {
	case 12:
		return shift <= 30 ? 4 : 0;
	case 14:
		return pages ? 7 : shift == 25 ? 5 : 0;
	default:
		return shift <= 29 ? 5 : 0;
	}
}

/* A run that is not one in truth (its output out of line, or beyond the range) is left alone. */
void weir_model_smmu_walk_widen(const struct smmu_tables *tables, uint64_t addr,
				const struct smmu_leaf *leaf, struct smmu_translation *out)
{
	unsigned int size = leaf->shift + run_of(tables, leaf->shift);

	if (!(leaf->descriptor & WEIR_VMSA_CONT) || size > tables->input_bits ||
	    size > tables->output_bits ||
	    ((out->base ^ addr) & smmu_low_bits(size) & ~smmu_low_bits(leaf->shift)))
		return;
	out->base &= ~smmu_low_bits(size);
	out->ipa &= ~smmu_low_bits(size);
	out->size = (uint8_t)size;
}
