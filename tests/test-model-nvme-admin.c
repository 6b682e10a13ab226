/* SPDX-License-Identifier: MIT */
/*
 * The NVMe controller: its life and its admin commands, as a well-behaved host sees them.
 *
 * Properties:
 * - Enable, reset and shutdown happen between a write to CC and the CSTS that a host waits for;
 *   what cannot be enabled ends in CSTS.CFS, which a reset clears. A function level reset is one.
 * - Identify, features, logs and queue creation answer as the specification says, each wrong
 *   argument with its own status code.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <weir/hw/pci.h>

#include "nvmehost.h"

#define DNR(sc) ((uint16_t)((sc) | WEIR_NVME_STATUS_DNR))

static int setup(void **state)
{
	struct nvmehost *host = calloc(1, sizeof(*host));

	nvmehost_up(host, NULL);
	*state = host;
	return 0;
}

static int teardown(void **state)
{
	nvmehost_fini(*state);
	free(*state);
	return 0;
}

/* ---- Registers and life ---- */

static void test_registers(void **state)
{
	struct nvmehost *host = *state;
	uint64_t cap = pcihost_read(&host->pci, WEIR_NVME_REG_CAP, 8);

	assert_int_equal(pcihost_config_read(&host->pci, WEIR_PCI_CLASS_REVISION, 4) >> 8,
			 WEIR_NVME_PCI_CLASS);
	assert_int_equal(cap & WEIR_NVME_CAP_MQES_MASK, 1023);
	assert_true(cap & WEIR_NVME_CAP_CQR);
	assert_true(cap & WEIR_NVME_CAP_CSS_NVM);
	assert_int_equal(cap & WEIR_NVME_CAP_DSTRD_MASK, 0);
	assert_int_equal(cap & (WEIR_NVME_CAP_MPSMIN_MASK | WEIR_NVME_CAP_MPSMAX_MASK), 0);
	assert_int_equal(nvmehost_reg(host, WEIR_NVME_REG_CAP + 4), cap >> 32);
	assert_int_equal(pcihost_read(&host->pci, WEIR_NVME_REG_CAP + 2, 1), cap >> 16 & 0xff);
	assert_int_equal(nvmehost_reg(host, WEIR_NVME_REG_VS), WEIR_NVME_VS_1_4);
	assert_int_equal(pcihost_read(&host->pci, WEIR_NVME_REG_ASQ, 8), host->admin.sq);
	assert_int_equal(pcihost_read(&host->pci, WEIR_NVME_REG_ACQ, 8), host->admin.cq);
	nvmehost_set_reg(host, WEIR_NVME_REG_INTMS, 0xf0f);
	nvmehost_set_reg(host, WEIR_NVME_REG_INTMC, 0x00f);
	assert_int_equal(nvmehost_reg(host, WEIR_NVME_REG_INTMS), 0xf00);
	assert_int_equal(nvmehost_reg(host, WEIR_NVME_REG_INTMC), 0xf00);
	nvmehost_set_reg(host, WEIR_NVME_REG_CSTS, 0xff);
	pcihost_write(&host->pci, WEIR_NVME_REG_CC, 1, 0);
	nvmehost_run(host);
	assert_int_equal(nvmehost_reg(host, WEIR_NVME_REG_CSTS), WEIR_NVME_CSTS_RDY);
}

static void expect_csts(struct nvmehost *host, uint32_t value)
{
	assert_int_equal(nvmehost_reg(host, WEIR_NVME_REG_CSTS), value);
}

static void test_reset(void **state)
{
	struct nvmehost *host = *state;
	struct nvmehost_queue queue;
	struct weir_nvme_sqe flush = { .opcode = WEIR_NVME_CMD_FLUSH, .nsid = 1 };

	nvmehost_create_pair(host, &queue, 1, 8);
	nvmehost_push(host, &queue, &flush);
	nvmehost_ring(host, &queue);
	nvmehost_set_reg(host, WEIR_NVME_REG_CC, 0);
	expect_csts(host, WEIR_NVME_CSTS_RDY);
	assert_int_equal(nvmehost_run(host), 0);
	expect_csts(host, 0);
	/* Queues are gone, and stay so. */
	nvmehost_enable(host);
	expect_csts(host, 0);
	nvmehost_run(host);
	expect_csts(host, WEIR_NVME_CSTS_RDY);
	nvmehost_ring(host, &queue);
	assert_int_equal(nvmehost_run(host), 0);
	assert_int_equal(host->flushes, 0);
	nvmehost_create_pair(host, &queue, 1, 8);
	assert_int_equal(nvmehost_command(host, &queue, flush, NULL), 0);
	assert_int_equal(host->flushes, 1);
}

static void test_bad_configuration(void **state)
{
	static const struct {
		uint32_t cc, aqa;
	} bad[] = {
		{ WEIR_NVME_CC_EN, 0x000f0000 },
		{ WEIR_NVME_CC_EN, 0x0000000f },
		{ WEIR_NVME_CC_EN | 1u << WEIR_NVME_CC_MPS_SHIFT, 0x000f000f },
		{ WEIR_NVME_CC_EN | 1u << WEIR_NVME_CC_CSS_SHIFT, 0x000f000f },
		{ WEIR_NVME_CC_EN | 7u << WEIR_NVME_CC_AMS_SHIFT, 0x000f000f },
	};
	struct nvmehost *host = *state;
	size_t i;

	for (i = 0; i < WEIR_ARRAY_SIZE(bad); i++) {
		nvmehost_set_reg(host, WEIR_NVME_REG_CC, 0);
		nvmehost_run(host);
		nvmehost_set_reg(host, WEIR_NVME_REG_AQA, bad[i].aqa);
		nvmehost_set_reg(host, WEIR_NVME_REG_CC, bad[i].cc);
		nvmehost_run(host);
		expect_csts(host, WEIR_NVME_CSTS_CFS);
	}
	/* Seen as cleared at once: a host that waits for RDY to fall does not wait here. */
	nvmehost_set_reg(host, WEIR_NVME_REG_CC, 0);
	expect_csts(host, 0);
	nvmehost_enable(host);
	nvmehost_run(host);
	expect_csts(host, WEIR_NVME_CSTS_RDY);
}

static void test_shutdown(void **state)
{
	struct nvmehost *host = *state;
	uint32_t cc = nvmehost_reg(host, WEIR_NVME_REG_CC);
	struct weir_nvme_sqe abort = { .opcode = WEIR_NVME_ADMIN_ABORT };

	nvmehost_set_reg(host, WEIR_NVME_REG_CC, cc | WEIR_NVME_CC_SHN_NORMAL);
	expect_csts(host, WEIR_NVME_CSTS_RDY);
	nvmehost_run(host);
	expect_csts(host, WEIR_NVME_CSTS_RDY | WEIR_NVME_CSTS_SHST_COMPLETE);
	assert_int_equal(host->flushes, 1);
	nvmehost_push(host, &host->admin, &abort);
	nvmehost_ring(host, &host->admin);
	assert_int_equal(nvmehost_run(host), 0);
	assert_int_equal(host->flushes, 1);
	nvmehost_set_reg(host, WEIR_NVME_REG_CC, 0);
	nvmehost_run(host);
	expect_csts(host, 0);
	nvmehost_enable(host);
	nvmehost_run(host);
	expect_csts(host, WEIR_NVME_CSTS_RDY);
	assert_int_equal(nvmehost_admin(host, abort), 0);
	/* A disabled controller shuts down too, and comes back. */
	nvmehost_set_reg(host, WEIR_NVME_REG_CC, 0);
	nvmehost_run(host);
	nvmehost_set_reg(host, WEIR_NVME_REG_CC, WEIR_NVME_CC_SHN_ABRUPT);
	nvmehost_run(host);
	expect_csts(host, WEIR_NVME_CSTS_SHST_COMPLETE);
	nvmehost_enable(host);
	nvmehost_run(host);
	expect_csts(host, WEIR_NVME_CSTS_RDY);
}

static void test_function_level_reset(void **state)
{
	struct nvmehost *host = *state;
	unsigned int exp = pcihost_capability(&host->pci, WEIR_PCI_CAP_ID_EXP);

	pcihost_config_write(&host->pci, exp + WEIR_PCI_EXP_DEVCTL, 2, WEIR_PCI_EXP_DEVCTL_BCR_FLR);
	pcihost_start(&host->pci, 8, 0x2000);
	expect_csts(host, 0);
	assert_int_equal(nvmehost_reg(host, WEIR_NVME_REG_AQA), 0);
	assert_int_equal(pcihost_read(&host->pci, WEIR_NVME_REG_ASQ, 8), 0);
	/* Enabled again before the model took a step: still a reset, then an enable. */
	nvmehost_enable(host);
	nvmehost_run(host);
	expect_csts(host, WEIR_NVME_CSTS_RDY);
	assert_int_equal(nvmehost_admin(host, (struct weir_nvme_sqe){ .opcode = 0x08 }), 0);
}

static void test_configs(void **state)
{
	struct nvmehost *host = *state;
	struct weir_model_nvme_config good = nvmehost_config(host), bad[6];
	struct weir_model_nvme *nvme;
	size_t i;

	for (i = 0; i < WEIR_ARRAY_SIZE(bad); i++)
		bad[i] = good;
	bad[0].disk.read = NULL;
	bad[1].disk.size = 0;
	bad[2].block_size = 1024;
	bad[3].max_queues = 256;
	bad[4].max_entries = 65537;
	bad[5].mdts = 11;
	for (i = 0; i < WEIR_ARRAY_SIZE(bad); i++)
		assert_int_equal(weir_model_nvme_create(host->pci.rc, NULL, 0x10, &bad[i], &nvme),
				 -WEIR_EINVAL);
	assert_int_equal(weir_model_nvme_create(host->pci.rc, NULL, PCIHOST_DEVFN, &good, &nvme),
			 -WEIR_EEXIST);
}

/* ---- Admin commands ---- */

static void test_identify(void **state)
{
	struct nvmehost *host = *state;

	assert_int_equal(nvmehost_identify(host, WEIR_NVME_CNS_CONTROLLER, 0), 0);
	assert_int_equal(nvmehost_data(host, WEIR_NVME_IDC_MDTS, 1), 5);
	assert_int_equal(nvmehost_data(host, WEIR_NVME_IDC_VER, 4), WEIR_NVME_VS_1_4);
	assert_int_equal(nvmehost_data(host, WEIR_NVME_IDC_NN, 4), 1);
	assert_int_equal(nvmehost_data(host, WEIR_NVME_IDC_SQES, 1), 0x66);
	assert_int_equal(nvmehost_data(host, WEIR_NVME_IDC_CQES, 1), 0x44);
	assert_memory_equal(pcihost_at(&host->pci, NVMEHOST_DATA + WEIR_NVME_IDC_FR), "1       ",
			    8);
	assert_int_equal(nvmehost_data(host, 4096, 8), 0xccccccccccccccccull);

	assert_int_equal(nvmehost_identify(host, WEIR_NVME_CNS_NAMESPACE, 1), 0);
	assert_int_equal(nvmehost_data(host, WEIR_NVME_IDN_NSZE, 8), NVMEHOST_DISK_SIZE / 512);
	assert_int_equal(nvmehost_data(host, WEIR_NVME_IDN_LBAF0, 4),
			 9u << WEIR_NVME_LBAF_LBADS_SHIFT);
	assert_int_equal(nvmehost_identify(host, WEIR_NVME_CNS_NAMESPACE, 0),
			 DNR(WEIR_NVME_SC_INVALID_NS));
	assert_int_equal(nvmehost_identify(host, WEIR_NVME_CNS_NAMESPACE, 2),
			 DNR(WEIR_NVME_SC_INVALID_NS));
	assert_int_equal(nvmehost_data(host, 0, 8), 0xccccccccccccccccull);

	assert_int_equal(nvmehost_identify(host, WEIR_NVME_CNS_ACTIVE_NS, 0), 0);
	assert_int_equal(nvmehost_data(host, 0, 8), 1);
	assert_int_equal(nvmehost_identify(host, WEIR_NVME_CNS_ACTIVE_NS, 1), 0);
	assert_int_equal(nvmehost_data(host, 0, 8), 0);
	assert_int_equal(nvmehost_identify(host, WEIR_NVME_CNS_ACTIVE_NS, WEIR_NVME_NSID_ALL),
			 DNR(WEIR_NVME_SC_INVALID_NS));
	assert_int_equal(nvmehost_identify(host, WEIR_NVME_CNS_NS_DESCRIPTORS, 1), 0);
	assert_int_equal(nvmehost_data(host, 0, 4), 0x1003);
	assert_int_equal(nvmehost_data(host, 20, 8), 0);
	assert_int_equal(nvmehost_identify(host, 0x10, 1), DNR(WEIR_NVME_SC_INVALID_FIELD));
}

static void test_create_cq(void **state)
{
	static const struct {
		uint32_t cdw10, cdw11;
		uint64_t prp1;
		uint16_t status;
	} cases[] = {
		{ 0x00070000, 0x00010003, NVMEHOST_DATA, DNR(WEIR_NVME_SC_INVALID_QID) },
		{ 0x00070011, 0x00010003, NVMEHOST_DATA, DNR(WEIR_NVME_SC_INVALID_QID) },
		{ 0x0007ffff, 0x00010003, NVMEHOST_DATA, DNR(WEIR_NVME_SC_INVALID_QID) },
		{ 0x00000001, 0x00010003, NVMEHOST_DATA, DNR(WEIR_NVME_SC_INVALID_QSIZE) },
		{ 0x04000001, 0x00010003, NVMEHOST_DATA, DNR(WEIR_NVME_SC_INVALID_QSIZE) },
		{ 0x00070001, 0x00010002, NVMEHOST_DATA, DNR(WEIR_NVME_SC_INVALID_FIELD) },
		{ 0x00070001, 0x00010003, NVMEHOST_DATA + 8, DNR(WEIR_NVME_SC_INVALID_PRP_OFFSET) },
		{ 0x00070001, 0x00110003, NVMEHOST_DATA, DNR(WEIR_NVME_SC_INVALID_VECTOR) },
		{ 0x03ff0001, 0x00100003, NVMEHOST_DATA, WEIR_NVME_SC_SUCCESS },
		{ 0x00070001, 0x00010003, NVMEHOST_DATA, DNR(WEIR_NVME_SC_INVALID_QID) },
		{ 0x00010010, 0x00000001, NVMEHOST_DATA, WEIR_NVME_SC_SUCCESS },
	};
	struct nvmehost *host = *state;
	size_t i;

	for (i = 0; i < WEIR_ARRAY_SIZE(cases); i++)
		assert_int_equal(nvmehost_queue_command(host, WEIR_NVME_ADMIN_CREATE_CQ,
							cases[i].cdw10, cases[i].cdw11,
							cases[i].prp1),
				 cases[i].status);
}

static void test_create_sq(void **state)
{
	static const struct {
		uint32_t cdw10, cdw11;
		uint64_t prp1;
		uint16_t status;
	} cases[] = {
		{ 0x00070000, 0x00030001, NVMEHOST_DATA, DNR(WEIR_NVME_SC_INVALID_QID) },
		{ 0x00070011, 0x00030001, NVMEHOST_DATA, DNR(WEIR_NVME_SC_INVALID_QID) },
		{ 0x00070001, 0x00000001, NVMEHOST_DATA, DNR(WEIR_NVME_SC_INVALID_QID) },
		{ 0x00070001, 0x00110001, NVMEHOST_DATA, DNR(WEIR_NVME_SC_INVALID_QID) },
		{ 0x00070001, 0x00040001, NVMEHOST_DATA, DNR(WEIR_NVME_SC_CQ_INVALID) },
		{ 0x00000001, 0x00030001, NVMEHOST_DATA, DNR(WEIR_NVME_SC_INVALID_QSIZE) },
		{ 0x04000001, 0x00030001, NVMEHOST_DATA, DNR(WEIR_NVME_SC_INVALID_QSIZE) },
		{ 0x00070001, 0x00030000, NVMEHOST_DATA, DNR(WEIR_NVME_SC_INVALID_FIELD) },
		{ 0x00070001, 0x00030001, NVMEHOST_DATA + 64,
		  DNR(WEIR_NVME_SC_INVALID_PRP_OFFSET) },
		{ 0x00070001, 0x00030001, NVMEHOST_DATA, WEIR_NVME_SC_SUCCESS },
		{ 0x00070001, 0x00030001, NVMEHOST_DATA, DNR(WEIR_NVME_SC_INVALID_QID) },
		{ 0x00070002, 0x00030001, NVMEHOST_DATA, WEIR_NVME_SC_SUCCESS },
	};
	struct nvmehost *host = *state;
	size_t i;

	assert_int_equal(nvmehost_queue_command(host, WEIR_NVME_ADMIN_CREATE_CQ, 0x00070003,
						0x00010003, NVMEHOST_DATA),
			 0);
	for (i = 0; i < WEIR_ARRAY_SIZE(cases); i++)
		assert_int_equal(nvmehost_queue_command(host, WEIR_NVME_ADMIN_CREATE_SQ,
							cases[i].cdw10, cases[i].cdw11,
							cases[i].prp1),
				 cases[i].status);
	/* A completion queue goes last. */
	assert_int_equal(nvmehost_queue_command(host, WEIR_NVME_ADMIN_DELETE_CQ, 3, 0, 0),
			 DNR(WEIR_NVME_SC_INVALID_QUEUE_DELETION));
	assert_int_equal(nvmehost_queue_command(host, WEIR_NVME_ADMIN_DELETE_SQ, 1, 0, 0), 0);
	assert_int_equal(nvmehost_queue_command(host, WEIR_NVME_ADMIN_DELETE_SQ, 1, 0, 0),
			 DNR(WEIR_NVME_SC_INVALID_QID));
	assert_int_equal(nvmehost_queue_command(host, WEIR_NVME_ADMIN_DELETE_SQ, 0, 0, 0),
			 DNR(WEIR_NVME_SC_INVALID_QID));
	assert_int_equal(nvmehost_queue_command(host, WEIR_NVME_ADMIN_DELETE_SQ, 2, 0, 0), 0);
	assert_int_equal(nvmehost_queue_command(host, WEIR_NVME_ADMIN_DELETE_CQ, 3, 0, 0), 0);
	assert_int_equal(nvmehost_queue_command(host, WEIR_NVME_ADMIN_DELETE_CQ, 3, 0, 0),
			 DNR(WEIR_NVME_SC_INVALID_QID));
	assert_int_equal(nvmehost_queue_command(host, WEIR_NVME_ADMIN_DELETE_CQ, 0, 0, 0),
			 DNR(WEIR_NVME_SC_INVALID_QID));
}

static void test_entry_sizes(void **state)
{
	struct nvmehost *host = *state;

	nvmehost_set_reg(host, WEIR_NVME_REG_CC, WEIR_NVME_CC_EN);
	assert_int_equal(nvmehost_queue_command(host, WEIR_NVME_ADMIN_CREATE_CQ, 0x00070001, 1,
						NVMEHOST_DATA),
			 DNR(WEIR_NVME_SC_INVALID_QSIZE));
	nvmehost_set_reg(host, WEIR_NVME_REG_CC, WEIR_NVME_CC_EN | 0x400000);
	assert_int_equal(nvmehost_queue_command(host, WEIR_NVME_ADMIN_CREATE_CQ, 0x00070001, 1,
						NVMEHOST_DATA),
			 0);
	assert_int_equal(nvmehost_queue_command(host, WEIR_NVME_ADMIN_CREATE_SQ, 0x00070001,
						0x00010001, NVMEHOST_DATA),
			 DNR(WEIR_NVME_SC_INVALID_QSIZE));
}

#define SET WEIR_NVME_ADMIN_SET_FEATURES
#define GET WEIR_NVME_ADMIN_GET_FEATURES

/* cdw11 of Set, then what Get answers; `status` of Set. */
static void test_features(void **state)
{
	static const struct {
		uint8_t fid;
		uint32_t initial, set;
		uint16_t status;
	} cases[] = {
		{ WEIR_NVME_FID_ARBITRATION, 0, 0x01020305, 0 },
		{ WEIR_NVME_FID_POWER_MANAGEMENT, 0, 1, DNR(WEIR_NVME_SC_INVALID_FIELD) },
		{ WEIR_NVME_FID_TEMPERATURE, 0x157, 0x111, 0 },
		{ WEIR_NVME_FID_ERROR_RECOVERY, 0, 0x10, 0 },
		{ WEIR_NVME_FID_ERROR_RECOVERY, 0, 0x10010, DNR(WEIR_NVME_SC_INVALID_FIELD) },
		{ WEIR_NVME_FID_WRITE_CACHE, 1, 0, 0 },
		{ WEIR_NVME_FID_QUEUES, 0x000f000f, 0x00030005, 0 },
		{ WEIR_NVME_FID_QUEUES, 0x000f000f, 0x0003ffff, DNR(WEIR_NVME_SC_INVALID_FIELD) },
		{ WEIR_NVME_FID_INT_COALESCING, 0, 0x0405, 0 },
		{ WEIR_NVME_FID_INT_VECTOR, 0, 0x10000, 0 },
		{ WEIR_NVME_FID_WRITE_ATOMICITY, 0, 1, 0 },
		{ WEIR_NVME_FID_ASYNC_EVENT, 0, 0x1f, 0 },
	};
	struct nvmehost *host = *state;
	uint32_t dw0;
	size_t i;

	for (i = 0; i < WEIR_ARRAY_SIZE(cases); i++) {
		uint32_t after = cases[i].status ? cases[i].initial : cases[i].set;

		if (cases[i].fid == WEIR_NVME_FID_QUEUES && !cases[i].status)
			after = 0x00030003;
		nvmehost_set_reg(host, WEIR_NVME_REG_CC, 0);
		nvmehost_run(host);
		nvmehost_enable(host);
		nvmehost_run(host);
		assert_int_equal(nvmehost_feature(host, GET, cases[i].fid, 0, 0, &dw0), 0);
		assert_int_equal(dw0, cases[i].initial);
		assert_int_equal(nvmehost_feature(host, SET, cases[i].fid, cases[i].set, 0, &dw0),
				 cases[i].status);
		assert_int_equal(nvmehost_feature(host, GET, cases[i].fid, 0, 0, &dw0), 0);
		assert_int_equal(dw0, after);
		assert_int_equal(nvmehost_feature(host, GET, cases[i].fid | 1 << 8, 0, 0, &dw0), 0);
		assert_int_equal(dw0, cases[i].initial);
		assert_int_equal(nvmehost_feature(host, GET, cases[i].fid | 3 << 8, 0, 0, &dw0), 0);
		assert_true(dw0 & WEIR_NVME_FEATURE_CAP_CHANGEABLE);
		assert_int_equal(nvmehost_feature(host, GET, cases[i].fid | 4 << 8, 0, 0, &dw0),
				 DNR(WEIR_NVME_SC_INVALID_FIELD));
	}
}

static void test_feature_errors(void **state)
{
	struct nvmehost *host = *state;
	struct nvmehost_queue queue;
	uint32_t dw0;

	assert_int_equal(nvmehost_feature(host, GET, 0x7f, 0, 0, &dw0),
			 DNR(WEIR_NVME_SC_INVALID_FIELD));
	assert_int_equal(nvmehost_feature(host, SET, 0x7f, 0, 0, &dw0),
			 DNR(WEIR_NVME_SC_INVALID_FIELD));
	assert_int_equal(nvmehost_feature(host, SET,
					  WEIR_NVME_FID_WRITE_CACHE | WEIR_NVME_FEATURE_SV, 0, 0,
					  &dw0),
			 DNR(WEIR_NVME_SC_FEATURE_NOT_SAVEABLE));
	assert_int_equal(nvmehost_feature(host, SET, WEIR_NVME_FID_WRITE_CACHE, 0, 1, &dw0),
			 DNR(WEIR_NVME_SC_FEATURE_NOT_NS_SPECIFIC));
	assert_int_equal(nvmehost_feature(host, SET, WEIR_NVME_FID_ERROR_RECOVERY, 0, 1, &dw0), 0);
	assert_int_equal(nvmehost_feature(host, SET, WEIR_NVME_FID_ERROR_RECOVERY, 0, 2, &dw0),
			 DNR(WEIR_NVME_SC_INVALID_NS));
	assert_int_equal(nvmehost_feature(host, SET, WEIR_NVME_FID_TEMPERATURE, 0x300000, 0, &dw0),
			 DNR(WEIR_NVME_SC_INVALID_FIELD));
	assert_int_equal(nvmehost_feature(host, GET, WEIR_NVME_FID_TEMPERATURE, 0x10000, 0, &dw0),
			 DNR(WEIR_NVME_SC_INVALID_FIELD));
	assert_int_equal(nvmehost_feature(host, SET, WEIR_NVME_FID_INT_VECTOR, 17, 0, &dw0),
			 DNR(WEIR_NVME_SC_INVALID_FIELD));
	/* Queues beyond what was granted, and a grant after the first queue. */
	assert_int_equal(nvmehost_feature(host, SET, WEIR_NVME_FID_QUEUES, 0xfffefffe, 0, &dw0), 0);
	assert_int_equal(dw0, 0x000f000f);
	assert_int_equal(nvmehost_feature(host, SET, WEIR_NVME_FID_QUEUES, 0x00010001, 0, &dw0), 0);
	assert_int_equal(nvmehost_queue_command(host, WEIR_NVME_ADMIN_CREATE_CQ, 0x00070003, 1,
						NVMEHOST_DATA),
			 DNR(WEIR_NVME_SC_INVALID_QID));
	nvmehost_create_pair(host, &queue, 2, 8);
	assert_int_equal(nvmehost_feature(host, SET, WEIR_NVME_FID_QUEUES, 0x00030003, 0, &dw0),
			 DNR(WEIR_NVME_SC_SEQUENCE_ERROR));
}

static void test_logs(void **state)
{
	struct nvmehost *host = *state;
	struct nvmehost_queue queue;
	uint16_t lba_range = DNR(WEIR_NVME_SC_LBA_RANGE);

	nvmehost_create_pair(host, &queue, 1, 8);
	assert_int_equal(nvmehost_command(host, &queue,
					  nvmehost_rw(WEIR_NVME_CMD_READ, 0, 8, NVMEHOST_DATA, 0),
					  NULL),
			 0);
	assert_int_equal(
		nvmehost_command(host, &queue,
				 nvmehost_rw(WEIR_NVME_CMD_READ, 1u << 20, 8, NVMEHOST_DATA, 0),
				 NULL),
		lba_range);
	assert_int_equal(nvmehost_get_log(host, WEIR_NVME_LID_ERROR, 64, 0), 0);
	assert_int_equal(nvmehost_data(host, WEIR_NVME_ERROR_COUNT, 8), 1);
	assert_int_equal(nvmehost_data(host, WEIR_NVME_ERROR_SQID, 2), 1);
	assert_int_equal(nvmehost_data(host, WEIR_NVME_ERROR_STATUS, 2) >> 1, lba_range);
	assert_int_equal(nvmehost_data(host, WEIR_NVME_ERROR_LBA, 8), 1u << 20);
	assert_int_equal(nvmehost_get_log(host, WEIR_NVME_LID_SMART, 512, 0), 0);
	assert_int_equal(nvmehost_data(host, WEIR_NVME_SMART_TEMPERATURE, 2), 303);
	assert_int_equal(nvmehost_data(host, WEIR_NVME_SMART_HOST_READS, 8), 1);
	assert_int_equal(nvmehost_data(host, WEIR_NVME_SMART_UNITS_READ, 8), 1);
	assert_int_equal(nvmehost_data(host, 512, 8), 0xccccccccccccccccull);
	assert_int_equal(nvmehost_get_log(host, WEIR_NVME_LID_SMART, 4, 64), 0);
	assert_int_equal(nvmehost_data(host, 0, 8), 0xcccccccc00000001ull);
	assert_int_equal(nvmehost_get_log(host, WEIR_NVME_LID_FIRMWARE, 512, 0), 0);
	assert_int_equal(nvmehost_data(host, 0, 1), 1);
	assert_int_equal(nvmehost_get_log(host, 0x42, 64, 0), DNR(WEIR_NVME_SC_INVALID_LOG_PAGE));
	assert_int_equal(nvmehost_get_log(host, WEIR_NVME_LID_SMART, 4, 516),
			 DNR(WEIR_NVME_SC_INVALID_FIELD));
	assert_int_equal(nvmehost_get_log(host, WEIR_NVME_LID_SMART, 0x40000000, 0),
			 DNR(WEIR_NVME_SC_INVALID_FIELD));
}

static void test_opcodes(void **state)
{
	struct nvmehost *host = *state;
	struct nvmehost_queue queue;
	struct weir_nvme_sqe sqe = { .opcode = 0x18, .nsid = 1 };

	nvmehost_create_pair(host, &queue, 1, 8);
	assert_int_equal(nvmehost_admin(host, sqe), DNR(WEIR_NVME_SC_INVALID_OPCODE));
	sqe.opcode = 0x05; /* Compare */
	assert_int_equal(nvmehost_command(host, &queue, sqe, NULL),
			 DNR(WEIR_NVME_SC_INVALID_OPCODE));
	sqe.opcode = WEIR_NVME_CMD_FLUSH;
	sqe.flags = 0x40; /* SGL */
	assert_int_equal(nvmehost_command(host, &queue, sqe, NULL),
			 DNR(WEIR_NVME_SC_INVALID_FIELD));
	sqe.flags = 0x01; /* fused */
	assert_int_equal(nvmehost_command(host, &queue, sqe, NULL),
			 DNR(WEIR_NVME_SC_INVALID_FIELD));
	sqe.flags = 0;
	sqe.nsid = 2;
	assert_int_equal(nvmehost_command(host, &queue, sqe, NULL), DNR(WEIR_NVME_SC_INVALID_NS));
	sqe.nsid = WEIR_NVME_NSID_ALL;
	assert_int_equal(nvmehost_command(host, &queue, sqe, NULL), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_registers),
		TEST(test_reset),
		TEST(test_bad_configuration),
		TEST(test_shutdown),
		TEST(test_function_level_reset),
		TEST(test_configs),
		TEST(test_identify),
		TEST(test_create_cq),
		TEST(test_create_sq),
		TEST(test_entry_sizes),
		TEST(test_features),
		TEST(test_feature_errors),
		TEST(test_logs),
		TEST(test_opcodes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
