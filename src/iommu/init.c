/* SPDX-License-Identifier: MIT */

/* Bring-up and take-down of a machine. */

#include "iommu/history.h"
#include "iommu/iommu.h"

#define QUEUE_MAX (1u << 19) /* entries; more than any IOMMU has */

/* Before there is a machine to log for. */
static int refuse(const struct weir_options *options, const char *what)
{
	plat_log(options->plat, WEIR_LOG_ERR, what);
	return -WEIR_EINVAL;
}

static int check_options(const struct weir_options *options)
{
	if (!options->cpus || options->cpus > WEIR_MAX_CPUS)
		return refuse(options, "options.cpus: must be 1 to 256");
	if ((unsigned int)options->mode > WEIR_MODE_OFF)
		return refuse(options, "options.mode: unknown");
	if ((unsigned int)options->take_over > WEIR_TAKE_OVER_KEEP)
		return refuse(options, "options.take_over: unknown");
	if ((unsigned int)options->log_level > WEIR_LOG_DEBUG)
		return refuse(options, "options.log_level: unknown");
	if (!options->fdt != !options->fdt_size)
		return refuse(options, "options.fdt and .fdt_size: one without the other");
	if (!options->iort != !options->iort_size)
		return refuse(options, "options.iort and .iort_size: one without the other");
	if (options->fdt && options->iort)
		return refuse(options, "options.fdt and .iort: one machine, described twice");
	if (options->history > WEIR_HISTORY_MAX)
		return refuse(options, "options.history: at most 32768 mappings for each CPU");
	if (options->event_queue_entries > QUEUE_MAX || options->command_queue_entries > QUEUE_MAX)
		return refuse(options, "options.*_queue_entries: at most 524288");
	return 0;
}

static unsigned int pages_order(size_t size)
{
	unsigned int order = 0;

	while (WEIR_PAGE_SIZE << order < size)
		order++;
	return order;
}

/* For what the heap cannot hold: itself, and what must be aligned. Zeroed. */
static void *early_alloc(void *plat, size_t size)
{
	weir_phys_t phys;
	void *ptr;

	if (plat_pages_alloc(plat, pages_order(size), WEIR_ZONE_NORMAL, 0, &phys))
		return NULL;
	ptr = plat_phys_to_virt(plat, phys);
	memset(ptr, 0, size);
	return ptr;
}

static void early_free(void *plat, void *ptr, size_t size)
{
	plat_pages_free(plat, plat_virt_to_phys(plat, ptr), pages_order(size));
}

static struct weir *machine_new(const struct weir_options *options)
{
	struct weir *weir = early_alloc(options->plat, sizeof(*weir));

	if (!weir)
		return NULL;
	weir->plat = options->plat;
	weir->cpus = options->cpus;
	weir->mode = options->mode;
	weir->log_level = options->log_level;
	weir->options = *options;
	weir->cpu = early_alloc(options->plat, sizeof(*weir->cpu) * options->cpus);
	if (!weir->cpu) {
		early_free(options->plat, weir, sizeof(*weir));
		return NULL;
	}
	weir_heap_init(&weir->heap, options->plat, options->heap_whole_pages);
	weir_faults_init(weir);
	return weir;
}

static void machine_delete(struct weir *weir)
{
	void *plat = weir->plat;

	weir_history_fini(weir);
	weir_storms_fini(weir);
	weir_streams_fini(weir);
	weir_msi_fini(weir);
	weir_faults_fini(weir);
	(void)weir_heap_fini(&weir->heap);
	early_free(plat, weir->cpu, sizeof(*weir->cpu) * weir->cpus);
	early_free(plat, weir, sizeof(*weir));
}

static int bring_up(struct weir *weir)
{
	int ret = weir_streams_init(weir);

	if (!ret)
		ret = weir_storms_init(weir);
	if (!ret)
		ret = weir_history_init(weir, weir->options.history);
	if (!ret)
		ret = weir_iommu_probe_all(weir);
	return ret;
}

int weir_init(const struct weir_options *options, struct weir **weir)
{
	struct weir *machine;
	int ret = check_options(options);

	if (ret)
		return ret;
	machine = machine_new(options);
	if (!machine)
		return -WEIR_ENOMEM;
	/* Nobody else knows the machine yet: no lock, which drivers may want to take. */
	ret = bring_up(machine);
	if (ret) {
		machine_delete(machine);
		return ret;
	}
	*weir = machine;
	return 0;
}

int weir_fini(struct weir *weir)
{
	const struct weir_device *dev;

	plat_mutex_lock(weir->plat, &weir->lock);
	dev = weir->devices;
	plat_mutex_unlock(weir->plat, &weir->lock);
	if (dev) {
		weir_log(weir, WEIR_LOG_ERR, "%s is still there", dev->name);
		return -WEIR_EBUSY;
	}
	weir_iommu_remove_all(weir);
	machine_delete(weir);
	return 0;
}
