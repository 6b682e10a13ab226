/* SPDX-License-Identifier: MIT */

/*
 * The buddy radix: iova.h explains it. The caller holds the lock.
 *
 * A node of level n has 64 children of 2^(6n) frames each. Those of level 1, a leaf, are words; one
 * above is a node of its own, or NULL where that is all that there is to say: the child is wholly
 * free (its bit in has[6n] is set) or was given out whole (its bits are all clear). A word has a
 * bit for each free frame; where one of these holds nobody asks it, and it has all of them: so
 * blocks of whole words neither read nor write it, and a leaf gets its words when a part of one is
 * taken.
 *
 * has[order]: bit i is set when child i has a free block of at least that order. So the bits of a
 * child are set from has[0] up to has[its largest free order].
 *
 * With many live ranges a block's nodes lie in memory, in no cache: what costs time is the lines
 * that an operation touches for the first time. A leaf without its words is one, and many of them
 * lie together; what is known beforehand is prefetched.
 */

#include "iommu/iova.h"

#define WAYS_SHIFT 6u
#define ALL (~(uint64_t)0)
#define NONE (-1)

/* A node: one of these two, by its level. */
struct weir_iova_node;

struct leaf {
	uint64_t *word; /* 64; or NULL: as if all bits were set */
	uint64_t has[WAYS_SHIFT + 1];
};

struct inner {
	struct weir_iova_node *child[64];
	uint64_t has[];
};

_Static_assert(sizeof(struct leaf) == 64, "a line");

static struct leaf *leaf_of(const struct weir_iova_node *node)
{
	return (struct leaf *)(uintptr_t)node;
}

/* Of a node above level 1. */
static struct weir_iova_node **children(const struct weir_iova_node *node)
{
	return ((struct inner *)(uintptr_t)node)->child;
}

static uint64_t *has_of(const struct weir_iova_node *node, unsigned int level)
{
	return level == 1 ? leaf_of(node)->has : ((struct inner *)(uintptr_t)node)->has;
}

/* Order of a child of a node of this level. */
static unsigned int child_order(unsigned int level)
{
	return level * WAYS_SHIFT;
}

static size_t has_size(unsigned int level)
{
	return (child_order(level) + 1) * sizeof(uint64_t);
}

static struct weir_iova_node *node_new(struct weir_iova_tree *tree, unsigned int level)
{
	size_t size = level == 1 ? sizeof(struct leaf) : sizeof(struct inner) + has_size(level);
	struct weir_iova_node *node = weir_alloc(tree->weir, size, WEIR_ALLOC_ATOMIC);

	if (!node)
		return NULL;
	memset(has_of(node, level), 0xff, has_size(level));
	tree->nodes++;
	return node;
}

static void node_free(struct weir_iova_tree *tree, struct weir_iova_node *node, unsigned int level)
{
	tree->nodes--;
	if (level == 1)
		weir_free(tree->weir, leaf_of(node)->word);
	weir_free(tree->weir, node);
}

/* Words for a leaf of which a part of one is about to be taken. -WEIR_ENOMEM. */
static int leaf_grow(struct weir_iova_tree *tree, struct weir_iova_node *node)
{
	struct leaf *leaf = leaf_of(node);

	if (leaf->word)
		return 0;
	leaf->word = weir_alloc(tree->weir, 64 * sizeof(*leaf->word), WEIR_ALLOC_ATOMIC);
	if (!leaf->word)
		return -WEIR_ENOMEM;
	memset(leaf->word, 0xff, 64 * sizeof(*leaf->word));
	return 0;
}

/* The multiples of 2^order; beyond the last order there are none. */
static const uint64_t run_starts[] = { ALL,
				       0x5555555555555555,
				       0x1111111111111111,
				       0x0101010101010101,
				       0x0001000100010001,
				       0x0000000100000001,
				       1,
				       0 };

/* Bit i: the 2^order bits from i on are set, and i is a multiple of that. */
static uint64_t runs(uint64_t bits, unsigned int order)
{
	unsigned int i;

	for (i = 0; i < order; i++)
		bits &= bits >> (1u << i);
	return bits & run_starts[order];
}

/* The largest order of which there is a run, or NONE. */
static int largest_run(uint64_t bits)
{
	int order = NONE;

	/* Runs of the next order are made of two neighbours, the first of them aligned. */
	while (bits && order < 6) {
		order++;
		bits &= bits >> (1u << order) % 64 & run_starts[order + 1];
	}
	return order;
}

static int node_largest(const struct weir_iova_node *node, unsigned int level)
{
	const uint64_t *has = has_of(node, level);
	int order = (int)child_order(level);

	if (has[order])
		return order + largest_run(has[order]);
	while (order > NONE && !has[order])
		order--;
	return order;
}

static unsigned int child_index(uint64_t frame, unsigned int level)
{
	return (unsigned int)(frame >> child_order(level)) & 63;
}

/* The free frames of word i of a leaf, of which there are some. */
static uint64_t word_of(const struct weir_iova_node *node, unsigned int i)
{
	const struct leaf *leaf = leaf_of(node);

	return leaf->has[WAYS_SHIFT] >> i & 1 || !leaf->word ? ALL : leaf->word[i];
}

/* Note that the largest free order of child i is now `largest`. false: it was so before. */
static bool node_note(struct weir_iova_node *node, unsigned int level, unsigned int i, int largest)
{
	uint64_t bit = WEIR_BIT(i), *has = has_of(node, level);
	bool changed = false;
	int order;

	for (order = largest; order > NONE && !(has[order] & bit); order--) {
		has[order] |= bit;
		changed = true;
	}
	for (order = largest + 1; order <= (int)child_order(level) && has[order] & bit; order++) {
		has[order] &= ~bit;
		changed = true;
	}
	return changed;
}

static unsigned int highest_bit(uint64_t bits)
{
	return 63 - (unsigned int)__builtin_clzll(bits);
}

/* Bits below n, which may be 64. */
static uint64_t below(uint64_t n)
{
	return n >= 64 ? ALL : WEIR_BIT(n) - 1;
}

/* The highest block of free frames [base, base + frames) that ends at `limit` or below. */
static bool find_in_free(uint64_t base, uint64_t frames, unsigned int order, uint64_t limit,
			 uint64_t *frame)
{
	uint64_t end = limit - base < frames ? limit + 1 : base + frames;

	if (((end - base) >> order) == 0)
		return false;
	*frame = (end >> order << order) - WEIR_BIT(order);
	return true;
}

static bool find_in_bits(uint64_t bits, unsigned int order, uint64_t base, unsigned int shift,
			 uint64_t *frame)
{
	bits = runs(bits, order);
	if (!bits)
		return false;
	*frame = base + ((uint64_t)highest_bit(bits) << shift);
	return true;
}

/* Fetch what an operation on a block will touch of the `has` of a node of level `level`. */
static void has_prefetch(const struct weir_iova_node *node, unsigned int level, unsigned int order)
{
	const uint64_t *has = has_of(node, level);

	__builtin_prefetch(&has[0], 1);
	if (level > 1)
		__builtin_prefetch(&has[order < child_order(level) ? order : child_order(level)],
				   1);
}

/* Whoever allocates next will come to the next of these children, of a node of level `level`. */
static void prefetch_next(const struct weir_iova_node *node, unsigned int level, uint64_t bits,
			  unsigned int order)
{
	struct weir_iova_node *next = bits ? children(node)[highest_bit(bits)] : NULL;

	if (next)
		has_prefetch(next, level - 1, order);
}

/* The highest block below the children in `bits`, which have one; smaller than a child. */
static void descend(const struct weir_iova_node *node, unsigned int level, uint64_t base,
		    uint64_t bits, unsigned int order, uint64_t *frame)
{
	for (;;) {
		unsigned int shift = child_order(level), i = highest_bit(bits);

		base += (uint64_t)i << shift;
		if (level == 1) {
			(void)find_in_bits(word_of(node, i), order, base, 0, frame);
			return;
		}
		if (!children(node)[i]) {
			*frame = base + WEIR_BIT(shift) - WEIR_BIT(order);
			return;
		}
		if (level <= 3)
			prefetch_next(node, level, bits & ~WEIR_BIT(i), order);
		node = children(node)[i];
		level--;
		if (order >= child_order(level)) {
			(void)find_in_bits(has_of(node, level)[child_order(level)],
					   order - child_order(level), base, child_order(level),
					   frame);
			return;
		}
		bits = has_of(node, level)[order];
	}
}

/*
 * Follows the limit down, to the children that it cuts, and remembers the last node on the way that
 * has a block in a child below: the deeper it lies, the higher its addresses are.
 */
static bool find(const struct weir_iova_tree *tree, unsigned int order, uint64_t limit,
		 uint64_t *frame)
{
	const struct weir_iova_node *node = tree->root, *best = NULL;
	unsigned int level = tree->top, best_level = 0;
	uint64_t base = 0, best_base = 0, best_bits = 0;

	for (;;) {
		unsigned int shift = child_order(level);
		uint64_t span = WEIR_BIT(shift + WAYS_SHIFT);
		uint64_t frames = limit - base < span ? limit - base + 1 : span;
		uint64_t whole = frames >> shift; /* children that end at the limit or below */
		const uint64_t *has = has_of(node, level);
		uint64_t bits;

		if (order >= shift) {
			if (find_in_bits(has[shift] & below(whole), order - shift, base, shift,
					 frame))
				return true;
			break;
		}
		bits = has[order] & below(whole);
		if (bits) {
			best = node;
			best_level = level;
			best_base = base;
			best_bits = bits;
		}
		if (!(frames & (WEIR_BIT(shift) - 1)) || !(has[order] >> whole & 1))
			break; /* nothing is cut, or nothing is in it */
		base += whole << shift;
		if (level == 1) {
			if (find_in_bits(word_of(node, (unsigned int)whole) &
						 below(limit - base + 1),
					 order, base, 0, frame))
				return true;
			break;
		}
		if (!children(node)[whole]) {
			if (find_in_free(base, WEIR_BIT(shift), order, limit, frame))
				return true;
			break;
		}
		node = children(node)[whole];
		level--;
	}
	if (best)
		descend(best, best_level, best_base, best_bits, order, frame);
	return best;
}

/* The level of the node whose children (or their bits) make up blocks of this order. */
static unsigned int level_of(unsigned int order)
{
	return order < WAYS_SHIFT ? 1 : order / WAYS_SHIFT;
}

/* Free the nodes of a path that are wholly free, from the one of level `level` up. */
static void path_prune(struct weir_iova_tree *tree, struct weir_iova_node **path, uint64_t frame,
		       unsigned int level)
{
	for (; level < tree->top && has_of(path[level], level)[child_order(level)] == ALL;
	     level++) {
		children(path[level + 1])[child_index(frame, level + 1)] = NULL;
		node_free(tree, path[level], level);
	}
}

/*
 * path[n] becomes the node of level n above the block, down to `level`; missing ones are made, and
 * words for a block that is part of one.
 */
static int path_make(struct weir_iova_tree *tree, struct weir_iova_node **path, uint64_t frame,
		     unsigned int level, unsigned int order)
{
	unsigned int at;

	path[tree->top] = tree->root;
	for (at = tree->top; at > level; at--) {
		struct weir_iova_node **child = &children(path[at])[child_index(frame, at)];
		uint64_t bit = WEIR_BIT(child_index(frame, at));

		if (!*child && !(has_of(path[at], at)[child_order(at)] & bit))
			return -WEIR_EBUSY; /* given out whole */
		if (!*child)
			*child = node_new(tree, at - 1);
		if (!*child) {
			path_prune(tree, path, frame, at);
			return -WEIR_ENOMEM;
		}
		path[at - 1] = *child;
	}
	if (order < WAYS_SHIFT && leaf_grow(tree, path[1])) {
		path_prune(tree, path, frame, 1);
		return -WEIR_ENOMEM;
	}
	return 0;
}

/* Tell the nodes above that of level `level` what its largest free block is now. */
static void path_note(struct weir_iova_tree *tree, struct weir_iova_node **path, uint64_t frame,
		      unsigned int level)
{
	bool changed = true;

	for (; changed && level < tree->top; level++)
		changed = node_note(path[level + 1], level + 1, child_index(frame, level + 1),
				    node_largest(path[level], level));
}

/* The bits that a block is in the word that holds them: frames of a word, or children of a node. */
static uint64_t block_bits(uint64_t frame, unsigned int order, unsigned int shift)
{
	return below(WEIR_BIT(order - shift)) << ((frame >> shift) & 63);
}

/* Is this part of a word free? Or not, any of it? A word that went whole has all bits still. */
static bool part_is(const struct weir_iova_node *node, uint64_t frame, unsigned int order,
		    bool free)
{
	unsigned int i = child_index(frame, 1);
	uint64_t bits = block_bits(frame, order, 0);

	if (free)
		return leaf_of(node)->has[order] >> i & 1 && (word_of(node, i) & bits) == bits;
	return !(word_of(node, i) & bits);
}

static bool block_is(const struct weir_iova_node *node, uint64_t frame, unsigned int order,
		     bool free)
{
	unsigned int shift = child_order(level_of(order));
	uint64_t bits, i;

	if (order < WAYS_SHIFT)
		return part_is(node, frame, order, free);
	bits = block_bits(frame, order, shift);
	if ((has_of(node, level_of(order))[free ? shift : 0] & bits) != (free ? bits : 0))
		return false;
	/* A child that has nothing free, but is a node, is in many hands. */
	for (i = 0; !free && level_of(order) > 1 && i < 64; i++) {
		if (bits >> i & 1 && children(node)[i])
			return false;
	}
	return true;
}

static void block_mark(struct weir_iova_node *node, uint64_t frame, unsigned int order, bool free)
{
	unsigned int level = level_of(order), shift = child_order(level), i;
	unsigned int first = child_index(frame, level);
	uint64_t bits, *has = has_of(node, level), word;

	if (order < WAYS_SHIFT) {
		word = word_of(node, first) ^ block_bits(frame, order, 0);
		leaf_of(node)->word[first] = word;
		(void)node_note(node, level, first, largest_run(word));
		return;
	}
	bits = block_bits(frame, order, shift);
	for (i = 0; i <= shift; i++)
		has[i] = free ? has[i] | bits : has[i] & ~bits;
}

int weir_iova_tree_init(struct weir_iova_tree *tree, struct weir *weir, uint64_t last)
{
	*tree = (struct weir_iova_tree){ .weir = weir, .top = 1 };
	while (last >> child_order(tree->top + 1) && tree->top < WEIR_IOVA_MAX_LEVELS - 1)
		tree->top++;
	if (last >> child_order(tree->top + 1))
		return -WEIR_EINVAL;
	tree->root = node_new(tree, tree->top);
	return tree->root ? 0 : -WEIR_ENOMEM;
}

unsigned int weir_iova_tree_max_order(const struct weir_iova_tree *tree)
{
	return child_order(tree->top + 1) - 1;
}

void weir_iova_tree_fini(struct weir_iova_tree *tree)
{
	struct weir_iova_node *path[WEIR_IOVA_MAX_LEVELS], *child;
	unsigned int next[WEIR_IOVA_MAX_LEVELS] = { 0 }, level = tree->top;

	/* All that is there, leaves first. */
	path[level] = tree->root;
	while (level <= tree->top) {
		if (level == 1 || next[level] == 64) {
			node_free(tree, path[level], level);
			level++;
			continue;
		}
		child = children(path[level])[next[level]++];
		if (child) {
			path[--level] = child;
			next[level] = 0;
		}
	}
	tree->root = NULL;
}

int weir_iova_tree_take(struct weir_iova_tree *tree, uint64_t frame, unsigned int order)
{
	struct weir_iova_node *path[WEIR_IOVA_MAX_LEVELS];
	unsigned int level = level_of(order);
	int ret;

	if (order > weir_iova_tree_max_order(tree))
		return -WEIR_EINVAL;
	ret = path_make(tree, path, frame, level, order);
	if (ret)
		return ret;
	if (!block_is(path[level], frame, order, true)) {
		path_prune(tree, path, frame, level);
		return -WEIR_EBUSY;
	}
	block_mark(path[level], frame, order, false);
	path_note(tree, path, frame, level);
	tree->used += WEIR_BIT(order);
	return 0;
}

int weir_iova_tree_alloc(struct weir_iova_tree *tree, unsigned int order, uint64_t limit,
			 uint64_t *frame)
{
	if (order > weir_iova_tree_max_order(tree) || !find(tree, order, limit, frame))
		return -WEIR_ENOSPC;
	return weir_iova_tree_take(tree, *frame, order);
}

bool weir_iova_tree_free(struct weir_iova_tree *tree, uint64_t frame, unsigned int order)
{
	struct weir_iova_node *path[WEIR_IOVA_MAX_LEVELS];
	unsigned int level = level_of(order), at;

	if (order > weir_iova_tree_max_order(tree) || frame >> child_order(tree->top + 1))
		return false;
	path[tree->top] = tree->root;
	for (at = tree->top; at > level; at--) {
		path[at - 1] = children(path[at])[child_index(frame, at)];
		if (!path[at - 1])
			return false;
	}
	if (!block_is(path[level], frame, order, false))
		return false;
	block_mark(path[level], frame, order, true);
	path_note(tree, path, frame, level);
	tree->used -= WEIR_BIT(order);
	path_prune(tree, path, frame, level);
	return true;
}

/* The node of level `level` above a frame, or NULL. */
static struct weir_iova_node *node_at(const struct weir_iova_tree *tree, uint64_t frame,
				      unsigned int level)
{
	struct weir_iova_node *node = tree->root;
	unsigned int at;

	for (at = tree->top; node && at > level; at--)
		node = children(node)[child_index(frame, at)];
	return node;
}

/*
 * Several times over them all, so that nothing waits for what is above it. What is above leaves is
 * few lines where blocks are parts of words: the live ones lie close together then.
 */
void weir_iova_tree_prefetch(const struct weir_iova_tree *tree, const uint64_t *frames,
			     uint64_t count, unsigned int order)
{
	struct weir_iova_node *node;
	unsigned int level = level_of(order);
	uint64_t i;

	for (i = 0; i < count && order >= WAYS_SHIFT && level < tree->top; i++) {
		node = node_at(tree, frames[i], level + 1);
		if (!node)
			continue;
		__builtin_prefetch(&children(node)[child_index(frames[i], level + 1)], 1);
		has_prefetch(node, level + 1, order);
	}
	for (i = 0; i < count; i++) {
		node = node_at(tree, frames[i], level);
		if (node)
			has_prefetch(node, level, order);
	}
	for (i = 0; i < count && order < WAYS_SHIFT; i++) {
		node = node_at(tree, frames[i], 1);
		if (node && leaf_of(node)->word)
			__builtin_prefetch(&leaf_of(node)->word[child_index(frames[i], 1)], 1);
	}
}
