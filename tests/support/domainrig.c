/* SPDX-License-Identifier: MIT */

#include "domainrig.h"

#include <stdio.h>

#define PHANDLE_SMMU 3u

void rig_set(uint32_t *reg, uint64_t mask, uint32_t value)
{
	*reg = (*reg & ~(uint32_t)mask) | (uint32_t)WEIR_SMMU_FIELD(mask, value);
}

struct weir_model_smmuv3_config rig_features(void)
{
	struct weir_model_smmuv3_config config = { .aidr = 2,
						   .caches = WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL,
						   .reserved = WEIR_MODEL_SMMUV3_RESERVED_REJECTED,
						   .never_merges = true,
						   .seed = 5 };
	uint32_t *idr = config.idr;

	memcpy(idr, weir_model_smmuv3_default_idr, sizeof(config.idr));
	rig_set(&idr[0], WEIR_SMMU_IDR0_S2P, 1);
	rig_set(&idr[0], WEIR_SMMU_IDR0_CD2L, 1);
	rig_set(&idr[0], WEIR_SMMU_IDR0_ATS, 1);
	rig_set(&idr[0], WEIR_SMMU_IDR0_ATSRECERR, 1);
	rig_set(&idr[0], WEIR_SMMU_IDR0_VMID16, 1);
	rig_set(&idr[0], WEIR_SMMU_IDR0_HTTU, WEIR_SMMU_IDR0_HTTU_AF_DIRTY);
	rig_set(&idr[1], WEIR_SMMU_IDR1_SSIDSIZE, 20);
	rig_set(&idr[3], WEIR_SMMU_IDR3_RIL, 1);
	rig_set(&idr[3], WEIR_SMMU_IDR3_BBML, 2);
	rig_set(&idr[3], WEIR_SMMU_IDR3_FWB, 1);
	rig_set(&idr[5], WEIR_SMMU_IDR5_GRAN16K, 1);
	rig_set(&idr[5], WEIR_SMMU_IDR5_GRAN64K, 1);
	return config;
}

static void log_line(void *opaque, enum weir_level level, const char *line)
{
	struct domainrig *rig = opaque;

	/* A test that is blocked often gets fewer events than that. */
	if (level > WEIR_LOG_WARN || strstr(line, "events were lost") ||
	    strstr(line, "reports of lost events"))
		return;
	rig->log_lines++;
	snprintf(rig->log, sizeof(rig->log), "%s", line);
}

static bool on_fault(void *opaque, const struct weir_fault *fault)
{
	struct domainrig *rig = opaque;

	rig->fault = *fault;
	__atomic_fetch_add(&rig->faults, 1, __ATOMIC_RELEASE);
	return true;
}

static const struct weir_iommu_driver *const drivers[] = { &weir_smmuv3_driver, NULL };

static int add_device(struct domainrig *rig, unsigned int n)
{
	const struct weir_device_id id = { rig->iommu, RIG_SID(n) };
	char name[16];
	const struct weir_device_desc desc = { .name = name,
					       .ids = &id,
					       .nr_ids = 1,
					       .coherent = true,
					       .pasid_bits = rig->pasid_bits,
					       .ats = n ? NULL : rig->ats };
	int ret;

	snprintf(name, sizeof(name), "device %u", n);
	ret = weir_device_add(rig->weir, &rig->dev[n], &desc);
	rig->nr_devices += !ret;
	return ret;
}

static int init(struct domainrig *rig)
{
	struct weir_options options = {
		.plat = rig->machine,
		.cpus = rig->cpus ? rig->cpus : 1,
		.mode = rig->mode,
		.iommu_drivers = drivers,
		.log_level = WEIR_LOG_WARN,
		.heap_whole_pages = rig->heap_whole_pages,
	};
	int ret;

	options.fdt = weir_model_machine_fdt(posix_models(rig->machine), &options.fdt_size);
	ret = weir_init(&options, &rig->weir);
	if (ret) {
		rig->weir = NULL;
		return ret;
	}
	posix_set_weir(rig->machine, rig->weir);
	weir_set_fault_handler(rig->weir, on_fault, rig);
	rig->iommu = weir_iommu_by_phandle(rig->weir, PHANDLE_SMMU);
	assert_non_null(rig->iommu);
	for (unsigned int n = 0; !ret && n < RIG_DEVICES; n++)
		ret = add_device(rig, n);
	return ret;
}

int rig_up(struct domainrig *rig)
{
	struct posix_options options = { .runner = rig->runner,
					 .seed = 7,
					 .cpus = rig->cpus,
					 .ram_size = 64ull << 20,
					 .fail_alloc = rig->fail_alloc,
					 .fail_alloc_onwards = rig->fail_onwards,
					 .log = log_line,
					 .log_opaque = rig };

	options.machine.smmu = true;
	options.machine.smmu_config = rig->smmu;
	assert_int_equal(posix_create(&options, &rig->machine), 0);
	rig->model = weir_model_machine_smmu(posix_models(rig->machine));
	if (rig->prepare)
		rig->prepare(rig);
	posix_attach(rig->machine, 0);
	return init(rig);
}

void rig_down(struct domainrig *rig)
{
	uint64_t pages;

	for (unsigned int n = 0; n < rig->nr_devices; n++)
		assert_int_equal(weir_device_remove(&rig->dev[n]), 0);
	rig->nr_devices = 0;
	if (rig->weir)
		assert_int_equal(weir_fini(rig->weir), 0);
	posix_set_weir(rig->machine, NULL);
	if (rig->finish)
		rig->finish(rig);
	pages = posix_pages_in_use(rig->machine);
	posix_detach();
	posix_destroy(rig->machine);
	assert_int_equal(pages, 0);
}

weir_phys_t rig_page(struct domainrig *rig)
{
	weir_phys_t phys;

	assert_int_equal(plat_pages_alloc(rig->machine, 0, WEIR_ZONE_NORMAL, 0, &phys), 0);
	memset(rig_virt(rig, phys), 0, WEIR_PAGE_SIZE);
	return phys;
}

void rig_page_free(struct domainrig *rig, weir_phys_t phys)
{
	plat_pages_free(rig->machine, phys, 0);
}

uint64_t *rig_virt(struct domainrig *rig, weir_phys_t phys)
{
	return plat_phys_to_virt(rig->machine, phys);
}

static bool translate(struct domainrig *rig, const struct weir_model_txn *txn, uint64_t *out)
{
	struct weir_model_translation answer = { 0 };

	if (weir_model_smmuv3_translate(rig->model, txn, &answer) != WEIR_MODEL_OK)
		return false;
	weir_model_smmuv3_complete(rig->model, &answer);
	*out = answer.addr;
	return true;
}

bool rig_access_pasid(struct domainrig *rig, unsigned int n, uint32_t pasid, uint64_t iova,
		      bool write, uint64_t *out)
{
	const struct weir_model_txn txn = {
		.addr = iova,
		.stream = RIG_SID(n),
		.substream = pasid,
		.len = 8,
		.flags = (uint16_t)(WEIR_MODEL_TXN_SUBSTREAM | (write ? WEIR_MODEL_TXN_WRITE : 0)),
		.attributes = WEIR_MODEL_ATTR_PCIE,
	};

	return translate(rig, &txn, out);
}

bool rig_access(struct domainrig *rig, unsigned int n, uint32_t pasid, uint64_t iova, bool write,
		uint64_t *out)
{
	const struct weir_model_txn txn = { .addr = iova,
					    .stream = RIG_SID(n),
					    .len = 8,
					    .flags = (uint16_t)(write ? WEIR_MODEL_TXN_WRITE : 0),
					    .attributes = WEIR_MODEL_ATTR_PCIE };

	if (pasid != RIG_NO_PASID)
		return rig_access_pasid(rig, n, pasid, iova, write, out);
	return translate(rig, &txn, out);
}
