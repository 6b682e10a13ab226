/* SPDX-License-Identifier: MIT */
/*
 * Nested translation: a guest's stage 1 over a domain of stage 2 (the parent), which maps the
 * guest's physical addresses.
 *
 * A viommu is a guest's SMMU. It has a VMID of its own, under which everything that its streams
 * translate is tagged: its ASIDs are the guest's and mean nothing beyond it. The plan of the parent
 * has a slot for it, for as long as it is there. A nested domain is what the guest wrote into a
 * stream table entry of its own; the guest's context descriptors and tables are fetched by the SMMU
 * through the parent's, so that nothing of them has to be trusted.
 *
 * What comes from a guest is read once, checked bit by bit, and refused where it says anything that
 * is not the guest's own affair. Nothing that it can say makes the command queue stop (4.1.3): a
 * command that the SMMU would refuse is refused here.
 *
 * Device TLBs are off in nested domains (EATS = 0): what guests tell them is taken note of alone.
 */

#include "smmuv3/domain.h"

static inline struct weir_smmuv3_viommu *viommu_of(struct weir_viommu *viommu)
{
	return WEIR_CONTAINER_OF(viommu, struct weir_smmuv3_viommu, viommu);
}

static inline struct weir_smmuv3_nested *nested_of(struct weir_domain *domain)
{
	return WEIR_CONTAINER_OF(domain, struct weir_smmuv3_nested, domain);
}

/* ---- Viommus --------------------------------------------------------------------------------- */

static uint64_t slot_of(uint32_t vmid)
{
	return WEIR_SMMU_CMD_TLBI_S2_IPA | WEIR_SMMU_FIELD(WEIR_SMMU_CMD_TLBI_0_VMID, vmid);
}

int weir_smmuv3_viommu_alloc(struct weir_domain *parent, struct weir_viommu **viommu)
{
	struct weir_smmuv3_domain *d = weir_smmuv3_domain_of(parent);
	struct weir_smmuv3 *smmu = weir_smmuv3_of(parent->iommu);
	struct weir_smmuv3_viommu *v;
	int ret;

	if (!d->stage2 || !smmu->features.stage1)
		return -WEIR_EINVAL;
	v = weir_alloc(parent->iommu->weir, sizeof(*v), 0);
	if (!v)
		return -WEIR_ENOMEM;
	ret = weir_smmuv3_id_alloc(smmu, &smmu->vmids, &v->vmid);
	if (ret) {
		ret = ret == -WEIR_ENOSPC ? -WEIR_ENOMEM : ret;
		goto free_viommu;
	}
	ret = weir_smmuv3_plan_add(smmu, d, slot_of(v->vmid));
	if (ret)
		goto free_vmid;
	*viommu = &v->viommu;
	return 0;

free_vmid:
	weir_ids_free(&smmu->vmids, v->vmid);
free_viommu:
	weir_free(parent->iommu->weir, v);
	return ret;
}

void weir_smmuv3_viommu_release(struct weir_smmuv3 *smmu, struct weir_smmuv3_viommu *v)
{
	weir_ids_free(&smmu->vmids, v->vmid);
	weir_free(smmu->iommu.weir, v);
}

/* No stream translates under its VMID any more; what was cached goes before the VMID is reused. */
void weir_smmuv3_viommu_free(struct weir_viommu *viommu)
{
	struct weir_smmuv3_viommu *v = viommu_of(viommu);
	struct weir_smmuv3 *smmu = weir_smmuv3_of(viommu->parent->iommu);
	struct weir_smmuv3_batch batch = { .smmu = smmu };

	weir_smmuv3_batch_add(&batch,
			      WEIR_SMMU_CMD_TLBI_S12_VMALL |
				      WEIR_SMMU_FIELD(WEIR_SMMU_CMD_TLBI_0_VMID, v->vmid),
			      0);
	(void)weir_smmuv3_batch_end(&batch);
	weir_smmuv3_plan_remove(smmu, weir_smmuv3_domain_of(viommu->parent), slot_of(v->vmid));
	if (!batch.ret) {
		weir_smmuv3_viommu_release(smmu, v);
		return;
	}
	v->next_lost = smmu->lost_viommus;
	smmu->lost_viommus = v;
}

/* ---- A guest's entry ------------------------------------------------------------------------- */

/* The fields that are a guest's to choose (5.2). */
#define GUEST_WORD0                                                                                \
	(WEIR_SMMU_STE_0_V | WEIR_SMMU_STE_0_CONFIG | WEIR_SMMU_STE_0_S1FMT |                      \
	 WEIR_SMMU_STE_0_S1CONTEXTPTR | WEIR_SMMU_STE_0_S1CDMAX)
#define GUEST_CACHES (WEIR_SMMU_STE_1_S1CIR | WEIR_SMMU_STE_1_S1COR | WEIR_SMMU_STE_1_S1CSH)
#define GUEST_WORD1 (WEIR_SMMU_STE_1_S1DSS | GUEST_CACHES | WEIR_SMMU_STE_1_S1STALLD)

/* What would make the entry ILLEGAL is refused (5.2.2): it would only fill the event queue. */
static bool table_is_legal(const struct weir_smmuv3_features *f, const uint64_t *ste)
{
	uint64_t max = WEIR_SMMU_FIELD_GET(WEIR_SMMU_STE_0_S1CDMAX, ste[0]);
	uint64_t fmt = WEIR_SMMU_FIELD_GET(WEIR_SMMU_STE_0_S1FMT, ste[0]);

	if ((ste[0] & WEIR_SMMU_STE_0_S1CONTEXTPTR) >> f->pa_bits)
		return false;
	if (!max)
		return true;
	return max <= f->ssid_bits && fmt <= WEIR_SMMU_STE_S1FMT_64K_L2 &&
	       (f->two_level_cds || fmt == WEIR_SMMU_STE_S1FMT_LINEAR) &&
	       WEIR_SMMU_FIELD_GET(WEIR_SMMU_STE_1_S1DSS, ste[1]) <= WEIR_SMMU_STE_S1DSS_SSID0;
}

/* An entry that is not valid aborts, like one that says so. */
static int check_ste(const struct weir_smmuv3 *smmu, uint64_t *ste)
{
	if (!(ste[0] & WEIR_SMMU_STE_0_V)) {
		ste[0] = WEIR_SMMU_STE_0_V;
		ste[1] = 0;
		return 0;
	}
	if (ste[0] & ~GUEST_WORD0 || ste[1] & ~GUEST_WORD1)
		return -WEIR_EIO;
	switch (WEIR_SMMU_FIELD_GET(WEIR_SMMU_STE_0_CONFIG, ste[0])) {
	case WEIR_SMMU_STE_CONFIG_ABORT:
	case WEIR_SMMU_STE_CONFIG_BYPASS:
		return 0;
	case WEIR_SMMU_STE_CONFIG_S1:
		return table_is_legal(&smmu->features, ste) ? 0 : -WEIR_EIO;
	default:
		return -WEIR_EIO;
	}
}

int weir_smmuv3_nested_alloc(struct weir_viommu *viommu, const void *data, size_t size,
			     struct weir_domain **domain)
{
	struct weir_smmuv3 *smmu = weir_smmuv3_of(viommu->parent->iommu);
	const uint64_t *words = data;
	struct weir_smmuv3_nested *nested;
	uint64_t ste[2];
	int ret;

	if (size != sizeof(ste) || (uintptr_t)data % sizeof(*words))
		return -WEIR_EINVAL;
	/* Once: the guest may write there meanwhile. */
	ste[0] = __atomic_load_n(&words[0], __ATOMIC_RELAXED);
	ste[1] = __atomic_load_n(&words[1], __ATOMIC_RELAXED);
	ret = check_ste(smmu, ste);
	if (ret)
		return ret;
	nested = weir_alloc(smmu->iommu.weir, sizeof(*nested), 0);
	if (!nested)
		return -WEIR_ENOMEM;
	nested->ste[0] = ste[0];
	nested->ste[1] = ste[1];
	nested->domain.type = WEIR_DOMAIN_NESTED;
	nested->domain.iommu = &smmu->iommu;
	nested->domain.ops = smmu->iommu.ops;
	nested->domain.viommu = viommu;
	*domain = &nested->domain;
	return 0;
}

void weir_smmuv3_nested_free(struct weir_domain *domain)
{
	weir_free(domain->iommu->weir, nested_of(domain));
}

/* Stalls are off whatever the guest wants: nobody would end them. */
void weir_smmuv3_nested_make(struct weir_domain *domain, uint64_t *ste)
{
	const struct weir_smmuv3_nested *nested = nested_of(domain);
	struct weir_viommu *viommu = domain->viommu;
	uint64_t config = WEIR_SMMU_FIELD_GET(WEIR_SMMU_STE_0_CONFIG, nested->ste[0]);

	ste[0] = WEIR_SMMU_STE_0_V;
	if (config == WEIR_SMMU_STE_CONFIG_ABORT)
		return;
	weir_smmuv3_domain_stage2(weir_smmuv3_domain_of(viommu->parent), viommu_of(viommu)->vmid,
				  ste);
	if (config == WEIR_SMMU_STE_CONFIG_BYPASS) {
		ste[0] |= WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_CONFIG, WEIR_SMMU_STE_CONFIG_S2);
		return;
	}
	ste[0] = (nested->ste[0] & ~WEIR_SMMU_STE_0_CONFIG) |
		 WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_CONFIG, WEIR_SMMU_STE_CONFIG_NESTED);
	ste[1] &= ~GUEST_CACHES;
	ste[1] |= nested->ste[1] & (WEIR_SMMU_STE_1_S1DSS | GUEST_CACHES);
}

/* ---- A guest's commands ---------------------------------------------------------------------- */

/* Bits that a command may have, beside its opcode; of VMIDs the guest's is not looked at. */
struct guest_command {
	uint8_t opcode;
	uint64_t word0, word1;
};

#define RANGE0 (WEIR_SMMU_CMD_TLBI_0_NUM | WEIR_SMMU_CMD_TLBI_0_SCALE)
#define RANGE1 (WEIR_SMMU_CMD_TLBI_1_TTL | WEIR_SMMU_CMD_TLBI_1_TG)
#define BY_VA1 (WEIR_SMMU_CMD_TLBI_1_VA | WEIR_SMMU_CMD_1_LEAF | RANGE1)
#define VMID WEIR_SMMU_CMD_TLBI_0_VMID
#define ASID WEIR_SMMU_CMD_TLBI_0_ASID
#define SID WEIR_SMMU_CMD_0_SID
#define SSID WEIR_SMMU_CMD_0_SSID

static const struct guest_command guest_commands[] = {
	{ WEIR_SMMU_CMD_TLBI_NSNH_ALL, 0, 0 },
	{ WEIR_SMMU_CMD_TLBI_NH_ALL, VMID, 0 },
	{ WEIR_SMMU_CMD_TLBI_NH_ASID, VMID | ASID, 0 },
	{ WEIR_SMMU_CMD_TLBI_NH_VA, VMID | ASID | RANGE0, BY_VA1 },
	{ WEIR_SMMU_CMD_TLBI_NH_VAA, VMID | RANGE0, BY_VA1 },
	{ WEIR_SMMU_CMD_CFGI_CD, SID | SSID, WEIR_SMMU_CMD_1_LEAF },
	{ WEIR_SMMU_CMD_CFGI_CD_ALL, SID, 0 },
	{ WEIR_SMMU_CMD_ATC_INV, SID | SSID | WEIR_SMMU_CMD_0_SSV | WEIR_SMMU_CMD_ATC_INV_0_GLOBAL,
	  WEIR_SMMU_CMD_ATC_INV_1_SIZE | WEIR_SMMU_CMD_ATC_INV_1_ADDR },
};

static bool bits_are_legal(const uint64_t *cmd)
{
	uint64_t opcode = WEIR_SMMU_FIELD_GET(WEIR_SMMU_CMD_0_OPCODE, cmd[0]);
	unsigned int i;

	for (i = 0; i < WEIR_ARRAY_SIZE(guest_commands); i++) {
		const struct guest_command *known = &guest_commands[i];

		if (known->opcode == opcode)
			return !(cmd[0] & ~(known->word0 | WEIR_SMMU_CMD_0_OPCODE)) &&
			       !(cmd[1] & ~known->word1);
	}
	return false;
}

/* 4.4.1.1; and of ASIDs the upper half is RES0 where they have 8 bits (4.4). */
static bool tlbi_is_legal(const struct weir_smmuv3_features *f, const uint64_t *cmd)
{
	uint64_t tg = WEIR_SMMU_FIELD_GET(WEIR_SMMU_CMD_TLBI_1_TG, cmd[1]);
	uint64_t ttl = WEIR_SMMU_FIELD_GET(WEIR_SMMU_CMD_TLBI_1_TTL, cmd[1]);
	uint64_t range = cmd[0] & RANGE0;

	if (WEIR_SMMU_FIELD_GET(ASID, cmd[0]) >> f->asid_bits)
		return false;
	if (!f->range_invalidation || !tg)
		return !range && !ttl && !tg;
	/* Reserved without IDR5.DS, and as none. */
	if (tg == WEIR_SMMU_CMD_TLBI_TG_16K && ttl == 1)
		return false;
	return range || ttl;
}

static bool is_legal(const struct weir_smmuv3_features *f, const uint64_t *cmd)
{
	if (!bits_are_legal(cmd))
		return false;
	switch (WEIR_SMMU_FIELD_GET(WEIR_SMMU_CMD_0_OPCODE, cmd[0])) {
	case WEIR_SMMU_CMD_TLBI_NSNH_ALL:
	case WEIR_SMMU_CMD_TLBI_NH_ALL:
	case WEIR_SMMU_CMD_CFGI_CD_ALL:
		return true;
	case WEIR_SMMU_CMD_CFGI_CD:
		return !(WEIR_SMMU_FIELD_GET(SSID, cmd[0]) >> f->ssid_bits);
	case WEIR_SMMU_CMD_ATC_INV:
		return f->ats && WEIR_SMMU_FIELD_GET(WEIR_SMMU_CMD_ATC_INV_1_SIZE, cmd[1]) <=
					 WEIR_SMMU_CMD_ATC_INV_SIZE_ALL;
	default:
		return tlbi_is_legal(f, cmd);
	}
}

/* A command about a stream: the same for each that the guest's stands for. */
static int add_for_stream(struct weir_smmuv3_batch *batch, struct weir_viommu *viommu,
			  const uint64_t *cmd)
{
	const struct weir_device *dev =
		weir_viommu_find(viommu, (uint32_t)WEIR_SMMU_FIELD_GET(SID, cmd[0]));
	unsigned int i;

	if (!dev)
		return -WEIR_EIO;
	if (WEIR_SMMU_FIELD_GET(WEIR_SMMU_CMD_0_OPCODE, cmd[0]) == WEIR_SMMU_CMD_ATC_INV)
		return 0;
	for (i = 0; i < dev->nr_ids; i++)
		weir_smmuv3_batch_add(batch, (cmd[0] & ~SID) | WEIR_SMMU_FIELD(SID, dev->ids[i].id),
				      cmd[1]);
	return 0;
}

static int add_command(struct weir_smmuv3_batch *batch, struct weir_viommu *viommu,
		       const uint64_t *cmd)
{
	uint64_t vmid = WEIR_SMMU_FIELD(VMID, viommu_of(viommu)->vmid);

	if (!is_legal(&batch->smmu->features, cmd))
		return -WEIR_EIO;
	switch (WEIR_SMMU_FIELD_GET(WEIR_SMMU_CMD_0_OPCODE, cmd[0])) {
	case WEIR_SMMU_CMD_TLBI_NSNH_ALL:
		/* All of the guest's world, which is one VMID. */
		weir_smmuv3_batch_add(batch, WEIR_SMMU_CMD_TLBI_NH_ALL | vmid, 0);
		return 0;
	case WEIR_SMMU_CMD_CFGI_CD:
	case WEIR_SMMU_CMD_CFGI_CD_ALL:
	case WEIR_SMMU_CMD_ATC_INV:
		return add_for_stream(batch, viommu, cmd);
	default:
		weir_smmuv3_batch_add(batch, (cmd[0] & ~VMID) | vmid, cmd[1]);
		return 0;
	}
}

int weir_smmuv3_viommu_invalidate(struct weir_viommu *viommu, const void *cmds, unsigned int *count)
{
	struct weir_smmuv3_batch batch = { .smmu = weir_smmuv3_of(viommu->parent->iommu) };
	const uint64_t *words = cmds;
	unsigned int n = *count, i;
	uint64_t cmd[WEIR_SMMU_CMD_WORDS];
	int ret = 0;

	*count = 0;
	if ((uintptr_t)cmds % sizeof(*words))
		return -WEIR_EINVAL;
	for (i = 0; i < n; i++) {
		/* Once: the guest may write there meanwhile. */
		cmd[0] = __atomic_load_n(&words[2 * (size_t)i], __ATOMIC_RELAXED);
		cmd[1] = __atomic_load_n(&words[2 * (size_t)i + 1], __ATOMIC_RELAXED);
		ret = add_command(&batch, viommu, cmd);
		if (ret)
			break;
	}
	if (weir_smmuv3_batch_end(&batch))
		return batch.ret;
	*count = i;
	return ret;
}
