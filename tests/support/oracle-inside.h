/* SPDX-License-Identifier: MIT */
#ifndef TESTS_ORACLE_INSIDE_H
#define TESTS_ORACLE_INSIDE_H

/*
 *   oracle.c             a transaction's way, its end, its record
 *   oracle-config.c      stream table entries and context descriptors
 *   oracle-walk.c        translation tables of both stages
 *   oracle-attributes.c  memory attributes
 *
 * All state is of one transaction, and lives on the stack of oracle_translate().
 */

#include "oracle.h"

enum oracle_world { WORLD_EL1, WORLD_EL2, WORLD_EL2_E2H };

/* Event numbers (7.3). */
enum {
	C_BAD_STREAMID = 0x02,
	F_STE_FETCH = 0x03,
	C_BAD_STE = 0x04,
	F_BAD_ATS_TREQ = 0x05,
	F_STREAM_DISABLED = 0x06,
	F_TRANSL_FORBIDDEN = 0x07,
	C_BAD_SUBSTREAMID = 0x08,
	F_CD_FETCH = 0x09,
	C_BAD_CD = 0x0a,
	F_WALK_EABT = 0x0b,
	F_TRANSLATION = 0x10,
	F_ADDR_SIZE = 0x11,
	F_ACCESS = 0x12,
	F_PERMISSION = 0x13,
};

enum oracle_class { CLASS_CD = 0, CLASS_TT = 1, CLASS_IN = 2 };

struct oracle_fault {
	unsigned int type;
	bool stage2;
	enum oracle_class class;
	uint64_t ipa, fetch;
	bool table_write;  /* the write of a stage 1 descriptor was refused: TTRnW == 0 */
	bool read_refused; /* an atomic may write, and may not read (13.1.1) */
};

/* 5.2: fields by the names there, as effective values where the text defines them. */
struct oracle_ste {
	unsigned int config, s1fmt, s1cdmax, s1dss, eats, strw;
	uint64_t s1contextptr;
	unsigned int memattr, alloccfg, shcfg, privcfg, instcfg;
	bool mtcfg, s1stalld, s2fwb;
	unsigned int s2vmid, s2t0sz, s2sl0, s2tg, s2ps, s2sh0;
	bool s2aa64, s2endi, s2affd, s2ptw, s2hd, s2ha, s2s, s2r, s2ds;
	uint64_t s2ttb;
	enum oracle_world world;
};

/* 5.4. Index 0, 1: of TTB0, TTB1. */
struct oracle_cd {
	unsigned int tsz[2], tg[2], sh[2], ips, asid;
	uint64_t ttb[2], mair;
	bool epd[2], tbi[2], had[2], e0pd[2];
	bool endi, v, affd, wxn, pan, aa64, hd, ha, s, r, a, ds;
};

/* Attributes of memory, taken apart (13.1.1). Index 0: inner, 1: outer. */
enum oracle_cacheability { CACHE_WB, CACHE_WT, CACHE_NC }; /* in order of strength */
struct oracle_attributes {
	bool device;
	unsigned int device_type; /* 0 nGnRnE ... 3 GRE */
	enum oracle_cacheability cache[2];
	bool ra[2], wa[2], tr[2];
	unsigned int sh; /* 0 NSH, 2 OSH, 3 ISH */
	bool unsure;
};

/* The tables of one stage. */
struct oracle_table {
	bool stage2;
	unsigned int granule; /* log2 of its size */
	bool ds, big_endian, had;
	unsigned int input_bits, output_bits;
	int start;
	uint64_t base;
};

/* A final descriptor, and what was on the way to it. */
struct oracle_leaf {
	uint64_t descriptor, addr; /* addr: the physical address of the descriptor */
	uint64_t ipa;		   /* the address that the tables gave it */
	uint64_t output;
	unsigned int size;		     /* log2 of what it maps */
	bool no_unpriv, read_only, pxn, uxn; /* by the tables above it */
};

/* What may be done with a page at one privilege level. */
struct oracle_rights {
	bool r, w, x;
	bool clean; /* w because hardware will make it dirty */
};

struct oracle {
	const struct oracle_regs *regs;
	const struct oracle_memory *memory;
	const struct weir_model_txn *txn;
	uint32_t choices;
	struct oracle_result *out;

	unsigned int minor, oas, ias;
	/* Of the transaction, after the overrides of the STE. */
	bool read, write, inst, priv, ssv, ats, exe;
	struct oracle_ste ste;
	struct oracle_cd cd;
	bool has_cd;		/* stage 1 translates: its faults are the CD's to configure */
	unsigned int committed; /* updates before those that stage 1's final descriptor needs */
	bool updated_stage2[ORACLE_UPDATES];
	struct oracle_attributes attributes;
	bool attributes_unsure;
};

static inline uint64_t oracle_low(unsigned int bits)
{
	return bits >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << bits) - 1;
}

/* Bits hi to lo of a structure, numbered as the specification does; within one word. */
static inline uint64_t oracle_field(const uint64_t *words, unsigned int hi, unsigned int lo)
{
	return words[lo / 64] >> lo % 64 & oracle_low(hi - lo + 1);
}

static inline bool oracle_idr(const struct oracle *o, unsigned int n, unsigned int bit)
{
	return o->regs->idr[n] >> bit & 1;
}

static inline bool oracle_fails(struct oracle_fault *fault, unsigned int type)
{
	fault->type = type;
	return false;
}

/* Whether it depends on this choice, and how it is to be. */
static inline bool oracle_chooses(struct oracle *o, uint32_t choice)
{
	o->out->choices |= choice;
	return o->choices & choice;
}

/*
 * oracle.c: a word as hardware has left it. One that hardware has updated, or may have, is read
 * again only as what it was: a final descriptor of stage 2; else nothing is certain.
 */
bool oracle_load(struct oracle *o, uint64_t addr, uint64_t *value);
bool oracle_load_descriptor(struct oracle *o, uint64_t addr, bool stage2, uint64_t *value);
void oracle_updates(struct oracle *o, uint64_t addr, bool stage2, uint64_t must, uint64_t may);
/* The updates from `first` on: hardware may make them, or not. */
void oracle_may_be(struct oracle *o, unsigned int first);

/* oracle-config.c: false: `fault` says why, type 0 for an end without a record. */
bool oracle_find_ste(struct oracle *o, struct oracle_fault *fault);
bool oracle_find_cd(struct oracle *o, uint32_t index, struct oracle_fault *fault);
unsigned int oracle_granule(bool second, unsigned int tg); /* log2; 0: reserved */
unsigned int oracle_output_bits(const struct oracle *o, unsigned int ps);
int oracle_s2_start(const struct oracle *o, const struct oracle_ste *ste);

/* oracle-walk.c */
enum oracle_purpose { FOR_CD, FOR_TABLE_READ, FOR_TABLE_WRITE, FOR_ACCESS };
bool oracle_stage1(struct oracle *o, uint64_t va, uint64_t *ipa, struct oracle_fault *fault);
bool oracle_stage2(struct oracle *o, uint64_t ipa, enum oracle_purpose purpose, uint64_t *pa,
		   struct oracle_fault *fault);
/* The ATS Translation Request: what is granted goes to o->out->ats (13.7.1). */
bool oracle_request(struct oracle *o, bool stage1, bool stage2, struct oracle_fault *fault);

/* oracle-attributes.c */
void oracle_attributes_in(struct oracle *o);
void oracle_override(struct oracle *o, bool mtcfg, unsigned int memattr, unsigned int alloccfg,
		     unsigned int shcfg);
void oracle_attributes_stage1(struct oracle *o, uint64_t descriptor, bool sh_of_cd,
			      unsigned int sh);
void oracle_attributes_stage2(struct oracle *o, uint64_t descriptor, bool sh_of_ste,
			      unsigned int sh);
bool oracle_stage2_device(const struct oracle *o, uint64_t descriptor);
void oracle_attributes_out(struct oracle *o);

#endif
