/* SPDX-License-Identifier: MIT */

/* What walks look at, derived from what STEs and CDs say: once for each, not once for each walk. */

#include "smmuv3/internal.h"
#include "smmuv3/walk.h"

/* Of STE.Config: stage 2 translates. */
#define STAGE2 (WEIR_SMMU_STE_CONFIG_S2 & ~WEIR_SMMU_STE_CONFIG_BYPASS)

/* DDI 0487 D8.3.1: which levels have blocks. */
static uint64_t block_sizes(const struct smmu_tables *tables)
{
	switch (tables->granule) {
	case 12:
		return WEIR_BIT(30) | WEIR_BIT(21) | (tables->ds ? WEIR_BIT(39) : 0);
	case 14:
		return WEIR_BIT(25) | (tables->ds ? WEIR_BIT(36) : 0);
	default:
		return WEIR_BIT(29) | (tables->wide ? WEIR_BIT(42) : 0);
	}
}

static void derive(struct smmu_tables *tables)
{
	unsigned int top = tables->ds ? 50 : 48;

	tables->stride = tables->granule - 3;
	tables->shift =
		(uint8_t)(tables->granule + (SMMU_LAST_LEVEL - tables->level) * tables->stride);
	tables->quick = tables->granule == 12 && !tables->wide && !tables->big_endian;
	tables->inputs = smmu_low_bits(tables->input_bits);
	tables->outside = ~tables->inputs;
	tables->beyond = ~smmu_low_bits(tables->output_bits);
	tables->blocks = block_sizes(tables);
	tables->address = smmu_low_bits(top) & ~smmu_low_bits(tables->granule);
	/* 5.2 S2HA, 5.4 HA: HD alone is as if neither was set. */
	tables->hd = tables->hd && tables->ha;
	tables->modifier = tables->hd ? WEIR_VMSA_DBM : 0;
	tables->odd_table = tables->limits | (tables->beyond & tables->address);
}

/*
 * Of a page, for the quick walk: what all accesses need, and `bits` as in `usual`. To write and to
 * fetch at once, as an ATS request may ask (13.7), is to write.
 */
static void expect(struct smmu_tables *tables, unsigned int flags, uint64_t bits, uint64_t usual)
{
	tables->page[flags].bits =
		bits | WEIR_VMSA_TYPE | WEIR_VMSA_AF | (tables->beyond & tables->address);
	tables->page[flags].usual = usual | WEIR_VMSA_TYPE_PAGE | WEIR_VMSA_AF;
}

/* WRITE: 1, ATOMIC: 2, INSTRUCTION: 4, PRIVILEGED: 8. -> smmu_needs() */
static void expect_stage2(struct smmu_tables *tables, bool xnx)
{
	uint64_t read = WEIR_VMSA_S2AP_READ, write = WEIR_VMSA_S2AP_WRITE;

	for (unsigned int flags = 0; flags < 16; flags++) {
		bool privileged = flags & 8;

		if ((flags & 3) == 3)
			expect(tables, flags, read | write, read | write);
		else if (flags & 1)
			expect(tables, flags, write, write);
		else if (flags & 4)
			expect(tables, flags, xnx && privileged ? WEIR_VMSA_S2_XN : WEIR_VMSA_UXN,
			       0);
		else
			expect(tables, flags, read, read);
	}
}

/*
 * Nothing that is written to is executed with privilege, nor without if WXN is set; a clean page is
 * one that is written to.
 */
static void expect_stage1(struct smmu_tables *half, const struct smmu_cd *cd, bool single)
{
	for (unsigned int flags = 0; flags < 16; flags++) {
		bool privileged = single || (flags & 8);
		uint64_t bits = privileged ? 0 : WEIR_VMSA_AP_UNPRIV, usual = bits;

		if (flags & 1) {
			bits |= WEIR_VMSA_AP_RDONLY;
		} else if (flags & 4) {
			bits = privileged && !single ? WEIR_VMSA_PXN : WEIR_VMSA_UXN;
			usual = cd->wxn || privileged ? WEIR_VMSA_AP_RDONLY : 0;
			bits |= usual | half->modifier;
		}
		if (cd->pan && privileged && !single)
			bits |= WEIR_VMSA_AP_UNPRIV;
		expect(half, flags, bits, usual);
		half->page[flags].output = smmu_output_flags((uint16_t)flags);
	}
}

/* DDI 0487 D8.4: index -> SMMU_RIGHTS_INDEX(). XN[1:0] are bits 3 and 2 (XNX: 13.4.3). */
static uint8_t stage2_rights(unsigned int index, bool xnx)
{
	bool xn1 = index & 8, xn0 = index & 4;
	uint8_t rights = 0;

	if (index & 1)
		rights |= SMMU_RIGHTS_R;
	if (index & 2)
		rights |= SMMU_RIGHTS_W;
	if (!xn1)
		rights |= SMMU_UNPRIV_X;
	if (xnx ? xn1 == xn0 : !xn1)
		rights |= SMMU_PRIV_X;
	return rights;
}

/* One range of addresses: AP[1] and PXN are not there, and privilege is not looked at (13.4.1). */
static uint8_t single_rights(unsigned int index, bool wxn)
{
	uint8_t rights = SMMU_RIGHTS_R;

	if (!(index & 2))
		rights |= SMMU_RIGHTS_W;
	if (!(index & 8) && !(wxn && (rights & SMMU_RIGHTS_W)))
		rights |= SMMU_UNPRIV_X | SMMU_PRIV_X;
	return rights;
}

static uint8_t stage1_rights(unsigned int index, const struct smmu_cd *cd)
{
	bool user = index & 1, writable = !(index & 2);
	uint8_t rights = SMMU_PRIV_R | (user ? SMMU_UNPRIV_R : 0);

	if (writable)
		rights |= SMMU_PRIV_W | (user ? SMMU_UNPRIV_W : 0);
	if (!(index & 8) && !(cd->wxn && (rights & SMMU_UNPRIV_W)))
		rights |= SMMU_UNPRIV_X;
	/* What is writable without privilege is never executed with it: 5.4 UWXN says nothing. */
	if (!(index & 4) && !(rights & SMMU_UNPRIV_W) && !(cd->wxn && writable))
		rights |= SMMU_PRIV_X;
	/* 5.4 PAN: data alone. */
	if (cd->pan && user)
		rights &= (uint8_t) ~(SMMU_PRIV_R | SMMU_PRIV_W);
	return rights;
}

static void finish_half(const struct smmu_ste *ste, const struct smmu_cd *cd, bool single,
			struct smmu_tables *half)
{
	half->through = 0;
	if (half->disabled)
		return;
	half->limits = half->had ? 0 :
		       single	 ? WEIR_VMSA_UXNTABLE | WEIR_VMSA_APTABLE_RDONLY :
				   WEIR_VMSA_UXNTABLE | WEIR_VMSA_PXNTABLE |
					WEIR_VMSA_APTABLE_NO_UNPRIV | WEIR_VMSA_APTABLE_RDONLY;
	half->clean = SMMU_DIRTY_STATE;
	derive(half);
	/* 3.10.2.1: what the quick walk gathers does not tell where descriptors lay. */
	if (smmu_is_secure_world(ste->world)) {
		half->limits |= WEIR_VMSA_NSTABLE;
		half->quick = false;
	}
	half->sign = half == &cd->half[1] ? half->outside : 0;
	expect_stage1(half, cd, single);
	if (half->quick && !half->e0pd && !half->tbi && !ste->replaces)
		half->through = ste->config & STAGE2 ? SMMU_THROUGH_BOTH : SMMU_THROUGH_STAGE1;
	for (unsigned int index = 0; index < WEIR_ARRAY_SIZE(half->rights); index++)
		half->rights[index] =
			single ? single_rights(index, cd->wxn) : stage1_rights(index, cd);
}

/* 5.4 MAIR: what Reserved encodings are taken for. */
static uint64_t mair_byte(uint64_t byte)
{
	if (!(byte & 0xf0))
		return byte & 0x0c;
	return byte & 0x0f ? byte : byte | 0x03;
}

void weir_model_smmu_finish_cd(const struct smmu_ste *ste, struct smmu_cd *cd)
{
	bool single = smmu_has_one_range(ste->world);
	uint64_t mair = 0;

	finish_half(ste, cd, single, &cd->half[0]);
	finish_half(ste, cd, single, &cd->half[1]);
	for (unsigned int shift = 0; shift < 64; shift += 8)
		mair |= mair_byte(cd->mair >> shift & 0xff) << shift;
	cd->mair = mair;
	for (unsigned int i = 0; i < 32; i++)
		cd->outputs[i % 8 | i / 8 << 6] =
			smmu_consistent((uint8_t)(mair >> i % 8 * 8), i / 8);
}

void weir_model_smmu_finish_ste(const struct smmu_features *features, struct smmu_ste *ste)
{
	struct smmu_tables *tables = &ste->s2;

	ste->replaces = features->attr_types_ovr &&
			(ste->mtcfg || (ste->alloccfg & WEIR_SMMU_ALLOCCFG_OVERRIDE) ||
			 ste->shcfg != WEIR_SMMU_STE_SHCFG_INCOMING);
	if (!(ste->config & STAGE2))
		return;
	tables->through = 0;
	tables->sign = 0;
	tables->limits = 0;
	tables->clean = 0;
	derive(tables);
	expect_stage2(tables, features->xnx);
	for (unsigned int index = 0; index < WEIR_ARRAY_SIZE(tables->rights); index++)
		tables->rights[index] = stage2_rights(index, features->xnx);
}
