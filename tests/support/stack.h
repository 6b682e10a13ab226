/* SPDX-License-Identifier: MIT */
#ifndef STACK_H
#define STACK_H

/*
 * For tests: a machine with the whole stack on it and a disk in memory.
 *
 *   struct stack s;
 *   stack_make(&s, &options);           models, memory, CPUs
 *   stack_call(&s, stack_up);           on CPU 0: weir, PCI, the NVMe driver
 *   ...
 *   stack_call(&s, stack_down);         everything away; s.live_mappings, s.leaks
 *   stack_destroy(&s);
 */

#include <pthread.h>

#include <posix.h>
#include <weir/pci.h>

#include <nvme/nvme.h>

struct stack_options {
	struct posix_options posix;
	enum weir_mode mode;
	bool no_smmu, has_rogue;
	size_t disk_size; /* 0: 1 MiB */
	unsigned int history, event_queue;
	bool heap_whole_pages;
	/* What describes the machine instead of its device tree, and its host bridge with it. */
	const void *iort;
	size_t iort_size;
	weir_fault_fn *on_fault;
	void *fault_arg;
};

struct stack {
	struct stack_options options;
	struct posix_machine *machine;
	struct weir *weir;
	struct nvme_ctrl *ctrl;
	struct weir_pci_dev *nvme;
	unsigned char *disk; /* a pattern in which no two sectors are alike */
	size_t disk_size;
	unsigned int reads, writes;
	uint64_t live_mappings;
	uint64_t leaked_pages;
	pthread_mutex_t log_lock; /* what is below: lines come from any thread */
	unsigned int log_lines;
	char log[64][256]; /* the first lines of the log */
};

int stack_make(struct stack *s, const struct stack_options *options);
void stack_destroy(struct stack *s);
/* Run fn(s) on CPU 0. */
int stack_call(struct stack *s, int (*fn)(void *stack));
int stack_up(void *stack);
/*
 * 0, or weir_fini()'s error. Fills in live_mappings and leaked_pages. Fine after a failed
 * stack_up().
 */
int stack_down(void *stack);
/* Whether a line of the log contains the text. */
bool stack_logged(struct stack *s, const char *text);

#endif
