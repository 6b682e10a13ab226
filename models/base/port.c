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

/** At most one page. */
static enum weir_model_result access_page(const struct weir_model_port *port, uint64_t addr,
					  const struct transfer *t, uint32_t len)
{
	struct weir_model_txn txn = {
		.stream = port->stream,
		.addr = addr,
		.len = len,
		.write = t->out != NULL,
	};
	enum weir_model_result result;
	uint64_t phys = addr;

	if (port->iommu_ops) {
		result = port->iommu_ops->translate(port->iommu, &txn, &phys);
		if (result != WEIR_MODEL_OK)
			return result;
	}
	if (t->out)
		result = weir_model_bus_write(port->bus, phys, t->out, len, port->requester);
	else
		result = weir_model_bus_read(port->bus, phys, t->in, len, port->requester);
	if (port->iommu_ops)
		port->iommu_ops->complete(port->iommu, &txn);
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
