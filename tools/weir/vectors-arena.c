/* SPDX-License-Identifier: MIT */

/* Memory for what belongs to one case: blocks that are filled from the front and freed together. */

#include <stdlib.h>
#include <string.h>

#include "tool.h"
#include "vectors.h"

#define ARENA_BLOCK 65536u
#define TEXT_MAX 4096

struct arena_block {
	struct arena_block *next;
	size_t used, size;
	_Alignas(16) uint8_t bytes[];
};

void out_of_memory(void)
{
	complain("out of memory");
	exit(EXIT_USAGE);
}

void *arena_alloc(struct arena *arena, size_t size)
{
	struct arena_block *block = arena->blocks;
	size_t need = WEIR_ALIGN_UP(size, 16);

	if (!block || block->size - block->used < need) {
		size_t room = need > ARENA_BLOCK ? need : ARENA_BLOCK;

		block = malloc(sizeof(*block) + room);
		if (!block)
			out_of_memory();
		*block = (struct arena_block){ .next = arena->blocks, .size = room };
		arena->blocks = block;
	}
	block->used += need;
	return memset(block->bytes + block->used - need, 0, need);
}

char *arena_print(struct arena *arena, const char *format, ...)
{
	char text[TEXT_MAX];
	va_list args;
	size_t size;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	size = strlen(text) + 1;
	return memcpy(arena_alloc(arena, size), text, size);
}

void arena_empty(struct arena *arena)
{
	struct arena_block *block;

	while ((block = arena->blocks)) {
		arena->blocks = block->next;
		free(block);
	}
}
