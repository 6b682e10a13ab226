/* SPDX-License-Identifier: MIT */

/*
 * Memory attributes (chapter 13): what comes in, with the stream's overrides; stage 1's in its
 * place; stage 2's combined with that; and what cannot be said made consistent in the end.
 *
 * A memory type is worked with as the two halves of a MAIR byte, the outer and the inner level: of
 * Normal memory a policy and hints each.
 */

#include "smmuv3/internal.h"
#include "smmuv3/walk.h"

/* Of a level, as in MemAttr: from the strongest to the weakest (figure 13.1). */
enum policy {
	POLICY_NC = WEIR_VMSA_MEMATTR_NC,
	POLICY_WT = WEIR_VMSA_MEMATTR_WT,
	POLICY_WB = WEIR_VMSA_MEMATTR_WB,
};

struct level {
	enum policy policy;
	uint8_t allocate; /* R: 2, W: 1, as in MAIR */
	bool transient;
};

struct attributes {
	bool device;
	/* 0 nGnRnE, the strongest, to 3 GRE: bits [3:2] of MAIR, MemAttr[1:0] */
	uint8_t device_type;
	struct level outer, inner;
	uint8_t sh;
};

/* 13.1.3: of a type that says nothing of hints. */
static const struct level all_hints = { POLICY_WB, 3, false };

static struct level decode_level(unsigned int nibble)
{
	if (nibble == 4)
		return (struct level){ POLICY_NC, 0, false };
	return (struct level){
		.policy = nibble & 4 ? POLICY_WB : POLICY_WT,
		.allocate = nibble & 3,
		.transient = !(nibble & 8),
	};
}

/* 13.1.7: no hints where nothing is cached, not transient where nothing is allocated. */
static unsigned int encode_level(const struct level *level)
{
	if (level->policy == POLICY_NC)
		return 4;
	return (level->policy == POLICY_WB ? 4u : 0u) |
	       (level->transient && level->allocate ? 0u : 8u) | level->allocate;
}

/* 13.1.1, 13.1.4: what is not cached at all is outer shareable, whatever becomes of it later. */
static void settle_sh(struct attributes *attributes)
{
	if (attributes->device ||
	    (attributes->outer.policy == POLICY_NC && attributes->inner.policy == POLICY_NC))
		attributes->sh = WEIR_VMSA_SH_OSH;
}

/* Reserved encodings: as 5.4 has it for MAIR. */
static struct attributes decode(uint8_t memory, unsigned int sh)
{
	struct attributes attributes = { .sh = (uint8_t)sh };

	if (memory & 0xf0) {
		attributes.outer = decode_level(memory >> 4);
		attributes.inner = decode_level(memory & 0x0f ? memory & 0x0f : 3);
	} else {
		attributes.device = true;
		attributes.device_type = memory >> 2 & 3;
	}
	settle_sh(&attributes);
	return attributes;
}

static uint16_t encode(const struct attributes *attributes)
{
	unsigned int memory = (unsigned int)attributes->device_type << 2;

	if (!attributes->device)
		memory = encode_level(&attributes->outer) << 4 | encode_level(&attributes->inner);
	return smmu_consistent((uint8_t)memory, attributes->sh);
}

/* ---- Overrides (13.1.4) ----------------------------------------------------------------- */

/* Those of an STE or GBPA, as encoded. */
struct overrides {
	bool mtcfg;
	uint8_t memattr, alloccfg, shcfg;
};

static void replace_level(struct level *level, bool device, enum policy policy)
{
	if (device || level->policy == POLICY_NC)
		*level = all_hints;
	level->policy = policy;
}

static void replace_type(struct attributes *attributes, unsigned int memattr)
{
	unsigned int outer = memattr >> 2, inner = memattr & 3;

	/* 5.2 MemAttr: Normal memory of no inner level is Device-nGnRnE. */
	if (!outer || !inner) {
		*attributes = (struct attributes){
			.device = true,
			.device_type = outer ? 0 : (uint8_t)inner,
			.sh = attributes->sh,
		};
		return;
	}
	replace_level(&attributes->outer, attributes->device, outer);
	replace_level(&attributes->inner, attributes->device, inner);
	attributes->device = false;
}

static void replace_hints(struct level *level, unsigned int alloccfg)
{
	level->allocate = (alloccfg & WEIR_SMMU_ALLOCCFG_READ ? 2 : 0) |
			  (alloccfg & WEIR_SMMU_ALLOCCFG_WRITE ? 1 : 0);
	level->transient = alloccfg & WEIR_SMMU_ALLOCCFG_TRANSIENT;
}

static void replace(struct attributes *attributes, const struct overrides *overrides)
{
	if (overrides->mtcfg)
		replace_type(attributes, overrides->memattr);
	if (overrides->alloccfg & WEIR_SMMU_ALLOCCFG_OVERRIDE) {
		replace_hints(&attributes->outer, overrides->alloccfg);
		replace_hints(&attributes->inner, overrides->alloccfg);
	}
	if (overrides->shcfg != WEIR_SMMU_STE_SHCFG_INCOMING)
		attributes->sh = overrides->shcfg;
	settle_sh(attributes);
}

static struct attributes incoming(const struct smmu_access *access)
{
	return decode(access->attributes & WEIR_MODEL_ATTR_MEMORY,
		      (unsigned int)WEIR_SMMU_FIELD_GET(WEIR_MODEL_ATTR_SH, access->attributes));
}

/* ---- Stages (13.4.2, 13.1.5) ------------------------------------------------------------ */

/* Stage 1's level; hints that came in can but take away. */
static struct level combine_hints(struct level stage1, const struct level *in, bool in_device)
{
	if (in_device || in->policy == POLICY_NC || stage1.policy == POLICY_NC)
		return stage1;
	stage1.allocate &= in->allocate;
	stage1.transient |= in->transient;
	return stage1;
}

static struct attributes through_stage1(const struct attributes *in, uint16_t stage1)
{
	struct attributes out =
		decode(stage1 & WEIR_MODEL_ATTR_MEMORY,
		       (unsigned int)WEIR_SMMU_FIELD_GET(WEIR_MODEL_ATTR_SH, stage1));

	if (out.device)
		return out;
	out.outer = combine_hints(out.outer, &in->outer, in->device);
	out.inner = combine_hints(out.inner, &in->inner, in->device);
	return out;
}

/* Outer shareable is stronger than inner, inner than none; 1 is reserved, and is none. */
static uint8_t combine_sh(uint8_t a, uint8_t b)
{
	if (a == WEIR_VMSA_SH_OSH || b == WEIR_VMSA_SH_OSH)
		return WEIR_VMSA_SH_OSH;
	return a == WEIR_VMSA_SH_ISH || b == WEIR_VMSA_SH_ISH ? WEIR_VMSA_SH_ISH : 0;
}

static void combine_device(struct attributes *attributes, uint8_t type)
{
	if (!attributes->device || attributes->device_type > type)
		attributes->device_type = type;
	attributes->device = true;
}

static void combine_type(struct attributes *attributes, uint8_t memattr)
{
	enum policy outer = memattr >> 2, inner = memattr & 3;

	if (memattr >> 2 == WEIR_VMSA_MEMATTR_DEVICE) {
		combine_device(attributes, memattr & 3);
		return;
	}
	/* DDI 0487: no inner level is reserved; it is Device-nGnRnE here, as in 5.2 MemAttr. */
	if (!(memattr & 3)) {
		combine_device(attributes, 0);
		return;
	}
	if (attributes->outer.policy > outer)
		attributes->outer.policy = outer;
	if (attributes->inner.policy > inner)
		attributes->inner.policy = inner;
}

/* 13.1.6: stage 2 decides, and does not combine. */
static void force_type(struct attributes *attributes, uint8_t memattr)
{
	struct level none = { POLICY_NC, 0, false };

	switch (memattr & 7) {
	case WEIR_VMSA_MEMATTR_FWB_WB:
		replace_level(&attributes->outer, attributes->device, POLICY_WB);
		replace_level(&attributes->inner, attributes->device, POLICY_WB);
		attributes->device = false;
		return;
	case WEIR_VMSA_MEMATTR_FWB_NC:
		attributes->outer = attributes->inner = none;
		return;
	case WEIR_VMSA_MEMATTR_FWB_STAGE1:
		return;
	default: /* 4 is reserved: as above */
		combine_device(attributes, memattr & 4 ? 0 : memattr & 3);
	}
}

static void through_stage2(struct attributes *attributes, const struct smmu_ste *ste,
			   const struct smmu_translation *translation)
{
	if (ste->s2fwb)
		force_type(attributes, translation->memattr2);
	else
		combine_type(attributes, translation->memattr2);
	attributes->sh = combine_sh(attributes->sh, translation->sh2);
}

/* ---- What goes out ---------------------------------------------------------------------- */

/* Nothing is combined that could change what stage 1 says: most transactions. */
static inline bool is_plain(const struct smmu_access *access, const struct smmu_ste *ste,
			    const struct smmu_translation *translation)
{
	return translation->stage1 && !ste->replaces &&
	       (uint8_t)access->attributes == WEIR_VMSA_MAIR_NORMAL_WB &&
	       (!translation->stage2 || (!ste->s2fwb && translation->memattr2 == 0xf));
}

static uint16_t of_stages(const struct smmu_access *access, const struct smmu_ste *ste,
			  const struct smmu_translation *translation)
{
	const struct overrides overrides = {
		.mtcfg = ste->mtcfg,
		.memattr = ste->memattr,
		.alloccfg = ste->alloccfg,
		.shcfg = ste->shcfg,
	};
	struct attributes attributes = incoming(access);

	replace(&attributes, &overrides);
	if (translation->stage1)
		attributes = through_stage1(&attributes, translation->attributes);
	if (translation->stage2)
		through_stage2(&attributes, ste, translation);
	return encode(&attributes);
}

/* 5.2 NSCFG, 6.3.63: of a Secure stream that no stage 1 translates. */
static uint16_t replace_space(uint16_t incoming, unsigned int nscfg)
{
	if (nscfg == WEIR_SMMU_STE_NSCFG_SECURE)
		return 0;
	return nscfg == WEIR_SMMU_STE_NSCFG_NONSECURE ? (uint16_t)WEIR_MODEL_ATTR_NS :
							incoming & (uint16_t)WEIR_MODEL_ATTR_NS;
}

/* 13.4: `out` is Non-secure, as is all that does not come from a Secure stream. */
static uint16_t with_space(const struct smmu_access *access, const struct smmu_ste *ste,
			   const struct smmu_translation *translation, uint16_t out)
{
	out &= (uint16_t)~WEIR_MODEL_ATTR_NS;
	if (translation->stage1)
		return out | (translation->attributes & (uint16_t)WEIR_MODEL_ATTR_NS);
	return out | replace_space(access->attributes, ste->nscfg);
}

uint32_t weir_model_smmu_attributes(const struct smmu_access *access, const struct smmu_ste *ste,
				    const struct smmu_translation *translation)
{
	uint16_t out;

	if (WEIR_LIKELY(is_plain(access, ste, translation))) {
		uint8_t sh =
			(uint8_t)WEIR_SMMU_FIELD_GET(WEIR_MODEL_ATTR_SH, translation->attributes);

		if (translation->stage2)
			sh = combine_sh(sh, translation->sh2);
		out = smmu_consistent((uint8_t)translation->attributes, sh);
	} else {
		out = of_stages(access, ste, translation);
	}
	if (WEIR_UNLIKELY(smmu_is_secure_world(ste->world)))
		out = with_space(access, ste, translation, out);
	return out | smmu_output_flags(access->flags);
}

/* 13.2. */
uint32_t weir_model_smmu_bypass_attributes(uint32_t gbpa, const struct smmu_access *access)
{
	const struct smmu_features *features = &access->smmu->features;
	const struct overrides overrides = {
		.mtcfg = gbpa & WEIR_SMMU_GBPA_MTCFG,
		.memattr = (uint8_t)WEIR_SMMU_FIELD_GET(WEIR_SMMU_GBPA_MEMATTR, gbpa),
		.alloccfg = (uint8_t)WEIR_SMMU_FIELD_GET(WEIR_SMMU_GBPA_ALLOCCFG, gbpa),
		.shcfg = (uint8_t)WEIR_SMMU_FIELD_GET(WEIR_SMMU_GBPA_SHCFG, gbpa),
	};
	struct smmu_ste ste = {
		.privcfg = (uint8_t)WEIR_SMMU_FIELD_GET(WEIR_SMMU_GBPA_PRIVCFG, gbpa),
		.instcfg = (uint8_t)WEIR_SMMU_FIELD_GET(WEIR_SMMU_GBPA_INSTCFG, gbpa),
		.nscfg = (uint8_t)WEIR_SMMU_FIELD_GET(WEIR_SMMU_S_GBPA_NSCFG, gbpa),
	};
	struct attributes attributes = incoming(access);
	struct smmu_access out = *access;
	uint32_t flags;

	if (features->attr_types_ovr)
		replace(&attributes, &overrides);
	if (features->attr_perms_ovr)
		weir_model_smmu_override_flags(&out, &ste);
	else
		ste.nscfg = 0;
	flags = smmu_output_flags(out.flags);
	if (!smmu_is_secure(access->bank))
		return encode(&attributes) | flags;
	return (encode(&attributes) & ~(uint32_t)WEIR_MODEL_ATTR_NS) |
	       replace_space(access->attributes, ste.nscfg) | flags;
}
