/* SPDX-License-Identifier: MIT */
/* IO Remapping Tables: see iortbuild.h. */

#include "iortbuild.h"

#include <assert.h>
#include <string.h>

void iort_set(struct iortbuild *b, uint32_t offset, unsigned int bytes, uint64_t value)
{
	assert(offset + bytes <= sizeof(b->bytes));
	for (unsigned int i = 0; i < bytes; i++)
		b->bytes[offset + i] = (uint8_t)(value >> 8 * i);
}

uint64_t iort_get(const struct iortbuild *b, uint32_t offset, unsigned int bytes)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < bytes; i++)
		value |= (uint64_t)b->bytes[offset + i] << 8 * i;
	return value;
}

static void put(struct iortbuild *b, unsigned int bytes, uint64_t value)
{
	iort_set(b, b->size, bytes, value);
	b->size += bytes;
	iort_set(b, 4, 4, b->size);
	if (b->node)
		iort_set(b, b->node + 1, 2, b->size - b->node);
}

void iort_8(struct iortbuild *b, unsigned int value)
{
	put(b, 1, value);
}

void iort_16(struct iortbuild *b, unsigned int value)
{
	put(b, 2, value);
}

void iort_32(struct iortbuild *b, uint32_t value)
{
	put(b, 4, value);
}

void iort_64(struct iortbuild *b, uint64_t value)
{
	put(b, 8, value);
}

void iort_name(struct iortbuild *b, const char *name)
{
	do
		iort_8(b, (uint8_t)*name);
	while (*name++);
	while ((b->size - b->node) % 4)
		iort_8(b, 0);
}

static void put_text(struct iortbuild *b, const char *text)
{
	while (*text)
		iort_8(b, (uint8_t)*text++);
}

void iort_begin(struct iortbuild *b, unsigned int revision)
{
	memset(b, 0, sizeof(*b));
	put_text(b, "IORT");
	iort_32(b, 0); /* the length, which put() keeps right */
	iort_8(b, revision);
	iort_8(b, 0); /* the checksum */
	put_text(b, "WEIR  BUILDER ");
	iort_32(b, 1);
	put_text(b, "WEIR");
	iort_32(b, 1);
	iort_32(b, 0); /* nodes */
	iort_32(b, IORT_HEADER);
	iort_32(b, 0);
}

uint32_t iort_end(struct iortbuild *b)
{
	uint8_t sum = 0;

	b->bytes[9] = 0;
	for (uint32_t i = 0; i < b->size; i++)
		sum = (uint8_t)(sum + b->bytes[i]);
	b->bytes[9] = (uint8_t)-sum;
	return b->size;
}

uint32_t iort_node(struct iortbuild *b, unsigned int type, unsigned int revision)
{
	uint32_t count = (uint32_t)iort_get(b, 36, 4);

	b->node = b->size;
	iort_8(b, type);
	iort_16(b, 0); /* the length, which put() keeps right */
	iort_8(b, revision);
	iort_32(b, iort_get(b, 8, 1) < 3 ? 0 : count); /* identifier, since revision E.b */
	iort_32(b, 0);
	iort_32(b, 0);
	iort_set(b, 36, 4, count + 1);
	return b->node;
}

static void put_mapping(struct iortbuild *b, uint32_t input, uint32_t last, uint32_t output,
			uint32_t reference, uint32_t flags)
{
	uint32_t count = (uint32_t)iort_get(b, b->node + 8, 4);

	if (!count)
		iort_set(b, b->node + 12, 4, b->size - b->node);
	iort_set(b, b->node + 8, 4, count + 1);
	iort_32(b, input);
	iort_32(b, last);
	iort_32(b, output);
	iort_32(b, reference);
	iort_32(b, flags);
}

void iort_mapping(struct iortbuild *b, uint32_t input, uint32_t last, uint32_t output,
		  uint32_t reference)
{
	put_mapping(b, input, last, output, reference, 0);
}

void iort_single(struct iortbuild *b, uint32_t output, uint32_t reference)
{
	put_mapping(b, 0, 0, output, reference, 1);
}

/* ---- Whole nodes ------------------------------------------------------------------------- */

uint32_t iort_its(struct iortbuild *b, unsigned int count, const uint32_t *ids)
{
	uint32_t node = iort_node(b, IORT_ITS, 1);

	iort_32(b, count);
	for (unsigned int i = 0; i < count; i++)
		iort_32(b, ids[i]);
	return node;
}

uint32_t iort_smmuv3(struct iortbuild *b, unsigned int revision, const struct iort_smmuv3 *smmu)
{
	uint32_t node = iort_node(b, IORT_SMMUV3, revision);

	iort_64(b, smmu->base);
	iort_32(b, smmu->flags);
	iort_32(b, 0);
	iort_64(b, smmu->vatos);
	iort_32(b, smmu->model);
	for (unsigned int i = 0; i < 4; i++)
		iort_32(b, smmu->gsivs[i]);
	if (revision >= 1) {
		iort_32(b, smmu->proximity);
		iort_32(b, smmu->msi_index);
	}
	return node;
}

static void put_memory(struct iortbuild *b, const struct iort_memory *memory)
{
	iort_32(b, memory->cca);
	iort_8(b, memory->hints);
	iort_16(b, 0);
	iort_8(b, memory->flags);
}

uint32_t iort_root(struct iortbuild *b, unsigned int revision, const struct iort_root *root)
{
	uint32_t node = iort_node(b, IORT_ROOT, revision);

	put_memory(b, &root->memory);
	iort_32(b, root->ats);
	iort_32(b, root->segment);
	if (revision < 1)
		return node;
	iort_8(b, root->address_bits);
	iort_16(b, revision < 4 ? 0 : root->pasid);
	iort_8(b, 0);
	if (revision >= 4)
		iort_32(b, root->flags);
	return node;
}

uint32_t iort_named(struct iortbuild *b, unsigned int revision, const struct iort_named *named)
{
	uint32_t node = iort_node(b, IORT_NAMED, revision);

	iort_32(b, named->flags);
	put_memory(b, &named->memory);
	iort_8(b, named->address_bits);
	iort_name(b, named->name);
	return node;
}

uint32_t iort_rmr(struct iortbuild *b, unsigned int revision, uint32_t flags, unsigned int count,
		  const struct iort_range *ranges)
{
	uint32_t node = iort_node(b, IORT_RMR, revision);

	iort_32(b, flags);
	iort_32(b, count);
	iort_32(b, 28);
	for (unsigned int i = 0; i < count; i++) {
		iort_64(b, ranges[i].base);
		iort_64(b, ranges[i].size);
		iort_32(b, 0);
	}
	return node;
}
