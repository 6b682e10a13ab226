/* SPDX-License-Identifier: MIT */

#include "stack.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int disk_read(void *opaque, uint64_t offset, void *buf, size_t len)
{
	struct stack *s = opaque;

	if (offset > s->disk_size || len > s->disk_size - offset)
		return -EIO;
	memcpy(buf, s->disk + offset, len);
	__atomic_fetch_add(&s->reads, 1, __ATOMIC_RELAXED);
	return 0;
}

static int disk_write(void *opaque, uint64_t offset, const void *buf, size_t len)
{
	struct stack *s = opaque;

	if (offset > s->disk_size || len > s->disk_size - offset)
		return -EIO;
	memcpy(s->disk + offset, buf, len);
	__atomic_fetch_add(&s->writes, 1, __ATOMIC_RELAXED);
	return 0;
}

static void log_line(void *opaque, enum weir_level level, const char *line)
{
	struct stack *s = opaque;

	(void)level;
	pthread_mutex_lock(&s->log_lock);
	if (s->log_lines < WEIR_ARRAY_SIZE(s->log))
		snprintf(s->log[s->log_lines++], sizeof(s->log[0]), "%s", line);
	pthread_mutex_unlock(&s->log_lock);
}

bool stack_logged(struct stack *s, const char *text)
{
	bool found = false;

	pthread_mutex_lock(&s->log_lock);
	for (unsigned int i = 0; i < s->log_lines && !found; i++)
		found = strstr(s->log[i], text) != NULL;
	pthread_mutex_unlock(&s->log_lock);
	return found;
}

static void fill_disk(struct stack *s)
{
	for (size_t i = 0; i < s->disk_size / 8; i++) {
		uint64_t z = (i + 1) * 0x9e3779b97f4a7c15ull;

		z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
		memcpy(s->disk + 8 * i, &z, 8);
	}
}

int stack_make(struct stack *s, const struct stack_options *options)
{
	struct posix_options px = options->posix;
	int ret;

	memset(s, 0, sizeof(*s));
	pthread_mutex_init(&s->log_lock, NULL);
	s->options = *options;
	s->disk_size = options->disk_size ? options->disk_size : 1u << 20;
	s->disk = malloc(s->disk_size);
	if (!s->disk)
		return -ENOMEM;
	fill_disk(s);
	if (!px.ram_size)
		px.ram_size = 64ull << 20;
	px.log = log_line;
	px.log_opaque = s;
	px.machine.smmu = !options->no_smmu;
	px.machine.has_disk = true;
	px.machine.has_rogue = options->has_rogue;
	px.machine.nvme.disk = (struct weir_model_disk){
		.read = disk_read, .write = disk_write, .opaque = s, .size = s->disk_size
	};
	ret = posix_create(&px, &s->machine);
	if (ret)
		free(s->disk);
	return ret;
}

void stack_destroy(struct stack *s)
{
	posix_destroy(s->machine);
	pthread_mutex_destroy(&s->log_lock);
	free(s->disk);
}

int stack_call(struct stack *s, int (*fn)(void *stack))
{
	return posix_call(s->machine, 0, fn, s);
}

static const struct weir_iommu_driver *const drivers[] = { &weir_smmuv3_driver, NULL };

/* What ACPI's MCFG and namespace would say (weir/model/machine.h). */
static const struct weir_pci_host_desc host_bridge = {
	.ecam = 0x4010000000,
	.last_bus = 255,
	.coherent = true,
	.windows = { { 0x10000000, 0x10000000, 0x30000000 },
		     { 0x8000000000, 0x8000000000, 0x8000000000 } },
	.nr_windows = 2,
};

int stack_up(void *stack)
{
	struct stack *s = stack;
	struct weir_options options = {
		.plat = s->machine,
		.cpus = s->options.posix.cpus ? s->options.posix.cpus : 1,
		.mode = s->options.mode,
		.iommu_drivers = drivers,
		.log_level = WEIR_LOG_INFO,
		.history = s->options.history,
		.event_queue_entries = s->options.event_queue,
		.heap_whole_pages = s->options.heap_whole_pages,
	};
	int ret;

	options.iort = s->options.iort;
	options.iort_size = s->options.iort_size;
	if (!options.iort)
		options.fdt =
			weir_model_machine_fdt(posix_models(s->machine), &options.fdt_size);
	ret = weir_init(&options, &s->weir);
	if (ret) {
		s->weir = NULL;
		return ret;
	}
	posix_set_weir(s->machine, s->weir);
	if (s->options.on_fault)
		weir_set_fault_handler(s->weir, s->options.on_fault, s->options.fault_arg);
	ret = options.iort ? weir_pci_scan_hosts(s->weir, &host_bridge, 1) : weir_pci_scan(s->weir);
	if (!ret)
		ret = weir_pci_register_driver(s->weir, &weir_nvme_driver);
	if (ret)
		return ret;
	while ((s->nvme = weir_pci_find(s->weir, WEIR_PCI_ANY, WEIR_PCI_ANY, s->nvme)) != NULL) {
		s->ctrl = nvme_ctrl_of(weir_to_pci_dev(s->nvme));
		if (s->ctrl)
			return 0;
	}
	return -ENODEV;
}

int stack_down(void *stack)
{
	struct stack *s = stack;
	struct weir_stats stats;
	int ret;

	if (!s->weir)
		goto out;
	s->ctrl = NULL;
	weir_pci_unregister_driver(s->weir, &weir_nvme_driver);
	weir_pci_remove_all(s->weir);
	weir_get_stats(s->weir, &stats);
	s->live_mappings = stats.live_mappings;
	ret = weir_fini(s->weir);
	if (ret)
		return ret;
	s->weir = NULL;
	posix_set_weir(s->machine, NULL);
out:
	s->leaked_pages = posix_pages_in_use(s->machine);
	return 0;
}
