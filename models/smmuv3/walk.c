/* SPDX-License-Identifier: MIT */

/*
 * Stage 1 walks of VMSAv8-64 tables (DDI 0487 D8; what the SMMU makes of them: IHI 0070 3.4, 5.4,
 * 7.3.22). At most four levels; each descriptor is read once.
 */

#include "smmuv3/internal.h"

#define LAST_LEVEL 3u

/* Hierarchical attributes gathered on the way down, in the places of a table descriptor. */
#define TABLE_ATTRIBUTES                                                                           \
	(WEIR_VMSA_PXNTABLE | WEIR_VMSA_UXNTABLE | WEIR_VMSA_APTABLE_NO_UNPRIV |                   \
	 WEIR_VMSA_APTABLE_RDONLY)

/* Where descriptors of this granule hold an address; below 52 bits of output. */
static uint64_t address_of(uint64_t descriptor, unsigned int shift)
{
	return descriptor & WEIR_GENMASK(47, 0) & ~smmu_low_bits(shift);
}

static bool block_allowed(unsigned int granule, unsigned int level)
{
	/* Without 52-bit addresses: 1 GiB and 2 MiB, 32 MiB, 512 MiB. */
	return level == 2 || (level == 1 && granule == 12);
}

static bool is_table(uint64_t descriptor, unsigned int level)
{
	return level < LAST_LEVEL && (descriptor & WEIR_VMSA_TYPE) == WEIR_VMSA_TYPE_TABLE;
}

static bool is_leaf(uint64_t descriptor, unsigned int level, unsigned int granule)
{
	if (level == LAST_LEVEL)
		return (descriptor & WEIR_VMSA_TYPE) == WEIR_VMSA_TYPE_PAGE;
	return (descriptor & WEIR_VMSA_TYPE) == WEIR_VMSA_TYPE_BLOCK &&
	       block_allowed(granule, level);
}

static uint8_t unprivileged_rights(const union smmu_cd *cd, uint64_t leaf, uint64_t tables)
{
	uint8_t rights = 0;

	if ((leaf & WEIR_VMSA_AP_UNPRIV) && !(tables & WEIR_VMSA_APTABLE_NO_UNPRIV)) {
		rights |= SMMU_UNPRIV_R;
		if (!(leaf & WEIR_VMSA_AP_RDONLY) && !(tables & WEIR_VMSA_APTABLE_RDONLY))
			rights |= SMMU_UNPRIV_W;
	}
	if (!(leaf & WEIR_VMSA_UXN) && !(tables & WEIR_VMSA_UXNTABLE) &&
	    !(cd->wxn && (rights & SMMU_UNPRIV_W)))
		rights |= SMMU_UNPRIV_X;
	return rights;
}

static uint8_t privileged_rights(const union smmu_cd *cd, uint64_t leaf, uint64_t tables,
				 uint8_t unprivileged)
{
	uint8_t rights = SMMU_PRIV_R;

	if (!(leaf & WEIR_VMSA_AP_RDONLY) && !(tables & WEIR_VMSA_APTABLE_RDONLY))
		rights |= SMMU_PRIV_W;
	/* 5.4 UWXN: what is writable without privilege is never executed with it. */
	if (!(leaf & WEIR_VMSA_PXN) && !(tables & WEIR_VMSA_PXNTABLE) &&
	    !(unprivileged & SMMU_UNPRIV_W) && !(cd->wxn && (rights & SMMU_PRIV_W)))
		rights |= SMMU_PRIV_X;
	/* 5.4 PAN: data alone. */
	if (cd->pan && (unprivileged & SMMU_UNPRIV_R))
		rights &= (uint8_t) ~(SMMU_PRIV_R | SMMU_PRIV_W);
	return rights;
}

static void make_translation(const union smmu_cd *cd, uint64_t leaf, uint64_t tables,
			     unsigned int shift, struct smmu_translation *out)
{
	uint8_t unprivileged = unprivileged_rights(cd, leaf, tables);

	out->base = address_of(leaf, shift);
	out->size = (uint8_t)shift;
	out->rights = unprivileged | privileged_rights(cd, leaf, tables, unprivileged);
	out->global = !(leaf & WEIR_VMSA_NG);
}

/* 5.4 TTBx: the base is aligned to the size of the first table, at least 16 bytes. */
static uint64_t first_table(const union smmu_cd *cd, unsigned int half, unsigned int shift,
			    unsigned int input_bits)
{
	unsigned int bits = input_bits - shift + 3;

	return cd->ttb[half] & ~smmu_low_bits(bits > 4 ? bits : 4);
}

uint8_t weir_model_smmu_walk(struct weir_model_smmuv3 *smmu, const union smmu_cd *cd, uint64_t va,
			     struct smmu_translation *out, uint64_t *fetch)
{
	unsigned int half = va >> 55 & 1, granule = cd->granule[half], stride = granule - 3;
	unsigned int input_bits = 64 - cd->tsz[half], level, shift;
	uint64_t table, descriptor, tables = 0, beyond = ~smmu_low_bits(cd->ips);

	if (cd->epd >> half & 1)
		return WEIR_SMMU_EVT_F_TRANSLATION;
	level = LAST_LEVEL - (input_bits - 1 - granule) / stride;
	shift = granule + (LAST_LEVEL - level) * stride;
	table = first_table(cd, half, shift, input_bits);
	va &= smmu_low_bits(input_bits);
	for (;; level++, shift -= stride) {
		*fetch = table + (va >> shift & smmu_low_bits(stride)) * sizeof(descriptor);
		if (weir_model_bus_load64(smmu->bus, *fetch, &descriptor) != WEIR_MODEL_OK)
			return WEIR_SMMU_EVT_F_WALK_EABT;
		if (!is_table(descriptor, level))
			break;
		table = address_of(descriptor, granule);
		if (table & beyond)
			return WEIR_SMMU_EVT_F_ADDR_SIZE;
		tables |= cd->had >> half & 1 ? 0 : descriptor & TABLE_ATTRIBUTES;
	}
	if (!is_leaf(descriptor, level, granule))
		return WEIR_SMMU_EVT_F_TRANSLATION;
	make_translation(cd, descriptor, tables, shift, out);
	if (out->base & beyond)
		return WEIR_SMMU_EVT_F_ADDR_SIZE;
	if (!(descriptor & WEIR_VMSA_AF) && !cd->affd)
		return WEIR_SMMU_EVT_F_ACCESS;
	return 0;
}
