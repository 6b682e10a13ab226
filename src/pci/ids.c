/* SPDX-License-Identifier: MIT */
/*
 * By what IDs a function is known: at its IOMMU, and where its messages go. In a device tree these
 * are in `iommu-map` and `msi-map` of the host bridge; else in the IORT. TASK.
 */

#include "pci/pci.h"

/* Whose is it? NULL with a line in the log, or in mode off without. */
static int known(struct weir_pci_function *fn, struct weir_device_id *id, const char *where,
		 uint32_t number)
{
	if (id->iommu)
		return 1;
	if (fn->pdev.bus->host->weir->mode == WEIR_MODE_OFF)
		return 0;
	weir_dev_log(&fn->pdev.dev, WEIR_LOG_ERR,
		     "is behind an IOMMU that nobody drives (%s 0x%x): its DMA would be "
		     "unprotected",
		     where, number);
	return -WEIR_ENODEV;
}

static int fdt_stream(struct weir_pci_tables *tables, struct weir_pci_function *fn,
		      uint16_t requester, struct weir_device_id *id)
{
	uint32_t phandle;
	int ret = weir_fdt_map_id(&tables->fdt, &tables->node, "iommu-map", requester, &phandle,
				  &id->id);

	if (ret)
		return ret == -WEIR_ENOENT ? 0 : ret;
	id->iommu = weir_iommu_by_phandle(fn->pdev.bus->host->weir, phandle);
	return known(fn, id, "iommu-map, phandle", phandle);
}

/* What the IORT has wrong of one function need not keep the others from working. */
static int iort_error(struct weir_pci_tables *tables, struct weir_pci_function *fn, int ret)
{
	if (ret == -WEIR_ENOENT)
		return 0;
	(void)weir_iort_log(fn->pdev.bus->host->weir, &tables->iort);
	return -WEIR_ENODEV;
}

static int iort_stream(struct weir_pci_tables *tables, struct weir_pci_function *fn,
		       uint16_t requester, struct weir_device_id *id)
{
	const struct weir_pci_host *host = fn->pdev.bus->host;
	int ret =
		weir_iort_pci_stream(&tables->iort, host->segment, requester, &tables->at, &id->id);

	/* Where nothing is to be protected, what the table has wrong protects nothing less. */
	if (ret && host->weir->mode == WEIR_MODE_OFF)
		return 0;
	if (ret)
		return iort_error(tables, fn, ret);
	id->iommu = weir_iommu_by_iort_node(host->weir, tables->at.offset);
	return known(fn, id, "IORT, byte", tables->at.offset);
}

int weir_pci_stream(struct weir_pci_tables *tables, struct weir_pci_function *fn,
		    uint16_t requester, struct weir_device_id *id)
{
	if (tables->has_fdt)
		return fdt_stream(tables, fn, requester, id);
	return tables->has_iort ? iort_stream(tables, fn, requester, id) : 0;
}

static int iort_message_id(struct weir_pci_tables *tables, struct weir_pci_function *fn)
{
	struct weir_pci_dev *pdev = &fn->pdev;
	uint32_t its, device;
	int ret = weir_iort_pci_msi(&tables->iort, pdev->bus->host->segment, (uint16_t)pdev->msi_id,
				    &tables->at, &device);

	if (!ret)
		ret = weir_iort_its(&tables->iort, &tables->at, 0, &its);
	if (ret)
		return iort_error(tables, fn, ret);
	/* Platforms count ITSs from 1 (platform.h). */
	pdev->msi_controller = its + 1;
	pdev->msi_id = device;
	return 0;
}

int weir_pci_message_id(struct weir_pci_tables *tables, struct weir_pci_function *fn)
{
	struct weir_pci_dev *pdev = &fn->pdev;
	uint32_t requester = pdev->msi_id;
	int ret;

	if (!tables->has_fdt)
		return tables->has_iort ? iort_message_id(tables, fn) : 0;
	ret = weir_fdt_map_id(&tables->fdt, &tables->node, "msi-map", requester,
			      &pdev->msi_controller, &pdev->msi_id);
	return ret == -WEIR_ENOENT ? 0 : ret;
}
