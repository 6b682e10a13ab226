/* SPDX-License-Identifier: MIT */

/*
 * Stage 2: of addresses that come out of stage 1 or in by themselves (class IN), and of those at
 * which the SMMU itself reads and updates: CDs, and descriptors of stage 1 (class CD, TT).
 */

#include "smmuv3/walk.h"

static struct smmu_tag tag_of(const struct smmu_ste *ste)
{
	return (struct smmu_tag){ .world = ste->world, .stage2 = true, .vmid = ste->vmid };
}

/* 5.2 S2PTW. */
static bool is_protected(const struct smmu_ste *ste, uint8_t class, uint8_t memattr)
{
	if (!ste->s2ptw || class == WEIR_SMMU_EVT_CLASS_IN)
		return false;
	return ste->s2fwb ? !(memattr & WEIR_VMSA_MEMATTR_FWB_NORMAL) :
			    !(memattr & WEIR_VMSA_MEMATTR_OUTER);
}

static void fill_in(const struct smmu_tables *tables, uint64_t ipa, uint64_t descriptor,
		    unsigned int shift, struct smmu_translation *out)
{
	*out = (struct smmu_translation){
		.base = smmu_output(tables, descriptor, shift),
		.ipa = ipa & ~smmu_low_bits(shift),
		.size = (uint8_t)shift,
		.leaf = (uint8_t)shift,
		.rights = SMMU_RIGHTS_ALL,
		.memattr2 = (uint8_t)WEIR_SMMU_FIELD_GET(WEIR_VMSA_S2_MEMATTR, descriptor),
		.sh2 = tables->ds ? tables->sh :
				    (uint8_t)WEIR_SMMU_FIELD_GET(WEIR_VMSA_SH, descriptor),
		.stage2 = true,
	};
}

/* ---- Quick ------------------------------------------------------------------------------ */

static inline __attribute__((always_inline)) unsigned int
walk_quick(struct smmu_quick *quick, const struct smmu_access *access, unsigned int flags,
	   const struct smmu_tables *tables, uint64_t ipa)
{
	if (WEIR_UNLIKELY(!tables->quick || (ipa & tables->outside)))
		return 0;
	return smmu_walk_quick(quick, access->smmu, flags, tables, ipa, NULL);
}

bool weir_model_smmu_stage2_quick(const struct smmu_access *access, const struct smmu_ste *ste,
				  unsigned int flags, uint64_t ipa, struct smmu_translation *out)
{
	const struct smmu_tables *tables = &ste->s2;
	struct smmu_quick quick = { .access = access };
	unsigned int shift = walk_quick(&quick, access, flags, tables, ipa);

	if (WEIR_UNLIKELY(!shift))
		return false;
	fill_in(tables, ipa, quick.descriptor, shift, out);
	out->rights2 = tables->rights[SMMU_RIGHTS_INDEX(quick.descriptor)];
	out->clean2 = smmu_is_clean(tables, quick.descriptor);
	return true;
}

static void keep(const struct smmu_access *access, const struct smmu_ste *ste, uint64_t ipa,
		 const struct smmu_translation *out)
{
	const struct smmu_tag tag = tag_of(ste);

	weir_model_smmu_tlb_insert(access, &tag, ipa, out);
}

/* With an IOTLB. */
static uint64_t find_or_keep(const struct smmu_access *access, const struct smmu_ste *ste,
			     uint64_t ipa)
{
	const struct smmu_tag tag = tag_of(ste);
	struct smmu_translation out;

	if (!weir_model_smmu_tlb_find(access->smmu, &tag, ste->s2.granule, ipa, &out)) {
		if (!weir_model_smmu_stage2_quick(access, ste, 0, ipa, &out))
			return SMMU_NOWHERE;
		weir_model_smmu_tlb_insert(access, &tag, ipa, &out);
	}
	if (!smmu_has(out.rights2, SMMU_UNPRIV_R) ||
	    is_protected(ste, WEIR_SMMU_EVT_CLASS_TT, out.memattr2))
		return SMMU_NOWHERE;
	return out.base | (ipa & smmu_low_bits(out.size));
}

uint64_t weir_model_smmu_stage2_quick_read(const struct smmu_access *access,
					   const struct smmu_ste *ste, uint64_t ipa)
{
	struct smmu_quick quick = { .access = access };
	unsigned int shift;
	uint64_t below;

	if (smmu_has_tlb(access))
		return find_or_keep(access, ste, ipa);
	shift = walk_quick(&quick, access, 0, &ste->s2, ipa);
	if (WEIR_UNLIKELY(!shift || is_protected(ste, WEIR_SMMU_EVT_CLASS_TT,
						 (uint8_t)WEIR_SMMU_FIELD_GET(WEIR_VMSA_S2_MEMATTR,
									      quick.descriptor))))
		return SMMU_NOWHERE;
	below = WEIR_LIKELY(shift == 12) ? 0xfff : smmu_low_bits(shift);
	return (quick.descriptor & ste->s2.address & ~below) | (ipa & below);
}

/* ---- Exact ------------------------------------------------------------------------------ */

/* The IOTLB has it, and there is nothing to be made dirty for this access. */
static bool find(const struct smmu_walk *walk, const struct smmu_stage *stage,
		 struct smmu_passage *passage)
{
	struct smmu_translation *found = &passage->found;

	if (!smmu_has_tlb(walk->access) ||
	    (passage->class == WEIR_SMMU_EVT_CLASS_IN && !walk->hoard))
		return false;
	return weir_model_smmu_tlb_find(walk->access->smmu, &stage->tag, stage->tables->granule,
					passage->ipa, found) &&
	       (smmu_has(found->rights2, passage->needs) || !found->clean2 ||
		!(passage->needs & SMMU_RIGHTS_W));
}

static enum smmu_walked find_or_walk(const struct smmu_walk *walk, const struct smmu_stage *stage,
				     struct smmu_passage *passage)
{
	struct smmu_translation *found = &passage->found;
	struct smmu_leaf *leaf = &passage->leaf;
	enum smmu_walked walked;

	leaf->descriptor = leaf->desired = 0;
	if (passage->ipa & ~stage->tables->inputs)
		return weir_model_smmu_walk_fault(walk, stage, WEIR_SMMU_EVT_F_TRANSLATION);
	if (find(walk, stage, passage))
		return SMMU_WALKED;
	walked = weir_model_smmu_walk_exact(walk, stage, passage->ipa, false, leaf);
	if (walked != SMMU_WALKED)
		return walked;
	walked = weir_model_smmu_walk_touch(walk, stage, leaf);
	if (walked != SMMU_WALKED)
		return walked;
	fill_in(stage->tables, passage->ipa, leaf->descriptor, leaf->shift, found);
	found->size = smmu_within(stage->tables, leaf->shift);
	found->rights2 = weir_model_smmu_walk_rights(stage, passage->needs, leaf, &found->clean2);
	if (walk->access->passive)
		leaf->desired = leaf->descriptor;
	if (walk->hoard)
		weir_model_smmu_walk_widen(stage->tables, passage->ipa, leaf, found);
	return SMMU_WALKED;
}

static enum smmu_walked refuse(const struct smmu_walk *walk, const struct smmu_stage *stage,
			       const struct smmu_passage *passage)
{
	weir_model_smmu_walk_fault(walk, stage, WEIR_SMMU_EVT_F_PERMISSION);
	if (passage->class == WEIR_SMMU_EVT_CLASS_TT && !(passage->needs & SMMU_RIGHTS_W))
		walk->fault->reason = WEIR_SMMU_EVT_1_TTRNW;
	if (passage->class == WEIR_SMMU_EVT_CLASS_IN &&
	    smmu_lacks_read(walk->access, passage->found.rights2, passage->found.clean2))
		walk->fault->reason = WEIR_SMMU_EVT_1_RNW;
	return SMMU_WALK_FAULT;
}

static struct smmu_stage stage_of(const struct smmu_walk *walk, const struct smmu_passage *passage)
{
	return (struct smmu_stage){
		.tables = &walk->ste->s2,
		.tag = tag_of(walk->ste),
		.stage2 = true,
		.class = passage->class,
		.ipa = passage->ipa,
	};
}

enum smmu_walked weir_model_smmu_stage2(const struct smmu_walk *walk, struct smmu_passage *passage)
{
	const struct smmu_stage stage = stage_of(walk, passage);
	const struct smmu_leaf *leaf = &passage->leaf;
	enum smmu_walked walked = find_or_walk(walk, &stage, passage);

	if (walked != SMMU_WALKED)
		return walked;
	if (!is_protected(walk->ste, passage->class, passage->found.memattr2) &&
	    (smmu_has(passage->found.rights2, passage->needs) ||
	     (walk->lenient && passage->class == WEIR_SMMU_EVT_CLASS_IN)))
		return SMMU_WALKED;
	/* What may be kept of a page does not depend on who may use it. */
	if (walk->hoard && smmu_has_tlb(walk->access) && leaf->descriptor &&
	    leaf->desired == leaf->descriptor)
		keep(walk->access, walk->ste, passage->ipa, &passage->found);
	return refuse(walk, &stage, passage);
}

/* Combined translations are kept by walk.c, for what stage 1 begins with. */
enum smmu_walked weir_model_smmu_stage2_commit(const struct smmu_walk *walk,
					       const struct smmu_passage *passage)
{
	const struct smmu_stage stage = stage_of(walk, passage);
	enum smmu_walked walked = weir_model_smmu_walk_update(walk, &stage, &passage->leaf);

	if (walked == SMMU_WALKED && passage->leaf.descriptor && smmu_has_tlb(walk->access) &&
	    (passage->class != WEIR_SMMU_EVT_CLASS_IN || walk->hoard))
		keep(walk->access, walk->ste, passage->ipa, &passage->found);
	return walked;
}

static enum smmu_walked pass(const struct smmu_walk *walk, struct smmu_passage *passage,
			     uint64_t *pa)
{
	enum smmu_walked walked = weir_model_smmu_stage2(walk, passage);

	if (walked != SMMU_WALKED)
		return walked;
	*pa = smmu_passed(passage);
	return weir_model_smmu_stage2_commit(walk, passage);
}

enum smmu_walked weir_model_smmu_stage2_read(const struct smmu_walk *walk, uint64_t ipa,
					     uint64_t *pa)
{
	struct smmu_passage passage = {
		.ipa = ipa,
		.class = WEIR_SMMU_EVT_CLASS_TT,
		.needs = SMMU_UNPRIV_R,
	};

	return pass(walk, &passage, pa);
}

bool weir_model_smmu_translate_cd(const struct smmu_access *access, const struct smmu_ste *ste,
				  uint64_t ipa, uint64_t *pa, struct smmu_fault *fault)
{
	struct smmu_passage passage = {
		.ipa = ipa,
		.class = WEIR_SMMU_EVT_CLASS_CD,
		.needs = SMMU_UNPRIV_R,
	};
	enum smmu_walked walked = SMMU_WALK_AGAIN;
	struct smmu_walk walk;

	if (access->smmu->caching != WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL) {
		*pa = weir_model_smmu_stage2_quick_read(access, ste, ipa);
		if (WEIR_LIKELY(*pa != SMMU_NOWHERE))
			return true;
	}
	smmu_walk_begin(&walk, access, ste, fault);
	for (unsigned int i = 0; walked == SMMU_WALK_AGAIN && i < SMMU_WALK_TRIES; i++)
		walked = pass(&walk, &passage, pa);
	if (walked != SMMU_WALKED)
		return false;
	/* A try that met a change left one, which is not that of what follows. */
	*fault = (struct smmu_fault){ 0 };
	return true;
}
