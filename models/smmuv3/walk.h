/* SPDX-License-Identifier: MIT */
#ifndef WEIR_MODELS_SMMUV3_WALK_H
#define WEIR_MODELS_SMMUV3_WALK_H

/*
 * Walks of VMSAv8-64 tables (DDI 0487 D8): what walk.c, stage2.c and exact.c share.
 *
 * The exact walker knows all that the architecture has, and in which order things fault. Nearly
 * every walk is tried as a quick one first: 4K, little-endian, 48 bits, all tables in the first
 * window of RAM, and nothing to be refused, updated or reported. That one reads its way down, and
 * looks at what it has gathered all at once in the end. Where anything is unusual it has done
 * nothing, and the exact one begins from the top. So what counts was read once.
 *
 * The quick one is what makes the cost: 12 instructions a level, against 10 of a bare walk
 * (bench/).
 *
 * An exact walk first finds out what is to be translated, and what is to be updated for it. The
 * updates come last, when nothing can be refused any more: what is never permitted updates nothing
 * (3.13). If a descriptor has changed by then, the walk begins again.
 */

#include "smmuv3/internal.h"

#define SMMU_LAST_LEVEL 3
/* How often a walk begins again when a descriptor changed; then the access ends (F_WALK_EABT). */
#define SMMU_WALK_TRIES 8u

/* How a walk, or a step of one, ended. */
enum smmu_walked {
	SMMU_WALKED,
	SMMU_WALK_FAULT, /* the fault is filled in */
	SMMU_WALK_AGAIN, /* a descriptor has changed */
};

/* What a translation needs on its way. */
struct smmu_walk {
	const struct smmu_access *access;
	const struct smmu_ste *ste;
	struct smmu_fault *fault;
	uint8_t needs; /* SMMU_* of the access */
	bool lenient;  /* faults of permission are none: ATS requests, speculation */
	bool hoard;    /* adversarial caches: keep all that may be kept */
	bool to_ipa;   /* of both stages the first alone */
};

/* A stage of it, for the exact walker. */
struct smmu_stage {
	const struct smmu_tables *tables;
	struct smmu_tag tag;
	bool stage2;
	uint8_t class; /* of its faults, as the IPA */
	uint64_t ipa;
};

/* The descriptor that ends a walk. */
struct smmu_leaf {
	uint64_t descriptor;
	uint64_t desired;   /* what it has to become: access flag, dirty state */
	uint64_t where;	    /* its physical address */
	uint64_t where_ipa; /* under stage 2, of stage 1's */
	uint64_t tables;    /* all table descriptors above it, one upon the other */
	unsigned int shift; /* log2 of the bytes that it maps */
};

/* An address on its way through stage 2, exactly. */
struct smmu_passage {
	uint64_t ipa;
	uint8_t class; /* WEIR_SMMU_EVT_CLASS_*: what it is the address of */
	uint8_t needs; /* SMMU_* */
	struct smmu_translation found;
	struct smmu_leaf leaf; /* descriptor 0: the IOTLB had it */
};

static inline uint64_t smmu_passed(const struct smmu_passage *passage)
{
	return passage->found.base | (passage->ipa & smmu_low_bits(passage->found.size));
}

/* AP[2] says "not writable", S2AP[1] says "writable"; of both, the dirty state (3.13.3). */
#define SMMU_DIRTY_STATE WEIR_VMSA_AP_RDONLY

#define SMMU_RIGHTS_R (SMMU_UNPRIV_R | SMMU_PRIV_R)
#define SMMU_RIGHTS_W (SMMU_UNPRIV_W | SMMU_PRIV_W)

/*
 * What an access needs, by WRITE, ATOMIC, INSTRUCTION and PRIVILEGED (13.1.1: an atomic one reads
 * and writes; 13.1.2: writes are of data).
 */
static inline uint8_t smmu_needs(uint16_t flags)
{
	static const uint8_t needs[16] = {
		SMMU_UNPRIV_R, SMMU_UNPRIV_W, SMMU_UNPRIV_R, SMMU_UNPRIV_R | SMMU_UNPRIV_W,
		SMMU_UNPRIV_X, SMMU_UNPRIV_W, SMMU_UNPRIV_X, SMMU_UNPRIV_R | SMMU_UNPRIV_W,
		SMMU_PRIV_R,   SMMU_PRIV_W,   SMMU_PRIV_R,   SMMU_PRIV_R | SMMU_PRIV_W,
		SMMU_PRIV_X,   SMMU_PRIV_W,   SMMU_PRIV_X,   SMMU_PRIV_R | SMMU_PRIV_W,
	};

	return needs[flags & 15];
}

static inline bool smmu_has(uint8_t rights, uint8_t needs)
{
	return !(needs & ~rights);
}

/*
 * 13.1.1: an atomic access that lacks reading alone is told as a read; so it is where its write
 * would have made a page dirty.
 */
static inline bool smmu_lacks_read(const struct smmu_access *access, uint8_t rights, bool clean)
{
	return (access->flags & WEIR_MODEL_TXN_ATOMIC) &&
	       (clean || smmu_has(rights, smmu_needs(access->flags) & SMMU_RIGHTS_W));
}

static inline bool smmu_has_tlb(const struct smmu_access *access)
{
	return access->smmu->tlb.words;
}

static inline bool smmu_is_lenient(const struct smmu_access *access)
{
	return access->silent || (access->flags & WEIR_MODEL_TXN_ATS_REQUEST);
}

static inline void smmu_walk_begin(struct smmu_walk *walk, const struct smmu_access *access,
				   const struct smmu_ste *ste, struct smmu_fault *fault)
{
	walk->access = access;
	walk->ste = ste;
	walk->fault = fault;
	walk->needs = smmu_needs(access->flags);
	walk->lenient = smmu_is_lenient(access);
	walk->hoard = access->smmu->caching == WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL;
	walk->to_ipa = false;
}

/* log2 of as much of 2^shift bytes as can be put out: beyond is F_ADDR_SIZE (3.4). */
static inline uint8_t smmu_within(const struct smmu_tables *tables, unsigned int shift)
{
	return (uint8_t)(shift < tables->output_bits ? shift : tables->output_bits);
}

/* The address that a descriptor holds, of a table or of 2^shift bytes. */
static inline uint64_t smmu_output(const struct smmu_tables *tables, uint64_t descriptor,
				   unsigned int shift)
{
	uint64_t output = descriptor & tables->address & ~smmu_low_bits(shift);

	if (tables->wide && tables->ds)
		output |= WEIR_SMMU_FIELD_GET(WEIR_VMSA_ADDR_DS_HIGH, descriptor) << 50;
	else if (tables->wide)
		output |= WEIR_SMMU_FIELD_GET(WEIR_VMSA_ADDR_64K_HIGH, descriptor) << 48;
	return output;
}

/* 3.13.3: the first write makes it dirty. */
static inline bool smmu_is_clean(const struct smmu_tables *tables, uint64_t descriptor)
{
	return (descriptor & tables->modifier) && (descriptor & SMMU_DIRTY_STATE) == tables->clean;
}

static inline bool smmu_is_leaf(const struct smmu_tables *tables, uint64_t descriptor,
				unsigned int shift, unsigned int granule)
{
	if (WEIR_LIKELY(shift == granule))
		return (descriptor & WEIR_VMSA_TYPE) == WEIR_VMSA_TYPE_PAGE;
	return (descriptor & WEIR_VMSA_TYPE) == WEIR_VMSA_TYPE_BLOCK &&
	       (tables->blocks >> shift & 1);
}

/* 13.1.7: a memory type and its Shareability, as they go out. Device and Normal-NC are outer. */
static inline uint16_t smmu_consistent(uint8_t memory, unsigned int sh)
{
	if (!(memory & 0xf0) || memory == WEIR_VMSA_MAIR_NORMAL_NC)
		sh = WEIR_VMSA_SH_OSH;
	else if (sh == 1) /* reserved */
		sh = 0;
	return (uint16_t)(memory | WEIR_SMMU_FIELD(WEIR_MODEL_ATTR_SH, sh) | WEIR_MODEL_ATTR_NS);
}

/* 13.1.2, up to v3.3: INST and PRIV go out as the stream's overrides left them. */
static inline uint32_t smmu_output_flags(uint16_t flags)
{
	return (flags & WEIR_MODEL_TXN_INSTRUCTION ? (uint32_t)WEIR_MODEL_ATTR_INSTRUCTION : 0) |
	       (flags & WEIR_MODEL_TXN_PRIVILEGED ? (uint32_t)WEIR_MODEL_ATTR_PRIVILEGED : 0);
}

/* ---- stage2.c --------------------------------------------------------------------------- */

/* Quick: of any address, for an access of these flags (of 16). */
bool weir_model_smmu_stage2_quick(const struct smmu_access *access, const struct smmu_ste *ste,
				  unsigned int flags, uint64_t ipa, struct smmu_translation *out);
/* Quick, of a descriptor of stage 1's or a CD, to be read. SMMU_NOWHERE: it is not done. */
#define SMMU_NOWHERE (~(uint64_t)0)
uint64_t weir_model_smmu_stage2_quick_read(const struct smmu_access *access,
					   const struct smmu_ste *ste, uint64_t ipa);
/*
 * Exact: what an address becomes, and what is to be updated for that; then the updates, and what
 * the IOTLB keeps of it.
 */
enum smmu_walked weir_model_smmu_stage2(const struct smmu_walk *walk, struct smmu_passage *passage);
enum smmu_walked weir_model_smmu_stage2_commit(const struct smmu_walk *walk,
					       const struct smmu_passage *passage);
/* Both, for a descriptor of stage 1's to be read. */
enum smmu_walked weir_model_smmu_stage2_read(const struct smmu_walk *walk, uint64_t ipa,
					     uint64_t *pa);

/* ---- exact.c: of the exact walker ------------------------------------------------------- */

enum smmu_walked weir_model_smmu_walk_fault(const struct smmu_walk *walk,
					    const struct smmu_stage *stage, uint8_t type);
/* Down to a leaf. `nested`: the tables' addresses are intermediate ones. */
enum smmu_walked weir_model_smmu_walk_exact(const struct smmu_walk *walk,
					    const struct smmu_stage *stage, uint64_t addr,
					    bool nested, struct smmu_leaf *leaf);
/* F_ACCESS, or what is done instead (5.2, 5.4: AFFD, HA). */
enum smmu_walked weir_model_smmu_walk_touch(const struct smmu_walk *walk,
					    const struct smmu_stage *stage, struct smmu_leaf *leaf);
/*
 * The rights that a leaf gives. Where an access needs it and may have it, a clean page is to become
 * dirty; else *clean tells that it could.
 */
uint8_t weir_model_smmu_walk_rights(const struct smmu_stage *stage, uint8_t needs,
				    struct smmu_leaf *leaf, bool *clean);
/* Makes the descriptor what it is to be. AGAIN: it is not what it was any more. */
enum smmu_walked weir_model_smmu_walk_update(const struct smmu_walk *walk,
					     const struct smmu_stage *stage,
					     const struct smmu_leaf *leaf);
/* The contiguous hint taken: one translation for all pages of the run. */
void weir_model_smmu_walk_widen(const struct smmu_tables *tables, uint64_t addr,
				const struct smmu_leaf *leaf, struct smmu_translation *out);

/* ---- The quick walker ------------------------------------------------------------------- */

/* The compiler is to keep it in a register, and not to compute it again where it is used. */
#define SMMU_KEEP(pointer) __asm__("" : "+r"(pointer))

struct smmu_quick {
	const struct smmu_access *access;
	const struct smmu_ste *nested; /* stage 2 of a stage 1 that is under one */
	const char *ram;	       /* the first window, if there is one yet */
	uint64_t ram_base, ram_size;
	uint64_t addr, address;
	uint64_t entry; /* in the window, or, if nested, an IPA */
	uint64_t descriptor;
	uint64_t tables; /* all table descriptors, one upon the other */
};

/*
 * Reads a descriptor; true: it is a table's, and `entry` is in that. Where it cannot be read it is
 * as if it was invalid.
 *
 * From one load to the next is what takes the time: so the offset into the next table is made ready
 * aside, with the base of the window taken off.
 */
static inline __attribute__((always_inline)) bool smmu_quick_step(struct smmu_quick *quick,
								  const unsigned int shift)
{
	uint64_t index =
		(quick->addr >> (shift - 12) & 0xff8) - (quick->nested ? 0 : quick->ram_base);
	uint64_t offset = quick->entry;

	if (quick->nested)
		offset = weir_model_smmu_stage2_quick_read(quick->access, quick->nested, offset) -
			 quick->ram_base;
	quick->descriptor = 0;
	if (WEIR_UNLIKELY(offset >= quick->ram_size))
		return false;
	quick->descriptor = __atomic_load_n((const uint64_t *)(const void *)(quick->ram + offset),
					    __ATOMIC_ACQUIRE);
	if (shift == 12 || (quick->descriptor + 1) % 4) /* WEIR_VMSA_TYPE_TABLE + 1 == 4 */
		return false;
	quick->tables |= quick->descriptor;
	quick->entry = (quick->descriptor & quick->address) + index;
	return true;
}

/* The way down. Returns where it ended: log2 of what the descriptor maps, if it is a leaf. */
static inline __attribute__((always_inline)) unsigned int
smmu_quick_descend(struct smmu_quick *quick, unsigned int shift)
{
	if (WEIR_LIKELY(shift == 39)) {
		if (WEIR_UNLIKELY(!smmu_quick_step(quick, 39)))
			return 39;
		shift = 30;
	}
	if (WEIR_LIKELY(shift == 30)) {
		if (WEIR_UNLIKELY(!smmu_quick_step(quick, 30)))
			return 30;
		shift = 21;
	}
	if (WEIR_LIKELY(shift == 21) && WEIR_UNLIKELY(!smmu_quick_step(quick, 21)))
		return 21;
	smmu_quick_step(quick, 12);
	return 12;
}

/*
 * log2 of what the leaf maps; 0: something is unusual. With `nested`, stage 1 under stage 2, and
 * quick->access is set.
 */
static inline __attribute__((always_inline)) unsigned int
smmu_walk_quick(struct smmu_quick *quick, const struct weir_model_smmuv3 *smmu, unsigned int flags,
		const struct smmu_tables *tables, uint64_t addr, const struct smmu_ste *nested)
{
	const struct weir_model_window *window = &smmu->memory.windows[0];
	unsigned int shift;
	uint64_t descriptor;

	quick->nested = nested;
	quick->ram_size = __atomic_load_n(&window->size, __ATOMIC_ACQUIRE);
	/* With a size of 0 they say nothing: another thread may just be filling them in. */
	quick->ram_base = __atomic_load_n(&window->base, __ATOMIC_RELAXED);
	quick->ram = __atomic_load_n(&window->host, __ATOMIC_RELAXED);
	quick->addr = addr;
	quick->address = tables->address;
	quick->tables = 0;
	quick->entry = tables->base +
		       ((addr & tables->inputs) >> tables->shift) * sizeof(uint64_t) -
		       (nested ? 0 : quick->ram_base);
	shift = smmu_quick_descend(quick, tables->shift);
	descriptor = quick->descriptor;
	if (WEIR_UNLIKELY(shift > 12) && (tables->blocks >> shift & 1))
		descriptor ^= WEIR_VMSA_TYPE_PAGE ^ WEIR_VMSA_TYPE_BLOCK;
	if (WEIR_UNLIKELY((quick->tables & tables->odd_table) |
			  ((descriptor ^ tables->page[flags].usual) & tables->page[flags].bits)))
		return 0;
	return shift;
}

/*
 * Address and attributes at once, of a transaction of these flags that comes in with the memory
 * type of WEIR_MODEL_ATTR_PCIE, where there is no IOTLB. False: nothing was done. Both stages, and
 * below stage 1 alone.
 */
bool weir_model_smmu_walk_through_both(struct weir_model_smmuv3 *smmu,
				       const struct smmu_context *context,
				       const struct smmu_tables *half, uint64_t addr,
				       unsigned int flags, struct weir_model_translation *out);

static inline __attribute__((always_inline)) bool
smmu_walk_through_stage1(const struct weir_model_smmuv3 *smmu, const struct smmu_context *context,
			 const struct smmu_tables *half, uint64_t addr, unsigned int flags,
			 struct weir_model_translation *out)
{
	struct smmu_quick quick = { .access = NULL };
	unsigned int shift = smmu_walk_quick(&quick, smmu, flags & 15, half, addr, NULL);
	uint64_t below;

	if (WEIR_UNLIKELY(!shift))
		return false;
	below = WEIR_LIKELY(shift == 12) ? 0xfff : smmu_low_bits(shift);
	out->addr = (quick.descriptor & half->address & ~below) | (addr & below);
	out->attributes = context->cd.outputs[SMMU_OUTPUT_INDEX(quick.descriptor)] |
			  (uint32_t)half->page[flags & 15].output;
	return true;
}

#endif
