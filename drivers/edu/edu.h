/* SPDX-License-Identifier: MIT */
#ifndef EDU_H
#define EDU_H

/*
 * A driver of QEMU's teaching device `edu` (its documentation: docs/specs/edu in QEMU), for its DMA
 * engine: one transfer at a time, between memory and a buffer of 4 KiB inside the device.
 *
 * The device knows no MSI-X and its interrupt is not used: a transfer, which takes a tenth of a
 * second, is waited for by looking. It drops the address bits that its dma_mask= lacks (28 bits if
 * nothing is said); the driver cannot ask for it.
 */

#include <weir/dma-mapping.h>
#include <weir/pci.h>

/*
 * What the driver uses of the buffer. Its last byte is left alone: up to version 7 QEMU takes a
 * transfer that ends with it for one that runs out of the buffer, and aborts.
 */
#define EDU_BUFFER_SIZE 4095u

struct edu;

/* The device of a function that the driver is bound to, else NULL. */
struct edu *edu_of(struct pci_dev *pdev);
/* What the device says of itself: major and minor version, 0xRRrr. */
u16 edu_version(const struct edu *edu);

/*
 * Move `size` bytes between `addr`, as the device sees it, and `offset` of the device's buffer.
 * DMA_TO_DEVICE: the device reads memory. DMA_FROM_DEVICE: it writes it. The address goes to the
 * device as it is: whether it may use it is not this driver's business. -EINVAL: beyond the buffer,
 * or no such direction. -ETIMEDOUT: it did not end. 0 says that it ended, not that it went well:
 * the device does not know. Context: TASK; one caller at a time.
 */
int edu_transfer(struct edu *edu, dma_addr_t addr, u32 offset, u32 size,
		 enum dma_data_direction dir);

extern const struct weir_pci_driver weir_edu_driver;

#endif
