/* SPDX-License-Identifier: MIT */
/*
 * Get Log Page (NVMe 1.4 section 5.14): errors (the last one), SMART, firmware slots.
 */

#include <string.h>

#include "nvme/nvme.h"

static void put64(uint8_t *page, size_t offset, uint64_t value)
{
	memcpy(page + offset, &value, sizeof(value));
}

static void put16(uint8_t *page, size_t offset, uint16_t value)
{
	memcpy(page + offset, &value, sizeof(value));
}

static uint32_t errors(const struct nvme_error *error, uint8_t *page)
{
	put64(page, WEIR_NVME_ERROR_COUNT, error->count);
	put16(page, WEIR_NVME_ERROR_SQID, error->sqid);
	put16(page, WEIR_NVME_ERROR_CID, error->cid);
	put16(page, WEIR_NVME_ERROR_STATUS, error->status);
	put16(page, WEIR_NVME_ERROR_LOCATION, error->count ? UINT16_MAX : 0); /* not told */
	put64(page, WEIR_NVME_ERROR_LBA, error->lba);
	memcpy(page + WEIR_NVME_ERROR_NSID, &error->nsid, sizeof(error->nsid));
	return WEIR_NVME_LOG_ERROR_SIZE;
}

/* Thousands of 512 bytes, rounded up (section 5.14.1.2). */
static uint64_t data_units(uint64_t bytes)
{
	return (bytes + 511999) / 512000;
}

static uint32_t smart(const struct weir_model_nvme *nvme, uint8_t *page)
{
	const struct nvme_features *features = &nvme->features;

	if (NVME_TEMPERATURE >= features->over || NVME_TEMPERATURE <= features->under)
		page[WEIR_NVME_SMART_WARNING] |= WEIR_NVME_SMART_WARNING_TEMPERATURE;
	put16(page, WEIR_NVME_SMART_TEMPERATURE, NVME_TEMPERATURE);
	page[WEIR_NVME_SMART_SPARE] = 100;
	page[WEIR_NVME_SMART_SPARE_THRESHOLD] = 10;
	put64(page, WEIR_NVME_SMART_UNITS_READ, data_units(nvme->stats.bytes_read));
	put64(page, WEIR_NVME_SMART_UNITS_WRITTEN, data_units(nvme->stats.bytes_written));
	put64(page, WEIR_NVME_SMART_HOST_READS, nvme->reads);
	put64(page, WEIR_NVME_SMART_HOST_WRITES, nvme->writes);
	put64(page, WEIR_NVME_SMART_POWER_CYCLES, 1);
	put64(page, WEIR_NVME_SMART_MEDIA_ERRORS, nvme->media_errors);
	put64(page, WEIR_NVME_SMART_ERROR_ENTRIES, nvme->error.count);
	return WEIR_NVME_LOG_SMART_SIZE;
}

static uint32_t firmware(uint8_t *page)
{
	page[WEIR_NVME_FIRMWARE_AFI] = 1;
	memset(page + WEIR_NVME_FIRMWARE_FRS1, ' ', WEIR_NVME_IDC_FR_SIZE);
	page[WEIR_NVME_FIRMWARE_FRS1] = '1';
	return WEIR_NVME_LOG_FIRMWARE_SIZE;
}

/* Returns the log's size; 0: there is none of this identifier. */
static uint32_t fill(const struct weir_model_nvme *nvme, uint32_t lid, uint8_t *page)
{
	switch (lid) {
	case WEIR_NVME_LID_ERROR:
		return errors(&nvme->error, page);
	case WEIR_NVME_LID_SMART:
		return smart(nvme, page);
	case WEIR_NVME_LID_FIRMWARE:
		return firmware(page);
	default:
		return 0;
	}
}

static uint64_t wanted_bytes(const struct weir_nvme_sqe *sqe)
{
	uint64_t lower = (sqe->cdw10 & WEIR_NVME_LOG_NUMDL_MASK) >> WEIR_NVME_LOG_NUMDL_SHIFT;
	uint64_t upper = sqe->cdw11 & WEIR_NVME_LOG_NUMDU_MASK;

	return ((upper << 16 | lower) + 1) * 4;
}

/* What a host asks for beyond the log's end is undefined: it is not transferred. */
uint16_t weir_model_nvme_get_log(struct weir_model_nvme *nvme, const struct weir_nvme_sqe *sqe)
{
	uint32_t lid = sqe->cdw10 & WEIR_NVME_LOG_LID_MASK;
	uint64_t offset = sqe->cdw12 | (uint64_t)sqe->cdw13 << 32;
	uint64_t wanted = wanted_bytes(sqe);
	uint32_t size;
	uint16_t status;

	memset(nvme->page, 0, sizeof(nvme->page));
	size = fill(nvme, lid, nvme->page);
	if (!size)
		return NVME_DNR(WEIR_NVME_SC_INVALID_LOG_PAGE);
	/* No log of a namespace's own (LPA), offsets in dwords, and what MDTS allows. */
	if ((sqe->nsid && sqe->nsid != WEIR_NVME_NSID_ALL) || offset > size || (offset & 3) ||
	    wanted > (uint64_t)NVME_PAGE << nvme->mdts)
		return NVME_DNR(WEIR_NVME_SC_INVALID_FIELD);
	size -= (uint32_t)offset;
	status = weir_model_nvme_send(nvme, sqe, nvme->page + offset,
				      wanted < size ? (uint32_t)wanted : size);
	if (!status && lid == WEIR_NVME_LID_ERROR && !(sqe->cdw10 & WEIR_NVME_LOG_RAE))
		nvme->events_masked = false;
	return status;
}
