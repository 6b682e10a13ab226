/* SPDX-License-Identifier: MIT */
/*
 * What an SMMU is, taking it over, and letting go of it. At no moment between the two does an
 * access pass that no domain allows: GBPA.ABORT is set before SMMUEN is cleared, and stays.
 */

#include <weir/iort.h>

#include "base/lock.h"
#include "smmuv3/regs.h"

#define CR0_MASK                                                                                   \
	(WEIR_SMMU_CR0_SMMUEN | WEIR_SMMU_CR0_PRIQEN | WEIR_SMMU_CR0_EVENTQEN |                    \
	 WEIR_SMMU_CR0_CMDQEN)
#define GRANULES (WEIR_SMMU_IDR5_GRAN4K | WEIR_SMMU_IDR5_GRAN16K | WEIR_SMMU_IDR5_GRAN64K)
#define IRQ_MASK                                                                                   \
	(WEIR_SMMU_IRQ_CTRL_GERROR_IRQEN | WEIR_SMMU_IRQ_CTRL_PRIQ_IRQEN |                         \
	 WEIR_SMMU_IRQ_CTRL_EVENTQ_IRQEN)

/* ---- Registers that acknowledge -------------------------------------------------------------- */

static int wait_register(struct weir_smmuv3 *smmu, uint32_t offset, uint32_t mask, uint32_t want,
			 const char *name)
{
	void *plat = smmu->iommu.weir->plat;
	uint64_t since = plat_time_ns(plat);
	uint32_t value = weir_smmuv3_read(smmu, offset);

	while ((value & mask) != want) {
		if (plat_time_ns(plat) - since > WEIR_SMMUV3_TIMEOUT_NS) {
			weir_log(smmu->iommu.weir, WEIR_LOG_ERR,
				 "%s: %s stays at 0x%x, not 0x%x: the SMMU does not answer",
				 smmu->iommu.name, name, value, want);
			return -WEIR_ETIMEDOUT;
		}
		plat_relax(plat);
		value = weir_smmuv3_read(smmu, offset);
	}
	return 0;
}

int weir_smmuv3_update(struct weir_smmuv3 *smmu, uint32_t offset, uint32_t ack, uint32_t mask,
		       uint32_t value, const char *name)
{
	/* What the SMMU finds when it acts on it was written before. */
	plat_dma_wmb();
	weir_smmuv3_write(smmu, offset, value);
	return wait_register(smmu, ack, mask, value & mask, name);
}

static int set_cr0(struct weir_smmuv3 *smmu, uint64_t value)
{
	smmu->cr0 = (uint32_t)value;
	return weir_smmuv3_update(smmu, WEIR_SMMU_CR0, WEIR_SMMU_CR0ACK, (uint32_t)CR0_MASK,
				  smmu->cr0, "SMMU_CR0ACK");
}

static int set_irqs(struct weir_smmuv3 *smmu, uint64_t value)
{
	return weir_smmuv3_update(smmu, WEIR_SMMU_IRQ_CTRL, WEIR_SMMU_IRQ_CTRLACK,
				  (uint32_t)IRQ_MASK, (uint32_t)value, "SMMU_IRQ_CTRLACK");
}

/* What happens to accesses while SMMUEN is 0 (6.3.14.1: one write, with Update). */
static int set_bypass(struct weir_smmuv3 *smmu, bool abort)
{
	uint32_t update = (uint32_t)WEIR_SMMU_GBPA_UPDATE;
	uint32_t value =
		(uint32_t)WEIR_SMMU_FIELD(WEIR_SMMU_GBPA_SHCFG, WEIR_SMMU_GBPA_SHCFG_INCOMING);
	int ret = wait_register(smmu, WEIR_SMMU_GBPA, update, 0, "SMMU_GBPA");

	if (ret)
		return ret;
	if (abort)
		value |= (uint32_t)WEIR_SMMU_GBPA_ABORT;
	weir_smmuv3_write(smmu, WEIR_SMMU_GBPA, value | update);
	return wait_register(smmu, WEIR_SMMU_GBPA, update, 0, "SMMU_GBPA");
}

/* ---- What it is ------------------------------------------------------------------------------ */

struct ids {
	uint32_t idr0, idr1, idr3, idr5, aidr;
};

static inline uint32_t field(uint64_t mask, uint32_t reg)
{
	return (uint32_t)WEIR_SMMU_FIELD_GET(mask, reg);
}

static int answers(struct weir_smmuv3 *smmu, const struct ids *id)
{
	bool zero = !(id->idr0 | id->idr1 | id->idr5), ones = id->idr0 == UINT32_MAX;

	/* AIDR[31:8] is RES0, ArchMajorRev is 0 for every SMMUv3 (6.3.8). */
	if (!zero && !ones && !(id->aidr & ~(uint32_t)WEIR_SMMU_AIDR_MINOR))
		return 0;
	weir_log(smmu->iommu.weir, WEIR_LOG_ERR,
		 "%s: no SMMUv3 answers: IDR0 0x%x, IDR1 0x%x, IDR5 0x%x, AIDR 0x%x; is "
		 "its address in firmware's table right?",
		 smmu->iommu.name, id->idr0, id->idr1, id->idr5, id->aidr);
	return -WEIR_ENODEV;
}

/* What this driver cannot do without. */
static int check_needs(struct weir_smmuv3 *smmu, const struct ids *id)
{
	uint32_t endian = field(WEIR_SMMU_IDR0_TTENDIAN, id->idr0);
	const struct {
		bool met;
		const char *missing;
	} needs[] = {
		{ id->idr0 & (WEIR_SMMU_IDR0_S1P | WEIR_SMMU_IDR0_S2P),
		  "translation (IDR0.S1P or S2P)" },
		{ id->idr0 & WEIR_SMMU_FIELD(WEIR_SMMU_IDR0_TTF, WEIR_SMMU_IDR0_TTF_AARCH64),
		  "AArch64 translation tables (IDR0.TTF)" },
		{ id->idr5 & GRANULES, "pages of any size (IDR5.GRAN4K, GRAN16K or GRAN64K)" },
		{ endian == WEIR_SMMU_IDR0_TTENDIAN_MIXED ||
			  endian == WEIR_SMMU_IDR0_TTENDIAN_LITTLE,
		  "little-endian tables (IDR0.TTENDIAN)" },
		{ field(WEIR_SMMU_IDR0_STALL_MODEL, id->idr0) != WEIR_SMMU_IDR0_STALL_MODEL_FORCED,
		  "faults that do not stall (IDR0.STALL_MODEL)" },
		{ !(id->idr1 & WEIR_SMMU_IDR1_TABLES_PRESET),
		  "a stream table where software puts it (IDR1.TABLES_PRESET)" },
		{ !(id->idr1 & WEIR_SMMU_IDR1_QUEUES_PRESET),
		  "queues where software puts them (IDR1.QUEUES_PRESET)" },
		{ field(WEIR_SMMU_IDR1_SIDSIZE, id->idr1) <= 32,
		  "a sane width of stream IDs (IDR1.SIDSIZE)" },
	};
	unsigned int i, missing = 0;

	for (i = 0; i < WEIR_ARRAY_SIZE(needs); i++) {
		if (needs[i].met)
			continue;
		weir_log(smmu->iommu.weir, WEIR_LOG_ERR, "%s: the SMMU lacks %s", smmu->iommu.name,
			 needs[i].missing);
		missing++;
	}
	return missing ? -WEIR_EOPNOTSUPP : 0;
}

static uint8_t smaller(uint32_t a, uint32_t b)
{
	return (uint8_t)(a < b ? a : b);
}

/* Sizes of addresses and pages (3.4); 52 bits take pages of 64 KiB. */
static void read_sizes(struct weir_smmuv3_features *f, const struct ids *id)
{
	static const uint8_t bits[] = { 32, 36, 40, 42, 44, 48, 52 };
	bool large;

	f->granule_shift = 16;
	if (id->idr5 & WEIR_SMMU_IDR5_GRAN16K)
		f->granule_shift = 14;
	if (id->idr5 & WEIR_SMMU_IDR5_GRAN4K)
		f->granule_shift = 12;
	large = f->granule_shift == 16;
	f->va_bits =
		large && field(WEIR_SMMU_IDR5_VAX, id->idr5) == WEIR_SMMU_IDR5_VAX_52 ? 52 : 48;
	/* Other tables reach 48 bits, whatever the SMMU puts out. */
	f->ips = smaller(field(WEIR_SMMU_IDR5_OAS, id->idr5),
			 large ? WEIR_SMMU_PS_52 : WEIR_SMMU_PS_48);
	f->pa_bits = bits[f->ips];
}

/* Dirty tracking: marks by an SMMU that does not snoop would not reach the CPUs (pgtable.h). */
static void read_stages(struct weir_smmuv3_features *f, const struct ids *id)
{
	f->stage1 = id->idr0 & WEIR_SMMU_IDR0_S1P;
	f->stage2 = id->idr0 & WEIR_SMMU_IDR0_S2P;
	f->two_level_cds = id->idr0 & WEIR_SMMU_IDR0_CD2L;
	f->ats = id->idr0 & WEIR_SMMU_IDR0_ATS;
	f->forces_attributes = id->idr3 & WEIR_SMMU_IDR3_FWB;
	f->tracks_dirty =
		f->coherent && field(WEIR_SMMU_IDR0_HTTU, id->idr0) >= WEIR_SMMU_IDR0_HTTU_AF_DIRTY;
	f->asid_bits = id->idr0 & WEIR_SMMU_IDR0_ASID16 ? 16 : 8;
	f->vmid_bits = id->idr0 & WEIR_SMMU_IDR0_VMID16 ? 16 : 8;
	f->ssid_bits = smaller(field(WEIR_SMMU_IDR1_SSIDSIZE, id->idr1), 20);
}

static void read_features(struct weir_smmuv3_features *f, const struct ids *id, bool coherent)
{
	f->coherent = coherent && id->idr0 & WEIR_SMMU_IDR0_COHACC;
	f->two_level = field(WEIR_SMMU_IDR0_ST_LEVEL, id->idr0) == WEIR_SMMU_IDR0_ST_LEVEL_2LVL;
	f->range_invalidation = id->idr3 & WEIR_SMMU_IDR3_RIL;
	f->replaces_blocks = field(WEIR_SMMU_IDR3_BBML, id->idr3) == 2;
	f->hyp = id->idr0 & WEIR_SMMU_IDR0_HYP;
	f->msi = id->idr0 & WEIR_SMMU_IDR0_MSI;
	f->pri = id->idr0 & WEIR_SMMU_IDR0_PRI;
	f->stalls = field(WEIR_SMMU_IDR0_STALL_MODEL, id->idr0) == WEIR_SMMU_IDR0_STALL_MODEL_BOTH;
	f->attributes = id->idr1 & WEIR_SMMU_IDR1_ATTR_TYPES_OVR;
	f->sid_bits = (uint8_t)field(WEIR_SMMU_IDR1_SIDSIZE, id->idr1);
	read_sizes(f, id);
	read_stages(f, id);
	/* No more than one allocation holds. */
	f->cmdq_shift =
		smaller(smaller(field(WEIR_SMMU_IDR1_CMDQS, id->idr1), WEIR_SMMU_Q_LOG2SIZE_MAX),
			WEIR_PLAT_MAX_ORDER + WEIR_PAGE_SHIFT - 4);
	f->eventq_shift =
		smaller(smaller(field(WEIR_SMMU_IDR1_EVENTQS, id->idr1), WEIR_SMMU_Q_LOG2SIZE_MAX),
			WEIR_PLAT_MAX_ORDER + WEIR_PAGE_SHIFT - 5);
}

static int identify(struct weir_smmuv3 *smmu, const struct weir_iommu_desc *desc)
{
	struct ids id;
	int ret;

	weir_smmuv3_read_ids(smmu);
	id.idr0 = smmu->own.idr[0];
	id.idr1 = smmu->own.idr[1];
	id.idr3 = smmu->own.idr[3];
	id.idr5 = smmu->own.idr[5];
	id.aidr = weir_smmuv3_read(smmu, WEIR_SMMU_AIDR);
	ret = answers(smmu, &id);
	if (!ret)
		ret = check_needs(smmu, &id);
	if (ret)
		return ret;
	read_features(&smmu->features, &id, desc->coherent);
	if (desc->overrides_coherent)
		smmu->features.coherent = desc->coherent;
	weir_smmuv3_domains_describe(smmu);
	/* Tables and queues must lie where it can fetch them. */
	if ((uint64_t)plat_memory_end(smmu->iommu.weir->plat) > WEIR_BIT(smmu->features.pa_bits))
		smmu->zone = WEIR_ZONE_DMA32;
	return 0;
}

/* ---- Taking over and letting go -------------------------------------------------------------- */

/* What was wrong before is nobody's concern any more. */
static void forget_errors(struct weir_smmuv3 *smmu)
{
	uintptr_t flags = weir_lock_irq(&smmu->gerror_lock);

	smmu->gerrorn = weir_smmuv3_read(smmu, WEIR_SMMU_GERROR);
	weir_smmuv3_write(smmu, WEIR_SMMU_GERRORN, smmu->gerrorn);
	weir_unlock_irq(&smmu->gerror_lock, flags);
}

/* Also from whatever firmware left. */
int weir_smmuv3_disable(struct weir_smmuv3 *smmu)
{
	int ret = set_bypass(smmu, true);

	if (!ret)
		ret = set_cr0(smmu, 0);
	if (!ret)
		ret = set_irqs(smmu, 0);
	if (!ret)
		forget_errors(smmu);
	return ret;
}

static int alloc_structures(struct weir_smmuv3 *smmu)
{
	struct weir *weir = smmu->iommu.weir;
	int ret = weir_pgtable_cache_init(&smmu->cache, weir->plat, weir->cpus, smmu->zone,
					  smmu->features.granule_shift, &weir->table_pages);

	if (!ret)
		ret = weir_smmuv3_domains_init(smmu);
	if (!ret)
		ret = weir_smmuv3_strtab_init(smmu);
	if (!ret)
		ret = weir_smmuv3_cmdq_init(smmu);
	if (!ret)
		ret = weir_smmuv3_eventq_init(smmu);
	return ret;
}

/* The SMMU uses none of it. Any part of it may not have been made. */
static void free_structures(struct weir_smmuv3 *smmu)
{
	weir_smmuv3_eventq_fini(smmu);
	weir_smmuv3_cmdq_fini(smmu);
	weir_smmuv3_strtab_fini(smmu);
	weir_smmuv3_domains_fini(smmu);
	weir_pgtable_cache_fini(&smmu->cache);
}

/* Everything that is guarded by the enables (6.3.11, 6.3.12, 6.3.24 to 6.3.29). */
static void program(struct weir_smmuv3 *smmu)
{
	uint64_t cache = smmu->features.coherent ? WEIR_SMMU_CACHE_WB : WEIR_SMMU_CACHE_NC;

	weir_smmuv3_write(smmu, WEIR_SMMU_CR1,
			  (uint32_t)(WEIR_SMMU_FIELD(WEIR_SMMU_CR1_QUEUE_IC, cache) |
				     WEIR_SMMU_FIELD(WEIR_SMMU_CR1_QUEUE_OC, cache) |
				     WEIR_SMMU_FIELD(WEIR_SMMU_CR1_QUEUE_SH, WEIR_SMMU_SH_ISH) |
				     WEIR_SMMU_FIELD(WEIR_SMMU_CR1_TABLE_IC, cache) |
				     WEIR_SMMU_FIELD(WEIR_SMMU_CR1_TABLE_OC, cache) |
				     WEIR_SMMU_FIELD(WEIR_SMMU_CR1_TABLE_SH, WEIR_SMMU_SH_ISH)));
	/*
	 * RECINVSID: accesses of streams beyond the table are recorded. PTM: the ASIDs are no
	 * CPU's.
	 */
	weir_smmuv3_write(smmu, WEIR_SMMU_CR2,
			  (uint32_t)(WEIR_SMMU_CR2_RECINVSID | WEIR_SMMU_CR2_PTM));
	weir_smmuv3_strtab_program(smmu);
	weir_smmuv3_cmdq_program(smmu);
	weir_smmuv3_eventq_program(smmu);
	if (smmu->own.priq)
		smmu->own.priq->program(smmu);
	weir_smmuv3_irqs_program(smmu);
}

/* Whatever an earlier owner left in caches and TLBs. */
static int invalidate_all(struct weir_smmuv3 *smmu)
{
	struct weir_smmuv3_cmd cmds[4];
	unsigned int n = 0;

	cmds[n].word[0] = WEIR_SMMU_CMD_CFGI_STE_RANGE;
	cmds[n++].word[1] =
		WEIR_SMMU_FIELD(WEIR_SMMU_CMD_CFGI_1_RANGE, WEIR_SMMU_CMD_CFGI_RANGE_ALL);
	cmds[n].word[0] = WEIR_SMMU_CMD_TLBI_NSNH_ALL;
	cmds[n++].word[1] = 0;
	/* CERROR_ILL without Hyp (4.4.2). */
	if (smmu->features.hyp) {
		cmds[n].word[0] = WEIR_SMMU_CMD_TLBI_EL2_ALL;
		cmds[n++].word[1] = 0;
	}
	return weir_smmuv3_issue(smmu, cmds, n);
}

int weir_smmuv3_enable(struct weir_smmuv3 *smmu, bool first)
{
	uint64_t queues = WEIR_SMMU_CR0_EVENTQEN;
	int ret;

	if (smmu->own.priq)
		queues |= WEIR_SMMU_CR0_PRIQEN;
	program(smmu);
	ret = set_cr0(smmu, WEIR_SMMU_CR0_CMDQEN);
	if (!ret)
		ret = invalidate_all(smmu);
	if (!ret)
		ret = set_cr0(smmu, smmu->cr0 | queues);
	if (!ret && first)
		ret = weir_smmuv3_irqs_connect(smmu);
	if (!ret)
		ret = set_irqs(smmu, weir_smmuv3_irqs_enables(smmu));
	return ret;
}

int weir_smmuv3_open(struct weir_smmuv3 *smmu)
{
	int ret = set_cr0(smmu, smmu->cr0 | WEIR_SMMU_CR0_SMMUEN);

	/* Something may have failed meanwhile with nobody waiting for it. */
	if (!ret && __atomic_load_n(&smmu->cmdq.is_broken, __ATOMIC_RELAXED))
		ret = -WEIR_EIO;
	return ret;
}

int weir_smmuv3_start(struct weir_iommu *iommu)
{
	struct weir_smmuv3 *smmu = WEIR_CONTAINER_OF(iommu, struct weir_smmuv3, iommu);

	int ret = weir_smmuv3_open(smmu);

	if (!ret)
		weir_smmuv3_recovery_init(smmu);
	return ret;
}

/*
 * In this order: new accesses abort; with the command queue still there, walks that had begun are
 * waited for (3.21.1); the queues stop. A queue that is broken can wait for nothing.
 */
int weir_smmuv3_stop(struct weir_smmuv3 *smmu)
{
	int ret = set_bypass(smmu, true), other;

	if (smmu->cr0 & (uint32_t)WEIR_SMMU_CR0_SMMUEN) {
		other = set_cr0(smmu, smmu->cr0 & ~WEIR_SMMU_CR0_SMMUEN);
		ret = ret ? ret : other;
		if (!__atomic_load_n(&smmu->cmdq.is_broken, __ATOMIC_RELAXED))
			other = invalidate_all(smmu);
		ret = ret ? ret : other;
	}
	other = weir_smmuv3_disable(smmu);
	return ret ? ret : other;
}

/* Block every stream; then give the memory back, if the SMMU confirmed each step. */
static void shut_down(struct weir_smmuv3 *smmu)
{
	bool has_stopped;

	weir_smmuv3_recovery_stop(smmu);
	has_stopped = !weir_smmuv3_stop(smmu);
	weir_smmuv3_irqs_disconnect(smmu);
	if (has_stopped)
		free_structures(smmu);
	else
		weir_log(smmu->iommu.weir, WEIR_LOG_ERR,
			 "%s: it did not stop: its queues and tables stay allocated for good",
			 smmu->iommu.name);
}

/* Not inlined: its many arguments would lie below all that bring_up() does after a failure. */
static __attribute__((noinline)) void describe(struct weir_smmuv3 *smmu)
{
	const struct weir_smmuv3_features *f = &smmu->features;

	weir_log(smmu->iommu.weir, WEIR_LOG_INFO,
		 "%s: SMMUv3: %u stream IDs (%s table), %u-bit addresses, %u commands, %u events, "
		 "%u domains%s%s",
		 smmu->iommu.name, 1u << smmu->strtab.log2size,
		 smmu->strtab.second ? "two-level" : "linear", f->pa_bits,
		 (unsigned int)smmu->cmdq.entries, smmu->eventq.entries, (1u << f->asid_bits) - 1,
		 f->range_invalidation ? ", range invalidation" : "",
		 f->coherent ? "" : ", not coherent");
	weir_smmuv3_log_features(smmu);
}

/* ---- The driver ------------------------------------------------------------------------------ */

/* Not inlined, for the same reason. */
static __attribute__((noinline)) int map_registers(struct weir_smmuv3 *smmu,
						   const struct weir_iommu_desc *desc)
{
	/* Page 0 and page 1 (6.1). */
	smmu->regs_size = 2 * (uint64_t)WEIR_SMMU_PAGE_SIZE;
	if (desc->size < smmu->regs_size) {
		weir_log(smmu->iommu.weir, WEIR_LOG_ERR,
			 "%s: its registers are said to have 0x%llx bytes, an SMMUv3 has 0x%llx",
			 smmu->iommu.name, (unsigned long long)desc->size,
			 (unsigned long long)smmu->regs_size);
		return -WEIR_EINVAL;
	}
	smmu->regs = plat_mmio_map(smmu->iommu.weir->plat, desc->base, smmu->regs_size);
	if (smmu->regs)
		return 0;
	weir_log(smmu->iommu.weir, WEIR_LOG_ERR, "%s: its registers at 0x%llx cannot be mapped",
		 smmu->iommu.name, (unsigned long long)desc->base);
	return -WEIR_ENOMEM;
}

static void destroy(struct weir_smmuv3 *smmu)
{
	struct weir *weir = smmu->iommu.weir;

	if (smmu->regs)
		plat_mmio_unmap(weir->plat, smmu->regs, smmu->regs_size);
	weir_limit_fini(&smmu->limit);
	weir_free(weir, smmu);
}

static struct weir_smmuv3 *create(struct weir *weir, const struct weir_iommu_desc *desc)
{
	/* Rounded up: the heap aligns powers of two, and members ask for 64 bytes. */
	size_t size = 64;
	struct weir_smmuv3 *smmu;

	while (size < sizeof(*smmu))
		size *= 2;
	smmu = weir_alloc(weir, size, 0);
	if (!smmu)
		return NULL;
	smmu->iommu.weir = weir;
	smmu->iommu.driver = &weir_smmuv3_driver;
	smmu->iommu.ops = &weir_smmuv3_ops;
	smmu->iommu.phandle = desc->phandle;
	weir_snprintf(smmu->iommu.name, sizeof(smmu->iommu.name), "%s", desc->name);
	weir_limit_init(&smmu->limit, weir, "errors of an SMMU were");
	smmu->blocked.type = WEIR_DOMAIN_BLOCKED;
	smmu->identity.type = WEIR_DOMAIN_IDENTITY;
	smmu->blocked.iommu = smmu->identity.iommu = &smmu->iommu;
	smmu->blocked.ops = smmu->identity.ops = &weir_smmuv3_ops;
	smmu->iommu.blocked = &smmu->blocked;
	smmu->iommu.identity = &smmu->identity;
	return smmu;
}

/* With everything in memory before it is disabled: the gap for streams that are kept is short. */
static int take_over(struct weir_smmuv3 *smmu, const struct weir_smmuv3_firmware *firmware)
{
	int ret = alloc_structures(smmu);

	if (!ret)
		ret = weir_smmuv3_firmware_keep(smmu, firmware);
	return ret;
}

static int bring_up(struct weir_smmuv3 *smmu, const struct weir_iommu_desc *desc)
{
	struct weir_smmuv3_firmware firmware;
	int ret = 0, taken = 0;

	weir_smmuv3_firmware_read(smmu, &firmware);
	if (firmware.is_live)
		taken = take_over(smmu, &firmware);
	ret = weir_smmuv3_disable(smmu);
	if (ret && !firmware.is_live)
		return ret;
	if (!firmware.is_live)
		taken = alloc_structures(smmu);
	ret = ret ? ret : taken;
	if (ret) {
		free_structures(smmu);
		return ret;
	}
	weir_smmuv3_irqs_init(smmu, desc);
	ret = weir_smmuv3_enable(smmu, true);
	if (ret)
		shut_down(smmu);
	else
		describe(smmu);
	return ret;
}

/* WEIR_MODE_OFF: as if it were not there. */
int weir_smmuv3_let_all_pass(struct weir_smmuv3 *smmu)
{
	int ret = weir_smmuv3_disable(smmu);

	return ret ? ret : set_bypass(smmu, false);
}

static int smmuv3_probe(struct weir *weir, const struct weir_iommu_desc *desc,
			struct weir_iommu **iommu)
{
	struct weir_smmuv3 *smmu = create(weir, desc);
	int ret;

	if (!smmu)
		return -WEIR_ENOMEM;
	ret = map_registers(smmu, desc);
	if (!ret)
		ret = identify(smmu, desc);
	if (!ret)
		ret = weir->mode == WEIR_MODE_OFF ? weir_smmuv3_let_all_pass(smmu) :
						    bring_up(smmu, desc);
	else if (ret == -WEIR_EOPNOTSUPP && weir->mode != WEIR_MODE_OFF)
		(void)weir_smmuv3_disable(smmu); /* one that cannot translate can still block */
	if (ret) {
		destroy(smmu);
		return ret;
	}
	*iommu = &smmu->iommu;
	return 0;
}

static void smmuv3_remove(struct weir_iommu *iommu)
{
	struct weir_smmuv3 *smmu = WEIR_CONTAINER_OF(iommu, struct weir_smmuv3, iommu);

	shut_down(smmu);
	destroy(smmu);
}

static const char *const compatible[] = { "arm,smmu-v3", NULL };

const struct weir_iommu_driver weir_smmuv3_driver = {
	.name = "smmuv3",
	.compatible = compatible,
	.iort_type = WEIR_IORT_SMMUV3,
	.probe = smmuv3_probe,
	.remove = smmuv3_remove,
	.suspend = weir_smmuv3_suspend,
	.resume = weir_smmuv3_resume,
};
