/* SPDX-License-Identifier: MIT */
/* Flattened device trees: the blob, nodes, properties. fdt.h has the contract. */

#include <weir/fdt.h>
#include <weir/sys.h>

#define FDT_MAGIC 0xd00dfeedu
#define FDT_FIRST_VERSION 16
#define FDT_LAST_VERSION 17
#define FDT_HEADER_SIZE_16 36
#define FDT_HEADER_SIZE_17 40
#define RESERVATION_SIZE 16

enum { FDT_BEGIN_NODE = 1, FDT_END_NODE = 2, FDT_PROP = 3, FDT_NOP = 4, FDT_END = 9 };

/* Offsets into the header. */
enum {
	HEADER_MAGIC = 0,
	HEADER_TOTALSIZE = 4,
	HEADER_OFF_STRUCT = 8,
	HEADER_OFF_STRINGS = 12,
	HEADER_OFF_RESERVATIONS = 16,
	HEADER_VERSION = 20,
	HEADER_LAST_COMPATIBLE = 24,
	HEADER_SIZE_STRINGS = 32,
	HEADER_SIZE_STRUCT = 36, /* since version 17 */
};

/* One token of the structure block. */
struct token {
	uint32_t kind;
	uint32_t next;	  /* where the one after it begins */
	const char *name; /* of a node, or a property */
	struct weir_fdt_prop prop;
};

/* One load, whoever writes to the blob meanwhile: what was checked is what is used. */
static uint32_t load_be32(const uint8_t *p)
{
	return __builtin_bswap32(
		__atomic_load_n((const uint32_t *)(const void *)p, __ATOMIC_RELAXED));
}

static bool same(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

/* Length of the string at s, or `max` if it does not end within max bytes. */
static uint32_t bounded_length(const uint8_t *s, uint32_t max)
{
	uint32_t len = 0;

	while (len < max && s[len])
		len++;
	return len;
}

/* ---- Tokens ------------------------------------------------------------------------------ */

/* Each reads behind the token's first word; NULL if all is well, else what is wrong. */

static const char *read_name(const struct weir_fdt *fdt, uint32_t at, struct token *token)
{
	const uint8_t *name = fdt->blob + fdt->structs + at;
	uint32_t len = bounded_length(name, fdt->structs_size - at);

	if (len == fdt->structs_size - at)
		return "a node's name does not end";
	token->name = (const char *)name;
	token->next = at + (uint32_t)WEIR_ALIGN_UP(len + 1, 4);
	return NULL;
}

static const char *read_prop(const struct weir_fdt *fdt, uint32_t at, struct token *token)
{
	const uint8_t *p = fdt->blob + fdt->structs + at;
	uint32_t left = fdt->structs_size - at, name;

	if (left < 8)
		return "a property is cut off";
	token->prop.size = load_be32(p);
	name = load_be32(p + 4);
	if (token->prop.size > left - 8)
		return "a property is larger than the tree";
	token->prop.data = p + 8;
	if (name >= fdt->strings_size)
		return "a property's name is outside the strings";
	token->name = (const char *)fdt->blob + fdt->strings + name;
	if (bounded_length((const uint8_t *)token->name, fdt->strings_size - name) ==
	    fdt->strings_size - name)
		return "a property's name does not end";
	token->next = at + 8 + (uint32_t)WEIR_ALIGN_UP(token->prop.size, 4);
	return NULL;
}

/*
 * The structure block's size is a multiple of 4, so an aligned `next` is inside it or at its end.
 */
static const char *read_token(const struct weir_fdt *fdt, uint32_t at, struct token *token)
{
	if (at >= fdt->structs_size)
		return "the tree is cut off";
	token->kind = load_be32(fdt->blob + fdt->structs + at);
	token->next = at + 4;
	switch (token->kind) {
	case FDT_BEGIN_NODE:
		return read_name(fdt, at + 4, token);
	case FDT_PROP:
		return read_prop(fdt, at + 4, token);
	case FDT_END_NODE:
	case FDT_NOP:
	case FDT_END:
		return NULL;
	default:
		return "an unknown token";
	}
}

/* ---- Opening ----------------------------------------------------------------------------- */

static int fail_at(struct weir_fdt *fdt, uint32_t offset, const char *what)
{
	fdt->error = what;
	fdt->error_property = NULL;
	fdt->error_has_node = false;
	fdt->error_offset = offset;
	return -WEIR_EINVAL;
}

static bool is_inside(uint32_t offset, uint32_t size, uint32_t total)
{
	return offset <= total && size <= total - offset;
}

static int read_header(struct weir_fdt *fdt, size_t size)
{
	const uint8_t *h = fdt->blob;
	uint32_t total, version, header;

	if (!h || !WEIR_IS_ALIGNED((uintptr_t)h, 4))
		return fail_at(fdt, 0, "no blob, or it is not aligned to 4 bytes");
	if (size < FDT_HEADER_SIZE_16 || load_be32(h + HEADER_MAGIC) != FDT_MAGIC)
		return fail_at(fdt, HEADER_MAGIC, "this is no flattened device tree");
	total = load_be32(h + HEADER_TOTALSIZE);
	if (total > size)
		return fail_at(fdt, HEADER_TOTALSIZE,
			       "it is cut off: the header tells of more bytes");
	version = load_be32(h + HEADER_VERSION);
	header = version < FDT_LAST_VERSION ? FDT_HEADER_SIZE_16 : FDT_HEADER_SIZE_17;
	if (version < FDT_FIRST_VERSION || load_be32(h + HEADER_LAST_COMPATIBLE) > FDT_LAST_VERSION)
		return fail_at(fdt, HEADER_VERSION, "its version is neither 16 nor 17");
	if (total < header)
		return fail_at(fdt, HEADER_TOTALSIZE, "it is smaller than its header");
	fdt->total = total;
	fdt->reservations = load_be32(h + HEADER_OFF_RESERVATIONS);
	fdt->structs = load_be32(h + HEADER_OFF_STRUCT);
	fdt->strings = load_be32(h + HEADER_OFF_STRINGS);
	fdt->strings_size = load_be32(h + HEADER_SIZE_STRINGS);
	if (!is_inside(fdt->strings, fdt->strings_size, total))
		return fail_at(fdt, HEADER_OFF_STRINGS, "its strings are outside of it");
	if (fdt->structs > total || !WEIR_IS_ALIGNED(fdt->structs, 4))
		return fail_at(fdt, HEADER_OFF_STRUCT,
			       "its structure is outside of it or not aligned");
	fdt->structs_size = total - fdt->structs;
	if (header == FDT_HEADER_SIZE_17)
		fdt->structs_size = load_be32(h + HEADER_SIZE_STRUCT);
	if (!is_inside(fdt->structs, fdt->structs_size, total))
		return fail_at(fdt, HEADER_SIZE_STRUCT, "its structure is outside of it");
	fdt->structs_size = (uint32_t)WEIR_ALIGN_DOWN(fdt->structs_size, 4);
	return 0;
}

/* Where the walk of weir_fdt_open() is. */
struct check {
	uint32_t depth;	    /* nodes that are open */
	bool may_have_prop; /* no child came yet: properties precede children (5.4.1) */
	bool is_done;	    /* the root was closed */
};

static const char *check_token(struct check *check, const struct token *token)
{
	switch (token->kind) {
	case FDT_BEGIN_NODE:
		if (check->is_done)
			return "a second root";
		if (check->depth++ == WEIR_FDT_MAX_DEPTH)
			return "nodes are nested too deeply";
		check->may_have_prop = true;
		return NULL;
	case FDT_END_NODE:
		if (!check->depth)
			return "a node ends that did not begin";
		check->is_done = !--check->depth;
		check->may_have_prop = false;
		return NULL;
	case FDT_PROP:
		return check->may_have_prop ? NULL :
					      "a property outside of a node or after its children";
	case FDT_END:
		return check->is_done ? NULL : "the tree ends inside a node";
	default:
		return NULL;
	}
}

static int check_tokens(struct weir_fdt *fdt)
{
	struct check check = { .depth = 0 };
	struct token token = { .kind = FDT_NOP };

	for (uint32_t at = 0; token.kind != FDT_END; at = token.next) {
		const char *what = read_token(fdt, at, &token);

		if (!what)
			what = check_token(&check, &token);
		if (what)
			return fail_at(fdt, fdt->structs + at, what);
		if (token.kind == FDT_BEGIN_NODE && check.depth == 1)
			fdt->root = at;
	}
	return 0;
}

int weir_fdt_open(const void *blob, size_t size, struct weir_fdt *fdt)
{
	int ret;

	memset(fdt, 0, sizeof(*fdt));
	fdt->blob = blob;
	ret = read_header(fdt, size);
	return ret ? ret : check_tokens(fdt);
}

size_t weir_fdt_size(const void *blob)
{
	const uint8_t *h = blob;

	return load_be32(h + HEADER_MAGIC) == FDT_MAGIC ? load_be32(h + HEADER_TOTALSIZE) : 0;
}

int weir_fdt_reservation(struct weir_fdt *fdt, uint32_t index, uint64_t *base, uint64_t *size)
{
	uint64_t at = fdt->reservations + (uint64_t)index * RESERVATION_SIZE;
	const uint8_t *entry;

	if (!WEIR_IS_ALIGNED(at, 4) || at + RESERVATION_SIZE > fdt->total)
		return fail_at(fdt, HEADER_OFF_RESERVATIONS,
			       "its list of reserved memory runs out of it");
	entry = fdt->blob + at;
	*base = (uint64_t)load_be32(entry) << 32 | load_be32(entry + 4);
	*size = (uint64_t)load_be32(entry + 8) << 32 | load_be32(entry + 12);
	/* An entry of two zeroes ends the list. */
	return *base || *size ? 0 : -WEIR_ENOENT;
}

/* ---- Nodes ------------------------------------------------------------------------------- */

void weir_fdt_root(const struct weir_fdt *fdt, struct weir_fdt_node *node)
{
	node->depth = 0;
	node->path[0] = fdt->root;
}

bool weir_fdt_next(const struct weir_fdt *fdt, struct weir_fdt_node *node)
{
	uint32_t at = node->path[node->depth];
	unsigned int open =
		node->depth; /* nodes that are open, `node` itself only once it is read */
	struct token token;
	bool first = true;

	for (; !read_token(fdt, at, &token) && token.kind != FDT_END; at = token.next) {
		if (token.kind == FDT_BEGIN_NODE && !first) {
			if (open == WEIR_FDT_MAX_DEPTH)
				return false;
			node->depth = open;
			node->path[open] = at;
			return true;
		}
		if (token.kind == FDT_BEGIN_NODE)
			open++;
		if (token.kind == FDT_END_NODE && !--open)
			return false;
		first = false;
	}
	return false;
}

bool weir_fdt_next_compatible(const struct weir_fdt *fdt, struct weir_fdt_node *node,
			      const char *compatible)
{
	struct weir_fdt_node next = *node;
	struct weir_fdt_prop prop;

	while (weir_fdt_next(fdt, &next)) {
		if (weir_fdt_prop(fdt, &next, "compatible", &prop) &&
		    weir_fdt_string_index(&prop, compatible) >= 0) {
			*node = next;
			return true;
		}
	}
	return false;
}

bool weir_fdt_parent(const struct weir_fdt_node *node, struct weir_fdt_node *parent)
{
	if (!node->depth)
		return false;
	*parent = *node;
	parent->depth--;
	return true;
}

uint32_t weir_fdt_phandle(const struct weir_fdt *fdt, const struct weir_fdt_node *node)
{
	struct weir_fdt_prop prop;

	if (!weir_fdt_prop(fdt, node, "phandle", &prop) &&
	    !weir_fdt_prop(fdt, node, "linux,phandle", &prop))
		return 0;
	return prop.size == 4 ? weir_fdt_cell(&prop, 0) : 0;
}

bool weir_fdt_by_phandle(const struct weir_fdt *fdt, uint32_t phandle, struct weir_fdt_node *node)
{
	if (!phandle || phandle == UINT32_MAX)
		return false;
	weir_fdt_root(fdt, node);
	do {
		if (weir_fdt_phandle(fdt, node) == phandle)
			return true;
	} while (weir_fdt_next(fdt, node));
	return false;
}

/* Does the first part of `path` name the node? Returns what follows it, or NULL. */
static const char *match_part(const char *path, const char *name)
{
	while (*path && *path != '/' && *path == *name) {
		path++;
		name++;
	}
	if (*path && *path != '/')
		return NULL;
	return *name && *name != '@' ? NULL : path;
}

bool weir_fdt_by_path(const struct weir_fdt *fdt, const char *path, struct weir_fdt_node *node)
{
	struct weir_fdt_node next;
	unsigned int depth = 0; /* of the part that was matched last */

	weir_fdt_root(fdt, node);
	next = *node;
	for (;;) {
		while (*path == '/')
			path++;
		if (!*path)
			return true;
		/*
		 * The rest of the subtree of the node that was matched; its children come in
		 * order.
		 */
		for (;;) {
			const char *rest;

			if (!weir_fdt_next(fdt, &next) || next.depth <= depth)
				return false;
			rest = next.depth == depth + 1 ?
				       match_part(path, weir_fdt_name(fdt, &next)) :
				       NULL;
			if (rest) {
				path = rest;
				break;
			}
		}
		depth++;
		*node = next;
	}
}

const char *weir_fdt_name(const struct weir_fdt *fdt, const struct weir_fdt_node *node)
{
	struct token token = { 0 };

	if (read_token(fdt, node->path[node->depth], &token) || token.kind != FDT_BEGIN_NODE)
		return "";
	return token.name;
}

int weir_fdt_path(const struct weir_fdt *fdt, const struct weir_fdt_node *node, char *buf,
		  size_t size)
{
	struct weir_fdt_node part = *node;
	int len = 0;

	if (!node->depth)
		return weir_snprintf(buf, size, "/");
	for (part.depth = 1; part.depth <= node->depth; part.depth++)
		len += weir_snprintf(buf + len, size - (size_t)len, "/%s",
				     weir_fdt_name(fdt, &part));
	return len;
}

bool weir_fdt_is_enabled(const struct weir_fdt *fdt, const struct weir_fdt_node *node)
{
	struct weir_fdt_node n = *node;
	struct weir_fdt_prop prop;

	do {
		if (weir_fdt_prop(fdt, &n, "status", &prop) &&
		    weir_fdt_string_index(&prop, "okay") != 0 &&
		    weir_fdt_string_index(&prop, "ok") != 0)
			return false;
	} while (weir_fdt_parent(&n, &n));
	return true;
}

/* ---- Properties -------------------------------------------------------------------------- */

bool weir_fdt_prop(const struct weir_fdt *fdt, const struct weir_fdt_node *node, const char *name,
		   struct weir_fdt_prop *prop)
{
	struct token token;

	if (read_token(fdt, node->path[node->depth], &token))
		return false;
	while (!read_token(fdt, token.next, &token)) {
		if (token.kind != FDT_PROP && token.kind != FDT_NOP)
			return false;
		if (token.kind == FDT_PROP && same(token.name, name)) {
			*prop = token.prop;
			return true;
		}
	}
	return false;
}

bool weir_fdt_has(const struct weir_fdt *fdt, const struct weir_fdt_node *node, const char *name)
{
	struct weir_fdt_prop prop;

	return weir_fdt_prop(fdt, node, name, &prop);
}

uint32_t weir_fdt_cell(const struct weir_fdt_prop *prop, uint32_t index)
{
	return index < prop->size / 4 ? load_be32(prop->data + (size_t)index * 4) : 0;
}

uint64_t weir_fdt_cells(const struct weir_fdt_prop *prop, uint32_t index, uint32_t count)
{
	uint64_t value = weir_fdt_cell(prop, index);

	return count == 1 ? value : value << 32 | weir_fdt_cell(prop, index + 1);
}

int weir_fdt_u32(struct weir_fdt *fdt, const struct weir_fdt_node *node, const char *name,
		 uint32_t *value)
{
	struct weir_fdt_prop prop;

	if (!weir_fdt_prop(fdt, node, name, &prop))
		return -WEIR_ENOENT;
	if (prop.size != 4)
		return weir_fdt_fail(fdt, node, name, "is not one cell");
	*value = weir_fdt_cell(&prop, 0);
	return 0;
}

int weir_fdt_string_index(const struct weir_fdt_prop *prop, const char *string)
{
	uint32_t at = 0;

	for (int index = 0; at < prop->size; index++) {
		uint32_t len = bounded_length(prop->data + at, prop->size - at);

		if (len == prop->size - at)
			break; /* the last one does not end: it is none */
		if (same((const char *)prop->data + at, string))
			return index;
		at += len + 1;
	}
	return -WEIR_ENOENT;
}

/* ---- Errors ------------------------------------------------------------------------------ */

int weir_fdt_fail(struct weir_fdt *fdt, const struct weir_fdt_node *node, const char *property,
		  const char *what)
{
	fdt->error = what;
	fdt->error_property = property;
	fdt->error_has_node = true;
	fdt->error_node = *node;
	return -WEIR_EINVAL;
}

void weir_fdt_explain(const struct weir_fdt *fdt, char *buf, size_t size)
{
	char path[128];

	if (!fdt->error_has_node) {
		weir_snprintf(buf, size, "%s (byte %u)", fdt->error, fdt->error_offset);
		return;
	}
	weir_fdt_path(fdt, &fdt->error_node, path, sizeof(path));
	weir_snprintf(buf, size, "%s: %s%s%s", path,
		      fdt->error_property ? fdt->error_property : "",
		      fdt->error_property ? ": " : "", fdt->error);
}

int weir_fdt_log(struct weir *weir, const struct weir_fdt *fdt)
{
	char what[224];

	weir_fdt_explain(fdt, what, sizeof(what));
	weir_log(weir, WEIR_LOG_ERR, "device tree: %s", what);
	return -WEIR_EINVAL;
}
