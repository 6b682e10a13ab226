/* SPDX-License-Identifier: MIT */

/* The guest: -> tables.h. Its RAM is given out from the bottom, structures first. */

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <weir/hw/smmuv3.h>

#include "tables.h"

#define RAM_BASE 0x40000000ull
#define PAGE 4096ull
#define STRTAB RAM_BASE /* 64 STEs */
#define STRTAB_LOG2 6u
#define CDS (RAM_BASE + 0x1000)
#define EVENTQ (RAM_BASE + 0x2000)
#define EVENTQ_LOG2 4u
#define TABLES 0x4000 /* from the beginning of RAM */
#define OUTPUT 0x030000000000ull
#define STREAM 5u
#define STREAM_NESTED 6u

#define LEAF (WEIR_VMSA_TYPE_PAGE | WEIR_VMSA_AF | WEIR_SMMU_FIELD(WEIR_VMSA_SH, WEIR_VMSA_SH_ISH))
#define LEAF1 (LEAF | WEIR_VMSA_AP_UNPRIV | WEIR_VMSA_NG)
#define LEAF2                                                                                      \
	(LEAF | WEIR_SMMU_FIELD(WEIR_VMSA_S2_MEMATTR, 15) | WEIR_VMSA_S2AP_READ |                  \
	 WEIR_VMSA_S2AP_WRITE)

/* ---- Its machine ------------------------------------------------------------------------ */

static uint64_t *word_at(struct guest *guest, uint64_t addr)
{
	if (addr < RAM_BASE || addr - RAM_BASE >= guest->size || addr % 8)
		return NULL;
	return (uint64_t *)(void *)(guest->ram + (addr - RAM_BASE));
}

static enum weir_model_result host_load64(void *opaque, uint64_t addr, uint64_t *value)
{
	uint64_t *word = word_at(opaque, addr);

	if (!word)
		return WEIR_MODEL_ABORT;
	*value = __atomic_load_n(word, __ATOMIC_ACQUIRE);
	return WEIR_MODEL_OK;
}

static enum weir_model_result host_store64(void *opaque, uint64_t addr, uint64_t value)
{
	uint64_t *word = word_at(opaque, addr);

	if (!word)
		return WEIR_MODEL_ABORT;
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
	return WEIR_MODEL_OK;
}

static bool host_window(void *opaque, uint64_t addr, struct weir_model_window *window)
{
	struct guest *guest = opaque;

	if (!word_at(guest, addr & ~(uint64_t)7))
		return false;
	*window = (struct weir_model_window){ RAM_BASE, guest->size, guest->ram };
	return true;
}

static const struct weir_model_host_ops host_ops = {
	.load64 = host_load64,
	.store64 = host_store64,
	.window = host_window,
};

/* ---- Its tables ------------------------------------------------------------------------- */

static void put(struct guest *guest, uint64_t addr, uint64_t value)
{
	*word_at(guest, addr) = value;
}

static uint64_t new_table(struct guest *guest)
{
	uint64_t table = RAM_BASE + guest->used;

	guest->used += PAGE;
	return table;
}

/* `bias`: by how much the tables' own addresses are above the machine's. */
static void map(struct guest *guest, uint64_t table, uint64_t bias, uint64_t addr, uint64_t leaf)
{
	for (unsigned int shift = 39;; shift -= 9) {
		uint64_t slot = table + (addr >> shift & 511) * 8;

		if (shift == 12) {
			put(guest, slot, leaf);
			return;
		}
		if (!*word_at(guest, slot))
			put(guest, slot, (new_table(guest) + bias) | WEIR_VMSA_TYPE_TABLE);
		table = (*word_at(guest, slot) & WEIR_VMSA_ADDR) - bias;
	}
}

uint32_t guest_stream(bool nested)
{
	return nested ? STREAM_NESTED : STREAM;
}

/* An odd factor: no two pages lie at one place. */
uint64_t guest_output(uint64_t page)
{
	return OUTPUT + (page * 0x9e3779b1u % GUEST_PAGES_MAX) * PAGE;
}

static void map_pages(struct guest *guest, uint64_t pages)
{
	guest->stage1 = new_table(guest);
	guest->nested_stage1 = new_table(guest);
	guest->stage2 = new_table(guest);
	for (uint64_t page = 0; page < pages; page++) {
		uint64_t va = GUEST_VA + page * PAGE, ipa = GUEST_IPA + page * PAGE;

		map(guest, guest->stage1, 0, va, guest_output(page) | LEAF1);
		map(guest, guest->nested_stage1, GUEST_BIAS, va, ipa | LEAF1);
		map(guest, guest->stage2, 0, ipa, guest_output(page) | LEAF2);
	}
	/* What stage 1 needs to see of itself; `used` grows on the way. */
	for (uint64_t at = 0; at < guest->used; at += PAGE)
		map(guest, guest->stage2, 0, RAM_BASE + GUEST_BIAS + at, (RAM_BASE + at) | LEAF2);
}

static void put_cd(struct guest *guest, uint64_t cd, uint16_t asid, uint64_t table)
{
	put(guest, cd,
	    WEIR_SMMU_CD_0_V | WEIR_SMMU_CD_0_AA64 | WEIR_SMMU_CD_0_A | WEIR_SMMU_CD_0_R |
		    WEIR_SMMU_CD_0_EPD1 | WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_T0SZ, 16) |
		    WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_IPS, WEIR_SMMU_PS_48) |
		    WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_ASID, asid));
	put(guest, cd + 8, table);
	put(guest, cd + 24, WEIR_SMMU_FIELD(WEIR_SMMU_CD_3_MAIR0, WEIR_VMSA_MAIR_NORMAL_WB));
}

static void put_stream(struct guest *guest, uint32_t stream, unsigned int config, uint64_t cd)
{
	uint64_t ste = STRTAB + stream * WEIR_SMMU_STE_SIZE;

	put(guest, ste, WEIR_SMMU_STE_0_V | WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_CONFIG, config) | cd);
	put(guest, ste + 8, WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_SHCFG, WEIR_SMMU_STE_SHCFG_INCOMING));
	if (config != WEIR_SMMU_STE_CONFIG_NESTED)
		return;
	put(guest, ste + 16,
	    WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2VMID, 1) |
		    WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2T0SZ, 16) |
		    WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2SL0, 2) |
		    WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2PS, WEIR_SMMU_PS_48) |
		    WEIR_SMMU_STE_2_S2AA64 | WEIR_SMMU_STE_2_S2R);
	put(guest, ste + 24, guest->stage2);
}

bool guest_create(struct guest *guest, uint64_t pages)
{
	/* Three leaf tables for 512 pages, those of stage 2 for the tables, and some above. */
	*guest = (struct guest){ .size = (pages / 512 * 4 + 512) * PAGE, .used = TABLES };
	guest->ram =
		mmap(NULL, guest->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (guest->ram == MAP_FAILED)
		return false;
	map_pages(guest, pages);
	put_cd(guest, CDS, 1, guest->stage1);
	put_cd(guest, CDS + WEIR_SMMU_CD_SIZE, 2, guest->nested_stage1 + GUEST_BIAS);
	put_stream(guest, STREAM, WEIR_SMMU_STE_CONFIG_S1, CDS);
	put_stream(guest, STREAM_NESTED, WEIR_SMMU_STE_CONFIG_NESTED,
		   CDS + WEIR_SMMU_CD_SIZE + GUEST_BIAS);
	return true;
}

void guest_destroy(struct guest *guest)
{
	munmap(guest->ram, guest->size);
}

struct walk guest_walk(const struct guest *guest, bool nested)
{
	return (struct walk){
		.memory = (uintptr_t)guest->ram - RAM_BASE,
		.stage1 = nested ? guest->nested_stage1 + GUEST_BIAS : guest->stage1,
		.stage2 = guest->stage2,
	};
}

/* ---- Its SMMU --------------------------------------------------------------------------- */

static void enable(struct weir_model_smmuv3 *smmu)
{
	weir_model_smmuv3_write(smmu, WEIR_SMMU_STRTAB_BASE, 8, STRTAB);
	weir_model_smmuv3_write(smmu, WEIR_SMMU_STRTAB_BASE_CFG, 4, STRTAB_LOG2);
	weir_model_smmuv3_write(smmu, WEIR_SMMU_EVENTQ_BASE, 8, EVENTQ | EVENTQ_LOG2);
	weir_model_smmuv3_write(smmu, WEIR_SMMU_CR0, 4,
				WEIR_SMMU_CR0_SMMUEN | WEIR_SMMU_CR0_EVENTQEN);
}

struct weir_model_smmuv3 *guest_smmu(struct guest *guest, unsigned int tlb_entries)
{
	struct weir_model_host host = { .ops = &host_ops, .opaque = guest };
	struct weir_model_smmuv3_config config = { .aidr = 1, .tlb_entries = tlb_entries };
	struct weir_model_smmuv3 *smmu;

	memcpy(config.idr, weir_model_smmuv3_default_idr, sizeof(config.idr));
	config.idr[0] |= (uint32_t)(WEIR_SMMU_IDR0_S1P | WEIR_SMMU_IDR0_S2P);
	config.idr[5] = (uint32_t)WEIR_SMMU_FIELD(WEIR_SMMU_IDR5_OAS, WEIR_SMMU_PS_48) |
			(uint32_t)WEIR_SMMU_IDR5_GRAN4K;
	if (weir_model_smmuv3_create(&host, &config, &smmu)) {
		fprintf(stderr, "smmuv3-translate: cannot create the SMMUv3\n");
		return NULL;
	}
	enable(smmu);
	return smmu;
}
