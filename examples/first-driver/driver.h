/* SPDX-License-Identifier: MIT */
#ifndef FIRST_DRIVER_H
#define FIRST_DRIVER_H

#include <weir/pci.h>

extern const struct weir_pci_driver weir_first_driver;

/* What the device wrote into the buffer when the driver was bound to it; 0: nothing. */
u64 first_driver_saw(struct pci_dev *pdev);

#endif
