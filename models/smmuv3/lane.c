/* SPDX-License-Identifier: MIT */

/* Flights and epochs: everything but the common way of a hit. -> lane.h */

#include "smmuv3/internal.h"

#include <stdlib.h>

#ifdef __linux__
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

/* Fenced flights in one epoch before a lane asks for none. */
#define STREAK 1024u

#if defined(__SANITIZE_THREAD__)
#define THREAD_SANITIZER 1
#elif defined(__has_feature)
#define THREAD_SANITIZER __has_feature(thread_sanitizer)
#else
#define THREAD_SANITIZER 0
#endif

/* ---- The barrier in all threads ---------------------------------------------------------- */

static bool register_barrier(void)
{
#if defined(__linux__) && !THREAD_SANITIZER
	return !syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
#else
	return false;
#endif
}

/* Every thread of the process passes a full barrier between the call and the return. */
static void barrier_everywhere(void)
{
#if defined(__linux__) && !THREAD_SANITIZER
	/* Once registered it does not fail. */
	(void)syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
#endif
}

/* ---- Epochs ------------------------------------------------------------------------------ */

/*
 * Writers of the epoch hold `lock`, but for the lanes that clear FENCED: hence the loops. Release:
 * who sees an epoch sees the caches as they were when it was opened; with the sequentially
 * consistent look at the lanes that follows in CMD_SYNC: lane.h.
 */
static uint64_t move_epoch(struct smmu_flights *flights, uint64_t add, uint64_t set, uint64_t clear)
{
	uint64_t old = __atomic_load_n(&flights->epoch, __ATOMIC_RELAXED), new;

	do {
		new = ((old & ~clear) | set) + add;
	} while (!__atomic_compare_exchange_n(&flights->epoch, &old, new, false, __ATOMIC_SEQ_CST,
					      __ATOMIC_RELAXED));
	return old;
}

void weir_model_smmu_change_begin(struct weir_model_smmuv3 *smmu, bool config)
{
	if (config)
		__atomic_add_fetch(&smmu->flights.config_epoch, 1, __ATOMIC_SEQ_CST);
	move_epoch(&smmu->flights, 0, SMMU_EPOCH_CHANGING, 0);
}

void weir_model_smmu_change_end(struct weir_model_smmuv3 *smmu, bool config)
{
	if (config)
		__atomic_add_fetch(&smmu->flights.config_epoch, 1, __ATOMIC_SEQ_CST);
	move_epoch(&smmu->flights, SMMU_EPOCH_STEP, 0, SMMU_EPOCH_CHANGING);
}

void weir_model_smmu_set_counting(struct weir_model_smmuv3 *smmu, bool on)
{
	struct smmu_flights *flights = &smmu->flights;

	weir_model_smmu_change_begin(smmu, true);
	move_epoch(flights, 0, on ? SMMU_EPOCH_COUNTING : 0, SMMU_EPOCH_COUNTING);
	if (on)
		__atomic_or_fetch(&flights->config_epoch, SMMU_CONFIG_COUNTING, __ATOMIC_SEQ_CST);
	else
		__atomic_and_fetch(&flights->config_epoch, ~SMMU_CONFIG_COUNTING, __ATOMIC_SEQ_CST);
	weir_model_smmu_change_end(smmu, true);
}

bool weir_model_smmu_epoch_current(const struct weir_model_smmuv3 *smmu, uint64_t epoch)
{
	uint64_t now = __atomic_load_n(&smmu->flights.epoch, __ATOMIC_SEQ_CST);

	return !(epoch & SMMU_EPOCH_CHANGING) && (now & ~SMMU_EPOCH_FENCED) == epoch;
}

/* ---- Flights ----------------------------------------------------------------------------- */

/* A lane that flew on with nothing changing needs no barriers; the next CMD_SYNC sets it again. */
static void count_streak(struct smmu_flights *flights, struct smmu_lane *lane, uint64_t epoch)
{
	if (lane->streak_epoch != epoch) {
		lane->streak_epoch = epoch;
		lane->streak = 0;
		return;
	}
	if (++lane->streak < STREAK || (epoch & SMMU_EPOCH_CHANGING))
		return;
	lane->streak = 0;
	__atomic_compare_exchange_n(&flights->epoch, &epoch, epoch & ~SMMU_EPOCH_FENCED, false,
				    __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

/*
 * The exchange and the load behind it are sequentially consistent, and so are CMD_SYNC's change of
 * the epoch and its load of this word: one sees the other.
 */
static uint64_t begin_fenced(struct smmu_flights *flights, struct smmu_lane *lane)
{
	uint64_t epoch = __atomic_load_n(&flights->epoch, __ATOMIC_RELAXED);

	__atomic_exchange_n(&lane->busy, epoch | SMMU_LANE_BARRIER, __ATOMIC_SEQ_CST);
	epoch = __atomic_load_n(&flights->epoch, __ATOMIC_SEQ_CST);
	if (flights->asymmetric && (epoch & SMMU_EPOCH_FENCED))
		count_streak(flights, lane, epoch);
	return epoch;
}

/* The lock orders the crowd with CMD_SYNC, which counts it under the same. */
static void leave_crowd(struct smmu_flights *flights, struct smmu_lane *lane)
{
	pthread_mutex_lock(&flights->crowd_lock);
	lane->depth--;
	pthread_mutex_unlock(&flights->crowd_lock);
}

/*
 * A flight inside another is covered by the outer one, which began before. Of the crowd,
 * find_lane() began it.
 */
static uintptr_t begin_uncommon(struct smmu_flights *flights, struct smmu_lane *lane,
				uint64_t *epoch)
{
	uint64_t now;

	if (lane->shared || lane->busy) {
		if (!lane->shared) /* the crowd's is under its lock */
			lane->depth++;
		now = __atomic_load_n(&flights->epoch, __ATOMIC_SEQ_CST);
	} else {
		now = begin_fenced(flights, lane);
	}
	*epoch = now & ~SMMU_EPOCH_FENCED;
	return (uintptr_t)lane | SMMU_FLIGHT_UNCOMMON;
}

/* True: as smmu_end_common(). */
static bool end_uncommon(struct smmu_flights *flights, uintptr_t flight)
{
	struct smmu_lane *lane = smmu_flight_lane(flight);

	if (lane->shared)
		leave_crowd(flights, lane);
	else if (lane->depth)
		lane->depth--;
	else
		__atomic_exchange_n(&lane->busy, 0, __ATOMIC_SEQ_CST);
	return __atomic_load_n(&flights->sync_waiting, __ATOMIC_SEQ_CST);
}

static struct smmu_lane *new_lane(unsigned int front)
{
	size_t size =
		WEIR_ALIGN_UP(sizeof(struct smmu_lane) + front * sizeof(struct smmu_front_entry),
			      _Alignof(struct smmu_lane));
	struct smmu_lane *lane = aligned_alloc(_Alignof(struct smmu_lane), size);

	if (lane)
		memset(lane, 0, size);
	return lane;
}

static struct smmu_lane *crowd_lane(struct smmu_flights *flights)
{
	struct smmu_lane *lane;

	pthread_mutex_lock(&flights->crowd_lock);
	lane = flights->crowd[flights->crowd_turns % 2];
	lane->depth++;
	pthread_mutex_unlock(&flights->crowd_lock);
	return lane;
}

static struct smmu_lane *find_lane(struct weir_model_smmuv3 *smmu, bool detached)
{
	struct smmu_flights *flights = &smmu->flights;
	unsigned int number = weir_model_thread();
	struct smmu_lane *lane;

	if (detached || number == SMMU_LANES)
		return crowd_lane(flights);
	lane = smmu_own_lane(flights);
	if (lane)
		return lane;
	lane = new_lane(SMMU_FRONT);
	if (!lane)
		return crowd_lane(flights);
	/* Sequentially consistent: before its first flight reads the epoch. -> lanes_landed() */
	__atomic_store_n(&flights->lanes[1 + number], lane, __ATOMIC_SEQ_CST);
	if (smmu->tlb.words)
		__atomic_store_n(&flights->fronts[1 + number], lane, __ATOMIC_RELAXED);
	return lane;
}

void weir_model_smmu_kick_landed(struct weir_model_smmuv3 *smmu)
{
	if (__atomic_exchange_n(&smmu->flights.sync_waiting, 0, __ATOMIC_SEQ_CST))
		weir_model_kick(&smmu->stepper);
}

uintptr_t weir_model_smmu_begin(struct weir_model_smmuv3 *smmu, bool detached, uint64_t *epoch)
{
	struct smmu_flights *flights = &smmu->flights;
	struct smmu_lane *lane = find_lane(smmu, detached);

	if (lane->shared || !smmu_begin_common(flights, lane, epoch))
		return begin_uncommon(flights, lane, epoch);
	if (!(*epoch & SMMU_EPOCH_FENCED))
		return (uintptr_t)lane;
	weir_model_smmu_end(smmu, (uintptr_t)lane);
	return begin_uncommon(flights, lane, epoch);
}

void weir_model_smmu_fly(struct smmu_bank *bank, struct smmu_access *access)
{
	struct weir_model_smmuv3 *smmu = bank->smmu;

	access->smmu = smmu;
	access->bank = bank;
	access->flight = weir_model_smmu_begin(smmu, false, &access->epoch);
	access->lane = smmu_flight_lane(access->flight);
	access->config_epoch = __atomic_load_n(&smmu->flights.config_epoch, __ATOMIC_ACQUIRE);
}

void weir_model_smmu_end(struct weir_model_smmuv3 *smmu, uintptr_t flight)
{
	struct smmu_flights *flights = &smmu->flights;

	if (flight & SMMU_FLIGHT_UNCOMMON ? end_uncommon(flights, flight) :
					    smmu_end_common(flights, smmu_flight_lane(flight)))
		weir_model_smmu_kick_landed(smmu);
}

void weir_model_smmu_land(const struct smmu_access *access)
{
	weir_model_smmu_end(access->smmu, access->flight);
}

/* ---- CMD_SYNC ---------------------------------------------------------------------------- */

static const struct smmu_lane *old_crowd(const struct smmu_flights *flights)
{
	return flights->crowd[(flights->crowd_turns + 1) % 2];
}

/* The young become the old, once nobody old is left. crowd_lock is held. */
static void turn_crowd(struct smmu_flights *flights)
{
	if (flights->crowd_turns != flights->crowd_asked && !old_crowd(flights)->depth)
		flights->crowd_turns++;
}

void weir_model_smmu_sync_begin(struct weir_model_smmuv3 *smmu, struct smmu_sync *sync)
{
	struct smmu_flights *flights = &smmu->flights;
	uint64_t old = move_epoch(flights, SMMU_EPOCH_STEP, SMMU_EPOCH_FENCED, 0);

	if (!(old & SMMU_EPOCH_FENCED))
		barrier_everywhere();
	pthread_mutex_lock(&flights->crowd_lock);
	flights->crowd_asked = sync->turn = flights->crowd_turns + 1;
	turn_crowd(flights);
	pthread_mutex_unlock(&flights->crowd_lock);
	sync->epoch = (old & SMMU_EPOCH_COUNT) + SMMU_EPOCH_STEP;
	flights->syncs++;
}

static bool crowd_landed(struct smmu_flights *flights, uint64_t turn)
{
	bool landed;

	pthread_mutex_lock(&flights->crowd_lock);
	turn_crowd(flights);
	landed = flights->crowd_turns > turn ||
		 (flights->crowd_turns == turn && !old_crowd(flights)->depth);
	pthread_mutex_unlock(&flights->crowd_lock);
	return landed;
}

/* `plain`: a lane that is waited for was taken without a barrier. */
static bool lanes_landed(struct smmu_flights *flights, uint64_t epoch, bool *plain)
{
	*plain = false;
	for (unsigned int i = 0; i < WEIR_ARRAY_SIZE(flights->lanes); i++) {
		struct smmu_lane *lane = __atomic_load_n(&flights->lanes[i], __ATOMIC_SEQ_CST);
		uint64_t busy = lane ? __atomic_load_n(&lane->busy, __ATOMIC_SEQ_CST) : 0;

		if (!busy || (busy & SMMU_EPOCH_COUNT) >= epoch)
			continue;
		*plain = !(busy & SMMU_LANE_BARRIER);
		return false;
	}
	return true;
}

/* Of others that wait, the flights have to go on kicking. */
static void stop_waiting(struct smmu_flights *flights, struct smmu_sync *sync)
{
	sync->landed = true;
	if (!--flights->syncs)
		__atomic_store_n(&flights->sync_waiting, 0, __ATOMIC_SEQ_CST);
}

/*
 * The flag is set before the lanes are looked at: a flight that lands after the look sees it. While
 * nothing but an ATC keeps CMD_SYNC waiting, flights land as usual.
 */
bool weir_model_smmu_sync_landed(struct weir_model_smmuv3 *smmu, struct smmu_sync *sync)
{
	struct smmu_flights *flights = &smmu->flights;
	bool plain, landed;

	if (sync->landed)
		return true;
	if (!__atomic_exchange_n(&flights->sync_waiting, 1, __ATOMIC_SEQ_CST))
		flights->sync_barrier = false;
	landed = lanes_landed(flights, sync->epoch, &plain);
	if (!landed && plain && !flights->sync_barrier) {
		barrier_everywhere();
		flights->sync_barrier = true;
		landed = lanes_landed(flights, sync->epoch, &plain);
	}
	if (!landed || !crowd_landed(flights, sync->turn))
		return false;
	stop_waiting(flights, sync);
	return true;
}

void weir_model_smmu_sync_end(struct weir_model_smmuv3 *smmu, struct smmu_sync *sync)
{
	if (!sync->landed)
		stop_waiting(&smmu->flights, sync);
	*sync = (struct smmu_sync){ 0 };
}

/* ---- Creation ---------------------------------------------------------------------------- */

int weir_model_smmu_flights_init(struct weir_model_smmuv3 *smmu)
{
	struct smmu_flights *flights = &smmu->flights;

	flights->epoch = SMMU_EPOCH_STEP | SMMU_EPOCH_FENCED;
	flights->asymmetric = register_barrier();
	pthread_mutex_init(&flights->crowd_lock, NULL);
	for (unsigned int i = 0; i < WEIR_ARRAY_SIZE(flights->crowd); i++) {
		flights->crowd[i] = new_lane(0);
		if (!flights->crowd[i])
			return -WEIR_ENOMEM;
		flights->crowd[i]->shared = true;
		flights->crowd[i]->busy = SMMU_LANE_BARRIER;
	}
	for (unsigned int i = 0; i < WEIR_ARRAY_SIZE(flights->fronts); i++)
		flights->fronts[i] = flights->crowd[0];
	return 0;
}

void weir_model_smmu_flights_fini(struct weir_model_smmuv3 *smmu)
{
	struct smmu_flights *flights = &smmu->flights;

	for (unsigned int i = 0; i < WEIR_ARRAY_SIZE(flights->lanes); i++)
		free(flights->lanes[i]);
	for (unsigned int i = 0; i < WEIR_ARRAY_SIZE(flights->crowd); i++)
		free(flights->crowd[i]);
	pthread_mutex_destroy(&flights->crowd_lock);
}

static void add_lane(struct smmu_counters *sum, const struct smmu_lane *lane)
{
	const uint64_t *from = (const uint64_t *)(const void *)&lane->counters;
	uint64_t *to = (uint64_t *)(void *)sum;

	for (size_t i = 0; i < sizeof(*sum) / sizeof(*to); i++)
		to[i] += __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}

void weir_model_smmu_add_counters(struct weir_model_smmuv3 *smmu, struct smmu_counters *sum)
{
	struct smmu_flights *flights = &smmu->flights;

	for (unsigned int i = 0; i < WEIR_ARRAY_SIZE(flights->lanes); i++) {
		struct smmu_lane *lane = __atomic_load_n(&flights->lanes[i], __ATOMIC_ACQUIRE);

		if (lane)
			add_lane(sum, lane);
	}
	for (unsigned int i = 0; i < WEIR_ARRAY_SIZE(flights->crowd); i++)
		add_lane(sum, flights->crowd[i]);
}
