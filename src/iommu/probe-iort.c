/* SPDX-License-Identifier: MIT */

/*
 * IOMMUs that ACPI's IO Remapping Table describes (Arm DEN 0049), and the streams of what the table
 * calls named components. src/pci asks it for those of PCI functions.
 */

#include <weir/iort.h>

#include "iommu/iommu.h"

/* Registers: page 0 and page 1 of 64 KiB (IHI 0070, 6.1), which Cavium's CN99xx has in one. */
#define SMMUV3_SIZE 0x20000u
#define CN99XX_SIZE 0x10000u
#define MODEL_CN99XX 2

/* In the heap, as in probe-fdt.c. */
struct scan {
	struct weir_iort iort;
	struct weir_iort_node node, its;
	struct weir_iort_smmuv3 smmu;
	struct weir_iommu_desc desc;
	char name[32];
};

static const struct weir_iommu_driver *find_driver(struct weir *weir, uint32_t type)
{
	const struct weir_iommu_driver *const *driver = weir->options.iommu_drivers;

	/* 0 is a group of ITSs, and what drivers say that have no nodes there. */
	while (type && *driver && (*driver)->iort_type != type)
		driver++;
	return type ? *driver : NULL;
}

/* A wired interrupt by its GSIV; 0 is none. */
static int find_irq(struct weir *weir, struct scan *scan, uint32_t gsiv, const char *what, int *irq)
{
	unsigned int number;
	int ret;

	*irq = -1;
	if (!gsiv)
		return 0;
	ret = plat_irq_wired(weir->plat, 0, &gsiv, 1, &number);
	if (ret) {
		weir_log(weir, WEIR_LOG_ERR,
			 "%s: the platform does not know interrupt %u (%s, a GSIV) (%d)",
			 scan->name, gsiv, what, ret);
		return -WEIR_EINVAL;
	}
	*irq = (int)number;
	return 0;
}

/* Not inlined: a driver's probe() runs on the same stack, and needs what this one leaves. */
static __attribute__((noinline)) int find_irqs(struct weir *weir, struct scan *scan)
{
	const struct weir_iort_smmuv3 *smmu = &scan->smmu;
	/* All of them on one wire. */
	bool combined = smmu->event && smmu->event == smmu->gerror;
	const struct {
		uint32_t gsiv;
		const char *what;
		int *irq;
	} wanted[] = {
		{ combined ? 0 : smmu->event, "events", &scan->desc.irq_eventq },
		{ combined ? 0 : smmu->gerror, "global errors", &scan->desc.irq_gerror },
		{ combined ? 0 : smmu->sync, "CMD_SYNC", &scan->desc.irq_sync },
		{ combined ? 0 : smmu->pri, "page requests", &scan->desc.irq_priq },
		{ combined ? smmu->event : 0, "combined", &scan->desc.irq_combined },
	};
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && i < WEIR_ARRAY_SIZE(wanted); i++)
		ret = find_irq(weir, scan, wanted[i].gsiv, wanted[i].what, wanted[i].irq);
	return ret;
}

/*
 * Its own messages. What is wrong there costs the messages, not the IOMMU: there may be wires. The
 * platform counts ITSs from 1 (platform.h), the table and the MADT from 0.
 */
static void find_msi(struct weir *weir, struct scan *scan)
{
	uint32_t its;
	int ret = weir_iort_smmuv3_msi(&scan->iort, &scan->node, &scan->its,
				       &scan->desc.msi_device_id);

	if (!ret)
		ret = weir_iort_its(&scan->iort, &scan->its, 0, &its);
	if (!ret) {
		scan->desc.has_msi = true;
		scan->desc.msi_controller = its + 1;
	} else if (ret != -WEIR_ENOENT) {
		(void)weir_iort_log(weir, &scan->iort);
	}
}

/* What the node says, into scan->desc. */
static int read_node(struct weir *weir, struct scan *scan)
{
	struct weir_iommu_desc *desc = &scan->desc;

	if (weir_iort_smmuv3(&scan->iort, &scan->node, &scan->smmu))
		return weir_iort_log(weir, &scan->iort);
	memset(desc, 0, sizeof(*desc));
	weir_snprintf(scan->name, sizeof(scan->name), "SMMUv3 at 0x%llx",
		      (unsigned long long)scan->smmu.base);
	desc->name = scan->name;
	desc->base = scan->smmu.base;
	desc->size = scan->smmu.model == MODEL_CN99XX ? CN99XX_SIZE : SMMUV3_SIZE;
	desc->coherent = scan->smmu.coherent;
	desc->overrides_coherent = true;
	desc->iort_node = scan->node.offset;
	find_msi(weir, scan);
	return find_irqs(weir, scan);
}

static int probe_nodes(struct weir *weir, struct scan *scan)
{
	const struct weir_iommu_driver *driver;
	struct weir_iommu *iommu;
	int ret = 0;

	while (!ret && weir_iort_next(&scan->iort, &scan->node)) {
		driver = find_driver(weir, scan->node.type);
		if (!driver)
			continue;
		ret = read_node(weir, scan);
		if (!ret)
			ret = weir_iommu_probe(weir, &scan->desc, driver, &iommu);
		if (!ret)
			ret = weir_regions_iort(iommu, &scan->iort);
		if (!ret)
			ret = weir_iommu_start(iommu);
	}
	return ret;
}

int weir_iommu_probe_iort(struct weir *weir)
{
	struct scan *scan = weir_alloc(weir, sizeof(*scan), 0);
	int ret;

	if (!scan)
		return -WEIR_ENOMEM;
	ret = weir_iort_open(weir->options.iort, weir->options.iort_size, &scan->iort);
	if (ret)
		(void)weir_iort_log(weir, &scan->iort);
	else if (weir->options.iommu_drivers)
		ret = probe_nodes(weir, scan);
	weir_free(weir, scan);
	return ret;
}

/* ---- Named components -------------------------------------------------------------------- */

/* The index-th stream of the component, and its IOMMU. */
static int read_stream(struct weir *weir, struct weir_iort *iort, const struct weir_iort_node *node,
		       uint32_t index, struct weir_device_id *id)
{
	struct weir_iort_node smmu;
	int ret = weir_iort_own_id(iort, node, index, WEIR_IORT_SMMUV3, &smmu, &id->id);

	if (ret == -WEIR_EINVAL || ret == -WEIR_EOPNOTSUPP)
		(void)weir_iort_log(weir, iort);
	if (ret)
		return ret == -WEIR_EOPNOTSUPP ? -WEIR_ENODEV : ret;
	id->iommu = weir_iommu_by_iort_node(weir, smmu.offset);
	if (id->iommu)
		return 0;
	weir_log(weir, WEIR_LOG_ERR,
		 "IORT: a device is behind the SMMUv3 at byte %u, which nobody drives: its DMA "
		 "would be unprotected",
		 smmu.offset);
	return -WEIR_ENODEV;
}

static int read_streams(struct weir *weir, struct weir_iort *iort, const char *path,
			struct weir_device_id *ids, unsigned int max)
{
	struct weir_iort_node node;
	struct weir_device_id id;
	unsigned int count = 0;
	int ret = weir_iort_by_name(iort, path, &node);

	if (ret == -WEIR_EINVAL)
		(void)weir_iort_log(weir, iort);
	if (ret || weir->mode == WEIR_MODE_OFF)
		return ret;
	while (!(ret = read_stream(weir, iort, &node, count, &id))) {
		if (count == max)
			return -WEIR_E2BIG;
		ids[count++] = id;
	}
	return ret == -WEIR_ENOENT ? (int)count : ret;
}

int weir_iort_device_ids(struct weir *weir, const char *path, struct weir_device_id *ids,
			 unsigned int max)
{
	struct weir_iort *iort;
	int ret;

	if (!weir->options.iort)
		return -WEIR_ENOENT;
	iort = weir_alloc(weir, sizeof(*iort), 0);
	if (!iort)
		return -WEIR_ENOMEM;
	ret = weir_iort_open(weir->options.iort, weir->options.iort_size, iort);
	if (ret)
		(void)weir_iort_log(weir, iort);
	else
		ret = read_streams(weir, iort, path, ids, max);
	weir_free(weir, iort);
	return ret;
}
