/* SPDX-License-Identifier: MIT */
#ifndef WEIR_MODELS_SMMUV3_LANE_H
#define WEIR_MODELS_SMMUV3_LANE_H

/*
 * Flights, and the front of the translation cache: what makes a hit cheap, and CMD_SYNC exact.
 *
 * Each thread has a lane of the model to itself: a word that says since when it has a transaction
 * in flight, a direct-mapped cache of whole answers, and the contexts that it used last. So a hit
 * writes nothing that another thread reads or writes, except that word.
 *
 * The epoch counts whatever may change an answer: invalidations, changes of registers, CMD_SYNC. A
 * change goes
 *
 *     epoch |= CHANGING;  take out of the shared caches what is invalid;  epoch += STEP, unchanging
 *
 * A transaction works in the epoch in which it began. What it learnt is kept, in its lane or in a
 * shared cache, if the epoch is still the same and nothing is changing; what a lane keeps counts
 * in its own epoch alone. So nothing that was found by means of something older than an
 * invalidation outlives it.
 *
 * CMD_SYNC (3.21.1, 4.7.3) completes when no flight of an epoch before its own is left: these alone
 * can use what was invalidated. It is Dekker's problem: a flight writes its lane and then reads the
 * epoch and the caches; CMD_SYNC writes the epoch and then reads the lanes; one has to see the
 * other. A full barrier in each transaction is several times the cost of the rest, so:
 *
 *   FENCED is set in the epoch: flights begin and land with a locked exchange.
 *   It is not: flights write the lane with a plain store; CMD_SYNC sets FENCED, and then makes
 *   every CPU of the process pass a barrier (membarrier(2)).
 *
 * A flight reads the epoch twice: for its lane, which so never looks younger than it is, and behind
 * the store of that. If the second read finds no FENCED the store was made before the barrier of
 * any CMD_SYNC to come, and is seen; else the flight begins again, with an exchange. A lane that
 * flew for a while without a change takes FENCED away. So busy invalidation costs the transactions
 * a barrier each, and no one a system call; without invalidation transactions cost no barrier.
 * Where there is no membarrier, and under the thread sanitizer, which cannot see it, FENCED stays
 * for ever.
 *
 * Landing is the same problem: a flight clears its lane and then reads sync_waiting; step() sets
 * sync_waiting and then reads the lanes. Where step() finds a lane taken without a barrier it
 * calls membarrier and looks again. As long as sync_waiting stays set that holds for all CMD_SYNCs.
 *
 * Threads beyond SMMU_LANES, and transactions that another thread completes, fly in the crowd: two
 * counters under a lock, of the young and of the old. A CMD_SYNC asks for a turn: the young become
 * the old, and new flights the young, as soon as nobody old is left. Its own flights are gone when
 * those that were young when it began are the old no more, or none of them is left. Turns are
 * numbered, and none is asked for twice: so any number of queues may wait, each with a CMD_SYNC of
 * its own (3.5.6.1), and a later one never lets an earlier one wait longer. Of the crowd one may
 * wait for flights that began after it, but before its turn was made.
 *
 * While a performance monitor counts (10.2), COUNTING is set in the epoch, which no answer of a
 * front has: they all miss, and it costs those that are not counted nothing to be asked. The number
 * of the configuration has a flag too: a transaction is counted if it sees that, and then its
 * contexts, which hold for that number alone, let no walk be a quick one.
 */

#include <pthread.h>

#include "base/thread.h"
#include "smmuv3/tables.h"

#define SMMU_LANES WEIR_MODEL_THREADS
#define SMMU_CONTEXTS 16u
#define SMMU_FRONT 2048u /* entries of a lane's cache */

/*
 * The epoch: a count in steps, and flags. Below them is room for the attributes of an answer.
 */
#define SMMU_EPOCH_STEP WEIR_BIT(16)
#define SMMU_EPOCH_FENCED WEIR_BIT(15)
#define SMMU_EPOCH_CHANGING WEIR_BIT(14)
#define SMMU_EPOCH_COUNT (~(SMMU_EPOCH_STEP - 1))
#define SMMU_EPOCH_COUNTING WEIR_BIT(13)
#define SMMU_ATTRIBUTES (SMMU_EPOCH_COUNTING - 1)

/* Of the number of the configuration. */
#define SMMU_CONFIG_COUNTING WEIR_BIT(63)

/* Of a lane's word: its flight began with a barrier. */
#define SMMU_LANE_BARRIER WEIR_BIT(0)

/* An answer. Key: page and flags; stream, substream and attributes as they came. */
struct smmu_front_entry {
	uint64_t key[2];
	uint64_t distance; /* page in, exclusive-or page out */
	uint64_t epoch;	   /* in which it holds, flags clear; and the attributes */
};

struct smmu_counters {
	/* Transactions: answered by the front, by a walk before all else, and all others. */
	uint64_t hits, at_once, others;
	uint64_t blocked, tlb_lookups, tlb_hits, walks, ste_fetches, cd_fetches;
};

struct smmu_lane {
	/* 0, or the outermost flight's epoch (its flags mean nothing), and BARRIER. */
	uint64_t busy;
	/* The rest is the thread's own; of counters, others read. */
	uint32_t depth;	 /* flights; a transaction's write may cause others on its way */
	bool shared;	 /* the crowd: depth is under crowd_lock; else counters alone are used */
	uint32_t streak; /* fenced flights since `streak_epoch` */
	uint64_t streak_epoch;
	struct smmu_counters counters;
	struct smmu_context contexts[SMMU_CONTEXTS];
	struct smmu_front_entry front[]; /* SMMU_FRONT of them; the crowd has none */
} __attribute__((aligned(128)));

struct smmu_flights {
	/*
	 * By number of the thread, plus one; 0 is of those that have none. A lane that may have an
	 * answer in its front, or one of the crowd, which is always busy.
	 */
	struct smmu_lane *fronts[1 + SMMU_LANES] __attribute__((aligned(128)));
	/* All lanes; NULL: there is none. */
	struct smmu_lane *lanes[1 + SMMU_LANES];
	uint64_t epoch __attribute__((aligned(128)));
	/* Odd while configuration changes; a context of another number is not used. */
	uint64_t config_epoch;
	uint32_t sync_waiting; /* the next flight that lands kicks */
	/* step()'s alone: CMD_SYNCs that wait; was a barrier passed since sync_waiting was set? */
	unsigned int syncs;
	bool sync_barrier;
	bool asymmetric; /* membarrier works */
	pthread_mutex_t crowd_lock;
	uint64_t crowd_turns, crowd_asked; /* made, and asked for: the same, or one more */
	struct smmu_lane *crowd[2]; /* young after an even, and after an odd number of turns */
};

/* A CMD_SYNC that waits for flights; all zero: none. */
struct smmu_sync {
	uint64_t epoch; /* its own */
	uint64_t turn;	/* which makes its flights of the crowd the old */
	bool landed;	/* all of them: it waits for other things */
};

/*
 * What complete() gets: the lane, and in bit 0 whether the flight has to land with more than a
 * plain store: inside another, with a barrier, or of the crowd.
 */
#define SMMU_FLIGHT_UNCOMMON ((uintptr_t)1)

static inline struct smmu_lane *smmu_flight_lane(uintptr_t flight)
{
	return (struct smmu_lane *)(flight & ~SMMU_FLIGHT_UNCOMMON);
}

/* The calling thread's lane if its front has answers, else one that is busy. */
static inline struct smmu_lane *smmu_own_front(const struct smmu_flights *flights)
{
	return __atomic_load_n(&flights->fronts[weir_model_thread_tls], __ATOMIC_RELAXED);
}

/* The calling thread's lane; NULL: it has none yet. */
static inline struct smmu_lane *smmu_own_lane(const struct smmu_flights *flights)
{
	/* Its own store, or that of the number's owner before it: ordered by thread.c. */
	return __atomic_load_n(&flights->lanes[weir_model_thread_tls], __ATOMIC_RELAXED);
}

/*
 * Takes a lane without a barrier. False: there is a flight up. Otherwise *epoch counts for what the
 * flight finds, unless it is FENCED: then this was no begin; weir_model_smmu_end() takes it back,
 * for CMD_SYNC may wait for it already, and weir_model_smmu_begin() does it.
 */
static inline bool smmu_begin_common(const struct smmu_flights *flights, struct smmu_lane *lane,
				     uint64_t *epoch)
{
	uint64_t now = __atomic_load_n(&flights->epoch, __ATOMIC_ACQUIRE);

	/* Nobody else writes it. */
	if (WEIR_UNLIKELY(lane->busy))
		return false;
	__atomic_store_n(&lane->busy, now, __ATOMIC_RELAXED);
	/* Keeps the compiler from moving the load up; the processor's part is membarrier()'s. */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	*epoch = __atomic_load_n(&flights->epoch, __ATOMIC_ACQUIRE);
	return true;
}

/* A flight that began so lands so. True: the caller has to kick (weir_model_smmu_kick_landed()). */
static inline bool smmu_end_common(const struct smmu_flights *flights, struct smmu_lane *lane)
{
	__atomic_store_n(&lane->busy, 0, __ATOMIC_RELEASE);
	/* As above: the flag is read after the lane is clear. */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return WEIR_UNLIKELY(__atomic_load_n(&flights->sync_waiting, __ATOMIC_ACQUIRE));
}

#endif
