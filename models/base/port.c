/* SPDX-License-Identifier: MIT */
/*
 * Ports: a master's accesses, page by page through its IOMMU to the bus.
 */
#include <string.h>

#include <weir/model/bus.h>

/*
 * A device's write may land in a register whose owner writes in turn (a vector that is unmasked).
 * Hardware queues such writes; here they nest, and a guest could wire devices into a ring. Deeper
 * than this an access aborts.
 */
#define MAX_NESTING 8
static _Thread_local unsigned int nesting;

/** One of the two buffers is NULL. */
struct transfer {
	uint8_t *in;
	const uint8_t *out;
};

static enum weir_model_result access_bus(const struct weir_model_port *port, uint64_t addr,
					 const struct transfer *t, uint32_t len)
{
	if (t->out)
		return weir_model_bus_write(port->bus, addr, t->out, len, port->requester);
	return weir_model_bus_read(port->bus, addr, t->in, len, port->requester);
}

/** At most one page. */
static enum weir_model_result access_page(const struct weir_model_port *port, uint64_t addr,
					  const struct transfer *t, uint32_t len)
{
	struct weir_model_txn txn = {
		.stream = port->stream,
		.addr = addr,
		.len = len,
		.flags = t->out ? WEIR_MODEL_TXN_WRITE : 0,
		.attributes = WEIR_MODEL_ATTR_PCIE,
	};
	struct weir_model_translation translation;
	enum weir_model_result result;

	if (!port->iommu_ops)
		return access_bus(port, addr, t, len);
	result = port->iommu_ops->translate(port->iommu, &txn, &translation);
	if (result == WEIR_MODEL_IGNORED) {
		if (t->in)
			memset(t->in, 0, len);
		return WEIR_MODEL_OK;
	}
	if (result != WEIR_MODEL_OK)
		return result;
	result = access_bus(port, translation.addr, t, len);
	port->iommu_ops->complete(port->iommu, &translation);
	return result;
}

static enum weir_model_result access_pages(const struct weir_model_port *port, uint64_t addr,
					   struct transfer t, size_t len)
{
	while (len) {
		size_t room = WEIR_PAGE_SIZE - (addr & (WEIR_PAGE_SIZE - 1));
		uint32_t part = (uint32_t)(len < room ? len : room);
		enum weir_model_result result = access_page(port, addr, &t, part);

		if (result != WEIR_MODEL_OK)
			return result;
		addr += part;
		len -= part;
		if (t.out)
			t.out += part;
		else
			t.in += part;
		/* The end of the address space; what is left does not go on at zero. */
		if (!addr && len)
			return WEIR_MODEL_ABORT;
	}
	return WEIR_MODEL_OK;
}

static enum weir_model_result access_nested(const struct weir_model_port *port, uint64_t addr,
					    struct transfer t, size_t len)
{
	enum weir_model_result result;

	if (nesting == MAX_NESTING)
		return WEIR_MODEL_ABORT;
	nesting++;
	result = access_pages(port, addr, t, len);
	nesting--;
	return result;
}

enum weir_model_result weir_model_port_read(const struct weir_model_port *port, uint64_t addr,
					    void *buf, size_t len)
{
	enum weir_model_result result;

	result = access_nested(port, addr, (struct transfer){ .in = buf }, len);
	if (result != WEIR_MODEL_OK)
		memset(buf, 0, len);
	return result;
}

enum weir_model_result weir_model_port_write(const struct weir_model_port *port, uint64_t addr,
					     const void *buf, size_t len)
{
	return access_nested(port, addr, (struct transfer){ .out = buf }, len);
}
