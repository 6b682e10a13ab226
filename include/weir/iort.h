/* SPDX-License-Identifier: MIT */
#ifndef WEIR_IORT_H
#define WEIR_IORT_H

/*
 * A reader of ACPI's IO Remapping Table (Arm DEN 0049, up to E.f, which is revision 6 of the
 * table). It says which IOMMU and which interrupt translation service a device is behind, by what
 * ID they know it, and which memory firmware wants kept mapped. weir finds its IOMMUs with it; a
 * host that describes its devices itself finds their stream IDs with it, before weir_init(): it
 * needs nothing but the table.
 *
 * The table is a list of nodes. Each has a type, and ID mappings: what goes into the node as one
 * ID comes out of it as another and goes into the next node, from a device (a PCI root complex, a
 * named component) through at most one IOMMU, where the ID is a StreamID, to a group of ITSs, where
 * it is a DeviceID.
 *
 *   struct weir_iort iort;
 *   struct weir_iort_node smmu;
 *   uint32_t stream;
 *
 *   if (weir_iort_open(table, size, &iort))
 *           return weir_iort_log(weir, &iort);
 *   switch (weir_iort_pci_stream(&iort, segment, requester_id, &smmu, &stream)) {
 *   case -WEIR_ENOENT:
 *           ... there is no IOMMU between the function and memory ...
 *
 * The table is not trusted, nor aligned. weir_iort_open() reads all of it once: header, checksum,
 * that the nodes follow each other and end inside. Each reader after it checks bounds again, and
 * loads each field once. The table does not change meanwhile. Nothing is allocated, nothing
 * recurses, and what follows references gives up after WEIR_IORT_MAX_STEPS of them.
 *
 * What firmware newer than this reader says: a node of an unknown type is passed over; of a known
 * one's later revision what is known is read, for revisions add fields behind those that are there.
 *
 * Errors: -WEIR_ENOENT: there is no such thing, as there need not be. -WEIR_EINVAL: the table is
 * wrong; `iort` then remembers what and where for weir_iort_log(). -WEIR_EOPNOTSUPP: the table may
 * be right, but a device's way leads through a node that this reader cannot follow; remembered as
 * well. What a function returns through pointers is unchanged after an error, unless it says
 * otherwise. One thread at a time for each struct weir_iort; any context.
 */

#include <weir/base.h>

WEIR_BEGIN_DECLS

struct weir;

/* Nodes that an ID may go through, the first included. Real tables have three at most. */
#define WEIR_IORT_MAX_STEPS 8

enum weir_iort_type {
	WEIR_IORT_ITS_GROUP = 0,
	WEIR_IORT_NAMED = 1,
	WEIR_IORT_ROOT = 2,
	WEIR_IORT_SMMU = 3, /* versions 1 and 2 */
	WEIR_IORT_SMMUV3 = 4,
	WEIR_IORT_PMCG = 5, /* a group of performance counters */
	WEIR_IORT_RMR = 6,  /* reserved memory */
};

/* A node's header. All zeroes: before the first one. */
struct weir_iort_node {
	uint32_t offset; /* in the table: what references to it say */
	uint32_t index;	 /* 1: the first */
	uint32_t size;
	uint32_t type; /* enum weir_iort_type, or one that was added later */
	uint32_t revision;
	uint32_t identifier;
	uint32_t mappings;	  /* how many */
	uint32_t mappings_offset; /* from the node; not checked before a mapping is read */
};

struct weir_iort {
	const uint8_t *table;
	uint32_t size, revision; /* the table's */
	uint32_t nodes, first;	 /* how many, and where the first begins */
	/* The last -WEIR_EINVAL or -WEIR_EOPNOTSUPP: what, at which byte, in which node. */
	const char *error;
	uint32_t error_offset;
	struct weir_iort_node error_node; /* index 0: none */
};

/*
 * What the header at `table` (8 bytes of it are read) says of the size of the whole; 0: no IORT.
 * For whoever was given a pointer alone; it is as good as who gave it.
 */
size_t weir_iort_size(const void *table);
/* -WEIR_EINVAL; even then `iort` can be given to weir_iort_log(). */
int weir_iort_open(const void *table, size_t size, struct weir_iort *iort);
/* "SMMUv3 at byte 72: its ID mappings ... (byte 80)" into buf: what the last error was about. */
void weir_iort_explain(const struct weir_iort *iort, char *buf, size_t size);
/* The same as an error in the log. Returns -WEIR_EINVAL. */
int weir_iort_log(struct weir *weir, const struct weir_iort *iort);
/* "SMMUv3", "root complex", ...; "node of an unknown type". */
const char *weir_iort_type_name(uint32_t type);

/* ---- Nodes ------------------------------------------------------------------------------- */

/* The next node after `node`, in the table's order. false: none; `node` is unchanged. */
bool weir_iort_next(const struct weir_iort *iort, struct weir_iort_node *node);
/* The same, of this type. */
bool weir_iort_next_type(const struct weir_iort *iort, struct weir_iort_node *node, uint32_t type);
/* The node that begins at this byte of the table. */
bool weir_iort_at(const struct weir_iort *iort, uint32_t offset, struct weir_iort_node *node);
/* The named component with exactly this path, "\\_SB.COM0". -WEIR_ENOENT, -WEIR_EINVAL. */
int weir_iort_by_name(struct weir_iort *iort, const char *name, struct weir_iort_node *node);

/*
 * The readers of what a node says. `node` is of the type in their name. -WEIR_EINVAL: it is too
 * small for its revision, or something in it reaches out of it.
 */

struct weir_iort_smmuv3 {
	uint64_t base;
	uint64_t vatos; /* 0: none */
	uint32_t model; /* 0: generic, 1: HiSilicon Hi161x, 2: Cavium CN99xx */
	bool coherent;	/* overrides SMMU_IDR0.COHACC */
	uint32_t httu;	/* overrides SMMU_IDR0.HTTU, in its encoding */
	bool has_proximity;
	uint32_t proximity;
	uint32_t event, pri, gerror, sync; /* wired interrupts (GSIVs); 0: none */
	/* Which ID mapping has the DeviceID of its own messages, if the GSIVs are not all there. */
	bool has_msi_index;
	uint32_t msi_index;
};
int weir_iort_smmuv3(struct weir_iort *iort, const struct weir_iort_node *node,
		     struct weir_iort_smmuv3 *smmu);

/* How a device's accesses to memory are. */
struct weir_iort_memory {
	bool coherent; /* CCA: they are coherent with the CPUs' caches */
	bool path;     /* CPM: there is a coherent path from it to memory */
	bool cached; /* DACS: they are inner and outer write-back, inner shareable by themselves */
	bool any;    /* CANWBS: those that are not are coherent as well (E.f) */
	uint32_t hints; /* WEIR_IORT_HINT_* */
};
#define WEIR_IORT_HINT_TRANSIENT 1
#define WEIR_IORT_HINT_WRITE_ALLOCATE 2
#define WEIR_IORT_HINT_READ_ALLOCATE 4
#define WEIR_IORT_HINT_OVERRIDE 8

struct weir_iort_root {
	struct weir_iort_memory memory;
	uint32_t segment;
	uint32_t address_bits; /* that it can reach memory with, up to 64; 0: it does not say */
	bool ats, pri;
	bool pasid_forward; /* it sends PASIDs with translated requests, too */
	bool pasid;
	uint32_t pasid_bits; /* at most; 0 without `pasid` */
};
int weir_iort_root(struct weir_iort *iort, const struct weir_iort_node *node,
		   struct weir_iort_root *root);

struct weir_iort_named {
	const char *name; /* in the table, terminated there */
	struct weir_iort_memory memory;
	uint32_t address_bits; /* as of a root complex */
	bool stall;	       /* its transactions may stall */
	uint32_t pasid_bits;   /* 0: it has no PASIDs */
};
int weir_iort_named(struct weir_iort *iort, const struct weir_iort_node *node,
		    struct weir_iort_named *named);

/* The ID (as in the MADT) of the index-th ITS of a group. -WEIR_ENOENT: no more. -WEIR_EINVAL. */
int weir_iort_its(struct weir_iort *iort, const struct weir_iort_node *node, uint32_t index,
		  uint32_t *id);

/* Memory that firmware wants kept mapped, at its own address, for the streams mapped to it. */
struct weir_iort_rmr {
	bool may_remap;	     /* it may be mapped at another address once its owner agrees */
	bool privileged;     /* needs privileged access */
	uint32_t attributes; /* WEIR_IORT_RMR_* */
	uint32_t ranges;     /* how many */
};
enum {
	WEIR_IORT_RMR_NGNRNE = 0,
	WEIR_IORT_RMR_NGNRE = 1,
	WEIR_IORT_RMR_NGRE = 2,
	WEIR_IORT_RMR_GRE = 3,
	WEIR_IORT_RMR_NON_CACHEABLE = 4,
	WEIR_IORT_RMR_WRITE_BACK = 5, /* inner and outer, inner shareable */
	/* Not said (before revision 3 of the node), or none of the above. */
	WEIR_IORT_RMR_UNKNOWN = 0x100,
};
int weir_iort_rmr(struct weir_iort *iort, const struct weir_iort_node *node,
		  struct weir_iort_rmr *rmr);
/*
 * Its index-th range, as firmware has it: the specification wants 64 KiB as alignment and unit, but
 * not every table keeps to it. -WEIR_ENOENT: no more. -WEIR_EINVAL: it is empty or goes beyond the
 * last address; those behind it can still be read. Or none can, which weir_iort_rmr() said already.
 */
int weir_iort_rmr_range(struct weir_iort *iort, const struct weir_iort_node *node, uint32_t index,
			uint64_t *base, uint64_t *size);

/* ---- ID mappings (iort-map.c) ------------------------------------------------------------ */

/* The IDs `input` to `input + last` come out as `output` to `output + last`. */
struct weir_iort_mapping {
	uint32_t input, output;
	uint32_t last;	    /* one less than the number of IDs */
	uint32_t reference; /* of the node that they go into */
	bool single;	    /* the node sends `output` alone; input and last are 0 */
};
/* The index-th of a node. -WEIR_ENOENT: no more. -WEIR_EINVAL. */
int weir_iort_mapping(struct weir_iort *iort, const struct weir_iort_node *node, uint32_t index,
		      struct weir_iort_mapping *mapping);

/*
 * One step: into which node, and as what, `id` goes from `node`. The first mapping with it counts;
 * but an ID that is the last of that range and the first of a later one belongs to the later, for
 * there is firmware that writes the number of IDs where one less is meant. A single mapping takes
 * every ID of a root complex or a named component, and none of another node. -WEIR_ENOENT: no
 * mapping has it. -WEIR_EINVAL.
 */
int weir_iort_step(struct weir_iort *iort, const struct weir_iort_node *node, uint32_t id,
		   struct weir_iort_node *to, uint32_t *out);
/*
 * As many steps as it takes to a node of `type` (an SMMUv3 or a group of ITSs); none if `node` is
 * one. -WEIR_ENOENT: the way ends before. -WEIR_EOPNOTSUPP: it goes through a node of an unknown
 * type, or on the way to an SMMUv3 through an older SMMU. -WEIR_EINVAL.
 */
int weir_iort_walk(struct weir_iort *iort, const struct weir_iort_node *node, uint32_t id,
		   uint32_t type, struct weir_iort_node *to, uint32_t *out);

/*
 * The StreamID of a PCI function at its SMMUv3, by its requester ID (or the alias that a bridge
 * gives it); its DeviceID at its group of ITSs. If there are several root complexes of one segment,
 * the first that has the ID. Errors as of weir_iort_walk().
 */
int weir_iort_pci_stream(struct weir_iort *iort, uint32_t segment, uint16_t requester,
			 struct weir_iort_node *smmu, uint32_t *stream);
int weir_iort_pci_msi(struct weir_iort *iort, uint32_t segment, uint16_t requester,
		      struct weir_iort_node *its, uint32_t *device);

/*
 * The index-th of the IDs that a named component sends by itself, of those that lead to a node of
 * `type`: its StreamIDs, or DeviceIDs. (What has ranges as well, or instead, takes IDs from a bus
 * below it: weir_iort_walk().) Errors as of weir_iort_walk().
 */
int weir_iort_own_id(struct weir_iort *iort, const struct weir_iort_node *node, uint32_t index,
		     uint32_t type, struct weir_iort_node *to, uint32_t *out);

/*
 * The DeviceID that an SMMUv3's own messages have, and at which group of ITSs. -WEIR_ENOENT: the
 * table tells none, as for one whose interrupts are wired. Other errors as of weir_iort_walk().
 */
int weir_iort_smmuv3_msi(struct weir_iort *iort, const struct weir_iort_node *smmu,
			 struct weir_iort_node *its, uint32_t *device);

/*
 * The next RMR after `rmr` that is for this stream of this SMMU. After an error `rmr` is the last
 * that was looked at. -WEIR_ENOENT: no more. -WEIR_EINVAL: this one is wrong, and may be for the
 * stream; the search can go on behind it.
 */
int weir_iort_next_rmr(struct weir_iort *iort, const struct weir_iort_node *smmu, uint32_t stream,
		       struct weir_iort_node *rmr);

WEIR_END_DECLS

#endif
