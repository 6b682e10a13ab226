/* SPDX-License-Identifier: MIT */

/* A kernel that has just been ported: it brings weir up, and maps its first buffer for a device. */

#include <stdio.h>

#include <weir/dma.h>
#include <weir/sys.h>

#include "port.h"

void console_line(const char *line)
{
	puts(line);
}

static int first_buffer(struct weir *weir, struct weir_device *device)
{
	char *buffer = weir_alloc(weir, 512, 0);
	weir_phys_t phys;
	weir_dma_t addr;

	if (!buffer)
		return -WEIR_ENOMEM;
	phys = plat_virt_to_phys(NULL, buffer);
	addr = weir_dma_map_single(device, buffer, 512, WEIR_DMA_TO_DEVICE, 0, WEIR_HERE);
	if (weir_dma_is_error(addr)) {
		weir_free(weir, buffer);
		return -WEIR_ENOMEM;
	}
	printf("the device sees the buffer at 0x%llx\n", (unsigned long long)addr);
	/* ... give addr to the device, wait until it has read the buffer ... */
	weir_dma_unmap(device, addr, 512, WEIR_DMA_TO_DEVICE, 0, WEIR_HERE);
	weir_free(weir, buffer);
	return addr == phys ? 0 : -WEIR_EFAULT; /* no IOMMU: the device sees physical memory */
}

static int with_device(struct weir *weir)
{
	static struct weir_device device; /* inside what the kernel has for each device */
	struct weir_device_desc desc = { .name = "first", .coherent = true };
	int ret = weir_device_add(weir, &device, &desc);

	if (ret)
		return ret;
	ret = weir_dma_set_mask(&device, 0xffffffff);
	if (!ret)
		ret = first_buffer(weir, &device);
	if (weir_device_remove(&device) && !ret)
		ret = -WEIR_EBUSY; /* a mapping was left */
	return ret;
}

int main(void)
{
	struct weir_options options = { .cpus = 1, .log_level = WEIR_LOG_INFO };
	struct weir *weir;
	int ret = weir_init(&options, &weir);

	if (ret)
		return 1;
	port_set_weir(weir);
	ret = with_device(weir);
	if (weir_fini(weir) || ret)
		return 1;
	return port_pages_in_use() ? 1 : 0;
}
