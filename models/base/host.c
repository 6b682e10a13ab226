/* SPDX-License-Identifier: MIT */

/* A bus as the host of a model: memory is its RAM alone, messages go anywhere. */

#include <weir/model/bus.h>

/* An aligned word of RAM; NULL: there is none. */
static uint64_t *word_at(const struct weir_model_bus_host *host, uint64_t addr)
{
	struct weir_model_window window;

	if (!WEIR_IS_ALIGNED(addr, 8) || !weir_model_bus_window(host->bus, addr, &window))
		return NULL;
	return (uint64_t *)(void *)((char *)window.host + (addr - window.base));
}

static enum weir_model_result load64(void *opaque, uint64_t addr, uint64_t *value)
{
	const uint64_t *word = word_at(opaque, addr);

	if (!word)
		return WEIR_MODEL_ABORT;
	*value = __atomic_load_n(word, __ATOMIC_ACQUIRE);
	return WEIR_MODEL_OK;
}

static enum weir_model_result store64(void *opaque, uint64_t addr, uint64_t value)
{
	uint64_t *word = word_at(opaque, addr);

	if (!word)
		return WEIR_MODEL_ABORT;
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
	return WEIR_MODEL_OK;
}

static enum weir_model_result cas64(void *opaque, uint64_t addr, uint64_t *expected,
				    uint64_t desired)
{
	uint64_t *word = word_at(opaque, addr);

	if (!word)
		return WEIR_MODEL_ABORT;
	__atomic_compare_exchange_n(word, expected, desired, false, __ATOMIC_ACQ_REL,
				    __ATOMIC_ACQUIRE);
	return WEIR_MODEL_OK;
}

static enum weir_model_result msi(void *opaque, uint64_t addr, uint32_t data)
{
	const struct weir_model_bus_host *host = opaque;

	return weir_model_bus_write(host->bus, addr, &data, sizeof(data), host->requester);
}

static void line(void *opaque, unsigned int line)
{
	const struct weir_model_bus_host *host = opaque;

	if (host->sink.raise && line < host->lines)
		host->sink.raise(host->sink.opaque, host->irqs[line]);
}

static bool window(void *opaque, uint64_t addr, struct weir_model_window *window)
{
	const struct weir_model_bus_host *host = opaque;

	return weir_model_bus_window(host->bus, addr, window);
}

const struct weir_model_host_ops weir_model_bus_host_ops = {
	.load64 = load64,
	.store64 = store64,
	.cas64 = cas64,
	.msi = msi,
	.line = line,
	.window = window,
};
