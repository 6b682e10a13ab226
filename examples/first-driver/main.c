/* SPDX-License-Identifier: MIT */

/* The first driver, in a process: a machine, the stack on it, the driver bound to its device. */

#include <stdio.h>

#include <posix.h>
#include <weir/hw/rogue.h>
#include <weir/pci-host.h>

#include "driver.h"

static const struct weir_iommu_driver *const iommu_drivers[] = { &weir_smmuv3_driver, NULL };

static int with_driver(struct weir *weir)
{
	struct weir_pci_dev *pdev;
	int ret = weir_pci_scan(weir);

	if (ret)
		return ret;
	ret = weir_pci_register_driver(weir, &weir_first_driver);
	if (ret)
		return ret;
	pdev = weir_pci_find(weir, WEIR_ROGUE_VENDOR, WEIR_ROGUE_DEVICE, NULL);
	if (!pdev || first_driver_saw(weir_to_pci_dev(pdev)) != WEIR_ROGUE_PATTERN)
		ret = -WEIR_EIO;
	weir_pci_unregister_driver(weir, &weir_first_driver);
	return ret;
}

static int on_cpu(void *arg)
{
	struct posix_machine *machine = arg;
	struct weir_options options = { .plat = machine, .cpus = 1, .iommu_drivers = iommu_drivers,
					.log_level = WEIR_LOG_INFO };
	struct weir *weir;
	int ret;

	options.fdt = weir_model_machine_fdt(posix_models(machine), &options.fdt_size);
	ret = weir_init(&options, &weir);
	if (ret)
		return ret;
	posix_set_weir(machine, weir);
	ret = with_driver(weir);
	if (weir_pci_remove_all(weir) && !ret)
		ret = -WEIR_EBUSY; /* mappings were left */
	return weir_fini(weir) ? -WEIR_EBUSY : ret;
}

int main(void)
{
	struct posix_options options = {
		.cpus = 1,
		.machine = { .smmu = true, .has_rogue = true },
	};
	struct posix_machine *machine;
	int ret = posix_create(&options, &machine);

	if (ret)
		return 1;
	ret = posix_call(machine, 0, on_cpu, machine);
	posix_destroy(machine);
	puts(ret ? "failed" : "the device wrote where it may");
	return ret ? 1 : 0;
}
