/* SPDX-License-Identifier: MIT */

/*
 * A stream's address through its stages: what is in range at all (3.4.1), the IOTLB, a quick walk,
 * an exact walk. -> walk.h
 */

#include "smmuv3/walk.h"

/* ---- Permissions ------------------------------------------------------------------------ */

/* `addr` is the input of the translation's first stage. */
static void refuse(const struct smmu_access *access, uint64_t addr,
		   const struct smmu_translation *translation, struct smmu_fault *fault)
{
	bool stage2 = smmu_has(translation->rights, smmu_needs(access->flags));
	uint8_t rights = stage2 ? translation->rights2 : translation->rights;

	*fault = (struct smmu_fault){
		.type = WEIR_SMMU_EVT_F_PERMISSION,
		.class = WEIR_SMMU_EVT_CLASS_IN,
		.stage2 = stage2,
		.ipa = translation->ipa | (addr & smmu_low_bits(translation->size)),
	};
	/* At stage 1 whoever may write a page, were it dirty, may read it. */
	if (smmu_lacks_read(access, rights, stage2 && translation->clean2))
		fault->reason = WEIR_SMMU_EVT_1_RNW;
}

static inline bool is_permitted(const struct smmu_access *access,
				const struct smmu_translation *translation)
{
	return smmu_has(translation->rights & translation->rights2, smmu_needs(access->flags));
}

/* ---- The IOTLB -------------------------------------------------------------------------- */

/* AGAIN: it has none that will do. A clean page is walked to for a write, and becomes dirty. */
static enum smmu_walked look_up(const struct smmu_access *access, const struct smmu_tag *tag,
				unsigned int granule, uint64_t addr, struct smmu_translation *out,
				struct smmu_fault *fault)
{
	smmu_count(access, &access->lane->counters.tlb_lookups);
	if (!weir_model_smmu_tlb_find(access->smmu, tag, granule, addr, out))
		return SMMU_WALK_AGAIN;
	if (WEIR_UNLIKELY(!is_permitted(access, out))) {
		if ((out->clean || out->clean2) && (smmu_needs(access->flags) & SMMU_RIGHTS_W))
			return SMMU_WALK_AGAIN;
		if (!smmu_is_lenient(access)) {
			refuse(access, addr, out, fault);
			return SMMU_WALK_FAULT;
		}
	}
	smmu_count(access, &access->lane->counters.tlb_hits);
	return SMMU_WALKED;
}

/* ---- What came out of the tables -------------------------------------------------------- */

/* Of stage 1; the rights are the caller's. */
static inline __attribute__((always_inline)) void fill_in(const struct smmu_cd *cd,
							  const struct smmu_tables *half,
							  uint64_t descriptor, unsigned int shift,
							  struct smmu_translation *out)
{
	unsigned int index = descriptor << 1 & 0x38; /* 8 * AttrIndx */

	out->base = out->ipa = descriptor & half->address & ~smmu_low_bits(shift);
	out->size = out->leaf = (uint8_t)shift;
	/* SH is where it is in WEIR_MODEL_ATTR_SH. */
	out->attributes = (uint16_t)((cd->mair >> index & WEIR_MODEL_ATTR_MEMORY) |
				     (descriptor & WEIR_VMSA_SH));
	out->global = !(descriptor & WEIR_VMSA_NG);
	out->stage1 = true;
	out->stage2 = false;
	out->rights2 = SMMU_RIGHTS_ALL;
	out->memattr2 = out->sh2 = 0;
	out->clean = out->clean2 = false;
}

/* The final address through stage 2: one translation for what both have in common. */
static inline void combine(struct smmu_translation *out, uint64_t ipa,
			   const struct smmu_translation *stage2)
{
	if (out->size > stage2->size)
		out->size = stage2->size;
	out->ipa = ipa & ~smmu_low_bits(out->size);
	out->base =
		(stage2->base | (ipa & smmu_low_bits(stage2->size))) & ~smmu_low_bits(out->size);
	out->rights2 = stage2->rights2;
	out->memattr2 = stage2->memattr2;
	out->sh2 = stage2->sh2;
	out->clean2 = stage2->clean2;
	out->stage2 = true;
}

/* ---- Quick ------------------------------------------------------------------------------ */

static inline bool is_quick(const struct smmu_access *access, const struct smmu_tables *tables)
{
	return tables->quick && access->smmu->caching != WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL;
}

/* Stage 1, alone or under stage 2. */
static bool stage1_quick(const struct smmu_access *access, const struct smmu_context *context,
			 const struct smmu_tables *half, uint64_t addr,
			 struct smmu_translation *out)
{
	const struct smmu_ste *nested = context->stage2 ? &context->ste : NULL;
	struct smmu_quick quick = { .access = access };
	unsigned int shift =
		smmu_walk_quick(&quick, access->smmu, access->flags & 15, half, addr, nested);

	/* What a clean page lets be executed is not in the rights of its descriptor. */
	if (!shift || smmu_is_clean(half, quick.descriptor))
		return false;
	fill_in(&context->cd, half, quick.descriptor, shift, out);
	out->rights = half->rights[SMMU_RIGHTS_INDEX(quick.descriptor)];
	return true;
}

/* Whether a quick walk did it all. */
static bool walk_quick(const struct smmu_access *access, const struct smmu_context *context,
		       const struct smmu_tables *tables, uint64_t addr,
		       struct smmu_translation *out)
{
	const unsigned int flags = access->flags & 15;
	struct smmu_translation stage2;
	uint64_t ipa;

	if (!is_quick(access, tables))
		return false;
	if (!context->stage1)
		return weir_model_smmu_stage2_quick(access, &context->ste, flags, addr, out);
	if (!stage1_quick(access, context, tables, addr, out))
		return false;
	if (!context->stage2)
		return true;
	ipa = out->base | (addr & smmu_low_bits(out->size));
	if (!weir_model_smmu_stage2_quick(access, &context->ste, flags, ipa, &stage2))
		return false;
	combine(out, ipa, &stage2);
	return true;
}

/* ---- Exact ------------------------------------------------------------------------------ */

/*
 * 3.9.1.2: of an address that stage 1 permits nothing of, an ATS request asks stage 2 nothing. What
 * may be executed alone is nothing; where all reads are fetches, what may not is (13.7.1).
 */
static bool is_pointless(const struct smmu_access *access, const struct smmu_ste *ste,
			 uint8_t rights)
{
	uint8_t any = SMMU_UNPRIV_R | SMMU_UNPRIV_W;

	if (ste->instcfg == WEIR_SMMU_STE_INSTCFG_INST)
		any = SMMU_UNPRIV_X | SMMU_UNPRIV_W;
	if (access->flags & WEIR_MODEL_TXN_PRIVILEGED)
		rights >>= WEIR_SMMU_FIELD_SHIFT(SMMU_PRIV_R);
	return (access->flags & WEIR_MODEL_TXN_ATS_REQUEST) && !(rights & any);
}

/* What is elsewhere in a descriptor that holds 52 bits. */
static void fill_in_wide(const struct smmu_tables *half, const struct smmu_leaf *leaf,
			 struct smmu_translation *out)
{
	out->base = out->ipa = smmu_output(half, leaf->descriptor, leaf->shift);
	out->size = smmu_within(half, leaf->shift);
	if (half->ds)
		out->attributes = (uint16_t)((out->attributes & WEIR_MODEL_ATTR_MEMORY) |
					     WEIR_SMMU_FIELD(WEIR_MODEL_ATTR_SH, half->sh));
}

/*
 * 3.10.2.1, 3.17.1, DDI 0487: what was read from Non-secure memory leads nowhere else, and is never
 * global. Once a table is there, all below it are.
 */
static void fill_in_space(const struct smmu_tables *half, const struct smmu_leaf *leaf,
			  struct smmu_translation *out)
{
	bool nonsecure = half->ns || (leaf->tables & WEIR_VMSA_NSTABLE);

	if (nonsecure)
		out->global = false;
	if (nonsecure || (leaf->descriptor & WEIR_VMSA_NS))
		out->attributes |= (uint16_t)WEIR_MODEL_ATTR_NS;
}

static enum smmu_walked walk_stage1(const struct smmu_walk *walk, const struct smmu_stage *stage,
				    const struct smmu_context *context, uint64_t addr,
				    struct smmu_leaf *leaf, struct smmu_translation *out)
{
	enum smmu_walked walked =
		weir_model_smmu_walk_exact(walk, stage, addr, context->stage2, leaf);

	if (walked != SMMU_WALKED)
		return walked;
	walked = weir_model_smmu_walk_touch(walk, stage, leaf);
	if (walked != SMMU_WALKED)
		return walked;
	fill_in(&context->cd, stage->tables, leaf->descriptor, leaf->shift, out);
	fill_in_wide(stage->tables, leaf, out);
	if (WEIR_UNLIKELY(smmu_is_secure_world(context->ste.world)))
		fill_in_space(stage->tables, leaf, out);
	out->rights = weir_model_smmu_walk_rights(stage, walk->needs, leaf, &out->clean);
	if (walk->access->passive)
		leaf->desired = leaf->descriptor;
	if (walk->hoard)
		weir_model_smmu_walk_widen(stage->tables, addr, leaf, out);
	if (context->stage2 && is_pointless(walk->access, walk->ste, out->rights)) {
		refuse(walk->access, addr, out, walk->fault);
		return SMMU_WALK_FAULT;
	}
	if (walk->lenient || smmu_has(out->rights, walk->needs))
		return SMMU_WALKED;
	/* What may be kept of a page does not depend on who may use it. */
	if (walk->hoard && !context->stage2 && leaf->desired == leaf->descriptor &&
	    smmu_has_tlb(walk->access))
		weir_model_smmu_tlb_insert(walk->access, &stage->tag, addr, out);
	refuse(walk->access, addr, out, walk->fault);
	return SMMU_WALK_FAULT;
}

/*
 * Of an ATS request for writing that is not granted by both stages, nothing gets dirty (3.13.7.1).
 * The rights of a page that stays clean: without writing.
 */
static void stay_clean(struct smmu_leaf *leaf, struct smmu_translation *out)
{
	if (!((leaf->desired ^ leaf->descriptor) & SMMU_DIRTY_STATE))
		return;
	leaf->desired ^= SMMU_DIRTY_STATE;
	out->rights &= (uint8_t)~SMMU_RIGHTS_W;
	out->clean = true;
}

/* Stage 2, if stage 1's descriptor is to be updated, of the page in which that is (3.13.5). */
static enum smmu_walked pass_under(const struct smmu_walk *walk, struct smmu_leaf *leaf,
				   struct smmu_passage *under)
{
	enum smmu_walked walked;

	if (leaf->desired == leaf->descriptor)
		return SMMU_WALKED;
	under->ipa = leaf->where_ipa;
	under->class = WEIR_SMMU_EVT_CLASS_TT;
	under->needs = SMMU_UNPRIV_W;
	walked = weir_model_smmu_stage2(walk, under);
	if (walked == SMMU_WALKED)
		leaf->where = smmu_passed(under);
	return walked;
}

/* Stage 2, of the address that came out of stage 1. */
static enum smmu_walked pass_stage2(const struct smmu_walk *walk, uint64_t addr,
				    struct smmu_leaf *leaf, struct smmu_passage *last,
				    struct smmu_translation *out)
{
	enum smmu_walked walked;

	last->ipa = out->base | (addr & smmu_low_bits(out->size));
	last->class = WEIR_SMMU_EVT_CLASS_IN;
	/* Lenient, and not permitted by stage 1: then it needs nothing of stage 2. */
	last->needs = smmu_has(out->rights, walk->needs) ? walk->needs : 0;
	walked = weir_model_smmu_stage2(walk, last);
	if (walked != SMMU_WALKED)
		return walked;
	if (!smmu_has(last->found.rights2, last->needs))
		stay_clean(leaf, out);
	combine(out, last->ipa, &last->found);
	return SMMU_WALKED;
}

static enum smmu_walked commit(const struct smmu_walk *walk, const struct smmu_stage *stage,
			       const struct smmu_leaf *leaf, const struct smmu_passage *under)
{
	if (under && leaf->desired != leaf->descriptor) {
		enum smmu_walked walked = weir_model_smmu_stage2_commit(walk, under);

		if (walked != SMMU_WALKED)
			return walked;
	}
	return weir_model_smmu_walk_update(walk, stage, leaf);
}

static enum smmu_walked walk_exact(const struct smmu_walk *walk, const struct smmu_context *context,
				   const struct smmu_stage *stage, uint64_t addr,
				   struct smmu_translation *out)
{
	struct smmu_passage under, last;
	struct smmu_leaf leaf;
	enum smmu_walked walked = walk_stage1(walk, stage, context, addr, &leaf, out);

	if (walked != SMMU_WALKED)
		return walked;
	if (!context->stage2)
		return commit(walk, stage, &leaf, NULL);
	walked = pass_under(walk, &leaf, &under);
	if (walked == SMMU_WALKED && !walk->to_ipa)
		walked = pass_stage2(walk, addr, &leaf, &last, out);
	if (walked != SMMU_WALKED)
		return walked;
	walked = commit(walk, stage, &leaf, &under);
	if (walked != SMMU_WALKED || walk->to_ipa)
		return walked;
	return weir_model_smmu_stage2_commit(walk, &last);
}

/* ---- Stage by stage --------------------------------------------------------------------- */

/* 3.4.1; 5.4 EPDx, E0PDx, TBIx. False: F_TRANSLATION. *va becomes what tags it in the IOTLB. */
static bool is_in_range(const struct smmu_tables *half, uint16_t flags, uint64_t *va)
{
	if (half->disabled || (half->e0pd && !(flags & WEIR_MODEL_TXN_PRIVILEGED)))
		return false;
	if (half->tbi)
		*va = (uint64_t)((int64_t)(*va << 8) >> 8);
	return (*va & half->outside) == half->sign;
}

static enum smmu_walked stage1_exact(const struct smmu_walk *walk,
				     const struct smmu_context *context,
				     const struct smmu_tables *half, uint64_t addr,
				     struct smmu_translation *out)
{
	const struct smmu_stage stage = {
		.tables = half,
		.tag = smmu_context_tag(context),
		.class = WEIR_SMMU_EVT_CLASS_IN,
	};
	enum smmu_walked walked = SMMU_WALK_AGAIN;

	for (unsigned int i = 0; walked == SMMU_WALK_AGAIN && i < SMMU_WALK_TRIES; i++)
		walked = walk_exact(walk, context, &stage, addr, out);
	return walked;
}

static enum smmu_walked stage2_exact(const struct smmu_walk *walk, struct smmu_translation *out)
{
	struct smmu_passage passage = {
		.ipa = walk->access->va,
		.class = WEIR_SMMU_EVT_CLASS_IN,
		.needs = walk->needs,
	};
	enum smmu_walked walked = SMMU_WALK_AGAIN;

	for (unsigned int i = 0; walked == SMMU_WALK_AGAIN && i < SMMU_WALK_TRIES; i++) {
		walked = weir_model_smmu_stage2(walk, &passage);
		if (walked == SMMU_WALKED)
			walked = weir_model_smmu_stage2_commit(walk, &passage);
	}
	if (walked == SMMU_WALKED)
		*out = passage.found;
	return walked;
}

static __attribute__((noinline)) bool exact(const struct smmu_access *access,
					    const struct smmu_context *context,
					    const struct smmu_tables *tables, uint64_t addr,
					    struct smmu_translation *out, struct smmu_fault *fault)
{
	struct smmu_walk walk;

	smmu_walk_begin(&walk, access, &context->ste, fault);
	if (!context->stage1)
		return stage2_exact(&walk, out) == SMMU_WALKED;
	return stage1_exact(&walk, context, tables, addr, out) == SMMU_WALKED;
}

/* By a walk. `tables` and `addr`: of the first stage. */
static bool walk(const struct smmu_access *access, const struct smmu_context *context,
		 const struct smmu_tables *tables, uint64_t addr, struct smmu_translation *out,
		 struct smmu_fault *fault)
{
	smmu_count(access, &access->lane->counters.walks);
	return walk_quick(access, context, tables, addr, out) ||
	       exact(access, context, tables, addr, out, fault);
}

/* With an IOTLB. */
static __attribute__((noinline)) bool look_up_or_walk(const struct smmu_access *access,
						      const struct smmu_context *context,
						      const struct smmu_tables *tables,
						      uint64_t addr, struct smmu_translation *out,
						      struct smmu_fault *fault)
{
	const struct smmu_tag tag = smmu_context_tag(context);
	/* Nested entries are no larger than stage 2's. */
	unsigned int granule = context->stage2 && context->ste.s2.granule < tables->granule ?
				       context->ste.s2.granule :
				       tables->granule;
	enum smmu_walked walked = look_up(access, &tag, granule, addr, out, fault);

	if (walked != SMMU_WALK_AGAIN)
		return walked == SMMU_WALKED;
	if (!walk(access, context, tables, addr, out, fault))
		return false;
	weir_model_smmu_tlb_insert(access, &tag, addr, out);
	return true;
}

static bool out_of_range(struct smmu_fault *fault, uint8_t type)
{
	*fault = (struct smmu_fault){ .type = type, .class = WEIR_SMMU_EVT_CLASS_IN };
	return false;
}

bool weir_model_smmu_translate_address(const struct smmu_access *access,
				       const struct smmu_context *context,
				       struct smmu_translation *out, struct smmu_fault *fault)
{
	const struct smmu_tables *tables = &context->ste.s2;
	uint64_t addr = access->va;

	if (context->stage1) {
		tables = &context->cd.half[addr >> 55 & 1];
		if (!is_in_range(tables, access->flags, &addr))
			return out_of_range(fault, WEIR_SMMU_EVT_F_TRANSLATION);
	} else if (addr & ~smmu_low_bits(access->smmu->features.ias)) {
		/* 3.4: of the stage that is bypassed. */
		return out_of_range(fault, WEIR_SMMU_EVT_F_ADDR_SIZE);
	}
	if (smmu_has_tlb(access))
		return look_up_or_walk(access, context, tables, addr, out, fault);
	return walk(access, context, tables, addr, out, fault);
}

bool weir_model_smmu_translate_to_ipa(const struct smmu_access *access,
				      const struct smmu_context *context,
				      struct smmu_translation *out, struct smmu_fault *fault)
{
	const struct smmu_tables *half = &context->cd.half[access->va >> 55 & 1];
	uint64_t addr = access->va;
	struct smmu_walk walk;

	if (!is_in_range(half, access->flags, &addr))
		return out_of_range(fault, WEIR_SMMU_EVT_F_TRANSLATION);
	smmu_count(access, &access->lane->counters.walks);
	smmu_walk_begin(&walk, access, &context->ste, fault);
	walk.to_ipa = true;
	return stage1_exact(&walk, context, half, addr, out) == SMMU_WALKED;
}

/* ---- At once ---------------------------------------------------------------------------- */

bool weir_model_smmu_walk_through_both(struct weir_model_smmuv3 *smmu,
				       const struct smmu_context *context,
				       const struct smmu_tables *half, uint64_t addr,
				       unsigned int flags, struct weir_model_translation *out)
{
	const struct smmu_access access = {
		.smmu = smmu,
		.flags = (uint16_t)flags,
		.attributes = WEIR_MODEL_ATTR_PCIE,
	};
	struct smmu_quick quick = { .access = &access };
	struct smmu_translation both, stage2;
	unsigned int shift = smmu_walk_quick(&quick, smmu, flags & 15, half, addr, &context->ste);
	uint64_t ipa;

	if (!shift)
		return false;
	fill_in(&context->cd, half, quick.descriptor, shift, &both);
	ipa = both.base | (addr & smmu_low_bits(shift));
	if (!weir_model_smmu_stage2_quick(&access, &context->ste, flags & 15, ipa, &stage2))
		return false;
	combine(&both, ipa, &stage2);
	out->addr = stage2.base | (ipa & smmu_low_bits(stage2.size));
	out->attributes = weir_model_smmu_attributes(&access, &context->ste, &both);
	return true;
}

/* It keeps nothing: it is for where there is no IOTLB. */
bool weir_model_smmu_walk_through(const struct smmu_access *access,
				  const struct smmu_context *context,
				  struct weir_model_translation *out)
{
	const struct smmu_tables *half = &context->cd.half[access->va >> 55 & 1];
	bool done;

	if (!context->stage1 || smmu_has_tlb(access) || !half->through ||
	    (access->va & half->outside) != half->sign ||
	    (uint8_t)access->attributes != (uint8_t)WEIR_MODEL_ATTR_PCIE)
		return false;
	done = half->through == SMMU_THROUGH_STAGE1 ?
		       smmu_walk_through_stage1(access->smmu, context, half, access->va,
						access->flags, out) :
		       weir_model_smmu_walk_through_both(access->smmu, context, half, access->va,
							 access->flags, out);
	if (done)
		smmu_count(access, &access->lane->counters.walks);
	return done;
}
