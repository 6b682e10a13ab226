/* SPDX-License-Identifier: MIT */
/*
 * Identify (NVMe 1.4 section 5.15).
 */

#include <string.h>

#include "nvme/nvme.h"

/* The one namespace's, and with another prefix the subsystem's: a UUID that was made up. */
static const uint8_t namespace_uuid[16] = { 0x77, 0x65, 0x69, 0x72, 0x6e, 0x76, 0x4d, 0x65,
					    0x80, 0x01, 0x6d, 0x6f, 0x64, 0x65, 0x6c, 0x01 };

static void put(uint8_t *page, size_t offset, const void *value, size_t size)
{
	memcpy(page + offset, value, size);
}

static void put16(uint8_t *page, size_t offset, uint16_t value)
{
	put(page, offset, &value, sizeof(value));
}

static void put32(uint8_t *page, size_t offset, uint32_t value)
{
	put(page, offset, &value, sizeof(value));
}

static void put64(uint8_t *page, size_t offset, uint64_t value)
{
	put(page, offset, &value, sizeof(value));
}

/* Padded with spaces, not terminated (section 1.5.1). */
static void put_text(uint8_t *page, size_t offset, const char *text, size_t size)
{
	memset(page + offset, ' ', size);
	put(page, offset, text, strlen(text));
}

static void controller(const struct weir_model_nvme *nvme, uint8_t *page)
{
	static const char nqn[] =
		"nqn.2014-08.org.nvmexpress:uuid:77656972-6e76-4d65-8000-6d6f64656c00";

	put16(page, WEIR_NVME_IDC_VID, nvme->fn.desc.vendor);
	put16(page, WEIR_NVME_IDC_SSVID, nvme->fn.desc.subsystem_vendor);
	put_text(page, WEIR_NVME_IDC_SN, "WEIR0001", WEIR_NVME_IDC_SN_SIZE);
	put_text(page, WEIR_NVME_IDC_MN, "weir NVMe model", WEIR_NVME_IDC_MN_SIZE);
	put_text(page, WEIR_NVME_IDC_FR, "1", WEIR_NVME_IDC_FR_SIZE);
	page[WEIR_NVME_IDC_MDTS] = (uint8_t)nvme->mdts;
	put16(page, WEIR_NVME_IDC_CNTLID, 1);
	put32(page, WEIR_NVME_IDC_VER, WEIR_NVME_VS_1_4);
	put32(page, WEIR_NVME_IDC_RTD3R, 1000000); /* microseconds */
	put32(page, WEIR_NVME_IDC_RTD3E, 1000000);
	page[WEIR_NVME_IDC_CNTRLTYPE] = WEIR_NVME_CNTRLTYPE_IO;
	page[WEIR_NVME_IDC_ACL] = 3;
	page[WEIR_NVME_IDC_AERL] = NVME_AER_MAX - 1;
	page[WEIR_NVME_IDC_FRMW] = 0x03; /* one slot, read-only */
	page[WEIR_NVME_IDC_LPA] = WEIR_NVME_LPA_EXTENDED;
	put16(page, WEIR_NVME_IDC_WCTEMP, 0x157);
	put16(page, WEIR_NVME_IDC_CCTEMP, 0x175);
	page[WEIR_NVME_IDC_SQES] = WEIR_NVME_SQE_SHIFT << 4 | WEIR_NVME_SQE_SHIFT;
	page[WEIR_NVME_IDC_CQES] = WEIR_NVME_CQE_SHIFT << 4 | WEIR_NVME_CQE_SHIFT;
	put32(page, WEIR_NVME_IDC_NN, 1);
	put16(page, WEIR_NVME_IDC_ONCS, WEIR_NVME_ONCS_SELECT);
	page[WEIR_NVME_IDC_VWC] = WEIR_NVME_VWC_PRESENT | WEIR_NVME_VWC_FLUSH_ALL;
	put(page, WEIR_NVME_IDC_SUBNQN, nqn, sizeof(nqn));
	put16(page, WEIR_NVME_IDC_PSD0, 500); /* MP: in units of 10 mW */
}

static uint16_t namespace_data(const struct weir_model_nvme *nvme, uint32_t nsid, uint8_t *page)
{
	/* NSID_ALL too: there is no namespace management, so no common data. */
	if (nsid != 1)
		return NVME_DNR(WEIR_NVME_SC_INVALID_NS);
	put64(page, WEIR_NVME_IDN_NSZE, nvme->blocks);
	put64(page, WEIR_NVME_IDN_NCAP, nvme->blocks);
	put64(page, WEIR_NVME_IDN_NUSE, nvme->blocks);
	if (!nvme->disk.write)
		page[WEIR_NVME_IDN_NSATTR] = WEIR_NVME_NSATTR_WRITE_PROTECTED;
	put32(page, WEIR_NVME_IDN_LBAF0, nvme->block_shift << WEIR_NVME_LBAF_LBADS_SHIFT);
	return WEIR_NVME_SC_SUCCESS;
}

/* The namespaces above `nsid`, in ascending order. */
static uint16_t active_namespaces(uint32_t nsid, uint8_t *page)
{
	if (nsid >= WEIR_NVME_NSID_ALL - 1)
		return NVME_DNR(WEIR_NVME_SC_INVALID_NS);
	if (nsid < 1)
		put32(page, 0, 1);
	return WEIR_NVME_SC_SUCCESS;
}

static uint16_t namespace_descriptors(uint32_t nsid, uint8_t *page)
{
	if (nsid != 1)
		return NVME_DNR(WEIR_NVME_SC_INVALID_NS);
	page[0] = WEIR_NVME_NIDT_UUID;
	page[1] = sizeof(namespace_uuid);
	put(page, 4, namespace_uuid, sizeof(namespace_uuid));
	return WEIR_NVME_SC_SUCCESS;
}

static uint16_t fill(struct weir_model_nvme *nvme, const struct weir_nvme_sqe *sqe, uint8_t *page)
{
	switch (sqe->cdw10 & WEIR_NVME_IDENTIFY_CNS_MASK) {
	case WEIR_NVME_CNS_NAMESPACE:
		return namespace_data(nvme, sqe->nsid, page);
	case WEIR_NVME_CNS_CONTROLLER:
		controller(nvme, page);
		return WEIR_NVME_SC_SUCCESS;
	case WEIR_NVME_CNS_ACTIVE_NS:
		return active_namespaces(sqe->nsid, page);
	case WEIR_NVME_CNS_NS_DESCRIPTORS:
		return namespace_descriptors(sqe->nsid, page);
	default:
		return NVME_DNR(WEIR_NVME_SC_INVALID_FIELD);
	}
}

uint16_t weir_model_nvme_identify(struct weir_model_nvme *nvme, const struct weir_nvme_sqe *sqe)
{
	uint16_t status;

	memset(nvme->page, 0, sizeof(nvme->page));
	status = fill(nvme, sqe, nvme->page);
	if (status)
		return status;
	return weir_model_nvme_send(nvme, sqe, nvme->page, WEIR_NVME_IDENTIFY_SIZE);
}
