/* SPDX-License-Identifier: MIT */
/* Sums of the counters of base/machine.h. */

#include "iommu/iommu.h"

static uint64_t live_mappings(struct weir *weir)
{
	const struct weir_device *dev;
	uint64_t live = 0;

	plat_mutex_lock(weir->plat, &weir->lock);
	for (dev = weir->devices; dev; dev = dev->next)
		live += __atomic_load_n(&dev->live_maps, __ATOMIC_RELAXED);
	plat_mutex_unlock(weir->plat, &weir->lock);
	return live;
}

void weir_get_stats(struct weir *weir, struct weir_stats *stats)
{
	int64_t table_pages = __atomic_load_n(&weir->table_pages, __ATOMIC_RELAXED);

	*stats = (struct weir_stats){
		.maps = weir_stat_sum(weir, WEIR_STAT_MAPS),
		.unmaps = weir_stat_sum(weir, WEIR_STAT_UNMAPS),
		.live_mappings = live_mappings(weir),
		.map_errors = weir_stat_sum(weir, WEIR_STAT_MAP_ERRORS),
		.commands = weir_stat_sum(weir, WEIR_STAT_COMMANDS),
		.syncs = weir_stat_sum(weir, WEIR_STAT_SYNCS),
		.faults = weir_stat_sum(weir, WEIR_STAT_FAULTS),
		.events = weir_stat_sum(weir, WEIR_STAT_EVENTS),
		.event_overflows = weir_stat_sum(weir, WEIR_STAT_EVENT_OVERFLOWS),
		.faults_logged = weir_stat_sum(weir, WEIR_STAT_FAULTS_LOGGED),
		.table_pages = table_pages > 0 ? (uint64_t)table_pages : 0,
	};
}
