/* SPDX-License-Identifier: MIT */
/*
 * See fakesmmu.h. Numbers are written out: a second reading of the specification, not the driver's.
 */

#include "fakesmmu.h"

#include <stdio.h>
#include <string.h>
#include <weir/platform.h>

#define SPLIT 8

static void violation(struct fakesmmu *smmu, const char *what)
{
	if (!smmu->violations++)
		snprintf(smmu->violation, sizeof(smmu->violation), "%s", what);
}

uint32_t *fakesmmu_reg(struct fakesmmu *smmu, uint32_t offset)
{
	return &smmu->regs[offset / 4];
}

static uint32_t get(struct fakesmmu *smmu, uint32_t offset)
{
	return *fakesmmu_reg(smmu, offset);
}

static uint64_t get64(struct fakesmmu *smmu, uint32_t offset)
{
	return get(smmu, offset) | (uint64_t)get(smmu, offset + 4) << 32;
}

static uint64_t *memory(struct fakesmmu *smmu, uint64_t phys)
{
	return plat_phys_to_virt(smmu->plat, phys);
}

void fakesmmu_init(struct fakesmmu *smmu, void *plat, void (*raise)(unsigned int irq))
{
	memset(smmu, 0, sizeof(*smmu));
	memset(smmu->regs, 0xa5, sizeof(smmu->regs));
	smmu->plat = plat;
	smmu->raise = raise;
	*fakesmmu_reg(smmu, 0x0) = 0x0d44101b;
	*fakesmmu_reg(smmu, 0x4) = 0x02730010;
	*fakesmmu_reg(smmu, 0xc) = 0x1414;
	*fakesmmu_reg(smmu, 0x14) = 0x74;
	*fakesmmu_reg(smmu, 0x1c) = 1;
	/* What reset gives a value to. */
	*fakesmmu_reg(smmu, 0x20) = *fakesmmu_reg(smmu, 0x24) = 0;
	*fakesmmu_reg(smmu, 0x44) = 0x1000;
	*fakesmmu_reg(smmu, 0x50) = *fakesmmu_reg(smmu, 0x54) = 0;
	*fakesmmu_reg(smmu, 0x60) = *fakesmmu_reg(smmu, 0x64) = 0;
}

/* ---- Commands -------------------------------------------------------------------------------- */

static bool has_ril(struct fakesmmu *smmu)
{
	return get(smmu, 0xc) >> 10 & 1;
}

/* 4.4.1.1, with TG = 4 KiB or without. */
static bool invalidate_va(struct fakesmmu *smmu, const uint64_t *cmd)
{
	uint64_t va = cmd[1] & ~0xfffull, num = cmd[0] >> 12 & 31, scale = cmd[0] >> 20 & 63;
	unsigned int ttl = cmd[1] >> 8 & 3, tg = cmd[1] >> 10 & 3, asid = cmd[0] >> 48;
	bool leaf_only = cmd[1] & 1;
	uint64_t end = va + 4096;

	if (!has_ril(smmu) && (num || scale || ttl || tg))
		return false;
	if (!tg && (num || scale || ttl))
		return false;
	if (tg) {
		if (tg != 1 || (!num && !scale && !ttl))
			return false;
		end = va + ((num + 1) << scale) * 4096;
		if ((ttl == 2 && va & 0x1ff000) || (ttl == 1 && va & 0x3ffff000))
			violation(smmu, "TTL with an address that is not aligned");
	}
	for (unsigned int i = 0; i < FAKESMMU_CACHED; i++) {
		struct fakesmmu_cached *c = &smmu->cache[i];
		uint64_t span = (uint64_t)1 << (39 - 9 * c->level);

		if (!c->valid || c->asid != asid || c->base >= end || c->base + span <= va)
			continue;
		/* Leaves of another level than TTL, and tables from that level on, may stay. */
		if (c->is_leaf ? !ttl || c->level == ttl : !leaf_only && (!ttl || c->level < ttl))
			c->valid = false;
	}
	return true;
}

static void invalidate_asid(struct fakesmmu *smmu, bool all, unsigned int asid)
{
	for (unsigned int i = 0; i < FAKESMMU_CACHED; i++)
		if (all || smmu->cache[i].asid == asid)
			smmu->cache[i].valid = false;
}

static void invalidate_config(struct fakesmmu *smmu, bool all, uint32_t id, bool leaf_only)
{
	for (unsigned int i = 0; i < 64; i++) {
		if (all || smmu->stes[i].id == id)
			smmu->stes[i].valid = false;
		if (all || (!leaf_only && smmu->l1stds[i].id == id >> SPLIT))
			smmu->l1stds[i].valid = false;
	}
}

/* false: CERROR_ILL */
static bool execute(struct fakesmmu *smmu, const uint64_t *cmd)
{
	switch (cmd[0] & 0xff) {
	case 0x03:
		invalidate_config(smmu, false, (uint32_t)(cmd[0] >> 32), cmd[1] & 1);
		return true;
	case 0x04:
		if ((cmd[1] & 31) != 31)
			violation(smmu, "a range of stream table entries that is not all");
		invalidate_config(smmu, true, 0, false);
		return true;
	case 0x11:
		invalidate_asid(smmu, false, cmd[0] >> 48);
		return true;
	case 0x12:
		return invalidate_va(smmu, cmd);
	case 0x20:
		return get(smmu, 0) >> 9 & 1;
	case 0x30:
		invalidate_asid(smmu, true, 0);
		return true;
	case 0x46:
		return !(cmd[0] >> 12 & 3);
	default:
		return false;
	}
}

static void consume(struct fakesmmu *smmu)
{
	uint64_t base = get64(smmu, 0x90);
	unsigned int shift = base & 31, done = 0;
	uint32_t mask = (2u << shift) - 1, size = 1u << shift;

	if (smmu->stopped || !(get(smmu, 0x24) & 8))
		return;
	while (!((get(smmu, 0x60) ^ get(smmu, 0x64)) & 1) &&
	       (get(smmu, 0x98) ^ get(smmu, 0x9c)) & mask) {
		uint32_t cons = get(smmu, 0x9c) & mask;
		uint64_t *cmd = memory(smmu, (base & 0xfffffffffffe0) + (cons & (size - 1)) * 16);
		bool refused = smmu->refuse && !--smmu->refuse;
		uint32_t error = refused ? smmu->refuse_error : 1;

		if (refused && smmu->refuse_again) {
			smmu->refuse_again--;
			smmu->refuse = 1;
		}
		memcpy(smmu->commands[smmu->nr_commands++ % FAKESMMU_LOG], cmd, 16);
		if (refused || !execute(smmu, cmd)) {
			if (!refused)
				violation(smmu, "an illegal command");
			*fakesmmu_reg(smmu, 0x9c) = cons | error << 24;
			fakesmmu_error(smmu, 1);
			return;
		}
		*fakesmmu_reg(smmu, 0x9c) = (cons + 1) & mask;
		if (++done == smmu->budget)
			return;
	}
}

/* ---- Registers ------------------------------------------------------------------------------- */

uint64_t fakesmmu_read(void *opaque, uint64_t phys, unsigned int size)
{
	struct fakesmmu *smmu = opaque;
	uint32_t offset = (uint32_t)(phys - FAKESMMU_BASE);

	if (size != 4 || offset % 4)
		violation(smmu, "a register read that is not of 32 bits");
	if (offset == 0x9c)
		consume(smmu);
	return get(smmu, offset);
}

/* Which enables must be off for a write (6.3.11, 6.3.24 to 6.3.29, 6.3.95). */
static uint32_t guards(uint32_t offset)
{
	switch (offset) {
	case 0x28:
		return 0xf;
	case 0x2c:
	case 0x80:
	case 0x88:
		return 0x1;
	case 0x90:
	case 0x9c:
		return 0x8;
	case 0xa0:
	case 0x100a8:
		return 0x4;
	default:
		return 0;
	}
}

static void write_cr0(struct fakesmmu *smmu, uint32_t value)
{
	uint32_t old = get(smmu, 0x24);

	if (old & 1 && !(value & 1) && !(get(smmu, 0x44) & 1 << 20))
		violation(smmu, "switched off while GBPA lets accesses pass");
	*fakesmmu_reg(smmu, 0x24) = (old & smmu->frozen_cr0) | (value & ~smmu->frozen_cr0);
}

void fakesmmu_write(void *opaque, uint64_t phys, unsigned int size, uint64_t value)
{
	struct fakesmmu *smmu = opaque;
	uint32_t offset = (uint32_t)(phys - FAKESMMU_BASE);

	if (guards(offset) & (get(smmu, 0x20) | get(smmu, 0x24)))
		violation(smmu, "a register was written while what guards it is enabled");
	if (offset == 0x100a0 || (size != 4 && size != 8))
		violation(smmu, "a strange register write");
	*fakesmmu_reg(smmu, offset) = (uint32_t)value;
	if (size == 8)
		*fakesmmu_reg(smmu, offset + 4) = (uint32_t)(value >> 32);
	if (offset == 0x20)
		write_cr0(smmu, (uint32_t)value);
	if (offset == 0x50)
		*fakesmmu_reg(smmu, 0x54) = (get(smmu, 0x54) & smmu->frozen_irq_ctrl) |
					    ((uint32_t)value & ~smmu->frozen_irq_ctrl);
	if (offset == 0x44 && !(value >> 31))
		violation(smmu, "GBPA was written without Update");
	if (offset == 0x44 && !smmu->frozen_gbpa)
		*fakesmmu_reg(smmu, 0x44) &= 0x7fffffff;
}

void fakesmmu_error(struct fakesmmu *smmu, uint32_t bits)
{
	uint32_t active = get(smmu, 0x60) ^ get(smmu, 0x64);

	*fakesmmu_reg(smmu, 0x60) ^= bits & ~active;
	if (get(smmu, 0x54) & 1)
		smmu->raise(FAKESMMU_IRQ_GERROR);
}

void fakesmmu_event(struct fakesmmu *smmu, const uint64_t *record)
{
	uint64_t base = get64(smmu, 0xa0);
	unsigned int shift = base & 31;
	uint32_t mask = (2u << shift) - 1, prod = get(smmu, 0x100a8), cons = get(smmu, 0x100ac);

	if (!(get(smmu, 0x24) & 4))
		return;
	if (((prod ^ cons) & mask) == 1u << shift) {
		smmu->lost++;
		if (!((prod ^ cons) >> 31))
			*fakesmmu_reg(smmu, 0x100a8) ^= 1u << 31;
		return;
	}
	memcpy(memory(smmu, (base & 0xfffffffffffe0) + (prod & (mask >> 1)) * 32), record, 32);
	*fakesmmu_reg(smmu, 0x100a8) = (prod & 1u << 31) | ((prod + 1) & mask);
	smmu->events++;
	/* 3.18: when the queue was empty. */
	if (!((prod ^ cons) & mask) && get(smmu, 0x54) & 4)
		smmu->raise(FAKESMMU_IRQ_EVENTQ);
}

/* ---- Accesses -------------------------------------------------------------------------------- */

static enum fakesmmu_result fault(struct fakesmmu *smmu, unsigned int type, uint32_t id,
				  uint64_t iova, bool write)
{
	uint64_t record[4] = { type | (uint64_t)id << 32, write ? 0 : 1ull << 35, iova, 0 };

	if (type < 0x10)
		record[1] = record[2] = 0;
	fakesmmu_event(smmu, record);
	return FAKESMMU_ABORTED;
}

static uint64_t cached_config(struct fakesmmu *smmu, struct fakesmmu_config *table, uint32_t id,
			      uint64_t phys)
{
	struct fakesmmu_config *c;

	for (unsigned int i = 0; i < 64; i++)
		if (table[i].valid && table[i].id == id)
			return table[i].word;
	c = &table[smmu->next_config++ % 64];
	*c = (struct fakesmmu_config){ true, id, *memory(smmu, phys) };
	return c->word;
}

/* Word 0 of the entry, or C_BAD_STREAMID (5.1). */
static bool find_ste(struct fakesmmu *smmu, uint32_t id, uint64_t *word0)
{
	uint64_t base = get64(smmu, 0x80) & 0xfffffffffffc0, l1std;
	uint32_t config = get(smmu, 0x88);

	if ((uint64_t)id >> (config & 63))
		return false;
	if (config >> 16 & 3) {
		if ((config >> 6 & 31) != SPLIT)
			violation(smmu, "a split that is not 8");
		l1std = cached_config(smmu, smmu->l1stds, id >> SPLIT, base + (id >> SPLIT) * 8);
		if (!(l1std & 31))
			return false;
		base = (l1std & 0xfffffffffffc0) + (id & 0xff) * 64;
	} else {
		base += (uint64_t)id * 64;
	}
	*word0 = cached_config(smmu, smmu->stes, id, base);
	/* The rest of the entry is not cached here, and must never change. */
	if ((memory(smmu, base)[1] >> 28 & 3) || memory(smmu, base)[2] || memory(smmu, base)[3])
		violation(smmu, "words 1 to 3 of an entry");
	return true;
}

static const struct fakesmmu_cached *cached_entry(struct fakesmmu *smmu, unsigned int asid,
						  unsigned int level, uint64_t iova)
{
	uint64_t base = iova & ~(((uint64_t)1 << (39 - 9 * level)) - 1);

	for (unsigned int i = 0; i < FAKESMMU_CACHED; i++) {
		const struct fakesmmu_cached *c = &smmu->cache[i];

		if (c->valid && c->asid == asid && c->level == level && c->base == base)
			return c;
	}
	return NULL;
}

static void keep(struct fakesmmu *smmu, unsigned int asid, unsigned int level, uint64_t iova,
		 uint64_t entry, bool is_leaf)
{
	uint64_t span = (uint64_t)1 << (39 - 9 * level);

	smmu->cache[smmu->next_cached++ % FAKESMMU_CACHED] =
		(struct fakesmmu_cached){ true, is_leaf, (uint16_t)asid, level, iova & ~(span - 1),
					  entry };
}

/*
 * The leaf for iova, from the caches as far as they go; 0: none. Starts with the largest leaf
 * cached.
 */
static uint64_t translate(struct fakesmmu *smmu, unsigned int asid, uint64_t ttb, uint64_t iova,
			  unsigned int *level)
{
	const struct fakesmmu_cached *c;
	uint64_t table = ttb, entry;
	unsigned int start = 0;

	for (*level = 0; *level < 4; ++*level) {
		c = cached_entry(smmu, asid, *level, iova);
		if (c && c->is_leaf)
			return c->entry;
		if (c) {
			table = c->entry & 0xfffffffff000;
			start = *level + 1;
		}
	}
	for (*level = start; *level < 4; ++*level) {
		bool is_leaf;

		entry = memory(smmu, table)[iova >> (39 - 9 * *level) & 511];
		if (!(entry & 1))
			return 0;
		is_leaf = *level == 3 || !(entry & 2);
		keep(smmu, asid, *level, iova, entry, is_leaf);
		if (is_leaf)
			return entry;
		table = entry & 0xfffffffff000;
	}
	return 0;
}

enum fakesmmu_result fakesmmu_access(struct fakesmmu *smmu, uint32_t id, uint64_t iova, bool write)
{
	uint64_t word0, leaf, offset, *cd;
	unsigned int level;

	smmu->out = iova;
	if (!(get(smmu, 0x24) & 1))
		return get(smmu, 0x44) & 1 << 20 ? FAKESMMU_ABORTED : FAKESMMU_PASSED;
	if (!find_ste(smmu, id, &word0))
		return get(smmu, 0x2c) & 2 ? fault(smmu, 2, id, iova, write) : FAKESMMU_ABORTED;
	if (!(word0 & 1))
		return fault(smmu, 4, id, iova, write);
	if ((word0 >> 1 & 7) == 4)
		return FAKESMMU_PASSED;
	if ((word0 >> 1 & 7) != 5)
		return FAKESMMU_ABORTED;
	cd = memory(smmu, word0 & 0xfffffffffffc0);
	/* V, AA64, R, A, EPD1, no S; T0SZ 16, 4 KiB. */
	if ((cd[0] & 0x7200c000c0ffull) != 0x6200c0000010ull)
		return fault(smmu, 10, id, iova, write);
	leaf = iova >> 48 ? 0 : translate(smmu, cd[0] >> 48, cd[1] & 0xffffffffffff0, iova, &level);
	if (!leaf)
		return fault(smmu, 0x10, id, iova, write);
	if (!(leaf & 1 << 6) || (write && leaf & 1 << 7))
		return fault(smmu, 0x13, id, iova, write);
	offset = ((uint64_t)1 << (39 - 9 * level)) - 1;
	smmu->out = (leaf & 0xfffffffff000 & ~offset) | (iova & offset);
	return FAKESMMU_PASSED;
}
