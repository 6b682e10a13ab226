/* SPDX-License-Identifier: MIT */
/*
 * Set Features and Get Features (NVMe 1.4 sections 5.14, 5.21). Nothing is saveable: saved values
 * are the defaults.
 */

#include <string.h>

#include "nvme/nvme.h"

#define OVER_DEFAULT 0x157u /* WCTEMP of Identify Controller */

/* Features that are one value, checked for bits that this controller does not offer. */
static const struct {
	uint8_t fid;
	bool of_namespace;
	uint32_t initial, valid;
} simple[] = {
	{ WEIR_NVME_FID_ARBITRATION, false, 0, 0xffffff07 },
	{ WEIR_NVME_FID_POWER_MANAGEMENT, false, 0, 0xe0 }, /* power state 0 alone: NPSS */
	{ WEIR_NVME_FID_ERROR_RECOVERY, true, 0, 0xffff },
	{ WEIR_NVME_FID_WRITE_CACHE, false, WEIR_NVME_WRITE_CACHE_WCE, WEIR_NVME_WRITE_CACHE_WCE },
	{ WEIR_NVME_FID_INT_COALESCING, false, 0, 0xffff },
	{ WEIR_NVME_FID_WRITE_ATOMICITY, false, 0, 1 },
	{ WEIR_NVME_FID_ASYNC_EVENT, false, 0, 0xff },
};

void weir_model_nvme_features_reset(struct weir_model_nvme *nvme)
{
	struct nvme_features *features = &nvme->features;
	size_t i;

	memset(features, 0, sizeof(*features));
	for (i = 0; i < WEIR_ARRAY_SIZE(simple); i++)
		features->value[simple[i].fid] = simple[i].initial;
	features->over = OVER_DEFAULT;
	features->queues = nvme->max_queues;
}

static int find_simple(uint32_t fid)
{
	size_t i;

	for (i = 0; i < WEIR_ARRAY_SIZE(simple); i++) {
		if (simple[i].fid == fid)
			return (int)i;
	}
	return -1;
}

static uint32_t queues_value(uint32_t queues)
{
	return (queues - 1) << WEIR_NVME_QUEUES_NCQ_SHIFT | (queues - 1);
}

/* Section 5.21.1.7: once, before the first I/O queue. The smaller number asked for is granted. */
static uint16_t set_queues(struct weir_model_nvme *nvme, uint32_t value, uint32_t *result)
{
	uint32_t nsq = value & WEIR_NVME_QUEUES_NSQ_MASK;
	uint32_t ncq = (value & WEIR_NVME_QUEUES_NCQ_MASK) >> WEIR_NVME_QUEUES_NCQ_SHIFT;
	uint32_t wanted = (nsq < ncq ? nsq : ncq) + 1;
	unsigned int i;

	if (nsq == UINT16_MAX || ncq == UINT16_MAX)
		return NVME_DNR(WEIR_NVME_SC_INVALID_FIELD);
	for (i = 1; i <= nvme->max_queues; i++) {
		if (__atomic_load_n(&nvme->cq[i].size, __ATOMIC_RELAXED))
			return NVME_DNR(WEIR_NVME_SC_SEQUENCE_ERROR);
	}
	nvme->features.queues = wanted < nvme->max_queues ? wanted : nvme->max_queues;
	*result = queues_value(nvme->features.queues);
	return WEIR_NVME_SC_SUCCESS;
}

/* The threshold that CDW11 selects, of the composite temperature; NULL: there is no such one. */
static uint32_t *threshold(struct weir_model_nvme *nvme, uint32_t cdw11, bool set)
{
	uint32_t sensor =
		(cdw11 & WEIR_NVME_TEMPERATURE_TMPSEL_MASK) >> WEIR_NVME_TEMPERATURE_TMPSEL_SHIFT;

	if (sensor != 0 && !(set && sensor == 0xf))
		return NULL;
	switch ((cdw11 & WEIR_NVME_TEMPERATURE_THSEL_MASK) >> WEIR_NVME_TEMPERATURE_THSEL_SHIFT) {
	case 0:
		return &nvme->features.over;
	case 1:
		return &nvme->features.under;
	default:
		return NULL;
	}
}

static uint16_t set_temperature(struct weir_model_nvme *nvme, uint32_t cdw11)
{
	uint32_t *kelvin = threshold(nvme, cdw11, true);

	if (!kelvin)
		return NVME_DNR(WEIR_NVME_SC_INVALID_FIELD);
	*kelvin = cdw11 & WEIR_NVME_TEMPERATURE_TMPTH_MASK;
	return WEIR_NVME_SC_SUCCESS;
}

static uint16_t set_vector(struct weir_model_nvme *nvme, uint32_t cdw11)
{
	uint32_t vector = cdw11 & WEIR_NVME_INT_VECTOR_IV_MASK;

	if (vector > nvme->max_queues)
		return NVME_DNR(WEIR_NVME_SC_INVALID_FIELD);
	nvme->features.uncoalesced[vector] = cdw11 & WEIR_NVME_INT_VECTOR_CD;
	return WEIR_NVME_SC_SUCCESS;
}

static uint16_t set_simple(struct weir_model_nvme *nvme, uint32_t fid, uint32_t value)
{
	int i = find_simple(fid);

	if (i < 0 || (value & ~simple[i].valid))
		return NVME_DNR(WEIR_NVME_SC_INVALID_FIELD);
	nvme->features.value[fid] = value;
	return WEIR_NVME_SC_SUCCESS;
}

static bool of_namespace(uint32_t fid)
{
	int i = find_simple(fid);

	return i >= 0 && simple[i].of_namespace;
}

static uint16_t namespace_status(uint32_t fid, uint32_t nsid)
{
	if (nsid == 0 || nsid == WEIR_NVME_NSID_ALL)
		return WEIR_NVME_SC_SUCCESS;
	if (!of_namespace(fid))
		return NVME_DNR(WEIR_NVME_SC_FEATURE_NOT_NS_SPECIFIC);
	return nsid == 1 ? WEIR_NVME_SC_SUCCESS : NVME_DNR(WEIR_NVME_SC_INVALID_NS);
}

uint16_t weir_model_nvme_set_features(struct weir_model_nvme *nvme, const struct weir_nvme_sqe *sqe,
				      uint32_t *result)
{
	uint32_t fid = sqe->cdw10 & WEIR_NVME_FEATURE_FID_MASK;
	uint16_t status = namespace_status(fid, sqe->nsid);

	if (sqe->cdw10 & WEIR_NVME_FEATURE_SV)
		return NVME_DNR(WEIR_NVME_SC_FEATURE_NOT_SAVEABLE);
	if (status)
		return status;
	switch (fid) {
	case WEIR_NVME_FID_QUEUES:
		return set_queues(nvme, sqe->cdw11, result);
	case WEIR_NVME_FID_TEMPERATURE:
		return set_temperature(nvme, sqe->cdw11);
	case WEIR_NVME_FID_INT_VECTOR:
		return set_vector(nvme, sqe->cdw11);
	default:
		return set_simple(nvme, fid, sqe->cdw11);
	}
}

static uint16_t get_temperature(struct weir_model_nvme *nvme, uint32_t cdw11, bool current,
				uint32_t *result)
{
	uint32_t *kelvin = threshold(nvme, cdw11, false);

	if (!kelvin)
		return NVME_DNR(WEIR_NVME_SC_INVALID_FIELD);
	if (current)
		*result = *kelvin;
	else
		*result = kelvin == &nvme->features.over ? OVER_DEFAULT : 0;
	return WEIR_NVME_SC_SUCCESS;
}

static uint16_t get_vector(const struct weir_model_nvme *nvme, uint32_t cdw11, bool current,
			   uint32_t *result)
{
	uint32_t vector = cdw11 & WEIR_NVME_INT_VECTOR_IV_MASK;

	if (vector > nvme->max_queues)
		return NVME_DNR(WEIR_NVME_SC_INVALID_FIELD);
	*result = vector;
	if (current && nvme->features.uncoalesced[vector])
		*result |= WEIR_NVME_INT_VECTOR_CD;
	return WEIR_NVME_SC_SUCCESS;
}

static uint16_t get_value(struct weir_model_nvme *nvme, uint32_t fid, uint32_t cdw11, bool current,
			  uint32_t *result)
{
	int i = find_simple(fid);

	switch (fid) {
	case WEIR_NVME_FID_QUEUES:
		*result = queues_value(current ? nvme->features.queues : nvme->max_queues);
		return WEIR_NVME_SC_SUCCESS;
	case WEIR_NVME_FID_TEMPERATURE:
		return get_temperature(nvme, cdw11, current, result);
	case WEIR_NVME_FID_INT_VECTOR:
		return get_vector(nvme, cdw11, current, result);
	default:
		if (i < 0)
			return NVME_DNR(WEIR_NVME_SC_INVALID_FIELD);
		*result = current ? nvme->features.value[fid] : simple[i].initial;
		return WEIR_NVME_SC_SUCCESS;
	}
}

uint16_t weir_model_nvme_get_features(struct weir_model_nvme *nvme, const struct weir_nvme_sqe *sqe,
				      uint32_t *result)
{
	uint32_t fid = sqe->cdw10 & WEIR_NVME_FEATURE_FID_MASK;
	uint32_t select = (sqe->cdw10 & WEIR_NVME_FEATURE_SEL_MASK) >> WEIR_NVME_FEATURE_SEL_SHIFT;
	uint16_t status;

	if (select > WEIR_NVME_FEATURE_SEL_SUPPORTED)
		return NVME_DNR(WEIR_NVME_SC_INVALID_FIELD);
	status = get_value(nvme, fid, sqe->cdw11, select == WEIR_NVME_FEATURE_SEL_CURRENT, result);
	if (!status && select == WEIR_NVME_FEATURE_SEL_SUPPORTED)
		*result = WEIR_NVME_FEATURE_CAP_CHANGEABLE |
			  (of_namespace(fid) ? WEIR_NVME_FEATURE_CAP_NS_SPECIFIC : 0);
	return status;
}
