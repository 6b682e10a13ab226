/* SPDX-License-Identifier: MIT */

/* Suspend and resume: the IOMMUs of a machine, one after the other, under weir.lock. */

#include "iommu/iommu.h"

/* Those up to `end`; the first error of all, but each is tried. */
static int resume_up_to(struct weir *weir, const struct weir_iommu *end)
{
	struct weir_iommu *iommu;
	int ret = 0, one;

	for (iommu = weir->iommus; iommu != end; iommu = iommu->next) {
		one = iommu->driver->resume ? iommu->driver->resume(iommu) : 0;
		if (one)
			weir_log(weir, WEIR_LOG_ERR,
				 "%s: it does not work again (%d): every device behind it is "
				 "blocked",
				 iommu->name, one);
		ret = ret ? ret : one;
	}
	return ret;
}

int weir_suspend(struct weir *weir)
{
	struct weir_iommu *iommu;
	int ret = 0;

	plat_mutex_lock(weir->plat, &weir->lock);
	for (iommu = weir->iommus; !ret && iommu; iommu = iommu->next) {
		if (!iommu->driver->suspend)
			continue;
		ret = iommu->driver->suspend(iommu);
		if (ret) {
			weir_log(weir, WEIR_LOG_ERR, "%s: it cannot be suspended (%d)", iommu->name,
				 ret);
			(void)resume_up_to(weir, iommu->next);
		}
	}
	plat_mutex_unlock(weir->plat, &weir->lock);
	return ret;
}

int weir_resume(struct weir *weir)
{
	int ret;

	plat_mutex_lock(weir->plat, &weir->lock);
	ret = resume_up_to(weir, NULL);
	plat_mutex_unlock(weir->plat, &weir->lock);
	return ret;
}
