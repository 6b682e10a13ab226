/* SPDX-License-Identifier: MIT */

/* IOMMUs that the device tree describes, by the binding arm,smmu-v3 and those of interrupts. */

#include <weir/fdt.h>

#include "iommu/iommu.h"

/* In the heap: together they are much of what a stack has. */
struct scan {
	struct weir_fdt fdt;
	struct weir_fdt_node node, msi;
	struct weir_fdt_irq irq;
	struct weir_iommu_desc desc;
};

/* The driver that lists one of the node's compatible strings; the node's order does not matter. */
static const struct weir_iommu_driver *find_driver(struct weir *weir, const struct weir_fdt *fdt,
						   const struct weir_fdt_node *node)
{
	const struct weir_iommu_driver *const *driver = weir->options.iommu_drivers;
	const char *const *name;
	struct weir_fdt_prop prop;

	if (!weir_fdt_prop(fdt, node, "compatible", &prop))
		return NULL;
	for (; *driver; driver++) {
		for (name = (*driver)->compatible; *name; name++) {
			if (weir_fdt_string_index(&prop, *name) >= 0)
				return *driver;
		}
	}
	return NULL;
}

/* A wired interrupt that may be missing: then -1. */
static int find_irq(struct weir *weir, struct scan *scan, const char *name, int *irq)
{
	unsigned int number;
	int ret = weir_fdt_irq_by_name(&scan->fdt, &scan->node, name, &scan->irq);

	*irq = -1;
	if (ret == -WEIR_ENOENT)
		return 0;
	if (ret)
		return weir_fdt_log(weir, &scan->fdt);
	ret = plat_irq_wired(weir->plat, weir_fdt_phandle(&scan->fdt, &scan->irq.controller),
			     scan->irq.cells, scan->irq.count, &number);
	if (ret) {
		(void)weir_fdt_fail(&scan->fdt, &scan->node, "interrupts",
				    "the platform does not know this interrupt");
		return weir_fdt_log(weir, &scan->fdt);
	}
	*irq = (int)number;
	return 0;
}

/* Not inlined: a driver's probe() runs on the same stack, and needs what this one leaves. */
static __attribute__((noinline)) int find_irqs(struct weir *weir, struct scan *scan)
{
	/* The names of the binding arm,smmu-v3. */
	const struct {
		const char *name;
		int *irq;
	} wanted[] = {
		{ "eventq", &scan->desc.irq_eventq },	  { "gerror", &scan->desc.irq_gerror },
		{ "cmdq-sync", &scan->desc.irq_sync },	  { "priq", &scan->desc.irq_priq },
		{ "combined", &scan->desc.irq_combined },
	};
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && i < WEIR_ARRAY_SIZE(wanted); i++)
		ret = find_irq(weir, scan, wanted[i].name, wanted[i].irq);
	return ret;
}

/*
 * Its own messages: msi-parent, by the binding of MSI controllers one phandle and as many cells as
 * that node's #msi-cells, of which the first is the ID; none without that property. What is wrong
 * there costs the messages, not the IOMMU: there may be wires.
 */
static void find_msi(struct weir *weir, struct scan *scan)
{
	struct weir_fdt *fdt = &scan->fdt;
	struct weir_fdt_prop parent;
	const char *wrong = NULL;
	uint32_t cells = 0;

	if (!weir_fdt_prop(fdt, &scan->node, "msi-parent", &parent))
		return;
	if (!weir_fdt_by_phandle(fdt, weir_fdt_cell(&parent, 0), &scan->msi))
		wrong = "names no node";
	else if (weir_fdt_u32(fdt, &scan->msi, "#msi-cells", &cells) == -WEIR_EINVAL)
		wrong = "the #msi-cells there are not one cell";
	else if (parent.size % 4 || parent.size / 4 <= cells)
		wrong = "is cut off";
	if (wrong) {
		(void)weir_fdt_fail(fdt, &scan->node, "msi-parent", wrong);
		(void)weir_fdt_log(weir, fdt);
		return;
	}
	scan->desc.has_msi = true;
	scan->desc.msi_controller = weir_fdt_cell(&parent, 0);
	scan->desc.msi_device_id = cells ? weir_fdt_cell(&parent, 1) : 0;
}

/* What the node says, into scan->desc. */
static int read_node(struct weir *weir, struct scan *scan)
{
	uint64_t base;
	int ret;

	memset(&scan->desc, 0, sizeof(scan->desc));
	ret = weir_fdt_reg(&scan->fdt, &scan->node, 0, &base, &scan->desc.size);
	if (ret == -WEIR_ENOENT)
		(void)weir_fdt_fail(&scan->fdt, &scan->node, "reg",
				    "missing: where are its registers?");
	if (ret)
		return weir_fdt_log(weir, &scan->fdt);
	scan->desc.base = base;
	scan->desc.name = weir_fdt_name(&scan->fdt, &scan->node);
	scan->desc.coherent = weir_fdt_is_coherent(&scan->fdt, &scan->node);
	scan->desc.phandle = weir_fdt_phandle(&scan->fdt, &scan->node);
	find_msi(weir, scan);
	return find_irqs(weir, scan);
}

static int probe_nodes(struct weir *weir, struct scan *scan)
{
	const struct weir_iommu_driver *driver;
	struct weir_iommu *iommu;
	int ret = 0;

	weir_fdt_root(&scan->fdt, &scan->node);
	while (!ret && weir_fdt_next(&scan->fdt, &scan->node)) {
		driver = find_driver(weir, &scan->fdt, &scan->node);
		if (!driver || !weir_fdt_is_enabled(&scan->fdt, &scan->node))
			continue;
		ret = read_node(weir, scan);
		if (!ret)
			ret = weir_iommu_probe(weir, &scan->desc, driver, &iommu);
		if (!ret)
			ret = weir_regions_fdt(iommu, &scan->fdt);
		if (!ret)
			ret = weir_iommu_start(iommu);
	}
	return ret;
}

int weir_iommu_probe_fdt(struct weir *weir)
{
	struct scan *scan = weir_alloc(weir, sizeof(*scan), 0);
	int ret;

	if (!scan)
		return -WEIR_ENOMEM;
	ret = weir_fdt_open(weir->options.fdt, weir->options.fdt_size, &scan->fdt);
	if (ret)
		(void)weir_fdt_log(weir, &scan->fdt);
	else if (weir->options.iommu_drivers)
		ret = probe_nodes(weir, scan);
	weir_free(weir, scan);
	return ret;
}
