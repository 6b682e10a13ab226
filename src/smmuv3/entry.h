/* SPDX-License-Identifier: MIT */
#ifndef WEIR_SMMUV3_ENTRY_H
#define WEIR_SMMUV3_ENTRY_H

/*
 * Changing an entry of eight words that the SMMU may read at any moment: a stream table entry (5.2)
 * or a context descriptor (5.4).
 *
 * The SMMU reads words of 64 bits, each whole, in any order, whenever it likes, valid or not, and
 * may keep what it read until it is told otherwise (3.21.3). So between two syncs it may hold, of
 * each word, any value that the word has had since the first of them, independently of the other
 * words. A change is hitless if each such mixture means what the entry meant before, or what it is
 * to mean.
 *
 * What an entry means is decided by some of its bits; the SMMU ignores the rest (5.2, 5.4: which
 * depends on V, Config, S1CDMax, EPD0, ...). weir_smmuv3_entry_used_fn says which they are. Let
 * `old` be what is there and `new` what is wanted.
 *
 * - A bit that `old` does not use may be written at any time before it counts: preset.
 * - A word is critical if `old` and `new` both use a bit of it that differs.
 * - None is critical: they mean the same, and nothing is written.
 * - One is: preset in all other words what `new` uses and `old` does not; sync; write the critical
 *   word; sync. Where nothing had to be preset the first sync is not needed.
 * - More are: the first mixture that means `new` has to differ from all that mean `old` in each of
 *   them, which no single write does. Word 0 without V; sync: now it is an entry that uses V alone,
 *   in which word 0 is critical and all else is preset. In between it means "invalid", which
 *   blocks.
 *
 * Two things are not in the words of one entry.
 *
 * - What an STE leads to is kept by StreamID and SubstreamID, apart from the STE (5.4.1, 16.2), and
 *   goes with it (4.3.1), not before. Until that sync a context descriptor that was found through
 *   `old` may be used with `new`, or the other way round. Where both translate at stage 1 this is
 *   harmless as long as they read it alike, for the same transactions: these get the translations
 *   of one of the two. Else it is not. Where one is nested, the guest's descriptor, with IPAs in
 *   it, would be used without stage 2; where one has substreams and the other has none, the first
 *   descriptor may be substream 0's with one and everybody's with the other (S1DSS).
 *   weir_smmuv3_entry_apart_fn says so, and the change goes by way of "invalid", under which
 *   nothing can be found.
 * - After a sync that failed the SMMU may hold anything that the entry has said since the last one
 *   that did not, which memory no longer shows. `unsure` remembers it: the next change begins with
 *   word 0 without V and a sync, whatever the words are.
 *
 * Bits that `new` does not use stay what they were: to clear them would take one more sync before
 * they may be used again. They mean nothing, and the next change looks at the whole of the entry.
 * Bits that are RES0 always are never used, hence never written. A field that is RES0 because of
 * another one counts as used: an SMMU may insist on it (chapter 5).
 *
 * What TLBs keep of an entry's fields (5.2.1, 5.4.1), what ATCs keep, and the order in which EATS
 * and a device's ATS change (3.9.2) are the caller's.
 */

#include <weir/base.h>

#define WEIR_SMMUV3_ENTRY_WORDS 8u

/*
 * The bits of `entry` that decide what it means. Pure, and decided by the bits that it names. Of an
 * entry of zeroes, which is invalid, they are V alone, in word 0.
 */
typedef void weir_smmuv3_entry_used_fn(const uint64_t *entry, uint64_t *used);

/* Must nothing that was found through `old` be used with `new`, or the other way round? Pure. */
typedef bool weir_smmuv3_entry_apart_fn(const uint64_t *old, const uint64_t *new);

/*
 * The two kinds that there are (entry.c): entries of the Non-secure stream table, and the context
 * descriptors that those with StreamWorld NS-EL1 or EL2-E2H lead to (others have no EPDx).
 */
weir_smmuv3_entry_used_fn weir_smmuv3_ste_used, weir_smmuv3_cd_used;
weir_smmuv3_entry_apart_fn weir_smmuv3_ste_apart;

/* How an entry is reached: who knows which SMMUs may have cached it, and how to tell them. */
struct weir_smmuv3_entry_writer {
	weir_smmuv3_entry_used_fn *used;
	weir_smmuv3_entry_apart_fn *apart; /* NULL: it leads to nothing that is kept */
	/* The last sync of this entry failed. Kept for each entry, from change to change. */
	bool unsure;
	/* One word of the entry, whole, visible to the SMMU before what follows. */
	void (*write)(struct weir_smmuv3_entry_writer *writer, unsigned int word, uint64_t value);
	/*
	 * No copy of the entry from before this call is used any more, nor what was found through
	 * one: CMD_CFGI_STE, or CMD_CFGI_CD for each stream and substream that leads to it;
	 * CMD_SYNC. 0, -WEIR_ETIMEDOUT, ...
	 */
	int (*sync)(struct weir_smmuv3_entry_writer *writer);
};

/*
 * Make `entry` mean what `wanted` means; in effect on return. `hitless` (or NULL): nothing was
 * blocked on the way that both let through; false too if it began `unsure`. An error of sync() ends
 * it: `unsure` is set, and the entry means, for all that is known, any of old, new and invalid. To
 * block it, change it to zeroes. The caller serialises changes of one entry. TASK.
 */
int weir_smmuv3_entry_change(struct weir_smmuv3_entry_writer *writer, const uint64_t *entry,
			     const uint64_t *wanted, bool *hitless);

#endif
