/* SPDX-License-Identifier: MIT */
#ifndef WEIR_MODELS_SMMUV3_MEMORY_H
#define WEIR_MODELS_SMMUV3_MEMORY_H

/*
 * The model's own accesses. A word in a window of RAM that the host gave is read and written in
 * place; everything else goes through the host's functions. Windows are never taken back.
 */

#include <weir/model/host.h>

#define SMMU_WINDOWS 4u

struct smmu_memory {
	struct weir_model_host host;
	/*
	 * Filled in once, `size` last (release); 0: free. Any number of finders, one of them wins.
	 */
	struct weir_model_window windows[SMMU_WINDOWS];
	uint32_t windows_taken;
};

/* memory.c: through another window than the first, or the host. */
enum weir_model_result weir_model_smmu_load64_far(struct smmu_memory *memory, uint64_t addr,
						  uint64_t *value);
enum weir_model_result weir_model_smmu_store64(struct smmu_memory *memory, uint64_t addr,
					       uint64_t value);
/* -> struct weir_model_host_ops: OK whether or not the word was *expected. */
enum weir_model_result weir_model_smmu_cas64(struct smmu_memory *memory, uint64_t addr,
					     uint64_t *expected, uint64_t desired);

/* In place, or NULL. */
static inline uint64_t *smmu_word(const struct weir_model_window *window, uint64_t addr)
{
	uint64_t size = __atomic_load_n(&window->size, __ATOMIC_ACQUIRE);
	/* With a size of 0 any value will do: another thread may just be filling it in. */
	uint64_t offset = addr - __atomic_load_n(&window->base, __ATOMIC_RELAXED);

	if (offset >= size)
		return NULL;
	return (uint64_t *)((char *)window->host + offset);
}

/* One aligned word, as a table walker reads it: single-copy atomic, acquire. */
static inline enum weir_model_result smmu_load64(struct smmu_memory *memory, uint64_t addr,
						 uint64_t *value)
{
	const uint64_t *word = smmu_word(&memory->windows[0], addr);

	if (__builtin_expect(!word, 0))
		return weir_model_smmu_load64_far(memory, addr, value);
	*value = __atomic_load_n(word, __ATOMIC_ACQUIRE);
	return WEIR_MODEL_OK;
}

#endif
