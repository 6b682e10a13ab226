/* SPDX-License-Identifier: MIT */

/* weir's headers first, then the kernel's: nothing that weir declares is in the kernel's way. */

#include <weir/dma.h>
#include <weir/domain.h>
#include <weir/hw/nvme.h>
#include <weir/hw/pci.h>
#include <weir/hw/smmuv3.h>
#include <weir/pci-host.h>
#include <weir/platform.h>
#include <weir/sys.h>
#include <weir/weir.h>

#include "kernel.h"

#include "host.h"

void embed_sizes_late(struct embed_sizes *sizes)
{
	*sizes = (struct embed_sizes){
		.device = sizeof(struct weir_device),
		.options = sizeof(struct weir_options),
		.sg = sizeof(struct weir_sg),
		.domain_flags = WEIR_IOMMU_READ | WEIR_IOMMU_WRITE,
	};
}
