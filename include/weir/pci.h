/* SPDX-License-Identifier: MIT */
#ifndef WEIR_PCI_H
#define WEIR_PCI_H

/* PCI functions and their drivers, with Linux's names. Context: TASK, but for the accessors. */

#include <weir/device.h>
#include <weir/interrupt.h>
#include <weir/io.h>
#include <weir/pci-host.h>

/* The same object under both names: weir's for the stack, Linux's members for drivers. */
struct pci_dev {
	union {
		struct weir_pci_dev weir;
		struct {
			struct device dev;
			unsigned short vendor, device, subsystem_vendor, subsystem_device;
#ifdef __cplusplus
			unsigned int class_;
#else
			unsigned int class;
#endif
			u8 revision, devfn;
		};
	};
};

#define PCI_ANY_ID WEIR_PCI_ANY
struct pci_device_id {
	struct weir_pci_id weir;
};
#define PCI_DEVICE(v, d)                                                                           \
	.weir = { .vendor = (v), .device = (d), .subvendor = PCI_ANY_ID, .subdevice = PCI_ANY_ID }
#define PCI_DEVICE_CLASS(c, m)                                                                     \
	.weir = { .vendor = PCI_ANY_ID,                                                            \
		  .device = PCI_ANY_ID,                                                            \
		  .subvendor = PCI_ANY_ID,                                                         \
		  .subdevice = PCI_ANY_ID,                                                         \
		  .class_code = (c),                                                               \
		  .class_mask = (m) }

static inline struct pci_dev *to_pci_dev(struct device *device)
{
	return container_of(device, struct pci_dev, dev);
}
static inline struct pci_dev *weir_to_pci_dev(struct weir_pci_dev *pdev)
{
	return container_of(pdev, struct pci_dev, weir);
}
static inline void *pci_get_drvdata(struct pci_dev *pdev)
{
	return dev_get_drvdata(&pdev->dev);
}
static inline void pci_set_drvdata(struct pci_dev *pdev, void *data)
{
	dev_set_drvdata(&pdev->dev, data);
}
static inline const char *pci_name(const struct pci_dev *pdev)
{
	return dev_name(&pdev->dev);
}
static inline u16 pci_dev_id(struct pci_dev *pdev)
{
	return weir_pci_requester(&pdev->weir);
}

static inline int pci_enable_device_mem(struct pci_dev *pdev)
{
	return weir_pci_enable(&pdev->weir);
}
#define pci_enable_device(pdev) pci_enable_device_mem(pdev)
static inline void pci_disable_device(struct pci_dev *pdev)
{
	weir_pci_disable(&pdev->weir);
}
static inline void pci_set_master(struct pci_dev *pdev)
{
	weir_pci_set_master(&pdev->weir, true);
}
static inline void pci_clear_master(struct pci_dev *pdev)
{
	weir_pci_set_master(&pdev->weir, false);
}

static inline phys_addr_t pci_resource_start(struct pci_dev *pdev, int bar)
{
	return pdev->weir.bars[bar].start;
}
static inline u64 pci_resource_len(struct pci_dev *pdev, int bar)
{
	return pdev->weir.bars[bar].size;
}
static inline volatile void __iomem *pci_iomap(struct pci_dev *pdev, int bar, unsigned long max)
{
	return weir_pci_map_bar(&pdev->weir, (unsigned int)bar, max);
}
/** `size`: what pci_iomap() mapped (Linux's needs none). */
static inline void weir_pci_iounmap(struct pci_dev *pdev, volatile void __iomem *addr, size_t size)
{
	weir_pci_unmap_bar(&pdev->weir, addr, size);
}

static inline int pci_read_config_byte(struct pci_dev *pdev, int where, u8 *value)
{
	u32 v = 0;
	int ret = weir_pci_config_read(&pdev->weir, (unsigned int)where, 1, &v);

	*value = (u8)v;
	return ret;
}
static inline int pci_read_config_word(struct pci_dev *pdev, int where, u16 *value)
{
	u32 v = 0;
	int ret = weir_pci_config_read(&pdev->weir, (unsigned int)where, 2, &v);

	*value = (u16)v;
	return ret;
}
static inline int pci_read_config_dword(struct pci_dev *pdev, int where, u32 *value)
{
	return weir_pci_config_read(&pdev->weir, (unsigned int)where, 4, value);
}
static inline int pci_write_config_word(struct pci_dev *pdev, int where, u16 value)
{
	return weir_pci_config_write(&pdev->weir, (unsigned int)where, 2, value);
}
static inline int pci_write_config_dword(struct pci_dev *pdev, int where, u32 value)
{
	return weir_pci_config_write(&pdev->weir, (unsigned int)where, 4, value);
}

#define PCI_IRQ_MSIX (1u << 2)
#define PCI_IRQ_AFFINITY (1u << 3)
/** How many; -ENOSPC: fewer than min; other errors. Only MSI-X today. */
static inline int pci_alloc_irq_vectors(struct pci_dev *pdev, unsigned int min, unsigned int max,
					unsigned int flags)
{
	if (!(flags & PCI_IRQ_MSIX))
		return -WEIR_EINVAL;
	return weir_pci_alloc_vectors(&pdev->weir, min, max);
}
static inline void pci_free_irq_vectors(struct pci_dev *pdev)
{
	weir_pci_free_vectors(&pdev->weir);
}
static inline int pci_irq_vector(struct pci_dev *pdev, unsigned int index)
{
	return weir_pci_vector_irq(&pdev->weir, index);
}

/* ---- Drivers ---------------------------------------------------------------------------- */

struct pci_driver {
	const char *name;
	const struct pci_device_id *id_table;
	int (*probe)(struct pci_dev *pdev, const struct pci_device_id *id);
	void (*remove)(struct pci_dev *pdev);
};

/*
 * A driver ends with module_pci_driver(its_driver): that defines `weir_its_driver`, which whoever
 * puts a system together gives to weir_pci_register_driver(). (Linux has a module's constructor in
 * that place; weir has none.)
 */
#define module_pci_driver(drv)                                                                     \
	static const struct weir_pci_id *drv##_weir_ids(void)                                      \
	{                                                                                          \
		return &(drv).id_table->weir;                                                      \
	}                                                                                          \
	static int drv##_weir_probe(struct weir_pci_dev *pdev, const struct weir_pci_id *id)       \
	{                                                                                          \
		return (drv).probe(weir_to_pci_dev(pdev),                                          \
				   container_of(id, const struct pci_device_id, weir));            \
	}                                                                                          \
	static void drv##_weir_remove(struct weir_pci_dev *pdev)                                   \
	{                                                                                          \
		(drv).remove(weir_to_pci_dev(pdev));                                               \
	}                                                                                          \
	const struct weir_pci_driver weir_##drv = { .name = #drv,                                  \
						    .ids = drv##_weir_ids,                         \
						    .probe = drv##_weir_probe,                     \
						    .remove = drv##_weir_remove }

#endif
