/* SPDX-License-Identifier: MIT */
/*
 * Every field of SMMU_IDR0 to SMMU_IDR5 (6.3.1 to 6.3.6), and what this driver does about it. From
 * this table comes the line that says at start-up which features are used and which are not.
 *
 * A log line has less than 256 bytes, and an SMMU may have everything: so names are the
 * specification's without what they do not need, what is part of a feature that is not used goes
 * unnamed with it, and what every SMMU must have for this driver is not named either.
 */

#include "smmuv3/smmuv3.h"

static bool always(const struct weir_smmuv3 *smmu)
{
	(void)smmu;
	return true;
}

static bool coherent(const struct weir_smmuv3 *smmu)
{
	return smmu->features.coherent;
}

static bool two_level(const struct weir_smmuv3 *smmu)
{
	return smmu->strtab.second;
}

static bool messages(const struct weir_smmuv3 *smmu)
{
	return smmu->own.nr_msis;
}

static bool stage1(const struct weir_smmuv3 *smmu)
{
	return smmu->features.stage1;
}

static bool stage2(const struct weir_smmuv3 *smmu)
{
	return smmu->features.stage2;
}

static bool forces_attributes(const struct weir_smmuv3 *smmu)
{
	return smmu->features.forces_attributes;
}

static bool tracks_dirty(const struct weir_smmuv3 *smmu)
{
	return smmu->features.tracks_dirty;
}

static bool ats(const struct weir_smmuv3 *smmu)
{
	return smmu->features.ats;
}

static bool substreams(const struct weir_smmuv3 *smmu)
{
	return smmu->features.ssid_bits;
}

static bool two_level_cds(const struct weir_smmuv3 *smmu)
{
	return smmu->features.two_level_cds;
}

static bool pages_4k(const struct weir_smmuv3 *smmu)
{
	return smmu->features.granule_shift == 12;
}

static bool pages_16k(const struct weir_smmuv3 *smmu)
{
	return smmu->features.granule_shift == 14;
}

static bool pages_64k(const struct weir_smmuv3 *smmu)
{
	return smmu->features.granule_shift == 16;
}

static bool replaces_blocks(const struct weir_smmuv3 *smmu)
{
	return smmu->features.replaces_blocks;
}

#define FIELD(n, field, name, kind, used)                                                          \
	{                                                                                          \
		n, WEIR_SMMUV3_##kind, false, (uint32_t)WEIR_SMMU_IDR##n##_##field, name, used     \
	}
/* Of the feature above. */
#define PART(n, field, name, kind, used)                                                           \
	{                                                                                          \
		n, WEIR_SMMUV3_##kind, true, (uint32_t)WEIR_SMMU_IDR##n##_##field, name, used      \
	}

const struct weir_smmuv3_field weir_smmuv3_fields[] = {
	/* What chapter 6 calls stages, and what comes with them. */
	FIELD(0, S1P, "S1P", FEATURE, stage1),
	FIELD(0, S2P, "S2P", FEATURE, stage2),
	PART(0, VMID16, "VMID16", FEATURE, stage2),
	PART(0, VMW, "VMW", FEATURE, NULL),
	PART(3, XNX, "XNX", FEATURE, NULL),
	PART(3, FWB, "FWB", FEATURE, forces_attributes),
	PART(3, PTWNNC, "PTWNNC", FEATURE, NULL),
	PART(3, MTEPERM, "MTE", FEATURE, NULL),
	PART(3, S2PI, "S2PI", FEATURE, NULL),
	PART(3, S2PO, "S2PO", FEATURE, NULL),
	/* Its TLB entries are invalidated when the SMMU is taken over. */
	FIELD(0, HYP, "HYP", FEATURE, always),
	FIELD(0, TTF, "TTF", NEED, always),
	FIELD(0, TTENDIAN, "TTENDIAN", NEED, always),
	FIELD(0, COHACC, "COHACC", FEATURE, coherent),
	FIELD(0, ASID16, "ASID16", FEATURE, always),
	FIELD(0, HTTU, "HTTU", FEATURE, tracks_dirty),
	FIELD(0, BTM, "BTM", FEATURE, NULL),
	FIELD(0, ST_LEVEL, "2LVL", FEATURE, two_level),
	FIELD(0, MSI, "MSI", FEATURE, messages),
	FIELD(0, SEV, "SEV", FEATURE, NULL),
	FIELD(0, DORMHINT, "DORM", FEATURE, NULL),
	FIELD(0, RME_IMPL, "RME", FEATURE, NULL),
	FIELD(0, STALL_MODEL, "STALL", FEATURE_IF_0, NULL),
	PART(5, STALL_MAX, "STALL_MAX", NUMBER, NULL),
	/* A terminated access aborts: CD.A is 1. */
	FIELD(0, TERM_MODEL, "TERM_MODEL", MOOT, NULL),
	FIELD(0, ATS, "ATS", FEATURE, ats),
	PART(0, NS1ATS, "NS1ATS", MOOT, NULL),
	PART(0, ATSRECERR, "RECERR", FEATURE, NULL),
	PART(0, PRI, "PRI", FEATURE, NULL),
	PART(3, PPS, "PPS", MOOT, NULL),
	PART(3, PASIDTT, "PASIDTT", FEATURE, NULL),
	PART(3, DPT, "DPT", FEATURE, NULL),
	PART(1, PRIQS, "PRIQS", NUMBER, NULL),
	FIELD(0, ATOS, "ATOS", FEATURE, NULL),
	PART(0, VATOS, "VATOS", FEATURE, NULL),
	PART(2, BA_VATOS, "BA_VATOS", NUMBER, NULL),
	FIELD(1, SSIDSIZE, "SSID", FEATURE, substreams),
	PART(0, CD2L, "CD2L", FEATURE, two_level_cds),
	FIELD(1, SIDSIZE, "SIDSIZE", NUMBER, NULL),
	FIELD(1, EVENTQS, "EVENTQS", NUMBER, NULL),
	FIELD(1, CMDQS, "CMDQS", NUMBER, NULL),
	FIELD(1, ECMDQ, "ECMDQ", FEATURE, NULL),
	FIELD(1, ATTR_PERMS_OVR, "PERMS", FEATURE, NULL),
	FIELD(1, ATTR_TYPES_OVR, "TYPES", FEATURE, always),
	FIELD(1, QUEUES_PRESET, "QUEUES_PRESET", NEED, always),
	FIELD(1, TABLES_PRESET, "TABLES_PRESET", NEED, always),
	PART(1, REL, "REL", MOOT, NULL),
	FIELD(3, RIL, "RIL", FEATURE, always),
	FIELD(3, BBML, "BBML", FEATURE, replaces_blocks),
	FIELD(3, HAD, "HAD", FEATURE, NULL),
	PART(3, PBHA, "PBHA", FEATURE, NULL),
	FIELD(3, MPAM, "MPAM", FEATURE, NULL),
	FIELD(3, STT, "STT", FEATURE, NULL),
	FIELD(3, E0PD, "E0PD", FEATURE, NULL),
	FIELD(3, EPAN, "EPAN", FEATURE, NULL),
	FIELD(3, S1PI, "S1PI", FEATURE, NULL),
	FIELD(3, THE, "THE", FEATURE, NULL),
	FIELD(3, AIE, "AIE", FEATURE, NULL),
	FIELD(4, IMPDEF, "IDR4", NUMBER, NULL),
	FIELD(5, OAS, "OAS", NUMBER, NULL),
	FIELD(5, GRAN4K, "4K", FEATURE, pages_4k),
	FIELD(5, GRAN16K, "16K", FEATURE, pages_16k),
	FIELD(5, GRAN64K, "64K", FEATURE, pages_64k),
	FIELD(5, DS, "DS", FEATURE, NULL),
	FIELD(5, D128, "D128", FEATURE, NULL),
	FIELD(5, VAX, "VAX", FEATURE, NULL),
};

const unsigned int weir_smmuv3_nr_fields = WEIR_ARRAY_SIZE(weir_smmuv3_fields);

void weir_smmuv3_read_ids(struct weir_smmuv3 *smmu)
{
	static const uint32_t offsets[] = { WEIR_SMMU_IDR0, WEIR_SMMU_IDR1, WEIR_SMMU_IDR2,
					    WEIR_SMMU_IDR3, WEIR_SMMU_IDR4, WEIR_SMMU_IDR5 };
	unsigned int i;

	for (i = 0; i < WEIR_ARRAY_SIZE(offsets); i++)
		smmu->own.idr[i] =
			plat_mmio_read32((volatile uint8_t WEIR_IOMEM *)smmu->regs + offsets[i]);
}

static bool is_there(const struct weir_smmuv3 *smmu, const struct weir_smmuv3_field *field)
{
	bool set = smmu->own.idr[field->reg] & field->mask;

	return field->kind == WEIR_SMMUV3_FEATURE_IF_0 ? !set : set;
}

struct line {
	char text[224];
	size_t used;
};

/* The names of those that are there and, as asked for, used or not. */
static void list(const struct weir_smmuv3 *smmu, bool wanted, struct line *line)
{
	size_t before = line->used, size = sizeof(line->text);
	bool parent_used = false;
	unsigned int i;

	for (i = 0; i < WEIR_ARRAY_SIZE(weir_smmuv3_fields); i++) {
		const struct weir_smmuv3_field *field = &weir_smmuv3_fields[i];
		bool is_used = field->used && field->used(smmu);

		if (!field->part)
			parent_used = is_used;
		if (field->kind < WEIR_SMMUV3_FEATURE || !is_there(smmu, field) ||
		    is_used != wanted || (field->part && !parent_used) || line->used >= size)
			continue;
		line->used += (size_t)weir_snprintf(line->text + line->used, size - line->used,
						    " %s", field->name);
	}
	if (line->used == before)
		line->used += (size_t)weir_snprintf(line->text + line->used, size - line->used,
						    " nothing");
}

void weir_smmuv3_log_features(struct weir_smmuv3 *smmu)
{
	struct line line = { .used = 0 };

	list(smmu, true, &line);
	if (line.used < sizeof(line.text))
		line.used += (size_t)weir_snprintf(line.text + line.used,
						   sizeof(line.text) - line.used, "; not used:");
	list(smmu, false, &line);
	weir_log(smmu->iommu.weir, WEIR_LOG_INFO, "%s: uses:%s", smmu->iommu.name, line.text);
}
