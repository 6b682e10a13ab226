/* SPDX-License-Identifier: MIT */
#ifndef BAREWEIR_H
#define BAREWEIR_H

/* A struct weir with a heap and a log and nothing else, for tests of the rooms below src/iommu. */

#include "base/machine.h"
#include "fakeplat.h"

struct bareweir {
	struct weir weir;
	struct weir_cpu cpu;
	struct fakeplat *fake;
};

static inline struct weir *bareweir_init(struct bareweir *bare, size_t ram_size)
{
	memset(bare, 0, sizeof(*bare));
	bare->fake = fakeplat_new(ram_size);
	bare->fake->weir = &bare->weir;
	bare->weir.plat = bare->fake;
	bare->weir.cpus = 1;
	bare->weir.cpu = &bare->cpu;
	bare->weir.log_level = WEIR_LOG_DEBUG;
	weir_heap_init(&bare->weir.heap, bare->fake, false);
	return &bare->weir;
}

/* Returns the bytes leaked; the pages are then the fake platform's to complain about. */
static inline uint64_t bareweir_fini(struct bareweir *bare)
{
	uint64_t leaked = weir_heap_fini(&bare->weir.heap);

	if (!leaked)
		fakeplat_delete(bare->fake);
	else
		fakeplat_delete_dirty(bare->fake);
	return leaked;
}

#endif
