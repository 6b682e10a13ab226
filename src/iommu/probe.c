/* SPDX-License-Identifier: MIT */

/*
 * IOMMUs: found in firmware's tables (probe-fdt.c, probe-iort.c), handed to the driver that knows
 * them. Part of weir_init() and weir_fini(), when nobody else knows the machine.
 */

#include "iommu/iommu.h"

/* The machine's come in the order of the table. */
static void append(struct weir *weir, struct weir_iommu *iommu)
{
	struct weir_iommu **link = &weir->iommus;

	while (*link)
		link = &(*link)->next;
	iommu->next = NULL;
	*link = iommu;
}

int weir_iommu_probe(struct weir *weir, const struct weir_iommu_desc *desc,
		     const struct weir_iommu_driver *driver, struct weir_iommu **found)
{
	struct weir_iommu *iommu;
	int ret = driver->probe(weir, desc, &iommu);

	if (ret) {
		weir_log(weir, WEIR_LOG_ERR, "%s: %s cannot drive it (%d)", desc->name,
			 driver->name, ret);
		return ret;
	}
	iommu->weir = weir;
	iommu->driver = driver;
	iommu->phandle = desc->phandle;
	iommu->iort_node = desc->iort_node;
	weir_snprintf(iommu->name, sizeof(iommu->name), "%s", desc->name);
	append(weir, iommu);
	*found = iommu;
	return 0;
}

int weir_iommu_start(struct weir_iommu *iommu)
{
	int ret;

	if (iommu->weir->mode == WEIR_MODE_OFF)
		return 0;
	ret = weir_direct_park(iommu);
	if (!ret && iommu->ops->start)
		ret = iommu->ops->start(iommu);
	return ret;
}

int weir_iommu_probe_all(struct weir *weir)
{
	int ret = 0;

	if (weir->options.fdt)
		ret = weir_iommu_probe_fdt(weir);
	else if (weir->options.iort)
		ret = weir_iommu_probe_iort(weir);
	if (ret)
		weir_iommu_remove_all(weir);
	return ret;
}

void weir_iommu_remove_all(struct weir *weir)
{
	struct weir_iommu *iommu;

	while ((iommu = weir->iommus)) {
		weir->iommus = iommu->next;
		weir_direct_unpark(iommu);
		iommu->driver->remove(iommu);
	}
}
