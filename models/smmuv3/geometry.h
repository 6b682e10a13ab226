/* SPDX-License-Identifier: MIT */
#ifndef WEIR_MODELS_SMMUV3_GEOMETRY_H
#define WEIR_MODELS_SMMUV3_GEOMETRY_H

/*
 * What the sizes in an STE (5.2 S2*) and in a CD (5.4) have in common: legal values, and the shape
 * of the first table (DDI 0487 D8.2).
 */

#include "smmuv3/internal.h"

/* 6.3.6 OAS, 5.2 S2PS, 5.4 IPS: 6 and 7 are one, for 52 bits are the most. */
static inline uint8_t smmu_size_bits(uint64_t ps)
{
	static const uint8_t bits[] = { 32, 36, 40, 42, 44, 48, 52, 52 };

	return bits[ps];
}

/* IPS and S2PS, capped to the OAS. */
static inline uint8_t smmu_output_bits(const struct smmu_features *features, uint64_t ps)
{
	uint8_t bits = smmu_size_bits(ps);

	return bits < features->oas ? bits : features->oas;
}

/* TG0's encoding is S2TG's. 0: reserved. */
static inline uint8_t smmu_tg0_granule(uint64_t tg)
{
	static const uint8_t granules[] = { 12, 16, 14, 0 };

	return granules[tg];
}

static inline bool smmu_granule_supported(const struct smmu_features *features,
					  unsigned int granule)
{
	return granule && (features->granules >> (granule - 12) / 2 & 1);
}

/* The largest TxSZ or S2T0SZ. */
static inline unsigned int smmu_tsz_max(const struct smmu_features *features, unsigned int granule)
{
	if (!features->stt)
		return 39;
	return granule == 16 ? 47 : 48;
}

/* May input and output addresses have 52 bits? */
static inline bool smmu_large(const struct smmu_tables *tables)
{
	return tables->granule == 16 || tables->ds;
}

/* Granule, DS and output size are there. */
static inline bool smmu_base_in_range(const struct smmu_tables *tables, uint64_t base)
{
	unsigned int bits = tables->output_bits;

	if (!smmu_large(tables) && bits > 48)
		bits = 48;
	return !(base & ~smmu_low_bits(bits));
}

/* Bits of the address that are left when the first table is behind. */
static inline unsigned int smmu_resolved_later(const struct smmu_tables *tables, int level)
{
	return tables->granule + (unsigned int)(3 - level) * (tables->granule - 3u);
}

/* Granule and sizes are there; `level` is the first table's. */
static inline void smmu_set_first_table(struct smmu_tables *tables, int level, uint64_t base)
{
	unsigned int align;

	tables->level = (int8_t)level;
	tables->first_bits = (uint8_t)(tables->input_bits - smmu_resolved_later(tables, level));
	align = tables->first_bits + 3u;
	/* 5.2 S2TTB, 5.4 TTB0: 64 bytes at least where output addresses have 52 bits. */
	if (tables->output_bits == 52 && align < 6)
		align = 6;
	tables->base = base & ~smmu_low_bits(align);
}

/* DDI 0487: 64K descriptors hold bits [51:48] if physical addresses have them. */
static inline bool smmu_wide(const struct smmu_features *features, const struct smmu_tables *tables)
{
	return tables->ds || (tables->granule == 16 && features->oas == 52);
}

/* v3.0 has no bits [51:48] of any base. */
static inline uint64_t smmu_base_field(const struct smmu_features *features, uint64_t base)
{
	return features->minor ? base : base & smmu_low_bits(48);
}

/* 5.2 S2ENDI, 5.4 ENDI. */
static inline bool smmu_endian_supported(const struct smmu_features *features, bool big)
{
	return features->endian == WEIR_SMMU_IDR0_TTENDIAN_MIXED ||
	       big == (features->endian == WEIR_SMMU_IDR0_TTENDIAN_BIG);
}

#endif
