/* SPDX-License-Identifier: MIT */
/* See mutate.h. */

#include "mutate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir/hw/smmuv3.h>

#include "threadplat.h"

#define BATCH 32u
#define LINE 64u
#define WORDS_OF_PAGE (WEIR_PAGE_SIZE / 8)
#define HELD_BACK 65536u
#define SPLIT 8u /* of stream tables: 2^8 first-level descriptors of 2^8 streams each */
#define LAST ((1u << SPLIT) - 1)

const char *const mutate_kind_names[MUTATE_KINDS] = {
	[MUTATE_NOTHING] = "nothing",
	[MUTATE_CFGI_STE] = "cfgi-ste",
	[MUTATE_TLBI_VA] = "tlbi-va",
	[MUTATE_TLBI_RANGE] = "tlbi-range",
	[MUTATE_TLBI_TABLES] = "tlbi-tables",
	[MUTATE_TLBI_ASID] = "tlbi-asid",
	[MUTATE_SYNC] = "sync",
	[MUTATE_CLEAN_MAP] = "clean-map",
	[MUTATE_CLEAN_UNMAP] = "clean-unmap",
	[MUTATE_CLEAN_STE] = "clean-ste",
	[MUTATE_CLEAN_COMMAND] = "clean-cmd",
	[MUTATE_WMB_MAP] = "wmb-map",
	[MUTATE_WMB_PUBLISH] = "wmb-publish",
	[MUTATE_WMB_PROD] = "wmb-prod",
};

struct mutate mutate;

/*
 * A batch of commands that the model does not know yet; behind them in `commands` those of batches
 * before it that no CMD_SYNC was behind so far: they have done what they do when one is.
 */
static struct {
	uint64_t commands[2 * BATCH][2];
	unsigned int n, n_all;
	uint64_t slot[BATCH]; /* where they lie */
} batch;
/* First-level descriptors that led to a table when the operation began: they never change again. */
static bool was_there[1u << SPLIT];

static uint64_t replaced; /* the slot that is read as something else; 0: none */
static bool is_over;	  /* the operation is, in which something was left out */
/* A clean of slots of the command queue, about which the batch decides. */
static const void *pending;
static size_t pending_size;
/* What a clean that was left out would have put into memory, until the operation is over. */
static struct {
	uint64_t first, words[WORDS_OF_PAGE + LINE / 8];
	size_t size;
} left_out;
/* Words that a barrier left out holds back, and whether one is. */
static struct {
	uint64_t *cpu, *device;
} held_back[HELD_BACK];
static unsigned int nr_held_back;
static bool is_open;

/* ---- Opportunities --------------------------------------------------------------------------- */

static bool is_wanted(enum mutate_kind kind)
{
	return mutate.armed && !mutate.dropped && mutate.kind == kind;
}

/* This is an opportunity: is it the one? */
static bool take_it(void)
{
	if (mutate.skip) {
		mutate.skip--;
		return false;
	}
	mutate.dropped = true;
	return true;
}

/* ---- Commands -------------------------------------------------------------------------------- */

static unsigned int opcode_of(const uint64_t *command)
{
	return (unsigned int)WEIR_SMMU_FIELD_GET(WEIR_SMMU_CMD_0_OPCODE, command[0]);
}

static bool is_by_address(const uint64_t *command)
{
	unsigned int opcode = opcode_of(command);

	return opcode == WEIR_SMMU_CMD_TLBI_NH_VA || opcode == WEIR_SMMU_CMD_TLBI_NH_VAA ||
	       opcode == WEIR_SMMU_CMD_TLBI_S2_IPA;
}

static bool has_sync(void)
{
	for (unsigned int i = 0; i < batch.n; i++)
		if (opcode_of(batch.commands[i]) == WEIR_SMMU_CMD_SYNC)
			return true;
	return false;
}

/* With one thread there is nothing behind a CMD_SYNC. */
static unsigned int keep_earlier(uint64_t (*earlier)[2])
{
	if (has_sync())
		return 0;
	if (batch.n_all > BATCH)
		abort();
	memcpy(earlier, batch.commands, batch.n_all * sizeof(earlier[0]));
	return batch.n_all;
}

static void read_batch(uint32_t from, uint32_t to)
{
	uint32_t n = (to - from) & (2 * modelrig.cmdq_mask + 1);
	uint64_t earlier[BATCH][2];
	unsigned int nr_earlier = keep_earlier(earlier);

	batch.n = 0;
	for (uint32_t i = 0; i < n && i < BATCH; i++, batch.n++) {
		uint64_t at = modelrig.cmdq_base +
			      (uint64_t)((from + i) & modelrig.cmdq_mask) * WEIR_SMMU_CMD_SIZE;
		const uint64_t *slot = plat_phys_to_virt(NULL, at);

		batch.slot[i] = at;
		memcpy(batch.commands[i], slot, sizeof(batch.commands[i]));
	}
	memcpy(batch.commands[batch.n], earlier, nr_earlier * sizeof(earlier[0]));
	batch.n_all = batch.n + nr_earlier;
	/* All that was sent has been read. */
	if (!nr_earlier)
		replaced = 0;
}

/*
 * What a command does that none of the others does. CMD_CFGI_STE with Leaf = 0 takes first-level
 * descriptors along. One that is cached since it leads to a table is right, and may stay.
 */
static void would_remove(const uint64_t *command, const uint64_t (*others)[2], unsigned int n,
			 struct weir_model_smmuv3_held *held)
{
	uint64_t wanted[2] = { command[0], command[1] };

	if (opcode_of(command) == WEIR_SMMU_CMD_CFGI_STE &&
	    was_there[WEIR_SMMU_FIELD_GET(WEIR_SMMU_CMD_0_SID, command[0]) >> SPLIT & LAST])
		wanted[1] |= WEIR_SMMU_CMD_1_LEAF;
	if (weir_model_smmuv3_would_remove(modelrig.model, wanted, others, n, held))
		abort();
}

/*
 * What the i-th command does that no other of its batch does, nor `instead`, which the model would
 * read in its place (NULL: nothing).
 */
static void look_up(unsigned int i, const uint64_t *instead, struct weir_model_smmuv3_held *held)
{
	uint64_t others[2 * BATCH + 1][2];
	unsigned int n = 0;

	for (unsigned int k = 0; k < batch.n_all; k++)
		if (k != i)
			memcpy(others[n++], batch.commands[k], sizeof(others[0]));
	if (instead)
		memcpy(others[n++], instead, sizeof(others[0]));
	would_remove(batch.commands[i], (const uint64_t(*)[2])others, n, held);
}

static bool matters(const struct weir_model_smmuv3_held *held)
{
	return held->stes || held->cds || held->translations;
}

/* 4.4.1.1: the last address of an invalidation by address, 4 KiB granule. */
static uint64_t last_of(const uint64_t *command)
{
	uint64_t pages = 1, first = command[1] & WEIR_SMMU_CMD_TLBI_1_VA;

	if (command[1] & WEIR_SMMU_CMD_TLBI_1_TG)
		pages = (WEIR_SMMU_FIELD_GET(WEIR_SMMU_CMD_TLBI_0_NUM, command[0]) + 1)
			<< WEIR_SMMU_FIELD_GET(WEIR_SMMU_CMD_TLBI_0_SCALE, command[0]);
	return first + pages * WEIR_PAGE_SIZE - 1;
}

/*
 * Entries of tables that went. An unmap takes those that lie in its range as a whole; a command may
 * name others as well, which are as right as before.
 */
static bool tables_went(const uint64_t *command)
{
	uint64_t first = command[1] & WEIR_SMMU_CMD_TLBI_1_VA, last = last_of(command);

	for (unsigned int level = 1; level < 4; level++) {
		uint64_t span = 1ull << (12 + 9 * (4 - level));

		if (mutate.held.tables[level] && WEIR_ALIGN_DOWN(first, span) >= mutate.first &&
		    (last | (span - 1)) <= mutate.last)
			return mutate.phase == MUTATE_UNMAPPING;
	}
	return false;
}

/* A CMD_SYNC: if anything matters of what it makes effective, and somebody can see it. */
static bool sync_matters(void)
{
	bool any = false;

	mutate.held = (struct weir_model_smmuv3_held){ 0 };
	for (unsigned int i = 0; i < batch.n_all; i++) {
		struct weir_model_smmuv3_held held;

		would_remove(batch.commands[i], NULL, 0, &held);
		if (mutate.phase == MUTATE_FREEING ||
		    (mutate.phase == MUTATE_MOVING && !held.stes && !held.cds))
			continue;
		if (held.stes || held.cds || held.translations)
			mutate.held = held;
		any |= held.stes || held.cds || held.translations;
	}
	return any;
}

static bool command_matters(unsigned int i)
{
	const uint64_t *command = batch.commands[i];
	unsigned int opcode = opcode_of(command);

	if (opcode == WEIR_SMMU_CMD_SYNC)
		return mutate.kind == MUTATE_SYNC && sync_matters();
	look_up(i, NULL, &mutate.held);
	switch (mutate.kind) {
	case MUTATE_CFGI_STE:
		return opcode == WEIR_SMMU_CMD_CFGI_STE && matters(&mutate.held);
	case MUTATE_TLBI_VA:
		return is_by_address(command) && !(command[1] & WEIR_SMMU_CMD_TLBI_1_TG) &&
		       mutate.held.translations && mutate.phase != MUTATE_FREEING;
	case MUTATE_TLBI_RANGE:
		return is_by_address(command) && command[1] & WEIR_SMMU_CMD_TLBI_1_TG &&
		       mutate.held.translations && mutate.phase != MUTATE_FREEING;
	case MUTATE_TLBI_TABLES:
		return is_by_address(command) && !mutate.held.translations && tables_went(command);
	case MUTATE_TLBI_ASID:
		return opcode == WEIR_SMMU_CMD_TLBI_NH_ASID && mutate.held.translations;
	default:
		return false;
	}
}

static void leave_out(unsigned int i)
{
	memcpy(mutate.command, batch.commands[i], sizeof(mutate.command));
	batch.commands[i][0] = WEIR_SMMU_CMD_PREFETCH_CONFIG;
}

/*
 * An unmap may send several batches, and a later one name the same entry once more: one of 16
 * contiguous pages is found by each of them. Or it has two CMD_SYNCs, as it splits a block first.
 * Nobody is told that anything is gone before it returns, and on one CPU nobody uses a table that
 * went: so what the first did not do cannot be seen, and what follows is an opportunity.
 */
static void look_at_later_batch(void)
{
	bool is_sync = opcode_of(mutate.command) == WEIR_SMMU_CMD_SYNC;

	if (!mutate.command[0] || mutate.phase == MUTATE_MOVING)
		return;
	if (!is_sync)
		would_remove(mutate.command, (const uint64_t(*)[2])batch.commands, batch.n,
			     &mutate.held);
	if (is_sync)
		mutate.dropped = !has_sync();
	else if (mutate.kind == MUTATE_TLBI_TABLES)
		mutate.dropped = tables_went(mutate.command);
	else
		mutate.dropped = matters(&mutate.held);
}

static void drop_command(void)
{
	for (unsigned int i = 0; i < batch.n; i++) {
		if (!command_matters(i) || !take_it())
			continue;
		leave_out(i);
		replaced = batch.slot[i];
		return;
	}
}

/* One that nothing comes of: a prefetch for a stream that no table is for. */
static bool load(uint64_t addr, uint64_t *value)
{
	if (!replaced || addr < replaced || addr >= replaced + WEIR_SMMU_CMD_SIZE)
		return false;
	*value = addr != replaced ? 0 :
				    WEIR_SMMU_CMD_PREFETCH_CONFIG |
					    WEIR_SMMU_FIELD(WEIR_SMMU_CMD_0_SID, UINT32_MAX);
	return true;
}

/* ---- Cleans ---------------------------------------------------------------------------------- */

/* Lines that [virt, virt + size) touches; whether memory has other words there. */
static bool differs(const void *virt, size_t size)
{
	uint64_t first = WEIR_ALIGN_DOWN((uint64_t)plat_virt_to_phys(NULL, virt), LINE);
	uint64_t end = WEIR_ALIGN_UP((uint64_t)plat_virt_to_phys(NULL, virt) + size, LINE);

	return memcmp(plat_phys_to_virt(NULL, first), threadplat_device_view(first), end - first) !=
	       0;
}

static bool is_of_queue(const void *virt)
{
	uint64_t phys = plat_virt_to_phys(NULL, virt);

	return phys >= modelrig.cmdq_base &&
	       phys < modelrig.cmdq_base + (modelrig.cmdq_mask + 1ull) * WEIR_SMMU_CMD_SIZE;
}

static enum mutate_kind kind_of_clean(const void *virt, size_t size)
{
	if (is_of_queue(virt))
		return MUTATE_CLEAN_COMMAND;
	switch (mutate.phase) {
	case MUTATE_MAPPING:
		return MUTATE_CLEAN_MAP;
	case MUTATE_UNMAPPING:
		/* What becomes of entries of a table that goes does not matter. */
		return mutate.takes_tables ? MUTATE_KINDS : MUTATE_CLEAN_UNMAP;
	case MUTATE_MOVING:
		/* A table as a whole is filled with what no stream is told by. */
		return size == sizeof(uint64_t) &&
				       modelrig_is_stream_table(plat_virt_to_phys(NULL, virt)) ?
			       MUTATE_CLEAN_STE :
			       MUTATE_KINDS;
	default:
		return MUTATE_KINDS;
	}
}

static uint64_t line_of(const void *virt)
{
	return WEIR_ALIGN_DOWN((uint64_t)plat_virt_to_phys(NULL, virt), LINE);
}

/* True. No clean of tables is larger than a page. */
static bool keep_lines(const void *virt, size_t size)
{
	left_out.first = line_of(virt);
	left_out.size = line_of((const char *)virt + size - 1) + LINE - left_out.first;
	memcpy(left_out.words, plat_phys_to_virt(NULL, left_out.first), left_out.size);
	return true;
}

static bool overlaps(const void *virt, size_t size)
{
	return line_of(virt) < left_out.first + left_out.size &&
	       line_of((const char *)virt + size - 1) >= left_out.first;
}

/*
 * In the same operation a line is cleaned again: that it was not the first time does not matter.
 * Memory gets what it would have got then, and the clean to come is an opportunity like others.
 */
static void make_up_for(void)
{
	memcpy(threadplat_device_view(left_out.first), left_out.words, left_out.size);
	left_out.size = 0;
	mutate.dropped = false;
}

/* Of slots that share a line the last clean counts: it takes the others along. */
static bool is_last_of_line(const void *slot)
{
	return ((uintptr_t)slot + WEIR_SMMU_CMD_SIZE) % LINE == 0 ||
	       opcode_of(slot) == WEIR_SMMU_CMD_SYNC;
}

static bool clean(const void *virt, size_t size)
{
	enum mutate_kind kind = kind_of_clean(virt, size);

	if (left_out.size && overlaps(virt, size))
		make_up_for();
	if (!is_wanted(kind) || !differs(virt, size))
		return true;
	if (kind != MUTATE_CLEAN_COMMAND)
		return !take_it() || !keep_lines(virt, size);
	if (pending || !is_last_of_line(virt))
		return true;
	pending = virt;
	pending_size = size;
	return false;
}

/* The slot that is not clean: is what stands there for the model as good as what should? */
static bool slot_matters(unsigned int *slot)
{
	uint64_t phys = plat_virt_to_phys(NULL, pending);

	for (unsigned int i = 0; i < batch.n; i++) {
		const uint64_t *instead = threadplat_device_view(batch.slot[i]);

		if (batch.slot[i] != phys || !differs(pending, pending_size))
			continue;
		if (!memcmp(instead, batch.commands[i], sizeof(batch.commands[i])))
			return false;
		*slot = i;
		if (opcode_of(batch.commands[i]) == WEIR_SMMU_CMD_SYNC)
			return sync_matters();
		look_up(i, instead, &mutate.held);
		return matters(&mutate.held) && mutate.phase != MUTATE_FREEING;
	}
	return false;
}

static void decide_on_slot(void)
{
	unsigned int slot;

	if (slot_matters(&slot) && take_it())
		leave_out(slot);
	else
		plat_cache_clean(NULL, pending, pending_size);
	pending = NULL;
}

/* ---- Barriers -------------------------------------------------------------------------------- */

static const uint64_t *ram_page(uint64_t i)
{
	return plat_phys_to_virt(NULL, THREADPLAT_RAM_BASE + i * WEIR_PAGE_SIZE);
}

/* Of a page that nobody has threadplat makes this. */
static bool is_free(const uint64_t *page)
{
	return page[0] == 0xa5a5a5a5a5a5a5a5u && !memcmp(page, page + 1, WEIR_PAGE_SIZE - 8);
}

/*
 * Memory would keep what was there. Of all that could be let it be a table that gives access
 * through each of its entries, at any level: they lead to itself.
 */
static uint64_t to_itself(uint64_t phys)
{
	return WEIR_ALIGN_DOWN(phys, WEIR_PAGE_SIZE) | WEIR_VMSA_AF | WEIR_VMSA_TYPE_PAGE |
	       WEIR_VMSA_AP_UNPRIV;
}

static void fill_free(uint64_t phys)
{
	uint64_t *page = threadplat_device_view(phys);

	/* The first word last: it says that all are. */
	for (unsigned int k = WORDS_OF_PAGE; k && page[0] != to_itself(phys); k--)
		page[k - 1] = to_itself(phys);
}

static uint64_t nr_pages(void)
{
	return (plat_memory_end(NULL) - THREADPLAT_RAM_BASE) / WEIR_PAGE_SIZE;
}

static void for_each_difference(void (*fn)(uint64_t *cpu, uint64_t *device))
{
	for (uint64_t i = 0; i < nr_pages(); i++) {
		uint64_t phys = THREADPLAT_RAM_BASE + i * WEIR_PAGE_SIZE;
		uint64_t *cpu = plat_phys_to_virt(NULL, phys);
		uint64_t *device = threadplat_device_view(phys);

		if (is_free(ram_page(i)))
			fill_free(phys);
		if (is_free(ram_page(i)) || !memcmp(cpu, device, WEIR_PAGE_SIZE))
			continue;
		for (unsigned int k = 0; k < WORDS_OF_PAGE; k++)
			if (cpu[k] != device[k])
				fn(&cpu[k], &device[k]);
	}
}

static void put(uint64_t *cpu, uint64_t *device)
{
	*device = *cpu;
}

static void hold_back(uint64_t *cpu, uint64_t *device)
{
	if (nr_held_back == HELD_BACK)
		abort();
	held_back[nr_held_back].cpu = cpu;
	held_back[nr_held_back++].device = device;
}

static uint64_t led_to; /* the page */

static uint64_t page_of(const uint64_t *cpu)
{
	return WEIR_ALIGN_DOWN((uint64_t)plat_virt_to_phys(NULL, cpu), WEIR_PAGE_SIZE);
}

/* A later store of a table's address of which something is held back that is sure to be seen. */
static void look_at_later(uint64_t *cpu, uint64_t *device)
{
	uint64_t page = *cpu & WEIR_GENMASK(47, 12);

	(void)device;
	for (unsigned int i = 0; i < nr_held_back && page; i++) {
		if (held_back[i].cpu == cpu)
			return;
		if (page_of(held_back[i].cpu) == page && *held_back[i].device == to_itself(page))
			led_to = page;
	}
}

/* All but what that page lacks: any part of what is held back may be late. */
static void put_others(uint64_t *cpu, uint64_t *device)
{
	if (page_of(cpu) != led_to)
		*device = *cpu;
}

static void close_window(void)
{
	for_each_difference(put);
	nr_held_back = 0;
	is_open = false;
}

/* The next barrier: the later stores are there, and then the others. */
static void next_barrier(void)
{
	led_to = 0;
	if (is_wanted(MUTATE_WMB_PUBLISH))
		for_each_difference(look_at_later);
	if (led_to && take_it()) {
		for_each_difference(put_others);
		mutate.peek();
	}
	close_window();
}

static bool may_leave_out(void)
{
	switch (mutate.kind) {
	case MUTATE_WMB_MAP:
	case MUTATE_WMB_PUBLISH:
		return mutate.phase == MUTATE_MAPPING;
	case MUTATE_WMB_PROD:
		return mutate.phase == MUTATE_UNMAPPING;
	default:
		return false;
	}
}

static void barrier(void)
{
	if (is_wanted(MUTATE_WMB_PROD) && may_leave_out())
		return;
	if (is_open)
		next_barrier();
	if (!mutate.armed || mutate.dropped || !may_leave_out()) {
		close_window();
		return;
	}
	for_each_difference(hold_back);
	is_open = nr_held_back != 0;
}

/* What the model is about to be told of, it would not find. Not until it is to look for it. */
static void decide_on_prod(void)
{
	bool matter = false;

	for (unsigned int i = 0; i < batch.n && has_sync() && mutate.phase == MUTATE_UNMAPPING;
	     i++) {
		look_up(i, NULL, &mutate.held);
		matter |= mutate.held.translations != 0;
	}
	if (!matter || !take_it())
		close_window();
}

/* ---- Hooks ----------------------------------------------------------------------------------- */

static void prod(uint32_t from, uint32_t to)
{
	read_batch(from, to);
	if (mutate.dropped && !is_over) {
		mutate.peek();
		look_at_later_batch();
	}
	if (mutate.dropped || !mutate.armed)
		return;
	if (pending)
		decide_on_slot();
	else if (mutate.kind <= MUTATE_SYNC)
		drop_command();
	else if (is_wanted(MUTATE_WMB_PROD))
		decide_on_prod();
}

static void error(void)
{
	if (mutate.dropped)
		mutate.error = true;
}

static bool is_barrier(enum mutate_kind kind)
{
	return kind >= MUTATE_WMB_MAP;
}

void mutate_options(enum mutate_kind kind, struct modelrig_options *options)
{
	options->no_ranges = kind == MUTATE_TLBI_VA;
	options->incoherent = kind >= MUTATE_CLEAN_MAP && kind <= MUTATE_CLEAN_COMMAND;
	options->shadow = is_barrier(kind);
	/* Each barrier looks for what differs in all of it. */
	if (options->shadow)
		options->ram = 4u << 20;
	mutate.no_blocks = options->incoherent;
}

/* Between two operations. */
static void look_at_first_level(void)
{
	for (uint32_t i = 0; i <= LAST; i++)
		was_there[i] = was_there[i] || modelrig_has_entry(i << SPLIT);
}

void mutate_arm(enum mutate_kind kind, uint64_t skip)
{
	void (*on_peek)(void) = mutate.peek;

	mutate = (struct mutate){ .kind = kind,
				  .armed = true,
				  .skip = skip,
				  .peek = on_peek,
				  .no_blocks = mutate.no_blocks };
	replaced = 0;
	batch.n = batch.n_all = 0;
	memset(was_there, 0, sizeof(was_there));
	look_at_first_level();
	pending = NULL;
	nr_held_back = 0;
	left_out.size = 0;
	is_open = is_over = false;
	modelrig.hooks = (struct modelrig_hooks){ .prod = prod, .load = load, .error = error };
	if (modelrig.see_ram && is_barrier(kind)) {
		close_window();
		modelrig.see_ram = false;
		threadplat_set_barrier(barrier);
	} else {
		threadplat_set_cleaning(clean);
	}
}

void mutate_disarm(void)
{
	mutate.armed = mutate.dropped = mutate.no_blocks = false;
	modelrig.hooks = (struct modelrig_hooks){ 0 };
	threadplat_set_barrier(NULL);
	threadplat_set_cleaning(NULL);
}

void mutate_end_of_step(void)
{
	if (is_wanted(MUTATE_NOTHING))
		(void)take_it();
	is_over = mutate.dropped;
	look_at_first_level();
	left_out.size = 0;
	if (pending) {
		plat_cache_clean(NULL, pending, pending_size);
		pending = NULL;
	}
	if (!is_open || mutate.dropped)
		return;
	/* No other barrier came behind the one that was left out. */
	if (!is_wanted(MUTATE_WMB_MAP) || !take_it())
		close_window();
	is_over = mutate.dropped;
}

const char *mutate_what(void)
{
	static char line[200];

	snprintf(line, sizeof(line),
		 "command 0x%016llx 0x%016llx; held: %llu translations, %llu + %llu + %llu tables, "
		 "%llu STEs, %llu CDs",
		 (unsigned long long)mutate.command[0], (unsigned long long)mutate.command[1],
		 (unsigned long long)mutate.held.translations,
		 (unsigned long long)mutate.held.tables[1],
		 (unsigned long long)mutate.held.tables[2],
		 (unsigned long long)mutate.held.tables[3], (unsigned long long)mutate.held.stes,
		 (unsigned long long)mutate.held.cds);
	return line;
}
