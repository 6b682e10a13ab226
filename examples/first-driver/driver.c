/* SPDX-License-Identifier: MIT */

/*
 * A driver to begin with: it lets its device write 8 bytes into a buffer, once, when it is bound.
 * The device is the rogue of the models, which does what it is told: this time something it may.
 */

#include <weir/delay.h>
#include <weir/dma-mapping.h>
#include <weir/hw/rogue.h>
#include <weir/slab.h>

#include "driver.h"

static int let_it_write(struct pci_dev *pdev, volatile char __iomem *regs, u64 *buf)
{
	dma_addr_t addr = dma_map_single(&pdev->dev, buf, PAGE_SIZE, DMA_FROM_DEVICE);

	if (dma_mapping_error(&pdev->dev, addr))
		return -ENOMEM;
	writeq(addr | WEIR_ROGUE_WRITE, regs + WEIR_ROGUE_LIST);
	writel(1, regs + WEIR_ROGUE_COUNT);
	writel(1, regs + WEIR_ROGUE_DOORBELL);
	while (readl(regs + WEIR_ROGUE_STATUS) & WEIR_ROGUE_BUSY)
		usleep_range(10, 20);
	dma_unmap_single(&pdev->dev, addr, PAGE_SIZE, DMA_FROM_DEVICE);
	return 0;
}

u64 first_driver_saw(struct pci_dev *pdev)
{
	u64 *buf = pci_get_drvdata(pdev);

	return buf ? buf[0] : 0;
}

static int first_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	volatile char __iomem *regs;
	u64 *buf;
	int err;

	(void)id;
	err = pci_enable_device(pdev);
	if (err)
		return err;
	err = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (err)
		goto err_disable;
	err = -ENOMEM;
	regs = pci_iomap(pdev, 0, 0);
	if (!regs)
		goto err_disable;
	buf = kzalloc(PAGE_SIZE, GFP_KERNEL);
	if (!buf)
		goto err_unmap;
	pci_set_master(pdev);
	err = let_it_write(pdev, regs, buf);
	if (err)
		goto err_free;
	weir_pci_iounmap(pdev, regs, WEIR_ROGUE_BAR_SIZE);
	pci_set_drvdata(pdev, buf);
	dev_info(&pdev->dev, "wrote 0x%llx", (unsigned long long)buf[0]);
	return 0;

err_free:
	kfree(buf);
err_unmap:
	weir_pci_iounmap(pdev, regs, WEIR_ROGUE_BAR_SIZE);
err_disable:
	pci_disable_device(pdev);
	return err;
}

static void first_remove(struct pci_dev *pdev)
{
	pci_disable_device(pdev);
	kfree(pci_get_drvdata(pdev));
	pci_set_drvdata(pdev, NULL);
}

static const struct pci_device_id first_ids[] = {
	{ PCI_DEVICE(WEIR_ROGUE_VENDOR, WEIR_ROGUE_DEVICE) },
	{ .weir = { .vendor = 0 } },
};

static const struct pci_driver first_driver = {
	.name = "first",
	.id_table = first_ids,
	.probe = first_probe,
	.remove = first_remove,
};
module_pci_driver(first_driver);
