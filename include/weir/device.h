/* SPDX-License-Identifier: MIT */
#ifndef WEIR_DEVICE_H
#define WEIR_DEVICE_H

/* A device, and messages about it, as drivers know them. */

#include <weir/errno.h>
#include <weir/sys.h>
#include <weir/types.h>

struct device {
	struct weir_device weir;
};

static inline void *dev_get_drvdata(const struct device *dev)
{
	return dev->weir.driver_data;
}
static inline void dev_set_drvdata(struct device *dev, void *data)
{
	dev->weir.driver_data = data;
}
static inline const char *dev_name(const struct device *dev)
{
	return dev->weir.name;
}

#define dev_err(dev, ...) weir_dev_log(&(dev)->weir, WEIR_LOG_ERR, __VA_ARGS__)
#define dev_warn(dev, ...) weir_dev_log(&(dev)->weir, WEIR_LOG_WARN, __VA_ARGS__)
#define dev_info(dev, ...) weir_dev_log(&(dev)->weir, WEIR_LOG_INFO, __VA_ARGS__)
#define dev_dbg(dev, ...) weir_dev_log(&(dev)->weir, WEIR_LOG_DEBUG, __VA_ARGS__)

#endif
