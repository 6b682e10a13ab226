/* SPDX-License-Identifier: MIT */

/* The model's own accesses that are not in the first window, and writes. -> memory.h */

#include "smmuv3/memory.h"

static bool usable(const struct weir_model_window *window, uint64_t addr)
{
	return window->host && window->size && addr - window->base < window->size &&
	       !((window->base | window->size | (uintptr_t)window->host) & 7);
}

/* A slot is claimed before it is filled in: finders of the same window may take one each. */
static void add_window(struct smmu_memory *memory, const struct weir_model_window *window)
{
	uint32_t slot = __atomic_load_n(&memory->windows_taken, __ATOMIC_RELAXED);
	struct weir_model_window *to;

	do {
		if (slot == SMMU_WINDOWS)
			return;
	} while (!__atomic_compare_exchange_n(&memory->windows_taken, &slot, slot + 1, false,
					      __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	to = &memory->windows[slot];
	__atomic_store_n(&to->base, window->base, __ATOMIC_RELAXED);
	__atomic_store_n(&to->host, window->host, __ATOMIC_RELAXED);
	/* Release: who sees the size sees the rest. Pairs with smmu_word(). */
	__atomic_store_n(&to->size, window->size, __ATOMIC_RELEASE);
}

/* The word in place, through any window there is or may be had; NULL: none. */
static uint64_t *find_word(struct smmu_memory *memory, uint64_t addr)
{
	const struct weir_model_host *host = &memory->host;
	struct weir_model_window window;

	if (addr & 7)
		return NULL;
	for (unsigned int i = 0; i < SMMU_WINDOWS; i++) {
		uint64_t *word = smmu_word(&memory->windows[i], addr);

		if (word)
			return word;
	}
	if (__atomic_load_n(&memory->windows_taken, __ATOMIC_RELAXED) == SMMU_WINDOWS ||
	    !host->ops->window || !host->ops->window(host->opaque, addr, &window) ||
	    !usable(&window, addr))
		return NULL;
	add_window(memory, &window);
	return (uint64_t *)(void *)((char *)window.host + (addr - window.base));
}

enum weir_model_result weir_model_smmu_load64_far(struct smmu_memory *memory, uint64_t addr,
						  uint64_t *value)
{
	const uint64_t *word = find_word(memory, addr);

	if (!word)
		return memory->host.ops->load64(memory->host.opaque, addr, value);
	*value = __atomic_load_n(word, __ATOMIC_ACQUIRE);
	return WEIR_MODEL_OK;
}

enum weir_model_result weir_model_smmu_store64(struct smmu_memory *memory, uint64_t addr,
					       uint64_t value)
{
	uint64_t *word = find_word(memory, addr);

	if (!word)
		return memory->host.ops->store64(memory->host.opaque, addr, value);
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
	return WEIR_MODEL_OK;
}

enum weir_model_result weir_model_smmu_cas64(struct smmu_memory *memory, uint64_t addr,
					     uint64_t *expected, uint64_t desired)
{
	uint64_t *word = find_word(memory, addr);

	if (!word)
		return memory->host.ops->cas64(memory->host.opaque, addr, expected, desired);
	__atomic_compare_exchange_n(word, expected, desired, false, __ATOMIC_ACQ_REL,
				    __ATOMIC_ACQUIRE);
	return WEIR_MODEL_OK;
}
