/* SPDX-License-Identifier: MIT */

/*
 * QEMU's teaching device, docs/specs/edu in QEMU: registers in BAR 0, a DMA engine, and a buffer
 * that the engine alone reaches, at an address of its own.
 *
 * One transfer at a time; the caller sees to that. The registers are read back for nothing but the
 * end of a transfer, and nothing that the device says is used as a size or an address.
 */

#include <weir/delay.h>
#include <weir/slab.h>

#include "edu.h"

#define EDU_VENDOR 0x1234
#define EDU_DEVICE 0x11e8

#define EDU_REG_ID 0x00 /* 0xRRrr00ed */
#define EDU_REG_SOURCE 0x80
#define EDU_REG_DESTINATION 0x88
#define EDU_REG_COUNT 0x90
#define EDU_REG_COMMAND 0x98
#define EDU_REGS_SIZE 0xa0

#define EDU_ID_MASK 0xffffu
#define EDU_ID 0x00edu
#define EDU_VERSION_SHIFT 16

#define EDU_COMMAND_RUN 0x1u /* starts a transfer; set until it has ended */
#define EDU_COMMAND_TO_MEMORY 0x2u

#define EDU_BUFFER 0x40000u /* where its engine sees the buffer */

#define EDU_POLL_US 1000u
#define EDU_TIMEOUT_NS 5000000000ull

struct edu {
	struct pci_dev *pdev;
	volatile void __iomem *regs;
	u16 version;
};

static volatile void __iomem *reg(const struct edu *edu, unsigned int offset)
{
	return (volatile char __iomem *)edu->regs + offset;
}

struct edu *edu_of(struct pci_dev *pdev)
{
	return pdev->weir.driver == &weir_edu_driver ? pci_get_drvdata(pdev) : NULL;
}

u16 edu_version(const struct edu *edu)
{
	return edu->version;
}

static u64 now_ns(void)
{
	return plat_time_ns(weir_plat(plat_weir()));
}

static int wait_idle(struct edu *edu)
{
	u64 end = now_ns() + EDU_TIMEOUT_NS;

	while (readl(reg(edu, EDU_REG_COMMAND)) & EDU_COMMAND_RUN) {
		if (now_ns() >= end) {
			dev_err(&edu->pdev->dev, "a transfer did not end");
			return -ETIMEDOUT;
		}
		usleep_range(EDU_POLL_US, 2 * EDU_POLL_US);
	}
	return 0;
}

int edu_transfer(struct edu *edu, dma_addr_t addr, u32 offset, u32 size,
		 enum dma_data_direction dir)
{
	bool to_memory = dir == DMA_FROM_DEVICE;
	u64 inside = EDU_BUFFER + (u64)offset;
	int ret;

	if (!size || offset > EDU_BUFFER_SIZE || size > EDU_BUFFER_SIZE - offset ||
	    (!to_memory && dir != DMA_TO_DEVICE))
		return -EINVAL;
	/* It ignores what is written while it is at it: one that timed out may still be. */
	ret = wait_idle(edu);
	if (ret)
		return ret;
	writeq(to_memory ? inside : addr, reg(edu, EDU_REG_SOURCE));
	writeq(to_memory ? addr : inside, reg(edu, EDU_REG_DESTINATION));
	writeq(size, reg(edu, EDU_REG_COUNT));
	writeq(EDU_COMMAND_RUN | (to_memory ? EDU_COMMAND_TO_MEMORY : 0),
	       reg(edu, EDU_REG_COMMAND));
	return wait_idle(edu);
}

static int identify(struct edu *edu)
{
	u32 id = readl(reg(edu, EDU_REG_ID));

	if ((id & EDU_ID_MASK) != EDU_ID) {
		dev_err(&edu->pdev->dev, "identification 0x%08x: not an edu device", id);
		return -ENODEV;
	}
	edu->version = (u16)(id >> EDU_VERSION_SHIFT);
	return 0;
}

static int edu_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct edu *edu = kzalloc(sizeof(*edu), GFP_KERNEL);
	int ret;

	(void)id;
	if (!edu)
		return -ENOMEM;
	edu->pdev = pdev;
	ret = pci_enable_device(pdev);
	if (ret)
		goto err_free;
	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (ret)
		goto err_disable;
	ret = -ENODEV;
	if (pci_resource_len(pdev, 0) < EDU_REGS_SIZE)
		goto err_disable;
	ret = -ENOMEM;
	edu->regs = pci_iomap(pdev, 0, EDU_REGS_SIZE);
	if (!edu->regs)
		goto err_disable;
	ret = identify(edu);
	if (ret)
		goto err_unmap;
	pci_set_master(pdev);
	pci_set_drvdata(pdev, edu);
	dev_info(&pdev->dev, "edu %u.%u", edu->version >> 8, edu->version & 0xffu);
	return 0;

err_unmap:
	weir_pci_iounmap(pdev, edu->regs, EDU_REGS_SIZE);
err_disable:
	pci_disable_device(pdev);
err_free:
	kfree(edu);
	return ret;
}

static void edu_remove(struct pci_dev *pdev)
{
	struct edu *edu = pci_get_drvdata(pdev);

	/* A transfer that is still under way reaches nothing without bus mastering. */
	pci_clear_master(pdev);
	weir_pci_iounmap(pdev, edu->regs, EDU_REGS_SIZE);
	pci_disable_device(pdev);
	pci_set_drvdata(pdev, NULL);
	kfree(edu);
}

static const struct pci_device_id edu_ids[] = {
	{ PCI_DEVICE(EDU_VENDOR, EDU_DEVICE) },
	{ .weir = { .vendor = 0 } },
};

static const struct pci_driver edu_driver = {
	.name = "edu",
	.id_table = edu_ids,
	.probe = edu_probe,
	.remove = edu_remove,
};
module_pci_driver(edu_driver);
