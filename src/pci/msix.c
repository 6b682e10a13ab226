/* SPDX-License-Identifier: MIT */
/*
 * MSI-X (PCI 3.0, 6.8.2): vectors from the platform, their doorbell reachable for the device, the
 * table in the device's BAR. TASK; one caller at a time for each function.
 */

#include "pci/pci.h"

struct weir_pci_vector {
	struct weir_msi msi;
	weir_dma_t address;
};

/* Where the table is, from a capability that nobody vouches for. */
struct table {
	weir_phys_t start;
	unsigned int vectors;
	size_t size;
};

static int find_table(struct weir_pci_dev *pdev, struct table *table)
{
	struct weir_pci_function *fn = weir_pci_function(pdev);
	uint32_t flags, where, offset;
	const struct weir_pci_bar *bar;

	if (!pdev->msix_offset)
		return -WEIR_EOPNOTSUPP;
	flags = weir_pci_read(fn, pdev->msix_offset + WEIR_PCI_MSIX_FLAGS, 2);
	where = weir_pci_read(fn, pdev->msix_offset + WEIR_PCI_MSIX_TABLE, 4);
	offset = where & WEIR_PCI_MSIX_OFFSET;
	table->vectors = (flags & WEIR_PCI_MSIX_FLAGS_QSIZE) + 1;
	table->size = (size_t)table->vectors * WEIR_PCI_MSIX_ENTRY_SIZE;
	if ((where & WEIR_PCI_MSIX_BIR) >= WEIR_PCI_BARS)
		return -WEIR_EOPNOTSUPP;
	bar = &pdev->bars[where & WEIR_PCI_MSIX_BIR];
	if (offset > bar->size || table->size > bar->size - offset) {
		weir_dev_log(&pdev->dev, WEIR_LOG_ERR, "its MSI-X table is outside of its BAR");
		return -WEIR_EOPNOTSUPP;
	}
	table->start = bar->start + offset;
	return 0;
}

static volatile void WEIR_IOMEM *entry(struct weir_pci_dev *pdev, unsigned int index,
				       unsigned int word)
{
	return (volatile char WEIR_IOMEM *)pdev->msix_table + index * WEIR_PCI_MSIX_ENTRY_SIZE +
	       word;
}

static void mask_entry(struct weir_pci_dev *pdev, unsigned int index)
{
	plat_mmio_write32(entry(pdev, index, WEIR_PCI_MSIX_ENTRY_VECTOR_CTRL),
			  WEIR_PCI_MSIX_ENTRY_CTRL_MASKBIT);
}

static void write_entry(struct weir_pci_dev *pdev, unsigned int index)
{
	const struct weir_pci_vector *vector = &pdev->vectors[index];

	plat_mmio_write32(entry(pdev, index, WEIR_PCI_MSIX_ENTRY_LOWER_ADDR),
			  (uint32_t)vector->address);
	plat_mmio_write32(entry(pdev, index, WEIR_PCI_MSIX_ENTRY_UPPER_ADDR),
			  (uint32_t)(vector->address >> 32));
	plat_mmio_write32(entry(pdev, index, WEIR_PCI_MSIX_ENTRY_DATA), vector->msi.data);
	plat_mmio_write32(entry(pdev, index, WEIR_PCI_MSIX_ENTRY_VECTOR_CTRL), 0);
}

/* As many as there are, up to `max`; what stopped it is returned. */
static int alloc_messages(struct weir_pci_dev *pdev, unsigned int max)
{
	unsigned int cpus = weir_cpus(pdev->dev.weir);
	int ret = 0;

	for (; pdev->nr_vectors < max; pdev->nr_vectors++) {
		unsigned int i = pdev->nr_vectors;

		ret = weir_device_msi_alloc(&pdev->dev, pdev->msi_controller, pdev->msi_id, i,
					    i % cpus, &pdev->vectors[i].msi,
					    &pdev->vectors[i].address);
		if (ret)
			break;
	}
	return ret;
}

static void free_messages(struct weir_pci_dev *pdev)
{
	while (pdev->nr_vectors)
		weir_device_msi_free(&pdev->dev, &pdev->vectors[--pdev->nr_vectors].msi);
	weir_free(pdev->dev.weir, pdev->vectors);
	pdev->vectors = NULL;
}

/* The table can only be reached while memory decoding is on. */
static int write_table(struct weir_pci_dev *pdev, const struct table *table)
{
	struct weir_pci_function *fn = weir_pci_function(pdev);
	unsigned int flags = pdev->msix_offset + WEIR_PCI_MSIX_FLAGS;

	pdev->msix_table = plat_mmio_map(pdev->dev.weir->plat, table->start, table->size);
	if (!pdev->msix_table)
		return -WEIR_ENOMEM;
	fn->msix_table_size = table->size;
	weir_pci_change(fn, flags, 0, WEIR_PCI_MSIX_FLAGS_ENABLE | WEIR_PCI_MSIX_FLAGS_MASKALL);
	for (unsigned int i = 0; i < table->vectors; i++) {
		mask_entry(pdev, i);
		if (i < pdev->nr_vectors)
			write_entry(pdev, i);
	}
	weir_pci_change(fn, flags, WEIR_PCI_MSIX_FLAGS_MASKALL, 0);
	return 0;
}

int weir_pci_alloc_vectors(struct weir_pci_dev *pdev, unsigned int min, unsigned int max)
{
	struct table table = { .vectors = 0 };
	int ret;

	if (!min || min > max || pdev->vectors)
		return -WEIR_EINVAL;
	ret = find_table(pdev, &table);
	if (ret)
		return ret;
	if (!pdev->enabled)
		return -WEIR_EINVAL;
	max = max < table.vectors ? max : table.vectors;
	if (max < min)
		return -WEIR_ENOSPC;
	pdev->vectors = weir_alloc(pdev->dev.weir, max * sizeof(*pdev->vectors), 0);
	if (!pdev->vectors)
		return -WEIR_ENOMEM;
	ret = alloc_messages(pdev, max);
	if (pdev->nr_vectors >= min)
		ret = write_table(pdev, &table);
	if (ret) {
		free_messages(pdev);
		return ret;
	}
	return (int)pdev->nr_vectors;
}

void weir_pci_free_vectors(struct weir_pci_dev *pdev)
{
	struct weir_pci_function *fn = weir_pci_function(pdev);

	if (!pdev->vectors)
		return;
	weir_pci_change(fn, pdev->msix_offset + WEIR_PCI_MSIX_FLAGS, WEIR_PCI_MSIX_FLAGS_ENABLE,
			WEIR_PCI_MSIX_FLAGS_MASKALL);
	plat_mmio_unmap(pdev->dev.weir->plat, pdev->msix_table, fn->msix_table_size);
	pdev->msix_table = NULL;
	free_messages(pdev);
}

int weir_pci_vector_irq(const struct weir_pci_dev *pdev, unsigned int index)
{
	return index < pdev->nr_vectors ? (int)pdev->vectors[index].msi.irq : -WEIR_EINVAL;
}
