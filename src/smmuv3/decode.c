/* SPDX-License-Identifier: MIT */
/*
 * What an event record says (7.3): a table with one line for each type. Records come from hardware;
 * whatever is in them, the result is a fault that can be described, under its stream.
 *
 * Of a field that a type does not have nothing is read: it is RES0 or UNKNOWN.
 */

#include "smmuv3/smmuv3.h"

/* Parts of a record, and where they are. */
#define INPUT 0x001u   /* word 2: InputAddr */
#define PAGE 0x002u    /* word 2: InputAddr[63:12] */
#define RNW 0x004u     /* word 1: RnW */
#define ATTRS 0x008u   /* word 1: PnU, InD */
#define STAGE 0x010u   /* word 1: S2, CLASS, NSIPA */
#define IPA 0x020u     /* word 3: IPA, if S2 */
#define FETCH 0x040u   /* word 3: FetchAddr; word 1: GPCF */
#define STALL 0x080u   /* word 1: Stall, STAG */
#define CAUSE 0x100u   /* word 1: Reason */
#define REQUEST 0x200u /* word 1: R, W, X, P of an ATS request */
#define ALWAYS_SSID 0x400u
#define ACCESS (INPUT | RNW | ATTRS | STAGE)

struct kind {
	const char *name;
	const char *words; /* NULL: the reason says it */
	enum weir_fault_reason reason;
	unsigned int parts;
};

/* 7.3.2 to 7.3.20. C_BAD_STE of a stream that is blocked on purpose is BAD_STREAM: see below. */
static const struct kind kinds[] = {
	[WEIR_SMMU_EVT_F_UUT] = { "F_UUT", "the IOMMU knows no transaction of this kind",
				  WEIR_FAULT_OTHER, INPUT | RNW | ATTRS | CAUSE },
	[WEIR_SMMU_EVT_C_BAD_STREAMID] = { "C_BAD_STREAMID", NULL, WEIR_FAULT_BAD_STREAM, 0 },
	[WEIR_SMMU_EVT_F_STE_FETCH] = { "F_STE_FETCH",
					"its entry in the stream table could not be read",
					WEIR_FAULT_EXTERNAL, FETCH | CAUSE },
	[WEIR_SMMU_EVT_C_BAD_STE] = { "C_BAD_STE",
				      "the IOMMU refused its entry in the stream table",
				      WEIR_FAULT_BAD_CONFIG, 0 },
	[WEIR_SMMU_EVT_F_BAD_ATS_TREQ] = { "F_BAD_ATS_TREQ",
					   "it may not ask for translations (ATS)",
					   WEIR_FAULT_OTHER, PAGE | REQUEST },
	[WEIR_SMMU_EVT_F_STREAM_DISABLED] = { "F_STREAM_DISABLED",
					      "its stream takes no access without a PASID, or none "
					      "with PASID 0",
					      WEIR_FAULT_BAD_STREAM, 0 },
	[WEIR_SMMU_EVT_F_TRANSL_FORBIDDEN] = { "F_TRANSL_FORBIDDEN",
					       "it may not send addresses as translated (ATS)",
					       WEIR_FAULT_OTHER, INPUT | RNW },
	[WEIR_SMMU_EVT_C_BAD_SUBSTREAMID] = { "C_BAD_SUBSTREAMID", "its stream has no such PASID",
					      WEIR_FAULT_BAD_STREAM, ALWAYS_SSID },
	[WEIR_SMMU_EVT_F_CD_FETCH] = { "F_CD_FETCH", "its context descriptor could not be read",
				       WEIR_FAULT_EXTERNAL, FETCH | CAUSE },
	[WEIR_SMMU_EVT_C_BAD_CD] = { "C_BAD_CD", "the IOMMU refused its context descriptor",
				     WEIR_FAULT_BAD_CONFIG, 0 },
	[WEIR_SMMU_EVT_F_WALK_EABT] = { "F_WALK_EABT", "a page table could not be read",
					WEIR_FAULT_EXTERNAL, ACCESS | FETCH | CAUSE },
	[WEIR_SMMU_EVT_F_TRANSLATION] = { "F_TRANSLATION", NULL, WEIR_FAULT_TRANSLATION,
					  ACCESS | IPA | STALL },
	[WEIR_SMMU_EVT_F_ADDR_SIZE] = { "F_ADDR_SIZE", NULL, WEIR_FAULT_ADDRESS_SIZE,
					ACCESS | IPA | STALL },
	[WEIR_SMMU_EVT_F_ACCESS] = { "F_ACCESS", NULL, WEIR_FAULT_ACCESS_FLAG,
				     ACCESS | IPA | STALL },
	[WEIR_SMMU_EVT_F_PERMISSION] = { "F_PERMISSION", NULL, WEIR_FAULT_PERMISSION,
					 ACCESS | IPA | STALL },
	[WEIR_SMMU_EVT_F_TLB_CONFLICT] = { "F_TLB_CONFLICT",
					   "the IOMMU's TLB has two answers to it",
					   WEIR_FAULT_OTHER, ACCESS | IPA | CAUSE },
	[WEIR_SMMU_EVT_F_CFG_CONFLICT] = { "F_CFG_CONFLICT",
					   "the IOMMU has two configurations of its stream cached",
					   WEIR_FAULT_OTHER, CAUSE },
	[WEIR_SMMU_EVT_E_PAGE_REQUEST] = { "E_PAGE_REQUEST", "it will want the page soon",
					   WEIR_FAULT_OTHER, PAGE },
	[WEIR_SMMU_EVT_F_VMS_FETCH] = { "F_VMS_FETCH",
					"the structure of its virtual machine could not be read",
					WEIR_FAULT_EXTERNAL, FETCH | CAUSE },
};

static const struct kind *kind_of(uint64_t type)
{
	static const struct kind unknown = { "unknown event", "for a reason that nobody told",
					     WEIR_FAULT_OTHER, 0 };
	static const struct kind own = { "IMPDEF_EVENT", "for a reason of this IOMMU alone",
					 WEIR_FAULT_OTHER, 0 };

	if (type < WEIR_ARRAY_SIZE(kinds) && kinds[type].name)
		return &kinds[type];
	/* 7.3.21 */
	return type >= 0xe0 && type <= 0xef ? &own : &unknown;
}

static void decode_stage(const uint64_t *record, unsigned int parts, struct weir_fault *fault)
{
	switch (WEIR_SMMU_FIELD_GET(WEIR_SMMU_EVT_1_CLASS, record[1])) {
	case WEIR_SMMU_EVT_CLASS_CD:
		fault->of = WEIR_FAULT_OF_CONTEXT;
		break;
	case WEIR_SMMU_EVT_CLASS_TT:
		fault->of = WEIR_FAULT_OF_TABLE;
		break;
	}
	fault->stage2 = record[1] & WEIR_SMMU_EVT_1_S2;
	if (!fault->stage2 || !(parts & IPA))
		return;
	fault->has_ipa = true;
	fault->ipa_nonsecure = record[1] & WEIR_SMMU_EVT_1_NSIPA;
	fault->ipa = record[3] & WEIR_SMMU_EVT_3_IPA;
}

static void decode_access(const uint64_t *record, unsigned int parts, struct weir_fault *fault)
{
	if (parts & (INPUT | PAGE)) {
		fault->has_address = true;
		fault->address =
			(weir_dma_t)(parts & PAGE ? record[2] & ~(uint64_t)0xfff : record[2]);
	}
	fault->any_direction = !(parts & (RNW | REQUEST));
	if (parts & RNW)
		fault->write = !(record[1] & WEIR_SMMU_EVT_1_RNW);
	if (parts & ATTRS) {
		fault->instruction = record[1] & WEIR_SMMU_EVT_1_IND;
		fault->privileged = record[1] & WEIR_SMMU_EVT_1_PNU;
	}
	if (parts & REQUEST) {
		fault->write = record[1] & WEIR_SMMU_EVT_BAD_ATS_TREQ_1_W;
		fault->instruction = record[1] & WEIR_SMMU_EVT_BAD_ATS_TREQ_1_X;
		fault->privileged = record[1] & WEIR_SMMU_EVT_BAD_ATS_TREQ_1_P;
	}
}

void weir_smmuv3_decode(struct weir_smmuv3 *smmu, const uint64_t *record, struct weir_fault *fault)
{
	uint64_t type = WEIR_SMMU_FIELD_GET(WEIR_SMMU_EVT_0_TYPE, record[0]);
	const struct kind *kind = kind_of(type);
	unsigned int parts = kind->parts;

	fault->iommu = &smmu->iommu;
	fault->id = (uint32_t)WEIR_SMMU_FIELD_GET(WEIR_SMMU_EVT_0_SID, record[0]);
	fault->name = kind->name;
	fault->words = kind->words;
	fault->reason = kind->reason;
	if (type == WEIR_SMMU_EVT_C_BAD_STE && weir_smmuv3_strtab_is_blocked(smmu, fault->id)) {
		fault->reason = WEIR_FAULT_BAD_STREAM;
		fault->words = NULL;
	}
	if (type == WEIR_SMMU_EVT_E_PAGE_REQUEST)
		fault->outcome = WEIR_FAULT_ANNOUNCED;
	fault->has_pasid = parts & ALWAYS_SSID || record[0] & WEIR_SMMU_EVT_0_SSV;
	if (fault->has_pasid)
		fault->pasid = (uint32_t)WEIR_SMMU_FIELD_GET(WEIR_SMMU_EVT_0_SSID, record[0]);
	decode_access(record, parts, fault);
	if (parts & STAGE)
		decode_stage(record, parts, fault);
	if (parts & FETCH) {
		fault->has_fetch = true;
		fault->fetch = (weir_phys_t)(record[3] & WEIR_SMMU_EVT_3_FETCHADDR);
		fault->fetch_gpc = record[1] & WEIR_SMMU_EVT_1_GPCF;
	}
	if (parts & CAUSE)
		fault->cause = (uint32_t)WEIR_SMMU_FIELD_GET(WEIR_SMMU_EVT_1_REASON, record[1]);
	if (parts & STALL && record[1] & WEIR_SMMU_EVT_1_STALL) {
		fault->outcome = WEIR_FAULT_STALLED;
		fault->stall_tag = (uint32_t)WEIR_SMMU_FIELD_GET(WEIR_SMMU_EVT_1_STAG, record[1]);
	}
}
