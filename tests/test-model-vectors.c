/* SPDX-License-Identifier: MIT */

/*
 * The SMMUv3 model against the recorded vectors (results of independent implementations, settled by
 * the specification). Proves: in every case that needs stage 1, bypass or abort alone
 *  - each access completes or aborts, at the address and with the data expected;
 *  - it adds the event records expected, in every field that the architecture defines;
 *  - registers read as expected, and GERROR and the queue indexes end as expected.
 *
 * The files are in $WEIR_VECTORS, or in ../shared/vectors; without them the tests are skipped.
 * Cases that use stage 2 (an STE or a command of it) are counted as skipped.
 */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <jansson.h>

#include <weir/hw/smmuv3.h>
#include <weir/model/smmuv3.h>

/* The machine that the vectors assume. */
#define RAM_BASE 0x40000000ull
#define RAM_SIZE (80ull << 30)
#define LINE_MAX_BYTES (1u << 20)
#define CMDQ_STEPS 100000u

/* ID registers of the vectors, and of the model without stage 2. */
#define IDR0 0x0d44101bu
#define IDR0_STAGE2 ((uint32_t)(WEIR_SMMU_IDR0_S2P | WEIR_SMMU_IDR0_VMID16))
#define IDR1 0x02730010u
#define IDR3 0x1414u
#define IDR3_STAGE2 ((uint32_t)WEIR_SMMU_IDR3_XNX)
#define IDR5 0x74u
#define GBPA 0x1000u

static uint8_t *ram;
static struct weir_model_bus *bus;

/* One case. */
struct run {
	struct weir_model_smmuv3 *smmu;
	json_t *observed; /* of the phase: {rd, acc, q} */
	bool needs_stage2;
	uint32_t vmid; /* S2VMID + 1 of the last stream, 0: none yet */
};

struct tally {
	unsigned int passed, skipped, failed, soft;
};

/* ---- Machine -------------------------------------------------------------------------- */

static void ignore_irq(void *opaque, unsigned int irq)
{
	(void)opaque;
	(void)irq;
}

static struct weir_model_smmuv3 *new_smmu(void)
{
	static const struct weir_model_irq_sink sink = { .raise = ignore_irq };
	static const struct weir_model_smmuv3_config config = {
		.idr0 = IDR0 & ~IDR0_STAGE2,
		.idr1 = IDR1,
		.idr3 = IDR3 & ~IDR3_STAGE2,
		.idr5 = IDR5,
		.gbpa = GBPA,
		.tlb_entries = 1024,
	};
	struct weir_model_smmuv3 *smmu;

	assert_int_equal(weir_model_smmuv3_create(bus, &config, &sink, &smmu), 0);
	return smmu;
}

static uint64_t reg_read(const struct run *run, uint64_t offset, unsigned int size)
{
	uint64_t value;

	assert_int_equal(weir_model_smmuv3_mmio_ops.read(run->smmu, offset, size, WEIR_MODEL_CPU,
							 &value),
			 WEIR_MODEL_OK);
	return value;
}

static void reg_write(const struct run *run, uint64_t offset, unsigned int size, uint64_t value)
{
	assert_int_equal(weir_model_smmuv3_mmio_ops.write(run->smmu, offset, size, WEIR_MODEL_CPU,
							  value),
			 WEIR_MODEL_OK);
}

static uint8_t *ram_at(uint64_t addr, uint64_t len)
{
	if (addr < RAM_BASE || addr + len > RAM_BASE + RAM_SIZE || addr + len < addr)
		return NULL;
	return ram + (addr - RAM_BASE);
}

static uint64_t load64(uint64_t addr)
{
	uint64_t value = 0;

	if (ram_at(addr, sizeof(value)))
		memcpy(&value, ram_at(addr, sizeof(value)), sizeof(value));
	return value;
}

/* ---- Hex ------------------------------------------------------------------------------ */

static uint64_t hex(const json_t *string)
{
	return strtoull(json_string_value(string), NULL, 16);
}

static size_t unhex(const char *text, uint8_t *out, size_t max)
{
	size_t n = strlen(text) / 2;
	unsigned int byte;

	assert_true(n <= max);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(sscanf(text + 2 * i, "%2x", &byte), 1);
		out[i] = (uint8_t)byte;
	}
	return n;
}

static json_t *hex_bytes(const void *data, size_t len)
{
	const uint8_t *bytes = data;
	char text[129];

	assert_true(2 * len < sizeof(text));
	for (size_t i = 0; i < len; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	return json_stringn(text, 2 * len);
}

static json_t *hex_number(uint64_t value)
{
	char text[17];

	snprintf(text, sizeof(text), "%" PRIx64, value);
	return json_string(text);
}

/* ---- Playing a phase ------------------------------------------------------------------ */

static void play_mem(const json_t *mem)
{
	size_t i;
	json_t *item;
	uint8_t *at;

	json_array_foreach(mem, i, item)
	{
		const char *text = json_string_value(json_array_get(item, 1));

		at = ram_at(hex(json_array_get(item, 0)), strlen(text) / 2);
		if (at)
			unhex(text, at, strlen(text) / 2);
	}
}

static unsigned int natural_size(uint64_t offset)
{
	return offset == WEIR_SMMU_GERROR_IRQ_CFG0 || offset == WEIR_SMMU_STRTAB_BASE ||
			       offset == WEIR_SMMU_CMDQ_BASE || offset == WEIR_SMMU_EVENTQ_BASE ||
			       offset == WEIR_SMMU_EVENTQ_IRQ_CFG0 ?
		       8 :
		       4;
}

static void step_all(const struct run *run)
{
	struct weir_model_stepper *stepper = weir_model_smmuv3_stepper(run->smmu);

	assert_true(stepper->step(stepper, CMDQ_STEPS) < CMDQ_STEPS);
}

static void play_regs(struct run *run, const json_t *regs)
{
	json_t *rd = json_array(), *item;
	size_t i;

	json_array_foreach(regs, i, item)
	{
		uint64_t offset = hex(json_array_get(item, 0));
		const json_t *value = json_array_get(item, 1), *size = json_array_get(item, 2);
		unsigned int bytes =
			size ? (unsigned int)json_integer_value(size) : natural_size(offset);

		if (!json_is_null(value)) {
			reg_write(run, offset, bytes, hex(value));
			step_all(run);
			continue;
		}
		/* What only stage 2 has is not compared. */
		json_array_append_new(rd, hex_number(reg_read(run, offset, bytes) |
						     (offset == WEIR_SMMU_IDR0 ? IDR0_STAGE2 : 0) |
						     (offset == WEIR_SMMU_IDR3 ? IDR3_STAGE2 : 0)));
	}
	if (json_array_size(rd))
		json_object_set_new(run->observed, "rd", rd);
	else
		json_decref(rd);
}

static void play_batch(struct run *run, const json_t *batch)
{
	uint64_t base = reg_read(run, WEIR_SMMU_CMDQ_BASE, 8);
	uint32_t prod = (uint32_t)reg_read(run, WEIR_SMMU_CMDQ_PROD, 4);
	uint32_t size = 1u << WEIR_SMMU_FIELD_GET(WEIR_SMMU_Q_BASE_LOG2SIZE, base);
	size_t i;
	json_t *item;

	base &= WEIR_GENMASK(51, 6);
	json_array_foreach(batch, i, item)
	{
		uint8_t *at = ram_at(base + (uint64_t)(prod % size) * WEIR_SMMU_CMD_SIZE,
				     WEIR_SMMU_CMD_SIZE);
		uint8_t cmd[WEIR_SMMU_CMD_SIZE];

		unhex(json_string_value(item), cmd, sizeof(cmd));
		run->needs_stage2 |= cmd[0] == WEIR_SMMU_CMD_TLBI_S12_VMALL ||
				     cmd[0] == WEIR_SMMU_CMD_TLBI_S2_IPA;
		if (at)
			memcpy(at, cmd, sizeof(cmd));
		prod++;
	}
	reg_write(run, WEIR_SMMU_CMDQ_PROD, 4, prod % (2 * size));
	step_all(run);
}

static void play_cmds(struct run *run, const json_t *cmds)
{
	size_t i;
	json_t *batch;

	json_array_foreach(cmds, i, batch) play_batch(run, batch);
}

static uint64_t ste_address(const struct run *run, uint32_t sid)
{
	uint64_t base = reg_read(run, WEIR_SMMU_STRTAB_BASE, 8) & WEIR_SMMU_STRTAB_BASE_ADDR;
	uint64_t cfg = reg_read(run, WEIR_SMMU_STRTAB_BASE_CFG, 4), l1std;
	unsigned int split =
		(unsigned int)WEIR_SMMU_FIELD_GET(WEIR_SMMU_STRTAB_BASE_CFG_SPLIT, cfg);

	if (WEIR_SMMU_FIELD_GET(WEIR_SMMU_STRTAB_BASE_CFG_FMT, cfg) != 1)
		return base + (uint64_t)sid * WEIR_SMMU_STE_SIZE;
	if (split != 8 && split != 10)
		split = 6;
	l1std = load64(base + (uint64_t)(sid >> split) * WEIR_SMMU_L1STD_SIZE);
	return (l1std & WEIR_SMMU_L1STD_L2PTR) + (sid & ((1u << split) - 1)) * WEIR_SMMU_STE_SIZE;
}

/* Whether the stream's STE, as it is in memory, has stage 2, or a VMID of its own. */
static void look_for_stage2(struct run *run, uint32_t sid)
{
	uint64_t addr = ste_address(run, sid), word = load64(addr);
	uint64_t config = WEIR_SMMU_FIELD_GET(WEIR_SMMU_STE_0_CONFIG, word);
	uint32_t vmid = (uint32_t)(load64(addr + 16) & WEIR_SMMU_STE_2_S2VMID) + 1;

	if (!(word & WEIR_SMMU_STE_0_V) || config < WEIR_SMMU_STE_CONFIG_S1)
		return;
	run->needs_stage2 |= config >= WEIR_SMMU_STE_CONFIG_S2 || (run->vmid && run->vmid != vmid);
	run->vmid = vmid;
}

/* Event records added since `prod`. */
static void collect_events(const struct run *run, json_t *access, uint32_t prod)
{
	uint64_t base = reg_read(run, WEIR_SMMU_EVENTQ_BASE, 8);
	uint32_t now = (uint32_t)reg_read(run, WEIR_SMMU_EVENTQ_PROD, 4);
	uint32_t size = 1u << WEIR_SMMU_FIELD_GET(WEIR_SMMU_Q_BASE_LOG2SIZE, base);
	json_t *ev = json_array();

	base &= WEIR_GENMASK(51, 5);
	for (; (prod ^ now) & WEIR_SMMU_Q_INDEX; prod = (prod + 1) % (2 * size)) {
		const uint8_t *at = ram_at(base + (uint64_t)(prod % size) * WEIR_SMMU_EVT_SIZE,
					   WEIR_SMMU_EVT_SIZE);

		assert_non_null(at);
		json_array_append_new(ev, hex_bytes(at, WEIR_SMMU_EVT_SIZE));
	}
	if (json_array_size(ev))
		json_object_set_new(access, "ev", ev);
	else
		json_decref(ev);
}

static json_t *play_access(struct run *run, const json_t *item)
{
	static const uint8_t zeros[64];
	bool write = json_string_value(json_object_get(item, "rw"))[0] == 'w';
	struct weir_model_txn txn = {
		.stream = (uint32_t)json_integer_value(json_object_get(item, "sid")),
		.addr = hex(json_object_get(item, "va")),
		.len = (uint32_t)json_integer_value(json_object_get(item, "n")),
		.write = write,
	};
	uint32_t prod = (uint32_t)reg_read(run, WEIR_SMMU_EVENTQ_PROD, 4);
	json_t *access = json_object(), *hit = json_array();
	const uint8_t *at = NULL;
	uint64_t pa = 0;

	look_for_stage2(run, txn.stream);
	if (weir_model_smmuv3_iommu_ops.translate(run->smmu, &txn, &pa) == WEIR_MODEL_OK) {
		at = ram_at(pa, txn.len);
		weir_model_smmuv3_iommu_ops.complete(run->smmu, &txn);
	}
	json_object_set_new(access, "ok", json_boolean(at));
	if (at)
		json_array_append_new(hit, hex_number(pa));
	if (write)
		json_object_set(access, "hit", hit);
	else
		json_object_set_new(access, "data", hex_bytes(at ? at : zeros, txn.len));
	json_decref(hit);
	collect_events(run, access, prod);
	return access;
}

static void play_accesses(struct run *run, const json_t *accesses)
{
	json_t *acc = json_array(), *item;
	size_t i;

	json_array_foreach(accesses, i, item) json_array_append_new(acc, play_access(run, item));
	json_object_set_new(run->observed, "acc", acc);
}

static void collect_registers(struct run *run)
{
	static const uint64_t offsets[] = { WEIR_SMMU_GERROR, WEIR_SMMU_CMDQ_PROD,
					    WEIR_SMMU_CMDQ_CONS, WEIR_SMMU_EVENTQ_PROD,
					    WEIR_SMMU_EVENTQ_CONS };
	json_t *q = json_array();

	for (size_t i = 0; i < WEIR_ARRAY_SIZE(offsets); i++)
		json_array_append_new(q, hex_number(reg_read(run, offsets[i], 4)));
	json_object_set_new(run->observed, "q", q);
}

static void play_phase(struct run *run, const json_t *phase)
{
	run->observed = json_object();
	play_mem(json_object_get(phase, "mem"));
	play_regs(run, json_object_get(phase, "regs"));
	play_cmds(run, json_object_get(phase, "cmds"));
	play_accesses(run, json_object_get(phase, "accesses"));
	collect_registers(run);
}

/* ---- Comparing ------------------------------------------------------------------------ */

/* What the architecture defines of a record, by type (the vectors' README). */
static void event_mask(const uint64_t *record, uint64_t *mask)
{
	uint8_t type = (uint8_t)WEIR_SMMU_FIELD_GET(WEIR_SMMU_EVT_0_TYPE, record[0]);
	uint64_t attributes = WEIR_SMMU_EVT_1_PNU | WEIR_SMMU_EVT_1_IND | WEIR_SMMU_EVT_1_RNW |
			      WEIR_SMMU_EVT_1_S2 | WEIR_SMMU_EVT_1_CLASS;

	mask[0] = WEIR_SMMU_EVT_0_TYPE | WEIR_SMMU_EVT_0_SSV | WEIR_SMMU_EVT_0_SID;
	mask[1] = mask[2] = mask[3] = 0;
	if (record[0] & WEIR_SMMU_EVT_0_SSV)
		mask[0] |= WEIR_SMMU_EVT_0_SSID;
	if (type == WEIR_SMMU_EVT_F_STE_FETCH || type == WEIR_SMMU_EVT_F_CD_FETCH ||
	    type == WEIR_SMMU_EVT_F_WALK_EABT)
		mask[3] = WEIR_SMMU_EVT_3_FETCHADDR;
	if (type >= WEIR_SMMU_EVT_F_TRANSLATION && type <= WEIR_SMMU_EVT_F_PERMISSION) {
		attributes |= WEIR_SMMU_EVT_1_STALL;
		mask[3] = record[1] & WEIR_SMMU_EVT_1_S2 ? WEIR_SMMU_EVT_3_IPA : 0;
	}
	if (type >= WEIR_SMMU_EVT_F_WALK_EABT && type <= WEIR_SMMU_EVT_F_PERMISSION) {
		mask[1] = attributes;
		mask[2] = ~(uint64_t)0;
	}
}

static bool same_event(const json_t *expected, const json_t *observed)
{
	uint64_t e[4], o[4], mask[4];

	unhex(json_string_value(expected), (uint8_t *)e, sizeof(e));
	unhex(json_string_value(observed), (uint8_t *)o, sizeof(o));
	event_mask(e, mask);
	for (unsigned int i = 0; i < 4; i++)
		if ((e[i] ^ o[i]) & mask[i])
			return false;
	return true;
}

static bool same_events(const json_t *expected, const json_t *observed)
{
	if (json_array_size(expected) != json_array_size(observed))
		return false;
	for (size_t i = 0; i < json_array_size(expected); i++)
		if (!same_event(json_array_get(expected, i), json_array_get(observed, i)))
			return false;
	return true;
}

static bool same_result(const json_t *expected, const json_t *observed)
{
	static const char *const keys[] = { "ok", "hit", "data" };

	for (size_t i = 0; i < WEIR_ARRAY_SIZE(keys); i++) {
		const json_t *e = json_object_get(expected, keys[i]);

		if (e && !json_equal(e, json_object_get(observed, keys[i])))
			return false;
	}
	return same_events(json_object_get(expected, "ev"), json_object_get(observed, "ev"));
}

/* A cache-dependent access may have either result. */
static bool same_access(const json_t *expected, const json_t *observed)
{
	const json_t *fresh = json_object_get(expected, "fresh");

	return same_result(expected, observed) || (fresh && same_result(fresh, observed));
}

/* CMDQ_CONS.ERR is UNKNOWN unless the error is active (6.3.28). */
static bool same_registers(const json_t *expected, const json_t *observed)
{
	for (size_t i = 0; i < json_array_size(expected); i++) {
		uint64_t mask = i == 2 && !(hex(json_array_get(expected, 0)) & 1) ?
					~WEIR_SMMU_CMDQ_CONS_ERR :
					~(uint64_t)0;

		if ((hex(json_array_get(expected, i)) ^ hex(json_array_get(observed, i))) & mask)
			return false;
	}
	return true;
}

static bool same_phase(const json_t *expected, const json_t *observed)
{
	const json_t *acc = json_object_get(expected, "acc"), *rd = json_object_get(expected, "rd");
	const json_t *seen = json_object_get(observed, "acc");

	if (rd && !json_equal(rd, json_object_get(observed, "rd")))
		return false;
	if (json_array_size(acc) != json_array_size(seen))
		return false;
	for (size_t i = 0; i < json_array_size(acc); i++)
		if (!same_access(json_array_get(acc, i), json_array_get(seen, i)))
			return false;
	return json_object_get(expected, "qc") ||
	       same_registers(json_object_get(expected, "q"), json_object_get(observed, "q"));
}

static bool same_case(const json_t *expected, const json_t *observed)
{
	for (size_t i = 0; i < json_array_size(expected); i++)
		if (!same_phase(json_array_get(expected, i), json_array_get(observed, i)))
			return false;
	return true;
}

static bool expected_case(const json_t *vector, const json_t *observed)
{
	const json_t *allowed = json_object_get(vector, "allowed");

	if (!allowed)
		return same_case(json_object_get(vector, "expect"), observed);
	for (size_t i = 0; i < json_array_size(allowed); i++)
		if (same_case(json_array_get(allowed, i), observed))
			return true;
	return false;
}

/* ---- Cases ---------------------------------------------------------------------------- */

static void report(const json_t *vector, const json_t *observed)
{
	char *text = json_dumps(observed, JSON_COMPACT);
	char *wanted = json_dumps(json_object_get(vector, "expect"), JSON_COMPACT);

	print_error("%s: got %s, not %s\n", json_string_value(json_object_get(vector, "id")), text,
		    wanted ? wanted : "any that is allowed");
	free(wanted);
	free(text);
}

static void judge(const json_t *vector, const struct run *run, const json_t *observed,
		  struct tally *tally)
{
	if (run->needs_stage2) {
		tally->skipped++;
	} else if (expected_case(vector, observed)) {
		tally->passed++;
	} else if (json_object_get(vector, "soft") || json_object_get(vector, "overstrict")) {
		tally->soft++;
	} else {
		tally->failed++;
		report(vector, observed);
	}
}

static void play_case(const json_t *vector, struct tally *tally)
{
	struct run run = { .smmu = new_smmu() };
	json_t *observed = json_array(), *phase;
	size_t i;

	play_phase(&run, vector);
	json_array_append_new(observed, run.observed);
	json_array_foreach(json_object_get(vector, "more"), i, phase)
	{
		play_phase(&run, phase);
		json_array_append_new(observed, run.observed);
	}
	judge(vector, &run, observed, tally);
	json_decref(observed);
	weir_model_smmuv3_destroy(run.smmu);
	assert_int_equal(madvise(ram, RAM_SIZE, MADV_DONTNEED), 0);
}

static FILE *open_vectors(const char *name)
{
	const char *folder = getenv("WEIR_VECTORS");
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", folder ? folder : "../shared/vectors", name);
	return fopen(path, "r");
}

static void play_file(const char *name)
{
	FILE *file = open_vectors(name);
	struct tally tally = { 0 };
	char *line;

	if (!file)
		skip();
	line = malloc(LINE_MAX_BYTES);
	assert_non_null(line);
	while (fgets(line, LINE_MAX_BYTES, file)) {
		json_t *vector = json_loads(line, 0, NULL);

		assert_non_null(vector);
		play_case(vector, &tally);
		json_decref(vector);
	}
	free(line);
	fclose(file);
	print_message("%s: %u as expected, %u differ where they may, %u need stage 2, %u wrong\n",
		      name, tally.passed, tally.soft, tally.skipped, tally.failed);
	assert_int_equal(tally.failed, 0);
	assert_true(tally.passed > 0);
}

static void recorded(void **state)
{
	(void)state;
	play_file("smmuv3.jsonl");
}

static void settled_by_the_specification(void **state)
{
	(void)state;
	play_file("smmuv3-spec.jsonl");
}

static void settled_by_the_arm_arm(void **state)
{
	(void)state;
	play_file("smmuv3-vmsa.jsonl");
}

static int set_up(void **state)
{
	(void)state;
	ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (ram == MAP_FAILED || weir_model_bus_create(&bus))
		return -1;
	return weir_model_bus_add_ram(bus, RAM_BASE, RAM_SIZE, ram);
}

static int tear_down(void **state)
{
	(void)state;
	weir_model_bus_destroy(bus);
	return munmap(ram, RAM_SIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recorded),
		cmocka_unit_test(settled_by_the_specification),
		cmocka_unit_test(settled_by_the_arm_arm),
	};

	return cmocka_run_group_tests_name("SMMUv3 vectors", tests, set_up, tear_down);
}
